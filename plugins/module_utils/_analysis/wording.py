# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Rules, packets and their parts as people read them: short, in the words of the policy language."""

from __future__ import annotations

import typing as t

from .._core.addresses import FAMILIES, AddressSet, format_address, format_interval
from .._core.intervals import IntervalSet
from .._core.ports import format_ports
from .._policy.model import FlowDirection, Route, Rule, State, Traffic
from .._policy.packet import Packet
from .._policy.protocols import ICMP_TYPES, ICMPV6_TYPES, PROTOCOL_NAMES
from .._policy.traffic import ICMP, ICMPV6

#: Addresses, ports and the like past this number are counted, not listed: a line has to fit a terminal.
_LISTED = 5

#: Protocols whose name says the family.
_FAMILY_KNOWN = (IntervalSet.single(ICMP), IntervalSet.single(ICMPV6))


def with_rest(texts: t.Sequence[str], total: int) -> str:
    """The first few of ``total``, and how many more there are."""
    listed = ", ".join(texts[:_LISTED])
    return listed if total <= _LISTED else "%s and %d more" % (listed, total - _LISTED)


def describe_rule(rule: Rule) -> str:
    """``accept tcp port 22 from office``."""
    words = [rule.action.value, " or ".join(dict.fromkeys(_describe_traffic(kind) for kind in rule.traffic))]
    for word, side in (("from", rule.sources), ("to", rule.destinations)):
        if side is not None:
            words.extend((word, side.label or _list_addresses(side)))
    if rule.states is not None:
        words.append("in state %s" % describe_states(rule.states))
    if rule.flow_direction is not None:
        words.append("going the way of %s" % describe_way(rule.flow_direction))
    return " ".join(words)


def _describe_traffic(kind: Traffic) -> str:
    words = ["everything" if kind.protocols is None else describe_protocols(kind.protocols)]
    if kind.family is not None and kind.protocols not in _FAMILY_KNOWN:
        words.insert(0, "IPv%d" % kind.family)
    if kind.tcp_reset:
        words.append("reset")
    if kind.source_ports is not None:
        words.append("source port %s" % describe_ports(kind.source_ports))
    if kind.destination_ports is not None:
        words.append("port %s" % describe_ports(kind.destination_ports))
    if kind.icmp_types is not None:
        words.append("type %s" % describe_types(kind.icmp_types, kind.family))
    if kind.hop_limit is not None:
        words.append("hop limit %d" % kind.hop_limit)
    return " ".join(words)


def describe_protocol(number: int) -> str:
    return PROTOCOL_NAMES.get(number, "protocol %d" % number)


def describe_protocols(numbers: IntervalSet) -> str:
    texts = [describe_protocol(one) for low, high in numbers.intervals for one in range(low, high + 1)]
    return with_rest(texts, len(texts))


def describe_ports(ports: IntervalSet) -> str:
    return with_rest([format_ports(interval) for interval in ports.intervals[:_LISTED]], len(ports.intervals))


def describe_type(number: int, family: t.Optional[int]) -> str:
    """The name that nft has for a type, or its number."""
    names = ICMPV6_TYPES if family == 6 else ICMP_TYPES
    return next((name for name, one in names.items() if one == number), str(number))


def describe_types(types: IntervalSet, family: t.Optional[int]) -> str:
    texts = [describe_type(one, family) for low, high in types.intervals for one in range(low, high + 1)]
    return with_rest(texts, len(texts))


def describe_addresses(addresses: AddressSet, family: int) -> str:
    """The label and the addresses, those of the packet's family before the others."""
    listed = _list_addresses(addresses, (family, *(one for one in FAMILIES if one != family)))
    return "%s (%s)" % (addresses.label, listed) if addresses.label else listed


def _list_addresses(addresses: AddressSet, families: t.Sequence[int] = FAMILIES) -> str:
    intervals = [(family, interval) for family in families for interval in addresses[family].intervals]
    texts = [format_interval(*one) for one in intervals[:_LISTED]]
    return with_rest(texts, len(intervals)) or "no address"


def describe_address(family: int, address: int) -> str:
    """The address; the unspecified one stands for an address that no rule names."""
    return format_address(family, address) if address else "an unnamed address"


def describe_states(states: t.AbstractSet[State]) -> str:
    return ", ".join(state.value for state in State if state in states)


def describe_way(way: FlowDirection) -> str:
    return "replies" if way is FlowDirection.REPLY else "requests"


def describe_packet(packet: Packet, unsaid: t.AbstractSet[str] = frozenset()) -> str:
    """``ingress tcp from 203.0.113.7 to port 22, new, on eth0``.

    Args:
        unsaid: Names of fields to leave out: ``source``, ``destination``, ``source_port``, ``destination_port``.
    """
    words = [packet.direction.value, describe_protocol(packet.protocol)]
    if packet.icmp_type is not None:
        words.append(describe_type(packet.icmp_type, packet.family))
    if packet.tcp_reset:
        words.append("reset")
    sides = (
        ("from", "source", packet.source, packet.source_port),
        ("to", "destination", packet.destination, packet.destination_port),
    )
    for word, name, address, port in sides:
        side = [] if name in unsaid and not address else [describe_address(packet.family, address)]
        if port is not None and name + "_port" not in unsaid:
            side.append("port %d" % port)
        if side:
            words.extend((word, *side))
    state = packet.state.value
    if packet.flow_direction is FlowDirection.REPLY:
        state += " reply"
    if packet.route is not Route.LOCAL:
        state += ", %s" % packet.route.value
    return "%s, %s, on %s" % (" ".join(words), state, packet.interface)
