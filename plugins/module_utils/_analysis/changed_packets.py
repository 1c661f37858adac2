# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Changed packets: those that two lists of clauses treat differently, exactly and in disjoint parts.

Both lists are laid into one (:mod:`.alignment`). A packet that first meets a common clause there is decided by it
before and after. So every packet whose verdict changes first meets a clause that one list alone has, and it changes
if the first clause of the other list behind it acts otherwise: a question of :mod:`.first_matches` about that
clause. Clauses that share no packet with any of these are left out at the start.

The work has a bound. Clauses whose question was not answered within it are told as undecided.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .._compile._auto.overlap import Bits
from .._core.intervals import IntervalSet
from .._policy.model import Action
from .._policy.protocols import PORT_PROTOCOLS
from .._policy.traffic import ICMP, ICMPV6
from .alignment import Aligned, align
from .first_matches import FirstMatches, Undecided
from .meaning import Clause, Decided, Decider
from .regions import PROTOCOL, Region, family_of, intersect, opening, overlap

#: Further rules that a change names, besides the two that decide its sample.
MOST_OTHERS = 8

#: Clauses that one list alone has, up to which those that they do not touch are looked for.
_FEW = 64

#: What a question costs, however quickly it is answered; in steps.
_STEPS_OF_A_QUESTION = 200

_TCP = 6


class Limits(t.NamedTuple):
    """The bound on the work.

    Attributes:
        question: Steps of one question, see :mod:`.first_matches`.
        total: Steps of a whole difference.
        spelling: Those of it that may go into spelling out changes; what changes is found all the same.
        regions: Disjoint regions that a change may have; where there are more, they are not spelled out.
    """

    question: int = 100_000
    total: int = 20_000_000
    spelling: int = 1_000_000
    regions: int = 200


class Work:
    """What is left of the bound."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._left = limits.total
        self._spelling = limits.spelling

    def budget(self, *, spells: bool = False) -> int:
        """The steps that the next question may take.

        Args:
            spells: Whether it spells out a change.

        Raises:
            Undecided: There are none left.
        """
        self.spend(_STEPS_OF_A_QUESTION, spells=spells)
        left = min(self._left, self._spelling) if spells else self._left
        if left <= 0:
            raise Undecided
        return min(self.limits.question, left)

    def spend(self, steps: int, *, spells: bool = False) -> None:
        """Takes what a question took off."""
        self._left -= steps
        if spells:
            self._spelling -= steps


@dataclass(frozen=True)
class Change:
    """Packets whose verdict changes in one way, because of one rule that only one of the lists has.

    Attributes:
        before, after: The clauses that decide the packets of ``sample``, a part of it.
        others: What else decides some of its packets, :data:`MOST_OTHERS` at most, on the one side where there can be
            more than one rule; ``more`` says whether there are still others.
        others_are_before: Which side that is.
        within: What the rule is about: regions that hold all of its packets, and may hold others.
        regions: Where ``exact``, disjoint regions that are all of its packets; otherwise empty.
    """

    before: Clause
    after: Clause
    sample: Region
    others: t.Tuple[Decided, ...]
    others_are_before: bool
    more: bool
    within: t.Tuple[Region, ...]
    regions: t.Tuple[Region, ...]
    exact: bool

    def mirrored(self) -> Change:
        """The opposite change."""
        return replace(self, before=self.after, after=self.before, others_are_before=not self.others_are_before)


class Changes(t.NamedTuple):
    """The changes, disjoint, and by whose rules there may be more of them."""

    found: t.List[Change]
    undecided: t.List[Decided]


def compare(before: Decider, after: Decider, space: t.Sequence[Region], work: Work) -> Changes:
    """What changes among the packets of ``space``, disjoint regions of one family each.

    It is worked out in the same order whichever list is the first, so that the opposite comparison finds the opposite.
    """
    before, after = _within(before, space), _within(after, space)
    # The shorter list first: where no rule was asked at all, that is one change and not one for each rule.
    is_mirrored = (len(before.clauses), before.keys) > (len(after.clauses), after.keys)
    first, second = (after, before) if is_mirrored else (before, after)
    changes = _Comparison(first, second, space, work).run()
    return changes._replace(found=[one.mirrored() for one in changes.found]) if is_mirrored else changes


def _within(decider: Decider, space: t.Sequence[Region]) -> Decider:
    """Without clauses that hold no packet of the space."""
    return Decider(
        tuple(
            clause
            for clause in decider.clauses
            if any(overlap(region, one) for region in clause.regions for one in space)
        )
    )


class _Part:
    """A change in the making: its rule is ``mine``, what decides on the other side is ``theirs``."""

    def __init__(self, mine: Clause, theirs: Clause, sample: Region) -> None:
        self.mine, self.theirs, self.sample = mine, theirs, sample
        self.others: t.Dict[Decided, None] = {}
        self.more = False
        self.regions: t.List[Region] = []
        self.within: t.List[Region] = []
        self.exact = True

    def finish(self, *, mine_is_before: bool) -> Change:
        before, after = (self.mine, self.theirs) if mine_is_before else (self.theirs, self.mine)
        return Change(
            before,
            after,
            self.sample,
            tuple(self.others),
            others_are_before=not mine_is_before,
            more=self.more,
            within=tuple(self.within),
            regions=tuple(self.regions) if self.exact else (),
            exact=self.exact,
        )


class _Side(t.NamedTuple):
    """The positions of one list, and which of them act in a way or are of a rule."""

    present: Bits
    acting: t.Mapping[t.Optional[Action], Bits]
    of_rule: t.Mapping[Decided, Bits]


class _Comparison:
    def __init__(self, before: Decider, after: Decider, space: t.Sequence[Region], work: Work) -> None:
        self._space = space
        self._work = work
        self._entries = _relevant(align(before.clauses, after.clauses))
        self._matches = FirstMatches([entry.clause.regions for entry in self._entries])
        self._sides = (_side([one.before for one in self._entries]), _side([one.after for one in self._entries]))
        self._parts: t.Dict[t.Tuple[object, ...], t.Tuple[_Part, bool]] = {}
        self._undecided: t.Dict[Decided, None] = {}

    def run(self) -> Changes:
        for position, entry in enumerate(self._entries):
            if not entry.is_common:
                self._look(position, entry)
        found = [part.finish(mine_is_before=mine_is_before) for part, mine_is_before in self._parts.values()]
        return Changes(_joined(found), list(self._undecided))

    def _look(self, position: int, entry: Aligned) -> None:
        """What changes among the packets that first meet this clause."""
        mine = entry.clause
        mine_is_before = entry.before is not None
        other = self._sides[1 if mine_is_before else 0]
        above: Bits = -1 << (position + 1)
        active = ((1 << position) - 1) | (other.present & above)
        regions = [part for whole in mine.regions for one in self._space for part in _both(whole, one)]
        for action in (*Action, None):
            wanted = other.acting.get(action, 0) & above
            if action is mine.action or not wanted:
                continue
            question = _Question(self._matches, self._work, active, wanted)
            try:
                sample = question.sample(regions)
            except Undecided:
                self._undecided.setdefault(mine.by)
                continue
            if sample is None:
                continue
            if mine.action is None:
                self._undecided.setdefault(mine.by)
            elif action is None:
                self._undecided.setdefault(self._clause(question.first(sample), after=mine_is_before).by)
            else:
                self._add(question, mine, regions, sample, mine_is_before=mine_is_before)

    def _add(
        self, question: _Question, mine: Clause, regions: t.Sequence[Region], sample: Region, *, mine_is_before: bool
    ) -> None:
        side = self._sides[1 if mine_is_before else 0]
        theirs = self._clause(question.first(sample), after=mine_is_before)
        key = (mine_is_before, mine.by, mine.action, theirs.action)
        part, _side_of_it = self._parts.setdefault(key, (_Part(mine, theirs, sample), mine_is_before))
        known = {part.theirs.by, *part.others}
        found: t.Optional[Region] = sample
        while found is not None:
            by = self._clause(question.first(found), after=mine_is_before).by
            if by not in known:
                if len(part.others) == MOST_OTHERS:
                    part.more = True
                    break
                known.add(by)
                part.others[by] = None
            question = question.without(side.of_rule[by])
            try:
                found = question.sample(regions)
            except Undecided:
                part.more = True
                break
        part.within.extend(mine.regions)
        self._spell_out(part, question.whole, regions)

    def _clause(self, position: int, *, after: bool) -> Clause:
        """The clause that decides at a position, as the list after or before has it."""
        entry = self._entries[position]
        clause = entry.after if after else entry.before
        if clause is None:
            raise ValueError("the other list does not have this clause")
        return clause

    def _spell_out(self, part: _Part, question: _Question, regions: t.Sequence[Region]) -> None:
        if not part.exact:
            return
        try:
            for region in regions:
                for piece in _protocol_classes(region):
                    for found in question.each(piece):
                        part.regions.append(found)
                        if len(part.regions) > self._work.limits.regions:
                            part.exact = False
                            return
        except Undecided:
            part.exact = False


def _joined(changes: t.Iterable[Change]) -> t.List[Change]:
    """Changes between the same two rules together, whichever of them the packets meet first in the aligned list."""
    found: t.Dict[t.Tuple[object, ...], Change] = {}
    for change in changes:
        before, after = change.before, change.after
        # With others, it matters which side they are on.
        others = (change.others, change.others_are_before, change.more) if change.others else None
        key = (before.by, before.action, after.by, after.action, others)
        known = found.get(key)
        if known is None:
            found[key] = change
            continue
        exact = known.exact and change.exact
        found[key] = replace(
            known,
            within=(*known.within, *change.within),
            regions=(*known.regions, *change.regions) if exact else (),
            exact=exact,
            more=known.more or change.more,
        )
    return list(found.values())


class _Question:
    """Which packets first meet one of ``wanted`` among ``active``."""

    def __init__(
        self, matches: FirstMatches, work: Work, active: Bits, wanted: Bits, whole: t.Optional[_Question] = None
    ) -> None:
        self._matches, self._work, self._active, self._wanted = matches, work, active, wanted
        self.whole = self if whole is None else whole

    def without(self, bits: Bits) -> _Question:
        """The question about fewer that are wanted; the others are active all the same."""
        return _Question(self._matches, self._work, self._active, self._wanted & ~bits, self.whole)

    def sample(self, regions: t.Sequence[Region]) -> t.Optional[Region]:
        """Some such packets: ordinary ones if there are any, then those that open a connection."""
        if not self._wanted:
            return None
        opened = [one for one in (intersect(region, opening(region)) for region in regions) if one is not None]
        ordinary = [one for one in map(_tcp, opened) if one is not None]
        for region in dict.fromkeys((*ordinary, *opened, *regions)):
            found = self._find(region)
            if found is not None:
                return found
        return None

    def _find(self, region: Region) -> t.Optional[Region]:
        budget = self._work.budget()
        steps = self._matches.steps
        try:
            return self._matches.find(region, self._active, self._wanted, budget)
        finally:
            self._work.spend(self._matches.steps - steps)

    def each(self, region: Region) -> t.Iterator[Region]:
        """All such packets of a region, in disjoint regions."""
        budget = self._work.budget(spells=True)
        steps = self._matches.steps
        found = self._matches.each(region, self._active, self._wanted, budget)
        try:
            yield from found
        finally:
            # So that its steps are counted, wherever it was left.
            t.cast("t.Generator[Region, None, None]", found).close()
            self._work.spend(self._matches.steps - steps, spells=True)

    def first(self, region: Region) -> int:
        """The position that decides a region that was found."""
        decides = self._matches.overlapping(region) & self._active
        return (decides & -decides).bit_length() - 1


def _side(clauses: t.Sequence[t.Optional[Clause]]) -> _Side:
    present: Bits = 0
    acting: t.Dict[t.Optional[Action], Bits] = {}
    of_rule: t.Dict[Decided, Bits] = {}
    for position, clause in enumerate(clauses):
        if clause is not None:
            bit = 1 << position
            present |= bit
            acting[clause.action] = acting.get(clause.action, 0) | bit
            of_rule[clause.by] = of_rule.get(clause.by, 0) | bit
    return _Side(present, acting, of_rule)


def _relevant(entries: t.List[Aligned]) -> t.List[Aligned]:
    """Without common clauses that share no packet with any that one list alone has."""
    changed = [region for entry in entries if not entry.is_common for region in entry.clause.regions]
    if len(changed) > _FEW:
        return entries
    return [
        entry
        for entry in entries
        if not entry.is_common or any(overlap(mine, one) for mine in entry.clause.regions for one in changed)
    ]


def _both(one: Region, other: Region) -> t.Iterator[Region]:
    shared = intersect(one, other)
    if shared is not None:
        yield shared


def _tcp(region: Region) -> t.Optional[Region]:
    """Those of a region's packets that are TCP."""
    changed = list(region)
    changed[PROTOCOL] = ((_TCP, _TCP),)
    return intersect(region, tuple(changed))


def _protocol_classes(region: Region) -> t.Iterator[Region]:
    """A region in parts of which each has the same fields: no packet is there twice for want of a field.

    No clause asks for ports, types or flags without asking for a protocol that has them, so a part whose packets lack
    a field holds all values of it.
    """
    icmp = ICMP if family_of(region) == 4 else ICMPV6
    named = (IntervalSet.single(_TCP), _OTHERS_WITH_PORTS, IntervalSet.single(icmp))
    left = IntervalSet(region[PROTOCOL])
    for one in (*named, left - named[0] - named[1] - named[2]):
        shared = left & one
        if shared:
            changed = list(region)
            changed[PROTOCOL] = shared.intervals
            yield tuple(changed)


_OTHERS_WITH_PORTS = IntervalSet((one, one) for one in PORT_PROTOCOLS if one != _TCP)
