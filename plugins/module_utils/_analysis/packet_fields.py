# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""From what a person says of a packet, in words or fields, to the packet that the evaluator takes.

The only place that makes a packet of what somebody wrote. What is not said is assumed, and it is known what
was: an answer that hangs on it has to say so.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._core.addresses import AddressError, parse_range
from .._core.errors import Path, Problems, show
from .._core.ports import PortError, parse_ports
from .._policy.model import Direction, FlowDirection, Route, State
from .._policy.packet import Packet
from .._policy.program import Program
from .._policy.protocols import ICMP_TYPES, ICMPV6_TYPES, PORT_PROTOCOLS, PROTOCOL_NAMES, PROTOCOLS
from .._policy.reading import INTERFACE, as_boolean, as_number, check_keys, read_enum, suggestion
from .._policy.traffic import ICMP, ICMPV6, PROTOCOL_FAMILY
from .packet_words import EXAMPLE, read_words

#: The port of a client that says none: one of the dynamic ports (RFC 6335, section 6).
DYNAMIC_PORT = 50000

#: Shorter names of fields.
ALIASES = {"from": "source", "to": "destination", "port": "destination_port"}

FIELDS = (
    "direction",
    "protocol",
    "source",
    "destination",
    "source_port",
    "destination_port",
    "icmp_type",
    "interface",
    "state",
    "flow_direction",
    "family",
    "hop_limit",
    "tcp_reset",
    "route",
)

_TCP = 6
_ECHO_REQUEST = {4: 8, 6: 128}
_HOP_LIMIT = 64

#: RFC 4861, section 6.1.1 and others: neighbour discovery is sent with hop limit 255, and its inverse too.
_DISCOVERY_HOP_LIMIT = 255
_DISCOVERY = frozenset((133, 134, 135, 136, 137, 141, 142, 148, 149))

_FAMILIES: t.Mapping[str, int] = {"4": 4, "ipv4": 4, "6": 6, "ipv6": 6}
_BYTES = range(256)
_WITH_PORT = re.compile(r"(?:\[([^\]]+)\]|([0-9.]+)):([0-9]+)", re.ASCII)


@dataclass(frozen=True)
class GivenPacket:
    """A packet, and which of its fields nobody named.

    Attributes:
        assumed: Names of :data:`FIELDS`. An address that was assumed is the host's own where it is known, else the
            unspecified one, which stands for an address that no rule names.
    """

    packet: Packet
    assumed: t.FrozenSet[str] = frozenset()


def filtered_interface(program: Program) -> str:
    """An interface whose packets meet the policies: the first that they name, or any."""
    for pattern in program.interfaces:
        return pattern[:-1] + "0" if pattern.endswith("*") else pattern
    return next((name for name in ("eth0", "ens3", "net0") if program.filters(name)), "public0")


def read_packet(
    value: object,
    place: Path,
    problems: Problems,
    *,
    interface: str = "eth0",
    own_addresses: t.Optional[t.Mapping[int, int]] = None,
) -> t.Optional[GivenPacket]:
    """The packet that ``value`` names; None where something was refused.

    Args:
        value: Words (:func:`.packet_words.read_words`) or a mapping of :data:`FIELDS`.
        interface: Where it arrives or leaves if that is not said.
        own_addresses: Of the host, by family: the destination of what comes in and the source of what goes out
            where that is not said.
    """
    errors = len(problems.errors)
    if isinstance(value, str):
        fields = read_words(value, place, problems)
        places = dict.fromkeys(FIELDS, place)
    elif isinstance(value, dict):
        check_keys(value, (*FIELDS, *ALIASES), place, problems)
        fields = {}
        places = {}
        for key, one in value.items():
            name = ALIASES.get(key, key)
            if one is None or name not in FIELDS:
                continue
            if name in fields:
                short = next(alias for alias, field in ALIASES.items() if field == name)
                problems.error(
                    place / key, "packet", "'%s' and '%s' are the same field; write one of the two" % (short, name)
                )
            fields[name] = one
            places[name] = place / key
    else:
        problems.error(place, "type", "%s is not a packet; write words such as '%s'" % (show(value), EXAMPLE))
        return None
    if len(problems.errors) > errors:
        return None
    return _Reader(fields, places, place, problems).read(interface, own_addresses or {})


class _Reader:
    def __init__(
        self, fields: t.Mapping[str, object], places: t.Mapping[str, Path], place: Path, problems: Problems
    ) -> None:
        self._fields = fields
        self._places = places
        self._place = place
        self._problems = problems
        self._errors = len(problems.errors)
        self._assumed: t.Set[str] = set()

    def read(self, interface: str, own_addresses: t.Mapping[int, int]) -> t.Optional[GivenPacket]:
        sides = {side: self._address(side) for side in ("source", "destination")}
        ping = isinstance(self._fields.get("protocol"), str) and str(self._fields["protocol"]).lower() == "ping"
        protocol = None if ping else self._protocol()
        family = self._family(sides, protocol)
        if ping:
            protocol = ICMPV6 if family == 6 else ICMP
        direction = self._enum("direction", Direction, Direction.INGRESS)
        state = self._enum("state", State, State.NEW)
        flow_direction = self._enum("flow_direction", FlowDirection, FlowDirection.ORIGINAL)
        if state is State.NEW and flow_direction is FlowDirection.REPLY:
            self._error(
                "flow_direction",
                "a reply belongs to a connection that is known: write 'established reply', or no reply",
            )
        route = self._enum("route", Route, Route.LOCAL)
        if route is not Route.LOCAL and direction is Direction.EGRESS:
            self._error("route", "a packet that leaves the host itself is not %s; write it incoming" % route.value)
        if route is Route.PUBLISHED and state in (State.INVALID, State.UNTRACKED):
            self._error("route", "a packet for a published port belongs to a connection, and is not %s" % state.value)
        if len(self._problems.errors) > self._errors or protocol is None:
            return None
        own = "destination" if direction is Direction.INGRESS else "source"
        addresses: t.Dict[str, int] = {}
        for side, found in sides.items():
            if found is None:
                self._assumed.add(side)
            addresses[side] = found[1] if found else own_addresses.get(family, 0) if side == own else 0
        source_port, destination_port = self._ports(protocol)
        icmp_type = self._icmp_type(protocol, family, ping=ping)
        packet = Packet(
            direction=direction,
            family=family,
            protocol=protocol,
            source=addresses["source"],
            destination=addresses["destination"],
            interface=self._interface(interface),
            source_port=source_port,
            destination_port=destination_port,
            icmp_type=icmp_type,
            hop_limit=self._hop_limit(protocol, icmp_type),
            tcp_reset=self._tcp_reset(protocol),
            state=state,
            flow_direction=flow_direction,
            route=route,
        )
        return GivenPacket(packet, frozenset(self._assumed)) if len(self._problems.errors) == self._errors else None

    def _error(self, field: str, message: str) -> None:
        self._problems.error(self._places.get(field, self._place), "packet", message)

    def _address(self, side: str) -> t.Optional[t.Tuple[int, int]]:
        """``(family, address)``."""
        value = self._fields.get(side)
        if value is None:
            return None
        text = str(value) if isinstance(value, str) else ""
        try:
            found = parse_range(text)
        except AddressError as exc:
            self._error(side, "%s: %s" % (show(value), exc))
            return None
        if found is None:
            with_port = _WITH_PORT.fullmatch(text)
            hint = "one such as 203.0.113.7 or 2001:db8::7"
            if with_port:
                hint = "'%s port %s'" % (with_port.group(1) or with_port.group(2), with_port.group(3))
            self._error(side, "%s is not an address; write %s" % (show(value), hint))
            return None
        if found.low != found.high:
            self._error(side, "%s is many addresses, and a packet has one; write one of them" % show(value))
            return None
        return found.family, found.low

    def _protocol(self) -> t.Optional[int]:
        value = self._fields.get("protocol")
        if value is None:
            self._error("protocol", "the protocol is missing; write for example: %s" % EXAMPLE)
            return None
        number = as_number(value, _BYTES)
        if number is None and isinstance(value, str):
            number = PROTOCOLS.get(value.lower())
        if number is None:
            self._error(
                "protocol",
                "%s is not the protocol of a packet: a name such as tcp, udp, icmp, icmpv6, or a number from 0 to 255%s"
                % (show(value), suggestion(value, PROTOCOLS, self._problems)),
            )
        return number

    def _family(self, sides: t.Mapping[str, t.Optional[t.Tuple[int, int]]], protocol: t.Optional[int]) -> int:
        said: t.Dict[int, str] = {}
        given = self._fields.get("family")
        if given is not None:
            family = None if isinstance(given, bool) else _FAMILIES.get(str(given).lower())
            if family is None:
                self._error("family", "%s is not a family: 4 or 6" % show(given))
            else:
                said[family] = "IPv%d" % family
        for side, found in sides.items():
            if found is not None:
                said.setdefault(found[0], "the %s" % side)
        if protocol in PROTOCOL_FAMILY:
            said.setdefault(PROTOCOL_FAMILY[protocol], PROTOCOL_NAMES[protocol])
        if len(said) > 1:
            self._error("family", "%s is of IPv4 and %s is of IPv6; a packet is of one family" % (said[4], said[6]))
        return next(iter(said), 4)

    def _enum(self, field: str, kind: t.Any, default: t.Any) -> t.Any:
        value = self._fields.get(field)
        if value is None:
            return default
        return read_enum(value, kind, self._places.get(field, self._place), self._problems) or default

    def _ports(self, protocol: int) -> t.Tuple[t.Optional[int], t.Optional[int]]:
        given = [name for name in ("source_port", "destination_port") if self._fields.get(name) is not None]
        if protocol not in PORT_PROTOCOLS:
            for name in given:
                self._error(name, "%s has no ports; leave them out" % PROTOCOL_NAMES.get(protocol, str(protocol)))
            return None, None
        if not given:
            self._error("destination_port", "%s has ports: say which, such as 'to port 22'" % PROTOCOL_NAMES[protocol])
            return None, None
        return self._port("source_port"), self._port("destination_port")

    def _port(self, field: str) -> int:
        value = self._fields.get(field)
        if value is None:
            self._assumed.add(field)
            return DYNAMIC_PORT
        try:
            low, high = parse_ports(value)
        except PortError as exc:
            self._error(field, str(exc))
            return 0
        if low != high:
            self._error(field, "%s is many ports, and a packet has one; write one of them" % show(value))
        return low

    def _icmp_type(self, protocol: int, family: int, *, ping: bool) -> t.Optional[int]:
        value = self._fields.get("icmp_type")
        if protocol not in PROTOCOL_FAMILY:
            if value is not None:
                self._error("icmp_type", "only icmp and icmpv6 have types; leave it out")
            return None
        if value is None:
            if not ping:
                self._assumed.add("icmp_type")
            return _ECHO_REQUEST[family]
        names = ICMP_TYPES if protocol == ICMP else ICMPV6_TYPES
        number = as_number(value, _BYTES)
        if number is None and isinstance(value, str):
            number = names.get(value.lower())
        if number is None:
            self._error(
                "icmp_type",
                "%s is not a type of %s: a name such as echo-request, or a number from 0 to 255%s"
                % (show(value), PROTOCOL_NAMES[protocol], suggestion(value, names, self._problems)),
            )
        return number

    def _hop_limit(self, protocol: int, icmp_type: t.Optional[int]) -> int:
        value = self._fields.get("hop_limit")
        if value is None:
            self._assumed.add("hop_limit")
            return _DISCOVERY_HOP_LIMIT if protocol == ICMPV6 and icmp_type in _DISCOVERY else _HOP_LIMIT
        number = as_number(value, _BYTES)
        if number is None:
            self._error("hop_limit", "%s is not a hop limit (0-255)" % show(value))
            return _HOP_LIMIT
        return number

    def _tcp_reset(self, protocol: int) -> bool:
        value = self._fields.get("tcp_reset")
        if value is None:
            return False
        reset = as_boolean(value)
        if reset is None:
            self._error("tcp_reset", "%s is not true or false" % show(value))
        elif reset and protocol != _TCP:
            self._error("tcp_reset", "only tcp has resets; leave it out")
        return bool(reset)

    def _interface(self, default: str) -> str:
        value = self._fields.get("interface")
        if value is None:
            self._assumed.add("interface")
            return default
        if not isinstance(value, str) or not INTERFACE.fullmatch(value) or value.endswith("*"):
            self._error("interface", "%s is not the name of an interface such as eth0" % show(value))
            return default
        return str(value)
