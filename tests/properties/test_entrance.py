# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who gets in, on random policies: the answer is that of the evaluator at every source that can make a difference."""

from __future__ import annotations

import random
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._analysis.decided import DecidedChain
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.entrance import Door, Entrance, Sources
from ansible_collections.palisade.nftables.plugins.module_utils._compile.lower import lower
from ansible_collections.palisade.nftables.plugins.module_utils._core.addresses import UNIVERSE
from ansible_collections.palisade.nftables.plugins.module_utils._core.intervals import IntervalSet
from ansible_collections.palisade.nftables.plugins.module_utils._policy.evaluate import evaluate
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Action, Direction, State
from ansible_collections.palisade.nftables.plugins.module_utils._policy.packet import Packet
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import Program, build_program

from .generate import PacketGenerator, PolicyGenerator

_RULES, _QUESTIONS = 20, 12
_PORTS = IntervalSet(((0, 65535),))


class _Case(t.NamedTuple):
    program: Program
    entrance: Entrance
    packets: t.List[Packet]


@pytest.fixture(name="case", params=range(1, 13), scope="module")
def fixture_case(request: pytest.FixtureRequest) -> _Case:
    firewall = parse_firewall(PolicyGenerator(request.param).variables(_RULES))
    program = build_program(firewall)
    ingress = next(chain for chain in lower(program).chains if chain.direction is Direction.INGRESS)
    found = [
        packet
        for packet in PacketGenerator(program, request.param).packets(1500)
        if packet.direction is Direction.INGRESS
        and packet.destination_port is not None
        and packet.state is State.NEW
        and program.filters(packet.interface)
    ]
    return _Case(program, Entrance(program, DecidedChain(program, ingress)), found[:_QUESTIONS])


def _door(packet: Packet) -> Door:
    return Door(packet.protocol, packet.destination_port, {packet.family: IntervalSet.single(packet.destination)})


def _classes(program: Program, family: int) -> t.Tuple[t.List[int], t.List[int]]:
    """The first source and the first source port of each stretch in which no rule tells them apart."""
    sources, ports = {0}, {0}
    for step in program.ingress.steps:
        if step.rule.sources is not None:
            for low, high in step.rule.sources[family].intervals:
                sources.update((low, high + 1))
        for traffic in step.rule.traffic:
            for low, high in (traffic.source_ports or _PORTS).intervals:
                ports.update((low, high + 1))
    return sorted(one for one in sources if one in UNIVERSE[family]), sorted(one for one in ports if one in _PORTS)


def _actions(case: _Case, packet: Packet, source: int, ports: t.Iterable[int]) -> t.Set[Action]:
    """What a new connection from there meets, whatever port it comes from."""
    return {
        evaluate(
            case.program,
            Packet(
                direction=Direction.INGRESS,
                family=packet.family,
                protocol=packet.protocol,
                source=source,
                destination=packet.destination,
                interface=packet.interface,
                source_port=port,
                destination_port=packet.destination_port,
            ),
        ).action
        for port in ports
    }


def _expected(actions: t.Set[Action]) -> str:
    if Action.ACCEPT in actions:
        return "accept" if len(actions) == 1 else "some"
    return "drop" if Action.DROP in actions else "reject"


def test_the_verdict_for_everybody_and_for_some(case: _Case) -> None:
    generator = random.Random(len(case.packets))
    assert case.packets
    for packet in case.packets:
        sources, ports = _classes(case.program, packet.family)
        chosen = sorted(generator.sample(sources, min(3, len(sources))))
        cases: t.List[t.Tuple[Sources, t.Set[Action]]] = [
            (UNIVERSE, {one for source in sources for one in _actions(case, packet, source, ports)}),
            (
                {packet.family: IntervalSet((source, source) for source in chosen)},
                {one for source in chosen for one in _actions(case, packet, source, ports)},
            ),
        ]
        for asked, actions in cases:
            answer = case.entrance.ask(_door(packet), asked)
            assert answer is not None
            assert answer.verdict == _expected(actions), (packet, asked)


def test_the_rule_decides_so(case: _Case) -> None:
    """It is a rule of the chain whose action is the verdict, or one that accepts."""
    actions = {str(step.rule.origin): step.rule.action for step in case.program.ingress.steps}
    actions[str(case.program.ingress.default_origin)] = case.program.ingress.default
    for packet in case.packets:
        answer = case.entrance.ask(_door(packet), UNIVERSE)
        assert answer is not None
        assert actions[answer.rule].value == ("accept" if answer.verdict == "some" else answer.verdict)


def test_whether_the_world_or_anybody_gets_in(case: _Case) -> None:
    for packet in case.packets:
        sources, ports = _classes(case.program, packet.family)
        ends = [*sources[1:], UNIVERSE[packet.family].size]
        let_in = sum(
            after - source
            for source, after in zip(sources, ends)
            if Action.ACCEPT in _actions(case, packet, source, ports)
        )
        assert case.entrance.is_exposed(_door(packet)) == (let_in * 16 >= UNIVERSE[packet.family].size)
        assert case.entrance.lets_in(_door(packet)) == (let_in > 0)
