# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""The matrix: who reaches which host of a fleet on which port, and what the hosts reach.

A thousand hosts are a million pairs, but they share policies, and most rules cannot tell their addresses apart. So
hosts are asked about by what the rules see of them, each question once.
"""

from __future__ import annotations

import json
import typing as t

from .._core.addresses import FAMILIES
from .crossing import ANYWHERE, Addresses, Crossing, cross
from .decided import DecidedChain
from .places import FleetHost, Place
from .regions import DESTINATION, SOURCE
from .traffic_kinds import reading_order

#: What the boxes of a chain see of addresses: which of them hold these, or the addresses where one holds a part.
_View = t.Tuple[t.Any, ...]

#: What a question depends on.
_Key = t.Tuple[t.Any, ...]


class Matrix:
    """Answers by the number of a host and of a place, as numbers of cells, each different cell once.

    Attributes:
        cells: :meth:`.crossing.Crossing.to_plain`; entries of a group of hosts have ``hosts`` where not all share them.
    """

    def __init__(self, hosts: t.Sequence[FleetHost], places: t.Sequence[Place]) -> None:
        self.hosts = hosts
        self.places = places
        self.cells: t.List[t.Dict[str, t.Any]] = []
        self._numbers: t.Dict[str, int] = {}
        self._views: t.Dict[t.Tuple[int, int, t.Any], _View] = {}
        self._crossings: t.Dict[_Key, Crossing] = {}
        self._single: t.Dict[_Key, t.Optional[int]] = {}
        #: By host a number that hosts share which nobody can tell apart, themselves included.
        self._kinds = self._tell_apart()
        #: By place the members that may send, by that number.
        self._members: t.List[t.Dict[int, t.List[int]]] = []
        for place in places:
            kinds: t.Dict[int, t.List[int]] = {}
            for member in place.members:
                if hosts[member].judged and hosts[member].addresses:
                    kinds.setdefault(self._kinds[member], []).append(member)
            self._members.append(kinds)

    def reaching(self, host: int) -> t.List[t.Optional[int]]:
        """For each place the cell that says what of it reaches the host; None: nothing is there, or not known."""
        if not self.hosts[host].judged:
            return [None] * len(self.places)
        return [
            self._from_group(number, host) if place.kind == "group" else self._from_network(number, host)
            for number, place in enumerate(self.places)
        ]

    def reached(self, host: int) -> t.List[t.Optional[int]]:
        """For each place the cell that says what its host reaches there, by its egress rules; None for groups."""
        one = self.hosts[host]
        if not one.judged:
            return [None] * len(self.places)
        return [
            None if place.kind == "group" else self._to_network(number, host)
            for number, place in enumerate(self.places)
        ]

    def of_hosts(self, found: t.Sequence[t.Optional[int]]) -> t.Optional[int]:
        """The cell of several hosts, from theirs."""
        if len(set(found)) == 1:
            return found[0]
        return self._number(_together([self.cells[one] for one in found if one is not None], len(found)))

    def _tell_apart(self) -> t.List[int]:
        chains = {
            id(chain): chain
            for host in self.hosts
            for chain in (host.ingress, host.egress)
            if chain is not None and chain.restricted
        }
        numbers: t.Dict[_Key, int] = {}
        found = []
        for host in self.hosts:
            addresses = host.addresses or ANYWHERE
            views = (
                self._view(chain, dimension, addresses, tuple(addresses))
                for chain in chains.values()
                for dimension in (SOURCE, DESTINATION)
            )
            key = (host.judged, id(host.ingress), id(host.egress), tuple(host.addresses), *views)
            found.append(numbers.setdefault(key, len(numbers)))
        return found

    def _from_network(self, number: int, host: int) -> t.Optional[int]:
        place, target = self.places[number], self.hosts[host]
        destinations = target.addresses or ANYWHERE
        key = ("in", number, *self._seen(target.ingress, place.addresses, destinations))
        if key not in self._single:
            self._single[key] = self._number(cross(None, target.ingress, place.addresses, destinations).to_plain())
        return self._single[key]

    def _to_network(self, number: int, host: int) -> t.Optional[int]:
        place, sender = self.places[number], self.hosts[host]
        sources = sender.addresses or ANYWHERE
        key = ("out", number, *self._seen(sender.egress, sources, place.addresses))
        if key not in self._single:
            self._single[key] = self._number(cross(sender.egress, None, sources, place.addresses).to_plain())
        return self._single[key]

    def _from_group(self, number: int, host: int) -> t.Optional[int]:
        """From every other member, by its egress rules and the ingress rules of the host."""
        alone = self._members[number].get(self._kinds[host]) == [host]
        key = ("group", number, self._kinds[host], alone)
        if key not in self._single:
            pairs = dict.fromkeys(
                self._pair(members[0], host) for members in self._members[number].values() if members != [host]
            )
            whole = Crossing()
            for pair in pairs:
                whole.add(self._crossings[pair])
            self._single[key] = self._number(whole.to_plain()) if pairs else None
        return self._single[key]

    def _pair(self, member: int, host: int) -> _Key:
        sender, target = self.hosts[member], self.hosts[host]
        destinations = target.addresses or ANYWHERE
        key = (
            *self._seen(sender.egress, sender.addresses, destinations),
            *self._seen(target.ingress, sender.addresses, destinations),
        )
        if key not in self._crossings:
            self._crossings[key] = cross(sender.egress, target.ingress, sender.addresses, destinations)
        return key

    def _seen(self, chain: t.Optional[DecidedChain], sources: Addresses, destinations: Addresses) -> _Key:
        """The chain, and what it can tell of the addresses."""
        families = tuple(family for family in FAMILIES if family in sources and family in destinations)
        if chain is None or not chain.restricted:
            return (None if chain is None else chain.direction, families)
        return (
            id(chain),
            families,
            self._view(chain, SOURCE, sources, families),
            self._view(chain, DESTINATION, destinations, families),
        )

    def _view(self, chain: DecidedChain, dimension: int, addresses: Addresses, families: t.Tuple[int, ...]) -> _View:
        key = (id(chain), dimension, tuple(addresses[family] for family in families))
        found = self._views.get(key)
        if found is None:
            parts: t.List[t.Any] = []
            for family in families:
                some, all_of = chain.matches.along(dimension, addresses[family])
                parts.append(some if some == all_of else addresses[family])
            found = self._views[key] = tuple(parts)
        return found

    def _number(self, cell: t.Dict[str, t.Any]) -> int:
        text = json.dumps(cell, sort_keys=True)
        if text not in self._numbers:
            self._numbers[text] = len(self.cells)
            self.cells.append(cell)
        return self._numbers[text]


_SAME = ("protocol", "ports", "types", "family", "scope")


def _together(cells: t.Sequence[t.Mapping[str, t.Any]], hosts: int) -> t.Dict[str, t.Any]:
    """One cell of those of ``hosts``, some of which may have none; ``hosts`` in it: not all of them have that entry."""
    counted: t.Dict[str, t.List[t.Dict[str, t.Any]]] = {}
    refusing: t.Dict[str, t.Dict[str, str]] = {}
    for cell in cells:
        seen: t.Set[str] = set()
        for entry in cell["entries"]:
            text = json.dumps([entry[key] for key in _SAME])
            if text not in seen:
                seen.add(text)
                counted.setdefault(text, []).append(entry)
        for one in cell["refusing"]:
            refusing.setdefault(json.dumps(one), one)
    entries = []
    for found in counted.values():
        entry = dict(found[0])
        if len(found) < hosts:
            entry["hosts"] = len(found)
        for key in ("rule", "egress"):
            names = dict.fromkeys(one[key] for one in found if one[key])
            entry[key] = ", ".join(names) or None
        entries.append(entry)
    return {
        "entries": sorted(entries, key=reading_order),
        "refusing": list(refusing.values()),
        "undecided": any(cell["undecided"] for cell in cells),
    }
