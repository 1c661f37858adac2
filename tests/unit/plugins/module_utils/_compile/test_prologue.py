# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes before the policies: few rules for most packets, and every packet is decided as the rules say."""

from __future__ import annotations

import dataclasses
import itertools
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._compile.auto import layout_auto
from ansible_collections.palisade.nftables.plugins.module_utils._compile.compile import compile_program
from ansible_collections.palisade.nftables.plugins.module_utils._compile.lower import lower
from ansible_collections.palisade.nftables.plugins.module_utils._compile.lowered import Box, LoweredChain, LoweredRule
from ansible_collections.palisade.nftables.plugins.module_utils._compile.prologue import state_rules
from ansible_collections.palisade.nftables.plugins.module_utils._compile.table import (
    Field,
    Match,
    Table,
    TableChain,
    TableRule,
    Verdict,
    VerdictKind,
)
from ansible_collections.palisade.nftables.plugins.module_utils._core.intervals import IntervalSet
from ansible_collections.palisade.nftables.plugins.module_utils._policy.evaluate import evaluate
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import (
    Action,
    Direction,
    FlowDirection,
    Origin,
    Stage,
    State,
)
from ansible_collections.palisade.nftables.plugins.module_utils._policy.packet import Packet
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import Program
from tests.packets.wording import program_of
from tests.properties.table_model import TableModel
from tests.properties.truth import counter_of

_INTERFACES = ("eth0", "eno1", "lo", "docker0", "e", "wlan0", "br-lan", "tailscale0")

_PROFILES: t.Mapping[str, t.Mapping[str, t.Any]] = {
    "host": {"firewall_default_ingress": "drop", "firewall_default_egress": "reject"},
    "host that accepts": {
        "firewall_policies": {
            "a": {"rules": [{"direction": way, "action": "drop", "protocol": "udp"} for way in ("ingress", "egress")]}
        },
        "firewall_assigned": ["a"],
        "firewall_default_ingress": "accept",
        "firewall_default_egress": "accept",
    },
    "netcup": {
        "firewall_profile": "netcup",
        "firewall_default_ingress": "drop",
        "firewall_default_egress": "drop",
        "firewall_safeguards": {"dns": True, "ntp": True, "dhcp": True, "ssh": True},
    },
    "contabo": {"firewall_profile": "contabo", "firewall_policies": {"a": {"rules": []}}, "firewall_assigned": ["a"]},
}
_CHOICES: t.Sequence[t.Mapping[str, t.Any]] = (
    {},
    {"firewall_interfaces": ["eth0"]},
    {"firewall_interfaces": ["e*", "wlan0"]},
    {"firewall_interfaces_ignored": []},
    {"firewall_interfaces_ignored": ["eno1"]},
    {"firewall_interfaces_ignored": ["e*", "docker0"]},
)


def _packets() -> t.Iterator[Packet]:
    kinds: t.Sequence[t.Tuple[int, int, t.Dict[str, t.Any]]] = (
        (4, 6, {"source_port": 53, "destination_port": 22}),
        (6, 6, {"source_port": 40000, "destination_port": 53, "tcp_reset": True}),
        (4, 17, {"source_port": 53, "destination_port": 68}),
        (6, 17, {"source_port": 547, "destination_port": 546}),
        (4, 1, {"icmp_type": 8}),
        (6, 58, {"icmp_type": 135, "hop_limit": 255}),
        (6, 58, {"icmp_type": 135, "hop_limit": 64}),
        (6, 58, {"icmp_type": 143}),
        (6, 58, {"icmp_type": 1}),
        (4, 47, {}),
    )
    link_local = 0xFE80 << 112
    for (family, protocol, more), state, flow, direction, interface in itertools.product(
        kinds, State, FlowDirection, Direction, _INTERFACES
    ):
        for source in (1,) if family == 4 else (1, link_local + 5):
            yield Packet(direction, family, protocol, source, 2, interface, state=state, flow_direction=flow, **more)


def _chain(table: Table, name: str) -> TableChain:
    return next(chain for chain in table.chains if chain.name == name)


def _interfaces(chain: TableChain) -> t.List[t.Any]:
    return [match.value for rule in chain.rules for match in rule.matches if match.field is Field.INPUT_INTERFACE]


def _assert_decided_alike(program: Program, table: Table) -> None:
    model = TableModel(table)
    for packet in _packets():
        decision, outcome = evaluate(program, packet), model.decide(packet, (0, 0))
        counter = counter_of(decision, packet.direction)
        assert (outcome.action, outcome.counters) == (decision.action.value, (counter,) if counter else ()), packet


@pytest.mark.parametrize("choice", range(len(_CHOICES)))
@pytest.mark.parametrize("profile", _PROFILES)
def test_every_packet_is_decided_as_the_rules_say(profile: str, choice: int) -> None:
    program = program_of({**_PROFILES[profile], **_CHOICES[choice]})
    _assert_decided_alike(program, compile_program(program))


def test_most_packets_meet_one_rule_and_new_ones_on_an_ordinary_interface_a_second() -> None:
    rules = _chain(compile_program(program_of(_PROFILES["host"])), "input").rules
    assert rules[0].matches == (Match(Field.STATE, ("established",)),)
    assert rules[0].statements == (Verdict(VerdictKind.ACCEPT),)
    assert rules[1].matches == (Match(Field.INPUT_INTERFACE, ("e*",)),)
    assert rules[1].statements == (Verdict(VerdictKind.GOTO, "ingress"),)
    assert rules[2].matches == (Match(Field.INPUT_INTERFACE, ("lo",)),)
    assert rules[-1] == TableRule((), (Verdict(VerdictKind.GOTO, "ingress"),), heading="Every other interface")


def test_the_state_of_netcup_is_for_tcp_that_this_host_opened() -> None:
    table = compile_program(program_of(_PROFILES["netcup"]))
    for hook, flow in (("input", "reply"), ("output", "original")):
        fields = {match.field: match.value for match in _chain(table, hook).rules[0].matches}
        assert fields[Field.FLOW_DIRECTION] == (flow,)
        assert fields[Field.PROTOCOL] == IntervalSet.single(6)


@pytest.mark.parametrize(
    ("choice", "shortcut"),
    [
        ({}, True),
        ({"firewall_interfaces_ignored": []}, True),
        ({"firewall_interfaces_ignored": ["docker0", "wlan*"]}, True),
        ({"firewall_interfaces_ignored": ["docker0", "eno1"]}, False),
        ({"firewall_interfaces_ignored": ["e*"]}, False),
        ({"firewall_interfaces": ["eth0"]}, False),
        ({"firewall_interfaces": ["wlan0"], "firewall_interfaces_ignored": []}, False),
    ],
)
def test_names_of_ethernet_go_first_where_no_exception_can_have_one(
    choice: t.Dict[str, t.Any], *, shortcut: bool
) -> None:
    chain = _chain(compile_program(program_of({**_PROFILES["host"], **choice})), "input")
    assert (chain.rules[1].matches[0].value == ("e*",)) == shortcut
    assert (("e*",) in _interfaces(chain)[:1]) == shortcut


def test_a_pattern_of_everything_ignores_ethernet_as_well() -> None:
    program = dataclasses.replace(program_of(_PROFILES["host"]), interfaces_ignored=("*",))
    table = compile_program(program)
    assert _interfaces(_chain(table, "input")) == [("lo",), ("*",)]
    _assert_decided_alike(program, table)


def test_new_packets_pass_the_rules_about_other_states_in_one() -> None:
    table = compile_program(program_of(_PROFILES["host"]))
    discovery, states = _chain(table, "ingress").rules[:2]
    assert [match.field for match in discovery.matches + states.matches] == [Field.PROTOCOL, Field.STATE]
    assert states.matches[0].value == ("established", "invalid", "related", "untracked")
    inside = []
    for rule in (discovery, states):
        (verdict,) = rule.statements
        assert isinstance(verdict, Verdict)
        assert verdict.kind is VerdictKind.JUMP
        assert _chain(table, verdict.chain).constant
        inside.append([one.comment for one in _chain(table, verdict.chain).rules])
    assert inside == [["neighbour-discovery", "multicast-listener"], ["related", "related", "related", "invalid"]]


def test_without_anything_restricted_there_is_nothing() -> None:
    table = compile_program(program_of({}))
    assert [(chain.name, chain.rules) for chain in table.chains] == [
        ("managed_by_palisade", ()),
        ("input", ()),
        ("forward", ()),
        ("output", ()),
    ]


def _state_rule(index: int, box: Box, *, action: Action = Action.ACCEPT, counter: str = "") -> LoweredRule:
    return LoweredRule(action, Stage.STATE, Origin("own-%d" % index), (box,), counter)


_NOT_NEW = Box(states=frozenset({State.RELATED}))
_ICMPV6 = Box(family=6, protocols=IntervalSet.single(58))


@pytest.mark.parametrize(
    ("rules", "labels"),
    [
        ([], []),
        ([_state_rule(0, _NOT_NEW)], ["states"]),
        ([_state_rule(0, _ICMPV6)], ["neighbours"]),
        ([_state_rule(0, _NOT_NEW), _state_rule(1, _ICMPV6)], ["neighbours", "states"]),
        # What is behind it may be dropped and counted, what is moved ahead of it may not.
        ([_state_rule(0, _ICMPV6), _state_rule(1, _NOT_NEW, action=Action.DROP)], ["neighbours", "states"]),
        ([_state_rule(0, _NOT_NEW, action=Action.DROP), _state_rule(1, _ICMPV6)], []),
        ([_state_rule(0, _NOT_NEW, counter="ingress/a"), _state_rule(1, _ICMPV6)], []),
        # A rule about new packets, or about any state, keeps its place.
        ([_state_rule(0, Box(states=frozenset({State.NEW, State.RELATED})))], []),
        ([_state_rule(0, Box()), _state_rule(1, _NOT_NEW)], []),
        ([_state_rule(0, dataclasses.replace(_ICMPV6, states=frozenset({State.NEW})))], []),
    ],
)
def test_rules_are_gathered_only_where_that_changes_nothing(rules: t.List[LoweredRule], labels: t.List[str]) -> None:
    found: t.List[str] = []

    def add_chain(label: str, made: t.Tuple[TableRule, ...]) -> str:
        found.append(label)
        assert made
        return label

    chain = LoweredChain(
        Direction.INGRESS, restricted=True, rules=tuple(rules), default=Action.DROP, default_counter=""
    )
    made = state_rules(chain, add_chain)
    assert found == labels
    if not labels:
        assert [rule.comment for rule in made] == [str(rule.origin) for rule in rules]


def test_the_rule_for_established_packets_goes_to_the_base_chain_only_where_it_is_the_first() -> None:
    program = lower(program_of(_PROFILES["host"]))
    first = program.chains[0]
    for rules, moved in (
        (first.rules, True),
        (first.rules[1:], False),
        ((dataclasses.replace(first.rules[0], counter="ingress/established"), *first.rules[1:]), False),
        ((dataclasses.replace(first.rules[0], action=Action.DROP), *first.rules[1:]), False),
    ):
        changed = dataclasses.replace(program, chains=(dataclasses.replace(first, rules=rules), program.chains[1]))
        table, _notes = layout_auto(changed)
        in_base = any(match.field is Field.STATE for match in _chain(table, "input").rules[0].matches)
        assert in_base == moved
