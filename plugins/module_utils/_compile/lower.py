# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""From the program to lowered rules: families split, unions spelled out, counters named."""

from __future__ import annotations

import typing as t

from .._core.addresses import FAMILIES
from .._policy.model import Direction, Rule, Stage, Traffic
from .._policy.program import Chain, Program, Step
from .lowered import Box, LoweredChain, LoweredProgram, LoweredRule

#: Own rules of this stage are on the way of nearly every packet, and nobody asks for their counts.
_UNCOUNTED = (Stage.STATE,)
_COUNTED_STATE = "invalid"


def policy_counter(name: str, index: int) -> str:
    """The name that counts rule ``index`` of a policy. A policy name holds no slash, so names cannot collide."""
    return "policy/%s/%d" % (name, index)


def lower(program: Program, *, counters: bool = True) -> LoweredProgram:
    """Lowers both directions; without ``counters`` nothing in them has the name of one."""
    return LoweredProgram(
        chains=tuple(_lower_chain(program.chain(direction), counters=counters) for direction in Direction),
        interfaces=program.interfaces,
        interfaces_ignored=program.interfaces_ignored,
        log_dropped=program.log_dropped,
        published=program.published,
    )


def _lower_chain(chain: Chain, *, counters: bool) -> LoweredChain:
    return LoweredChain(
        direction=chain.direction,
        restricted=chain.restricted,
        rules=tuple(_lower_step(step, counters=counters) for step in chain.steps),
        default=chain.default,
        default_counter="%s/default" % chain.direction.value if counters else "",
    )


def _lower_step(step: Step, *, counters: bool) -> LoweredRule:
    rule = step.rule
    return LoweredRule(
        action=rule.action,
        stage=step.stage,
        origin=rule.origin,
        boxes=boxes_of(rule),
        counter=_counter(step) if counters else "",
        description=rule.description,
        source_label=(rule.sources.label or "") if rule.sources is not None else "",
        destination_label=(rule.destinations.label or "") if rule.destinations is not None else "",
    )


def _counter(step: Step) -> str:
    origin = step.rule.origin
    if origin.index is not None:
        return policy_counter(origin.name, origin.index)
    if step.stage in _UNCOUNTED and origin.name != _COUNTED_STATE:
        return ""
    return "%s/%s" % (step.rule.direction.value, origin.name)


def boxes_of(rule: Rule) -> t.Tuple[Box, ...]:
    """The packets of a rule; none where its networks are empty."""
    return tuple(box for traffic in rule.traffic for box in _boxes(rule, traffic))


def _boxes(rule: Rule, traffic: Traffic) -> t.Iterator[Box]:
    """One box for each family, or one for both where nothing in it belongs to a family."""
    if rule.sources is None and rule.destinations is None:
        yield _box(rule, traffic, traffic.family)
        return
    for family in FAMILIES:
        if traffic.family in (None, family):
            sides = (rule.sources, rule.destinations)
            if all(side is None or side[family] for side in sides):
                yield _box(rule, traffic, family)


def _box(rule: Rule, traffic: Traffic, family: t.Optional[int]) -> Box:
    return Box(
        family=family,
        protocols=traffic.protocols,
        sources=rule.sources[family] if rule.sources is not None and family is not None else None,
        destinations=rule.destinations[family] if rule.destinations is not None and family is not None else None,
        source_ports=traffic.source_ports,
        destination_ports=traffic.destination_ports,
        icmp_types=traffic.icmp_types,
        states=rule.states,
        flow_direction=rule.flow_direction,
        hop_limit=traffic.hop_limit,
        tcp_reset=traffic.tcp_reset,
    )
