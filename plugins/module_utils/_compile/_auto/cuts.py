# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.
"""Cuts: ways to cut a list by the addresses of one side, into blocks or into cells, and what they promise.

Items that are wide in that dimension would be in most parts. They are kept out and follow later; see
:mod:`.guards` for those that come before one that is in a part.
"""

from __future__ import annotations

import bisect
import typing as t

from ..._core.addresses import BITS
from . import costs
from .blocks import cut_blocks, find_blocks
from .cells import CELL_ITEMS, Cell, cut
from .items import ADDRESSES, FAMILY_SPACE, Item
from .keys import Scope
from .overlap import Overlaps, bits_of, count_bits

#: An item is wide if more than this share of the others begins within it.
_WIDE_SHARE = 0.04
#: Cells take a list that is longer than one of them, with this many items that are narrow.
_LEAST_FOR_CELLS = CELL_ITEMS // 2
#: Fewer items are not cut.
_LEAST = 6
#: Blocks that a list may have, and more in a long one, by its length. A changed address takes a new map of them.
_MOST_BLOCKS = 256
_ITEMS_OF_BLOCK = 16
#: Items that are asked for their guards, to guess those of all; guards that are asked one by one at most.
_SAMPLE = 64
_MOST_GUARDS = 12


class Cuts(t.NamedTuple):
    """One way to cut.

    Attributes:
        lengths: The prefix lengths of blocks, by family; empty for cells.
        first: The positions of the items that are narrow.
        lookup: The cost of finding a part.
        inside: The mean cost in there, estimated.
    """

    dimension: int
    lengths: t.Mapping[int, int]
    first: t.Sequence[int]
    lookup: float
    inside: float

    def prefix(self, family: int) -> t.Optional[int]:
        """How many bits of an address are looked up to find its block; None for all, and for cells."""
        length = self.lengths.get(family)
        return None if length == BITS[family] else length

    def cells(self, items: t.Sequence[Item]) -> t.List[Cell]:
        """The parts of these items, ascending."""
        if self.lengths:
            return cut_blocks(items, self.dimension, self.lengths)
        return cut(items, self.dimension)


def find_cuts(items: t.Sequence[Item], overlaps: Overlaps, scope: Scope) -> t.Iterator[Cuts]:
    """For each side the cheaper of its ways."""
    for dimension in ADDRESSES:
        first = narrow_positions(items, dimension)
        if len(first) <= _LEAST:
            continue
        ways = []
        further = costs.JUMP + costs.RULE * _mean_guards(len(items), overlaps, first)
        if len(first) > _LEAST_FOR_CELLS and len(items) > CELL_ITEMS:
            lookup = scope.lookup + costs.interval_lookup(max(1, 2 * len(first) // CELL_ITEMS))
            ways.append(Cuts(dimension, {}, first, lookup, further + costs.guess(min(CELL_ITEMS, len(first)))))
        most = max(_MOST_BLOCKS, len(items) // _ITEMS_OF_BLOCK)
        blocks = find_blocks([items[position] for position in first], dimension, most)
        if blocks is not None:
            lookup = scope.lookup + costs.masked_lookup()
            ways.append(Cuts(dimension, blocks.lengths, first, lookup, further + blocks.inside))
        if ways:
            yield min(ways, key=lambda one: one.lookup + one.inside)


def narrow_positions(items: t.Sequence[Item], dimension: int) -> t.List[int]:
    """The positions of the items that few others begin within."""
    starts = sorted(low for item in items for low, _high in item.sets[dimension] or ())
    most = max(CELL_ITEMS, int(len(items) * _WIDE_SHARE))
    wide = {FAMILY_SPACE[family] for family in FAMILY_SPACE}
    found = []
    for position, item in enumerate(items):
        intervals = item.sets[dimension]
        if intervals is None or (len(intervals) == 1 and intervals[0] in wide):
            continue
        within = len(intervals) - 1
        for low, high in intervals:
            within += bisect.bisect_right(starts, high) - bisect.bisect_right(starts, low)
        if within <= most:
            found.append(position)
    return found


def _mean_guards(count: int, overlaps: Overlaps, first: t.Sequence[int]) -> float:
    second = ((1 << count) - 1) & ~bits_of(first)
    sample = first[:: max(1, len(first) // _SAMPLE)]
    guards = [count_bits(overlaps.of(position) & second & ((1 << position) - 1)) for position in sample]
    return sum(min(_MOST_GUARDS, one) for one in guards) / len(sample)
