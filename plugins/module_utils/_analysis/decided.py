# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""One direction of a host, ready for questions: its rules, and which of them packets meet first."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._compile._auto.overlap import Bits
from .._compile.lowered import LoweredChain
from .._policy.model import Action, Direction, Rule, Stage
from .._policy.packet import Packet
from .._policy.program import Program
from .first_matches import DEFAULT_BUDGET, FirstMatches
from .regions import Region, opening, regions_of, witness


@dataclass(frozen=True)
class DecidedRule:
    """One rule of a chain.

    Attributes:
        index: Its place in the chain.
        regions: Its packets; none where its networks are empty. Of a rule that asks for no state, those that open
            a connection stand for all: the rules of Palisade's own that ask for a state ask for another one, come
            before, and only ever take packets away. So a rule that decides nothing new decides nothing.
        bits: The positions of its boxes.
    """

    index: int
    stage: Stage
    rule: Rule
    regions: t.Tuple[Region, ...]
    bits: Bits

    @property
    def is_written(self) -> bool:
        """Whether somebody wrote it and may change it: it is neither Palisade's own nor built in."""
        return self.stage is Stage.ASSIGNED and bool(self.rule.origin.variable)

    @property
    def before(self) -> Bits:
        """The positions before it."""
        return (self.bits & -self.bits) - 1


class DecidedChain:
    """The rules of one direction in order, then the default action.

    Attributes:
        none: The position that stands for the default action, as bits.
    """

    def __init__(self, program: Program, lowered: LoweredChain, budget: int = DEFAULT_BUDGET) -> None:
        """``budget``: steps that one question may take."""
        chain = program.chain(lowered.direction)
        self.direction: Direction = lowered.direction
        self.restricted = lowered.restricted
        self.default = lowered.default
        self._budget = budget
        self._interface = _filtered_interface(program)
        self._owners: t.List[int] = []
        boxes: t.List[t.List[Region]] = []
        rules: t.List[DecidedRule] = []
        for index, (step, rule) in enumerate(zip(chain.steps, lowered.rules)):
            first = len(boxes)
            boxes.extend(regions_of(box) for box in rule.boxes)
            self._owners.extend([index] * len(rule.boxes))
            regions = tuple(region for box in boxes[first:] for region in box)
            if step.rule.states is None:
                regions = tuple(opening(region) for region in regions)
            rules.append(DecidedRule(index, step.stage, step.rule, regions, (1 << len(boxes)) - (1 << first)))
        self.rules = tuple(rules)
        self.matches = FirstMatches(boxes)
        self.none: Bits = self.matches.no_box
        self.every: Bits = (self.none << 1) - 1
        self._by_action: t.Dict[Action, Bits] = dict.fromkeys(Action, 0)
        self._by_action[self.default] = self.none
        for one in self.rules:
            self._by_action[one.rule.action] |= one.bits
        self._by_policy: t.Dict[str, Bits] = {}
        for one in self.rules:
            if one.stage is Stage.ASSIGNED:
                name = one.rule.origin.name
                self._by_policy[name] = self._by_policy.get(name, 0) | one.bits

    @property
    def written(self) -> t.Iterator[DecidedRule]:
        """The rules that somebody wrote and that can match something."""
        return (one for one in self.rules if one.is_written and one.regions)

    def acting(self, action: Action) -> Bits:
        """The positions whose verdict is ``action``, the default action's included."""
        return self._by_action[action]

    def acting_otherwise(self, action: Action) -> Bits:
        return self.every & ~self._by_action[action]

    def of_policy(self, name: str) -> Bits:
        """The positions of the rules of an assigned policy."""
        return self._by_policy.get(name, 0)

    def find(self, region: Region, wanted: Bits, active: t.Optional[Bits] = None) -> t.Optional[Region]:
        """Packets of the region that one of ``wanted`` decides; ``active``: with these positions alone.

        Raises:
            Undecided: It would take too long.
        """
        return self.matches.find(region, self.every if active is None else active, wanted, self._budget)

    def each(self, region: Region, wanted: Bits) -> t.Iterator[Region]:
        """All packets of the region that one of ``wanted`` decides, in disjoint regions.

        Raises:
            Undecided: It would take too long.
        """
        return self.matches.each(region, self.every, wanted, self._budget)

    def witness(self, region: Region) -> Packet:
        """A packet of the region on an interface that is filtered."""
        return witness(region, self.direction, self._interface)

    def owners(self, bits: Bits, most: int) -> t.List[DecidedRule]:
        """The rules of these positions, in order, ``most`` at most; the default action is none."""
        found: t.List[DecidedRule] = []
        bits &= ~self.none
        while bits and len(found) < most:
            rule = self.rules[self._owners[(bits & -bits).bit_length() - 1]]
            found.append(rule)
            bits &= ~rule.bits
        return found

    def decider(self, part: Region) -> t.Optional[DecidedRule]:
        """The rule that decides a region of :meth:`each`, all of it; None: the default action."""
        first = self.matches.overlapping(part)
        return next(iter(self.owners(first & -first, 1)), None)

    def deciding(self, region: Region, active: Bits, most: int) -> t.List[DecidedRule]:
        """The rules that decide some packet of the region with ``active`` alone, in order, ``most`` at most.

        Raises:
            Undecided: It would take too long.
        """
        found: t.List[DecidedRule] = []
        left = self.matches.overlapping(region) & active
        while len(found) < most:
            part = self.find(region, left & ~self.none, active)
            if part is None:
                break
            first = self.matches.overlapping(part) & active
            rule = self.rules[self._owners[(first & -first).bit_length() - 1]]
            found.append(rule)
            left &= ~rule.bits
        return sorted(found, key=lambda one: one.index)


def _filtered_interface(program: Program) -> str:
    """The name of an interface whose packets meet the policies."""
    names = [pattern.replace("*", "0") for pattern in program.interfaces]
    return next((name for name in (Packet.interface, *names, "public0") if program.filters(name)), Packet.interface)
