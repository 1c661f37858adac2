# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connection tracking entries, made before the packets that belong to them."""

from __future__ import annotations

import functools
import struct
import typing as t

from . import frames, netlink, packets
from .netlink import attribute, nested
from .packets import LabPacket

_CTNETLINK = 1
_NEW, _DELETE = 0, 2

# enum ctattr_type, linux/netfilter/nfnetlink_conntrack.h
_ORIGINAL, _REPLY, _STATUS, _PROTOINFO, _TIMEOUT, _MASTER, _ZONE = 1, 2, 3, 4, 7, 14, 18
_TUPLE_IP, _TUPLE_PROTOCOL = 1, 2

# enum ip_conntrack_status, linux/netfilter/nf_conntrack_common.h
_SEEN_REPLY, _ASSURED, _CONFIRMED = 0x02, 0x04, 0x08

_SECONDS = attribute(_TIMEOUT, struct.pack("!I", 3600))

# enum tcp_conntrack and sctp_conntrack
_TCP_SYN_SENT, _TCP_SYN_RECEIVED, _TCP_ESTABLISHED = 1, 2, 3
_SCTP_CLOSED, _SCTP_ESTABLISHED = 1, 4


class Endpoints(t.NamedTuple):
    """One direction of a flow. ``keys`` are the two ports; identifier and type for ICMP."""

    family: int
    protocol: int
    source: int
    destination: int
    keys: t.Tuple[int, int]
    code: int = 0

    def reversed(self) -> Endpoints:
        keys = (self.keys[1], self.keys[0])
        if self.protocol in (packets.ICMP, packets.ICMPV6):
            probe = LabPacket("", "", self.family, self.protocol, 0, 0, icmp_type=self.keys[1])
            keys = (self.keys[0], t.cast("int", packets.echo_answer(probe)))
        return self._replace(source=self.destination, destination=self.source, keys=keys)


def swapped(number: int) -> int:
    """The number with its two octets exchanged."""
    return (number & 0xFF) << 8 | number >> 8


def flush() -> netlink.Request:
    """Removes all entries of the network namespace."""
    return netlink.netfilter(_CTNETLINK, _DELETE, netlink.REQUEST, 0)


def entries(packet: LabPacket, number: int, zone: int) -> t.List[netlink.Request]:
    """What has to exist before the packet is sent, so that the kernel finds it in its state."""
    if packet.state == "established":
        return [_established(_endpoints(packet, number), packet.ct_direction, zone, _tcp_state(packet))]
    if packet.state != "related":
        return []
    if packet.is_icmp_error:
        return [_established(_about(packet), packet.ct_direction, zone)]
    if packet.is_kernel_reset:
        if packet.ct_direction == "reply":
            # The refused packet begins the flow, and its answer is the reply.
            return []
        refused = Endpoints(
            packet.family,
            packets.TCP,
            packet.destination,
            packet.source,
            (packet.destination_port, packet.source_port),
        )
        # A reset with ack answers a packet without, which can only be the second of two that crossed.
        return [_established(refused, "reply", zone, _TCP_SYN_SENT if "ack" in packet.tcp_flags else _TCP_ESTABLISHED)]
    expected = _endpoints(packet, number)
    master = Endpoints(packet.family, packets.UDP, packet.source, packet.destination, frames.INNER_PORTS)
    if expected.protocol == packets.UDP and expected.keys == master.keys:
        master = master.reversed()._replace(source=master.source, destination=master.destination)
    return [_established(master, "original", zone), _expected(expected, master, zone)]


def _endpoints(packet: LabPacket, number: int) -> Endpoints:
    keys = (0, 0)
    code = 0
    if packet.is_icmp:
        keys, code = (number, packet.icmp_type), packet.icmp_code
    elif packet.protocol in packets.PORT_PROTOCOLS:
        keys = (packet.source_port, packet.destination_port)
    return Endpoints(packet.family, packet.protocol, packet.source, packet.destination, keys, code)


def _about(packet: LabPacket) -> Endpoints:
    """The direction in which an ICMP error goes, of the flow that it is about."""
    first, second = frames.INNER_PORTS
    return Endpoints(packet.family, packets.UDP, packet.source, packet.destination, (second, first))


def _tuple(number: int, one: Endpoints) -> bytes:
    if one.family == 4:
        source, destination = (struct.pack("!I", address) for address in (one.source, one.destination))
        address = nested(_TUPLE_IP, attribute(1, source), attribute(2, destination))
    else:
        source, destination = (value.to_bytes(16, "big") for value in (one.source, one.destination))
        address = nested(_TUPLE_IP, attribute(3, source), attribute(4, destination))
    parts = [attribute(1, bytes([one.protocol]))]
    if one.protocol in (packets.ICMP, packets.ICMPV6):
        base = 4 if one.protocol == packets.ICMP else 7
        parts.append(attribute(base, struct.pack("!H", one.keys[0])))
        parts.append(attribute(base + 1, bytes([one.keys[1]])))
        parts.append(attribute(base + 2, bytes([one.code])))
    else:
        parts.append(attribute(2, struct.pack("!H", one.keys[0])))
        parts.append(attribute(3, struct.pack("!H", one.keys[1])))
    return nested(number, address, nested(_TUPLE_PROTOCOL, *parts))


def _tcp_state(packet: LabPacket) -> int:
    """The state in which a known connection takes the packet for its own: two of them belong to openings that cross."""
    if "rst" not in packet.tcp_flags and "syn" in packet.tcp_flags:
        if "ack" in packet.tcp_flags and packet.ct_direction == "original":
            return _TCP_SYN_RECEIVED
        if "ack" not in packet.tcp_flags and packet.ct_direction == "reply":
            return _TCP_SYN_SENT
    return _TCP_ESTABLISHED


@functools.cache
def _protocol_state(protocol: int, tcp_state: int, sctp_state: int) -> bytes:
    if protocol == packets.TCP:
        return nested(_PROTOINFO, nested(1, attribute(1, bytes([tcp_state]))))
    if protocol == packets.SCTP:
        tags = frames.VERIFICATION_TAGS
        return nested(
            _PROTOINFO,
            nested(
                3,
                attribute(1, bytes([sctp_state])),
                attribute(2, struct.pack("!I", tags["original"])),
                attribute(3, struct.pack("!I", tags["reply"])),
            ),
        )
    return b""


def _create(family: int, *parts: bytes) -> netlink.Request:
    # AF_INET and AF_INET6
    flags = netlink.REQUEST | netlink.CREATE | netlink.EXCLUSIVE
    return netlink.netfilter(_CTNETLINK, _NEW, flags, 2 if family == 4 else 10, *parts)


def _established(one: Endpoints, direction: str, zone: int, tcp_state: int = _TCP_ESTABLISHED) -> netlink.Request:
    """A flow with traffic both ways, of which ``one`` is the given direction."""
    original, reply = (one, one.reversed()) if direction == "original" else (one.reversed(), one)
    return _create(
        one.family,
        _tuple(_ORIGINAL, original),
        _tuple(_REPLY, reply),
        attribute(_STATUS, struct.pack("!I", _SEEN_REPLY | _ASSURED | _CONFIRMED)),
        _protocol_state(one.protocol, tcp_state, _SCTP_ESTABLISHED),
        attribute(_ZONE, struct.pack("!H", zone)),
        _SECONDS,
    )


def _expected(one: Endpoints, master: Endpoints, zone: int) -> netlink.Request:
    """A flow that another one announced, as helpers make them, before its first packet."""
    return _create(
        one.family,
        _tuple(_ORIGINAL, one),
        _tuple(_REPLY, one.reversed()),
        attribute(_STATUS, struct.pack("!I", _CONFIRMED)),
        _protocol_state(one.protocol, _TCP_SYN_SENT, _SCTP_CLOSED),
        attribute(_ZONE, struct.pack("!H", zone)),
        _tuple(_MASTER, master),
        _SECONDS,
    )
