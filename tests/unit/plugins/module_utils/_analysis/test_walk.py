# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules that somebody added by hand, in a real kernel: what is understood, and what is not guessed."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._analysis.packet_fields import read_packet
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.walk import Walk, walk
from ansible_collections.palisade.nftables.plugins.module_utils._core.errors import Path, Problems
from ansible_collections.palisade.nftables.plugins.module_utils._nft.read import UnreadError, read_ruleset
from lab.namespaces import Host, Lab
from lab.reexec import ensure_privileges, why_unavailable

if t.TYPE_CHECKING:
    import collections.abc

_TABLE = """
table inet palisade {
    counter own { }
    set office { type ipv4_addr; flags interval; elements = { 198.51.100.0/24 comment "office", 203.0.113.9 } }
    set marks { type mark; elements = { 1 } }
    map doors { type inet_service : verdict; elements = { 25 comment "mail[0]" : drop, 80 : goto later } }
    chain later {
        tcp dport 80 reject with tcp reset comment "later"
    }
    chain input { type filter hook input priority filter; policy %s;
        %s
    }
    %s
}
"""


@pytest.fixture(name="host", scope="module")
def fixture_host() -> collections.abc.Iterator[Host]:
    reason = why_unavailable()
    if reason is not None:
        pytest.skip(reason)
    ensure_privileges()
    with Lab() as lab:
        yield lab.host("walk")


def walked(host: Host, rules: str, packet: str, policy: str = "accept", beside: str = "") -> Walk:
    host.run(["nft", "-f", "-"], input="flush ruleset\n" + _TABLE % (policy, rules, beside))
    ruleset = read_ruleset(host.run(["nft", "-j", "-p", "list", "table", "inet", "palisade"]).stdout)
    given = read_packet(packet, Path("packet"), Problems())
    assert given is not None
    return walk(ruleset, given.packet)


UNDERSTOOD = [
    ("ip saddr 203.0.113.7 drop", "drop"),
    ("ip saddr 203.0.113.8 drop", "accept"),
    ("ip saddr != 203.0.113.8 drop", "drop"),
    ("ip saddr @office drop", "accept"),
    ("ip saddr != { 203.0.113.7, 203.0.113.9 } drop", "accept"),
    ("ip saddr 203.0.113.0/29 ip daddr 0.0.0.0 reject", "reject"),
    ("ip6 saddr 2001:db8::/32 drop", "accept"),
    ("tcp dport != 22 accept; drop", "drop"),
    ("tcp dport 20-23 counter drop", "drop"),
    ("tcp sport 50000 tcp dport 22 drop", "drop"),
    ("th sport 50000 th dport 22 drop", "drop"),
    ("udp dport 22 drop", "accept"),
    ("meta l4proto { tcp, udp } th dport 22 drop", "drop"),
    ("ct state new drop", "drop"),
    ("ct state != established drop", "drop"),
    ("ct state established,related drop", "accept"),
    ("ct direction reply drop", "accept"),
    ('iifname "eth*" drop', "drop"),
    ('iifname { "lo", "eth1" } drop', "accept"),
    ("meta nfproto ipv4 drop", "drop"),
    ("tcp flags & rst == rst drop", "accept"),
    ('limit rate 1/second log prefix "x"', "accept"),
    ("log; drop", "drop"),
    ("counter tcp dport 23 drop", "accept"),
    ("return; drop", "unknown"),
    ("jump later; drop", "drop"),
]


@pytest.mark.parametrize(("rules", "verdict"), UNDERSTOOD)
def test_rules_that_are_understood(host: Host, rules: str, verdict: str) -> None:
    found = walked(host, rules.replace("; ", "\n"), "tcp from 203.0.113.7 to port 22")
    assert found.verdict == verdict, found


NOT_UNDERSTOOD = [
    ("meta mark 1 drop", "the expression 'meta mark'"),
    ("meta mark @marks drop", "the expression 'meta mark'"),
    ("limit rate 10/second accept", "a limit that decides what follows"),
    ("tcp flags syn drop", "the expression 'tcp flags'"),
    ("tcp dport vmap { 22 : drop }", "a verdict map without a name"),
    ("counter name own tcp dport 22 drop", "a condition behind a statement"),
    ("ct original ip saddr 203.0.113.7 drop", "the expression 'ct"),
    ("return", "the statement 'return'"),
]


@pytest.mark.parametrize(("rule", "reason"), NOT_UNDERSTOOD)
def test_what_is_not_understood_is_not_guessed(host: Host, rule: str, reason: str) -> None:
    found = walked(host, rule, "tcp from 203.0.113.7 to port 22")
    assert found.verdict == "unknown"
    assert reason in found.reason
    assert "rule 1 of the chain input was not understood" in found.reason


def test_what_is_not_understood_does_no_harm_elsewhere(host: Host) -> None:
    rules = 'ip saddr 203.0.113.8 meta mark 1 accept\ntcp dport 22 drop comment "ours[1]"\nmeta mark 1 accept'
    found = walked(host, rules, "tcp from 203.0.113.7 to port 22")
    assert (found.verdict, found.origin) == ("drop", "ours[1]")


def test_maps_and_the_way_back(host: Host) -> None:
    rules = "tcp dport vmap @doors\ntcp dport 80 drop"
    assert walked(host, rules, "tcp to port 25").origin == "mail[0]"
    # What a goto leads to does not come back to the base chain.
    assert walked(host, rules, "tcp to port 80").verdict == "reject"
    assert walked(host, rules, "tcp to port 22").verdict == "accept"
    assert walked(host, rules, "udp to port 22").passed == ()


def test_every_base_chain_has_to_accept(host: Host) -> None:
    later = 'chain second { type filter hook input priority 10; policy accept; tcp dport 22 drop comment "second"; }'
    found = walked(host, "tcp dport 22 accept", "tcp to port 22", beside=later)
    assert (found.verdict, found.origin) == ("drop", "second")


def test_packets_that_go_on_meet_the_hook_forward(host: Host) -> None:
    forward = (
        "chain forward { type filter hook forward priority 0; policy accept; "
        'ct status dnat meta l4proto tcp ct original proto-dst 80 drop comment "web"; ip daddr 192.0.2.9 drop; }'
    )
    found = walked(host, "drop", "published tcp to port 80", beside=forward)
    assert (found.verdict, found.origin) == ("drop", "web")
    assert walked(host, "drop", "forwarded tcp to port 80", beside=forward).verdict == "accept"
    # What the destination was translated to is not known.
    unknown = walked(host, "drop", "published tcp to port 81", beside=forward)
    assert (unknown.verdict, "asks for ip daddr" in unknown.reason) == ("unknown", True)


def test_the_policy_of_a_base_chain(host: Host) -> None:
    assert walked(host, "tcp dport 22 accept", "tcp to port 23", policy="drop").verdict == "drop"
    assert walked(host, "tcp dport 22 accept", "tcp to port 22", policy="drop").verdict == "accept"


@pytest.mark.parametrize("text", ["", "{}", "[]", "x"])
def test_what_is_no_listing(text: str) -> None:
    with pytest.raises(UnreadError, match="nft printed no JSON"):
        read_ruleset(text)
