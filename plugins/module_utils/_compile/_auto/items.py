# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Items: what the optimiser arranges, one box of one rule each, as intervals of five numbers.

Both families share one space of numbers, so that a family is nothing but an interval: IPv4 addresses
are the numbers below 2**32, IPv6 addresses those from 2**128 on. Prefixes stay aligned.
"""

from __future__ import annotations

import typing as t

from ..._core.intervals import Interval, IntervalSet
from ..._policy.protocols import PORT_PROTOCOLS
from ..lowered import Box, LoweredRule

Intervals = t.Tuple[Interval, ...]

#: The dimensions of an item, as indexes into :attr:`Item.sets`.
SOURCE, DESTINATION, PROTOCOL, SOURCE_PORT, DESTINATION_PORT = range(5)
DIMENSIONS = (SOURCE, DESTINATION, PROTOCOL, SOURCE_PORT, DESTINATION_PORT)
ADDRESSES = (SOURCE, DESTINATION)
PORTS = (SOURCE_PORT, DESTINATION_PORT)

IPV6_OFFSET = 1 << 128
FAMILY_SPACE: t.Mapping[int, Interval] = {4: (0, (1 << 32) - 1), 6: (IPV6_OFFSET, (1 << 129) - 1)}
_FAMILY_OFFSET = {4: 0, 6: IPV6_OFFSET}
_WHOLE_FAMILY: t.Mapping[int, Intervals] = {family: (space,) for family, space in FAMILY_SPACE.items()}


class Item(t.NamedTuple):
    """A box in a list where the first match decides.

    Attributes:
        sets: For each dimension the values that are still to be checked here; None: all that get here.
        rule: What the box is part of.
        box: The box as it was lowered.
        before: A :class:`.plan.Node` that a packet of this item goes through before the item decides it;
            None: nothing.
    """

    sets: t.Tuple[t.Optional[Intervals], ...]
    rule: LoweredRule
    box: Box
    before: t.Optional[object] = None

    @property
    def is_special(self) -> bool:
        """Whether it has conditions besides the five dimensions."""
        box = self.box
        return (
            box.states is not None
            or box.flow_direction is not None
            or box.icmp_types is not None
            or box.hop_limit is not None
            or box.tcp_reset
        )

    @property
    def is_uncounted(self) -> bool:
        """Whether nothing shows that it decided but the verdict."""
        return not self.rule.counter and self.before is None

    @property
    def is_certain(self) -> bool:
        """Whether every packet that gets here is one of its packets."""
        return self.sets == _ANY and not self.is_special


#: The protocols whose packets have ports, and the others.
PORTED: Intervals = IntervalSet((number, number) for number in PORT_PROTOCOLS).intervals
PORTLESS: Intervals = (IntervalSet(((0, 255),)) - IntervalSet(PORTED)).intervals

_ANY: t.Tuple[None, ...] = (None,) * len(DIMENSIONS)


def make_items(rules: t.Iterable[LoweredRule]) -> t.List[Item]:
    """The boxes of rules, in order."""
    return [Item(_sets(box), rule, box) for rule in rules for box in rule.boxes]


def _sets(box: Box) -> t.Tuple[t.Optional[Intervals], ...]:
    return (
        _addresses(box.family, box.sources),
        _addresses(box.family, box.destinations),
        _numbers(box.protocols),
        _numbers(box.source_ports),
        _numbers(box.destination_ports),
    )


def _addresses(family: t.Optional[int], members: t.Optional[IntervalSet]) -> t.Optional[Intervals]:
    if family is None:
        return None
    if members is None:
        return _WHOLE_FAMILY[family]
    offset = _FAMILY_OFFSET[family]
    return tuple((low + offset, high + offset) for low, high in members.intervals) if offset else members.intervals


def _numbers(members: t.Optional[IntervalSet]) -> t.Optional[Intervals]:
    return None if members is None else members.intervals


def family_of(number: int) -> int:
    """The family of a number of the address dimensions."""
    return 6 if number >= IPV6_OFFSET else 4


def item_family(item: Item) -> t.Optional[int]:
    """The family whose addresses are still to be checked; None where there is none."""
    for dimension in ADDRESSES:
        found = item.sets[dimension]
        if found is not None:
            return family_of(found[0][0])
    return None


def has_ports(item: Item) -> bool:
    """Whether every packet of the item has ports."""
    protocols = item.sets[PROTOCOL]
    return protocols is not None and all(
        number in PORT_PROTOCOLS for low, high in protocols for number in range(low, high + 1)
    )


def within_protocols(item: Item, protocols: Intervals) -> t.Optional[Item]:
    """The item for packets of some protocols alone; None where it has none of them."""
    mine = item.sets[PROTOCOL]
    if mine is None or _covers(protocols, mine):
        return item
    kept = (IntervalSet(mine) & IntervalSet(protocols)).intervals
    if not kept:
        return None
    return item._replace(sets=tuple(kept if at == PROTOCOL else found for at, found in enumerate(item.sets)))


def clip(item: Item, dimension: int, cell: Interval) -> Item:
    """The item for packets whose ``dimension`` lies in ``cell``, which it overlaps."""
    found = item.sets[dimension]
    sets = list(item.sets)
    if found is not None:
        sets[dimension] = _clip(found, cell)
    if dimension in ADDRESSES:
        # The cell tells the family, so the other side need not.
        other = SOURCE if dimension == DESTINATION else DESTINATION
        if sets[other] == _WHOLE_FAMILY[family_of(cell[0])]:
            sets[other] = None
    return item._replace(sets=tuple(sets))


def _clip(found: Intervals, cell: Interval) -> t.Optional[Intervals]:
    low, high = cell
    if len(found) == 1:
        first, last = found[0]
        if first <= low and last >= high:
            return None
        return ((max(first, low), min(last, high)),)
    kept = tuple((max(first, low), min(last, high)) for first, last in found if first <= high and last >= low)
    return None if kept == (cell,) else kept


def relative(item: Item, to: t.Sequence[t.Optional[Intervals]]) -> Item:
    """The item for packets of a box that it overlaps: what the box holds already is not checked again."""
    sets = tuple(
        None if mine is not None and theirs is not None and _covers(mine, theirs) else mine
        for mine, theirs in zip(item.sets, to)
    )
    return item if sets == item.sets else item._replace(sets=sets)


def _covers(mine: Intervals, theirs: Intervals) -> bool:
    if len(mine) == 1:
        return mine[0][0] <= theirs[0][0] and theirs[-1][1] <= mine[0][1]
    return mine == theirs or IntervalSet(theirs) <= IntervalSet(mine)
