# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an explanation says is the evaluator's, and each near miss is one: exactly the named condition is in the way."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._analysis.explain import explain
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.near_misses import Condition
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.packet_fields import GivenPacket
from ansible_collections.palisade.nftables.plugins.module_utils._policy.evaluate import evaluate, matches
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Rule, Stage
from tests.packets.wording import program_of

from .generate import PacketGenerator, PolicyGenerator

_SEEDS = range(12)
_RULES = 60
_PACKETS = 150

_OF_THE_RULE = {
    Condition.STATE: "states",
    Condition.FLOW_DIRECTION: "flow_direction",
    Condition.SOURCES: "sources",
    Condition.DESTINATIONS: "destinations",
}
_OF_TRAFFIC: t.Mapping[Condition, t.Tuple[str, object]] = {
    Condition.FAMILY: ("family", None),
    Condition.PROTOCOL: ("protocols", None),
    Condition.SOURCE_PORTS: ("source_ports", None),
    Condition.DESTINATION_PORTS: ("destination_ports", None),
    Condition.ICMP_TYPES: ("icmp_types", None),
    Condition.HOP_LIMIT: ("hop_limit", None),
    Condition.TCP_RESET: ("tcp_reset", False),
}


def without(rule: Rule, condition: Condition) -> Rule:
    """The rule without the condition."""
    if condition in _OF_THE_RULE:
        anything: t.Dict[str, t.Any] = {_OF_THE_RULE[condition]: None}
        return dataclasses.replace(rule, **anything)
    name, any_value = _OF_TRAFFIC[condition]
    anything = {name: any_value}
    return dataclasses.replace(rule, traffic=tuple(dataclasses.replace(kind, **anything) for kind in rule.traffic))


@pytest.mark.parametrize("seed", _SEEDS)
def test_near_misses_are_what_one_condition_keeps_from_matching(seed: int) -> None:
    program = program_of(PolicyGenerator(seed).variables(_RULES))
    found = 0
    for packet in PacketGenerator(program, seed).packets(_PACKETS):
        decision = evaluate(program, packet)
        explanation = explain(program, GivenPacket(packet))
        assert explanation.decision == decision
        wanted: t.List[t.Tuple[Rule, Condition]] = []
        if decision.stage not in (Stage.INTERFACE, Stage.UNRESTRICTED):
            for step in program.chain(packet.direction).steps:
                if matches(step.rule, packet):
                    break
                wanted.extend(
                    (step.rule, condition)
                    for condition in Condition
                    if matches(without(step.rule, condition), packet)
                    and (step.stage, condition) != (Stage.STATE, Condition.STATE)
                )
        assert {(id(miss.rule), miss.condition) for miss in explanation.near_misses} == {
            (id(rule), condition) for rule, condition in wanted
        }
        order = [id(miss.rule) for miss in explanation.near_misses]
        assert order == sorted(order, key=[id(rule) for rule, _condition in wanted].index)
        found += len(wanted)
    assert found > _PACKETS
