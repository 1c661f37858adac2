# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is asked of a host: the ports that its rules name, and no scan."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._analysis.asking import (
    CLOSED_AS_A_RULE,
    Listener,
    Question,
    QuestionError,
    choose_questions,
    read_extra,
    read_listeners,
)
from ansible_collections.palisade.nftables.plugins.module_utils._core.addresses import parse_address
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import Program, build_program

OWN = dict(parse_address(text) for text in ("192.0.2.1", "2001:db8::1"))
ONE = dict([parse_address("192.0.2.1")])


def program_of(*rules: t.Mapping[str, t.Any]) -> Program:
    return build_program(
        parse_firewall({"firewall_policies": {"p": {"rules": list(rules)}}, "firewall_assigned": ["p"]})
    )


def asked(program: Program, *extra: t.Tuple[str, int]) -> t.List[t.Tuple[str, t.Optional[int]]]:
    questions, left_out = choose_questions(program, ONE, extra, 1000)
    assert left_out == 0
    return [(one.protocol, one.port) for one in questions if one.port not in CLOSED_AS_A_RULE]


def test_ports_of_rules_and_both_ends_of_ranges() -> None:
    program = program_of(
        {"direction": "ingress", "protocol": ["tcp", "udp"], "destination_ports": [80, "0-1023"], "action": "accept"},
        {"direction": "ingress", "service": "dns", "action": "drop"},
        {"direction": "egress", "protocol": "tcp", "destination_ports": 25, "action": "accept"},
    )
    assert asked(program) == [
        ("icmp", None),
        ("tcp", 1),
        ("tcp", 1023),
        ("udp", 1),
        ("udp", 1023),
        ("tcp", 53),
        ("udp", 53),
    ]


def test_what_is_asked_for_comes_first_and_once() -> None:
    program = program_of({"direction": "ingress", "protocol": "tcp", "destination_ports": 80, "action": "accept"})
    assert asked(program, ("tcp", 8080), ("tcp", 80)) == [("tcp", 8080), ("tcp", 80), ("icmp", None)]


def test_both_families_and_what_few_should_reach() -> None:
    questions, _left_out = choose_questions(program_of(), OWN, (), 1000)
    assert {one.family for one in questions} == {4, 6}
    assert {one.port for one in questions} == {None, *CLOSED_AS_A_RULE}
    assert Question("tcp", 23, 6, OWN[6]).to_target() == {"protocol": "tcp", "address": "2001:db8::1", "port": 23}
    assert Question("icmp", None, 4, OWN[4]).to_target() == {"protocol": "icmp", "address": "192.0.2.1"}


def test_a_bound() -> None:
    ports = list(range(1000, 2000, 2))
    program = program_of({"direction": "ingress", "protocol": "tcp", "destination_ports": ports, "action": "accept"})
    questions, left_out = choose_questions(program, OWN, (), 100)
    assert len(questions) == 100
    assert left_out == 2 * (500 + 1 + len(CLOSED_AS_A_RULE)) - 100


@pytest.mark.parametrize(
    ("value", "port"),
    [(8080, ("tcp", 8080)), ("8080", ("tcp", 8080)), ("udp/53", ("udp", 53)), ("TCP/22", ("tcp", 22))],
)
def test_ports_to_ask_as_well(value: object, port: t.Tuple[str, int]) -> None:
    assert read_extra(value) == port


@pytest.mark.parametrize("value", ["http", "sctp/1", 70000, 0, True, "80-90", None])
def test_what_is_no_port(value: object) -> None:
    with pytest.raises(QuestionError, match="port"):
        read_extra(value)


def test_listeners() -> None:
    """What nobody outside can ask is no listener to us."""
    listed = [
        {"protocol": "tcp", "address": "0.0.0.0", "port": 80},
        {"protocol": "udp", "address": "2001:db8::1", "port": 53},
        {"protocol": "tcp", "address": "127.0.0.53", "port": 53},
        {"protocol": "tcp", "address": "::1", "port": 25},
        {"protocol": "sctp", "address": "::", "port": 9},
        {"protocol": "icmp", "address": "0.0.0.0", "port": None},
        {"protocol": "tcp", "address": "0.0.0.0", "port": 65536},
        {"protocol": "tcp", "address": "0.0.0.0", "port": -1},
    ]
    http, dns = read_listeners(listed)
    assert (http, dns) == (Listener("tcp", 80, 4, 0), Listener("udp", 53, 6, OWN[6]))
    assert http.serves(Question("tcp", 80, 4, OWN[4]))
    assert not http.serves(Question("tcp", 80, 6, OWN[6]))
    assert dns.serves(Question("udp", 53, 6, OWN[6]))
    assert not dns.serves(Question("udp", 53, 6, OWN[6] + 1))
