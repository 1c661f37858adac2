# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""What a run of the module reports: counts, findings, sentences, and the diff."""

from __future__ import annotations

import typing as t

from .._compile.table import TABLE_NAME, Table
from .._nft.live import LiveTable
from .._policy.hostfacts import HostFacts, Server
from .._policy.model import Firewall, Safeguard
from .kernel import Comparison

#: Names listed in one sentence; the rest is counted.
_LISTED_NAMES = 5

#: What a kind is called where several are meant.
_PLURALS = {"set": "sets", "map": "maps", "chain": "chains", "counter": "counters"}


class Counts(t.NamedTuple):
    """The size of a table. A range or prefix is one element."""

    rules: int
    sets: int
    elements: int

    def __str__(self) -> str:
        return "rules: %d, sets: %d, elements: %d" % (self.rules, self.sets, self.elements)


def count_table(table: Table) -> Counts:
    return Counts(
        rules=sum(len(chain.rules) for chain in table.chains),
        sets=len(table.sets),
        elements=sum(len(named.members.intervals) for named in table.sets),
    )


def count_live(live: LiveTable) -> Counts:
    collections = [block for block in live.blocks.values() if block.kind in ("set", "map")]
    return Counts(
        rules=sum(block.rule_count for block in live.blocks.values()),
        sets=len(collections),
        elements=sum(block.element_count for block in collections),
    )


def describe_safeguards(firewall: Firewall, facts: HostFacts, ssh: str) -> t.Dict[str, t.Any]:
    """Which servers and leases the safeguards let through, and what was found out."""
    dhcp = firewall.safeguards.dhcp
    return {
        "dns": _servers(firewall.safeguards.dns, facts.dns_servers),
        "ntp": _servers(firewall.safeguards.ntp, facts.ntp_servers),
        "dhcp4": dhcp.mode == "on" or (dhcp.mode == "auto" and facts.dhcp4),
        "dhcp6": dhcp.mode == "on" or (dhcp.mode == "auto" and facts.dhcp6),
        "ssh": ssh,
        "notes": list(facts.notes),
    }


def _servers(safeguard: Safeguard, found: t.Sequence[Server]) -> t.List[str]:
    if safeguard.mode == "auto":
        return [str(server) for server in found]
    if safeguard.mode == "off":
        return []
    return ["any"] if safeguard.addresses is None else list(safeguard.addresses.texts())


def describe_changes(comparison: Comparison, replaces: str) -> t.List[str]:
    """What changes in the kernel, a sentence each; empty where nothing does."""
    live, wanted = comparison.live, comparison.wanted
    if comparison.equal:
        return []
    if live is None:
        return ["create the table inet %s" % TABLE_NAME]
    if replaces:
        return ["replace the table inet %s as a whole, because %s" % (TABLE_NAME, replaces)]
    found: t.List[str] = []
    for kind in sorted({block.kind for block in (*live.blocks.values(), *wanted.blocks.values())}):
        before, after = live.names(kind), wanted.names(kind)
        changed = [
            name
            for name in after
            if name in before
            and (
                live.blocks[kind, name] != wanted.blocks[kind, name]
                if kind == "chain"
                else (kind, name) in comparison.altered
            )
        ]
        found.extend(_sentence("add", kind, [name for name in after if name not in before]))
        found.extend(_sentence("change" if kind == "chain" else "repair", kind, changed))
        found.extend(_sentence("remove", kind, [name for name in before if name not in after]))
    return found or ["load the ruleset again"]


def _sentence(verb: str, kind: str, names: t.Sequence[str]) -> t.Iterator[str]:
    if not names:
        return
    shown = ", ".join(names[:_LISTED_NAMES])
    more = " and %d more" % (len(names) - _LISTED_NAMES) if len(names) > _LISTED_NAMES else ""
    yield "%s the %s %s%s" % (verb, kind if len(names) == 1 else _PLURALS.get(kind, kind), shown, more)


def describe_diff(
    comparison: Comparison, counts: Counts, effective_rules: int, safeguards: t.Mapping[str, t.Any]
) -> t.Dict[str, str]:
    """The ruleset before and after, each below its counts; equal where nothing changes."""
    heading = "# %s, effective rules: %d\n%s" % (counts, effective_rules, _found(safeguards))
    after = heading + comparison.wanted.text()
    if comparison.equal:
        return {"before": after, "after": after}
    if comparison.live is None:
        return {"before": "", "after": after}
    return {"before": "# %s\n%s" % (count_live(comparison.live), comparison.live.text()), "after": after}


def _found(safeguards: t.Mapping[str, t.Any]) -> str:
    lines = ["# safeguard %s: %s\n" % (name, ", ".join(safeguards[name]) or "none") for name in ("dns", "ntp")]
    leased = [name for name in ("dhcp4", "dhcp6") if safeguards[name]]
    return "".join([*lines, "# safeguard dhcp: %s\n" % (", ".join(leased) or "none")])
