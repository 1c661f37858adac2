# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""The reference evaluator: what a policy means, one packet at a time.

Everything else (compiler, analyses, kernel) is tested against this file, so it is written to be
believed by reading it, not to be fast.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._core.intervals import IntervalSet
from .model import Action, FlowDirection, Origin, Published, Route, Rule, Stage, Traffic
from .packet import Packet
from .program import Program


@dataclass(frozen=True)
class Decision:
    """What happens to a packet, and why.

    Attributes:
        rule: The rule that decided; None where none did (interface, forwarded, unrestricted, default action).
    """

    action: Action
    stage: Stage
    origin: Origin
    rule: t.Optional[Rule] = None


def evaluate(program: Program, packet: Packet) -> Decision:
    """The first matching step decides; then the default action."""
    if not program.filters(packet.interface):
        return Decision(Action.ACCEPT, Stage.INTERFACE, Origin(packet.interface))
    if packet.route is not Route.LOCAL and not _is_for_published_port(program, packet):
        return Decision(Action.ACCEPT, Stage.FORWARDED, Origin(packet.route.value))
    chain = program.chain(packet.direction)
    if not chain.restricted:
        return Decision(Action.ACCEPT, Stage.UNRESTRICTED, chain.default_origin)
    for step in chain.steps:
        if matches(step.rule, packet):
            return Decision(step.rule.action, step.stage, step.rule.origin, step.rule)
    return Decision(chain.default, Stage.DEFAULT_ACTION, chain.default_origin)


def _is_for_published_port(program: Program, packet: Packet) -> bool:
    """Whether a forwarded packet meets the ingress policies; the answers of the container never do."""
    return (
        program.published is Published.FILTER
        and packet.route is Route.PUBLISHED
        and packet.flow_direction is FlowDirection.ORIGINAL
    )


def matches(rule: Rule, packet: Packet) -> bool:
    """Every condition holds; of the traffic, one kind."""
    return (
        rule.direction is packet.direction
        and (rule.states is None or packet.state in rule.states)
        and (rule.flow_direction is None or packet.flow_direction is rule.flow_direction)
        and (rule.sources is None or packet.source in rule.sources[packet.family])
        and (rule.destinations is None or packet.destination in rule.destinations[packet.family])
        and any(_is_traffic(traffic, packet) for traffic in rule.traffic)
    )


def _is_traffic(traffic: Traffic, packet: Packet) -> bool:
    return (
        (traffic.family is None or packet.family == traffic.family)
        and (traffic.protocols is None or packet.protocol in traffic.protocols)
        and (traffic.source_ports is None or _holds(traffic.source_ports, packet.source_port))
        and (traffic.destination_ports is None or _holds(traffic.destination_ports, packet.destination_port))
        and (traffic.icmp_types is None or _holds(traffic.icmp_types, packet.icmp_type))
        and (traffic.hop_limit is None or packet.hop_limit == traffic.hop_limit)
        and (not traffic.tcp_reset or packet.tcp_reset)
    )


def _holds(allowed: IntervalSet, value: t.Optional[int]) -> bool:
    return value is not None and value in allowed
