# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Contabo's document says about its firewall and the host's (R79-R104), as packets."""

from __future__ import annotations

from .conftest import Check
from .wording import OTHER, OTHER6, PEER, PEER6, accepts, assigned, drops, from_host, refusal, rule, tcp_in, to_host


def test_r79_nothing_is_filtered_before_a_policy(check: Check) -> None:
    check({"firewall_profile": "contabo"}, accepts(to_host("tcp", OTHER, 9999), from_host("tcp", OTHER, 25)))


def test_r82_blocked_packets_are_counted_on_the_host(check: Check) -> None:
    counters = check(assigned("contabo", tcp_in(22)), drops(to_host("tcp", OTHER, 23), to_host("udp", OTHER6, 23)))
    assert counters["ingress/default"][0] == 2


def test_r84_contabo_is_inbound_only(check: Check) -> None:
    assert "filters incoming traffic only" in refusal(assigned("contabo", rule("egress", protocol="tcp")))
    assert "no default action drop" in refusal(assigned("contabo", firewall_default_egress="drop"))
    check(assigned("contabo", tcp_in(22)), accepts(from_host("tcp", OTHER, 25)))


def test_r85_the_host_filters_both_ways(check: Check) -> None:
    variables = assigned("host", tcp_in(80), rule("egress", protocol="tcp", destination_ports=443))
    check(variables, drops(to_host("tcp", PEER, 8080), from_host("tcp", PEER, 8080)))


def test_r87_not_assigned_means_inactive(check: Check) -> None:
    check({"firewall_profile": "contabo", "firewall_assigned": []}, accepts(to_host("tcp", OTHER, 22)))


def test_r88_an_empty_policy_blocks_all_inbound(check: Check) -> None:
    check(assigned("contabo"), drops(to_host("tcp", OTHER, 22), to_host("icmp", PEER), to_host("udp", OTHER6, 53)))


def test_r90_outbound_is_unrestricted_and_answered(check: Check) -> None:
    answers = [
        to_host("tcp", OTHER, 40000, sport=443, state="established", reply=True),
        to_host("udp", OTHER6, 40000, sport=123, state="established", reply=True),
    ]
    check(assigned("contabo"), accepts(from_host("tcp", OTHER, 443), from_host("udp", OTHER6, 123), *answers))


def test_r91_r93_outbound_is_configurable_on_the_host(check: Check) -> None:
    variables = assigned("host", rule("egress", protocol="tcp", destination_ports=443))
    check(variables, [*accepts(from_host("tcp", PEER, 443)), *drops(from_host("tcp", PEER, 5432))])


def test_r99_closing_a_port_keeps_open_connections(check: Check) -> None:
    """Closed for new connections; the open one goes on in both directions."""
    variables = assigned("host", tcp_in(22, action="drop"), rule("ingress", protocol="tcp"))
    check(variables, drops(to_host("tcp", PEER, 22)))
    check(
        variables,
        accepts(
            to_host("tcp", PEER, 22, state="established"),
            from_host("tcp", PEER, 40000, sport=22, state="established", reply=True),
        ),
    )


def test_r100_both_families_get_the_same_verdict(check: Check) -> None:
    variables = assigned("host", tcp_in(80))
    check(variables, accepts(to_host("tcp", PEER, 80), to_host("tcp", PEER6, 80)))
    check(variables, drops(to_host("tcp", PEER, 81), to_host("tcp", PEER6, 81)))


def test_contabo_takes_fifteen_ports(check: Check) -> None:
    ports = list(range(1000, 1030, 2))
    check(assigned("contabo", tcp_in(ports)), accepts(*[to_host("tcp", PEER, port) for port in ports]))
    assert "at most 15 port" in refusal(assigned("contabo", tcp_in([*ports, 2000])))
