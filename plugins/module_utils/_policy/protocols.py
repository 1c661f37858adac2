# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Names of IP protocols and of ICMP types, and their numbers.

Sources: the IANA registries of protocol numbers, ICMP parameters and ICMPv6 parameters; nft's own
names of ICMP types, as ``nft describe icmp type`` prints them.

Ruleset text takes numbers from here and never names, because nft resolves protocol names through the
host's ``/etc/protocols``, where they may differ or be missing: there ``ipip`` is 94, but the kernel's
IPIP tunnels (RFC 2003) send 4.
"""

from __future__ import annotations

import typing as t

#: One name for each protocol. Extension headers of IPv6 (0, 43, 44, 60) have none: the kernel looks
#: behind them for a packet's protocol (nft(8), "meta l4proto"), so a rule about them never matches.
_CANONICAL: t.Mapping[str, int] = {
    "icmp": 1,
    "igmp": 2,
    "ipip": 4,
    "tcp": 6,
    "egp": 8,
    "igp": 9,
    "udp": 17,
    "dccp": 33,
    "ipv6": 41,
    "rsvp": 46,
    "gre": 47,
    "esp": 50,
    "ah": 51,
    "icmpv6": 58,
    "eigrp": 88,
    "ospf": 89,
    "etherip": 97,
    "pim": 103,
    "ipcomp": 108,
    "vrrp": 112,
    "pgm": 113,
    "l2tp": 115,
    "isis": 124,
    "sctp": 132,
    "fc": 133,
    "mobility-header": 135,
    "udplite": 136,
    "mpls-in-ip": 137,
    "manet": 138,
    "hip": 139,
    "shim6": 140,
    "wesp": 141,
    "rohc": 142,
    "ethernet": 143,
}

#: Other names in use, of IANA, of nft or of the kernel. ``ipv4`` and ``ipv6`` are packets inside
#: packets (tunnels), not the families.
PROTOCOL_ALIASES: t.Mapping[str, str] = {
    "4in4": "ipip",
    "6in4": "ipv6",
    "carp": "vrrp",
    "comp": "ipcomp",
    "ipencap": "ipip",
    "ipv4": "ipip",
    "ipv6-icmp": "icmpv6",
    "mh": "mobility-header",
    "ospfigp": "ospf",
    "sit": "ipv6",
    "udp-lite": "udplite",
}

#: Every name that a rule's ``protocol`` may use, in lower case.
PROTOCOLS: t.Mapping[str, int] = {
    **_CANONICAL,
    **{alias: _CANONICAL[name] for alias, name in PROTOCOL_ALIASES.items()},
}

#: The name of a number, for messages and documentation. Numbers without a name are valid protocols too.
PROTOCOL_NAMES: t.Mapping[int, str] = {number: name for name, number in _CANONICAL.items()}

#: Protocols whose header begins with a source and a destination port of 16 bits each: TCP (RFC 9293),
#: UDP (RFC 768), DCCP (RFC 4340), SCTP (RFC 9260), UDP-Lite (RFC 3828).
PORT_PROTOCOLS: t.FrozenSet[int] = frozenset({6, 17, 33, 132, 136})

_NFT_ICMP_TYPES: t.Mapping[str, int] = {
    "echo-reply": 0,
    "destination-unreachable": 3,
    "source-quench": 4,
    "redirect": 5,
    "echo-request": 8,
    "router-advertisement": 9,
    "router-solicitation": 10,
    "time-exceeded": 11,
    "parameter-problem": 12,
    "timestamp-request": 13,
    "timestamp-reply": 14,
    "info-request": 15,
    "info-reply": 16,
    "address-mask-request": 17,
    "address-mask-reply": 18,
}

_NFT_ICMPV6_TYPES: t.Mapping[str, int] = {
    "destination-unreachable": 1,
    "packet-too-big": 2,
    "time-exceeded": 3,
    "parameter-problem": 4,
    "echo-request": 128,
    "echo-reply": 129,
    "mld-listener-query": 130,
    "mld-listener-report": 131,
    "mld-listener-done": 132,
    "mld-listener-reduction": 132,
    "nd-router-solicit": 133,
    "nd-router-advert": 134,
    "nd-neighbor-solicit": 135,
    "nd-neighbor-advert": 136,
    "nd-redirect": 137,
    "router-renumbering": 138,
    "ind-neighbor-solicit": 141,
    "ind-neighbor-advert": 142,
    "mld2-listener-report": 143,
}

#: Names that nft does not know, but iptables(8) and its users do.
ICMP_TYPE_ALIASES: t.Mapping[str, str] = {
    "ping": "echo-request",
    "pong": "echo-reply",
    "ttl-exceeded": "time-exceeded",
}

#: The same of ip6tables(8).
ICMPV6_TYPE_ALIASES: t.Mapping[str, str] = {
    "neighbor-advertisement": "nd-neighbor-advert",
    "neighbor-solicitation": "nd-neighbor-solicit",
    "neighbour-advertisement": "nd-neighbor-advert",
    "neighbour-solicitation": "nd-neighbor-solicit",
    "ping": "echo-request",
    "pong": "echo-reply",
    "redirect": "nd-redirect",
    "router-advertisement": "nd-router-advert",
    "router-solicitation": "nd-router-solicit",
    "ttl-exceeded": "time-exceeded",
}

#: Every name that ``icmp_types`` may use with protocol icmp: nft's, and the aliases.
ICMP_TYPES: t.Mapping[str, int] = {
    **_NFT_ICMP_TYPES,
    **{alias: _NFT_ICMP_TYPES[name] for alias, name in ICMP_TYPE_ALIASES.items()},
}

#: Every name that ``icmp_types`` may use with protocol icmpv6: nft's, and the aliases.
ICMPV6_TYPES: t.Mapping[str, int] = {
    **_NFT_ICMPV6_TYPES,
    **{alias: _NFT_ICMPV6_TYPES[name] for alias, name in ICMPV6_TYPE_ALIASES.items()},
}
