# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What passes before any policy is asked, packet by packet: RFC 4890, connection state, safeguards.

The rules of Palisade's own are written out here once more, as packets, because evaluator and compiler
share them: a mistake there would look the same to both.
"""

from __future__ import annotations

import typing as t

import pytest

from .conftest import Check
from .wording import OTHER, PEER, PEER6, Packet, accepts, drops, from_host, rejects, to_host

#: Both directions closed to everything, without any default policy.
CLOSED: t.Dict[str, object] = {
    "firewall_default_policies": [],
    "firewall_default_ingress": "drop",
    "firewall_default_egress": "drop",
}

LINK_LOCAL, ALL_NODES, ALL_ROUTERS = "fe80::2", "ff02::1", "ff02::2"

#: RFC 4890 section 4.4.1, with the hop limit that RFC 4861 and RFC 3971 ask for.
DISCOVERY_IN = ("nd-router-advert", "nd-neighbor-solicit", "nd-neighbor-advert")
DISCOVERY_OUT = ("nd-router-solicit", "nd-neighbor-solicit", "nd-neighbor-advert")


def icmpv6_in(kind: str, **options: t.Any) -> Packet:
    return to_host("icmpv6", LINK_LOCAL, type=kind, destination=options.pop("destination", "fe80::1"), **options)


def icmpv6_out(kind: str, **options: t.Any) -> Packet:
    return from_host("icmpv6", options.pop("destination", ALL_ROUTERS), type=kind, source="fe80::1", **options)


def test_neighbour_discovery_passes_with_hop_limit_255_only(check: Check) -> None:
    near = {"state": "untracked", "hop_limit": 255}
    far = {"state": "untracked", "hop_limit": 254}
    check(CLOSED, accepts(*[icmpv6_in(kind, **near) for kind in DISCOVERY_IN]))
    check(CLOSED, accepts(*[icmpv6_out(kind, **near) for kind in DISCOVERY_OUT]))
    check(CLOSED, drops(*[icmpv6_in(kind, **far) for kind in DISCOVERY_IN]))
    check(CLOSED, drops(*[icmpv6_out(kind, **far) for kind in DISCOVERY_OUT]))


def test_multicast_listener_discovery(check: Check) -> None:
    """Queries from the link; reports out, also from the unspecified address (RFC 3590)."""
    one_hop = {"state": "untracked", "hop_limit": 1}
    query = icmpv6_in("mld-listener-query", destination=ALL_NODES, **one_hop)
    report = from_host("icmpv6", "ff02::16", type="mld2-listener-report", source="::", **one_hop)
    check(CLOSED, accepts(query, report))
    check(CLOSED, drops(to_host("icmpv6", PEER6, type="mld-listener-query", **one_hop)))


@pytest.mark.parametrize("direction", [to_host, from_host])
def test_redirects_and_node_information_are_left_to_policies(check: Check, direction: t.Callable[..., Packet]) -> None:
    """RFC 4890 section 4.4.4: types 137 and 139."""
    untracked = {"state": "untracked", "hop_limit": 255}
    check(CLOSED, drops(direction("icmpv6", PEER6, type="nd-redirect", **untracked)))


@pytest.mark.parametrize("protocol", ["tcp", "udp", "sctp"])
def test_established_passes_both_ways_in_the_host_profile(check: Check, protocol: str) -> None:
    for reply in (False, True):
        state = {"state": "established", "reply": reply}
        check(CLOSED, accepts(to_host(protocol, PEER, 9, **state), from_host(protocol, PEER6, 9, **state)))
    check(CLOSED, drops(to_host(protocol, PEER, 9), from_host(protocol, PEER6, 9)))


def test_established_in_the_netcup_profile_is_own_tcp_alone(check: Check) -> None:
    """Connections that this host opened: answers in, its own segments out."""
    closed = {**CLOSED, "firewall_profile": "netcup"}
    own_in = {"state": "established", "reply": True}
    check(closed, accepts(to_host("tcp", PEER, 9, **own_in), from_host("tcp", PEER, 9, state="established")))
    check(closed, drops(to_host("udp", PEER, 9, **own_in), from_host("udp", PEER, 9, state="established")))
    check(closed, drops(to_host("tcp", PEER, 9, state="established"), from_host("tcp", PEER, 9, **own_in)))


def test_errors_about_known_connections_pass_in_every_profile(check: Check) -> None:
    for profile in ("host", "netcup"):
        closed = {**CLOSED, "firewall_profile": profile}
        error = {"type": "destination-unreachable", "state": "related"}
        check(closed, accepts(to_host("icmp", PEER, **error), from_host("icmp", PEER, **error)))
        too_big = {"type": "packet-too-big", "state": "related"}
        check(closed, accepts(to_host("icmpv6", PEER6, **too_big), from_host("icmpv6", PEER6, **too_big)))


def test_flows_that_a_helper_expects_are_new_flows(check: Check) -> None:
    check(CLOSED, drops(to_host("tcp", PEER, 20000, state="related"), to_host("udp", PEER, 20000, state="related")))


def test_the_reset_of_our_own_reject_gets_out(check: Check) -> None:
    closed = {**CLOSED, "firewall_default_ingress": "reject"}
    check(closed, rejects(to_host("tcp", PEER, 81), to_host("udp", PEER, 81), to_host("udp", PEER6, 81)))
    check(closed, accepts(from_host("tcp", PEER, 40000, sport=81, reset=True, state="related")))


def test_invalid_is_dropped_on_input_before_policies(check: Check) -> None:
    open_policy = {
        "firewall_policies": {
            "all": {
                "rules": [{"direction": "ingress", "action": "accept"}, {"direction": "egress", "action": "accept"}]
            }
        },
        "firewall_assigned": ["all"],
    }
    counters = check(
        open_policy,
        [*drops(to_host("tcp", PEER, 80, state="invalid")), *accepts(from_host("tcp", PEER, 80, state="invalid"))],
    )
    assert counters["ingress/invalid"][0] == 1


def test_invalid_is_left_alone_where_the_default_accepts(check: Check) -> None:
    mail = {
        "firewall_policies": {
            "no-mail": {
                "rules": [{"direction": "ingress", "protocol": "tcp", "destination_ports": 25, "action": "drop"}]
            }
        },
        "firewall_assigned": ["no-mail"],
        "firewall_default_ingress": "accept",
    }
    check(mail, [*accepts(to_host("tcp", PEER, 80, state="invalid")), *drops(to_host("tcp", PEER, 25))])


def test_untracked_packets_meet_the_policies(check: Check) -> None:
    variables = {
        "firewall_policies": {
            "web": {"rules": [{"direction": "ingress", "protocol": "tcp", "destination_ports": 80, "action": "accept"}]}
        },
        "firewall_assigned": ["web"],
    }
    untracked = {"state": "untracked"}
    check(variables, [*accepts(to_host("tcp", PEER, 80, **untracked)), *drops(to_host("tcp", PEER, 81, **untracked))])


def test_other_interfaces_are_left_alone(check: Check) -> None:
    check(CLOSED, accepts(to_host("tcp", PEER, 9, interface="docker0"), from_host("tcp", PEER, 9, interface="br-lan")))
    check(CLOSED, drops(to_host("tcp", PEER, 9, interface="eth0"), from_host("tcp", PEER, 9, interface="eth1")))
    ends_open = {**CLOSED, "firewall_interfaces": ["eth1"]}
    check(ends_open, accepts(to_host("tcp", PEER, 9, interface="eth0"), from_host("tcp", PEER, 9, interface="docker0")))
    check(ends_open, drops(to_host("tcp", PEER, 9, interface="eth1")))


@pytest.mark.parametrize("profile", ["host", "netcup"])
def test_dns_answers_pass_by_state_never_by_port(check: Check, profile: str) -> None:
    """To the pinned resolver only; an unasked answer from port 53 is dropped."""
    closed = {**CLOSED, "firewall_profile": profile}
    host = {"dns_servers": ["192.0.2.53", {"address": "2001:db8::853", "port": 853, "protocols": ["tcp"]}]}
    answer = to_host("udp", "192.0.2.53", 40000, sport=53, state="established", reply=True)
    check(closed, accepts(from_host("udp", "192.0.2.53", 53), from_host("tcp", "192.0.2.53", 53), answer), host=host)
    check(closed, accepts(from_host("tcp", "2001:db8::853", 853)), host=host)
    check(
        closed,
        drops(
            to_host("udp", "192.0.2.53", 40000, sport=53),
            from_host("udp", OTHER, 53),
            from_host("udp", "2001:db8::853", 853),
        ),
        host=host,
    )


def test_ntp_anywhere(check: Check) -> None:
    host = {"ntp_servers": [{"address": "any", "port": 123, "protocols": ["udp"]}]}
    check(CLOSED, accepts(from_host("udp", OTHER, 123), from_host("udp", PEER6, 123)), host=host)
    check(CLOSED, drops(to_host("udp", OTHER, 123, sport=123)), host=host)


@pytest.mark.parametrize("profile", ["host", "netcup"])
def test_metadata_of_the_cloud(check: Check, profile: str) -> None:
    closed = {**CLOSED, "firewall_profile": profile}
    host = {"metadata_servers": ["192.0.2.80", "2001:db8::80"]}
    answer = to_host("tcp", "192.0.2.80", 40000, sport=80, state="established", reply=True)
    check(closed, accepts(from_host("tcp", "192.0.2.80", 80), from_host("tcp", "2001:db8::80", 80), answer), host=host)
    check(
        closed,
        drops(
            from_host("udp", "192.0.2.80", 80),
            from_host("tcp", "192.0.2.80", 443),
            from_host("tcp", OTHER, 80),
            to_host("tcp", "192.0.2.80", 22, sport=80),
        ),
        host=host,
    )


def test_safeguards_add_nothing_where_the_default_accepts(check: Check) -> None:
    """A policy that drops stays in force: there is nothing to keep alive."""
    variables = {
        "firewall_policies": {
            "no-dns": {"rules": [{"direction": "egress", "protocol": "udp", "destination_ports": 53, "action": "drop"}]}
        },
        "firewall_assigned": ["no-dns"],
        "firewall_default_egress": "accept",
    }
    host = {"dns_servers": ["192.0.2.53"]}
    check(variables, [*drops(from_host("udp", "192.0.2.53", 53)), *accepts(from_host("tcp", PEER, 1))], host=host)


@pytest.mark.parametrize("profile", ["host", "netcup"])
def test_ssh_safeguard_opens_and_answers(check: Check, profile: str) -> None:
    closed = {
        **CLOSED,
        "firewall_profile": profile,
        "firewall_safeguards": {"ssh": {"ports": [2222], "sources": [PEER, PEER6]}},
    }
    answer = from_host("tcp", PEER, 40000, sport=2222, state="established", reply=True)
    check(closed, accepts(to_host("tcp", PEER, 2222), to_host("tcp", PEER6, 2222), answer))
    check(closed, drops(to_host("tcp", OTHER, 2222), to_host("tcp", PEER, 22)))


def test_log_of_dropped_packets_changes_no_verdict(check: Check) -> None:
    logged = {**CLOSED, "firewall_log_dropped": {"limit": "1/second", "prefix": "fw: ", "group": 7}}
    counters = check(logged, drops(*[to_host("udp", PEER, 1000 + index) for index in range(50)]))
    assert counters["ingress/default"][0] == 50
