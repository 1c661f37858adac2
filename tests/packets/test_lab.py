# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab's verdicts: what it says the kernel does is what the kernel does."""

from __future__ import annotations

import itertools
import random
import typing as t

import pytest

from lab import packets, reexec
from lab.namespaces import LabError
from lab.packets import LabPacket
from lab.verdicts import VerdictLab

from .samples import INTERFACES, REJECT_ALL, STATES, packet, random_packets, ruleset


@pytest.fixture(scope="module", autouse=True)
def rights() -> None:
    reason = reexec.why_unavailable()
    if reason is not None:
        pytest.skip("no lab can be built: %s" % reason)
    reexec.ensure_privileges()


@pytest.fixture(scope="module")
def kernel() -> t.Iterator[VerdictLab]:
    with VerdictLab(INTERFACES) as lab:
        yield lab


def test_everything_accepted(kernel: VerdictLab) -> None:
    sent = random_packets(1, 6000)
    kernel.load(ruleset("accept"))
    assert set(kernel.verdicts(sent)) == {"accept"}


def test_everything_dropped(kernel: VerdictLab) -> None:
    sent = random_packets(2, 6000)
    kernel.load(ruleset("drop"))
    assert set(kernel.verdicts(sent)) == {"drop"}


def test_everything_rejected_as_far_as_the_kernel_answers(kernel: VerdictLab) -> None:
    sent = random_packets(3, 6000)
    kernel.load(ruleset("accept", REJECT_ALL))
    wrong = [
        (one, verdict)
        for one, verdict in zip(sent, kernel.verdicts(sent))
        if verdict != ("reject" if one.answerable else "drop")
    ]
    assert not wrong


def test_without_a_ruleset_everything_passes(kernel: VerdictLab) -> None:
    kernel.load("")
    assert set(kernel.verdicts(random_packets(4, 500))) == {"accept"}


def test_every_type_protocol_and_combination_of_flags_in_every_state(kernel: VerdictLab) -> None:
    """The kernel sees each in its state, or the lab says beforehand that it cannot."""
    sent = []
    for direction, state, way, family in itertools.product(
        ("ingress", "egress"), STATES, ("original", "reply"), (4, 6)
    ):
        icmp = packets.ICMP if family == 4 else packets.ICMPV6
        common = {"family": family, "ct_direction": way}
        for value in range(256):
            flags = " ".join(name for name, bit in packets.TCP_FLAGS.items() if value & bit)
            sent.append(packet(direction, icmp, state, icmp_type=value, **common))
            sent.append(packet(direction, value, state, flags="syn" if value == packets.TCP else "", **common))
            sent.append(packet(direction, packets.TCP, state, flags=flags, **common))
    possible = [one for one in sent if packets.why_impossible(one) is None]
    assert len(possible) > 15000
    kernel.load(ruleset("accept"))
    assert set(kernel.verdicts(possible)) == {"accept"}


def test_addresses_at_the_edges_of_what_is_usable(kernel: VerdictLab) -> None:
    edges4 = "0.0.0.0 1.0.0.0 10.0.0.0 100.64.0.1 127.0.0.1 127.255.255.255 169.254.0.1 192.0.0.9 223.255.255.255"
    edges4 += " 224.0.0.1 239.255.255.255 240.0.0.0 255.255.255.254 255.255.255.255"
    edges6 = ":: ::1 ::2 64:ff9b::1 100::2 2001:db8:: 2002::1 fc00::1 fe80::1 febf:ffff::1 fec0::1 ff02::1 ff02::1:2"
    edges6 += " ff02::16 ff02::1:ff00:7 ff05::1:3 ff0e::1"
    sent = []
    for family, edges in ((4, edges4.split()), (6, edges6.split())):
        for source, destination in itertools.product(edges, edges):
            for direction, interface, protocol in itertools.product(("ingress", "egress"), ("eth1", "lo"), (6, 17, 50)):
                flags = "syn" if protocol == packets.TCP else ""
                more = {"family": family, "interface": interface, "source": source, "destination": destination}
                sent.append(packet(direction, protocol, "new", flags=flags, **more))
    possible = [one for one in sent if packets.why_impossible(one) is None]
    assert len(possible) > 2500
    kernel.load(ruleset("accept"))
    assert set(kernel.verdicts(possible)) == {"accept"}
    kernel.load(ruleset("accept", REJECT_ALL))
    expected = ["reject" if one.answerable else "drop" for one in possible]
    assert kernel.verdicts(possible) == expected


BY_HAND = """
table inet palisade {
  counter web { }
  chain input {
    type filter hook input priority filter; policy drop;
    iifname { "lo", "docker0" } accept
    meta l4proto tcp ct state established ct direction reply accept
    ct state related meta l4proto { icmp, icmpv6 } accept
    icmpv6 type { nd-neighbor-solicit, nd-router-advert } ip6 hoplimit 255 accept
    ct state untracked udp dport 22 accept
    ct state invalid udp dport 22 accept
    iifname "eth1" udp dport 22 accept
    ip saddr 198.51.100.0/28 tcp dport 22 ct state new counter name web accept
    ip6 saddr 2001:db8:1::/48 sctp dport 22 accept
    icmp type echo-request ip ttl > 1 accept
    meta l4proto gre accept
    tcp dport 23 reject with tcp reset
    udp dport 23 reject
    ip protocol 99 reject with icmp type host-prohibited
  }
  chain output {
    type filter hook output priority filter; policy drop;
    oifname "br-lan" accept
    ct state related tcp flags & rst == rst accept
    ct state established ct direction original udp dport 22 accept
    ip6 daddr ff02::1:2 udp dport 547 accept
    tcp dport 25 reject with tcp reset
    udp dport 25 reject
    ip daddr 255.255.255.255 udp dport 67 accept
  }
}
"""

SOLICITED = {"family": 6, "destination": "ff02::1:ff00:1"}
ADVERTISED = {"family": 6, "source": "fe80::1", "destination": "ff02::1"}
DHCP_AGENTS = {"family": 6, "source": "fe80::1", "destination": "ff02::1:2"}


@pytest.mark.parametrize(
    ("expected", "sent"),
    [
        ("accept", packet("ingress", 6, "invalid", flags="syn", interface="lo")),
        ("accept", packet("ingress", 17, "new", destination_port=9, interface="docker0")),
        ("drop", packet("ingress", 17, "new", destination_port=9)),
        ("accept", packet("ingress", 6, "established", flags="ack", ct_direction="reply", destination_port=9)),
        ("accept", packet("ingress", 6, "established", flags="syn ack", ct_direction="reply", destination_port=9)),
        ("drop", packet("ingress", 6, "established", flags="ack", ct_direction="original", destination_port=9)),
        ("drop", packet("ingress", 17, "established", ct_direction="reply", destination_port=9)),
        ("accept", packet("ingress", 1, "related", icmp_type=3, icmp_code=4)),
        ("accept", packet("ingress", 1, "related", icmp_type=11, ct_direction="reply")),
        ("drop", packet("ingress", 1, "invalid", icmp_type=3, icmp_code=4)),
        ("accept", packet("ingress", 58, "related", icmp_type=2, family=6)),
        ("drop", packet("ingress", 58, "invalid", icmp_type=2, family=6)),
        ("drop", packet("ingress", 6, "related", flags="syn", destination_port=9)),
        ("drop", packet("ingress", 17, "related", destination_port=9)),
        ("accept", packet("ingress", 58, "untracked", icmp_type=135, hop_limit=255, **SOLICITED)),
        ("drop", packet("ingress", 58, "untracked", icmp_type=135, hop_limit=254, family=6)),
        ("accept", packet("ingress", 58, "untracked", icmp_type=134, hop_limit=255, **ADVERTISED)),
        ("accept", packet("ingress", 17, "untracked")),
        ("accept", packet("ingress", 17, "invalid", family=6)),
        ("drop", packet("ingress", 17, "new")),
        ("accept", packet("ingress", 17, "new", interface="eth1")),
        ("accept", packet("ingress", 6, "new", flags="syn")),
        ("drop", packet("ingress", 6, "new", flags="syn", source="198.51.100.16")),
        ("drop", packet("ingress", 6, "untracked", flags="syn")),
        ("drop", packet("ingress", 6, "new", flags="syn", family=6)),
        ("accept", packet("ingress", 132, "new", family=6)),
        ("accept", packet("ingress", 132, "established", family=6)),
        ("drop", packet("ingress", 132, "established")),
        ("accept", packet("ingress", 1, "new", icmp_type=8)),
        ("drop", packet("ingress", 1, "new", icmp_type=8, hop_limit=1)),
        ("drop", packet("ingress", 1, "established", icmp_type=0, ct_direction="reply")),
        ("accept", packet("ingress", 47, "new", family=6)),
        ("reject", packet("ingress", 6, "new", flags="syn", destination_port=23)),
        ("reject", packet("ingress", 6, "invalid", flags="fin", destination_port=23, family=6)),
        ("reject", packet("ingress", 6, "untracked", flags="ack", destination_port=23)),
        ("drop", packet("ingress", 6, "invalid", flags="rst", destination_port=23)),
        ("reject", packet("ingress", 17, "new", destination_port=23)),
        ("reject", packet("ingress", 17, "established", destination_port=23, family=6)),
        ("drop", packet("ingress", 17, "new", destination_port=23, destination="255.255.255.255")),
        ("reject", packet("ingress", 99, "new")),
        ("drop", packet("ingress", 99, "new", family=6)),
        ("accept", packet("egress", 6, "new", flags="syn", interface="br-lan")),
        ("drop", packet("egress", 6, "new", flags="syn")),
        ("accept", packet("egress", 6, "related", flags="rst ack", ct_direction="reply")),
        ("accept", packet("egress", 6, "related", flags="rst", ct_direction="reply", family=6)),
        ("accept", packet("egress", 6, "related", flags="rst", ct_direction="original", interface="eth1")),
        ("drop", packet("egress", 6, "established", flags="rst")),
        ("drop", packet("egress", 6, "invalid", flags="rst ack", family=6)),
        ("accept", packet("egress", 17, "established")),
        ("drop", packet("egress", 17, "established", ct_direction="reply")),
        ("drop", packet("egress", 17, "new")),
        ("accept", packet("egress", 17, "new", destination_port=547, **DHCP_AGENTS)),
        ("reject", packet("egress", 6, "new", flags="syn", destination_port=25)),
        ("reject", packet("egress", 6, "new", flags="syn", destination_port=25, family=6)),
        ("reject", packet("egress", 17, "new", destination_port=25)),
        ("reject", packet("egress", 17, "untracked", destination_port=25, family=6)),
        ("accept", packet("egress", 17, "new", destination_port=67, destination="255.255.255.255")),
    ],
)  # fmt: skip
def test_ruleset_by_hand(kernel: VerdictLab, expected: str, sent: LabPacket) -> None:
    kernel.load(BY_HAND)
    assert kernel.verdicts([sent]) == [expected]


def test_counters_count_what_was_sent_and_nothing_else(kernel: VerdictLab) -> None:
    sent = random_packets(5, 3000)
    inward = sum(one.direction == "ingress" for one in sent)
    for policy, rules in (("accept", ""), ("drop", ""), ("accept", REJECT_ALL)):
        kernel.load(ruleset(policy, rules))
        kernel.verdicts(sent)
        counted = kernel.counters()
        assert (counted["in"][0], counted["out"][0]) == (inward, len(sent) - inward)
    assert kernel.counters()["in"][1] > 20 * inward


def test_equal_packets_do_not_know_each_other(kernel: VerdictLab) -> None:
    """One flow in all states, many times, more than there are numbers for one batch."""
    one = {
        "new": packet("ingress", 6, "new", flags="syn"),
        "established": packet("ingress", 6, "established", flags="rst"),
        "invalid": packet("ingress", 6, "invalid", flags="rst"),
        "untracked": packet("ingress", 6, "untracked", flags="ack"),
    }
    order = [random.Random(6).choice(list(one)) for _ in range(60000)]
    rules = "ct state established accept\n    ct state invalid,untracked drop\n    reject with tcp reset"
    kernel.load(ruleset("drop", rules))
    meant = {"new": "reject", "established": "accept", "invalid": "drop", "untracked": "drop"}
    assert kernel.verdicts([one[name] for name in order]) == [meant[name] for name in order]


@pytest.mark.parametrize(
    ("part", "sent"),
    [
        ("lab has no interface", packet("ingress", 17, "new", interface="wlan0")),
        ("0.0.0.0/8", packet("ingress", 17, "new", source="0.0.0.1")),
        ("multicast", packet("ingress", 17, "new", destination="224.0.0.251")),
        ("multicast source", packet("egress", 17, "new", family=6, source="ff02::1")),
        ("IPv4-mapped", packet("ingress", 17, "new", family=6, source="::ffff:192.0.2.1")),
        ("extension header", packet("ingress", 44, "new", family=6)),
        ("only its original direction", packet("ingress", 17, "new", ct_direction="reply")),
        ("never tracks", packet("ingress", 58, "new", family=6, icmp_type=135)),
        ("for valid", packet("ingress", 6, "established", flags="syn fin")),
        ("not for new", packet("ingress", 1, "new", icmp_type=0)),
        ("for invalid", packet("ingress", 50, "invalid")),
        ("state 'old'", packet("ingress", 17, "old")),
    ],
)
def test_what_the_kernel_never_sees_is_refused(kernel: VerdictLab, part: str, sent: LabPacket) -> None:
    with pytest.raises(ValueError, match=part):
        kernel.verdicts([sent])


def test_another_connection_state_is_an_error(kernel: VerdictLab) -> None:
    """A kernel that picks up no connection in the middle takes this packet for invalid."""
    kernel.load(ruleset("accept"))
    sent = [packet("ingress", 6, "new", flags="ack")]
    assert kernel.verdicts(sent) == ["accept"]
    kernel.host.sysctl("net/netfilter/nf_conntrack_tcp_loose", 0)
    try:
        with pytest.raises(LabError, match="saw state invalid"):
            kernel.verdicts(sent)
    finally:
        kernel.host.sysctl("net/netfilter/nf_conntrack_tcp_loose", 1)


def test_a_lab_whose_own_chains_are_gone_gives_no_verdicts() -> None:
    with VerdictLab(["eth0"]) as lab:
        lab.load("flush ruleset\n")
        with pytest.raises(LabError):
            lab.verdicts([packet("ingress", 17, "new")])


def test_what_nft_refuses_is_an_error_that_shows_why(kernel: VerdictLab) -> None:
    with pytest.raises(LabError, match="syntax error"):
        kernel.load("table inet palisade { chain }")
