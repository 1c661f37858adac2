# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rulesets of the shape that the layout ``auto`` makes, written by hand: nft text and nothing of the compiler.

One entry chain looks addresses up in a map of intervals, whose elements jump to a chain for the office, which
may come in, and to one for outsiders, which may not. Each of those looks the rest up in a map of concatenated
intervals, whose elements go to a chain with a counter and a verdict. All but the entry chain is constant: the
names of one generation carry its number, and a change brings a whole new generation.

The protocol stands before a lookup of ranges, not in its key: nft 1.0.6 turns the protocol's one octet there
by a ``byteorder`` expression of two, which Linux 6.12.117 refuses (Operation not supported).

Behind the lookups stands the opposite of what they decide. So whoever finds a map empty for an instant is
refused in the office's place, and let in in the outsiders'.
"""

from __future__ import annotations

import ipaddress
import typing as t

from lab.flood import Stream
from lab.packets import TCP, LabPacket

OFFICE = {4: "198.51.100.0/24", 6: "2001:db8:1::/48"}
OUTSIDERS = {4: "203.0.113.0/24", 6: "2001:db8:2::/48"}
OWN = {4: "192.0.2.10", 6: "2001:db8::10"}

_WORD = {4: "ip", 6: "ip6"}
_TYPE = {4: "ipv4_addr", 6: "ipv6_addr"}

#: Packets of a stream, each from another address and port.
_PACKETS = 64


def _filler(family: int, number: int) -> str:
    """The number-th of many small networks, none of them next to another."""
    if family == 4:
        return "%s/28" % (ipaddress.IPv4Address("198.18.0.0") + 32 * number)
    return "%s/64" % (ipaddress.IPv6Address("2001:db8:100::") + (number << 65))


def _span(network: str) -> str:
    found = ipaddress.ip_network(network)
    return "%s-%s" % (found[0], found[-1])


def _services(name: str, family: int, peers: str, verdict: str, size: int) -> t.List[str]:
    """A map of ``size`` concatenated ranges, of which the first decides about the streams."""
    keys = ["%s . %s . 20-29" % (_span(peers), OWN[family])]
    keys += [
        "%s . %s . %d-%d" % (_span(_filler(family, number)), OWN[family], 1000 + number, 1001 + number)
        for number in range(size - 1)
    ]
    elements = ",\n".join('%s comment "web[0]" : %s' % (key, verdict) for key in keys)
    return [
        "map %s {" % name,
        "type %s . %s . inet_service : verdict" % (_TYPE[family], _TYPE[family]),
        "flags interval",
        "elements = {\n%s\n}" % elements,
        "}",
    ]


def constants(generation: int, size: int) -> str:
    """What nothing leads to yet: maps of ``size`` elements, and chains."""
    lines = ["table inet palisade {", "counter policy/web/0 { }"]
    for family in (4, 6):
        word, mark = _WORD[family], "%d_%d" % (family, generation)
        sources = ["%s : jump office_%s" % (OFFICE[family], mark), "%s : jump outsiders_%s" % (OUTSIDERS[family], mark)]
        sources += ["%s : jump office_%s" % (_filler(family, number), mark) for number in range(size - 2)]
        lines += [
            "map by_source_%s {" % mark,
            "type %s : verdict" % _TYPE[family],
            "flags interval",
            "elements = {\n%s\n}" % ",\n".join(sources),
            "}",
            *_services("office_services_" + mark, family, OFFICE[family], "goto web_" + mark, size),
            *_services("outsiders_services_" + mark, family, OUTSIDERS[family], "goto refuse_" + mark, size),
        ]
        for whose in ("office", "outsiders"):
            lookup = "meta l4proto tcp {0} saddr . {0} daddr . th dport vmap @{1}_services_{2}".format(
                word, whose, mark
            )
            lines += ["chain %s_%s {" % (whose, mark), lookup, "}"]
        lines += [
            "chain web_%s {" % mark,
            'counter name "policy/web/0" accept comment "web[0]"',
            "}",
            "chain refuse_%s {" % mark,
            'drop comment "outsiders[0]"',
            "}",
        ]
    return "\n".join([*lines, "}", ""])


def frame() -> str:
    """The table with its base chain, and an entry chain that accepts everything."""
    lines = [
        "table inet palisade {",
        "chain ingress {",
        "}",
        "chain input {",
        "type filter hook input priority filter; policy accept;",
        "goto ingress",
        "}",
        "}",
        "",
    ]
    return "\n".join(lines)


def switch(generation: int) -> str:
    """Fills the entry chain anew, so that it leads to a generation."""
    rules = [
        "ct state established accept",
        *("%s saddr vmap @by_source_%d_%d" % (_WORD[family], family, generation) for family in (4, 6)),
        *("%s saddr %s accept" % (_WORD[family], OUTSIDERS[family]) for family in (4, 6)),
        "drop",
    ]
    lines = ["flush chain inet palisade ingress", *("add rule inet palisade ingress %s" % rule for rule in rules)]
    return "\n".join([*lines, ""])


def deletion(generation: int) -> str:
    """Deletes a generation that nothing leads to any more, from above: what leads elsewhere goes first."""
    lines = []
    for family in (4, 6):
        mark = "%d_%d" % (family, generation)
        lines += [
            "delete map inet palisade by_source_" + mark,
            *("delete chain inet palisade %s_%s" % (whose, mark) for whose in ("office", "outsiders")),
            *("delete map inet palisade %s_services_%s" % (whose, mark) for whose in ("office", "outsiders")),
            *("delete chain inet palisade %s_%s" % (what, mark) for what in ("web", "refuse")),
        ]
    return "\n".join([*lines, ""])


def streams() -> t.Dict[str, Stream]:
    """What the office and outsiders send to port 22 of the host, in each family."""
    return {
        "%s, IPv%d" % (who, family): Stream(_packets(family, peers[family]), allowed)
        for family in (4, 6)
        for who, peers, allowed in (("office", OFFICE, True), ("outsiders", OUTSIDERS, False))
    }


def _packets(family: int, peers: str) -> t.List[LabPacket]:
    own = int(ipaddress.ip_address(OWN[family]))
    first = int(ipaddress.ip_network(peers)[1])
    return [
        LabPacket(
            direction="ingress",
            interface="eth0",
            family=family,
            protocol=TCP,
            source=first + number,
            destination=own,
            source_port=40000 + number,
            destination_port=22,
            tcp_flags=frozenset({"syn"}),
        )
        for number in range(_PACKETS)
    ]


def _ranges(map_number: int, number: int) -> t.List[t.Tuple[str, str]]:
    """First and last value of each field of an element; elements of a map are disjoint in the first."""
    source = int(ipaddress.IPv4Address("198.18.0.0")) + 8 * number
    destination = int(ipaddress.IPv4Address("203.0.113.0"))
    return [
        (str(ipaddress.IPv4Address(source + 1)), str(ipaddress.IPv4Address(source + 5))),
        (str(ipaddress.IPv4Address(destination + 3)), str(ipaddress.IPv4Address(destination + 200))),
        (str(1000 + map_number), str(1024 + map_number + number)),
    ]


def corners(map_number: int, number: int) -> t.List[str]:
    """The smallest and the greatest key of an element of :func:`many_maps`."""
    ranges = _ranges(map_number, number)
    return [" . ".join(values) for values in zip(*ranges)]


def many_maps(maps: int, size: int) -> str:
    """So many maps of so many concatenated ranges each; the elements of each go to as many chains."""
    lines = ["table inet palisade {"]
    for number in range(size):
        lines += ["chain leaf_%d {" % number, 'accept comment "web[%d]"' % number, "}"]
    for map_number in range(maps):
        elements = ",\n".join(
            '%s comment "web[%d]" : goto leaf_%d'
            % (" . ".join("%s-%s" % pair for pair in _ranges(map_number, number)), number, number)
            for number in range(size)
        )
        lines += [
            "map map_%d {" % map_number,
            "type ipv4_addr . ipv4_addr . inet_service : verdict",
            "flags interval",
            "elements = {\n%s\n}" % elements,
            "}",
        ]
    return "\n".join([*lines, "}", ""])


def nested(jumps: int) -> str:
    """A base chain that drops, below it so many chains in a row, each reached by a map; the last one accepts."""
    lines = ["table inet palisade {"]
    for level in range(1, jumps + 1):
        lines += [
            "map level_%d {" % level,
            "type ipv4_addr : verdict",
            "flags interval",
            "elements = { %s : jump chain_%d }" % (OFFICE[4], level),
            "}",
            "chain chain_%d {" % level,
            "accept" if level == jumps else "ip saddr vmap @level_%d" % (level + 1),
            "}",
        ]
    lines += [
        "chain input {",
        "type filter hook input priority filter; policy accept;",
        "ip saddr vmap @level_1",
        "drop",
        "}",
        "}",
        "",
    ]
    return "\n".join(lines)
