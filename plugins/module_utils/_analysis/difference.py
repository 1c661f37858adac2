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

from .._core.collector import garbage_kept
from .._policy.model import Action, Direction
from .._policy.packet import Packet
from .changed_packets import Change, Limits, Work, compare
from .interface_classes import InterfaceClass, InterfaceClasses
from .meaning import EVERYTHING, LANES, Decided, Decider, Lane, Meaning
from .region_words import merge
from .regions import Region, contains, intersect, witness


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


@garbage_kept()
def find_difference(before: Meaning, after: Meaning, limits: Limits = Limits()) -> Difference:  # noqa: B008 - a constant
    """The packets whose verdict is another one afterwards."""
    classes = InterfaceClasses((*before.interfaces, *after.interfaces))
    groups: t.List[Group] = []
    undecided: t.Dict[Decided, None] = {}
    work = Work(limits)
    for (one, other), lanes in _pairs(before, after, classes):
        changes = compare(one, other, _space(lanes, before, after), work)
        groups.extend(_group(change, lanes) for change in changes.found)
        undecided.update(dict.fromkeys(changes.undecided))
    groups = _joined(groups)
    order = list(Action)
    groups.sort(key=lambda one: (order.index(one.after), order.index(one.before)))
    return Difference(tuple(groups), tuple(undecided), classes)


def _joined(groups: t.Iterable[Group]) -> t.List[Group]:
    """Groups for published ports together with those of the same packets for the host itself.

    Rules of a kernel are others for the two, and still mean the same.
    """
    found: t.List[Group] = []
    known: t.Dict[t.Tuple[object, ...], t.List[int]] = {}
    for group in groups:
        same = known.setdefault(_reason(group), [])
        index = next((at for at in same if _is_like(found[at], group)), None)
        if index is None:
            same.append(len(found))
            found.append(group)
        else:
            found[index] = replace(found[index], places=(*found[index].places, *group.places))
    return found


def _is_like(one: Group, other: Group) -> bool:
    """Whether the packets of ``other`` are those of ``one`` as far as they can be on its lanes."""
    mine, theirs = one.change, other.change
    lanes = [place.lane for place in other.places]
    if any(lane.flow is None for lane in lanes) or not (mine.exact and theirs.exact):
        return False
    parts = (intersect(region, space) for region in mine.regions for lane in lanes for space in lane.space)
    return sorted(merge(part for part in parts if part is not None)) == sorted(merge(theirs.regions))


def _reason(group: Group) -> t.Tuple[object, ...]:
    change = group.change
    return group.direction, group.before, group.after, change.before.by, change.after.by, change.others, change.more


def _space(lanes: t.Iterable[Lane], before: Meaning, after: Meaning) -> t.List[Region]:
    """The packets that are compared, in disjoint regions."""
    # A lane that takes everything has no other beside it that it does not share its packets with.
    whole = any(lane.flow is None for lane in lanes)
    found: t.Sequence[Region] = EVERYTHING if whole else [region for lane in lanes for region in lane.space]
    for told in (before.told, after.told):
        if told is not EVERYTHING:
            shared = (intersect(one, other) for one in found for other in told)
            found = [one for one in shared if one is not None]
    return list(found)


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
