# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""The packets that meet a condition of the kernel's rules, as regions. What :mod:`.walk` asks of one packet."""

from __future__ import annotations

import typing as t

from .._compile.table import Field, Lookup, MapElement, Match, SetReference
from .._core.intervals import Interval, IntervalSet
from .._nft.read import LiveRuleset
from .._policy.model import Direction, Route
from .._policy.program import interface_matches
from .._policy.protocols import PORT_PROTOCOLS
from .._policy.traffic import ICMP, ICMPV6
from .meaning import TRACKED, Lane
from .regions import (
    DESTINATION,
    DESTINATION_PORT,
    FAMILY_SPACE,
    FLOW_DIRECTION,
    FLOW_DIRECTIONS,
    HOP_LIMIT,
    ICMP_TYPE,
    PROTOCOL,
    SOURCE,
    SOURCE_PORT,
    SPACE,
    STATE,
    STATES,
    TCP_RESET,
    Region,
    family_of,
)
from .walk import ADDRESS_BITS, FAMILY_NUMBERS, FAMILY_WORDS, UNSAID

_WITH_PORTS = IntervalSet((one, one) for one in PORT_PROTOCOLS)
_WITHOUT_PORTS = IntervalSet((SPACE[PROTOCOL],)) - _WITH_PORTS
_TCP_ALONE = IntervalSet.single(6)

#: The dimension of an address, and its family.
_ADDRESSES: t.Mapping[Field, t.Tuple[int, int]] = {
    Field.SOURCE4: (SOURCE, 4),
    Field.SOURCE6: (SOURCE, 6),
    Field.DESTINATION4: (DESTINATION, 4),
    Field.DESTINATION6: (DESTINATION, 6),
    Field.ORIGINAL_DESTINATION4: (DESTINATION, 4),
    Field.ORIGINAL_DESTINATION6: (DESTINATION, 6),
}
_ICMP_TYPES: t.Mapping[Field, t.Tuple[int, int]] = {Field.ICMP_TYPE: (4, ICMP), Field.ICMPV6_TYPE: (6, ICMPV6)}

#: What only a packet that belongs to a connection has.
_OF_CONNECTIONS = (
    Field.FLOW_DIRECTION,
    Field.STATUS,
    Field.ORIGINAL_DESTINATION4,
    Field.ORIGINAL_DESTINATION6,
    Field.ORIGINAL_DESTINATION_PORT,
)


class UnsaidError(Exception):
    """What a condition asks for is not known of these packets; the message says what it is."""


class Conditions:
    """The conditions of a ruleset, for packets of one lane on one interface."""

    def __init__(self, ruleset: LiveRuleset, lane: Lane, interface: str) -> None:
        self._ruleset = ruleset
        self._lane = lane
        incoming = lane.direction is Direction.INGRESS
        self._interfaces = {
            Field.INPUT_INTERFACE: interface if incoming else "",
            Field.OUTPUT_INTERFACE: "" if incoming else interface,
        }
        self._unsaid = UNSAID[lane.route]

    def narrow(self, region: Region, matches: t.Iterable[Match]) -> t.Tuple[t.List[Region], str]:
        """The packets that meet all conditions, disjoint; and why it is not known of them whether they do.

        The reason is empty where it is known. Otherwise the packets are those that meet the other conditions.
        """
        found = [region]
        reason = ""
        for match in matches:
            try:
                found = [part for one in found for part in self._match(one, match)]
            except UnsaidError as exc:
                reason = reason or str(exc)
        return found, reason

    def _match(self, region: Region, match: Match) -> t.List[Region]:
        value = match.value
        if match.field in self._unsaid:
            raise UnsaidError("a rule asks for %s, which is not known of a packet that goes on" % match.field.value)
        if isinstance(value, SetReference):
            if value.name not in self._ruleset.sets:
                raise UnsaidError("the set %s was not understood" % value.name)
            value = self._ruleset.sets[value.name]
        if isinstance(value, IntervalSet):
            return self._numbers(region, match.field, value)
        return self._words(region, match.field, value)

    def why_unsaid(self, lookup: Lookup) -> str:
        """Why it is not known what a lookup finds; empty where it is."""
        unsaid = [field.value for field in lookup.fields if field in self._unsaid]
        return "the map %s asks for %s, which is not known" % (lookup.map_name, unsaid[0]) if unsaid else ""

    def element(self, region: Region, lookup: Lookup, element: MapElement) -> t.List[Region]:
        """The packets whose values an element of a map holds; the values are known, see :meth:`why_unsaid`."""
        found = [region]
        for field, interval in zip(lookup.fields, element.key):
            key = interval if lookup.prefix is None else _widened(interval, ADDRESS_BITS[field] - lookup.prefix)
            if key is None:
                return []
            found = [part for one in found for part in self._numbers(one, field, IntervalSet((key,)))]
        return found

    def _numbers(self, region: Region, field: Field, value: IntervalSet) -> t.List[Region]:
        family = family_of(region)
        if field in _ADDRESSES:
            dimension, wanted = _ADDRESSES[field]
            low = FAMILY_SPACE[family][0]
            shifted = IntervalSet((first + low, last + low) for first, last in value.intervals)
            narrowed = _narrowed(region, dimension, shifted) if family == wanted else []
        elif field is Field.FAMILY:
            narrowed = [region] if FAMILY_NUMBERS[FAMILY_WORDS[family]] in value else []
        elif field is Field.PROTOCOL:
            narrowed = _narrowed(region, PROTOCOL, value)
        elif field in (Field.SOURCE_PORT, Field.DESTINATION_PORT):
            dimension = SOURCE_PORT if field is Field.SOURCE_PORT else DESTINATION_PORT
            narrowed = [
                part for one in _narrowed(region, PROTOCOL, _WITH_PORTS) for part in _narrowed(one, dimension, value)
            ]
        elif field is Field.ORIGINAL_DESTINATION_PORT:
            with_ports = _narrowed(region, PROTOCOL, _WITH_PORTS)
            narrowed = [part for one in with_ports for part in _narrowed(one, DESTINATION_PORT, value)]
            # What connection tracking has in the place of ports is always there.
            narrowed += _narrowed(region, PROTOCOL, _WITHOUT_PORTS) if 0 in value else []
        elif field in _ICMP_TYPES:
            wanted, protocol = _ICMP_TYPES[field]
            own = _narrowed(region, PROTOCOL, IntervalSet.single(protocol)) if family == wanted else []
            narrowed = [part for one in own for part in _narrowed(one, ICMP_TYPE, value)]
        elif field is Field.HOP_LIMIT:
            narrowed = _narrowed(region, HOP_LIMIT, value) if family == 6 else []
        else:
            raise UnsaidError("a rule asks for the number of %s" % field.value)
        return _of_connections(narrowed) if field in _OF_CONNECTIONS else narrowed

    def _words(self, region: Region, field: Field, words: t.Tuple[str, ...]) -> t.List[Region]:
        if field in self._interfaces:
            name = self._interfaces[field]
            return [region] if any(interface_matches(word, name) for word in words) else []
        if field is Field.FAMILY:
            return [region] if FAMILY_WORDS[family_of(region)] in words else []
        if field is Field.STATE:
            return _narrowed(region, STATE, _indexes([state.value in words for state in STATES]))
        if field is Field.FLOW_DIRECTION:
            ways = _indexes([way.value in words for way in FLOW_DIRECTIONS])
            return _of_connections(_narrowed(region, FLOW_DIRECTION, ways))
        if field is Field.STATUS:
            status = "dnat" if self._lane.route is Route.PUBLISHED else ""
            return _of_connections([region]) if status in words else []
        if field is Field.TCP_RESET:
            own = _narrowed(region, PROTOCOL, _TCP_ALONE)
            return [part for one in own for part in _narrowed(one, TCP_RESET, _indexes(["" in words, "rst" in words]))]
        raise UnsaidError("a rule asks for %s in words" % field.value)


def _widened(interval: Interval, bits: int) -> t.Optional[Interval]:
    """The addresses whose leading bits, the others being zero, lie in the interval."""
    first = -(-interval[0] >> bits)
    last = interval[1] >> bits
    return (first << bits, ((last + 1) << bits) - 1) if first <= last else None


def _narrowed(region: Region, dimension: int, value: IntervalSet) -> t.List[Region]:
    """The region with this alone in a dimension; none where nothing is left."""
    shared = (IntervalSet(region[dimension]) & value).intervals
    if not shared:
        return []
    changed = list(region)
    changed[dimension] = shared
    return [tuple(changed)]


def _of_connections(regions: t.Iterable[Region]) -> t.List[Region]:
    tracked = _indexes([state in TRACKED for state in STATES])
    return [part for region in regions for part in _narrowed(region, STATE, tracked)]


def _indexes(chosen: t.Sequence[bool]) -> IntervalSet:
    return IntervalSet((index, index) for index, one in enumerate(chosen) if one)
