// Copyright (c) 2026, Palisade contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The hosts, a row each, and what each opens to.

const STATES = { present: ["good", "wanted"], absent: ["plain", "none wanted"], invalid: ["bad", "variables are wrong"] };
const DRIFT = {
  none: ["good", "as deployed"], changed: ["bad", "differs"], absent: ["bad", "not deployed"],
  foreign: ["bad", "foreign rules"], unknown: ["plain", "not compared"],
};

function stateOf(host) {
  return badge(...(STATES[host.state] || ["plain", host.state]));
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
