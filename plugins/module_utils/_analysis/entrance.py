# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Who gets in: what the policies do with new connections to a port of the host, and from where they come.

Exact over all sources and source ports. What is asked is whether the first packet comes in, at an address of the host
and on an interface that is filtered.
"""

from __future__ import annotations

import typing as t

from .._compile.lowered import Box
from .._core.addresses import FAMILIES, UNIVERSE, AddressSet
from .._core.intervals import IntervalSet
from .._policy.evaluate import evaluate
from .._policy.model import Action
from .._policy.program import Program
from .decided import DecidedChain
from .first_matches import Undecided
from .regions import FAMILY_SPACE, SOURCE, Region, family_of, opening, regions_of

SOME, UNKNOWN = "some", "unknown"

#: Part of all addresses of a family from which on a network is the world, and a port that it reaches is exposed.
_WORLD = 16

#: Sources by family.
Sources = t.Mapping[int, IntervalSet]

EVERYBODY: Sources = UNIVERSE


class Door(t.NamedTuple):
    """Where a connection is opened to.

    Attributes:
        protocol: Its number.
        port: None for a protocol without ports.
        addresses: Of the host, by family; a family without one is not served.
    """

    protocol: int
    port: t.Optional[int]
    addresses: Sources


class Answer(t.NamedTuple):
    """What happens to new connections.

    Attributes:
        verdict: ``accept``, ``drop``, ``reject``; :data:`SOME` where some are accepted and some are not;
            :data:`UNKNOWN` where that would take too long to find out.
        rule: The name of a rule that decides so; with :data:`SOME` of one that accepts.
    """

    verdict: str
    rule: str


def outside_of(networks: t.Iterable[AddressSet]) -> Sources:
    """The addresses that are in none of the networks; one that is the world is not taken away."""
    listed = list(networks)
    left = {}
    for family in FAMILIES:
        space = UNIVERSE[family]
        named = IntervalSet(
            interval
            for network in listed
            if not _is_world(network[family], family)
            for interval in network[family].intervals
        )
        left[family] = space - named
    return left


def _is_world(addresses: IntervalSet, family: int) -> bool:
    return addresses.size * _WORLD >= UNIVERSE[family].size


class Entrance:
    """The way into a host, ready for questions."""

    def __init__(self, program: Program, ingress: DecidedChain) -> None:
        self._program = program
        self._ingress = ingress
        self._accepting = ingress.acting(Action.ACCEPT)

    def ask(self, door: Door, sources: Sources) -> t.Optional[Answer]:
        """What happens to new connections from there; None where no address of theirs can reach the door."""
        regions = _regions(door, sources)
        if not regions:
            return None
        try:
            found = {action: self._first(regions, action) for action in Action}
        except Undecided:
            return Answer(UNKNOWN, "")
        accepted = found[Action.ACCEPT]
        if accepted is not None:
            refused = found[Action.DROP] is not None or found[Action.REJECT] is not None
            return Answer(SOME if refused else Action.ACCEPT.value, self._rule(accepted))
        dropped = found[Action.DROP]
        if dropped is not None:
            # Where some are told and some are not, none gets in.
            return Answer(Action.DROP.value, self._rule(dropped))
        rejected = found[Action.REJECT]
        return Answer(Action.REJECT.value, "" if rejected is None else self._rule(rejected))

    def is_exposed(self, door: Door) -> bool:
        """Whether a good part of all addresses of a family gets in."""
        try:
            return any(self._lets_the_world_in(region) for region in _regions(door, EVERYBODY))
        except Undecided:
            return False

    def lets_in(self, door: Door) -> t.Optional[bool]:
        """Whether anybody gets in; None where that would take too long to find out."""
        try:
            return self._first(_regions(door, EVERYBODY), Action.ACCEPT) is not None
        except Undecided:
            return None

    def _first(self, regions: t.Sequence[Region], action: Action) -> t.Optional[Region]:
        wanted = self._ingress.acting(action)
        for region in regions:
            found = self._ingress.find(region, wanted)
            if found is not None:
                return found
        return None

    def _rule(self, region: Region) -> str:
        return str(evaluate(self._program, self._ingress.witness(region)).origin)

    def _lets_the_world_in(self, region: Region) -> bool:
        low, high = FAMILY_SPACE[family_of(region)]
        accepted = IntervalSet()
        for part in self._ingress.each(region, self._accepting):
            accepted |= IntervalSet(part[SOURCE])
            if accepted.size * _WORLD >= high - low + 1:
                return True
        return False


def _regions(door: Door, sources: Sources) -> t.List[Region]:
    """New connections from there to the door, one region for each family that both have."""
    ports = None if door.port is None else IntervalSet.single(door.port)
    return [
        opening(region)
        for family in FAMILIES
        if sources.get(family) and door.addresses.get(family)
        for region in regions_of(
            Box(
                family=family,
                protocols=IntervalSet.single(door.protocol),
                sources=sources[family],
                destinations=door.addresses[family],
                destination_ports=ports,
            )
        )
    ]
