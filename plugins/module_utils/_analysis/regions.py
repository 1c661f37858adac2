# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Regions: products of intervals over every field that a packet has, and packets out of them.

A region is a box (:mod:`.._compile.lowered`) with nothing left unsaid: each field has its intervals, and
each region has one address family. Both families share the numbers of an address, IPv4 below IPv6, so
that a family is an interval like any other.

Fields that a packet does not have (the ports of ESP) have a value in a region all the same. No box asks
for such a field without asking for a protocol that has it, so the value makes no difference.
"""

from __future__ import annotations

import typing as t

from .._compile.lowered import Box
from .._core.addresses import BITS, FAMILIES, AddressSet
from .._core.intervals import Interval, IntervalSet
from .._policy.model import Direction, FlowDirection, State
from .._policy.packet import Packet
from .._policy.protocols import PORT_PROTOCOLS
from .._policy.traffic import ICMP, ICMPV6

Intervals = t.Tuple[Interval, ...]
Region = t.Tuple[Intervals, ...]

#: The dimensions of a region, as indexes into it.
(
    SOURCE,
    DESTINATION,
    PROTOCOL,
    SOURCE_PORT,
    DESTINATION_PORT,
    ICMP_TYPE,
    STATE,
    FLOW_DIRECTION,
    HOP_LIMIT,
    TCP_RESET,
) = DIMENSIONS = tuple(range(10))

_TCP = 6
_IPV6_OFFSET = 1 << 128
_OFFSET: t.Mapping[int, int] = {4: 0, 6: _IPV6_OFFSET}
FAMILY_SPACE: t.Mapping[int, Interval] = {
    family: (_OFFSET[family], _OFFSET[family] + (1 << BITS[family]) - 1) for family in FAMILIES
}

#: Values of the dimensions that are no numbers: the commonest first, where nothing else decides.
STATES: t.Tuple[State, ...] = (State.NEW, State.ESTABLISHED, State.RELATED, State.INVALID, State.UNTRACKED)
FLOW_DIRECTIONS: t.Tuple[FlowDirection, ...] = (FlowDirection.ORIGINAL, FlowDirection.REPLY)

#: All values of each dimension; of the addresses, those of both families and the numbers between.
SPACE: t.Tuple[Interval, ...] = (
    (0, FAMILY_SPACE[6][1]),
    (0, FAMILY_SPACE[6][1]),
    (0, 255),
    (0, 65535),
    (0, 65535),
    (0, 255),
    (0, len(STATES) - 1),
    (0, len(FLOW_DIRECTIONS) - 1),
    (0, 255),
    (0, 1),
)

#: The values that a witness has where it may: those of an ordinary packet, at addresses of documentation.
_PREFERRED: t.Mapping[int, t.Sequence[int]] = {
    SOURCE: (0xCB007107, 0xC6336407, 0xC0000207, _IPV6_OFFSET + (0x20010DB8 << 96) + 7),
    DESTINATION: (0xC6336401, 0xC0000201, 0xCB007101, _IPV6_OFFSET + (0x20010DB8 << 96) + 1),
    PROTOCOL: (6, 17),
    SOURCE_PORT: (40000, 50000, 1024, 1),
    DESTINATION_PORT: (443, 22, 80, 53, 8080, 1024, 1),
    ICMP_TYPE: (8, 128),
    HOP_LIMIT: (64,),
}


def regions_of(box: Box, families: t.Sequence[int] = FAMILIES) -> t.List[Region]:
    """The packets of a box, one region for each family that it holds."""
    return [_region(box, family) for family in families if box.family in (None, family)]


def _region(box: Box, family: int) -> Region:
    space = FAMILY_SPACE[family]
    return (
        _addresses(box.sources, family, space),
        _addresses(box.destinations, family, space),
        _numbers(box.protocols, PROTOCOL),
        _numbers(box.source_ports, SOURCE_PORT),
        _numbers(box.destination_ports, DESTINATION_PORT),
        _numbers(box.icmp_types, ICMP_TYPE),
        _members(box.states, STATES, STATE),
        _members(None if box.flow_direction is None else (box.flow_direction,), FLOW_DIRECTIONS, FLOW_DIRECTION),
        (SPACE[HOP_LIMIT],) if box.hop_limit is None else ((box.hop_limit, box.hop_limit),),
        ((1, 1),) if box.tcp_reset else (SPACE[TCP_RESET],),
    )


def intervals_of(addresses: AddressSet, family: int) -> Intervals:
    """Addresses of one family, as a region has them."""
    return _addresses(addresses[family], family, FAMILY_SPACE[family])


def _addresses(members: t.Optional[IntervalSet], family: int, space: Interval) -> Intervals:
    if members is None:
        return (space,)
    offset = _OFFSET[family]
    return tuple((low + offset, high + offset) for low, high in members.intervals)


def _numbers(members: t.Optional[IntervalSet], dimension: int) -> Intervals:
    return (SPACE[dimension],) if members is None else members.intervals


def _members(chosen: t.Optional[t.Iterable[object]], known: t.Sequence[object], dimension: int) -> Intervals:
    if chosen is None:
        return (SPACE[dimension],)
    return IntervalSet((known.index(one), known.index(one)) for one in chosen).intervals


def with_state(region: Region, state: State, flow: FlowDirection) -> Region:
    """The packets of the region, but in this state and on this way of their connection."""
    changed = list(region)
    changed[STATE] = ((STATES.index(state),) * 2,)
    changed[FLOW_DIRECTION] = ((FLOW_DIRECTIONS.index(flow),) * 2,)
    return tuple(changed)


def opening(region: Region) -> Region:
    """The packets of the region that open a connection."""
    return with_state(region, State.NEW, FlowDirection.ORIGINAL)


def family_of(region: Region) -> int:
    """The family of a region's packets."""
    return 6 if region[SOURCE][0][0] >= _IPV6_OFFSET else 4


def intersect(one: Region, other: Region) -> t.Optional[Region]:
    """The packets of both; None where there is none."""
    found = []
    for mine, theirs in zip(one, other):
        shared = mine if mine == theirs else (IntervalSet(mine) & IntervalSet(theirs)).intervals
        if not shared:
            return None
        found.append(shared)
    return tuple(found)


def overlap(one: Region, other: Region) -> bool:
    """Whether the two share a packet."""
    return all(mine == theirs or _share(mine, theirs) for mine, theirs in zip(one, other))


def _share(one: Intervals, other: Intervals) -> bool:
    i = j = 0
    while i < len(one) and j < len(other):
        if one[i][0] <= other[j][1] and other[j][0] <= one[i][1]:
            return True
        if one[i][1] < other[j][1]:
            i += 1
        else:
            j += 1
    return False


def contains(region: Region, packet: Packet) -> bool:
    """Whether a packet is in the region; in fields that it does not have, the region has to hold every value."""
    offset = _OFFSET[packet.family]
    values = (
        packet.source + offset,
        packet.destination + offset,
        packet.protocol,
        packet.source_port,
        packet.destination_port,
        packet.icmp_type,
        STATES.index(packet.state),
        FLOW_DIRECTIONS.index(packet.flow_direction),
        packet.hop_limit,
        int(packet.tcp_reset) if packet.protocol == _TCP else None,
    )
    return all(
        intervals == (SPACE[dimension],) if value is None else any(low <= value <= high for low, high in intervals)
        for dimension, (value, intervals) in enumerate(zip(values, region))
    )


def is_within(one: Region, other: Region) -> bool:
    """Whether every packet of ``one`` is in ``other``."""
    return all(mine == theirs or IntervalSet(mine) <= IntervalSet(theirs) for mine, theirs in zip(one, other))


def witness(region: Region, direction: Direction, interface: str = "eth0") -> Packet:
    """A packet of the region, as ordinary as the region allows."""
    preferred = dict(_PREFERRED)
    if direction is Direction.EGRESS:
        preferred[SOURCE], preferred[DESTINATION] = preferred[DESTINATION], preferred[SOURCE]
    values = [_choose(preferred.get(dimension, ()), intervals) for dimension, intervals in enumerate(region)]
    family = family_of(region)
    offset = _OFFSET[family]
    protocol = _protocol(region[PROTOCOL], family)
    has_ports = protocol in PORT_PROTOCOLS
    return Packet(
        direction=direction,
        family=family,
        protocol=protocol,
        source=values[SOURCE] - offset,
        destination=values[DESTINATION] - offset,
        interface=interface,
        source_port=values[SOURCE_PORT] if has_ports else None,
        destination_port=values[DESTINATION_PORT] if has_ports else None,
        icmp_type=_icmp_type(region[ICMP_TYPE], family) if protocol == _icmp(family) else None,
        hop_limit=values[HOP_LIMIT],
        tcp_reset=bool(values[TCP_RESET]) and protocol == 6,
        state=STATES[values[STATE]],
        flow_direction=FLOW_DIRECTIONS[values[FLOW_DIRECTION]],
    )


def _icmp(family: int) -> int:
    return ICMP if family == 4 else ICMPV6


def _protocol(intervals: Intervals, family: int) -> int:
    return _choose((*_PREFERRED[PROTOCOL], _icmp(family)), intervals)


def _icmp_type(intervals: Intervals, family: int) -> int:
    return _choose((8,) if family == 4 else (128,), intervals)


def _choose(preferred: t.Iterable[int], intervals: Intervals) -> int:
    for value in preferred:
        if any(low <= value <= high for low, high in intervals):
            return value
    return intervals[0][0]
