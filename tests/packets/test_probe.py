# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The probe sees what the kernel does with its packets: every way to answer, to refuse and to be silent."""

from __future__ import annotations

import socket
import time
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host._probe.icmp_errors import NAMES
from ansible_collections.palisade.nftables.plugins.module_utils._host._probe.probe import Pace, probe
from ansible_collections.palisade.nftables.plugins.module_utils._host._probe.target import (
    Answer,
    TargetError,
    read_target,
)
from lab.connections import Server
from lab.namespaces import Host, Lab
from lab.reexec import ensure_privileges, why_unavailable

if t.TYPE_CHECKING:
    import collections.abc

HOST = {4: "192.0.2.1", 6: "2001:db8:2::1"}
PROBER = {4: "203.0.113.7", 6: "2001:db8:3::7"}
ROUTER = {4: "203.0.113.1", 6: "2001:db8:3::1"}
OTHER_SOURCE = {4: "203.0.113.8", 6: "2001:db8:3::8"}
#: The limit counts for each receiver of errors, and this one has had none.
FRESH_SOURCE = "203.0.113.9"
FAMILIES = (4, 6)

#: Ports: 80, 53, 123 and 5300 are served, of both protocols; from 9000 the host drops, from 9100 it rejects.
SERVED = (80, 53, 123, 5300)
DROPPED, RESET, FROM_SOURCE, UPSTREAM_DROPPED, UPSTREAM_REJECTED = 9000, 9001, 9002, 9003, 9004
FIRST_CODE = 9100
CODES = {(family, name): FIRST_CODE + number for number, ((family, *_numbers), name) in enumerate(NAMES.items())}

#: How long to wait where an answer comes, however busy this machine is, and where none does.
PATIENT, SHORT = Pace(seconds=30, rate=1000), Pace(seconds=0.6, rate=1000)


def rules_of_host() -> str:
    lines = [
        "th dport %d drop" % DROPPED,
        "tcp dport %d reject with tcp reset" % RESET,
        "tcp dport %d ip saddr != %s drop" % (FROM_SOURCE, OTHER_SOURCE[4]),
        "tcp dport %d ip6 saddr != %s drop" % (FROM_SOURCE, OTHER_SOURCE[6]),
    ]
    for (family, name), port in CODES.items():
        kind = "icmp" if family == 4 else "icmpv6"
        lines.append("meta nfproto ipv%d th dport %d reject with %s type %s" % (family, port, kind, name))
    rules = "\n".join("    " + line for line in lines)
    return "table inet other {\n  chain input {\n    type filter hook input priority 0;\n%s\n  }\n}\n" % rules


UPSTREAM = """
table inet provider {
  chain forward {
    type filter hook forward priority 0;
    th dport %d drop
    th dport %d reject with icmpx type admin-prohibited
  }
}
""" % (UPSTREAM_DROPPED, UPSTREAM_REJECTED)


class Hosts(t.NamedTuple):
    prober: Host
    router: Host
    host: Host


@pytest.fixture(scope="module")
def hosts() -> collections.abc.Iterator[Hosts]:
    """A prober, a provider's router, and the host."""
    reason = why_unavailable()
    if reason is not None:
        pytest.skip(reason)
    ensure_privileges()
    with Lab() as lab:
        prober, router, host = lab.hosts_named(["prober", "router", "host"], private={})
        outside = ["%s/24" % PROBER[4], "%s/24" % OTHER_SOURCE[4], "%s/24" % FRESH_SOURCE, "%s/64" % PROBER[6]]
        lab.connect(prober, router, ("eth0", "outside"), (outside, ["%s/24" % ROUTER[4], "%s/64" % ROUTER[6]]))
        # Deprecated: it is taken where it is asked for.
        prober.ip("address add %s/64 dev eth0 nodad preferred_lft 0" % OTHER_SOURCE[6])
        inside = ["192.0.2.254/24", "2001:db8:2::fe/64"]
        lab.connect(router, host, ("inside", "eth0"), (inside, ["%s/24" % HOST[4], "%s/64" % HOST[6]]))
        prober.ip("route add 192.0.2.0/24 via %s" % ROUTER[4], "route add 2001:db8:2::/64 via %s" % ROUTER[6])
        host.ip("route add 203.0.113.0/24 via 192.0.2.254", "route add 2001:db8:3::/64 via 2001:db8:2::fe")
        router.sysctl("net/ipv4/ip_forward", 1)
        router.sysctl("net/ipv6/conf/all/forwarding", 1)
        for sender in (router, host):
            limit_errors(sender, 0)
        router.nft(UPSTREAM)
        host.nft(rules_of_host())
        with Server(host, tcp=SERVED, udp=SERVED):
            found = Hosts(prober, router, host)
            # Neighbours that are not known yet may take a second to find.
            echoes = [{"protocol": "icmp", "address": HOST[family]} for family in FAMILIES]
            assert [answer.outcome.value for answer in ask(found, *echoes)] == ["answered"] * 2
            yield found


def limit_errors(host: Host, milliseconds: int) -> None:
    host.sysctl("net/ipv4/icmp_ratelimit", milliseconds)
    host.sysctl("net/ipv6/icmp/ratelimit", milliseconds)


def ask(hosts: Hosts, *targets: t.Mapping[str, t.Any], pace: Pace = PATIENT) -> t.List[Answer]:
    return hosts.prober.call(probe, [read_target(target) for target in targets], pace)


def said(hosts: Hosts, protocol: str, family: int, port: int, **more: t.Any) -> t.Tuple[str, str, str]:
    """Outcome, name and sender of the ICMP error."""
    pace = SHORT if port in (DROPPED, UPSTREAM_DROPPED) else PATIENT
    (answer,) = ask(hosts, {"protocol": protocol, "address": HOST[family], "port": port, **more}, pace=pace)
    return summary(answer)


def summary(answer: Answer) -> t.Tuple[str, str, str]:
    return (answer.outcome.value, *(("", "") if answer.icmp is None else (answer.icmp.name, answer.icmp.sender)))


@pytest.mark.parametrize("family", FAMILIES)
class TestOfBothFamilies:
    def test_r103_open_closed_and_dropped(self, hosts: Hosts, family: int) -> None:
        assert said(hosts, "tcp", family, 80) == ("connected", "", "")
        assert said(hosts, "tcp", family, 81) == ("refused", "", "")
        assert said(hosts, "tcp", family, DROPPED) == ("filtered", "", "")
        assert said(hosts, "tcp", family, RESET) == ("refused", "", "")

    def test_udp(self, hosts: Hosts, family: int) -> None:
        assert said(hosts, "udp", family, 5300) == ("answered", "", "")
        assert said(hosts, "udp", family, 81) == ("refused", "port-unreachable", HOST[family])
        assert said(hosts, "udp", family, DROPPED) == ("silent", "", "")

    @pytest.mark.parametrize("groups", ["1 0", "0 2147483647"], ids=["raw", "unprivileged"])
    def test_echo_requests(self, hosts: Hosts, family: int, groups: str) -> None:
        """With the sockets that icmp(7) lets some groups have, and with those of root."""
        try:
            hosts.prober.sysctl("net/ipv4/ping_group_range", groups)
        except OSError:
            pytest.skip("this user namespace has no such groups")
        targets = [{"protocol": "icmp", "address": HOST[family]} for _one in range(3)]
        for answer in ask(hosts, *targets):
            assert summary(answer) == ("answered", "", "")
            assert answer.source == PROBER[family]

    def test_a_router_on_the_way(self, hosts: Hosts, family: int) -> None:
        assert said(hosts, "tcp", family, UPSTREAM_DROPPED) == ("filtered", "", "")
        assert said(hosts, "udp", family, UPSTREAM_DROPPED) == ("silent", "", "")
        for protocol in ("tcp", "udp"):
            answer = said(hosts, protocol, family, UPSTREAM_REJECTED)
            assert answer == ("unreachable", "admin-prohibited", ROUTER[family])

    def test_nobody_has_the_address(self, hosts: Hosts, family: int) -> None:
        nobody = {4: "192.0.2.99", 6: "2001:db8:2::99"}[family]
        name = {4: "host-unreachable", 6: "addr-unreachable"}[family]
        wanted = [{"protocol": protocol, "address": nobody, "port": 80} for protocol in ("tcp", "udp")]
        wanted.append({"protocol": "icmp", "address": nobody})
        # The router gives up looking for the neighbour after three seconds.
        for answer in ask(hosts, *wanted):
            assert summary(answer) == ("unreachable", name, ROUTER[family])

    def test_no_route(self, hosts: Hosts, family: int) -> None:
        (answer,) = ask(hosts, {"address": {4: "198.51.100.1", 6: "2001:db8:99::1"}[family], "port": 80})
        assert (answer.outcome.value, answer.here) == ("error", True)
        assert answer.detail == "there is no route to the address from here"

    def test_source(self, hosts: Hosts, family: int) -> None:
        (answer,) = ask(hosts, {"address": HOST[family], "port": FROM_SOURCE}, pace=SHORT)
        assert answer.outcome.value == "filtered"
        target = {"address": HOST[family], "port": FROM_SOURCE, "source": OTHER_SOURCE[family], "source_port": 4444}
        # The port is free again at once.
        for _again in range(2):
            (answer,) = ask(hosts, target)
            assert summary(answer) == ("refused", "", "")
            assert (answer.source, answer.source_port) == (OTHER_SOURCE[family], 4444)
        both = [{**target, "port": port, "protocol": "udp"} for port in (80, 5300)]
        assert [answer.source_port for answer in ask(hosts, *both)] == [4444, 4444]

    def test_what_the_prober_itself_does_not_let_out(self, hosts: Hosts, family: int) -> None:
        hosts.prober.nft("table inet own { chain output { type filter hook output priority 0; udp dport 80 drop; }; }")
        try:
            (answer,) = ask(hosts, {"protocol": "udp", "address": HOST[family], "port": 80})
        finally:
            hosts.prober.run(["nft", "delete", "table", "inet", "own"])
        assert (answer.outcome.value, answer.here) == ("filtered", True)


@pytest.mark.parametrize(("family", "name"), list(CODES))
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_each_code(hosts: Hosts, protocol: str, family: int, name: str) -> None:
    port = CODES[family, name]
    outcome = "refused" if (protocol, name) == ("udp", "port-unreachable") else "unreachable"
    assert said(hosts, protocol, family, port) == (outcome, name, HOST[family])


@pytest.mark.parametrize(
    ("port", "payload", "first", "length"), [(5353, "70616c", b"p", 3), (53, None, b"", 17), (123, None, b"#", 48)]
)
def test_what_is_asked(hosts: Hosts, port: int, payload: t.Optional[str], first: bytes, length: int) -> None:
    """A question of the protocol where there is one: RFC 1035, section 4; RFC 5905, section 7.3."""
    with hosts.router.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind((ROUTER[4], port))
        listener.settimeout(10)
        target = {"protocol": "udp", "address": ROUTER[4], "port": port, "payload": payload}
        assert [answer.outcome.value for answer in ask(hosts, target, pace=SHORT)] == ["silent"]
        octets = listener.recv(100)
    assert octets.startswith(first)
    assert len(octets) == length


def test_hundreds_wait_together(hosts: Hosts) -> None:
    """Of three hundred silent ports, a hundred wait at a time: all of it takes far less than the sum of the waits."""
    targets = [{"address": HOST[4], "port": DROPPED, "source_port": 20000 + number} for number in range(300)]
    begun = time.monotonic()
    answers = ask(hosts, *targets, pace=Pace(seconds=1.0, at_once=100, rate=1000))
    taken = time.monotonic() - begun
    assert {answer.outcome.value for answer in answers} == {"filtered"}
    assert sum(answer.seconds for answer in answers) > 10 * taken


def test_a_host_that_limits_its_errors(hosts: Hosts) -> None:
    """Linux answers six at once and then one a second; all of them are told all the same."""
    limit_errors(hosts.host, 1000)
    try:
        targets = [
            {"protocol": "udp", "address": HOST[4], "port": port, "source": FRESH_SOURCE} for port in range(7000, 7010)
        ]
        answers = ask(hosts, *targets, pace=Pace(seconds=1.5, rate=1000))
    finally:
        limit_errors(hosts.host, 0)
    assert [answer.outcome.value for answer in answers] == ["refused"] * 10
    assert max(answer.tries for answer in answers) > 1


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ({"address": "web1", "port": 80}, "address: 'web1' is not an address"),
        ({"address": "192.0.2.1"}, "port: tcp has ports; say which"),
        ({"address": "192.0.2.1", "port": 70000}, r"port: '70000' is not a port \(0-65535\)"),
        ({"address": "192.0.2.1", "port": 0}, "is not one port"),
        ({"address": "192.0.2.1", "protocol": "gre"}, "protocol: 'gre' is none of tcp, udp, icmp"),
        ({"address": "192.0.2.1", "protocol": "icmp", "port": 1}, "ICMP has no ports"),
        ({"address": "192.0.2.1", "port": 1, "source": "2001:db8::1"}, "of different families"),
        ({"address": "192.0.2.1%eth0", "port": 1}, "only an IPv6 address"),
        ({"address": "192.0.2.1", "port": 1, "payload": "00"}, "only UDP packets carry one"),
        ({"address": "192.0.2.1", "protocol": "udp", "port": 1, "payload": "0g"}, "hexadecimal"),
    ],
)
def test_what_is_no_target(target: t.Mapping[str, t.Any], problem: str) -> None:
    with pytest.raises(TargetError, match=problem):
        read_target(target)
