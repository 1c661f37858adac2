// Copyright (c) 2026, Palisade contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Who reaches whom: rows are groups that open to their hosts, columns are places.

// What lets something through; as the policies have it, where a kernel has something else of that name.
const rulesByName = new Map();
for (const rule of [...data.rules].sort((one, other) => (one.ports === null) - (other.ports === null))) {
  const key = rule.direction + " " + rule.name;
  if (rule.action === "accept" && !rulesByName.has(key)) rulesByName.set(key, rule);
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
