# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""The part of a rule that says what kind of packet it is about: protocols, ports, ICMP types.

A rule and an entry of a service write it with the same keys, so both are read here.
"""

from __future__ import annotations

import re
import typing as t

from .._core.errors import Path, Problems, show
from .._core.intervals import Interval, IntervalSet
from .._core.ports import PortError, parse_ports
from .model import Traffic
from .protocols import ICMP_TYPES, ICMPV6_TYPES, PORT_PROTOCOLS, PROTOCOL_NAMES, PROTOCOLS
from .reading import read_list, suggestion

ICMP = 1
ICMPV6 = 58

#: ICMP belongs to IPv4 and ICMPv6 to IPv6 (RFC 792, RFC 4443); every other protocol runs over both.
PROTOCOL_FAMILY = {ICMP: 4, ICMPV6: 6}

_TYPE_NAMES = {ICMP: ICMP_TYPES, ICMPV6: ICMPV6_TYPES}
_PORT_NAMES = "tcp, udp, sctp, dccp or udplite"
#: Without leading zeros, which make a number octal elsewhere.
_NUMBER = re.compile(r"0|[1-9][0-9]{0,2}", re.ASCII)
_HIGHEST_BYTE = 255

TRAFFIC_KEYS = ("protocol", "source_ports", "destination_ports", "icmp_types")


class WrittenTraffic(t.NamedTuple):
    """Traffic together with how it was written, which providers limit.

    Attributes:
        traffic: The union that was meant.
        protocols: Protocol numbers as listed; None where any was meant.
        source_ports, destination_ports: How many ports and ranges were listed; 0 for any.
        icmp_types: How many ICMP types were listed.
    """

    traffic: t.Tuple[Traffic, ...]
    protocols: t.Optional[t.Tuple[int, ...]]
    source_ports: int = 0
    destination_ports: int = 0
    icmp_types: int = 0


def read_traffic(
    value: t.Mapping[object, object], place: Path, problems: Problems, *, ports_key: str = "destination_ports"
) -> t.Optional[WrittenTraffic]:
    """The keys of ``TRAFFIC_KEYS`` in a mapping; None where something was refused.

    ``ports_key`` is how the destination ports are called in this mapping.
    """
    errors = len(problems.errors)
    protocols = _read_protocols(value.get("protocol"), place / "protocol", problems)
    source_ports = _read_ports(value.get("source_ports"), place / "source_ports", problems)
    destination_ports = _read_ports(value.get(ports_key), place / ports_key, problems)
    if len(problems.errors) == errors:
        for key, ports in (("source_ports", source_ports), (ports_key, destination_ports)):
            if ports:
                _check_ports_allowed(protocols, place / key, problems)
    types = _read_icmp_types(value.get("icmp_types"), protocols, place / "icmp_types", problems)
    if len(problems.errors) > errors:
        return None
    return WrittenTraffic(
        traffic=tuple(_combine(protocols, _as_set(source_ports), _as_set(destination_ports), types)),
        protocols=protocols,
        source_ports=len(source_ports),
        destination_ports=len(destination_ports),
        icmp_types=max((len(listed) for listed in types.values()), default=0),
    )


def _combine(
    protocols: t.Optional[t.Tuple[int, ...]],
    source_ports: t.Optional[IntervalSet],
    destination_ports: t.Optional[IntervalSet],
    types: t.Mapping[int, t.Tuple[int, ...]],
) -> t.Iterator[Traffic]:
    if protocols is None:
        yield Traffic()
        return
    both = IntervalSet((number, number) for number in protocols if number not in PROTOCOL_FAMILY)
    if both:
        yield Traffic(protocols=both, source_ports=source_ports, destination_ports=destination_ports)
    for number, family in PROTOCOL_FAMILY.items():
        if number in protocols:
            listed = types.get(number)
            yield Traffic(
                protocols=IntervalSet.single(number),
                family=family,
                icmp_types=IntervalSet((one, one) for one in listed) if listed else None,
            )


def _as_set(ports: t.Sequence[Interval]) -> t.Optional[IntervalSet]:
    return IntervalSet(ports) if ports else None


def _read_protocols(value: object, place: Path, problems: Problems) -> t.Optional[t.Tuple[int, ...]]:
    if value is None:
        return None
    items = read_list(value, place, problems, "protocol")
    found: t.List[int] = []
    for item_place, item in items or ():
        if isinstance(item, str) and item.lower() == "any":
            if len(items or ()) > 1:
                problems.error(item_place, "protocol", "'any' stands alone; leave the other protocols out")
            return None
        number = _read_protocol(item, item_place, problems)
        if number is not None and number not in found:
            found.append(number)
    return tuple(found)


def _read_protocol(item: object, place: Path, problems: Problems) -> t.Optional[int]:
    if isinstance(item, str):
        number = PROTOCOLS.get(item.lower())
        if number is not None:
            return number
        if _NUMBER.fullmatch(item) and int(item) <= _HIGHEST_BYTE:
            return int(item)
    elif isinstance(item, int) and not isinstance(item, bool) and 0 <= item <= _HIGHEST_BYTE:
        return int(item)
    problems.error(
        place,
        "protocol",
        "%s is not a protocol: a name such as tcp, udp, icmp, icmpv6, a number from 0 to 255, or any%s"
        % (show(item), suggestion(item, PROTOCOLS, problems)),
    )
    return None


def _read_ports(value: object, place: Path, problems: Problems) -> t.List[Interval]:
    if value is None:
        return []
    found: t.List[Interval] = []
    for item_place, item in read_list(value, place, problems, "ports") or ():
        try:
            found.append(parse_ports(item))
        except PortError as exc:
            problems.error(item_place, exc.code, str(exc))
    return found


def _check_ports_allowed(protocols: t.Optional[t.Tuple[int, ...]], place: Path, problems: Problems) -> None:
    if protocols is None:
        problems.error(place, "ports", "only some protocols have ports; say which: protocol %s" % _PORT_NAMES)
        return
    without = [number for number in protocols if number not in PORT_PROTOCOLS]
    if without:
        names = ", ".join(PROTOCOL_NAMES.get(number, str(number)) for number in without)
        problems.error(
            place, "ports", "%s has no ports; give ports to a rule of its own with protocol %s" % (names, _PORT_NAMES)
        )


def _read_icmp_types(
    value: object, protocols: t.Optional[t.Tuple[int, ...]], place: Path, problems: Problems
) -> t.Dict[int, t.Tuple[int, ...]]:
    if value is None:
        return {}
    items = read_list(value, place, problems, "ICMP types") or ()
    wrong = [number for number in protocols or () if number not in PROTOCOL_FAMILY]
    if not protocols or wrong:
        problems.error(place, "icmp-types", "ICMP types need protocol icmp or icmpv6, and no other")
        return {}
    found: t.Dict[int, t.List[int]] = {number: [] for number in protocols}
    for item_place, item in items:
        for number in protocols:
            one = _read_icmp_type(item, number, len(protocols) > 1, item_place, problems)
            if one is not None:
                found[number].append(one)
    return {number: tuple(listed) for number, listed in found.items()}


def _read_icmp_type(item: object, protocol: int, several: bool, place: Path, problems: Problems) -> t.Optional[int]:
    names = _TYPE_NAMES[protocol]
    name = PROTOCOL_NAMES[protocol]
    if isinstance(item, str) and item.lower() in names:
        return names[item.lower()]
    number = None
    if isinstance(item, str) and _NUMBER.fullmatch(item):
        number = int(item)
    elif isinstance(item, int) and not isinstance(item, bool):
        number = item
    if number is None or not 0 <= number <= _HIGHEST_BYTE:
        problems.error(
            place,
            "icmp-types",
            "%s is not a type of %s: a name such as echo-request, or a number from 0 to 255%s"
            % (show(item), name, suggestion(item, names, problems)),
        )
        return None
    if several:
        problems.error(
            place,
            "icmp-types",
            "%s means different things to icmp and icmpv6; write a name, or one rule for each protocol" % show(item),
        )
        return None
    return int(number)
