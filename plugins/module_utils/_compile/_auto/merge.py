# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.
"""Merging: where nothing is counted, items with one verdict that differ in one dimension become one item.

An item moves to the place of an earlier one. That changes nothing if no item between them that it
overlaps has another verdict: among equals, order does not matter.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ..._core.intervals import IntervalSet
from ..._policy.model import Action
from ..lowered import Box, LoweredRule
from .items import (
    ADDRESSES,
    DESTINATION,
    DESTINATION_PORT,
    FAMILY_SPACE,
    PROTOCOL,
    SOURCE,
    SOURCE_PORT,
    Intervals,
    Item,
    family_of,
)
from .overlap import Bits, Overlaps, bits_of

#: In this order: unions of ports read best, and unions of addresses come last.
_MERGED = (DESTINATION_PORT, SOURCE_PORT, SOURCE, DESTINATION)
_FIELD_NAMES = {
    SOURCE: "sources",
    DESTINATION: "destinations",
    PROTOCOL: "protocols",
    SOURCE_PORT: "source_ports",
    DESTINATION_PORT: "destination_ports",
}
#: Rules named in the comment of a merged one.
_NAMED = 8

_Key = t.Tuple[object, ...]


def merge_equals(items: t.Sequence[Item]) -> t.List[Item]:
    """The items with fewer of them, deciding the same; for items that are not counted."""
    merged = list(items)
    for dimension in _MERGED:
        merged = _merge(merged, dimension)
    return merged


def differing(items: t.Sequence[Item]) -> t.Dict[Action, Bits]:
    """For each verdict the positions of the items that have another one."""
    return {
        action: bits_of([position for position, item in enumerate(items) if item.rule.action is not action])
        for action in Action
    }


def _merge(items: t.Sequence[Item], dimension: int) -> t.List[Item]:
    overlaps = Overlaps(items)
    others = differing(items)
    places: t.Dict[_Key, int] = {}
    members: t.Dict[int, t.List[int]] = {}
    for position, item in enumerate(items):
        key = _key(item, dimension)
        first = None if key is None else places.get(key)
        if key is None or first is None or not _may_move(position, first, item, overlaps, others):
            members[position] = [position]
            if key is not None:
                places[key] = position
        else:
            members[first].append(position)
    return [_union([items[one] for one in group], dimension) for _first, group in sorted(members.items())]


def _key(item: Item, dimension: int) -> t.Optional[_Key]:
    """What items have in common that may become one; None for an item that stays as it is."""
    intervals = item.sets[dimension]
    if intervals is None or item.is_special or item.rule.counter:
        return None
    if dimension in ADDRESSES and intervals == (FAMILY_SPACE[family_of(intervals[0][0])],):
        return None
    family = family_of(intervals[0][0]) if dimension in ADDRESSES else None
    rest = tuple(found for at, found in enumerate(item.sets) if at != dimension)
    return (item.rule.action, item.rule.stage, family, rest)


def _may_move(position: int, first: int, item: Item, overlaps: Overlaps, others: t.Mapping[Action, Bits]) -> bool:
    between = ((1 << position) - 1) & ~((1 << (first + 1)) - 1)
    return not overlaps.of(position) & between & others[item.rule.action]


def _union(items: t.Sequence[Item], dimension: int) -> Item:
    first = items[0]
    if len(items) == 1:
        return first
    intervals = IntervalSet(one for item in items for one in item.sets[dimension] or ()).intervals
    sets = tuple(intervals if at == dimension else found for at, found in enumerate(first.sets))
    return first._replace(sets=sets, box=_with(first.box, dimension, intervals), rule=_named(items))


def _with(box: Box, dimension: int, intervals: Intervals) -> Box:
    offset = FAMILY_SPACE[family_of(intervals[0][0])][0] if dimension in ADDRESSES else 0
    members = IntervalSet((low - offset, high - offset) for low, high in intervals)
    return Box(**{**box.__dict__, _FIELD_NAMES[dimension]: members})


def _named(items: t.Sequence[Item]) -> LoweredRule:
    """The first rule, with the names of the others."""
    first = items[0].rule
    names = list(dict.fromkeys(str(item.rule.origin) for item in items[1:] if item.rule.origin != first.origin))
    if not names:
        return first
    shown = ", ".join(names[:_NAMED])
    more = " and %d more" % (len(names) - _NAMED) if len(names) > _NAMED else ""
    return dataclasses.replace(first, description="with %s%s" % (shown, more), source_label="", destination_label="")
