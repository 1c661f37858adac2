// Copyright (c) 2026, Palisade contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The tables of the report, made from its data as they are looked at. Texts of users and hosts become text nodes, never
// markup.
(function () {
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const HOSTS_AT_ONCE = 250;
const ROWS_AT_ONCE = 100;
const RULES_AT_ONCE = 500;
// With so few hosts left by a filter, the matrix shows them without being asked.
const FEW = 25;
const MOST_MEMBERS = 6;
const WITH_PORTS = ["tcp", "udp", "dccp", "sctp", "udplite"];

const byId = (id) => document.getElementById(id);
const count = (number) => number.toLocaleString("en");
const plural = (number, one, many) => count(number) + " " + (number === 1 ? one : many);

function make(tag, names, ...content) {
  const element = document.createElement(tag);
  if (names) element.className = names;
  element.append(...content.filter((item) => item !== null && item !== undefined));
  return element;
}

function badge(kind, text) {
  return make("span", "badge " + kind, text);
}

function row(...cells) {
  return make("tr", "", ...cells);
}

function numberCell(value) {
  return make("td", "number", value === null || value === undefined ? "–" : count(value));
}

// Hands the rows that `draw` makes of items to `put`, some at a time, with a last row that asks for more.
function fill(put, items, atOnce, columns, draw) {
  const from = (next, place) => {
    const rows = items.slice(next, next + atOnce).flatMap(draw);
    const left = items.length - next - atOnce;
    if (left > 0) {
      const button = make("button", "", "Show " + count(Math.min(atOnce, left)) + " more of " + count(left));
      button.type = "button";
      const cell = make("td", "", button);
      cell.colSpan = columns;
      const last = row(cell);
      last.className = "more";
      button.addEventListener("click", () => from(next + atOnce, (more) => last.replaceWith(...more)));
      rows.push(last);
    }
    place(rows);
  };
  from(0, put);
}

// ---------------------------------------------------------------- filters

const searched = data.hosts.map((host) => [host.name, ...host.addresses].join("\n").toLowerCase());
const filter = { host: "", group: "", port: null, show: "" };

// "443", "udp 53", "53/udp", "8000-8010", "icmp"; null for nothing, undefined for what is none of these.
function readPort(text) {
  const found = /^\s*(?:([a-z][a-z0-9-]*)(?:[\s/:]+|$))?(?:(\d{1,5})(?:-(\d{1,5}))?(?:[\s/:]+([a-z]+))?)?\s*$/i.exec(text);
  if (!found) return undefined;
  const protocol = (found[1] || found[4] || "").toLowerCase();
  if (found[2] === undefined) return protocol ? { protocol, low: null, high: null } : null;
  const low = Number(found[2]);
  const high = Number(found[3] === undefined ? found[2] : found[3]);
  return low <= high && high <= 65535 ? { protocol, low, high } : undefined;
}

function meets(protocol, intervals, wanted) {
  if (!wanted) return true;
  if (protocol === "any") return true;
  if (wanted.protocol && wanted.protocol !== protocol) return false;
  if (wanted.low === null) return true;
  if (!WITH_PORTS.includes(protocol)) return false;
  return !intervals || intervals.some(([low, high]) => low <= wanted.high && wanted.low <= high);
}

function intervalsOf(texts) {
  return texts && texts.map((text) => {
    const ends = text.split("-").map(Number);
    return [ends[0], ends[ends.length - 1]];
  });
}

const entriesOf = (number, wanted) =>
  number === null ? [] : data.cells[number].entries.filter((one) => meets(one.protocol, WITH_PORTS.includes(one.protocol) ? intervalsOf(one.ports) : null, wanted));

function ruleMeets(rule, wanted) {
  return !wanted || rule.ports === null || rule.ports.some(([protocol, low, high]) => meets(protocol, [[low, high]], wanted));
}

const SHOWN = {
  "": () => true,
  warnings: (host) => warningsOf(host) > 0,
  drifted: (host) => ["changed", "absent", "foreign"].includes(host.live.drift.state),
  exposed: (host) => exposedOf(host) > 0,
  behind: (host) => host.live.wanted !== null && !host.live.wanted.equal,
  unread: (host) => host.state === "invalid" || host.live.state === "unreachable" || host.live.state === "failed",
};

const warningsOf = (host) => host.findings.filter((one) => data.findings[one].severity === "warning").length;
const exposedOf = (host) => host.live.listeners.filter((one) => one.finding === "exposed").length;

function matching() {
  const cells = new Map();
  const open = (number) => {
    if (!cells.has(number)) cells.set(number, entriesOf(number, filter.port).length > 0);
    return cells.get(number);
  };
  return data.hosts.map((host, index) => index).filter((index) => {
    const host = data.hosts[index];
    if (filter.host && !searched[index].includes(filter.host)) return false;
    if (filter.group && !host.groups.includes(filter.group)) return false;
    if (!SHOWN[filter.show](host)) return false;
    return !filter.port || host.reaching.some(open) ||
      host.live.listeners.some((one) => meets(one.protocol, [[one.port, one.port]], filter.port));
  });
}

// ---------------------------------------------------------------- the tip

const tip = byId("tip");
let tipFor = null;

function showTip(anchor, fillTip) {
  tipFor = anchor;
  tip.replaceChildren(...fillTip());
  tip.hidden = false;
  anchor.setAttribute("aria-describedby", "tip");
  const place = anchor.getBoundingClientRect();
  const size = tip.getBoundingClientRect();
  const left = Math.max(8, Math.min(place.left, document.documentElement.clientWidth - size.width - 8));
  const below = place.bottom + 6;
  const top = below + size.height > window.innerHeight && place.top > size.height + 6 ? place.top - size.height - 6 : below;
  tip.style.left = left + window.scrollX + "px";
  tip.style.top = top + window.scrollY + "px";
}

function hideTip() {
  if (tipFor) tipFor.removeAttribute("aria-describedby");
  tipFor = null;
  tip.hidden = true;
}

function withTip(anchor, fillTip) {
  for (const name of ["mouseenter", "focus", "click"]) anchor.addEventListener(name, () => showTip(anchor, fillTip));
  for (const name of ["mouseleave", "blur"]) anchor.addEventListener(name, hideTip);
}

document.addEventListener("keydown", (event) => { if (event.key === "Escape") hideTip(); });

// ---------------------------------------------------------------- the matrix

const rulesByName = new Map();
for (const rule of data.rules) {
  const key = rule.direction + " " + rule.name;
  if (!rulesByName.has(key)) rulesByName.set(key, rule);
}

let way = "reaching";
const openGroups = new Set();

function members(texts) {
  if (!texts) return "";
  const rest = texts.length - MOST_MEMBERS;
  return texts.slice(0, MOST_MEMBERS).join(", ") + (rest > 0 ? " and " + rest + " more" : "");
}

function entryText(entry) {
  const named = members(entry.ports || entry.types);
  const words = [entry.protocol === "any" ? "everything" : entry.protocol];
  if (named) words.push(named);
  if (entry.family) words.push("(IPv" + entry.family + ")");
  return words.join(" ");
}

// Whether an entry says all that another one says.
function holds(one, other) {
  if ((one.family && one.family !== other.family) || (one.protocol !== "any" && one.protocol !== other.protocol)) return false;
  if (one.scope !== other.scope && one.scope !== "all") return false;
  return ["ports", "types"].every((key) => !one[key] || (other[key] && other[key].every((text) => one[key].includes(text))));
}

function cellOf(number, shared, hosts) {
  const entries = entriesOf(number, filter.port);
  const cell = make("td", "cell");
  if (!entries.length) {
    cell.append(make("span", "nothing", "–"), make("span", "unseen", number === null ? "not known, or nobody there" : "nothing"));
    return cell;
  }
  const button = make("button", "entries");
  button.type = "button";
  for (const entry of entries) {
    const line = make("span", "entry", entryText(entry));
    if (shared.some((one) => holds(one, entry))) line.classList.add("shared");
    if (entry.scope === "some" || entry.hosts) line.classList.add("partly");
    if (entry.hosts) line.append(make("span", "share", " " + entry.hosts + "/" + hosts));
    line.append(make("span", "by", [entry.egress, entry.rule].filter(Boolean).join(" → ") || "no firewall"));
    button.append(line);
  }
  withTip(button, () => tipOf(number, entries, hosts));
  cell.append(button);
  return cell;
}

function tipOf(number, entries, hosts) {
  const list = make("dl", "");
  for (const entry of entries) {
    const words = [entryText(Object.assign({}, entry, { ports: null, types: null }))];
    if (entry.ports || entry.types) words.push((entry.ports || entry.types).slice(0, 40).join(", ") + ((entry.ports || entry.types).length > 40 ? " …" : ""));
    const title = make("dt", "", words.join(" "));
    if (entry.scope === "some") title.append(make("span", "quiet", ", not from every address or port"));
    if (entry.hosts) title.append(make("span", "quiet", ", on " + entry.hosts + " of " + plural(hosts, "host", "hosts")));
    list.append(title);
    const deciding = [["egress", entry.egress], ["ingress", entry.rule]].filter((one) => one[1]);
    if (way === "reached") deciding.splice(0, deciding.length, ...[["egress", entry.egress || entry.rule]].filter((one) => one[1]));
    if (!deciding.length) list.append(make("dd", "", "no firewall of Palisade's is in the way"));
    for (const [direction, names] of deciding) list.append(...decidingLines(direction, names));
  }
  const parts = [list];
  const cell = data.cells[number];
  if (cell.refusing.length) {
    const names = cell.refusing.map((one) => one.rule + " (" + one.direction + ")").join(", ");
    parts.push(make("p", "quiet", "The rest is refused by " + names + "."));
  }
  if (cell.undecided) parts.push(make("p", "quiet", "Too large to be told in full."));
  return parts;
}

function decidingLines(direction, names) {
  return names.split(", ").map((name) => {
    const rule = rulesByName.get(direction + " " + name);
    const line = make("dd", "", make("code", "", name));
    line.append(" " + (rule ? rule.text : "") + " (" + direction + ")");
    if (rule && rule.variable) line.append(make("span", "quiet", ", " + rule.variable));
    if (rule && rule.description) line.append(make("span", "note", rule.description));
    return line;
  });
}

function columns() {
  return data.places.map((place, index) => index).filter((index) => way === "reaching" || data.places[index].kind !== "group");
}

function drawMatrix(chosen) {
  const table = byId("matrix");
  const shown = columns();
  const head = row(make("th", "", way === "reaching" ? "to \\ from" : "from \\ to"));
  head.firstChild.scope = "col";
  for (const index of shown) {
    const place = data.places[index];
    const title = make("th", place.kind, make("span", "kind", place.kind === "outside" ? "any other" : place.kind), place.name);
    title.scope = "col";
    if (place.addresses.length && place.kind === "network") title.title = place.addresses.join(", ");
    head.append(title);
  }
  table.tHead.replaceChildren(head);
  const body = make("tbody", "");
  const visible = new Set(chosen);
  const few = chosen.length <= FEW && chosen.length < data.hosts.length;
  for (const group of data.groups) {
    if (filter.group && group.name !== filter.group) continue;
    const inside = group.hosts.filter((index) => visible.has(index));
    if (inside.length) drawGroup(body, group, inside, shown, few || openGroups.has(group.name));
  }
  if (!body.rows.length) body.append(nothing(shown.length + 1, "No host matches."));
  table.tBodies[0].replaceWith(body);
  byId("matrix-hint").textContent = way === "reaching"
    ? "New connections, through the egress rules of the sender and the ingress rules of the host. Pale: the outside has it too. Rest on a cell, or move to it with the keyboard, for the deciding rules; open a group for its hosts."
    : "New connections, through the egress rules of the hosts alone. Rest on a cell, or move to it with the keyboard, for the deciding rules; open a group for its hosts.";
}

function drawGroup(body, group, inside, shown, open) {
  const toggle = make("button", "toggle", group.name);
  toggle.type = "button";
  toggle.setAttribute("aria-expanded", String(open));
  const part = inside.length < group.hosts.length ? count(inside.length) + " of " : "";
  const title = make("th", "", toggle, make("span", "quiet", part + plural(group.hosts.length, "host", "hosts")));
  title.scope = "rowgroup";
  const line = row(title, ...cellsOf(group[way], shown, group.hosts.length));
  line.className = "group";
  line.dataset.group = group.name;
  body.append(line);
  toggle.addEventListener("click", () => {
    if (openGroups.has(group.name)) openGroups.delete(group.name); else openGroups.add(group.name);
    drawMatrix(matching());
    const again = byId("matrix").querySelectorAll("tr.group");
    for (const one of again) if (one.dataset.group === group.name) one.querySelector("button").focus();
  });
  if (!open) return;
  fill((rows) => body.append(...rows), inside, ROWS_AT_ONCE, shown.length + 1, (index) => [hostLine(index, shown)]);
}

function hostLine(index, shown) {
  const host = data.hosts[index];
  const title = make("th", "", host.name);
  title.scope = "row";
  const line = row(title, ...cellsOf(host[way], shown, 1));
  line.className = "member";
  line.dataset.host = host.name;
  return line;
}

function cellsOf(numbers, shown, hosts) {
  const outside = numbers[0] === null || way === "reached" ? [] : data.cells[numbers[0]].entries;
  return shown.map((index) => cellOf(numbers[index], index === 0 ? [] : outside, hosts));
}

function nothing(columnCount, text) {
  const cell = make("td", "quiet", text);
  cell.colSpan = columnCount;
  return row(cell);
}

// ---------------------------------------------------------------- the hosts

const STATES = { present: ["good", "in force"], absent: ["plain", "none wanted"], invalid: ["bad", "variables are wrong"] };
const DRIFT = {
  none: ["good", "as deployed"], changed: ["bad", "differs"], absent: ["bad", "not deployed"],
  foreign: ["bad", "foreign rules"], unknown: ["plain", "not compared"],
};

function stateOf(host) {
  const known = STATES[host.state] || ["plain", host.state];
  return badge(known[0], host.state === "present" ? "wanted" : known[1]);
}

function liveOf(host) {
  const live = host.live;
  if (live.state === "unreachable") return badge("bad", "unreachable");
  if (live.state === "failed") return badge("bad", "could not be read");
  if (live.state !== "read") return badge("plain", "not asked");
  const found = make("span", "", badge(...(DRIFT[live.drift.state] || ["plain", live.drift.state])));
  if (live.wanted && !live.wanted.equal) found.append(" ", badge("bad", "policies changed"));
  return found;
}

const openHosts = new Set();

function hostRows(index) {
  const host = data.hosts[index];
  const toggle = make("button", "toggle", host.name);
  toggle.type = "button";
  const title = make("th", "", toggle);
  title.scope = "row";
  if (host.addresses.length) title.append(make("span", "quiet", host.addresses.slice(0, 3).join(", ")));
  const warnings = warningsOf(host);
  const exposed = exposedOf(host);
  const read = host.live.state === "read";
  const line = row(title, make("td", "", host.groups.join(", ")), make("td", "", stateOf(host)), make("td", "", liveOf(host)),
    numberCell(data.rule_lists[host.rules].length), numberCell(read ? host.never_hit.length : null),
    numberCell(host.state === "present" ? warnings : null), numberCell(read ? exposed : null));
  line.className = "host";
  line.dataset.host = host.name;
  if (warnings) line.cells[6].classList.add("attention");
  if (exposed) line.cells[7].classList.add("attention");
  const details = () => {
    const cell = make("td", "", ...detailsOf(host));
    cell.colSpan = 8;
    const found = row(cell);
    found.className = "details";
    return found;
  };
  const set = (open) => {
    toggle.setAttribute("aria-expanded", String(open));
    if (open) openHosts.add(index); else openHosts.delete(index);
  };
  set(openHosts.has(index));
  toggle.addEventListener("click", () => {
    if (openHosts.has(index)) {
      line.nextElementSibling.remove();
      set(false);
    } else {
      line.after(details());
      set(true);
    }
  });
  return openHosts.has(index) ? [line, details()] : [line];
}

function drawHosts(chosen) {
  const body = make("tbody", "");
  fill((rows) => body.append(...rows), chosen, HOSTS_AT_ONCE, 8, hostRows);
  if (!chosen.length) body.append(nothing(8, "No host matches."));
  byId("hosts").tBodies[0].replaceWith(body);
}

function table(names, headings, rows) {
  const head = row(...headings.map(([text, kind]) => {
    const title = make("th", kind || "", text);
    title.scope = "col";
    return title;
  }));
  const body = make("tbody", "");
  fill((lines) => body.append(...lines), rows, RULES_AT_ONCE, headings.length, (one) => [one()]);
  return make("div", "scroll", make("table", names, make("thead", "", head), body));
}

function detailsOf(host) {
  const parts = [];
  if (host.problems.length) {
    parts.push(make("h3", "", "What is wrong with the variables"), list(host.problems.map((one) => one.place + ": " + one.message), "problem"));
  }
  if (host.live.message) parts.push(make("p", "problem", host.live.message));
  if (host.policy) parts.push(facts(host));
  parts.push(...findingsOf(host), ...driftOf(host), ...rulesOf(host), ...listenersOf(host));
  if (host.live.notes.length) parts.push(make("h3", "", "Notes"), list(host.live.notes));
  return parts;
}

function list(texts, names) {
  return make("ul", names || "", ...texts.map((text) => make("li", "", text)));
}

function facts(host) {
  const found = make("dl", "facts");
  const add = (name, value) => { if (value) found.append(make("div", "", make("dt", "", name), make("dd", "", value))); };
  add("Policies", host.policy.policies.join(", ") || "none");
  add("Default", "ingress " + host.policy.default_ingress + ", egress " + host.policy.default_egress);
  add("Profile", host.policy.profile);
  add("Layout", host.live.layout);
  add("Last change", host.live.changed_at);
  add("Counting since", host.live.counting_since);
  add("Addresses", host.addresses.join(", "));
  return found;
}

function findingsOf(host) {
  if (!host.findings.length) return host.state === "present" ? [make("h3", "", "Findings"), make("p", "quiet", "Lint has nothing to say.")] : [];
  const found = make("ul", "findings");
  for (const number of host.findings) {
    const one = data.findings[number];
    const item = make("li", one.severity, badge(one.severity === "warning" ? "bad" : "plain", one.code));
    item.append(" ", make("strong", "", one.rule || "whole host"), " " + one.message + ". " + one.suggestion);
    if (one.witness) item.append(make("span", "note", "For example " + one.witness.text));
    found.append(item);
  }
  return [make("h3", "", "Findings"), found];
}

function driftOf(host) {
  const { drift, wanted } = host.live;
  const found = [];
  if (wanted && !wanted.equal) found.push(make("h3", "", "What a deploy would change"), list(wanted.changes));
  if (host.live.state !== "read" || drift.state === "none") return found;
  found.push(make("h3", "", "Drift"), make("p", "", badge(...(DRIFT[drift.state] || ["plain", drift.state]))));
  for (const [key, title] of [["missing", "Deployed and not there"], ["changed", "Different"], ["foreign", "Not ours"]]) {
    if (drift[key].length) found.push(make("p", "quiet", title), list(drift[key], "code drift"));
  }
  return found;
}

function rulesOf(host) {
  const numbers = data.rule_lists[host.rules];
  if (!numbers.length) return [];
  const never = new Set(host.never_hit);
  const shown = numbers.map((number, index) => index).filter((index) => ruleMeets(data.rules[numbers[index]], filter.port));
  const counted = host.packets !== null;
  const headings = [["Rule"], ["Direction"], ["Action"], ["What it takes"], ["Variable"]];
  if (counted) headings.push(["Packets", "number"], ["Bytes", "number"]);
  const rows = shown.map((index) => () => {
    const rule = data.rules[numbers[index]];
    const name = make("th", "", make("code", "", rule.name));
    name.scope = "row";
    const text = make("td", "", rule.text);
    if (rule.description) text.append(make("span", "note", rule.description));
    const line = row(name, make("td", "", rule.direction), make("td", "", make("span", "action " + (["accept", "drop", "reject"].includes(rule.action) ? rule.action : ""), rule.action)),
      text, make("td", "variable", rule.variable || rule.stage));
    if (counted) line.append(numberCell(host.packets[index]), numberCell(host.bytes[index]));
    if (never.has(index)) {
      line.className = "never";
      const own = host.counting_since[index];
      name.append(make("span", "unused", "never hit" + (own ? " since " + own : "")));
    }
    return line;
  });
  const since = host.live.counting_since ? ", counting since " + host.live.counting_since : "";
  const hint = counted ? plural(never.size, "rule was", "rules were") + " never hit" + since + "." :
    "As the policies want them; the host's kernel was not read, so nothing is counted.";
  const title = "Rules" + (shown.length < numbers.length ? ", " + count(shown.length) + " of " + count(numbers.length) : "");
  return [make("h3", "", title), make("p", "quiet", hint), table("rules", headings, rows)];
}

const portOf = (one) => one.protocol + (one.port === null ? "" : " " + one.port);

function processOf(one) {
  if (!one.process) return "–";
  const details = [one.pid, one.user].filter((item) => item !== null && item !== undefined).join(", ");
  return one.process + (details ? " (" + details + ")" : "");
}

const FINDING = { exposed: ["bad", "exposed"], blocked: ["plain", "blocked"], local: ["plain", "local only"] };

function listenersOf(host) {
  if (host.live.state !== "read") return [];
  const found = [];
  const listeners = host.live.listeners.filter((one) => meets(one.protocol, [[one.port, one.port]], filter.port));
  if (listeners.length) {
    const rows = listeners.map((one) => () => {
      const name = make("th", "", portOf(one));
      if (one.published) name.append(make("span", "note", "published for a container"));
      name.scope = "row";
      const networks = Object.entries(one.networks).map(([network, verdict]) => network + ": " + verdict).join(", ");
      return row(name, make("td", "", one.address + (one.interface ? " on " + one.interface : "")), make("td", "", processOf(one)),
        make("td", "", one.outside || "–"), make("td", "", networks || "–"), make("td", "", make("code", "", one.rule || "–")),
        make("td", "", one.finding ? badge(...(FINDING[one.finding] || ["plain", one.finding])) : "–"));
    });
    found.push(make("h3", "", "Listeners"), table("listeners",
      [["Port"], ["Address"], ["Process"], ["From outside"], ["From networks"], ["Deciding rule"], ["Finding"]], rows));
  }
  const open = host.live.open_without_listener;
  if (open.length) {
    const rows = open.map((one) => () => {
      const name = make("th", "", one.protocol + " " + one.ports);
      name.scope = "row";
      return row(name, make("td", "", make("code", "", one.rule || "–")));
    });
    found.push(make("h3", "", "Open, and nobody listens"), table("idle", [["Ports"], ["Rule"]], rows));
  }
  const talks = host.live.talks_to.filter((one) => meets(one.protocol, [[one.port, one.port]], filter.port));
  if (talks.length) {
    const rows = talks.map((one) => () => {
      const name = make("th", "", one.address);
      name.scope = "row";
      return row(name, make("td", "", portOf(one)), make("td", "", processOf(one)), numberCell(one.connections),
        make("td", "", one.verdict || "–"), make("td", "", make("code", "", one.rule || "–")));
    });
    found.push(make("h3", "", "Whom it talks to"), table("talks",
      [["Address"], ["Port"], ["Process"], ["Connections", "number"], ["New ones"], ["Deciding rule"]], rows));
  }
  return found;
}

// ---------------------------------------------------------------- the page

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
})();
