# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lowering: boxes that hold the packets which the rule matches, and no others."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._compile.lower import lower, policy_counter
from ansible_collections.palisade.nftables.plugins.module_utils._compile.lowered import Box, LoweredRule
from ansible_collections.palisade.nftables.plugins.module_utils._core.intervals import IntervalSet
from ansible_collections.palisade.nftables.plugins.module_utils._policy.evaluate import matches
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Direction
from ansible_collections.palisade.nftables.plugins.module_utils._policy.packet import Packet
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import build_program
from tests.properties.generate import PacketGenerator, PolicyGenerator


def _holds(allowed: t.Optional[t.Container[int]], value: t.Optional[int]) -> bool:
    return allowed is None or (value is not None and value in allowed)


def in_box(box: Box, packet: Packet) -> bool:
    """Whether every field of the packet lies in the box, addresses only where the families agree."""
    return (
        box.family in (None, packet.family)
        and _holds(box.protocols, packet.protocol)
        and _holds(box.sources, packet.source)
        and _holds(box.destinations, packet.destination)
        and _holds(box.source_ports, packet.source_port)
        and _holds(box.destination_ports, packet.destination_port)
        and _holds(box.icmp_types, packet.icmp_type)
        and (box.states is None or packet.state in box.states)
        and box.flow_direction in (None, packet.flow_direction)
        and box.hop_limit in (None, packet.hop_limit)
        and (packet.tcp_reset or not box.tcp_reset)
    )


def lowered_rules(variables: t.Mapping[str, object], direction: Direction) -> t.Dict[str, LoweredRule]:
    program = lower(build_program(parse_firewall(variables)))
    chain = next(chain for chain in program.chains if chain.direction is direction)
    return {str(rule.origin): rule for rule in chain.rules}


def one_rule(**rule: object) -> LoweredRule:
    written = {"direction": "ingress", "action": "accept", **rule}
    variables: t.Dict[str, object] = {
        "firewall_networks": {"office": ["198.51.100.0/24", "2001:db8:1::/48"], "nobody": []},
        "firewall_policies": {"a": {"rules": [written]}},
        "firewall_assigned": ["a"],
    }
    return lowered_rules(variables, Direction.INGRESS)["a[0]"]


@pytest.mark.parametrize("seed", range(1, 13))
def test_a_packet_is_in_a_box_of_the_rules_that_it_matches_and_of_no_other(seed: int) -> None:
    program = build_program(parse_firewall(PolicyGenerator(seed).variables(60)))
    lowered = {chain.direction: chain for chain in lower(program).chains}
    compared = 0
    for packet in PacketGenerator(program, seed).packets(150):
        chain = program.chain(packet.direction)
        for step, rule in zip(chain.steps, lowered[packet.direction].rules):
            assert matches(step.rule, packet) == any(in_box(box, packet) for box in rule.boxes)
            compared += 1
    assert compared > 1000


def test_nothing_of_a_family_is_one_box_for_both() -> None:
    assert one_rule().boxes == (Box(),)


def test_addresses_of_both_families_are_a_box_for_each() -> None:
    boxes = one_rule(sources=["office"], protocol="tcp", destination_ports=22).boxes
    assert [box.family for box in boxes] == [4, 6]
    assert {box.destination_ports for box in boxes} == {IntervalSet.single(22)}


def test_a_network_without_addresses_is_no_box() -> None:
    assert one_rule(sources=["nobody"]).boxes == ()
    assert one_rule(sources=["office"], destinations=["nobody"]).boxes == ()


def test_a_family_that_one_side_lacks_is_no_box() -> None:
    assert [box.family for box in one_rule(sources=["office"], destinations="192.0.2.10").boxes] == [4]


def test_icmp_is_a_box_of_its_family() -> None:
    assert [box.family for box in one_rule(protocol=["icmp", "icmpv6"]).boxes] == [4, 6]
    assert [box.family for box in one_rule(protocol="icmpv6", sources=["office"]).boxes] == [6]


def test_labels_are_the_network_where_it_is_the_only_one() -> None:
    assert one_rule(sources=["office"]).source_label == "office"
    assert one_rule(sources=["office", "203.0.113.7"]).source_label == ""
    assert one_rule(sources="198.51.100.7").source_label == ""
    assert one_rule(destinations="office").destination_label == "office"


def test_every_policy_rule_has_its_counter_and_established_traffic_has_none() -> None:
    variables: t.Dict[str, object] = {"firewall_default_ingress": "drop", "firewall_safeguards": {"ssh": True}}
    counters = {name: rule.counter for name, rule in lowered_rules(variables, Direction.INGRESS).items()}
    assert counters == {
        "established": "",
        "related": "",
        "neighbour-discovery": "",
        "multicast-listener": "",
        "invalid": "ingress/invalid",
        "ssh": "ingress/ssh",
        "ping[0]": "policy/ping/0",
    }
    assert policy_counter("web", 3) == "policy/web/3"


@pytest.mark.parametrize("seed", range(1, 5))
def test_without_counters_there_is_no_name_of_one_and_nothing_else_differs(seed: int) -> None:
    program = build_program(parse_firewall(PolicyGenerator(seed).variables(40)))
    without = lower(program, counters=False)
    names = {rule.counter for chain in without.chains for rule in chain.rules}
    assert names | {chain.default_counter for chain in without.chains} == {""}
    stripped = tuple(
        replace(chain, rules=tuple(replace(rule, counter="") for rule in chain.rules), default_counter="")
        for chain in lower(program).chains
    )
    assert without == replace(lower(program), chains=stripped)


def test_a_direction_that_nothing_restricts_has_no_rules() -> None:
    assert lowered_rules({}, Direction.EGRESS) == {}
