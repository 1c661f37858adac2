# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reference evaluator on large programs: its verdict, and the counter that counts the deciding rule."""

from __future__ import annotations

import bisect
import dataclasses
import typing as t

from ansible_collections.palisade.nftables.plugins.module_utils._core.addresses import FAMILIES, AddressSet
from ansible_collections.palisade.nftables.plugins.module_utils._policy.evaluate import Decision, evaluate
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Direction, Stage
from ansible_collections.palisade.nftables.plugins.module_utils._policy.packet import Packet
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import Chain, Program, Step

#: How many steps the evaluator is given at first; the deciding one is nearly always among them.
_FIRST = 32


def counter_of(decision: Decision, direction: Direction) -> str:
    """The name of the counter that counts a decision; empty where none does."""
    if decision.stage in (Stage.INTERFACE, Stage.FORWARDED, Stage.UNRESTRICTED):
        return ""
    if decision.stage is Stage.DEFAULT_ACTION:
        return "%s/default" % direction.value
    origin = decision.origin
    if origin.index is not None:
        return "policy/%s/%d" % (origin.name, origin.index)
    if decision.stage is Stage.STATE and origin.name != "invalid":
        return ""
    return "%s/%s" % (direction.value, origin.name)


class _Side:
    """Which steps of a chain an address does not rule out: the steps as the bits of a number."""

    def __init__(self, addresses: t.Sequence[t.Optional[AddressSet]], family: int) -> None:
        changes: t.Dict[int, int] = {0: 0}
        for index, one in enumerate(addresses):
            intervals = ((0, None),) if one is None else one[family].intervals
            for low, high in intervals:
                changes[low] = changes.get(low, 0) ^ 1 << index
                if high is not None:
                    changes[high + 1] = changes.get(high + 1, 0) ^ 1 << index
        self._starts = sorted(changes)
        self._steps: t.List[int] = []
        steps = 0
        for start in self._starts:
            steps ^= changes[start]
            self._steps.append(steps)

    def steps(self, address: int) -> int:
        return self._steps[bisect.bisect_right(self._starts, address) - 1]


class Truth:
    """:func:`evaluate` for many packets and thousands of rules.

    The evaluator tries one rule after another. It is asked here about the program without the rules
    whose sources or destinations do not hold the packet: those can match nothing of it.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._sides = {
            (direction, family): (
                _Side([step.rule.sources for step in program.chain(direction).steps], family),
                _Side([step.rule.destinations for step in program.chain(direction).steps], family),
            )
            for direction in Direction
            for family in FAMILIES
        }

    def decide(self, packet: Packet) -> Decision:
        """What the evaluator decides with all rules."""
        sources, destinations = self._sides[packet.direction, packet.family]
        chain = self._program.chain(packet.direction)
        left = sources.steps(packet.source) & destinations.steps(packet.destination)
        wanted = _FIRST
        steps: t.List[Step] = []
        while True:
            while left and len(steps) < wanted:
                lowest = left & -left
                steps.append(chain.steps[lowest.bit_length() - 1])
                left ^= lowest
            decision = evaluate(self._narrowed(chain, steps), packet)
            # What one of the first steps decided, no later one decides.
            if not left or decision.stage is not Stage.DEFAULT_ACTION:
                return decision
            wanted *= 8

    def _narrowed(self, chain: Chain, steps: t.Sequence[Step]) -> Program:
        narrowed = dataclasses.replace(chain, steps=tuple(steps))
        side = "ingress" if chain.direction is Direction.INGRESS else "egress"
        return dataclasses.replace(self._program, **{side: narrowed})
