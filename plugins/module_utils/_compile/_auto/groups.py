# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.
"""Groups: one lookup for items that are told apart by the same dimensions.

Items with equal key boxes form a group, in order, behind one element. The boxes of the groups are
disjoint. What is left out follows after the lookup; where an item that was left out comes before one
of a group and overlaps it, it is taken along into the group, so that nothing overtakes it.
"""

from __future__ import annotations

import itertools
import typing as t

from ..._core.addresses import BITS
from ..._core.intervals import Interval
from . import costs
from .items import (
    ADDRESSES,
    DIMENSIONS,
    FAMILY_SPACE,
    Intervals,
    Item,
    relative,
)
from .keys import Box, Keys, Kind, Scope
from .overlap import Bits, Overlaps, bits_of, count_bits, positions

#: Left-out items that a group may take along; a group that would need more is left out itself.
_MOST_TAKEN = 6
#: So many left-out items are not even looked at one by one.
_MOST_CONSIDERED = 60
#: Rules that may stand before the lookup, where many groups would have to take them along.
_MOST_AHEAD = 4

_OCTETS = {4: (4, 4, 4, 4, 4), 6: (16, 16, 4, 4, 4)}
_WHOLE: t.Mapping[int, t.Mapping[int, Intervals]] = {
    family: {0: (space,), 1: (space,), 2: ((0, 255),), 3: ((0, 65535),), 4: ((0, 65535),)}
    for family, space in FAMILY_SPACE.items()
}


class Group(t.NamedTuple):
    """Items behind one element, in order, what they take along included."""

    keys: t.Tuple[t.Tuple[Interval, ...], ...]
    items: t.Tuple[Item, ...]


class Grouping(t.NamedTuple):
    """One way to group a list of items.

    Attributes:
        ahead: Items that are asked for before the lookup.
        dimensions: Of the keys, in the order of the map's fields.
        prefix: The length that all keys have in the only dimension, where they are no single addresses.
    """

    ahead: t.Tuple[Item, ...]
    dimensions: t.Tuple[int, ...]
    prefix: t.Optional[int]
    family: t.Optional[int]
    groups: t.Tuple[Group, ...]
    rest: t.Tuple[Item, ...]


class Candidate(t.NamedTuple):
    """A grouping by positions, before its groups are made.

    Attributes:
        picked: The positions of each group, and of what it takes along.
        elements: How many keys there are in all.
        cost: The mean cost of the whole list, estimated.
    """

    items: t.Sequence[Item]
    ahead: int
    dimensions: t.Tuple[int, ...]
    prefix: t.Optional[int]
    kind: Kind
    picked: t.Sequence[t.Tuple[t.List[int], t.List[int]]]
    elements: int
    cost: float

    def make(self) -> Grouping:
        grouped = bits_of([position for group, _taken in self.picked for position in group])
        return Grouping(
            ahead=tuple(self.items[: self.ahead]),
            dimensions=self.dimensions,
            prefix=self.prefix,
            family=self.kind.family,
            groups=tuple(
                _make_group(self.items, group, taken, self.dimensions, self.kind) for group, taken in self.picked
            ),
            rest=tuple(
                item
                for position, item in enumerate(self.items)
                if position >= self.ahead and not grouped >> position & 1
            ),
        )


def find_grouping(
    items: t.Sequence[Item], overlaps: Overlaps, keys: Keys, kind: Kind, scope: Scope
) -> t.Optional[Candidate]:
    """The grouping of a kind; None where it has nothing to tell apart."""
    boxes = keys.boxes(kind, scope)
    if len(boxes) < 2:
        return None
    dimensions = tuple(
        dimension
        for dimension in DIMENSIONS
        if dimension in kind.required
        or (dimension in kind.optional and any(items[group[0]].sets[dimension] is not None for group in boxes.values()))
    )
    overlapping = {group[0]: overlaps.of(group[0], dimensions) for group in boxes.values()}
    chosen, bits = _disjoint(boxes, overlapping)
    ahead = _ahead(chosen, bits, overlapping)
    left_out = ~bits & ~((1 << ahead) - 1)
    picked: t.List[t.Tuple[t.List[int], t.List[int]]] = []
    for group in chosen:
        candidates = overlapping[group[0]] & left_out & ((1 << group[-1]) - 1)
        taken = _taken(items, group, overlaps, candidates) if candidates else []
        if taken is not None:
            picked.append((group, taken))
    if len(picked) < 2:
        return None
    elements = sum(keys.count(group[0], kind, dimensions) for group, _taken in picked)
    if kind.exact:
        # Any order is as fast: the one that reads best.
        lookup = scope.lookup + costs.exact_lookup()
        return Candidate(items, ahead, dimensions, None, kind, picked, elements, _cost(items, ahead, lookup, picked))
    order, left = _order([group for group, _taken in picked], overlaps, dimensions)
    prefix = None
    intervals = [
        interval
        for group, _taken in picked
        for dimension in order
        for interval in items[group[0]].sets[dimension] or _WHOLE[kind.family or 4][dimension]
    ]
    if all(low == high for low, high in intervals):
        lookup = scope.lookup + costs.exact_lookup()
    elif len(order) == 1:
        lookup = scope.lookup + costs.interval_lookup(elements)
        prefix = _length(intervals, kind.family)
        if prefix is not None:
            lookup = scope.lookup + costs.masked_lookup()
    else:
        octets = sum(_OCTETS[kind.family or 4][dimension] for dimension in order)
        lookup = scope.lookup + costs.concatenated_lookup(elements, octets, len(order), left)
    return Candidate(items, ahead, order, prefix, kind, picked, elements, _cost(items, ahead, lookup, picked))


def _length(keys: t.Sequence[Interval], family: t.Optional[int]) -> t.Optional[int]:
    """The length of all keys, where they are prefixes of one length; None where they are not."""
    low, high = keys[0]
    size = high - low + 1
    if family is None or size & (size - 1) or any(end - start + 1 != size or start & (size - 1) for start, end in keys):
        return None
    return BITS[family] - size.bit_length() + 1


def _disjoint(
    boxes: t.Mapping[Box, t.List[int]], overlapping: t.Mapping[int, Bits]
) -> t.Tuple[t.List[t.List[int]], Bits]:
    """Groups whose boxes are disjoint, as many items as a greedy choice finds; in order of their first item.

    Args:
        overlapping: By the first item of each group, what overlaps it in the dimensions of the boxes.
    """
    eligible = bits_of([position for group in boxes.values() for position in group])
    ranked = []
    for group in boxes.values():
        others = overlapping[group[0]] & eligible
        ranked.append((count_bits(others) / len(group), group, others))
    ranked.sort(key=lambda entry: (entry[0], entry[1][0]))
    chosen: t.List[t.List[int]] = []
    bits: Bits = 0
    for _rank, group, others in ranked:
        if not others & bits:
            chosen.append(group)
            bits |= bits_of(group)
    chosen.sort()
    return chosen, bits


def _ahead(chosen: t.Sequence[t.List[int]], bits: Bits, overlapping: t.Mapping[int, Bits]) -> int:
    """How many of the first items are best asked for before the lookup.

    Args:
        chosen, bits: As :func:`_disjoint` returns them.
        overlapping: As it takes it.
    """
    first = (bits & -bits).bit_length() - 1
    if not 0 < first <= _MOST_AHEAD:
        return 0
    early = (1 << first) - 1
    concerned = sum(1 for group in chosen if overlapping[group[0]] & early)
    return first if concerned * 2 > len(chosen) else 0


def _taken(
    items: t.Sequence[Item],
    group: t.Sequence[int],
    overlaps: Overlaps,
    candidates: Bits,
) -> t.Optional[t.List[int]]:
    """Those of the candidates that could decide packets of an item of the group that follows them.

    None: more than are worth taking along.

    Args:
        candidates: The left-out items that stand before an item of the group and overlap its box.
    """
    most = max(_MOST_TAKEN, len(group))
    if count_bits(candidates) > _MOST_CONSIDERED:
        return None
    needed = bits_of(group)
    taken = []
    for position in reversed(positions(candidates)):
        # Overlap in all dimensions, with an item that follows it here: only then their order shows.
        later = overlaps.of(position) & needed & ~((1 << position) - 1)
        if later and not (items[position].is_uncounted and _agree(items, position, later)):
            needed |= 1 << position
            taken.append(position)
            if len(taken) > most:
                return None
    return taken


def _agree(items: t.Sequence[Item], position: int, others: Bits) -> bool:
    """Whether it does not matter which of them decides."""
    rule = items[position].rule
    return all(items[other].is_uncounted and items[other].rule.action is rule.action for other in positions(others))


def _order(
    groups: t.Sequence[t.List[int]],
    overlaps: Overlaps,
    dimensions: t.Tuple[int, ...],
) -> t.Tuple[t.Tuple[int, ...], float]:
    """The dimensions, those first that leave the fewest elements, and how many all but the last leave in sum."""
    sample = groups[:: max(1, len(groups) // 24)]
    heads = bits_of([group[0] for group in groups])
    remaining = list(dimensions)
    order: t.List[int] = []
    left = [heads] * len(sample)
    total = 0.0
    while remaining:
        best: t.Optional[t.Tuple[float, int, t.List[Bits]]] = None
        for dimension in remaining:
            after = [before & overlaps.in_dimension(group[0], dimension) for before, group in zip(left, sample)]
            mean = sum(count_bits(one) for one in after) / len(sample)
            if best is None or mean < best[0]:
                best = (mean, dimension, after)
        if best is None:
            break
        remaining.remove(best[1])
        order.append(best[1])
        left = best[2]
        if remaining:
            total += best[0]
    return tuple(order), total


def _make_group(
    items: t.Sequence[Item],
    group: t.Sequence[int],
    taken: t.Sequence[int],
    order: t.Tuple[int, ...],
    kind: Kind,
) -> Group:
    first = items[group[0]]
    box = [intervals if dimension in order else None for dimension, intervals in enumerate(first.sets)]
    sides = []
    for dimension in order:
        intervals = first.sets[dimension]
        whole = _WHOLE[kind.family or 4][dimension]
        sides.append(_spelled_out(intervals or whole) if kind.exact else intervals or whole)
    members = []
    for position in sorted((*group, *taken)):
        item = items[position]
        if position in group:
            item = item._replace(
                sets=tuple(None if dimension in order else found for dimension, found in enumerate(item.sets))
            )
        else:
            item = relative(item, box)
        members.append(item if kind.family is None else _without_family(item, kind.family))
    return Group(tuple(itertools.product(*sides)), tuple(members))


def _spelled_out(intervals: Intervals) -> Intervals:
    return tuple((value, value) for low, high in intervals for value in range(low, high + 1))


def _without_family(item: Item, family: int) -> Item:
    """The lookup has told the family."""
    whole = (FAMILY_SPACE[family],)
    if all(item.sets[dimension] != whole for dimension in ADDRESSES):
        return item
    return item._replace(
        sets=tuple(
            None if dimension in ADDRESSES and found == whole else found for dimension, found in enumerate(item.sets)
        )
    )


def _cost(
    items: t.Sequence[Item], ahead: int, lookup: float, picked: t.Sequence[t.Tuple[t.List[int], t.List[int]]]
) -> float:
    inside = 0.0
    grouped = 0
    for group, taken in picked:
        size = len(group) + len(taken)
        grouped += len(group)
        alone = size == 1 and not items[group[0]].is_special
        inside += len(group) * (costs.DECIDE if alone else costs.JUMP + costs.guess(size))
    return costs.layered(len(items) - ahead, costs.RULE * ahead + lookup, grouped, inside / grouped)
