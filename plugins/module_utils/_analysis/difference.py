# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""The semantic difference of two firewalls: which packets get another verdict, in disjoint groups.

The packets of each lane and each class of interfaces are decided by an ordered list of clauses, before and after.
Where these lists are the same for several lanes and interfaces, they are compared once (:mod:`.changed_packets`).

The difference of A and B is that of B and A with both sides exchanged.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .._policy.model import Action, Direction
from .._policy.packet import Packet
from .changed_packets import Change, Limits, Work, compare
from .interface_classes import InterfaceClass, InterfaceClasses
from .meaning import EVERYTHING, LANES, Decided, Decider, Lane, Meaning
from .regions import contains, intersect, witness


class Place(t.NamedTuple):
    """Where packets of a group are met.

    Attributes:
        interfaces: Patterns of classes of interfaces; an empty one is every other interface.
    """

    lane: Lane
    interfaces: t.Tuple[str, ...]


@dataclass(frozen=True)
class Group:
    """Packets whose verdict changes in the same way, because of the same rule.

    Attributes:
        before, after: Their verdicts.
        change: The rules behind it, and the packets, on any of the places.
        witness: One of them.
    """

    direction: Direction
    before: Action
    after: Action
    change: Change
    places: t.Tuple[Place, ...]
    witness: Packet

    def holds(self, packet: Packet, classes: InterfaceClasses) -> bool:
        """Whether a packet is in the group. To be asked where the change is exact."""
        pattern = classes.pattern_of(packet.interface)
        return any(place.lane.takes(packet) and pattern in place.interfaces for place in self.places) and any(
            contains(region, packet) for region in self.change.regions
        )


@dataclass(frozen=True)
class Difference:
    """What changes.

    Attributes:
        groups: Disjoint; newly accepted ones first, then dropped, then rejected ones.
        undecided: By which rules there may be more that changes.
        classes: The interfaces that places speak of.
    """

    groups: t.Tuple[Group, ...]
    undecided: t.Tuple[Decided, ...]
    classes: InterfaceClasses

    @property
    def same(self) -> bool:
        """Whether it is certain that nothing changes."""
        return not self.groups and not self.undecided


def find_difference(before: Meaning, after: Meaning, limits: Limits = Limits()) -> Difference:  # noqa: B008 - a constant
    """The packets whose verdict is another one afterwards."""
    classes = InterfaceClasses((*before.interfaces, *after.interfaces))
    groups: t.List[Group] = []
    undecided: t.Dict[Decided, None] = {}
    work = Work(limits)
    for (one, other), lanes in _pairs(before, after, classes):
        space = [region for lane in lanes for region in lane.space]
        if any(lane.flow is None for lane in lanes):
            space = list(EVERYTHING)
        changes = compare(one, other, space, work)
        groups.extend(_group(change, lanes) for change in changes.found)
        undecided.update(dict.fromkeys(changes.undecided))
    order = list(Action)
    groups.sort(key=lambda one: (order.index(one.after), order.index(one.before)))
    return Difference(tuple(groups), tuple(undecided), classes)


_Pair = t.Tuple[Decider, Decider]
_Lanes = t.Dict[Lane, t.List[InterfaceClass]]


def _pairs(before: Meaning, after: Meaning, classes: InterfaceClasses) -> t.List[t.Tuple[_Pair, _Lanes]]:
    """Deciders that differ, and the lanes and interfaces that they are about."""
    found: t.List[t.Tuple[_Pair, _Lanes]] = []
    for lane in LANES:
        for one in classes.listed:
            pair = before.decider(lane, one.name), after.decider(lane, one.name)
            if pair[0].means(pair[1]):
                continue
            known = (
                lanes
                for mine, lanes in found
                if next(iter(lanes)).direction is lane.direction
                and mine[0].is_like(pair[0])
                and mine[1].is_like(pair[1])
            )
            lanes = next(known, None)
            if lanes is None:
                lanes = {}
                found.append((pair, lanes))
            lanes.setdefault(lane, []).append(one)
    return found


def _group(change: Change, lanes: _Lanes) -> Group:
    before, after = change.before.action, change.after.action
    if before is None or after is None:
        raise ValueError("what has no verdict changes none")
    # The lanes of a comparison share their direction, and the sample is on one of them.
    lane = next(one for one in lanes if any(intersect(change.sample, region) for region in one.space))
    parts = (intersect(change.sample, region) for region in lane.space)
    sample = next(part for part in parts if part is not None)
    packet = replace(witness(sample, lane.direction, lanes[lane][0].name), route=lane.route)
    places = tuple(Place(one, tuple(member.pattern for member in members)) for one, members in lanes.items())
    return Group(lane.direction, before, after, change, places, packet)
