# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The five examples of netcup's document (R52-R68), asked of the reference evaluator and of the kernel."""

from __future__ import annotations

from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall

from .conftest import Check
from .wording import (
    OTHER,
    PEER,
    PEER6,
    TIME_SERVER,
    accepts,
    drops,
    from_host,
    netcup,
    rule,
    tcp_in,
    tcp_out,
    to_host,
)

EXAMPLE_1 = (tcp_in("22"), rule("egress", protocol="tcp", source_ports="22"))
EXAMPLE_2 = (
    tcp_in("80"),
    tcp_in("443"),
    rule("egress", protocol="tcp", source_ports="80"),
    rule("egress", protocol="tcp", source_ports="443"),
)
EXAMPLE_3 = (
    rule("ingress", protocol="tcp", sources=["198.51.100.0/24"]),
    rule("egress", protocol="tcp", destinations=["198.51.100.0/24"]),
)
_BOTH = ["198.51.100.10/32", "2001:db8::cafe/128"]
EXAMPLE_4 = (
    tcp_in("3306", sources=_BOTH),
    rule("egress", protocol="tcp", destinations=_BOTH, source_ports="3306"),
)
EXAMPLE_5 = (
    tcp_out("80"),
    tcp_out("443"),
    tcp_out("22"),
    rule("egress", protocol="udp", destination_ports="123"),
    rule("ingress", protocol="udp", source_ports="123"),
)


def test_r52_example_1_ssh_in(check: Check) -> None:
    check(netcup(*EXAMPLE_1), accepts(to_host("tcp", PEER, 22)))
    check(netcup(*EXAMPLE_1), drops(to_host("udp", PEER, 22), to_host("tcp", PEER, 23)))


def test_r53_example_1_ssh_answers(check: Check) -> None:
    """An inbound connection lives by its rules in both directions."""
    answer = from_host("tcp", PEER, 40000, sport=22, state="established", reply=True)
    check(netcup(*EXAMPLE_1), accepts(answer, from_host("tcp", PEER, 40001, sport=22)))
    check(netcup(EXAMPLE_1[0], tcp_out(443)), drops(answer))


def test_r55_example_2_web_in(check: Check) -> None:
    variables = netcup(*EXAMPLE_2[:2])
    assert parse_firewall(variables).effective_rules == 2
    check(variables, accepts(to_host("tcp", PEER, 80), to_host("tcp", PEER, 443)))
    check(variables, drops(to_host("tcp", PEER, 81)))


def test_r56_example_2_web_answers(check: Check) -> None:
    variables = netcup(*EXAMPLE_2)
    check(variables, accepts(from_host("tcp", PEER, 40000, sport=80), from_host("tcp", PEER, 40000, sport=443)))
    check(variables, drops(from_host("tcp", PEER, 40000, sport=8080)))


def test_r57_example_3_prefix_in(check: Check) -> None:
    variables = netcup(*EXAMPLE_3)
    check(variables, accepts(to_host("tcp", "198.51.100.77", 1), to_host("tcp", "198.51.100.77", 65535)))
    check(variables, drops(to_host("tcp", "198.51.101.1", 1), to_host("udp", "198.51.100.77", 1)))


def test_r58_example_3_prefix_out(check: Check) -> None:
    variables = netcup(*EXAMPLE_3)
    check(variables, [*accepts(from_host("tcp", "198.51.100.77", 5432)), *drops(from_host("tcp", OTHER, 443))])


def test_r59_example_4_mysql_in(check: Check) -> None:
    variables = netcup(*EXAMPLE_4)
    assert parse_firewall(netcup(EXAMPLE_4[0])).effective_rules == 2
    check(variables, accepts(to_host("tcp", PEER, 3306), to_host("tcp", PEER6, 3306)))
    check(variables, drops(to_host("tcp", "198.51.100.11", 3306), to_host("tcp", "2001:db8::beef", 3306)))


def test_r60_example_4_mysql_answers(check: Check) -> None:
    variables = netcup(*EXAMPLE_4)
    check(variables, accepts(from_host("tcp", PEER, 40000, sport=3306), from_host("tcp", PEER6, 40000, sport=3306)))
    check(variables, drops(from_host("tcp", "198.51.100.11", 40000, sport=3306)))


def test_r61_example_5_answers_need_no_rule(check: Check) -> None:
    """The whole handshake: SYN out, SYN/ACK in, ACK out."""
    variables = netcup(*EXAMPLE_5)
    syn_ack = to_host("tcp", PEER, 40000, sport=443, state="established", reply=True)
    ack = from_host("tcp", PEER, 443, state="established")
    check(variables, accepts(from_host("tcp", PEER, 443), syn_ack, ack))


def test_r62_example_5_web_out(check: Check) -> None:
    variables = netcup(*EXAMPLE_5)
    check(variables, accepts(from_host("tcp", PEER, 80), from_host("tcp", PEER6, 443)))
    check(variables, drops(from_host("tcp", PEER, 8080)))


def test_r63_example_5_ssh_out(check: Check) -> None:
    check(netcup(*EXAMPLE_5), accepts(from_host("tcp", PEER, 22)))


def test_r64_example_5_time_out(check: Check) -> None:
    check(netcup(*EXAMPLE_5), accepts(from_host("udp", TIME_SERVER, 123)))


def test_r65_example_5_time_answers(check: Check) -> None:
    variables = netcup(*EXAMPLE_5)
    check(variables, accepts(to_host("udp", TIME_SERVER, 50313, sport=123)))
    check(variables, drops(to_host("udp", TIME_SERVER, 50313, sport=124)))


def test_r66_example_5_cuts_ssh(check: Check) -> None:
    """The packets; that a run over ssh stops before anything is touched is shown by the guard's own test."""
    check(netcup(*EXAMPLE_5), drops(to_host("tcp", PEER, 22)))


def test_r68_egress_web(check: Check) -> None:
    check(netcup(tcp_out("80"), tcp_out("443")), accepts(from_host("tcp", PEER, 443)))
