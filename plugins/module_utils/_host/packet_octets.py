# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Packets that open a connection, as octets from the IP header on, with right checksums.

TCP (RFC 9293), UDP (RFC 768), echo requests of ICMP (RFC 792) and ICMPv6 (RFC 4443).
"""

from __future__ import annotations

import struct

from .._policy.packet import Packet

_IPV4 = struct.Struct("!BBHHHBBHII")
_IPV6 = struct.Struct("!IHBB16s16s")
_TCP = struct.Struct("!HHIIBBHHH")
_FOUR = struct.Struct("!HHHH")

_ICMP, _TCP_NUMBER, _UDP, _ICMPV6 = 1, 6, 17, 58
_SYN = 0x02
_ECHO_REQUEST = {_ICMP: 8, _ICMPV6: 128}

#: The protocols whose packets can be made here.
PROTOCOLS = (_TCP_NUMBER, _UDP, _ICMP, _ICMPV6)


def octets_of(packet: Packet, identification: int = 1) -> bytes:
    """The packet; ``identification`` is the field of that name in IPv4.

    Raises:
        ValueError: It is of another protocol than :data:`PROTOCOLS`.
    """
    payload = _upper_layer(packet)
    if packet.family == 6:
        return (
            _IPV6.pack(
                6 << 28,
                len(payload),
                packet.protocol,
                packet.hop_limit,
                packet.source.to_bytes(16, "big"),
                packet.destination.to_bytes(16, "big"),
            )
            + payload
        )
    return ipv4_header(packet, len(payload), identification) + payload


def ipv4_header(packet: Packet, length: int, identification: int) -> bytes:
    """The header before ``length`` octets."""
    fields = (0x45, 0, _IPV4.size + length, identification, 0, packet.hop_limit, packet.protocol)
    value = _checksum(_IPV4.pack(*fields, 0, packet.source, packet.destination))
    return _IPV4.pack(*fields, value, packet.source, packet.destination)


def _upper_layer(packet: Packet) -> bytes:
    protocol = packet.protocol
    ports = (packet.source_port or 0, packet.destination_port or 0)
    if protocol == _TCP_NUMBER:
        octets = _TCP.pack(*ports, 1, 0, 5 << 4, _SYN, 0xFFFF, 0, 0)
        return _summed(packet, octets, 16)
    if protocol == _UDP:
        return _summed(packet, _FOUR.pack(*ports, 8, 0), 6)
    if _ECHO_REQUEST.get(protocol) == packet.icmp_type and (protocol == _ICMP) is (packet.family == 4):
        octets = struct.pack("!BBHHH", packet.icmp_type or 0, 0, 0, 1, 1)
        return _summed(packet, octets, 2)
    raise ValueError("no packet of protocol %d is made here" % protocol)


def _summed(packet: Packet, octets: bytes, position: int) -> bytes:
    """With the checksum of the Internet (RFC 1071), over a pseudo header but for ICMP of IPv4."""
    start = 0
    if packet.protocol != _ICMP:
        start = packet.source + packet.destination + packet.protocol + len(octets)
    return octets[:position] + struct.pack("!H", _checksum(octets, start)) + octets[position + 2 :]


def _checksum(octets: bytes, start: int = 0) -> int:
    """Never 0, which UDP takes for none."""
    return 0xFFFF - (start + int.from_bytes(octets, "big")) % 0xFFFF
