# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Base chains of other tables that refuse a packet, and whether it meets them before ours.

Their rules are read and walked as ours are; where one says what is not understood, nobody guesses. Read from the
tables as ``nft -j list table`` shows them (libnftables-json(5)); what is odd is passed over. Rules of iptables-legacy
are in no table that nft shows.
"""

from __future__ import annotations

import json
import typing as t

from .._analysis.walk import UNKNOWN, walk
from .._compile.table import TABLE_NAME
from .._nft.read import UnreadError, read_ruleset
from .._policy.model import Direction
from .._policy.packet import Packet

_REFUSALS = ("drop", "reject", "queue")
_LEADING = ("jump", "goto")

#: Hooks in the order in which a packet meets them, on its way in and on its way out (linux/netfilter.h); ours are at
#: input and output, with the priority of filter, 0.
_WAYS: t.Mapping[str, t.Tuple[str, ...]] = {
    "in": ("ingress", "prerouting", "input"),
    "out": ("output", "postrouting", "egress"),
}
_OURS = {"in": "input", "out": "output"}
_WAY = {Direction.INGRESS: "in", Direction.EGRESS: "out"}

#: The families of packets that a table does not see.
_NOT_SEEN = {"ip": 6, "ip6": 4}

#: Families of tables whose packets are not IP packets of this host.
_ELSEWHERE = ("bridge", "arp")


class OtherChain(t.NamedTuple):
    """A base chain; ``way`` is ``in`` or ``out``."""

    family: str
    table: str
    name: str
    hook: str
    priority: int
    way: str

    @property
    def comes_before(self) -> bool:
        """Whether a packet meets it before our rules; of the same priority, the older chain comes first."""
        hooks = _WAYS[self.way]
        mine, own = hooks.index(self.hook), hooks.index(_OURS[self.way])
        return (mine, self.priority) < (own, 0)

    def __str__(self) -> str:
        return "chain %s of table %s %s (%s, priority %d)" % (
            self.name,
            self.family,
            self.table,
            self.hook,
            self.priority,
        )


class OtherTables:
    """The other tables of a host.

    Args:
        items: What stands under ``nftables`` in their listings.
    """

    def __init__(self, items: t.Iterable[object]) -> None:
        self._items = [item for item in items if isinstance(item, dict)]
        self._chains = find_refusing(self._items)

    def refusing(self, packet: Packet) -> t.Iterator[t.Tuple[OtherChain, str]]:
        """The chains that refuse the packet, each with ``drop``, ``reject``, or ``unknown`` where it may."""
        for chain in self._chains:
            if chain.way == _WAY[packet.direction] and _NOT_SEEN.get(chain.family) != packet.family:
                verdict = self._verdict(chain, packet)
                if verdict != "accept":
                    yield chain, verdict

    def _verdict(self, chain: OtherChain, packet: Packet) -> str:
        try:
            return walk(read_ruleset(self._as_ours(chain)), packet).verdict
        except (UnreadError, KeyError, TypeError, ValueError):
            return UNKNOWN

    def _as_ours(self, chain: OtherChain) -> str:
        """The listing of the chain's table as if it were ours, with the chain as the only one that is hooked."""
        listed: t.List[t.Dict[str, t.Any]] = []
        for kind, body in ((kind, body) for item in self._items for kind, body in item.items()):
            if not isinstance(body, dict) or (body.get("family"), body.get("table")) != (chain.family, chain.table):
                continue
            changed = {**body, "family": "inet", "table": TABLE_NAME}
            if kind == "chain":
                hooked = body.get("name") == chain.name
                changed["hook"] = _OURS[chain.way] if hooked else ""
            listed.append({kind: changed})
        return json.dumps({"nftables": listed})


def find_refusing(items: t.Iterable[object]) -> t.List[OtherChain]:
    """The base chains that refuse something, by policy, by a rule, or by a rule of a chain that they lead to.

    Args:
        items: What stands under ``nftables`` in the listings of the other tables.
    """
    chains: t.Dict[t.Tuple[str, str], t.Dict[str, t.Dict[str, t.Any]]] = {}
    refusing: t.Set[t.Tuple[str, str, str]] = set()
    leads: t.Dict[t.Tuple[str, str, str], t.Set[str]] = {}
    for kind, body in ((kind, body) for item in items if isinstance(item, dict) for kind, body in item.items()):
        if not isinstance(body, dict) or body.get("family") in _ELSEWHERE:
            continue
        family, table = str(body.get("family")), str(body.get("table"))
        if kind == "chain":
            chains.setdefault((family, table), {})[str(body.get("name"))] = body
        elif kind == "rule":
            place = (family, table, str(body.get("chain")))
            words = dict(_verdicts(body.get("expr")))
            if any(word in _REFUSALS for word in words.values()):
                refusing.add(place)
            leads.setdefault(place, set()).update(name for name, word in words.items() if word in _LEADING)
    found = []
    for (family, table), named in chains.items():
        for name, body in named.items():
            way = next((way for way, hooks in _WAYS.items() if body.get("hook") in hooks), None)
            if way is None:
                continue
            reached = _reached(leads, family, table, name)
            if body.get("policy") == "drop" or any((family, table, one) in refusing for one in reached):
                priority = body.get("prio")
                hook = str(body["hook"])
                found.append(OtherChain(family, table, name, hook, priority if isinstance(priority, int) else 0, way))
    return sorted(found)


def _verdicts(value: object) -> t.Iterator[t.Tuple[str, str]]:
    """Every verdict in an expression, maps included: where it leads, or its own name, and its word."""
    if isinstance(value, list):
        for one in value:
            yield from _verdicts(one)
    elif isinstance(value, dict):
        for word, inner in value.items():
            if word in _REFUSALS:
                yield word, word
            elif word in _LEADING and isinstance(inner, dict):
                yield str(inner.get("target")), word
            else:
                yield from _verdicts(inner)
    elif isinstance(value, str) and value in _REFUSALS:
        yield value, value


def _reached(
    leads: t.Mapping[t.Tuple[str, str, str], t.AbstractSet[str]], family: str, table: str, name: str
) -> t.Set[str]:
    """The chain and all that it leads to."""
    found: t.Set[str] = set()
    waiting = [name]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting.extend(leads.get((family, table, one), ()))
    return found
