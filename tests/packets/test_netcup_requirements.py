# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What netcup's document says about its firewall (R1-R78), one test for each statement about behaviour;
the five examples are in ``test_netcup_examples.py``.

Every test is asked of the reference evaluator and of the kernel. The names carry the numbers; the
table in ``tests/README.md`` maps every number to its test.
"""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Layout
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall

from .conftest import Check
from .wording import (
    OTHER,
    OTHER6,
    PEER,
    PEER6,
    TIME_SERVER,
    accepts,
    assigned,
    drops,
    from_host,
    netcup,
    program_of,
    refusal,
    rejects,
    rule,
    tcp_in,
    tcp_out,
    text_of,
    to_host,
)

NETCUP_RESOLVER = "46.38.225.230"


def test_r1_filters_both_directions(check: Check) -> None:
    variables = netcup(tcp_in(80), tcp_out(443))
    check(variables, drops(to_host("tcp", PEER, 8080), from_host("tcp", PEER, 8080)))
    check(variables, accepts(to_host("tcp", PEER, 80), from_host("tcp", PEER, 443)))


def test_r2_stops_and_counts_data_leaving(check: Check) -> None:
    counters = check(netcup(tcp_out(443)), drops(from_host("tcp", PEER, 5432)))
    assert counters["egress/default"][0] == 1


def test_r3_extras_need_the_host_profile(check: Check) -> None:
    """Read as the design decides: what the provider lacks is what the profile ``host`` adds."""
    refused = rule("ingress", action="reject", protocol="tcp", destination_ports=81)
    assert "firewall_policies.web.rules[0].action" in refusal(netcup(refused))
    check(assigned("host", refused), rejects(to_host("tcp", PEER, 81)))


def test_r4_rules_are_traced_to_their_policy(check: Check) -> None:
    """Read as the design decides: a policy is traced by comments and counters, not by a chain of its own."""
    variables = netcup(tcp_in(80), tcp_in(443), tcp_out(443), firewall_published="leave")
    counters = check(variables, accepts(to_host("tcp", PEER, 80), to_host("tcp", PEER, 443)))
    assert [counters["policy/web/%d" % index][0] for index in range(3)] == [1, 1, 0]
    text = text_of(program_of(variables))
    assert [text.count('comment "web[%d]"' % index) for index in range(3)] == [1, 1, 1]


def test_r5_new_server_allows_everything(check: Check) -> None:
    variables = {"firewall_profile": "netcup", "firewall_policies": {}, "firewall_assigned": []}
    check(variables, accepts(to_host("tcp", OTHER, 9999), from_host("udp", OTHER, 9999)))


def test_r6_only_assigned_policies_count(check: Check) -> None:
    policies = {"a": {"rules": [tcp_in(80)]}, "b": {"rules": [tcp_in(81)]}}
    variables = {"firewall_profile": "netcup", "firewall_policies": policies, "firewall_assigned": ["a"]}
    check(variables, [*accepts(to_host("tcp", PEER, 80)), *drops(to_host("tcp", PEER, 81))])
    assert "policy/b/" not in text_of(program_of(variables))
    assert "the policy 'c' is not in firewall_policies" in refusal({**variables, "firewall_assigned": ["c"]})


def test_r7_return_traffic_of_own_tcp_connections(check: Check) -> None:
    answer = to_host("tcp", PEER, 50000, sport=443, state="established", reply=True)
    check(netcup(tcp_in(22)), accepts(from_host("tcp", PEER, 443), answer))


def test_r8_udp_has_no_state(check: Check) -> None:
    answer = to_host("udp", TIME_SERVER, 50313, sport=123, state="established", reply=True)
    variables = netcup(tcp_in(22))
    check(variables, [*accepts(from_host("udp", TIME_SERVER, 123)), *drops(answer)])


def test_r10_r11_dns_server_needs_both_directions(check: Check) -> None:
    query_in = rule("ingress", protocol="udp", destination_ports=53)
    answer_out = rule("egress", protocol="udp", source_ports=53)
    check(
        netcup(query_in, answer_out),
        [
            *accepts(to_host("udp", PEER, 53), from_host("udp", PEER, 40000, sport=53)),
            *drops(to_host("udp", PEER, 54), from_host("udp", PEER, 40000, sport=54)),
        ],
    )


def test_r12_unsolicited_acknowledgement_is_dropped(check: Check) -> None:
    """A segment of no known connection is a new one to conntrack, and no rule lets it in."""
    answer = to_host("tcp", PEER, 50000, sport=443, state="established", reply=True)
    variables = netcup(tcp_out(443), tcp_in(22))
    check(variables, [*accepts(answer), *drops(to_host("tcp", PEER, 50001, sport=443))])


def test_r13_udp_client_needs_both_directions(check: Check) -> None:
    query, reply = (
        rule("egress", protocol="udp", destination_ports=53),
        rule("ingress", protocol="udp", source_ports=53),
    )
    query_packet = from_host("udp", PEER, 53)
    reply_packet = to_host("udp", PEER, 40000, sport=53, state="established", reply=True)
    check(netcup(query, reply), accepts(query_packet, reply_packet))
    check(netcup(query, tcp_in(22)), [*accepts(query_packet), *drops(reply_packet)])
    check(netcup(reply, tcp_out(22)), [*accepts(reply_packet), *drops(query_packet)])


def test_r16_hosts_share_definitions_and_assign_their_own(check: Check) -> None:
    shared = {"ssh": {"rules": [tcp_in(22)]}, "web": {"rules": [tcp_in(80)]}}
    first = {"firewall_profile": "netcup", "firewall_policies": shared, "firewall_assigned": ["ssh", "web"]}
    second = {**first, "firewall_assigned": ["web"]}
    check(first, accepts(to_host("tcp", PEER, 22)))
    check(second, drops(to_host("tcp", PEER, 22)))
    assert "ssh" not in text_of(program_of(second))


def test_r17_nothing_assigned_allows_everything(check: Check) -> None:
    strict = netcup(tcp_in(22))
    check(strict, drops(to_host("tcp", OTHER, 3306)))
    check({**strict, "firewall_assigned": []}, accepts(to_host("tcp", OTHER, 3306)))


def test_r18_one_definition_reads_the_same_on_every_host() -> None:
    changed = netcup(tcp_in(22), tcp_in(8443))
    texts = {text_of(program_of(dict(changed))) for _host in range(2)}
    assert len(texts) == 1
    assert "tcp dport 8443" in texts.pop()


def test_r19_fixed_rules_come_before_policies(check: Check) -> None:
    block = rule("egress", action="drop", protocol="udp", destination_ports=53)
    check(netcup(block), [*accepts(from_host("udp", NETCUP_RESOLVER, 53)), *drops(from_host("udp", PEER, 53))])


def test_r20_dns_to_netcup_resolvers_always_passes(check: Check) -> None:
    variables = netcup(tcp_in(22), tcp_out(443))
    answer = to_host("udp", NETCUP_RESOLVER, 40000, sport=53, state="established", reply=True)
    forged = to_host("udp", NETCUP_RESOLVER, 161, sport=53)
    check(variables, accepts(from_host("udp", NETCUP_RESOLVER, 53), answer, from_host("tcp", NETCUP_RESOLVER, 53)))
    check(variables, drops(from_host("udp", "198.18.1.1", 53), forged))


def test_r21_outgoing_mail_is_blocked_by_default(check: Check) -> None:
    variables = {"firewall_profile": "netcup"}
    check(variables, drops(*[from_host("tcp", PEER, port) for port in (25, 465, 587)]))
    check(variables, accepts(from_host("tcp", PEER, 2525)))


def test_r22_default_rules_can_be_seen() -> None:
    text = text_of(program_of({"firewall_profile": "netcup"}), Layout.ORDERED)
    assert [text.count('comment "mail-block[%d]"' % index) for index in range(3)] == [1, 1, 1]


def test_r23_default_rules_can_be_removed(check: Check) -> None:
    check({"firewall_profile": "netcup", "firewall_default_policies": []}, accepts(from_host("tcp", PEER, 587)))


def test_r24_time_survives_an_egress_policy(check: Check) -> None:
    variables = netcup(tcp_out(443), tcp_in(22))
    query = from_host("udp", TIME_SERVER, 123)
    answer = to_host("udp", TIME_SERVER, 50313, sport=123, state="established", reply=True)
    check(variables, drops(query, answer))
    check(variables, accepts(query, answer), host={"ntp_servers": [TIME_SERVER]})
    check({**variables, "firewall_safeguards": {"ntp": True}}, accepts(query, answer))


def test_r25_dhcp_survives_an_egress_policy(check: Check) -> None:
    variables = netcup(tcp_out(443), tcp_in(22))
    request = from_host("udp", "198.51.100.254", 67, sport=68)
    answer = to_host("udp", "198.51.100.254", 68, sport=67)
    request6 = from_host("udp", "ff02::1:2", 547, sport=546, source="fe80::1")
    answer6 = to_host("udp", "fe80::2", 546, sport=547, destination="fe80::1")
    check(variables, accepts(request, answer, request6, answer6), host={"dhcp4": True, "dhcp6": True})
    check(variables, drops(request6, answer6), host={"dhcp4": True})


def test_r26_dhcp_can_be_switched_off(check: Check) -> None:
    renewal = from_host("udp", "198.51.100.254", 67, sport=68)
    variables = netcup(tcp_out(443), firewall_safeguards={"dhcp": False})
    check(variables, drops(renewal), host={"dhcp4": True})


def test_r27_defaults_come_back_when_the_variable_is_unset(check: Check) -> None:
    removed = {"firewall_profile": "netcup", "firewall_default_policies": []}
    check(removed, accepts(from_host("tcp", PEER, 25)))
    check({**removed, "firewall_default_policies": None}, drops(from_host("tcp", PEER, 25)))


def test_r29_restoring_defaults_leaves_own_policies_alone() -> None:
    own = netcup(tcp_in(22), tcp_out(443), firewall_published="leave")
    restored = {**own, "firewall_default_policies": None}
    lines = [
        [line for line in text_of(program_of(variables), Layout.ORDERED).splitlines() if 'comment "web[' in line]
        for variables in (own, restored)
    ]
    assert lines[0] == lines[1]
    assert len(lines[0]) == 2


def test_r30_mail_needs_the_default_policy_removed(check: Check) -> None:
    with_default = netcup(tcp_out(25), firewall_default_policies=None)
    check(with_default, drops(from_host("tcp", PEER, 25)))
    check(netcup(tcp_out(25)), accepts(from_host("tcp", PEER, 25)))


def test_r31_mail_block_is_outgoing_only(check: Check) -> None:
    """Read as the design decides: what netcup's interface shows, not what its page says."""
    check({"firewall_profile": "netcup"}, accepts(to_host("tcp", PEER, 25)))


def test_r32_five_hundred_effective_rules(check: Check) -> None:
    many = ["198.18.%d.%d" % divmod(number, 256) for number in range(501)]
    accepted = netcup(tcp_in(22, sources=many[:500]))
    assert parse_firewall(accepted).effective_rules == 500
    check(accepted, [*accepts(to_host("tcp", many[499], 22)), *drops(to_host("tcp", many[500], 22))])
    assert "501 effective rules" in refusal(netcup(tcp_in(22, sources=many)))


def test_r33_only_public_interfaces_are_filtered(check: Check) -> None:
    variables = netcup(tcp_in(22), tcp_out(443), firewall_interfaces=["eth0"])
    check(variables, drops(to_host("tcp", PEER, 80, interface="eth0"), from_host("tcp", PEER, 80, interface="eth0")))
    check(variables, accepts(to_host("tcp", PEER, 80, interface="eth1"), from_host("tcp", PEER, 80, interface="eth1")))


def test_r34_rules_keep_their_order(check: Check) -> None:
    alone = {"firewall_published": "leave"}
    first = text_of(program_of(netcup(tcp_in(80), **alone))).splitlines()
    longer = text_of(program_of(netcup(tcp_in(80), tcp_in(81), **alone))).splitlines()
    added = [line.strip() for line in longer if line not in first]
    assert added == ["counter policy/web/1 {", 'tcp dport 81 counter name "policy/web/1" accept comment "web[1]"']
    check(netcup(tcp_in(80), tcp_in(81)), accepts(to_host("tcp", PEER, 80), to_host("tcp", PEER, 81)))


def test_r35_direction_selects_the_traffic(check: Check) -> None:
    variables = netcup(rule("INGRESS", protocol="TCP", destination_ports="80"), tcp_out(443))
    check(variables, [*accepts(to_host("tcp", PEER, 80)), *drops(from_host("tcp", PEER, 80))])
    assert "'sideways' is not one of ingress, egress" in refusal(netcup(rule("sideways", protocol="tcp")))


def test_r36_action_accept_or_drop(check: Check) -> None:
    variables = netcup(tcp_in(23, action="drop"), rule("ingress", protocol="tcp"))
    check(variables, [*drops(to_host("tcp", PEER, 23)), *accepts(to_host("tcp", PEER, 24))])


@pytest.mark.parametrize("action", ["accept", "drop"])
def test_r37_an_ingress_rule_flips_ingress(check: Check, action: str) -> None:
    check(netcup(), accepts(to_host("tcp", PEER, 80)))
    check(netcup(tcp_in(22, action=action)), drops(to_host("tcp", PEER, 80)))


def test_r37_a_disabled_rule_does_not_flip(check: Check) -> None:
    check(netcup(tcp_in(22, enabled=False)), accepts(to_host("tcp", PEER, 80)))


def test_r38_an_egress_drop_flips_egress(check: Check) -> None:
    variables = netcup(tcp_out(25, action="drop"))
    check(variables, [*drops(from_host("tcp", PEER, 443)), *accepts(to_host("tcp", PEER, 443))])


def test_r39_directions_flip_on_their_own(check: Check) -> None:
    check(netcup(tcp_in(22)), accepts(from_host("tcp", PEER, 9999), from_host("udp", OTHER6, 9999)))
    check(netcup(tcp_out(22)), accepts(to_host("tcp", PEER, 9999), to_host("udp", OTHER6, 9999)))


def test_r40_no_reject_and_silence(check: Check) -> None:
    check(netcup(tcp_in(80)), drops(to_host("tcp", PEER, 81)))
    assert "knows only accept or drop" in refusal(netcup(tcp_in(80, action="reject")))
    assert "no default action reject" in refusal(netcup(tcp_in(80), firewall_default_ingress="reject"))


def test_r41_reject_in_the_host_profile(check: Check) -> None:
    variables = assigned(
        "host",
        rule("ingress", action="reject", protocol=["tcp", "udp"], destination_ports=81),
        rule("egress", action="reject", protocol="any", destinations=[PEER, PEER6]),
    )
    check(variables, rejects(to_host("tcp", PEER, 81), to_host("udp", PEER6, 81), to_host("tcp", PEER6, 81)))
    check(variables, rejects(from_host("tcp", PEER, 81), from_host("udp", PEER6, 81)))


def test_r42_source_ports(check: Check) -> None:
    variables = netcup(rule("ingress", protocol="tcp", source_ports="1000-11000"))
    check(variables, accepts(*[to_host("tcp", PEER, 80, sport=port) for port in (1000, 5000, 11000)]))
    check(variables, drops(*[to_host("tcp", PEER, 80, sport=port) for port in (999, 11001)]))


def test_r43_one_port_string() -> None:
    assert "firewall_policies.web.rules[0].destination_ports" in refusal(netcup(tcp_in("80,443")))
    assert "at most one port" in refusal(netcup(tcp_in([80, 443])))
    assert parse_firewall(netcup(tcp_in("80"))).effective_rules == 1


def test_r44_single_port(check: Check) -> None:
    check(netcup(tcp_in("22")), [*accepts(to_host("tcp", PEER, 22)), *drops(to_host("tcp", PEER, 23))])


def test_r45_port_range(check: Check) -> None:
    variables = netcup(tcp_in("1000-11000"))
    check(variables, accepts(to_host("tcp", PEER, 1000), to_host("tcp", PEER, 11000)))
    check(variables, drops(to_host("tcp", PEER, 999), to_host("tcp", PEER, 11001)))
    assert "is reversed" in refusal(netcup(tcp_in("11000-1000")))
    assert "'70000' is not a port (0-65535)" in refusal(netcup(tcp_in("70000")))


def test_r47_destinations(check: Check) -> None:
    variables = netcup(rule("egress", protocol="tcp", destinations=["198.51.100.0/24"]))
    check(variables, [*accepts(from_host("tcp", PEER, 1)), *drops(from_host("tcp", OTHER, 1))])
    assert "the list is empty" in refusal(netcup(rule("egress", protocol="tcp", destinations=[])))


def test_r48_sources(check: Check) -> None:
    variables = netcup(rule("ingress", protocol="tcp", sources=[PEER]))
    check(variables, [*accepts(to_host("tcp", PEER, 1)), *drops(to_host("tcp", OTHER, 1))])


def test_r49_destination_ports(check: Check) -> None:
    check(netcup(tcp_in(443)), [*accepts(to_host("tcp", PEER, 443)), *drops(to_host("tcp", PEER, 8443))])


def test_r69_ingress_only_leaves_egress_open(check: Check) -> None:
    check(netcup(tcp_in("80"), tcp_in("443")), accepts(from_host("tcp", OTHER, 1), from_host("udp", OTHER6, 65535)))


def test_r70_no_switch_in_the_model() -> None:
    assert "unknown key 'active'" in refusal({**netcup(), "firewall_policies": {"web": {"active": False, "rules": []}}})


def test_r71_removing_all_policies_allows_everything(check: Check) -> None:
    """Read as the design decides: default policies stay unless they are removed as well."""
    empty: t.Dict[str, object] = {"firewall_profile": "netcup", "firewall_assigned": []}
    check(empty, [*accepts(to_host("tcp", OTHER, 3306)), *drops(from_host("tcp", OTHER, 25))])
    check({**empty, "firewall_default_policies": []}, accepts(from_host("tcp", OTHER, 25)))


def test_r72_allow_all_belongs_above_the_others(check: Check) -> None:
    allow = [rule("ingress", protocol=name) for name in ("tcp", "udp", "icmp", "icmpv6")]
    policies = {"allow-all": {"rules": allow}, "strict": {"rules": [tcp_in(23, action="drop")]}}
    variables = {"firewall_profile": "netcup", "firewall_policies": policies}
    packet = to_host("tcp", PEER, 23)
    check({**variables, "firewall_assigned": ["allow-all", "strict"]}, accepts(packet))
    check({**variables, "firewall_assigned": ["strict", "allow-all"]}, drops(packet))


def test_r77_does_not_lean_on_the_provider(check: Check) -> None:
    """The same policy under the host profile: complete by itself, whoever filters before it."""
    variables = assigned("host", tcp_in("80"), tcp_in("443"))
    check(variables, [*accepts(to_host("tcp", PEER, 80)), *drops(to_host("tcp", PEER, 81), to_host("udp", PEER6, 80))])
