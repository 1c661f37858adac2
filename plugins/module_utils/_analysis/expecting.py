# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""What should come of a packet between two hosts: the policies of both, on the way there and for the answer."""

from __future__ import annotations

import dataclasses
import typing as t

from .._policy.evaluate import Decision, evaluate
from .._policy.model import Action, Direction, FlowDirection, State
from .._policy.packet import Packet
from .._policy.program import Program
from .._policy.traffic import ICMP, ICMPV6
from .asking import PORT_PROTOCOLS, Question
from .packet_fields import DYNAMIC_PORT, filtered_interface

_ECHO = {4: (ICMP, 8, 0), 6: (ICMPV6, 128, 129)}


class Leg(t.NamedTuple):
    """One packet at one host.

    Attributes:
        host: ``sender`` or ``receiver``.
        packet: As that host's policies see it.
    """

    host: str
    packet: Packet
    decision: Decision

    @property
    def is_answer(self) -> bool:
        return self.packet.flow_direction is FlowDirection.REPLY


class Expectation(t.NamedTuple):
    """What the policies say.

    Attributes:
        legs: In the order of the way: out of the sender, into the receiver, and the answer back. A host without
            policies has none.
        deciding: The first leg that is refused; where all are accepted, the packet into the receiver.
    """

    legs: t.Tuple[Leg, ...]
    deciding: Leg

    @property
    def action(self) -> Action:
        """What is seen from the sender: an answer that is refused never comes, however it is refused."""
        action = self.deciding.decision.action
        return Action.DROP if self.deciding.is_answer and action is not Action.ACCEPT else action


def request_packets(
    question: Question, source: int, source_port: t.Optional[int], sender: t.Optional[Program], receiver: Program
) -> t.Tuple[t.Tuple[str, Packet], ...]:
    """The first packet as each host sees it, the sender's first."""
    found = [] if sender is None else [("sender", _request(question, source, source_port, Direction.EGRESS, sender))]
    return (*found, ("receiver", _request(question, source, source_port, Direction.INGRESS, receiver)))


def expect(
    question: Question, source: int, source_port: t.Optional[int], sender: t.Optional[Program], receiver: Program
) -> Expectation:
    """What should come of it.

    Args:
        source, source_port: Where it comes from, as the receiver sees it.
        sender: The program of the host that asks; None where it has no policies.
    """
    programs = {"receiver": receiver}
    if sender is not None:
        programs["sender"] = sender
    requests = request_packets(question, source, source_port, sender, receiver)
    answers = [(host, answer_to(packet)) for host, packet in reversed(requests)]
    legs = tuple(Leg(host, packet, evaluate(programs[host], packet)) for host, packet in (*requests, *answers))
    into_receiver = legs[len(requests) - 1]
    refused = (leg for leg in legs if leg.decision.action is not Action.ACCEPT)
    return Expectation(legs, next(refused, into_receiver))


def _request(
    question: Question, source: int, source_port: t.Optional[int], direction: Direction, program: Program
) -> Packet:
    packet = Packet(
        direction=direction,
        family=question.family,
        protocol=0,
        source=source,
        destination=question.address,
        interface=filtered_interface(program),
    )
    if question.port is None:
        protocol, kind, _reply = _ECHO[question.family]
        return dataclasses.replace(packet, protocol=protocol, icmp_type=kind)
    return dataclasses.replace(
        packet,
        protocol=PORT_PROTOCOLS[question.protocol],
        source_port=source_port or DYNAMIC_PORT,
        destination_port=question.port,
    )


def answer_to(packet: Packet) -> Packet:
    """The packet that answers, at the same host."""
    back = Direction.INGRESS if packet.direction is Direction.EGRESS else Direction.EGRESS
    return dataclasses.replace(
        packet,
        direction=back,
        source=packet.destination,
        destination=packet.source,
        source_port=packet.destination_port,
        destination_port=packet.source_port,
        icmp_type=None if packet.icmp_type is None else _ECHO[packet.family][2],
        state=State.ESTABLISHED,
        flow_direction=FlowDirection.REPLY,
    )
