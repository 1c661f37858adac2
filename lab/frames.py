# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The octets of a lab packet, made so that the kernel sees it in the wanted connection state.

Each packet carries a number from 1 to 65535, by which the lab finds it again behind the hooks: in the
identification of IPv4, in the lower 16 bits of the flow label of IPv6, and for the reset that answers
a TCP packet in the sequence numbers.
"""

from __future__ import annotations

import struct
import typing as t

from . import packets
from .packets import LabPacket

#: In the upper half of the sequence numbers that carry a packet's number.
_SEQUENCE_MARK = 0x4C42 << 16

_IPV4 = struct.Struct("!BBHHHBBHII")
_IPV6 = struct.Struct("!IHBB16s16s")
_TCP = struct.Struct("!HHIIBBHHH")
_FOUR = struct.Struct("!HHHH")

#: Verification tags of SCTP associations, by direction; the flow is created with the same.
VERIFICATION_TAGS: t.Mapping[str, int] = {"original": 0x11111111, "reply": 0x22222222}

#: Ports of the flow that an ICMP error is about.
INNER_PORTS = (40001, 40002)

#: Longer than anything a lab packet has room for.
_IMPOSSIBLE_LENGTH = 0x4000


def checksum(octets: bytes, start: int = 0) -> int:
    """The Internet checksum (RFC 1071) of an even number of octets, never 0, which UDP takes for none."""
    return 0xFFFF - (start + int.from_bytes(octets, "big")) % 0xFFFF


def pseudo_header(packet: LabPacket, length: int) -> int:
    """What the pseudo header adds to a checksum. Its words may be added in any order."""
    return packet.source + packet.destination + packet.protocol + length


def _with_checksum(packet: LabPacket, octets: bytes, position: int) -> bytes:
    value = checksum(octets, pseudo_header(packet, len(octets)))
    return octets[:position] + value.to_bytes(2, "big") + octets[position + 2 :]


def _with_plain_checksum(packet: LabPacket, octets: bytes, position: int) -> bytes:
    """As the kernel checks the packets of a protocol it does not know before it refuses them with an
    error (nf_ip_checksum, nf_ip6_checksum): in IPv4 it leaves out the pseudo header.
    """
    start = pseudo_header(packet, len(octets)) if packet.family == 6 else 0
    return octets[:position] + checksum(octets, start).to_bytes(2, "big") + octets[position + 2 :]


def internet_packet(packet: LabPacket, number: int) -> bytes:
    """The packet from its IP header on."""
    return _with_header(packet, number, _upper_layer(packet, number))


def reset_trigger(packet: LabPacket, number: int) -> bytes:
    """What arrives so that the kernel, refusing it, sends the wanted reset."""
    trigger = LabPacket(
        direction="ingress",
        interface=packet.interface,
        family=packet.family,
        protocol=packets.TCP,
        source=packet.destination,
        destination=packet.source,
        source_port=packet.destination_port,
        destination_port=packet.source_port,
        # A reset that answers an acknowledgement has no acknowledgement itself (RFC 9293 3.10.7.1).
        tcp_flags=frozenset({"syn"}) if "ack" in packet.tcp_flags else frozenset({"ack"}),
    )
    return internet_packet(trigger, number)


def fence(family: int, number: int) -> bytes:
    """A packet that only marks a place in the order of arrival."""
    address = packets.OWN_ADDRESS[family]
    return internet_packet(LabPacket("ingress", "", family, packets.UDP, address, address, state="untracked"), number)


def _with_header(packet: LabPacket, number: int, payload: bytes) -> bytes:
    if packet.family == 6:
        return (
            _IPV6.pack(
                6 << 28 | number,
                len(payload),
                packet.protocol,
                packet.hop_limit,
                packet.source.to_bytes(16, "big"),
                packet.destination.to_bytes(16, "big"),
            )
            + payload
        )
    fields = (0x45, 0, 20 + len(payload), number, 0, packet.hop_limit, packet.protocol)
    value = checksum(_IPV4.pack(*fields, 0, packet.source, packet.destination))
    return _IPV4.pack(*fields, value, packet.source, packet.destination) + payload


def _upper_layer(packet: LabPacket, number: int) -> bytes:
    protocol = packet.protocol
    if protocol == packets.TCP:
        return _tcp(packet, number)
    if protocol in (packets.UDP, packets.UDPLITE):
        length = _IMPOSSIBLE_LENGTH if packet.state == "invalid" else 8
        octets = _FOUR.pack(packet.source_port, packet.destination_port, length, 0)
        return _with_checksum(packet, octets, 6)
    if protocol in (packets.ICMP, packets.ICMPV6):
        return _icmp(packet, number)
    if protocol == packets.SCTP:
        return _sctp(packet)
    if protocol == packets.GRE:
        # Version 1 is tracked only with PPP inside (RFC 2637).
        return struct.pack("!HHI", 1 if packet.state == "invalid" else 0, 0x0800, 0)
    if protocol == packets.DCCP:
        # A request (RFC 4340 5.1): offset in words, extended sequence numbers, service code.
        octets = struct.pack("!HHBBHBBHII", packet.source_port, packet.destination_port, 5, 0, 0, 1, 0, 0, 1, 0)
        return _with_plain_checksum(packet, octets, 6)
    # Eight octets, of which the kernel asks nothing but the checksum.
    return _with_plain_checksum(packet, b"\0" * 8, 4)


def _tcp(packet: LabPacket, number: int) -> bytes:
    flags = packets.flags_number(packet.tcp_flags)
    offset = 5
    if packet.state == "invalid" and not packets.is_naturally_invalid(packet):
        # Options that would reach beyond the end of the packet.
        offset = 15
    # The reset that answers has our acknowledgement as its sequence number or, where there is none,
    # acknowledges ours and what it counts as the packet's length (nf_reject_ip_tcphdr_put).
    counted = (flags & 1) + (flags >> 1 & 1) + 20 - 4 * offset
    sequence = (_SEQUENCE_MARK | number) - counted
    acknowledged = _SEQUENCE_MARK | number if flags & 0x10 else 0
    octets = _TCP.pack(
        packet.source_port, packet.destination_port, sequence, acknowledged, offset << 4, flags, 0xFFFF, 0, 0
    )
    return _with_checksum(packet, octets, 16)


def _icmp(packet: LabPacket, number: int) -> bytes:
    octets = struct.pack("!BBHHH", packet.icmp_type, packet.icmp_code, 0, number, 1)
    if packet.is_icmp_error:
        octets += _inner(packet, number)
    elif packet.state == "invalid" and not packets.is_naturally_invalid(packet):
        # Too short for a header, long enough for type and code.
        octets = octets[:4]
    return _with_plain_checksum(packet, octets, 2)


def _inner(packet: LabPacket, number: int) -> bytes:
    """The packet that an ICMP error is about: it was sent by the one who now gets the error."""
    about = LabPacket(
        packet.direction,
        packet.interface,
        packet.family,
        packets.UDP,
        packet.destination,
        packet.source,
        *INNER_PORTS,
    )
    return internet_packet(about, number)


def _sctp(packet: LabPacket) -> bytes:
    if packet.state in {"established", "invalid"}:
        # A DATA chunk: within an association all is well, without one it is invalid (RFC 9260 3.3.1).
        tag = VERIFICATION_TAGS[packet.ct_direction]
        chunk = struct.pack("!BBHIHHII", 0, 3, 20, 1, 0, 0, 0, 0)
    else:
        # An INIT chunk (RFC 9260 3.3.2).
        tag = 0
        chunk = struct.pack("!BBHIIHHI", 1, 0, 20, VERIFICATION_TAGS["reply"], 65535, 1, 1, 1)
    # Nobody looks at the checksum before the socket layer; connection tracking is told not to.
    return struct.pack("!HHII", packet.source_port, packet.destination_port, tag, 0) + chunk
