# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Traffic: what is left of regions when only the protocol and what it is for are looked at.

That is, the destination ports of protocols that have them, the types of ICMP, and of other protocols nothing. It is
how people ask who reaches whom.
"""

from __future__ import annotations

import typing as t

from .._core.addresses import FAMILIES
from .._core.intervals import IntervalSet
from .._core.ports import format_ports
from .._policy.protocols import PORT_PROTOCOLS
from .._policy.traffic import ICMP, ICMPV6
from .regions import DESTINATION_PORT, ICMP_TYPE, PROTOCOL, SPACE, Region, family_of
from .wording import describe_protocol, describe_type

#: A family, and a protocol whose ports or types are told apart; or :data:`OTHERS`, whose numbers are.
Kind = t.Tuple[int, int]

#: Stands for the protocols that have neither ports nor types.
OTHERS = -1

_ICMP_OF = {4: ICMP, 6: ICMPV6}
_PORTS = IntervalSet((SPACE[DESTINATION_PORT],))
_TYPES = IntervalSet((SPACE[ICMP_TYPE],))
_NAMED = {family: (*sorted(PORT_PROTOCOLS), _ICMP_OF[family]) for family in FAMILIES}
#: The ICMP of the other family is left out: nobody speaks it, and its name would be read as that of the own one.
_REST = {
    family: IntervalSet((SPACE[PROTOCOL],)) - IntervalSet((one, one) for one in (*_NAMED[family], ICMP, ICMPV6))
    for family in FAMILIES
}


def kinds_of(region: Region) -> t.Iterator[t.Tuple[Kind, IntervalSet]]:
    """The traffic of a region: by kind its ports, its types, or its protocols."""
    family = family_of(region)
    protocols = IntervalSet(region[PROTOCOL])
    for number in _NAMED[family]:
        if number in protocols:
            dimension = DESTINATION_PORT if number in PORT_PROTOCOLS else ICMP_TYPE
            yield (family, number), IntervalSet(region[dimension])
    rest = protocols & _REST[family]
    if rest:
        yield (family, OTHERS), rest


def whole_of(kind: Kind) -> IntervalSet:
    """Everything that a kind has."""
    family, number = kind
    if number == OTHERS:
        return _REST[family]
    return _PORTS if number in PORT_PROTOCOLS else _TYPES


def kinds_of_family(family: int) -> t.Tuple[Kind, ...]:
    return (*((family, number) for number in _NAMED[family]), (family, OTHERS))


Values = t.Mapping[Kind, IntervalSet]


def describe_kinds(values: Values, families: t.AbstractSet[int]) -> t.Iterator[t.Dict[str, t.Any]]:
    """``{protocol, ports, types, family}`` for each protocol, in order.

    Args:
        families: Those that are possible; ``family`` is null where all of them have the same.
    """
    named: t.Dict[t.Tuple[str, t.Tuple[str, ...]], t.List[int]] = {}
    for family in sorted(families):
        for key in _names(values, family):
            named.setdefault(key, []).append(family)
    # An ICMP of its family needs no word about it.
    for (protocol, members), found in named.items():
        own = protocol in ("icmp", "icmpv6")
        family_told = None if own or len(found) == len(families) else found[0]
        yield {
            "protocol": protocol,
            "ports": list(members) if not own and members else None,
            "types": list(members) if own and members else None,
            "family": family_told,
        }


#: Protocols in the order in which people look for them; the others stand between.
_FIRST = ("any", "tcp", "udp")
_LAST = ("other protocols", "icmp", "icmpv6")


def reading_order(entry: t.Mapping[str, t.Any]) -> t.Tuple[t.Any, ...]:
    """To sort what :func:`describe_kinds` gave: TCP and UDP first, by their first port."""
    protocol = entry["protocol"]
    known = (*_FIRST, "", *_LAST)
    first = entry["ports"][0] if entry["ports"] else "0"
    return (
        known.index(protocol) if protocol in known else known.index(""),
        protocol,
        int(first.partition("-")[0]),
        entry["family"] or 0,
    )


def _names(values: Values, family: int) -> t.Iterator[t.Tuple[str, t.Tuple[str, ...]]]:
    """Each protocol of a family with its ports or types, none where it has all of them."""
    kinds = kinds_of_family(family)
    if all(values.get(kind) == whole_of(kind) for kind in kinds):
        yield "any", ()
        return
    for kind in kinds:
        held = values.get(kind)
        if held is None:
            continue
        number = kind[1]
        if number != OTHERS:
            yield describe_protocol(number), () if held == whole_of(kind) else tuple(_members(held, number, family))
        elif held == whole_of(kind):
            yield "other protocols", ()
        else:
            for low, high in held.intervals:
                for one in range(low, high + 1):
                    yield describe_protocol(one), ()


def _members(held: IntervalSet, number: int, family: int) -> t.Iterator[str]:
    if number in PORT_PROTOCOLS:
        yield from (format_ports(one) for one in held.intervals)
        return
    for low, high in held.intervals:
        if high - low > 8:
            yield "%d-%d" % (low, high)
        else:
            yield from (describe_type(one, family) for one in range(low, high + 1))
