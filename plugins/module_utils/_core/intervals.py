# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Sets of integers as sorted, disjoint, non-adjacent inclusive intervals.

Addresses, ports, protocol numbers and ICMP types are all integers to the analyses, so one algebra
serves every field.
"""

from __future__ import annotations

import bisect
import typing as t

Interval = t.Tuple[int, int]


class IntervalSet:
    """An immutable set of non-negative integers.

    ``intervals`` is the canonical form: equal sets have equal tuples, so they compare and hash alike.
    """

    __slots__ = ("_starts", "intervals")

    def __init__(self, intervals: t.Iterable[Interval] = ()) -> None:
        self.intervals: t.Tuple[Interval, ...] = _normalise(intervals)
        self._starts: t.Optional[t.List[int]] = None

    @classmethod
    def single(cls, value: int) -> IntervalSet:
        return cls(((value, value),))

    def __contains__(self, value: int) -> bool:
        intervals = self.intervals
        if len(intervals) < 4:
            return any(low <= value <= high for low, high in intervals)
        if self._starts is None:
            self._starts = [low for low, _high in intervals]
        index = bisect.bisect_right(self._starts, value) - 1
        return index >= 0 and value <= intervals[index][1]

    def __bool__(self) -> bool:
        return bool(self.intervals)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IntervalSet) and self.intervals == other.intervals

    def __hash__(self) -> int:
        return hash(self.intervals)

    def __repr__(self) -> str:
        return "IntervalSet(%r)" % (self.intervals,)

    @property
    def size(self) -> int:
        """How many integers are in the set."""
        return sum(high - low + 1 for low, high in self.intervals)

    def __or__(self, other: IntervalSet) -> IntervalSet:
        return IntervalSet(self.intervals + other.intervals)

    def __and__(self, other: IntervalSet) -> IntervalSet:
        found: t.List[Interval] = []
        mine, theirs = self.intervals, other.intervals
        i = j = 0
        while i < len(mine) and j < len(theirs):
            low = max(mine[i][0], theirs[j][0])
            high = min(mine[i][1], theirs[j][1])
            if low <= high:
                found.append((low, high))
            if mine[i][1] < theirs[j][1]:
                i += 1
            else:
                j += 1
        return IntervalSet(found)

    def __sub__(self, other: IntervalSet) -> IntervalSet:
        left: t.List[Interval] = []
        theirs = other.intervals
        j = 0
        for start, high in self.intervals:
            low = start
            while j < len(theirs) and theirs[j][1] < low:
                j += 1
            k = j
            while k < len(theirs) and theirs[k][0] <= high:
                if theirs[k][0] > low:
                    left.append((low, theirs[k][0] - 1))
                low = max(low, theirs[k][1] + 1)
                k += 1
            if low <= high:
                left.append((low, high))
        return IntervalSet(left)

    def __le__(self, other: IntervalSet) -> bool:
        """Subset."""
        return not self - other


def _normalise(intervals: t.Iterable[Interval]) -> t.Tuple[Interval, ...]:
    ordered = sorted(intervals)
    if len(ordered) < 2:
        return tuple(ordered)
    merged = [ordered[0]]
    for low, high in ordered[1:]:
        last_low, last_high = merged[-1]
        if low <= last_high + 1:
            if high > last_high:
                merged[-1] = (last_low, high)
        else:
            merged.append((low, high))
    return tuple(merged)
