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

import typing as t

from .._compile._auto.overlap import Bits, count_bits
from .pieces import Pieces, Run
from .regions import DIMENSIONS, SPACE, Intervals, Region

#: Pieces that one question looks at before it is given up.
DEFAULT_BUDGET = 200_000

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
        #: The steps of all questions so far.
        self.steps = 0
        self._dimensions = [
            Pieces([[region[dimension] for region in one] for one in regions], SPACE[dimension])
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

    def along(self, dimension: int, intervals: Intervals) -> t.Tuple[Bits, Bits]:
        """By one dimension alone: the positions that hold some of its values, and those that hold all of them."""
        pieces = self._dimensions[dimension]
        if len(intervals) == 1 and intervals[0][0] == intervals[0][1]:
            bits = pieces.at(intervals[0][0])
            return bits, bits
        return pieces.overlapping(intervals), pieces.holding(intervals)

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
        try:
            found = question.descend(0, live)
        finally:
            self.steps += budget - question.left
        return None if found is None else self._narrow(found)

    def each(self, region: Region, active: Bits, wanted: Bits, budget: int = DEFAULT_BUDGET) -> t.Iterator[Region]:
        """All packets of ``region`` whose first match among ``active`` is one of ``wanted``, as disjoint regions.

        Raises:
            Undecided: It would take more than ``budget`` steps.
        """
        live = self.overlapping(region) & active
        if live & wanted:
            question = _Question(self._dimensions, region, live, wanted, budget)
            try:
                yield from question.each(0, live)
            finally:
                self.steps += budget - question.left

    def _narrow(self, found: t.Tuple[t.List[Intervals], int]) -> Region:
        """The packets of the deciding box in what is left."""
        region, position = found
        return tuple(dimension.held(intervals, position) for dimension, intervals in zip(self._dimensions, region))


#: What is left of a region, and the position that decides there.
_Found = t.Tuple[t.List[Intervals], int]


class _Question:
    """One question about one region. Dimensions that tell no boxes apart are left out."""

    def __init__(self, dimensions: t.Sequence[Pieces], region: Region, live: Bits, wanted: Bits, budget: int) -> None:
        self._dimensions = dimensions
        self._region = region
        self._wanted = wanted
        self.left = budget
        holding = [dimension.holding(intervals) for dimension, intervals in zip(dimensions, region)]
        telling = [at for at in DIMENSIONS if live & ~holding[at]]
        runs = {at: dimensions[at].within(region[at]) for at in telling}
        self._order = sorted(telling, key=lambda at: sum(len(run) for run in runs[at]))
        self._runs = [runs[at] for at in self._order]
        #: By depth: what holds the region in all dimensions from there on.
        self._full: t.List[Bits] = [-1]
        for at in reversed(self._order):
            self._full.append(self._full[-1] & holding[at])
        self._full.reverse()
        self._live = live
        self._groups: t.List[t.Optional[t.Dict[Bits, t.List[Run]]]] = [None] * len(self._order)
        self._chosen: t.List[t.Sequence[Run]] = []
        self._nothing: t.Set[t.Tuple[int, Bits]] = set()

    def _spend(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
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
                return None if decided < 0 else self._found([[range(index, index + 1)] for index in chosen], decided)
            holders = self._dimensions[self._order[depth]].holders
            runs = self._runs[depth]
            stride = max(1, sum(len(run) for run in runs) // most)
            best, fewest = -1, -1
            for index in (index for run in runs for index in run[::stride]):
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

    def _pieces(self, depth: int, live: Bits) -> t.Dict[Bits, t.List[Run]]:
        """Pieces of a dimension by what holds them."""
        groups = self._groups[depth]
        if groups is None:
            groups, looked = self._dimensions[self._order[depth]].by_holders(self._runs[depth], self._live)
            self._spend(looked)
            self._groups[depth] = groups
        self._spend(len(groups))
        found: t.Dict[Bits, t.List[Run]] = {}
        for held, runs in groups.items():
            left = live & held
            found[left] = found[left] + runs if left in found else runs
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
        for held, runs in sorted(pieces.items(), key=lambda one: min(run.start for run in one[1])):
            self._chosen.append(runs)
            yield from self.each(depth + 1, held)
            self._chosen.pop()

    def _found(self, chosen: t.Sequence[t.Sequence[Run]], position: int) -> _Found:
        left = list(self._region)
        for at, runs in zip(self._order, chosen):
            left[at] = self._dimensions[at].clip(left[at], sorted(runs, key=lambda run: run.start))
        return left, position
