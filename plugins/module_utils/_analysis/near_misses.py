# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Near misses: rules that a packet fails in exactly one condition, and which.

A near miss is a rule that does not match, and would without that condition. The traffic of a rule is a union,
so a rule can be missed in more than one way.
"""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass

from .._core.intervals import IntervalSet
from .._policy.model import Rule, Stage, Traffic
from .._policy.packet import Packet
from .._policy.program import Step
from .wording import (
    describe_address,
    describe_addresses,
    describe_ports,
    describe_protocol,
    describe_protocols,
    describe_states,
    describe_type,
    describe_types,
    describe_way,
)


class Condition(enum.Enum):
    """What a rule may ask of a packet, in the words of a policy where it has one."""

    STATE = "state"
    FLOW_DIRECTION = "flow_direction"
    SOURCES = "sources"
    DESTINATIONS = "destinations"
    FAMILY = "family"
    PROTOCOL = "protocol"
    SOURCE_PORTS = "source_ports"
    DESTINATION_PORTS = "destination_ports"
    ICMP_TYPES = "icmp_types"
    HOP_LIMIT = "hop_limit"
    TCP_RESET = "tcp_reset"


#: The field of a packet that each condition looks at.
FIELD_OF: t.Mapping[Condition, str] = {
    Condition.STATE: "state",
    Condition.FLOW_DIRECTION: "flow_direction",
    Condition.SOURCES: "source",
    Condition.DESTINATIONS: "destination",
    Condition.FAMILY: "family",
    Condition.PROTOCOL: "protocol",
    Condition.SOURCE_PORTS: "source_port",
    Condition.DESTINATION_PORTS: "destination_port",
    Condition.ICMP_TYPES: "icmp_type",
    Condition.HOP_LIMIT: "hop_limit",
    Condition.TCP_RESET: "tcp_reset",
}


@dataclass(frozen=True)
class NearMiss:
    """One rule, the one condition that it fails in, what the packet has there and what the rule wants."""

    stage: Stage
    rule: Rule
    condition: Condition
    has: str
    wants: str


def failures(rule: Rule, packet: Packet) -> t.Tuple[t.FrozenSet[Condition], ...]:
    """For each kind of the rule's traffic, the conditions that the packet fails; empty where it is of that kind."""
    common = []
    if rule.states is not None and packet.state not in rule.states:
        common.append(Condition.STATE)
    if rule.flow_direction is not None and packet.flow_direction is not rule.flow_direction:
        common.append(Condition.FLOW_DIRECTION)
    if rule.sources is not None and packet.source not in rule.sources[packet.family]:
        common.append(Condition.SOURCES)
    if rule.destinations is not None and packet.destination not in rule.destinations[packet.family]:
        common.append(Condition.DESTINATIONS)
    return tuple(frozenset((*common, *_failures_of_kind(kind, packet))) for kind in rule.traffic)


def conditions(rule: Rule, packet: Packet) -> t.FrozenSet[Condition]:
    """What a rule that matches asks of the packet: of its traffic, the kinds that the packet is of."""
    found = [
        condition
        for condition, value in (
            (Condition.STATE, rule.states),
            (Condition.FLOW_DIRECTION, rule.flow_direction),
            (Condition.SOURCES, rule.sources),
            (Condition.DESTINATIONS, rule.destinations),
        )
        if value is not None
    ]
    kinds = [set(_asked(kind)) for kind in rule.traffic if not any(_failures_of_kind(kind, packet))]
    return frozenset(found).union(set.intersection(*kinds) if kinds else ())


def near_misses(steps: t.Iterable[Step], packet: Packet) -> t.Iterator[NearMiss]:
    """The near misses among the steps, in their order.

    A rule about the state of connections that the packet fails in its state alone is left out: every packet of
    another state fails it so, and it would be told of each.
    """
    for step in steps:
        named: t.Dict[Condition, t.List[Traffic]] = {}
        for kind, failed in zip(step.rule.traffic, failures(step.rule, packet)):
            if len(failed) == 1:
                (condition,) = failed
                named.setdefault(condition, []).append(kind)
        for condition, kinds in named.items():
            if step.stage is Stage.STATE and condition is Condition.STATE:
                continue
            yield NearMiss(
                step.stage,
                step.rule,
                condition,
                _has(condition, packet),
                _wants(condition, step.rule, kinds, packet),
            )


def _failures_of_kind(kind: Traffic, packet: Packet) -> t.Iterator[Condition]:
    if kind.family is not None and packet.family != kind.family:
        yield Condition.FAMILY
    if kind.protocols is not None and packet.protocol not in kind.protocols:
        yield Condition.PROTOCOL
    if _fails(kind.source_ports, packet.source_port):
        yield Condition.SOURCE_PORTS
    if _fails(kind.destination_ports, packet.destination_port):
        yield Condition.DESTINATION_PORTS
    if _fails(kind.icmp_types, packet.icmp_type):
        yield Condition.ICMP_TYPES
    if kind.hop_limit is not None and packet.hop_limit != kind.hop_limit:
        yield Condition.HOP_LIMIT
    if kind.tcp_reset and not packet.tcp_reset:
        yield Condition.TCP_RESET


def _fails(allowed: t.Optional[IntervalSet], value: t.Optional[int]) -> bool:
    return allowed is not None and (value is None or value not in allowed)


def _asked(kind: Traffic) -> t.Iterator[Condition]:
    for condition, value in (
        (Condition.FAMILY, kind.family),
        (Condition.PROTOCOL, kind.protocols),
        (Condition.SOURCE_PORTS, kind.source_ports),
        (Condition.DESTINATION_PORTS, kind.destination_ports),
        (Condition.ICMP_TYPES, kind.icmp_types),
        (Condition.HOP_LIMIT, kind.hop_limit),
        (Condition.TCP_RESET, kind.tcp_reset or None),
    ):
        if value is not None:
            yield condition


def _has(condition: Condition, packet: Packet) -> str:
    texts: t.Mapping[Condition, t.Callable[[], str]] = {
        Condition.STATE: lambda: packet.state.value,
        Condition.FLOW_DIRECTION: lambda: describe_way(packet.flow_direction),
        Condition.SOURCES: lambda: describe_address(packet.family, packet.source),
        Condition.DESTINATIONS: lambda: describe_address(packet.family, packet.destination),
        Condition.FAMILY: lambda: "IPv%d" % packet.family,
        Condition.PROTOCOL: lambda: describe_protocol(packet.protocol),
        Condition.SOURCE_PORTS: lambda: _port(packet.source_port),
        Condition.DESTINATION_PORTS: lambda: _port(packet.destination_port),
        Condition.ICMP_TYPES: lambda: (
            "no type" if packet.icmp_type is None else describe_type(packet.icmp_type, packet.family)
        ),
        Condition.HOP_LIMIT: lambda: str(packet.hop_limit),
        Condition.TCP_RESET: lambda: "no reset",
    }
    return texts[condition]()


def _port(port: t.Optional[int]) -> str:
    return "no port" if port is None else str(port)


def _wants(condition: Condition, rule: Rule, kinds: t.Sequence[Traffic], packet: Packet) -> str:
    """What the rule takes there; of several kinds of traffic, all of it."""
    if condition is Condition.STATE:
        return describe_states(rule.states or frozenset())
    if condition is Condition.FLOW_DIRECTION and rule.flow_direction is not None:
        return describe_way(rule.flow_direction)
    for side, addresses in ((Condition.SOURCES, rule.sources), (Condition.DESTINATIONS, rule.destinations)):
        if condition is side and addresses is not None:
            return describe_addresses(addresses, packet.family)
    return " or ".join(dict.fromkeys(_wants_of_kind(condition, kind) for kind in kinds))


def _wants_of_kind(condition: Condition, kind: Traffic) -> str:
    nothing = IntervalSet()
    texts: t.Mapping[Condition, t.Callable[[], str]] = {
        Condition.FAMILY: lambda: "IPv%s" % kind.family,
        Condition.PROTOCOL: lambda: describe_protocols(kind.protocols or nothing),
        Condition.SOURCE_PORTS: lambda: describe_ports(kind.source_ports or nothing),
        Condition.DESTINATION_PORTS: lambda: describe_ports(kind.destination_ports or nothing),
        Condition.ICMP_TYPES: lambda: describe_types(kind.icmp_types or nothing, kind.family),
        Condition.HOP_LIMIT: lambda: str(kind.hop_limit),
        Condition.TCP_RESET: lambda: "a reset",
    }
    return texts[condition]()
