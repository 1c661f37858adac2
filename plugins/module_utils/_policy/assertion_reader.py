# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""``firewall_tests``: from plain data to assertions."""

from __future__ import annotations

import typing as t

from .._core.addresses import FAMILIES, UNIVERSE, AddressRange, AddressSet
from .._core.errors import Path, Problems, show
from .assertions import Assertion, Expectation, Quantifier, Side, SideKind
from .definitions import variables_named
from .model import Direction, FlowDirection, State, Traffic
from .networks import GROUP_PREFIX, Networks
from .reading import INTERFACE, check_keys, read_enum, read_list, read_mapping, read_text
from .services import Services
from .traffic import TRAFFIC_KEYS, read_traffic

#: The variable, and the beginning of those that are merged with it.
TESTS = "firewall_tests"

ASSERTION_KEYS = (
    "name",
    "description",
    "from",
    "to",
    "quantifier",
    "direction",
    "protocol",
    "service",
    "port",
    "source_ports",
    "destination_ports",
    "icmp_types",
    "state",
    "flow_direction",
    "interface",
    "expect",
)

#: Keys that a service stands for.
_TRAFFIC_KEYS = (*TRAFFIC_KEYS, "port")

#: What names no network where a test has it.
_WORDS = {"self": SideKind.HOST, "anywhere": SideKind.ANYWHERE}

#: Connections whose packets go both ways; a packet of another state has no way back yet, or none that is known.
_TWO_WAYS = frozenset((State.ESTABLISHED, State.RELATED))

#: Names of one side that are repeated in a text.
_NAMED = 3


def read_assertions(
    variables: t.Mapping[str, object], networks: Networks, services: Services, problems: Problems
) -> t.Tuple[Assertion, ...]:
    """The assertions of all variables: the bare one first, then the others by name."""
    names = variables_named(variables, TESTS)
    if not names:
        return ()
    reader = _Reader(networks, services, problems)
    found = []
    for variable in names:
        value = variables[variable]
        if value is None:
            continue
        if not isinstance(value, (list, tuple)):
            problems.error(Path(variable), "type", "%s is not a list of tests" % show(value))
            continue
        for index, item in enumerate(value):
            one = reader.read(item, Path(variable) / index)
            if one is not None:
                found.append(one)
    return tuple(found)


class _Reader:
    def __init__(self, networks: Networks, services: Services, problems: Problems) -> None:
        self._networks = networks
        self._services = services
        self._problems = problems
        self._network_names = frozenset(networks.names())

    def read(self, item: object, place: Path) -> t.Optional[Assertion]:
        problems = self._problems
        given = read_mapping(item, place, problems, "a test: a mapping with what to expect, and of which packets")
        if given is None:
            return None
        errors = len(problems.errors)
        check_keys(given, ASSERTION_KEYS, place, problems)
        expectation = Expectation.ACCEPT
        if given.get("expect") is None:
            problems.error(place, "required", "the key 'expect' is missing: accept, drop, reject or refused")
        else:
            expectation = read_enum(given["expect"], Expectation, place / "expect", problems) or expectation
        source = self._read_side(given.get("from"), place / "from")
        destination = self._read_side(given.get("to"), place / "to")
        quantifier = self._read_quantifier(given.get("quantifier"), place / "quantifier")
        direction = self._read_direction(given.get("direction"), place / "direction")
        traffic = self._read_traffic(given, place)
        states, flow_direction = self._read_states(given, place)
        interface = self._read_interface(given.get("interface"), place / "interface")
        name = " ".join(read_text(given.get("name"), place / "name", problems).split())
        description = read_text(given.get("description"), place / "description", problems)
        if len(problems.errors) == errors:
            self._check_ends(source, destination, direction, place)
            self._check_families(source, destination, traffic, place)
        if len(problems.errors) > errors:
            return None
        return Assertion(
            place=str(place),
            expectation=expectation,
            quantifier=quantifier,
            source=source,
            destination=destination,
            direction=direction,
            traffic=traffic,
            traffic_text=_traffic_text(given),
            states=states,
            flow_direction=flow_direction,
            interface=interface,
            name=name,
            description=description,
        )

    def _read_side(self, value: object, place: Path) -> t.Optional[Side]:
        if value is None:
            return None
        if isinstance(value, dict):
            check_keys(value, ("outside",), place, self._problems)
            inner = value.get("outside")
            if inner is None:
                self._problems.error(place, "required", "the key 'outside' is missing: what all others are outside of")
                return None
            return self._read_outside(inner, place / "outside")
        items = read_list(value, place, self._problems, "end")
        if items is None:
            return None
        for item_place, item in items:
            word = item.lower() if isinstance(item, str) else ""
            if word == "any":
                self._problems.error(item_place, "address", "'any' is no end of a test; write anywhere")
                return None
            if word in _WORDS:
                return self._read_word(word, item_place, alone=len(items) == 1)
        addresses = self._networks.read_addresses(value, place)
        if addresses is None:
            return None
        texts = [str(item) for _place, item in items]
        groups = tuple(text[len(GROUP_PREFIX) :] for text in texts if text.startswith(GROUP_PREFIX))
        return Side(SideKind.NAMED, _some(texts), addresses, groups)

    def _read_word(self, word: str, place: Path, *, alone: bool) -> t.Optional[Side]:
        if not alone:
            self._problems.error(place, "address", "'%s' stands alone; leave the others out, or it" % word)
            return None
        if word in self._network_names:
            # Two meanings, of which one would be taken without a word.
            self._problems.error(
                place, "clash", "'%s' means no network in a test; give the network of that name another one" % word
            )
            return None
        return Side(_WORDS[word], word)

    def _read_outside(self, value: object, place: Path) -> t.Optional[Side]:
        inner = self._read_side(value, place)
        if inner is None:
            return None
        if inner.addresses is None or inner.kind is not SideKind.NAMED:
            self._problems.error(
                place,
                "address",
                "outside of %s is nothing that a test can name; write addresses or networks" % inner.text,
            )
            return None
        ranges = [
            AddressRange(family, low, high)
            for family in FAMILIES
            for low, high in (UNIVERSE[family] - inner.addresses[family]).intervals
        ]
        return Side(SideKind.OUTSIDE, "outside %s" % inner.text, AddressSet(ranges))

    def _read_quantifier(self, value: object, place: Path) -> Quantifier:
        if value is None:
            return Quantifier.EVERY
        return read_enum(value, Quantifier, place, self._problems) or Quantifier.EVERY

    def _read_direction(self, value: object, place: Path) -> t.Optional[Direction]:
        return None if value is None else read_enum(value, Direction, place, self._problems)

    def _read_traffic(self, given: t.Mapping[object, object], place: Path) -> t.Tuple[Traffic, ...]:
        if given.get("service") is not None:
            beside = [key for key in _TRAFFIC_KEYS if given.get(key) is not None]
            if beside:
                self._problems.error(
                    place,
                    "service",
                    "service stands instead of protocol and ports; leave %s out, or service" % " and ".join(beside),
                )
            written = self._services.read_services(given["service"], place / "service")
            return tuple(traffic for one in written for traffic in one.traffic)
        key = "destination_ports" if given.get("port") is None else "port"
        if key == "port" and given.get("destination_ports") is not None:
            self._problems.error(place, "ports", "port is short for destination_ports; leave one of the two out")
        found = read_traffic(given, place, self._problems, ports_key=key)
        return () if found is None else found.traffic

    def _read_states(
        self, given: t.Mapping[object, object], place: Path
    ) -> t.Tuple[t.FrozenSet[State], t.Optional[FlowDirection]]:
        value = given.get("state")
        states = frozenset((State.NEW,))
        if value is not None:
            items = read_list(value, place / "state", self._problems, "state") or ()
            read = [read_enum(item, State, item_place, self._problems) for item_place, item in items]
            states = frozenset(one for one in read if one is not None) or states
        value = given.get("flow_direction")
        if value is None:
            return states, None
        way = read_enum(value, FlowDirection, place / "flow_direction", self._problems)
        if way is not None and not states <= _TWO_WAYS:
            self._problems.error(
                place / "flow_direction", "choice", "only established and related packets go two ways; leave it out"
            )
        return states, way

    def _read_interface(self, value: object, place: Path) -> str:
        if value is None:
            return ""
        if not isinstance(value, str) or not INTERFACE.fullmatch(value) or value.endswith("*"):
            self._problems.error(place, "interface", "%s is not the name of an interface such as eth0" % show(value))
            return ""
        return str(value)

    def _check_ends(
        self, source: t.Optional[Side], destination: t.Optional[Side], direction: t.Optional[Direction], place: Path
    ) -> None:
        kinds = [None if side is None else side.kind for side in (source, destination)]
        if kinds == [SideKind.HOST, SideKind.HOST]:
            self._problems.error(place, "ends", "both ends are the host itself, and such packets are never filtered")
            return
        for key, kind, contrary in (("from", kinds[0], Direction.INGRESS), ("to", kinds[1], Direction.EGRESS)):
            if kind is SideKind.HOST and direction is contrary:
                self._problems.error(
                    place / "direction",
                    "ends",
                    "packets %s the host itself are no %s; leave the direction out" % (key, direction.value),
                )
        # Left out beside these is the host itself, so only both together leave nobody to be it.
        others = (SideKind.ANYWHERE, SideKind.OUTSIDE)
        if direction is None and all(kind in others for kind in kinds):
            self._problems.error(
                place, "ends", "neither end is the host; leave the one out that it is, or write self there"
            )

    def _check_families(
        self, source: t.Optional[Side], destination: t.Optional[Side], traffic: t.Sequence[Traffic], place: Path
    ) -> None:
        """Packets that cannot be are a mistake; networks without addresses have been warned of."""
        sides = [side.addresses for side in (source, destination) if side is not None and side.addresses is not None]
        if not all(sides):
            return
        shared = set(FAMILIES).intersection(*(side.families for side in sides))
        if not shared:
            self._problems.error(
                place, "family", "from and to have no address family in common, so there is no such packet"
            )
        elif traffic and all(kind.family is not None and kind.family not in shared for kind in traffic):
            self._problems.error(
                place,
                "family",
                "this kind of packet runs over IPv%d only, and the addresses here are IPv%d only"
                % (traffic[0].family or 0, min(shared)),
            )


def spread(assertion: Assertion) -> t.Iterator[t.Tuple[t.FrozenSet[State], t.Optional[FlowDirection]]]:
    """The states of an assertion with the way that their packets go; None is both ways."""
    two, one = assertion.states & _TWO_WAYS, assertion.states - _TWO_WAYS
    if one:
        yield one, FlowDirection.ORIGINAL
    if two:
        yield two, assertion.flow_direction


def _some(texts: t.Sequence[str]) -> str:
    listed = ", ".join(texts[:_NAMED])
    return listed if len(texts) <= _NAMED else "%s and %d more" % (listed, len(texts) - _NAMED)


def _traffic_text(given: t.Mapping[object, object]) -> str:
    """The kind of packet as it was written, once it is known to be one."""
    if given.get("service") is not None:
        return _listed(given["service"])
    words = []
    for key, word in (
        ("protocol", ""),
        ("source_ports", "source port"),
        ("port", "port"),
        ("destination_ports", "port"),
        ("icmp_types", "type"),
    ):
        if given.get(key) is not None:
            words.append(("%s %s" % (word, _listed(given[key]))).strip())
    return " ".join(words)


def _listed(value: object) -> str:
    return _some([str(one) for one in value]) if isinstance(value, (list, tuple)) else str(value)
