# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a packet of the lab is, and which packets the lab can show to the kernel."""

from __future__ import annotations

import dataclasses
import typing as t

ICMP, IGMP, TCP, UDP, DCCP, GRE, ESP, AH, ICMPV6, NO_NEXT_HEADER, SCTP, UDPLITE = (
    1, 2, 6, 17, 33, 47, 50, 51, 58, 59, 132, 136,
)  # fmt: skip

#: Protocols whose header begins with two ports.
PORT_PROTOCOLS = frozenset({TCP, UDP, DCCP, SCTP, UDPLITE})

#: What NAT mends the checksum of, and what has none over the addresses (nf_nat_proto.c, nf_reject.h).
_TRANSLATABLE = PORT_PROTOCOLS | {ICMPV6, GRE, ESP, AH}

#: The bits of the TCP header's thirteenth octet and their names in nft.
TCP_FLAGS: t.Mapping[str, int] = {
    "fin": 0x01, "syn": 0x02, "rst": 0x04, "psh": 0x08, "ack": 0x10, "urg": 0x20, "ecn": 0x40, "cwr": 0x80,
}  # fmt: skip

#: An address of the lab's own in each family, from ranges that no host may use (RFC 7600, RFC 6666):
#: the kernel needs one to send ICMP errors from.
OWN_ADDRESS: t.Mapping[int, int] = {4: 0xC0000008, 6: 0x0100 << 112 | 1}

#: Likewise on every link, fe80::c000:8: errors to link-local addresses come from none but those.
OWN_LINK_ADDRESS = 0xFE80 << 112 | 0xC0000008

#: Extension headers, which are no protocol of their own to the kernel (RFC 8200 section 4; AH is one too).
_EXTENSION_HEADERS = frozenset({0, 43, 44, AH, 60})

_CONFIRMED_TYPES = {
    # Requests begin a flow and have this answer; net/netfilter/nf_conntrack_proto_icmp.c and _icmpv6.c.
    ICMP: {8: 0, 13: 14, 15: 16, 17: 18},
    ICMPV6: {128: 129, 139: 140},
}
_ERROR_TYPES = {ICMP: frozenset({3, 4, 5, 11, 12}), ICMPV6: frozenset(range(128))}

#: Types of IPv4's ICMP about which the kernel sends errors (icmp_pointers in net/ipv4/icmp.c).
_ANSWERABLE_ICMP = frozenset({0, 8, 13, 14, 15, 16, 17, 18})

#: Never tracked by the kernel: MLD, neighbour discovery without redirect, and in newer ones multicast router discovery.
_UNTRACKED_ICMPV6 = frozenset({130, 131, 132, 133, 134, 135, 136, 143, 151, 152})

#: Combinations that the kernel takes for TCP, without psh, ecn and cwr (nf_conntrack_proto_tcp.c).
_SANE_FLAGS = frozenset(
    {
        frozenset({"syn"}),
        frozenset({"syn", "urg"}),
        frozenset({"syn", "ack"}),
        frozenset({"rst"}),
        frozenset({"rst", "ack"}),
        frozenset({"fin", "ack"}),
        frozenset({"fin", "ack", "urg"}),
        frozenset({"ack"}),
        frozenset({"ack", "urg"}),
    }
)
_FLAGS_WITHOUT_MEANING = frozenset({"psh", "ecn", "cwr"})


@dataclasses.dataclass(frozen=True)
class LabPacket:
    """One packet and the connection state that the kernel is to see it in.

    Attributes:
        direction: ``ingress`` or ``egress``, seen from the host with the ruleset.
        interface: Where it arrives or leaves.
        family: 4 or 6.
        protocol: Number, 0 to 255.
        source: Address as an integer.
        destination: Likewise.
        source_port: For protocols that have ports.
        destination_port: Likewise.
        icmp_type: For ICMP in IPv4 and ICMPv6 in IPv6.
        icmp_code: Likewise.
        tcp_flags: Names as in :data:`TCP_FLAGS`.
        hop_limit: Or time to live.
        state: ``new``, ``established``, ``related``, ``invalid`` or ``untracked``. ``related`` is an ICMP
            error about a known flow; a TCP reset on its way out that the kernel itself sends to refuse a
            packet; and anything else a new flow that a connection tracking helper expected.
        ct_direction: ``original`` or ``reply``; of no meaning where the kernel tracks nothing.
        published: It is for a published port: behind connection tracking its destination is translated, and the
            host forwards it.
    """

    direction: str
    interface: str
    family: int
    protocol: int
    source: int
    destination: int
    source_port: int = 0
    destination_port: int = 0
    icmp_type: int = 0
    icmp_code: int = 0
    tcp_flags: t.FrozenSet[str] = frozenset()
    hop_limit: int = 64
    state: str = "new"
    ct_direction: str = "original"
    published: bool = False

    @property
    def is_icmp(self) -> bool:
        """Whether it is ICMP of its own family; the other family's is a number without meaning."""
        return self.protocol == (ICMP if self.family == 4 else ICMPV6)

    @property
    def is_icmp_error(self) -> bool:
        """Whether it reports about another packet, a part of which it carries."""
        return self.is_icmp and self.icmp_type in _ERROR_TYPES[self.protocol]

    @property
    def is_kernel_reset(self) -> bool:
        """Whether only the kernel can send it: the reset with which it refuses a connection."""
        egress_reset = self.direction == "egress" and self.protocol == TCP and "rst" in self.tcp_flags
        return egress_reset and self.state == "related"

    @property
    def is_tracked(self) -> bool:
        return self.state in ("new", "established", "related")

    @property
    def answerable(self) -> bool:
        """Whether the kernel answers when a rule rejects it.

        TCP with a reset, anything else with an ICMP error. It never answers resets, ICMP errors and
        unknown ICMP, and what did not come from or did not go to one host (RFC 1122 3.2.2, RFC 4443
        2.4 e); nor what seems damaged, as does a checksum over addresses that were translated, in a protocol that
        the translation does not know. The verdict about those is ``drop``
        whether the rule says drop or reject: on the wire nothing differs.
        """
        if self.family == 4:
            if not _is_host4(self.source) or not _is_host4(self.destination):
                return False
        elif self.source == 0 or self.source >> 120 == 0xFF or self.destination >> 120 == 0xFF:
            return False
        if self.protocol == TCP and "rst" in self.tcp_flags:
            return False
        if self.published and self.family == 6 and self.protocol not in _TRANSLATABLE:
            return False
        if self.is_icmp_error or (self.is_icmp and self.family == 4 and self.icmp_type not in _ANSWERABLE_ICMP):
            return False
        return self.protocol != NO_NEXT_HEADER or self.family == 4


def _is_host4(address: int) -> bool:
    return 0 < address < 0xE0000000 or 0xF0000000 <= address < 0xFFFFFFFF


def flags_number(names: t.FrozenSet[str]) -> int:
    """The flags octet."""
    return sum(TCP_FLAGS[name] for name in names)


def is_naturally_invalid(packet: LabPacket) -> bool:
    """Whether a well-formed packet of an unknown flow is invalid to the kernel: TCP that neither
    begins nor goes on with a connection, ICMP that is no request.
    """
    if packet.protocol == TCP:
        core = packet.tcp_flags - _FLAGS_WITHOUT_MEANING
        return core not in _SANE_FLAGS or "rst" in core or "fin" in core or core == {"syn", "ack"}
    if packet.is_icmp:
        if packet.icmp_type in _ERROR_TYPES[packet.protocol]:
            return True
        if packet.protocol == ICMPV6 and packet.icmp_type in _UNTRACKED_ICMPV6:
            return False
        return packet.icmp_type not in _CONFIRMED_TYPES[packet.protocol]
    # The other family's ICMP, and what cannot be looked into.
    return packet.protocol in (ICMP, ICMPV6) or (packet.family == 6 and packet.protocol == NO_NEXT_HEADER)


def echo_answer(packet: LabPacket) -> t.Optional[int]:
    """The type on the other side of a request or an answer, None for other ICMP."""
    pairs = _CONFIRMED_TYPES[packet.protocol]
    if packet.icmp_type in pairs:
        return pairs[packet.icmp_type]
    return {answer: request for request, answer in pairs.items()}.get(packet.icmp_type)


def why_impossible(packet: LabPacket) -> t.Optional[str]:
    """Why the lab cannot show this packet to the kernel, None where it can.

    Usable addresses in IPv4: all but 0.0.0.0/8, multicast (except as a destination on the way out),
    and the lab's own 192.0.0.8; 255.255.255.255 only as a destination; 0.0.0.0 only as the source of
    what arrives at 255.255.255.255. In IPv6: all but multicast sources, ``::`` (except as a source),
    ``::1`` on other interfaces than lo, IPv4-mapped ones, multicast of scope 0 and 1, and the lab's
    own 100::1 and fe80::c000:8.
    """
    return _why_address(packet) or _why_field(packet) or _why_state(packet) or _why_published(packet)


def _why_address(packet: LabPacket) -> t.Optional[str]:
    if packet.family not in (4, 6):
        return "family %r is neither 4 nor 6" % (packet.family,)
    width = 32 if packet.family == 4 else 128
    for name, address in (("source", packet.source), ("destination", packet.destination)):
        if not 0 <= address < 1 << width:
            return "%s %d has more than %d bits" % (name, address, width)
        if address == OWN_ADDRESS[packet.family] or (packet.family == 6 and address == OWN_LINK_ADDRESS):
            return "%s is the lab's own address" % name
    check = _why_address4 if packet.family == 4 else _why_address6
    return check(packet)


def _why_address4(packet: LabPacket) -> t.Optional[str]:
    source, destination = packet.source, packet.destination
    limited = destination == 0xFFFFFFFF
    if source >> 24 == 0 and not (source == 0 and limited and packet.direction == "ingress"):
        return "the kernel takes no source in 0.0.0.0/8 (but 0.0.0.0 to 255.255.255.255 on ingress)"
    if source >> 28 == 0xE or source == 0xFFFFFFFF:
        return "the kernel takes no multicast or broadcast source"
    if destination >> 24 == 0:
        return "the kernel takes no destination in 0.0.0.0/8"
    if destination >> 28 == 0xE and packet.direction == "ingress":
        return "the kernel delivers IPv4 multicast only to groups it has joined, and the lab joins none"
    return None


def _why_address6(packet: LabPacket) -> t.Optional[str]:
    source, destination = packet.source, packet.destination
    if source >> 120 == 0xFF:
        return "the kernel takes no multicast source"
    if destination == 0:
        return "the kernel takes no packet to the unspecified address"
    if packet.interface != "lo" and 1 in (source, destination):
        return "the kernel takes ::1 on lo only"
    if 0xFFFF in (source >> 32, destination >> 32):
        return "the kernel takes no IPv4-mapped address"
    if destination >> 120 == 0xFF and destination >> 112 & 0xF in (0, 1):
        return "the kernel takes no multicast of a reserved or of interface-local scope"
    return None


def _why_published(packet: LabPacket) -> t.Optional[str]:
    if not packet.published:
        return None
    if packet.direction != "ingress" or packet.interface == "lo" or packet.state != "new":
        return "only what arrives and begins a flow is translated by the lab"
    if packet.hop_limit < 2:
        return "the kernel does not forward what has no hop left"
    if packet.family == 6 and (packet.source >> 118 == 0xFE80 >> 6 or packet.source in (0, 1)):
        return "the kernel does not forward what comes from an address of its link, or from none"
    if packet.family == 4 and not (_is_host4(packet.source) and _is_host4(packet.destination)):
        return "the kernel forwards from a host to a host"
    return None


def _why_field(packet: LabPacket) -> t.Optional[str]:
    bounds = (
        ("protocol", packet.protocol, 255),
        ("source_port", packet.source_port, 65535),
        ("destination_port", packet.destination_port, 65535),
        ("icmp_type", packet.icmp_type, 255),
        ("icmp_code", packet.icmp_code, 255),
        ("hop_limit", packet.hop_limit, 255),
    )
    for name, value, bound in bounds:
        if not 0 <= value <= bound:
            return "%s %r is not 0 to %d" % (name, value, bound)
    if packet.direction not in ("ingress", "egress"):
        return "direction %r is neither ingress nor egress" % packet.direction
    if packet.ct_direction not in ("original", "reply"):
        return "ct_direction %r is neither original nor reply" % packet.ct_direction
    unknown = packet.tcp_flags.difference(TCP_FLAGS)
    if unknown:
        return "no TCP flags: %s" % ", ".join(sorted(unknown))
    if packet.family == 6 and packet.protocol in _EXTENSION_HEADERS:
        return "protocol %d is an IPv6 extension header, behind which the kernel looks" % packet.protocol
    return None


def _why_state(packet: LabPacket) -> t.Optional[str]:
    if packet.state == "untracked":
        return None
    check = _STATE_CHECKS.get(packet.state)
    if check is None:
        return "state %r is none" % packet.state
    if packet.is_tracked:
        if packet.is_icmp and packet.protocol == ICMPV6 and packet.icmp_type in _UNTRACKED_ICMPV6:
            return "the kernel never tracks ICMPv6 type %d" % packet.icmp_type
        if packet.protocol in (ICMP, ICMPV6) and not packet.is_icmp:
            return "the kernel never tracks the ICMP of the other family"
        if packet.family == 6 and packet.protocol == NO_NEXT_HEADER:
            return "the kernel cannot track what has no next header"
        if packet.protocol == TCP and packet.tcp_flags - _FLAGS_WITHOUT_MEANING not in _SANE_FLAGS:
            return "the kernel takes no TCP packet with these flags for valid: %s" % sorted(packet.tcp_flags)
    if packet.state in ("established", "related") and _is_symmetric(packet):
        return "a flow between equal ends has no directions"
    return check(packet)


def _is_symmetric(packet: LabPacket) -> bool:
    if packet.source != packet.destination or packet.is_icmp:
        return False
    return packet.protocol not in PORT_PROTOCOLS or packet.source_port == packet.destination_port


def _why_new(packet: LabPacket) -> t.Optional[str]:
    if packet.ct_direction != "original":
        return "a new flow has only its original direction"
    if is_naturally_invalid(packet):
        return "the kernel takes this packet of an unknown flow for invalid, not for new"
    return None


def _why_established(packet: LabPacket) -> t.Optional[str]:
    if packet.protocol == DCCP:
        return "the lab keeps no DCCP connections, which only some kernels track"
    if not packet.is_icmp:
        return None
    if packet.is_icmp_error:
        return "an ICMP error is related or invalid, never established"
    is_request = packet.icmp_type in _CONFIRMED_TYPES[packet.protocol]
    if echo_answer(packet) is None:
        return "ICMP type %d begins and answers nothing" % packet.icmp_type
    if is_request != (packet.ct_direction == "original"):
        return "ICMP requests go in the original direction, answers in the reply direction"
    return None


def _why_related(packet: LabPacket) -> t.Optional[str]:
    if packet.is_icmp_error:
        return None
    if packet.is_kernel_reset:
        return _why_reset(packet)
    if packet.ct_direction != "original":
        return "of an expected flow only the original direction is related"
    if packet.protocol == DCCP:
        return "the lab keeps no DCCP connections, which only some kernels track"
    if packet.protocol == TCP and packet.tcp_flags - _FLAGS_WITHOUT_MEANING not in ({"syn"}, {"syn", "urg"}):
        return "an expected TCP flow is related in its first packet, which has syn and not ack"
    if packet.is_icmp and packet.icmp_type not in _CONFIRMED_TYPES[packet.protocol]:
        return "an expected ICMP flow begins with a request"
    return None


def _why_reset(packet: LabPacket) -> t.Optional[str]:
    if packet.tcp_flags not in ({"rst"}, {"rst", "ack"}):
        return "the kernel's own reset has rst, or rst and ack"
    if packet.hop_limit != 64:
        return "the kernel's own reset has the hop limit 64"
    if packet.family == 4 and not (_is_host4(packet.source) and _is_host4(packet.destination)):
        return "the kernel sends resets from a host to a host"
    if packet.family == 6 and (packet.source == 0 or packet.destination >> 120 == 0xFF):
        return "the kernel sends resets from a host to a host"
    return None


def _why_invalid(packet: LabPacket) -> t.Optional[str]:
    if is_naturally_invalid(packet) or packet.protocol in (TCP, UDP, UDPLITE, SCTP, GRE) or packet.is_icmp:
        return None
    return "the kernel takes no packet of protocol %d for invalid" % packet.protocol


_STATE_CHECKS: t.Mapping[str, t.Callable[[LabPacket], t.Optional[str]]] = {
    "new": _why_new,
    "established": _why_established,
    "related": _why_related,
    "invalid": _why_invalid,
}
