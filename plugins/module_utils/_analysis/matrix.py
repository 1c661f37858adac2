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
from .crossing import ANYWHERE, Addresses, Crossing, Half, halve, join
from .decided import DecidedChain
from .places import FleetHost, Place
from .regions import DESTINATION, SOURCE
from .traffic_kinds import reading_order

#: What the boxes of a chain see of addresses: which of them hold these, or the addresses where one holds a part.
_View = t.Tuple[t.Any, ...]

#: Past this many views of chains on hosts, every host is asked about by itself.
_MOST_VIEWS = 100_000

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
        self._halves: t.List[Half] = []
        self._half_numbers: t.Dict[_Key, int] = {}
        self._same_halves: t.Dict[Half, int] = {}
        self._crossings: t.Dict[t.Tuple[int, int], Crossing] = {}
        self._single: t.Dict[t.Tuple[int, int], int] = {}
        self._of_groups: t.Dict[_Key, t.Optional[int]] = {}
        self._sums: t.Dict[t.Tuple[t.Tuple[int, int], ...], t.Optional[int]] = {}
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
        if len(chains) * len(self.hosts) > _MOST_VIEWS:
            return list(range(len(self.hosts)))
        numbers: t.Dict[_Key, int] = {}
        found = []
        for host in self.hosts:
            addresses = host.addresses or ANYWHERE
            views = (
                _view(chain, dimension, addresses, tuple(addresses))
                for chain in chains.values()
                for dimension in (SOURCE, DESTINATION)
            )
            key = (host.judged, id(host.ingress), id(host.egress), tuple(host.addresses), *views)
            found.append(numbers.setdefault(key, len(numbers)))
        return found

    def _from_network(self, number: int, host: int) -> int:
        place, target = self.places[number], self.hosts[host]
        return self._cell(None, target.ingress, place.addresses, target.addresses or ANYWHERE)

    def _to_network(self, number: int, host: int) -> int:
        place, sender = self.places[number], self.hosts[host]
        return self._cell(sender.egress, None, sender.addresses or ANYWHERE, place.addresses)

    def _cell(
        self,
        egress: t.Optional[DecidedChain],
        ingress: t.Optional[DecidedChain],
        sources: Addresses,
        destinations: Addresses,
    ) -> int:
        pair = self._join(egress, ingress, sources, destinations)
        if pair not in self._single:
            self._single[pair] = self._number(self._crossings[pair].to_plain())
        return self._single[pair]

    def _from_group(self, number: int, host: int) -> t.Optional[int]:
        """From every other member, by its egress rules and the ingress rules of the host."""
        alone = self._members[number].get(self._kinds[host]) == [host]
        key = (number, self._kinds[host], alone)
        if key not in self._of_groups:
            target = self.hosts[host]
            destinations = target.addresses or ANYWHERE
            pairs: t.Dict[t.Tuple[int, int], None] = {}
            for members in self._members[number].values():
                if members != [host]:
                    sender = self.hosts[members[0] if members[0] != host else members[1]]
                    pairs[self._join(sender.egress, target.ingress, sender.addresses, destinations)] = None
            self._of_groups[key] = self._together(tuple(pairs))
        return self._of_groups[key]

    def _together(self, pairs: t.Tuple[t.Tuple[int, int], ...]) -> t.Optional[int]:
        if pairs not in self._sums:
            whole = Crossing()
            for pair in pairs:
                whole.add(self._crossings[pair])
            self._sums[pairs] = self._number(whole.to_plain()) if pairs else None
        return self._sums[pairs]

    def _join(
        self,
        egress: t.Optional[DecidedChain],
        ingress: t.Optional[DecidedChain],
        sources: Addresses,
        destinations: Addresses,
    ) -> t.Tuple[int, int]:
        """The numbers of the halves of a crossing, which is there then."""
        pair = (self._half(egress, sources, destinations), self._half(ingress, sources, destinations))
        if pair not in self._crossings:
            self._crossings[pair] = join(self._halves[pair[0]], self._halves[pair[1]])
        return pair

    def _half(self, chain: t.Optional[DecidedChain], sources: Addresses, destinations: Addresses) -> int:
        """The number of what a chain does: the same for addresses that it cannot tell apart, and for equal halves."""
        families = tuple(family for family in FAMILIES if family in sources and family in destinations)
        views: t.Dict[int, _View] = {SOURCE: (), DESTINATION: ()}
        if chain is not None and chain.restricted:
            views[SOURCE] = _view(chain, SOURCE, sources, families)
            views[DESTINATION] = _view(chain, DESTINATION, destinations, families)
            key: _Key = (id(chain), families, views[SOURCE], views[DESTINATION])
        else:
            key = (None if chain is None else chain.direction, families)
        found = self._half_numbers.get(key)
        if found is None:
            whole = [dimension for dimension, view in views.items() if all(isinstance(one, int) for one in view)]
            half = halve(chain, sources, destinations).from_anywhere(whole)
            found = self._half_numbers[key] = self._same_halves.setdefault(half, len(self._halves))
            if found == len(self._halves):
                self._halves.append(half)
        return found

    def _number(self, cell: t.Dict[str, t.Any]) -> int:
        text = json.dumps(cell, sort_keys=True)
        if text not in self._numbers:
            self._numbers[text] = len(self.cells)
            self.cells.append(cell)
        return self._numbers[text]


def _view(chain: DecidedChain, dimension: int, addresses: Addresses, families: t.Tuple[int, ...]) -> _View:
    """By family what the boxes of a chain see of addresses."""
    parts: t.List[t.Any] = []
    for family in families:
        some, all_of = chain.matches.along(dimension, addresses[family])
        parts.append(some if some == all_of else addresses[family])
    return tuple(parts)


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
