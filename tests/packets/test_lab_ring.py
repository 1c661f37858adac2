# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ring lab: every packet of a ring meets the ruleset that is awake, once, as the first of a flow."""

from __future__ import annotations

import typing as t

import pytest

from lab import packets, reexec
from lab.namespaces import LabError
from lab.packets import LabPacket
from lab.ring import INTERFACE, RingLab

_SYN = frozenset({"syn"})

_RULESET = """\
table inet palisade
delete table inet palisade
table inet palisade {
  chain input {
    type filter hook input priority filter; policy drop;
    ct state established,related accept
    %s accept
  }
}
"""


@pytest.fixture(scope="module")
def lab() -> t.Iterator[RingLab]:
    reason = reexec.why_unavailable()
    if reason is not None:
        pytest.skip("no lab can be built: %s" % reason)
    reexec.ensure_privileges()
    with RingLab() as made:
        made.load("web", _RULESET % "tcp dport 80")
        made.load("names", _RULESET % "udp dport 53")
        yield made


def _packet(family: int, protocol: int, port: int, **fields: t.Any) -> LabPacket:
    base = 0xC6120000 if family == 4 else 0x20010DB8 << 96
    flags = _SYN if protocol == packets.TCP else frozenset()
    return LabPacket("ingress", INTERFACE, family, protocol, base + 1, base + 2, 40000, port, tcp_flags=flags, **fields)


_MIXED = [
    _packet(family, protocol, port)
    for family in (4, 6)
    for protocol, port in ((packets.TCP, 80), (packets.TCP, 81), (packets.UDP, 53), (packets.TCP, 80))
]


@pytest.mark.parametrize(("name", "share"), [("web", 0.5), ("names", 0.25)])
def test_only_the_ruleset_that_is_awake_decides(lab: RingLab, name: str, share: float) -> None:
    lab.wake(name)
    with lab.ring_of(_MIXED) as ring:
        assert ring.size % len(_MIXED) == 0
        for _round in range(3):
            done = lab.measure(ring, 5)
            assert done.accepted == share * ring.size
            assert len(done.seconds) == -(-ring.size // 5)
            assert all(seconds > 0 for seconds in done.seconds)


def test_nothing_decides_where_all_are_asleep(lab: RingLab) -> None:
    lab.wake(None)
    with lab.ring_of(_MIXED) as ring:
        assert lab.measure(ring).accepted == ring.size


def test_a_ring_holds_whole_pages_of_what_was_given(lab: RingLab) -> None:
    lab.wake("web")
    with lab.ring_of([_packet(4, packets.TCP, 80)] * 1000 + [_packet(4, packets.TCP, 81)]) as ring:
        assert ring.size > 1001
        assert lab.measure(ring).accepted == ring.size - 1


def test_frames_do_not_go_beyond_the_end_of_the_ring(lab: RingLab) -> None:
    with lab.ring_of(_MIXED) as ring:
        ring.send(ring.size - 1)
        with pytest.raises(ValueError, match="do not fit"):
            ring.send(2)


def test_a_packet_that_does_not_arrive_is_noticed(lab: RingLab) -> None:
    lab.host.nft(
        "table inet thief {\nchain prerouting {\ntype filter hook prerouting priority 0;\ntcp dport 81 drop\n}\n}\n"
    )
    try:
        with lab.ring_of(_MIXED) as ring, pytest.raises(LabError, match="new flows arrived"):
            lab.measure(ring)
    finally:
        lab.host.nft("delete table inet thief\n")


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(_packet(4, packets.UDP, 53, state="established"), id="established"),
        pytest.param(LabPacket("egress", INTERFACE, 4, packets.UDP, 1 << 24, 2 << 24), id="egress"),
        pytest.param(LabPacket("ingress", INTERFACE, 4, packets.UDP, 0xE0000001, 2 << 24), id="from-multicast"),
    ],
)
def test_only_new_flows_that_arrive_fit_a_ring(lab: RingLab, packet: LabPacket) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the reason is that of the packet
        lab.ring([packet])


def test_a_ruleset_must_be_loaded_to_be_woken(lab: RingLab) -> None:
    with pytest.raises(ValueError, match="no ruleset"):
        lab.wake("mail")
