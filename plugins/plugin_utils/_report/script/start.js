// Copyright (c) 2026, Palisade contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The head of the page, and what draws everything when the reader chooses.

function drawSummary() {
  const tiles = [
    ["hosts", "Hosts", ""], ["protected", "with policies", ""], ["without_firewall", "with none wanted", ""],
    ["invalid", "with wrong variables", "bad"], ["asked", "asked", ""], ["unreachable", "not reached", "bad"],
    ["drifted", "drifted", "bad"], ["behind", "to be deployed", "bad"], ["warnings", "Warnings", "bad"], ["notes", "Remarks", ""],
    ["exposed", "Exposed listeners", "bad"], ["never_hit", "Rules never hit", ""],
  ];
  const asked = data.hosts.some((host) => host.live.state !== "not asked");
  for (const [key, title, kind] of tiles) {
    if (!asked && ["asked", "unreachable", "drifted", "behind", "exposed", "never_hit"].includes(key)) continue;
    const value = make("dd", "", count(data.summary[key]));
    const tile = make("div", kind && data.summary[key] ? kind : "", make("dt", "", title), value);
    tile.dataset.key = key;
    byId("summary").append(tile);
  }
}

function draw() {
  hideTip();
  const chosen = matching();
  drawMatrix(chosen);
  drawHosts(chosen);
  byId("shown").textContent = chosen.length === data.hosts.length ? plural(chosen.length, "host", "hosts") :
    count(chosen.length) + " of " + plural(data.hosts.length, "host", "hosts");
}

function read() {
  const port = readPort(byId("filter-port").value);
  byId("port-error").textContent = port === undefined ? "This is no port: 443, udp 53 and 8000-8010 are." : "";
  filter.host = byId("filter-host").value.trim().toLowerCase();
  filter.group = byId("filter-group").value;
  filter.port = port === undefined ? null : port;
  filter.show = byId("filter-show").value;
  draw();
}

let waiting = 0;
function soon() {
  cancelAnimationFrame(waiting);
  waiting = requestAnimationFrame(read);
}

for (const group of data.groups) {
  const option = make("option", "", group.name + " (" + count(group.hosts.length) + ")");
  option.value = group.name;
  byId("filter-group").append(option);
}
byId("filters").addEventListener("input", soon);
byId("filters").addEventListener("submit", (event) => event.preventDefault());
byId("filters").addEventListener("reset", soon);
for (const name of ["reaching", "reached"]) {
  byId("way-" + name).addEventListener("click", () => {
    way = name;
    for (const other of ["reaching", "reached"]) byId("way-" + other).setAttribute("aria-pressed", String(other === name));
    drawMatrix(matching());
  });
}
// Paper has no button to ask for more.
window.addEventListener("beforeprint", () => {
  for (let button; (button = document.querySelector("tr.more button"));) button.click();
});
byId("picture").hidden = !byId("picture").querySelector("svg");
drawSummary();
draw();
