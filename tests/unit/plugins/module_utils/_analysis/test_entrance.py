# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is outside, and which ports are open for nobody."""

from __future__ import annotations

import typing as t

from ansible_collections.palisade.nftables.plugins.module_utils._analysis.decided import DecidedChain
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.entrance import (
    EVERYBODY,
    Answer,
    Door,
    Entrance,
    outside_of,
)
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.unused_ports import find_unused_ports
from ansible_collections.palisade.nftables.plugins.module_utils._compile.lower import lower
from ansible_collections.palisade.nftables.plugins.module_utils._core.addresses import AddressSet, parse_range
from ansible_collections.palisade.nftables.plugins.module_utils._core.intervals import IntervalSet
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import Program, build_program

HERE = {4: IntervalSet.single(0xC0000201)}


def network(*texts: str) -> AddressSet:
    return AddressSet(one for one in (parse_range(text) for text in texts) if one is not None)


def scene(*rules: t.Mapping[str, t.Any], **variables: t.Any) -> t.Tuple[Program, DecidedChain]:
    listed = [{"direction": "ingress", "action": "accept", **rule} for rule in rules]
    program = build_program(
        parse_firewall({"firewall_policies": {"web": {"rules": listed}}, "firewall_assigned": ["web"], **variables})
    )
    return program, DecidedChain(program, lower(program).chains[0])


def ask(port: int, *rules: t.Mapping[str, t.Any], **variables: t.Any) -> t.Optional[Answer]:
    return Entrance(*scene(*rules, **variables)).ask(Door(6, port, HERE), EVERYBODY)


def test_outside_is_who_is_in_no_network() -> None:
    outside = outside_of([network("198.51.100.0/24", "2001:db8::/32"), network("10.0.0.0/8")])
    assert outside[4].size == (1 << 32) - (1 << 8) - (1 << 24)
    assert outside[6].size == (1 << 128) - (1 << 96)


def test_a_network_that_is_the_world_stays_outside() -> None:
    assert outside_of([network("0.0.0.0/4", "2000::/4")]) == EVERYBODY
    assert outside_of([network("0.0.0.0/5")]) != EVERYBODY


def test_a_direction_that_nothing_restricts() -> None:
    assert ask(80, firewall_default_ingress="accept", firewall_assigned=[]) == Answer("accept", "default-ingress")


def test_refused_by_two_actions_is_dropped() -> None:
    rule = {"protocol": "tcp", "sources": ["192.0.2.0/24"], "action": "reject"}
    assert ask(80, rule) == Answer("drop", "default-ingress")


def test_a_hole_by_source_port_is_seen() -> None:
    rule = {"protocol": "tcp", "source_ports": 53}
    assert ask(22, rule) == Answer("some", "web[0]")


def test_no_address_of_that_family() -> None:
    program, ingress = scene({"protocol": "tcp", "destination_ports": 80})
    entrance = Entrance(program, ingress)
    assert entrance.ask(Door(6, 80, HERE), network("2001:db8::/32").by_family) is None


def test_exposed_from_a_sixteenth_on() -> None:
    for prefix, exposed in (("0.0.0.0/4", True), ("0.0.0.0/5", False)):
        rule = {"protocol": "tcp", "destination_ports": 80, "sources": [prefix]}
        assert Entrance(*scene(rule)).is_exposed(Door(6, 80, HERE)) is exposed


def unused(*rules: t.Mapping[str, t.Any], tcp: t.Iterable[int] = ()) -> t.List[t.Tuple[str, str, str]]:
    listened = {6: IntervalSet((port, port) for port in tcp)}
    found = find_unused_ports(scene(*rules)[1], listened)
    return [(one["protocol"], one["ports"], one["rule"]) for one in found]


def test_ports_that_nobody_listens_on() -> None:
    rule = {"protocol": ["tcp", "udp"], "destination_ports": ["8000-8010", 443]}
    assert unused(rule, tcp=(443, 8000, 8005)) == [
        ("tcp", "8001-8004", "web[0]"),
        ("tcp", "8006-8010", "web[0]"),
        ("udp", "443", "web[0]"),
        ("udp", "8000-8010", "web[0]"),
    ]


def test_a_rule_that_names_no_port_opens_none_in_particular() -> None:
    assert unused({"sources": ["198.51.100.0/24"]}, {"protocol": "tcp"}, {"protocol": "icmp"}) == []


def test_ports_that_an_earlier_rule_decides_are_not_the_later_ones() -> None:
    closed = {"protocol": "tcp", "destination_ports": "8002-8005", "action": "drop"}
    partly = {"protocol": "tcp", "destination_ports": "8008", "sources": ["198.51.100.0/24"], "action": "drop"}
    opened = {"protocol": "tcp", "destination_ports": "8000-8010"}
    assert unused(closed, partly, opened) == [("tcp", "8000-8001", "web[2]"), ("tcp", "8006-8010", "web[2]")]
