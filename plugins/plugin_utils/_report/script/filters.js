// Copyright (c) 2026, Palisade contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the reader chose, and which hosts, rules and cells meet it.

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
