# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.
"""Cells: a long list is cut by the addresses of one side into prefixes, each with the items that overlap it.

Cells are halved until few items are left. So they are a function of what lies in them alone: when one
address changes, so do one cell or two and the map of cells, and nothing else.
"""

from __future__ import annotations

import typing as t

from ..._core.intervals import Interval
from .items import FAMILY_SPACE, Intervals, Item, family_of

#: A cell with more items than this is halved, if that tells them apart.
CELL_ITEMS = 64


class Cell(t.NamedTuple):
    """A prefix and the items that overlap it, in order."""

    space: Interval
    items: t.Tuple[Item, ...]


def cut(items: t.Sequence[Item], dimension: int) -> t.List[Cell]:
    """The cells, ascending. Outside of them there is no item."""
    found: t.List[Cell] = []
    for family, space in sorted(FAMILY_SPACE.items()):
        inside = [item for item in items if _family(item, dimension) == family]
        if inside:
            _cut(space, inside, dimension, found)
    return found


def _family(item: Item, dimension: int) -> int:
    intervals = item.sets[dimension]
    return family_of(intervals[0][0]) if intervals else 0


def _cut(space: Interval, items: t.List[Item], dimension: int, found: t.List[Cell]) -> None:
    space = _shrink(space, items, dimension)
    low, high = space
    covering = sum(1 for item in items if _covers(item.sets[dimension], space))
    if len(items) <= CELL_ITEMS or covering * 4 > len(items) * 3 or low == high:
        found.append(Cell(space, tuple(items)))
        return
    middle = (low + high) // 2
    for half in ((low, middle), (middle + 1, high)):
        inside = [item for item in items if _overlaps(item.sets[dimension], half)]
        if inside:
            _cut(half, inside, dimension, found)


def _shrink(space: Interval, items: t.Sequence[Item], dimension: int) -> Interval:
    """The smallest prefix within ``space`` that holds all that the items have of it."""
    low, high = space
    first, last = high, low
    for item in items:
        for start, end in item.sets[dimension] or ():
            if start <= high and end >= low:
                first = min(first, max(start, low))
                last = max(last, min(end, high))
    size = 1 << (first ^ last).bit_length()
    first &= ~(size - 1)
    return first, first + size - 1


def _overlaps(intervals: t.Optional[Intervals], space: Interval) -> bool:
    return any(low <= space[1] and high >= space[0] for low, high in intervals or ())


def _covers(intervals: t.Optional[Intervals], space: Interval) -> bool:
    return any(low <= space[0] and high >= space[1] for low, high in intervals or ())
