# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""What a run of the module reports: counts, findings, sentences, and the diff."""

from __future__ import annotations

import typing as t

from .._compile.compile import Compiled
from .._compile.cost import measure_size
from .._compile.table import TABLE_NAME, Table
from .._nft.held import HeldTable
from .._nft.parts import keys_of
from .._policy.hostfacts import HostFacts, Server
from .._policy.model import Firewall, Safeguard
from .kernel import Comparison
from .listings import Listings

#: Names listed in one sentence; the rest is counted.
_LISTED_NAMES = 5

#: What a kind is called where several are meant.
_PLURALS = {"set": "sets", "map": "maps", "chain": "chains", "counter": "counters"}

#: What a run changes in the kernel that removes everything.
DELETION = "delete the table inet %s" % TABLE_NAME


class Counts(t.NamedTuple):
    """The size of a table. A range or prefix is one element."""

    rules: int
    sets: int
    maps: int
    elements: int

    def __str__(self) -> str:
        maps = ", maps: %d" % self.maps if self.maps else ""
        return "rules: %d, sets: %d%s, elements: %d" % (self.rules, self.sets, maps, self.elements)


def count_table(table: Table) -> Counts:
    return Counts(
        rules=sum(len(chain.rules) for chain in table.chains),
        sets=len(table.sets),
        maps=len(table.maps),
        elements=sum(len(named.members.intervals) for named in table.sets)
        + sum(len(named.elements) for named in table.maps),
    )


def count_held(held: HeldTable) -> Counts:
    return Counts(
        rules=sum(block.size for (kind, _name), block in held.blocks.items() if kind == "chain"),
        sets=len(held.names("set")),
        maps=len(held.names("map")),
        elements=sum(block.size for (kind, _name), block in held.blocks.items() if kind in ("set", "map")),
    )


def describe_cost(compiled: Compiled, size: int) -> t.Dict[str, t.Any]:
    """What packets meet in each direction, beside the rules they would meet one after another; and what is loaded.

    Args:
        size: Octets of the text.
    """
    cost: t.Dict[str, t.Any] = {}
    for direction, (found, ordered) in compiled.costs.items():
        cost[direction.value] = {
            "lookups": {"average": round(found.average.lookups, 1), "worst": round(found.worst.lookups)},
            "rules": {"average": round(found.average.rules, 1), "worst": round(found.worst.rules)},
            "ordered": {"average": (ordered + 1) / 2, "worst": ordered},
        }
    cost["size"] = {**measure_size(compiled.table)._asdict(), "bytes": size}
    return cost


def describe_safeguards(firewall: Firewall, facts: HostFacts, ssh: str) -> t.Dict[str, t.Any]:
    """Which servers and leases the safeguards let through, and what was found out."""
    dhcp = firewall.safeguards.dhcp
    return {
        "dns": _servers(firewall.safeguards.dns, facts.dns_servers),
        "ntp": _servers(firewall.safeguards.ntp, facts.ntp_servers),
        "metadata": _servers(firewall.safeguards.metadata, facts.metadata_servers),
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


def describe_changes(wanted: Table, comparison: Comparison, replaces: str) -> t.List[str]:
    """What changes in the kernel, a sentence each; empty where nothing does."""
    held = comparison.held
    if comparison.equal:
        return []
    if held is None:
        return ["create the table inet %s" % TABLE_NAME]
    if replaces:
        return ["replace the table inet %s as a whole, because %s" % (TABLE_NAME, replaces)]
    refilled = {("chain", chain.name) for chain in wanted.chains if not chain.constant}
    after = keys_of(wanted)
    found: t.List[str] = []
    for kind in sorted({kind for kind, _name in (*held.blocks, *after)}):
        added, changed, repaired, removed = (
            sorted(name for one, name in keys if one == kind)
            for keys in (
                after - held.blocks.keys(),
                comparison.differing & refilled,
                comparison.differing - refilled,
                held.blocks.keys() - after,
            )
        )
        found.extend(_sentence("add", kind, added))
        found.extend(_sentence("change", kind, changed))
        found.extend(_sentence("repair", kind, repaired))
        found.extend(_sentence("remove", kind, removed))
    return found or ["load the ruleset again"]


def _sentence(verb: str, kind: str, names: t.Sequence[str]) -> t.Iterator[str]:
    if not names:
        return
    shown = ", ".join(names[:_LISTED_NAMES])
    more = " and %d more" % (len(names) - _LISTED_NAMES) if len(names) > _LISTED_NAMES else ""
    yield "%s the %s %s%s" % (verb, kind if len(names) == 1 else _PLURALS.get(kind, kind), shown, more)


def describe_diff(
    comparison: Comparison, listings: Listings, counts: Counts, effective_rules: int, safeguards: t.Mapping[str, t.Any]
) -> t.Dict[str, str]:
    """The ruleset before and after, each below its counts; equal where nothing changes."""
    heading = "# %s, effective rules: %d\n%s" % (counts, effective_rules, _found(safeguards))
    after = heading + listings.after
    if comparison.equal:
        return {"before": after, "after": after}
    if comparison.held is None:
        return {"before": "", "after": after}
    return {"before": "# %s\n%s" % (count_held(comparison.held), listings.before), "after": after}


def _found(safeguards: t.Mapping[str, t.Any]) -> str:
    lines = [
        "# safeguard %s: %s\n" % (name, ", ".join(safeguards[name]) or "none") for name in ("dns", "ntp", "metadata")
    ]
    leased = [name for name in ("dhcp4", "dhcp6") if safeguards[name]]
    return "".join([*lines, "# safeguard dhcp: %s\n" % (", ".join(leased) or "none")])


def show_meaning(result: t.Dict[str, t.Any], meaning: t.Mapping[str, t.Any]) -> None:
    """Puts the change in meaning into a result, and below the diff that Ansible shows."""
    result["meaning"] = meaning
    result["diff"]["prepared"] = meaning["text"] + "\n"
