# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""First matches: which packets of a region meet which box first, decided exactly.

A list of boxes cuts each dimension into pieces, within which every box holds all values or none. The
boxes that hold a piece are the bits of a number, so that the boxes that hold a point are a few
conjunctions. A question goes down one dimension after another; what stays are the boxes that hold every
piece so far, and pieces with the same boxes are one. Most questions end early:

* a box that holds all that is left decides, and those after it never do;
* if none of those that may still be first is wanted, there is nothing here;
* if the first of those that are left is wanted, its packets here are found, whatever follows.

A question that takes more steps than it may raises :class:`Undecided`; a step is one piece looked at.
"""

from __future__ import annotations

import bisect
import typing as t

from .._compile._auto.overlap import Bits, count_bits
from .._core.intervals import Interval
from .regions import DIMENSIONS, SPACE, Intervals, Region

#: Pieces that one question looks at before it is given up.
DEFAULT_BUDGET = 60_000

#: Pieces of a dimension that the quick look considers, and how often it looks.
_GLANCES = (6, 24)

#: Pieces that are compared with each other, to leave out those that cannot do better.
_COMPARED = 48


class Undecided(Exception):  # noqa: N818 - it is an answer, not an error
    """The question takes more steps than it may."""


class FirstMatches:
    """Boxes in order, asked which of them packets meet first.

    Position ``len(regions)`` (see :attr:`none`) stands for none of them: it comes last and holds every
    packet.
    """

    def __init__(self, regions: t.Sequence[t.Sequence[Region]]) -> None:
        """Each position holds the union of its regions, at most one for each family."""
        self.none = len(regions)
        self.no_box: Bits = 1 << self.none
        self._dimensions = [
            _Dimension([[region[dimension] for region in one] for one in regions], SPACE[dimension])
            for dimension in DIMENSIONS
        ]

    def overlapping(self, region: Region) -> Bits:
        """The positions that share a packet with the region, and :attr:`none`."""
        found: Bits = -1
        for dimension, intervals in zip(self._dimensions, region):
            found &= dimension.overlapping(intervals)
        return found

    def holding(self, region: Region) -> Bits:
        """The positions that hold every packet of the region, and :attr:`none`."""
        found: Bits = -1
        for dimension, intervals in zip(self._dimensions, region):
            found &= dimension.holding(intervals)
        return found

    def find(self, region: Region, active: Bits, wanted: Bits, budget: int = DEFAULT_BUDGET) -> t.Optional[Region]:
        """Packets of ``region`` whose first match among ``active`` is one of ``wanted``; None: there are none.

        Args:
            region: Of one family.
            active: Positions; the others are not there.
            wanted: Some of them.

        Raises:
            Undecided: It would take more than ``budget`` steps.
        """
        live = self.overlapping(region) & active
        if not live & wanted:
            return None
        question = _Question(self._dimensions, region, live, wanted, budget)
        for glances in _GLANCES:
            found = question.glance(live, glances)
            if found is not None:
                return self._narrow(found)
        found = question.descend(0, live)
        return None if found is None else self._narrow(found)

    def each(self, region: Region, active: Bits, wanted: Bits, budget: int = DEFAULT_BUDGET) -> t.Iterator[Region]:
        """All packets of ``region`` whose first match among ``active`` is one of ``wanted``, as disjoint regions.

        Raises:
            Undecided: It would take more than ``budget`` steps.
        """
        live = self.overlapping(region) & active
        if live & wanted:
            yield from _Question(self._dimensions, region, live, wanted, budget).each(0, live)

    def _narrow(self, found: t.Tuple[t.List[Intervals], int]) -> Region:
        """The packets of the deciding box in what is left."""
        region, position = found
        return tuple(dimension.within(intervals, position) for dimension, intervals in zip(self._dimensions, region))


class _Dimension:
    """The pieces of one dimension, and the positions that hold each."""

    def __init__(self, sets: t.Sequence[t.Sequence[Intervals]], space: Interval) -> None:
        whole = (space,)
        everywhere: Bits = 1 << len(sets)
        changes: t.Dict[int, Bits] = {space[0]: 0}
        for position, one in enumerate(sets):
            bit = 1 << position
            if one and all(intervals == whole for intervals in one):
                everywhere |= bit
                continue
            for intervals in set(one):
                for low, high in intervals:
                    changes[low] = changes.get(low, 0) ^ bit
                    if high < space[1]:
                        changes[high + 1] = changes.get(high + 1, 0) ^ bit
        self.starts = sorted(changes)
        self.holders: t.List[Bits] = []
        current = everywhere
        for start in self.starts:
            current ^= changes[start]
            self.holders.append(current)
        self._last = space[1]
        self._overlapping: t.Dict[Intervals, Bits] = {}
        self._holding: t.Dict[Intervals, Bits] = {}

    def pieces(self, intervals: Intervals) -> t.Iterator[int]:
        """The pieces that lie in the intervals, in part at least, ascending."""
        for low, high in intervals:
            yield from range(bisect.bisect_right(self.starts, low) - 1, bisect.bisect_right(self.starts, high))

    def piece(self, index: int) -> Interval:
        end = self.starts[index + 1] - 1 if index + 1 < len(self.starts) else self._last
        return self.starts[index], end

    def overlapping(self, intervals: Intervals) -> Bits:
        found = self._overlapping.get(intervals)
        if found is None:
            found = 0
            for index in self.pieces(intervals):
                found |= self.holders[index]
            self._overlapping[intervals] = found
        return found

    def holding(self, intervals: Intervals) -> Bits:
        found = self._holding.get(intervals)
        if found is None:
            found = -1
            for index in self.pieces(intervals):
                found &= self.holders[index]
            self._holding[intervals] = found
        return found

    def within(self, intervals: Intervals, position: int) -> Intervals:
        """The values of the intervals that a position holds."""
        bit = 1 << position
        if self.holding(intervals) & bit:
            return intervals
        return self.clip(intervals, [index for index in self.pieces(intervals) if self.holders[index] & bit])

    def clip(self, intervals: Intervals, pieces: t.Sequence[int]) -> Intervals:
        """The values of the intervals in some of their pieces, which ascend."""
        found: t.List[Interval] = []
        at = 0
        for index in pieces:
            low, high = self.piece(index)
            while intervals[at][1] < low:
                at += 1
            for first, last in intervals[at:]:
                if first > high:
                    break
                part = max(first, low), min(last, high)
                if found and found[-1][1] + 1 == part[0]:
                    found[-1] = (found[-1][0], part[1])
                else:
                    found.append(part)
        return tuple(found)


#: What is left of a region, and the position that decides there.
_Found = t.Tuple[t.List[Intervals], int]


class _Question:
    """One question about one region. Dimensions that tell no boxes apart are left out."""

    def __init__(
        self, dimensions: t.Sequence[_Dimension], region: Region, live: Bits, wanted: Bits, budget: int
    ) -> None:
        self._dimensions = dimensions
        self._region = region
        self._wanted = wanted
        self._left = budget
        holding = [dimension.holding(intervals) for dimension, intervals in zip(dimensions, region)]
        telling = [at for at in DIMENSIONS if live & ~holding[at]]
        ranges = {at: sorted(set(dimensions[at].pieces(region[at]))) for at in telling}
        self._order = sorted(telling, key=lambda at: len(ranges[at]))
        self._ranges = [ranges[at] for at in self._order]
        #: By depth: what holds the region in all dimensions from there on.
        self._full: t.List[Bits] = [-1]
        for at in reversed(self._order):
            self._full.append(self._full[-1] & holding[at])
        self._full.reverse()
        self._live = live
        self._groups: t.List[t.Optional[t.Dict[Bits, t.List[int]]]] = [None] * len(self._order)
        self._chosen: t.List[t.Sequence[int]] = []
        self._nothing: t.Set[t.Tuple[int, Bits]] = set()

    def _spend(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise Undecided

    def _cut(self, depth: int, live: Bits) -> t.Tuple[Bits, t.Optional[int]]:
        """What may still be first, and where it is decided the position; -1 as position: nothing is wanted here."""
        full = live & self._full[depth]
        decides = full & -full
        live &= (decides << 1) - 1
        if not live & self._wanted:
            return live, -1
        lowest = live & -live
        if lowest & self._wanted:
            return live, lowest.bit_length() - 1
        return live, (-1 if lowest == decides else None)

    def glance(self, live: Bits, most: int) -> t.Optional[_Found]:
        """A greedy look at up to ``most`` pieces of each dimension; None says nothing."""
        chosen: t.List[int] = []
        for depth in range(len(self._order) + 1):
            live, decided = self._cut(depth, live)
            if decided is not None:
                return None if decided < 0 else self._found([[index] for index in chosen], decided)
            holders = self._dimensions[self._order[depth]].holders
            pieces = self._ranges[depth]
            stride = max(1, len(pieces) // most)
            best, fewest = pieces[0], -1
            for index in pieces[::stride][:most]:
                held = live & holders[index]
                if held & self._wanted:
                    blocking = count_bits(held & ~self._wanted)
                    if fewest < 0 or blocking < fewest:
                        best, fewest = index, blocking
            if fewest < 0:
                return None
            chosen.append(best)
            live &= holders[best]
        return None

    def _pieces(self, depth: int, live: Bits) -> t.Dict[Bits, t.List[int]]:
        """Pieces of a dimension by what holds them."""
        groups = self._groups[depth]
        if groups is None:
            groups = {}
            holders = self._dimensions[self._order[depth]].holders
            self._spend(len(self._ranges[depth]) // 8)
            for index in self._ranges[depth]:
                groups.setdefault(self._live & holders[index], []).append(index)
            self._groups[depth] = groups
        self._spend(len(groups))
        found: t.Dict[Bits, t.List[int]] = {}
        for held, pieces in groups.items():
            left = live & held
            if left in found:
                found[left] = found[left] + pieces
            else:
                found[left] = pieces
        return found

    def descend(self, depth: int, live: Bits) -> t.Optional[_Found]:
        """Some packets that are wanted."""
        live, decided = self._cut(depth, live)
        if decided is not None:
            return None if decided < 0 else self._found(self._chosen, decided)
        key = (depth, live)
        if key in self._nothing:
            return None
        pieces = self._pieces(depth, live)
        ordered = sorted(pieces, key=lambda held: (count_bits(held & ~self._wanted), -count_bits(held & self._wanted)))
        for held in self._promising(ordered):
            self._chosen.append(pieces[held])
            found = self.descend(depth + 1, held)
            if found is not None:
                return found
            self._chosen.pop()
        self._nothing.add(key)
        return None

    def _promising(self, ordered: t.Sequence[Bits]) -> t.Iterator[Bits]:
        """Without those that have more in the way, and no more to find, than one before."""
        kept: t.List[t.Tuple[Bits, Bits]] = []
        for held in ordered:
            finds, blocks = held & self._wanted, held & ~self._wanted
            if not finds:
                continue
            if any(not found & ~blocks and not finds & ~more for more, found in kept):
                continue
            if len(kept) < _COMPARED:
                kept.append((finds, blocks))
            yield held

    def each(self, depth: int, live: Bits) -> t.Iterator[Region]:
        """All packets that are wanted, in disjoint regions."""
        live, decided = self._cut(depth, live)
        if decided is not None and decided < 0:
            return
        full = live & self._full[depth]
        lowest = live & -live
        if lowest == full & -full:
            yield tuple(self._found(self._chosen, 0)[0])
            return
        pieces = self._pieces(depth, live)
        for held, indexes in sorted(pieces.items(), key=lambda one: one[1][0]):
            self._chosen.append(sorted(indexes))
            yield from self.each(depth + 1, held)
            self._chosen.pop()

    def _found(self, chosen: t.Sequence[t.Sequence[int]], position: int) -> _Found:
        left = list(self._region)
        for at, pieces in zip(self._order, chosen):
            left[at] = self._dimensions[at].clip(left[at], sorted(pieces))
        return left, position
