# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab's flood: it counts exactly, sees a gap, and sees none where there is none."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from lab import packets, reexec
from lab.flood import Count, Flood, Stream
from lab.namespaces import Host, Lab
from lab.packets import LabPacket

from .samples import packet

pytestmark = pytest.mark.alone

FLOODED = """
table inet palisade {
  set allowed4 {
    type ipv4_addr
    flags interval
    elements = { 198.51.100.0/24 }
  }
  chain input {
    type filter hook input priority filter; policy drop;
    jump inside
  }
  chain output {
    type filter hook output priority filter; policy drop;
    jump inside
  }
  chain inside {
    ct state established accept
    ip saddr @allowed4 accept
    ip daddr @allowed4 accept
    ip6 saddr 2001:db8:1::/48 accept
    ip6 daddr 2001:db8:1::/48 accept
  }
}
"""
RULES = FLOODED.partition("chain inside {")[2].partition("}")[0]


@pytest.fixture(scope="module", autouse=True)
def rights() -> None:
    reason = reexec.why_unavailable()
    if reason is not None:
        pytest.skip("no lab can be built: %s" % reason)
    reexec.ensure_privileges()


@pytest.fixture
def flooded() -> t.Iterator[t.Tuple[Host, Host]]:
    with Lab() as lab:
        host, wire = lab.hosts_named(["flooded", "wire"], {})
        lab.connect(host, wire, ("eth0", "wire0"), (["192.0.2.1/24", "2001:db8::1/64"], ()))
        host.ip("route add 198.51.100.0/24 dev eth0", "route add 203.0.113.0/24 dev eth0")
        host.ip("route add 2001:db8::/32 dev eth0", family="-6")
        host.nft(FLOODED)
        yield host, wire


def streams(direction: str, family: int, protocol: int = packets.UDP) -> t.Dict[str, Stream]:
    end = "destination" if direction == "egress" else "source"
    there = {4: ("198.51.100.7", "203.0.113.7"), 6: ("2001:db8:1::7", "2001:db8:2::7")}[family]
    flags = "syn" if protocol == packets.TCP else ""
    return {
        name: Stream(
            [
                packet(
                    direction, protocol, "new", family=family, flags=flags, source_port=1024 + port, **{end: address}
                )
                for port in range(64)
            ],
            allowed=name == "allowed",
        )
        for name, address in zip(("allowed", "refused"), there)
    }


def run_flood(
    flooded: t.Tuple[Host, Host], wanted: t.Mapping[str, Stream], changes: t.Iterable[str]
) -> t.Dict[str, Count]:
    host, wire = flooded
    with Flood(host, wanted, wire, {"eth0": "wire0"}) as flood:
        for change in changes:
            host.nft(change)
            flood.await_more()
        return flood.stop()


@pytest.mark.parametrize("protocol", [packets.UDP, packets.TCP])
@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("direction", ["ingress", "egress"])
def test_flood_across_changes_without_a_gap(
    flooded: t.Tuple[Host, Host], direction: str, family: int, protocol: int
) -> None:
    changes = ["flush chain inet palisade inside\ntable inet palisade { chain inside {%s}\n}\n" % RULES] * 20
    counted = run_flood(flooded, streams(direction, family, protocol), changes)
    for one in counted.values():
        assert one.sent >= one.seen >= 20000
        assert (one.lost, one.leaked) == (0, 0)
    assert counted["allowed"].passed == counted["allowed"].seen
    assert counted["refused"].passed == 0


@pytest.mark.parametrize("direction", ["ingress", "egress"])
def test_flood_sees_a_gap(flooded: t.Tuple[Host, Host], direction: str) -> None:
    closed = run_flood(flooded, streams(direction, 4), ["flush chain inet palisade inside\n"])
    assert closed["allowed"].lost >= 1000
    assert closed["refused"].leaked == 0
    opened = run_flood(flooded, streams(direction, 4), ["add rule inet palisade inside accept\n"])
    assert opened["refused"].leaked >= 1000


def test_flood_of_established_flows(flooded: t.Tuple[Host, Host]) -> None:
    refused = streams("ingress", 4)["refused"].packets
    known = [LabPacket(**{**vars(one), "state": "established", "ct_direction": "reply"}) for one in refused]
    counted = run_flood(flooded, {"known": Stream(known, allowed=True)}, ["list ruleset\n"])
    assert counted["known"].seen > 0
    assert counted["known"].lost == 0


def test_flood_is_refused_without_somebody_to_send(flooded: t.Tuple[Host, Host]) -> None:
    with pytest.raises(ValueError, match="come from somewhere"):
        Flood(flooded[0], streams("ingress", 4))


@pytest.mark.parametrize("family", [4, 6])
def test_every_packet_of_a_fresh_stream_begins_a_flow_and_those_that_pass_are_tracked(
    flooded: t.Tuple[Host, Host], family: int
) -> None:
    host, wire = flooded
    fresh = {name: dataclasses.replace(stream, fresh=True) for name, stream in streams("ingress", family).items()}
    with Flood(host, fresh, wire, {"eth0": "wire0"}) as flood:
        flood.await_more()
        tracked = host.run(["conntrack", "-L", "-f", "ipv%d" % family]).stdout.splitlines()
        counted = flood.stop()
    assert {name: (count.lost, count.leaked) for name, count in counted.items()} == {
        "allowed": (0, 0),
        "refused": (0, 0),
    }
    source = {4: "src=198.51.100.7", 6: "src=2001:db8:1::7"}[family]
    # One burst has each packet of one source from 16 ports.
    assert len(tracked) > 16
    assert all(source in line and "[UNREPLIED]" in line for line in tracked), tracked[:5]


def test_a_fresh_stream_is_of_new_udp_that_arrives(flooded: t.Tuple[Host, Host]) -> None:
    host, wire = flooded
    for refused in (streams("egress", 4), streams("ingress", 4, packets.TCP)):
        fresh = {name: dataclasses.replace(stream, fresh=True) for name, stream in refused.items()}
        with pytest.raises(ValueError, match="only new UDP"):
            Flood(host, fresh, wire, {"eth0": "wire0"})
