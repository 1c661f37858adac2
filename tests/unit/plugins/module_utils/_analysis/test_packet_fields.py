# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A packet in words or fields: what it becomes, what is assumed, and what is said where it is wrong."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._analysis.packet_fields import (
    DYNAMIC_PORT,
    FIELDS,
    GivenPacket,
    filtered_interface,
    read_packet,
)
from ansible_collections.palisade.nftables.plugins.module_utils._core.addresses import parse_address
from ansible_collections.palisade.nftables.plugins.module_utils._core.errors import Path, Problems
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import (
    Direction,
    FlowDirection,
    Route,
    State,
)
from ansible_collections.palisade.nftables.plugins.module_utils._policy.packet import Packet
from tests.packets.wording import program_of

OUTSIDE = parse_address("203.0.113.7")[1]
OUTSIDE6 = parse_address("2001:db8::7")[1]


def read(value: object, **more: t.Any) -> GivenPacket:
    problems = Problems()
    given = read_packet(value, Path("packet"), problems, **more)
    assert not problems.errors, problems.errors
    assert given is not None
    return given


def problems_of(value: object) -> t.List[str]:
    problems = Problems()
    assert read_packet(value, Path("packet"), problems) is None
    return [str(problem) for problem in problems.errors]


def packet(**fields: t.Any) -> Packet:
    start: t.Dict[str, t.Any] = {"direction": Direction.INGRESS, "family": 4, "protocol": 6, "source": 0}
    return Packet(**{**start, "destination": 0, "source_port": DYNAMIC_PORT, **fields})


READ = [
    ("tcp from 203.0.113.7 to port 22", packet(source=OUTSIDE, destination_port=22)),
    ("TCP port 22 FROM 203.0.113.7", packet(source=OUTSIDE, source_port=DYNAMIC_PORT, destination_port=22)),
    ("6 to 203.0.113.7 port 22", packet(destination=OUTSIDE, destination_port=22)),
    ("tcp from 203.0.113.7 port 1234 to port 22", packet(source=OUTSIDE, source_port=1234, destination_port=22)),
    (
        "tcp from port 443 established reply",
        packet(
            source_port=443, destination_port=DYNAMIC_PORT, state=State.ESTABLISHED, flow_direction=FlowDirection.REPLY
        ),
    ),
    (
        "a tcp packet, out, to port 25, with state related",
        packet(direction=Direction.EGRESS, destination_port=25, state=State.RELATED),
    ),
    (
        "outgoing udp to 2001:db8::7 port 53 on wg0 ttl 3",
        packet(
            direction=Direction.EGRESS,
            family=6,
            protocol=17,
            destination=OUTSIDE6,
            destination_port=53,
            interface="wg0",
            hop_limit=3,
        ),
    ),
    ("related tcp reset port 80", packet(destination_port=80, tcp_reset=True, state=State.RELATED)),
    ("ping from 203.0.113.7", packet(protocol=1, source=OUTSIDE, source_port=None, icmp_type=8)),
    ("ping from 2001:db8::7", packet(family=6, protocol=58, source=OUTSIDE6, source_port=None, icmp_type=128)),
    ("ipv6 ping", packet(family=6, protocol=58, source_port=None, icmp_type=128)),
    ("icmp type time-exceeded", packet(protocol=1, source_port=None, icmp_type=11)),
    ("icmpv6 type nd-neighbor-solicit", packet(family=6, protocol=58, source_port=None, icmp_type=135, hop_limit=255)),
    ("published tcp port 80", packet(destination_port=80, route=Route.PUBLISHED)),
    ("forwarded tcp port 80", packet(destination_port=80, route=Route.FORWARDED)),
    ("ipv6 tcp port 22", packet(family=6, destination_port=22)),
    ("gre", packet(protocol=47, source_port=None)),
    ({"protocol": "tcp", "source": "203.0.113.7", "destination_port": 22}, packet(source=OUTSIDE, destination_port=22)),
    ({"protocol": "tcp", "from": "203.0.113.7", "port": "22"}, packet(source=OUTSIDE, destination_port=22)),
    (
        {"protocol": 17, "to": "2001:db8::7", "port": 53, "direction": "Egress", "state": None},
        packet(direction=Direction.EGRESS, family=6, protocol=17, destination=OUTSIDE6, destination_port=53),
    ),
]


@pytest.mark.parametrize(("value", "wanted"), READ)
def test_what_is_read(value: object, wanted: Packet) -> None:
    assert read(value).packet == wanted


WRONG = [
    ("", "packet: the protocol is missing; write for example: tcp from 203.0.113.7 to port 22"),
    ("tcp", "packet: tcp has ports: say which, such as 'to port 22'"),
    ("tcp frm 203.0.113.7", "packet: 'frm' is no word of a packet; did you mean 'from'?"),
    ("tcp to prt 22", "packet: 'prt' is not an address; did you mean 'port'?"),
    ("tcp from office to port 22", "packet: 'office' is not an address; a packet has one on each side"),
    ("tcp from to port 22", "packet: behind 'from' an address is missing"),
    ("tcp to port", "packet: behind 'port' a port is missing"),
    ("tcp to 203.0.113.7:443", "packet: '203.0.113.7:443' is not an address; write '203.0.113.7 port 443'"),
    ("tcp from 198.51.100.0/24 port 22", "packet: '198.51.100.0/24' is many addresses, and a packet has one"),
    ("tcp from 198.51.100.1/24 port 22", "write 198.51.100.0/24 for the network or 198.51.100.1 for the one host"),
    ("tcp from ::ffff:203.0.113.7 port 22", "write the IPv4 address 203.0.113.7"),
    ("tcp to port 22-80", "packet: '22-80' is many ports, and a packet has one"),
    ("tcp to port 70000", "packet: '70000' is not a port (0-65535)"),
    ("tcp udp port 53", "packet: the protocol is said twice, 'tcp' and 'udp'; a packet has one"),
    ("tcp from 203.0.113.7 to 2001:db8::7 port 1", "packet: the source is of IPv4 and the destination is of IPv6"),
    ("icmp from 2001:db8::7", "packet: icmp is of IPv4 and the source is of IPv6"),
    ("gre port 22", "packet: gre has no ports; leave them out"),
    ("tcp type echo-request port 22", "packet: only icmp and icmpv6 have types"),
    ("icmp type ecko-request", "packet: 'ecko-request' is not a type of icmp: a name such as echo-request, or a"),
    ("tcp reply port 22", "packet: a reply belongs to a connection that is known: write 'established reply'"),
    ("out published tcp port 22", "packet: a packet that leaves the host itself is not published; write it incoming"),
    ("invalid published tcp port 22", "packet: a packet for a published port belongs to a connection, and is not inv"),
    ("udp reset port 22", "packet: only tcp has resets"),
    ("tcp port 22 ttl 256", "packet: '256' is not a hop limit (0-255)"),
    ("tcp port 22 on eth*", "packet: 'eth*' is not the name of an interface"),
    ("tcp state opened port 22", "packet: 'opened' is not one of new, established, related, invalid, untracked"),
    ("tcp " * 100, "packet: these are 100 words; write one packet"),
    (22, "packet: '22' is not a packet; write words such as 'tcp from 203.0.113.7 to port 22'"),
    ({"sorce": "203.0.113.7"}, "packet: unknown key 'sorce'; did you mean 'source'?"),
    ({"protocol": "tcq", "port": 1}, "packet.protocol: 'tcq' is not the protocol of a packet: a name such as tcp"),
    ({"protocol": "any"}, "packet.protocol: 'any' is not the protocol of a packet"),
    ({"protocol": True}, "packet.protocol: the boolean 'true' is not the protocol of a packet"),
    ({"protocol": 256}, "packet.protocol: '256' is not the protocol of a packet"),
    ({"protocol": "tcp", "port": 1, "destination_port": 1}, "'port' and 'destination_port' are the same field"),
    ({"protocol": "tcp", "port": 1, "source": ["203.0.113.7"]}, "packet.source: a list is not an address"),
    ({"protocol": "tcp", "port": 1, "family": 5}, "packet.family: '5' is not a family: 4 or 6"),
    ({"protocol": "tcp", "port": 1, "tcp_reset": "maybe"}, "packet.tcp_reset: 'maybe' is not true or false"),
]


@pytest.mark.parametrize(("value", "message"), WRONG)
def test_what_is_refused(value: object, message: str) -> None:
    found = problems_of(value)
    assert any(message in one for one in found), found


def test_all_problems_come_together() -> None:
    found = problems_of({"protocol": "tcp", "source": "nowhere", "direction": "up", "state": 1})
    assert [one.split(":")[0] for one in found] == ["packet.source", "packet.direction", "packet.state"]


def test_what_is_assumed_is_known() -> None:
    assert read("tcp from 203.0.113.7 to port 22").assumed == {"destination", "source_port", "interface", "hop_limit"}
    said = read("icmp type 8 from 203.0.113.7 to 192.0.2.1 on eth0 ttl 64")
    assert said.assumed == frozenset()
    assert "icmp_type" in read("icmp").assumed
    assert "icmp_type" not in read("ping").assumed


@pytest.mark.parametrize(
    ("words", "side", "other"),
    [("tcp port 22", "destination", "source"), ("out tcp port 22", "source", "destination")],
)
def test_the_hosts_own_address_is_on_its_side(words: str, side: str, other: str) -> None:
    given = read(words, own_addresses={4: OUTSIDE, 6: OUTSIDE6})
    assert (getattr(given.packet, side), getattr(given.packet, other)) == (OUTSIDE, 0)
    assert {side, other} <= given.assumed
    six = read("ipv6 " + words, own_addresses={4: OUTSIDE, 6: OUTSIDE6})
    assert getattr(six.packet, side) == OUTSIDE6


def test_every_field_can_be_given() -> None:
    fields = {
        "direction": "egress",
        "protocol": "tcp",
        "source": "203.0.113.7",
        "destination": "203.0.113.8",
        "source_port": 1,
        "destination_port": 2,
        "interface": "wg0",
        "state": "established",
        "flow_direction": "reply",
        "family": 4,
        "hop_limit": 9,
        "tcp_reset": True,
        "route": "local",
    }
    assert {*fields, "icmp_type"} == set(FIELDS)
    assert read(fields).packet == Packet(
        direction=Direction.EGRESS,
        family=4,
        protocol=6,
        source=OUTSIDE,
        destination=OUTSIDE + 1,
        interface="wg0",
        source_port=1,
        destination_port=2,
        hop_limit=9,
        tcp_reset=True,
        state=State.ESTABLISHED,
        flow_direction=FlowDirection.REPLY,
    )


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({}, "eth0"),
        ({"firewall_interfaces": ["ens*", "wg0"]}, "ens0"),
        ({"firewall_interfaces": ["wg0"]}, "wg0"),
        ({"firewall_interfaces_ignored": ["eth*", "ens*"]}, "net0"),
    ],
)
def test_the_assumed_interface_is_filtered(variables: t.Dict[str, t.Any], name: str) -> None:
    program = program_of(variables)
    assert filtered_interface(program) == name
    assert program.filters(name)
