# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Meanings: what decides each kind of packet, whatever it was written in, as ordered clauses.

A kind of packet is a lane and an interface. The clauses of a decider are tried in order; the last one holds
everything. That is all that a comparison needs to know, so the rules of a program and those of a kernel are
compared alike.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._compile.lower import lower
from .._core.intervals import IntervalSet
from .._policy.model import Action, Direction, FlowDirection, Published, Route, Stage, State
from .._policy.packet import Packet
from .._policy.program import Program
from .regions import (
    DESTINATION,
    DIMENSIONS,
    FAMILY_SPACE,
    FLOW_DIRECTION,
    FLOW_DIRECTIONS,
    SOURCE,
    SPACE,
    STATE,
    STATES,
    Region,
    regions_of,
)

#: Every packet, a region for each family.
EVERYTHING: t.Tuple[Region, ...] = tuple(
    tuple((space,) if dimension in (SOURCE, DESTINATION) else (SPACE[dimension],) for dimension in DIMENSIONS)
    for space in FAMILY_SPACE.values()
)


class Decided(t.NamedTuple):
    """What a packet was decided by.

    Attributes:
        name: ``web[0]``, ``default-ingress``, or in words why no rule did.
        variable: The role variable that defined the policy; empty for what is no policy of an inventory.
        is_rule: False where no rule was asked, and the name says why.
    """

    name: str
    variable: str = ""
    is_rule: bool = True

    def __str__(self) -> str:
        return "%s of %s" % (self.name, self.variable) if self.variable else self.name


class Clause(t.NamedTuple):
    """One place in the order.

    Attributes:
        regions: The packets, at most one region for each family.
        action: None where what happens to them could not be found out.
    """

    regions: t.Tuple[Region, ...]
    action: t.Optional[Action]
    by: Decided

    @property
    def key(self) -> t.Tuple[t.Tuple[Region, ...], str]:
        """What it says, and not where that comes from. Keys have an order."""
        return self.regions, "" if self.action is None else self.action.value


@dataclass(frozen=True)
class Decider:
    """Clauses, of which the first that holds a packet decides; the last one holds every packet."""

    clauses: t.Tuple[Clause, ...]

    @property
    def keys(self) -> t.Tuple[t.Tuple[t.Tuple[Region, ...], str], ...]:
        """What the clauses say."""
        return tuple(clause.key for clause in self.clauses)

    def means(self, other: Decider) -> bool:
        """Whether both say the same in the same words, wherever the words come from, and all of it was understood."""
        return (self is other or self.keys == other.keys) and all(one.action is not None for one in self.clauses)

    def is_like(self, other: Decider) -> bool:
        """Whether both are the same, in the names of their rules too."""
        return self is other or self == other


def accept_everything(reason: str) -> Decider:
    """No rule is asked, for this reason."""
    return Decider((Clause(EVERYTHING, Action.ACCEPT, Decided(reason, is_rule=False)),))


class Lane(t.NamedTuple):
    """Packets that take the same way through a host.

    Attributes:
        flow: Which way of their connection they go; None: both.
    """

    direction: Direction
    route: Route
    flow: t.Optional[FlowDirection] = None

    def takes(self, packet: Packet) -> bool:
        """Whether a packet is on it. What leaves the host itself is local, whatever it says."""
        route = packet.route if packet.direction is Direction.INGRESS else Route.LOCAL
        return (
            packet.direction is self.direction
            and route is self.route
            and self.flow in (None, packet.flow_direction)
            and (self.flow is None or packet.state in TRACKED)
        )

    @property
    def space(self) -> t.Tuple[Region, ...]:
        """Every packet that can be on it."""
        if self.flow is None:
            return EVERYTHING
        way = FLOW_DIRECTIONS.index(self.flow)
        states = IntervalSet((STATES.index(one), STATES.index(one)) for one in TRACKED).intervals
        found = []
        for region in EVERYTHING:
            changed = list(region)
            changed[STATE], changed[FLOW_DIRECTION] = states, ((way, way),)
            found.append(tuple(changed))
        return tuple(found)


#: States of packets that belong to a connection. No other can be for a published port.
TRACKED = (State.NEW, State.ESTABLISHED, State.RELATED)

LOCAL_IN = Lane(Direction.INGRESS, Route.LOCAL)
LOCAL_OUT = Lane(Direction.EGRESS, Route.LOCAL)
PUBLISHED = Lane(Direction.INGRESS, Route.PUBLISHED, FlowDirection.ORIGINAL)
PUBLISHED_REPLIES = Lane(Direction.INGRESS, Route.PUBLISHED, FlowDirection.REPLY)
FORWARDED = Lane(Direction.INGRESS, Route.FORWARDED)

#: Every packet is on one of them.
LANES = (LOCAL_IN, LOCAL_OUT, PUBLISHED, PUBLISHED_REPLIES, FORWARDED)


class Meaning:
    """What decides the packets of a host."""

    #: Patterns of interface names that make a difference.
    interfaces: t.Tuple[str, ...] = ()

    #: The packets that it can tell of, disjoint regions of one family each.
    told: t.Tuple[Region, ...] = EVERYTHING

    def decider(self, lane: Lane, interface: str) -> Decider:
        """What decides the packets of a lane on an interface."""
        raise NotImplementedError


class NoRuleset(Meaning):
    """A host without a table of ours."""

    _DECIDER = accept_everything("no ruleset")

    def decider(self, lane: Lane, interface: str) -> Decider:  # noqa: ARG002 - it is the same for all
        """Everything is accepted."""
        return self._DECIDER


class ProgramMeaning(Meaning):
    """What a program means."""

    _NOT_FILTERED = accept_everything("interface not filtered")
    _LEFT_ALONE = accept_everything("forwarded packets left alone")

    def __init__(self, program: Program) -> None:
        self._program = program
        self.interfaces = (*program.interfaces, *program.interfaces_ignored)
        self._deciders = {direction: _decider_of(program, direction) for direction in Direction}

    def decider(self, lane: Lane, interface: str) -> Decider:
        """As :func:`.._policy.evaluate.evaluate` goes about it."""
        if not self._program.filters(interface):
            return self._NOT_FILTERED
        if lane.route is not Route.LOCAL and not (lane == PUBLISHED and self._program.published is Published.FILTER):
            return self._LEFT_ALONE
        return self._deciders[lane.direction]


def _decider_of(program: Program, direction: Direction) -> Decider:
    chain = program.chain(direction)
    if not chain.restricted:
        return accept_everything("%s not restricted" % direction.value)
    (lowered,) = (one for one in lower(program).chains if one.direction is direction)
    clauses: t.List[Clause] = []
    for step, rule in zip(chain.steps, lowered.rules):
        origin = step.rule.origin
        name = "%s (safeguard)" % origin if step.stage is Stage.SAFEGUARD else str(origin)
        by = Decided(name, origin.variable)
        clauses.extend(Clause(tuple(regions_of(box)), rule.action, by) for box in rule.boxes)
    clauses.append(Clause(EVERYTHING, chain.default, Decided(str(chain.default_origin))))
    return Decider(tuple(clauses))
