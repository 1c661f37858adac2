# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Pieces: one dimension, cut where a box begins or ends, so that every box holds all of a piece or nothing.

The boxes that hold a piece are the bits of a number. Pieces are named by their indexes; those beside each
other that the same boxes hold are a run.
"""

from __future__ import annotations

import bisect
import typing as t

from .._compile._auto.overlap import Bits, count_bits, positions
from .._core.intervals import Interval
from .regions import Intervals

#: Pieces beside each other, by index.
Run = range

#: Where a box has this many pieces, its ends are looked at instead of the pieces.
_PIECES_OF_A_BOX = 6


class Pieces:
    """The pieces of one dimension.

    Attributes:
        holders: The positions that hold each piece.
    """

    def __init__(self, sets: t.Sequence[t.Sequence[Intervals]], space: Interval) -> None:
        """``sets``: the intervals of each position, one for each of its regions; the position after the last has all.

        The regions of one position may differ in this dimension or another, but for families not in both.
        """
        whole = (space,)
        everywhere: Bits = 1 << len(sets)
        changes: t.Dict[int, Bits] = {space[0]: 0}
        ends: t.List[t.List[int]] = []
        for position, one in enumerate(sets):
            bit = 1 << position
            mine: t.List[int] = []
            ends.append(mine)
            if one and all(intervals == whole for intervals in one):
                everywhere |= bit
                continue
            for intervals in set(one):
                for low, high in intervals:
                    for point in (low, high + 1):
                        if point <= space[1]:
                            changes[point] = changes.get(point, 0) ^ bit
                            mine.append(point)
        self._starts = sorted(changes)
        self.holders: t.List[Bits] = []
        current = everywhere
        for start in self._starts:
            current ^= changes[start]
            self.holders.append(current)
        indexes = {start: index for index, start in enumerate(self._starts)}
        self._ends = [[indexes[point] for point in mine] for mine in ends]
        self._last = space[1]
        self._overlapping: t.Dict[Intervals, Bits] = {}
        self._holding: t.Dict[Intervals, Bits] = {}

    def within(self, intervals: Intervals) -> t.List[Run]:
        """The pieces that lie in the intervals, in part at least, ascending and each once."""
        found: t.List[Run] = []
        after = 0
        for low, high in intervals:
            first = max(after, bisect.bisect_right(self._starts, low) - 1)
            after = bisect.bisect_right(self._starts, high)
            if found and found[-1].stop == first:
                found[-1] = range(found[-1].start, after)
            elif first < after:
                found.append(range(first, after))
        return found

    def at(self, value: int) -> Bits:
        """The positions that hold a value."""
        return self.holders[bisect.bisect_right(self._starts, value) - 1]

    def overlapping(self, intervals: Intervals) -> Bits:
        """The positions that hold something of the intervals."""
        found = self._overlapping.get(intervals)
        if found is None:
            found = 0
            for run in self.within(intervals):
                for held in self.holders[run.start : run.stop]:
                    found |= held
            self._overlapping[intervals] = found
        return found

    def holding(self, intervals: Intervals) -> Bits:
        """The positions that hold all of the intervals."""
        found = self._holding.get(intervals)
        if found is None:
            found = -1
            for run in self.within(intervals):
                for held in self.holders[run.start : run.stop]:
                    found &= held
            self._holding[intervals] = found
        return found

    def by_holders(self, runs: t.Sequence[Run], live: Bits) -> t.Tuple[t.Dict[Bits, t.List[Run]], int]:
        """The pieces of some runs by which of ``live`` hold them, and how many pieces were looked at."""
        found: t.Dict[Bits, t.List[Run]] = {}
        looked = 0
        cuts = None
        if count_bits(live) * _PIECES_OF_A_BOX < sum(len(run) for run in runs):
            cuts = sorted({index for position in positions(live) for index in self._ends_of(position)})
        for run in runs:
            points: t.Sequence[int] = run
            if cuts is not None:
                inside = cuts[bisect.bisect_right(cuts, run.start) : bisect.bisect_left(cuts, run.stop)]
                points = [run.start, *inside]
            looked += len(points)
            first = run.start
            current = live & self.holders[first]
            for index in points[1:]:
                held = live & self.holders[index]
                if held != current:
                    found.setdefault(current, []).append(range(first, index))
                    first, current = index, held
            found.setdefault(current, []).append(range(first, run.stop))
        return found, looked

    def _ends_of(self, position: int) -> t.Sequence[int]:
        return self._ends[position] if position < len(self._ends) else ()

    def held(self, intervals: Intervals, position: int) -> Intervals:
        """The values of the intervals that a position holds."""
        bit = 1 << position
        if self.holding(intervals) & bit:
            return intervals
        runs, _looked = self.by_holders(self.within(intervals), bit)
        return self.clip(intervals, runs.get(bit, []))

    def clip(self, intervals: Intervals, runs: t.Sequence[Run]) -> Intervals:
        """The values of the intervals in some of their pieces; the runs ascend."""
        found: t.List[Interval] = []
        at = 0
        for run in runs:
            low = self._starts[run.start]
            high = self._starts[run.stop] - 1 if run.stop < len(self._starts) else self._last
            while intervals[at][1] < low:
                at += 1
            here = at
            while here < len(intervals) and intervals[here][0] <= high:
                first, last = max(intervals[here][0], low), min(intervals[here][1], high)
                if found and found[-1][1] + 1 == first:
                    found[-1] = (found[-1][0], last)
                else:
                    found.append((first, last))
                here += 1
        return tuple(found)
