# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Regions in words: ``tcp port 443 from 198.51.100.0/24, 2001:db8:1::/48``.

A person asks what changes for connections that open, so regions are told of their packets that open one, and the
state is left out. Regions without such packets are told with their states.
"""

from __future__ import annotations

import typing as t

from .._core.addresses import BITS, FAMILIES, format_interval
from .._core.intervals import Interval, IntervalSet
from .._policy.model import State
from .._policy.traffic import ICMP, ICMPV6
from .regions import (
    DESTINATION,
    DESTINATION_PORT,
    DIMENSIONS,
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
    Intervals,
    Region,
    family_of,
    intersect,
    opening,
)
from .wording import describe_ports, describe_protocols, describe_states, describe_types, describe_way, with_rest

#: Addresses that one side lists.
_LISTED = 5

#: The protocol whose name says the family.
_OWN_ICMP: t.Mapping[int, IntervalSet] = {4: IntervalSet.single(ICMP), 6: IntervalSet.single(ICMPV6)}

_Both = t.Dict[int, Region]


def describe_regions(regions: t.Sequence[Region]) -> t.List[str]:
    """Few texts that name these regions and nothing else, but for the state; each one stands by itself."""
    opened = [found for found in (intersect(one, opening(one)) for one in regions) if found is not None]
    told = [_without_state(one) for one in opened] or list(regions)
    return [_describe(both) for both in _by_family(merge(told))]


def merge(regions: t.Iterable[Region]) -> t.List[Region]:
    """The same packets in fewer regions: those that differ in one field are one."""
    found = list(dict.fromkeys(regions))
    before = 0
    while len(found) != before:
        before = len(found)
        for dimension in DIMENSIONS:
            found = _merge_in(found, dimension)
    return found


def _merge_in(regions: t.Iterable[Region], dimension: int) -> t.List[Region]:
    alike: t.Dict[t.Tuple[object, ...], t.Tuple[Region, t.List[Interval]]] = {}
    for region in regions:
        # The numbers of the families do not touch, and the other address would be in the wrong one.
        key = (family_of(region), *region[:dimension], *region[dimension + 1 :])
        alike.setdefault(key, (region, []))[1].extend(region[dimension])
    found = []
    for region, intervals in alike.values():
        changed = list(region)
        changed[dimension] = IntervalSet(intervals).intervals
        found.append(tuple(changed))
    return found


def _without_state(region: Region) -> Region:
    changed = list(region)
    changed[STATE], changed[FLOW_DIRECTION] = (SPACE[STATE],), (SPACE[FLOW_DIRECTION],)
    return tuple(changed)


def _by_family(regions: t.Sequence[Region]) -> t.List[_Both]:
    """Regions of both families that differ in nothing but the addresses, together."""
    found: t.Dict[t.Tuple[object, ...], t.List[_Both]] = {}
    for region in regions:
        pairs = found.setdefault(_rest(region), [])
        family = family_of(region)
        waiting = next((one for one in pairs if family not in one and _may_pair(region, one)), None)
        if waiting is None:
            pairs.append({family: region})
        else:
            waiting[family] = region
    return [both for pairs in found.values() for both in pairs]


def _rest(region: Region) -> t.Tuple[object, ...]:
    return tuple(intervals for dimension, intervals in enumerate(region) if dimension not in (SOURCE, DESTINATION))


def _may_pair(region: Region, waiting: _Both) -> bool:
    """Whether both ask for the same sides, so that one text is true of both."""
    other = next(iter(waiting.values()))
    return all(_is_any(region, side) == _is_any(other, side) for side in (SOURCE, DESTINATION))


def _is_any(region: Region, dimension: int) -> bool:
    space = FAMILY_SPACE[family_of(region)] if dimension in (SOURCE, DESTINATION) else SPACE[dimension]
    return region[dimension] == (space,)


def _describe(both: _Both) -> str:
    region = next(iter(both.values()))
    family = next(iter(both)) if len(both) == 1 else None
    protocols = IntervalSet(region[PROTOCOL])
    words = ["everything" if _is_any(region, PROTOCOL) else _protocols(protocols)]
    named = family is not None and protocols == _OWN_ICMP[family]
    if family is not None and not named and _is_any(region, SOURCE) and _is_any(region, DESTINATION):
        words.insert(0, "IPv%d" % family)
    if region[TCP_RESET] == ((1, 1),):
        words.append("reset")
    elif not _is_any(region, TCP_RESET):
        words.append("no reset")
    for dimension, word in ((SOURCE_PORT, "source port"), (DESTINATION_PORT, "port")):
        if not _is_any(region, dimension):
            words.append("%s %s" % (word, describe_ports(IntervalSet(region[dimension]))))
    if not _is_any(region, ICMP_TYPE):
        words.append("type %s" % _types(region, family))
    if not _is_any(region, HOP_LIMIT):
        words.append("hop limit %s" % describe_ports(IntervalSet(region[HOP_LIMIT])))
    for side, word in ((SOURCE, "from"), (DESTINATION, "to")):
        if not _is_any(region, side):
            words.extend((word, _addresses(both, side)))
    states = _members(region[STATE], STATES)
    if len(states) < len(STATES):
        words.append("in state %s" % describe_states(t.cast("t.Set[State]", set(states))))
    ways = _members(region[FLOW_DIRECTION], FLOW_DIRECTIONS)
    if len(ways) < len(FLOW_DIRECTIONS):
        words.append("going the way of %s" % describe_way(ways[0]))
    return " ".join(words)


def states_of(regions: t.Iterable[Region]) -> t.FrozenSet[State]:
    """The connection states that packets of the regions have."""
    return frozenset(one for region in regions for one in _members(region[STATE], STATES))


_Member = t.TypeVar("_Member")


def _members(intervals: Intervals, known: t.Sequence[_Member]) -> t.List[_Member]:
    return [one for index, one in enumerate(known) if index in IntervalSet(intervals)]


def _protocols(protocols: IntervalSet) -> str:
    others = IntervalSet((SPACE[PROTOCOL],)) - protocols
    if others.size <= _LISTED < protocols.size:
        return "every protocol but %s" % describe_protocols(others)
    return describe_protocols(protocols)


def _types(region: Region, family: t.Optional[int]) -> str:
    types = IntervalSet(region[ICMP_TYPE])
    others = IntervalSet((SPACE[ICMP_TYPE],)) - types
    if others.size <= _LISTED < types.size:
        return "other than %s" % describe_types(others, family)
    return describe_types(types, family)


def _addresses(both: _Both, side: int) -> str:
    """What both families list, IPv4 first; all but some where that is shorter."""
    members = {family: IntervalSet(both[family][side]) for family in FAMILIES if family in both}
    others = {family: IntervalSet((FAMILY_SPACE[family],)) - one for family, one in members.items()}
    if sum(len(one.intervals) for one in others.values()) < sum(len(one.intervals) for one in members.values()):
        if len(both) == 1:
            return "any IPv%d address but %s" % (next(iter(both)), _list(others))
        return "any but %s" % _list(others)
    return _list(members)


def _list(members: t.Mapping[int, IntervalSet]) -> str:
    texts: t.List[str] = []
    count = 0
    for family, one in members.items():
        low_end = FAMILY_SPACE[family][0]
        shifted = [(low - low_end, high - low_end) for low, high in one.intervals]
        parts = [part for interval in shifted[: _LISTED + 1] for part in _prefixes(family, interval)]
        count += len(parts) + max(0, len(shifted) - _LISTED - 1)
        texts.extend(parts)
    return with_rest(texts, count)


def _prefixes(family: int, interval: Interval) -> t.List[str]:
    """One range, or the two prefixes that it is made of where two do."""
    low, high = interval
    size = low & -low or 1 << BITS[family]
    while size > high - low + 1:
        size >>= 1
    rest = high - (low + size) + 1
    if rest > 0 and rest & (rest - 1) == 0 and (low + size) & (rest - 1) == 0:
        return [format_interval(family, (low, low + size - 1)), format_interval(family, (low + size, high))]
    return [format_interval(family, interval)]
