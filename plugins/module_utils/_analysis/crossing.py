# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""From one place to another: what the egress rules of the one and the ingress rules of the other let through.

The question is about packets that open a connection, on interfaces that are filtered, with any source port. Packets
that only neighbours on a link exchange (a hop limit of 255 or 1) are left out.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._core.addresses import FAMILIES
from .._core.intervals import IntervalSet
from .._policy.model import Action
from .._policy.packet import Packet
from .decided import DecidedChain
from .first_matches import Undecided
from .regions import (
    DESTINATION,
    FAMILY_SPACE,
    HOP_LIMIT,
    SOURCE,
    SPACE,
    TCP_RESET,
    Intervals,
    Region,
    family_of,
    intersect,
    opening,
)
from .traffic_kinds import Kind, Values, describe_kinds, kinds_of, reading_order

#: By family the addresses of a place, in the numbers of regions. A family that is missing has none.
Addresses = t.Mapping[int, Intervals]

ANYWHERE: Addresses = {family: (FAMILY_SPACE[family],) for family in FAMILIES}

#: The rule of the egress chain and that of the ingress chain that accept; None where there is no such chain.
_Ways = t.Tuple[t.Optional[str], t.Optional[str]]

#: Refusing rules that are named.
_MOST_REFUSING = 8


@dataclass
class Crossing:
    """What gets through, and what does not.

    Attributes:
        accepted: By the rules that let it through.
        refused: What is refused of at least one packet.
        refusing: The rules that refuse, each with its direction.
        families: Those that both places have addresses of.
        undecided: Whether a question took too long, so that this is a part of the answer.
    """

    accepted: t.Dict[_Ways, t.Dict[Kind, IntervalSet]] = field(default_factory=dict)
    refused: t.Dict[Kind, IntervalSet] = field(default_factory=dict)
    refusing: t.Dict[t.Tuple[str, str], None] = field(default_factory=dict)
    families: t.Set[int] = field(default_factory=set)
    undecided: bool = False

    def add(self, other: Crossing) -> None:
        """Takes in another one, as if from a place that holds both."""
        for ways, kinds in other.accepted.items():
            _merge(self.accepted.setdefault(ways, {}), kinds)
        _merge(self.refused, other.refused)
        self.refusing.update(other.refusing)
        self.families |= other.families
        self.undecided = self.undecided or other.undecided

    def refuse(self, direction: str, rule: t.Optional[str], region: Region) -> None:
        """Notes what a rule refuses."""
        self.refusing[(direction, rule or "")] = None
        _merge(self.refused, dict(kinds_of(region)))

    def to_plain(self) -> t.Dict[str, t.Any]:
        """``{entries: [{protocol, ports, types, family, scope, rule, egress}], refusing, undecided}``.

        The scope is ``all`` where every packet of it gets through, ``some`` where it depends on the addresses within
        the places or on the source port.
        """
        entries: t.List[t.Dict[str, t.Any]] = []
        for (egress, ingress), kinds in self.accepted.items():
            whole = {kind: held - self.refused.get(kind, IntervalSet()) for kind, held in kinds.items()}
            part = {kind: held & self.refused.get(kind, IntervalSet()) for kind, held in kinds.items()}
            for scope, values in (("all", whole), ("some", part)):
                found: Values = {kind: held for kind, held in values.items() if held}
                entries.extend(
                    {**entry, "scope": scope, "rule": ingress, "egress": egress}
                    for entry in describe_kinds(found, self.families)
                )
        return {
            "entries": sorted(entries, key=reading_order),
            "refusing": [
                {"direction": direction, "rule": rule} for direction, rule in list(self.refusing)[:_MOST_REFUSING]
            ],
            "undecided": self.undecided,
        }


def _merge(into: t.Dict[Kind, IntervalSet], more: t.Mapping[Kind, IntervalSet]) -> None:
    for kind, held in more.items():
        into[kind] = into[kind] | held if kind in into else held


#: What one rule decides, by its name.
Part = t.Tuple[t.Optional[str], Region]


class Half(t.NamedTuple):
    """One side of a crossing: what one chain does with everything that one place may send to another.

    Attributes:
        direction: Of the chain; empty where there is none.
        accepted, refused: By the rule that decides, in disjoint parts.
    """

    direction: str
    accepted: t.Tuple[Part, ...]
    refused: t.Tuple[Part, ...]
    families: t.Tuple[int, ...]
    undecided: bool = False

    def from_anywhere(self, dimensions: t.Sequence[int]) -> Half:
        """The same for any addresses, in dimensions in which the chain sees those that were asked about as one."""
        if not dimensions:
            return self
        return self._replace(
            accepted=tuple((name, _widened(region, dimensions)) for name, region in self.accepted),
            refused=tuple((name, _widened(region, dimensions)) for name, region in self.refused),
        )


def _widened(region: Region, dimensions: t.Sequence[int]) -> Region:
    space = ANYWHERE[family_of(region)]
    return tuple(space if at in dimensions else intervals for at, intervals in enumerate(region))


def halve(chain: t.Optional[DecidedChain], sources: Addresses, destinations: Addresses) -> Half:
    """What a chain does; None accepts all."""
    families = tuple(family for family in FAMILIES if family in sources and family in destinations)
    accepted: t.List[Part] = []
    refused: t.List[Part] = []
    undecided = False
    for family in families:
        asked = _asked(sources[family], destinations[family])
        if chain is None:
            accepted.append((None, asked))
            continue
        try:
            # What is refused first: half an answer must not say that all of something gets through.
            found = [(_name(chain, part), part) for part in chain.each(asked, chain.acting_otherwise(Action.ACCEPT))]
            refused.extend(found)
            accepted.extend((_name(chain, part), part) for part in chain.each(asked, chain.acting(Action.ACCEPT)))
        except Undecided:
            undecided = True
    return Half("" if chain is None else chain.direction.value, tuple(accepted), tuple(refused), families, undecided)


def join(egress: Half, ingress: Half) -> Crossing:
    """What gets through both."""
    found = Crossing(families=set(egress.families), undecided=egress.undecided or ingress.undecided)
    for out, region in egress.refused:
        found.refuse(egress.direction, out, region)
    for out, region in egress.accepted:
        for into, other in ingress.refused:
            stopped = intersect(region, other)
            if stopped is not None:
                found.refuse(ingress.direction, into, stopped)
        for into, other in ingress.accepted:
            arrived = intersect(region, other)
            if arrived is not None:
                _merge(found.accepted.setdefault((out, into), {}), dict(kinds_of(arrived)))
    return found


def cross(
    egress: t.Optional[DecidedChain], ingress: t.Optional[DecidedChain], sources: Addresses, destinations: Addresses
) -> Crossing:
    """What gets from some addresses to others.

    Args:
        egress: Of whoever sends; None: nothing is known to be in its way.
        ingress: Of whoever receives; None likewise.
    """
    return join(halve(egress, sources, destinations), halve(ingress, sources, destinations))


def _asked(sources: Intervals, destinations: Intervals) -> Region:
    """What opens a connection between these addresses."""
    asked: t.List[Intervals] = [(one,) for one in SPACE]
    asked[SOURCE], asked[DESTINATION] = sources, destinations
    asked[HOP_LIMIT] = ((Packet.hop_limit, Packet.hop_limit),)
    asked[TCP_RESET] = ((0, 0),)
    return opening(tuple(asked))


def _name(chain: DecidedChain, part: Region) -> str:
    rule = chain.decider(part)
    if rule is not None:
        return str(rule.rule.origin)
    return ("default-%s" if chain.restricted else "unrestricted %s") % chain.direction.value
