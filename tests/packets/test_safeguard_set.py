# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The safeguard set in the kernel: packet by packet, and with a real connection."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host.safeguard_set import safeguard_text
from lab.connections import Server, probe_tcp
from lab.namespaces import Lab
from lab.reexec import ensure_privileges, why_unavailable

from .kernel import verdicts_of
from .wording import HOST, HOST6, OTHER, OTHER6, PEER6, Packet, from_host, to_host

if t.TYPE_CHECKING:
    from lab.verdicts import VerdictLab

SSH_PORTS = (22, 2222)
LINK_LOCAL = "fe80::2"
NEAR: t.Mapping[str, t.Any] = {"state": "untracked", "hop_limit": 255}


def _discovery(kind: str) -> Packet:
    return to_host("icmpv6", LINK_LOCAL, type=kind, destination="fe80::1", **NEAR)


def _dhcp(*, family: int, port: int = 0) -> Packet:
    """An answer, which is a new connection to conntrack; to ``port`` where that is another than a client's."""
    if family == 4:
        return to_host("udp", "192.0.2.67", port or 68, sport=67, destination="198.51.100.1")
    return to_host("udp", LINK_LOCAL, port or 546, sport=547, destination="fe80::1")


ACCEPTED = {
    "ssh": [to_host("tcp", peer, port) for peer in (OTHER, OTHER6) for port in SSH_PORTS],
    "established": [
        to_host(protocol, OTHER, 9, state="established", reply=reply)
        for protocol in ("tcp", "udp")
        for reply in (False, True)
    ],
    "neighbours": [_discovery(kind) for kind in ("nd-router-advert", "nd-neighbor-solicit", "nd-neighbor-advert")],
    "dhcp": [_dhcp(family=4), _dhcp(family=6)],
    "ignored interfaces": [to_host("tcp", OTHER, 80, interface="docker0")],
    "egress": [
        from_host("tcp", OTHER, 80),
        from_host("udp", OTHER6, 53),
        from_host("icmp", OTHER, type="echo-request"),
    ],
}
DROPPED = {
    "other ports": [to_host("tcp", OTHER, port) for port in (21, 23, 80, 2221, 5432)],
    "ssh over UDP": [to_host("udp", OTHER, 22)],
    "ping": [to_host("icmp", OTHER, type="echo-request"), to_host("icmpv6", PEER6, type="echo-request")],
    "invalid": [to_host("tcp", OTHER, 22, state="invalid")],
    "neighbours from afar": [to_host("icmpv6", PEER6, type="nd-router-advert", state="untracked", hop_limit=254)],
    "dhcp to a server": [_dhcp(family=4, port=67), _dhcp(family=6, port=547)],
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepts(verdict_lab: VerdictLab, name: str) -> None:
    verdict_lab.load(safeguard_text(SSH_PORTS))
    assert set(verdicts_of(verdict_lab, ACCEPTED[name])) == {"accept"}


@pytest.mark.parametrize("name", DROPPED)
def test_drops(verdict_lab: VerdictLab, name: str) -> None:
    verdict_lab.load(safeguard_text(SSH_PORTS))
    assert set(verdicts_of(verdict_lab, DROPPED[name])) == {"drop"}


def test_a_host_that_has_nothing_else_is_reached_by_ssh_alone() -> None:
    reason = why_unavailable()
    if reason is not None:
        pytest.skip(reason)
    ensure_privileges()
    with Lab() as lab:
        outsider, host = lab.hosts_named(["outsider", "host"], private={})
        addresses = (["198.51.100.254/24", "2001:db8::fe/64"], ["%s/24" % HOST, "%s/64" % HOST6])
        lab.connect(outsider, host, addresses=addresses)
        with Server(host, tcp=[22, 80]), Server(outsider, tcp=[80]):
            seen = [probe_tcp(outsider, address, 80, timeout=5) for address in (HOST, HOST6)]
            host.nft(safeguard_text([22]))
            assert seen == ["connected", "connected"]
            for address in (HOST, HOST6):
                assert probe_tcp(outsider, address, 22) == "connected"
                assert probe_tcp(outsider, address, 80) == "filtered"
            # The answers to what it asks itself come back, and so does what it sends to itself.
            assert probe_tcp(host, "198.51.100.254", 80) == "connected"
            assert probe_tcp(host, HOST, 80) == "connected"
