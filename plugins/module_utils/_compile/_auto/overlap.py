# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Which items overlap which, for all items of a list at once.

A set of items is an integer with one bit for each position in the list. So the overlaps of an item with
ten thousand others are a few operations on integers of ten thousand bits.
"""

from __future__ import annotations

import bisect
import typing as t

from .items import DIMENSIONS, Intervals, Item

Bits = int


def _count_by_text(bits: Bits) -> int:
    return bin(bits).count("1")


#: Python 3.9 has no int.bit_count.
count_bits: t.Callable[[Bits], int] = getattr(int, "bit_count", _count_by_text)


def bits_of(found: t.Sequence[int]) -> Bits:
    """The set of these positions."""
    if len(found) == 1:
        return 1 << found[0]
    octets = bytearray()
    for position in found:
        index = position >> 3
        if index >= len(octets):
            octets.extend(bytes(index + 1 - len(octets)))
        octets[index] |= 1 << (position & 7)
    return int.from_bytes(octets, "little")


def positions(bits: Bits) -> t.List[int]:
    """The positions of the bits that are set, ascending."""
    found = []
    while bits:
        lowest = bits & -bits
        found.append(lowest.bit_length() - 1)
        bits ^= lowest
    return found


class _Dimension:
    """The overlaps in one dimension. Items are asked about by their own intervals alone."""

    def __init__(self, sets: t.Sequence[t.Optional[Intervals]]) -> None:
        self.everywhere: Bits = 0
        starts: t.Dict[int, Bits] = {}
        ends: t.Dict[int, Bits] = {}
        for position, intervals in enumerate(sets):
            bit = 1 << position
            if intervals is None:
                self.everywhere |= bit
                continue
            for low, high in intervals:
                starts[low] = starts.get(low, 0) | bit
                ends[high] = ends.get(high, 0) | bit
        self._all = (1 << len(sets)) - 1
        self._points = sorted(starts)
        self._covering = self._sweep(starts, ends)
        self._tree = self._grow([starts[point] for point in self._points])
        self._known: t.Dict[t.Optional[Intervals], Bits] = {None: self._all}

    def _sweep(self, starts: t.Mapping[int, Bits], ends: t.Mapping[int, Bits]) -> t.List[Bits]:
        """For each start of an interval: the items that hold it."""
        found = []
        last = sorted(ends)
        index = 0
        current: Bits = 0
        for point in self._points:
            # The intervals of one item neither touch nor overlap, so an end always takes its item away.
            while index < len(last) and last[index] < point:
                current &= ~ends[last[index]]
                index += 1
            current |= starts[point]
            found.append(current)
        return found

    @staticmethod
    def _grow(leaves: t.List[Bits]) -> t.List[Bits]:
        """A segment tree of unions: leaves in the second half, each node the union of its two children."""
        size = len(leaves)
        tree = [0] * size + leaves
        for node in range(size - 1, 0, -1):
            tree[node] = tree[2 * node] | tree[2 * node + 1]
        return tree

    def _starting(self, first: int, end: int) -> Bits:
        """The items of which an interval starts at the points ``first`` to ``end - 1``."""
        size = len(self._points)
        found: Bits = 0
        low, high = first + size, end + size
        while low < high:
            if low & 1:
                found |= self._tree[low]
                low += 1
            if high & 1:
                high -= 1
                found |= self._tree[high]
            low >>= 1
            high >>= 1
        return found

    def overlaps(self, intervals: t.Optional[Intervals]) -> Bits:
        known = self._known.get(intervals)
        if known is not None:
            return known
        found = self.everywhere
        for low, high in intervals or ():
            first = bisect.bisect_left(self._points, low)
            found |= self._covering[first] | self._starting(first + 1, bisect.bisect_right(self._points, high))
        self._known[intervals] = found
        return found


class Overlaps:
    """The overlaps among the items of a list, by position in the list."""

    def __init__(self, items: t.Sequence[Item]) -> None:
        self._items = items
        self._all = (1 << len(items)) - 1
        self._dimensions: t.Dict[int, _Dimension] = {}
        #: By dimension, for each position what overlaps it there, once that was asked for.
        self._known: t.List[t.List[t.Optional[Bits]]] = [[] for _dimension in DIMENSIONS]

    def in_dimension(self, position: int, dimension: int) -> Bits:
        """The items that overlap the one at ``position`` in one dimension, itself included."""
        known = self._known[dimension]
        if not known:
            known.extend([None] * len(self._items))
            self._dimensions[dimension] = _Dimension([item.sets[dimension] for item in self._items])
        found = known[position]
        if found is None:
            found = self._dimensions[dimension].overlaps(self._items[position].sets[dimension])
            known[position] = found
        return found

    def of(self, position: int, dimensions: t.Tuple[int, ...] = DIMENSIONS) -> Bits:
        """The items that overlap the one at ``position`` in all of ``dimensions``, itself included."""
        sets = self._items[position].sets
        found = self._all
        for dimension in dimensions:
            if sets[dimension] is not None:
                known = self._known[dimension]
                found &= (known[position] if known else None) or self.in_dimension(position, dimension)
        return found
