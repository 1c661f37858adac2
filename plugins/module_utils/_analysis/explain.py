# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Which rule decides a packet, where it comes from, and which earlier rules nearly did.

The verdict is the reference evaluator's; what stands beside it explains it and decides nothing.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._core.addresses import format_address
from .._policy.evaluate import Decision, evaluate
from .._policy.model import Stage
from .._policy.packet import Packet
from .._policy.program import Chain, Program, Step
from .near_misses import FIELD_OF, NearMiss, conditions, failures, near_misses
from .packet_fields import GivenPacket
from .wording import describe_rule, describe_type

#: Fields whose assumed values are simply the usual ones: an answer does not hang on an interface that is filtered
#: like all others.
_USUAL = frozenset(("interface",))


@dataclass(frozen=True)
class Explanation:
    """What happens to a packet, and why.

    Attributes:
        near_misses: In the order of evaluation, before the deciding rule.
        depends_on: Fields that were assumed and might have made another rule decide.
        assigned_at: Where the deciding rule's policy was assigned; empty for policies that were not, and where it
            is not known.
        definers: Who defines each role variable, ``group web``, as far as that is known.
    """

    given: GivenPacket
    decision: Decision
    near_misses: t.Tuple[NearMiss, ...] = ()
    depends_on: t.Tuple[str, ...] = ()
    assigned_at: str = ""
    definers: t.Mapping[str, str] = field(default_factory=dict)

    def definer_of(self, place: str) -> str:
        """Who defines the variable of a place such as ``firewall_assigned_web[0]``; empty where that is not known."""
        return self.definers.get(place.partition("[")[0], "")


def explain(
    program: Program,
    given: GivenPacket,
    assignments: t.Optional[t.Mapping[str, str]] = None,
    definers: t.Optional[t.Mapping[str, str]] = None,
) -> Explanation:
    """Explains the packet.

    Args:
        assignments: Where each policy is assigned, by name.
        definers: Who defines each role variable.
    """
    packet = given.packet
    decision = evaluate(program, packet)
    chain = program.chain(packet.direction)
    before: t.Sequence[Step] = ()
    if decision.stage not in (Stage.INTERFACE, Stage.FORWARDED, Stage.UNRESTRICTED):
        before = _before(chain, decision)
    assigned_at = ""
    if decision.stage is Stage.ASSIGNED and assignments is not None:
        assigned_at = assignments.get(decision.origin.name, "")
    return Explanation(
        given=given,
        decision=decision,
        near_misses=tuple(near_misses(before, packet)),
        depends_on=_depends_on(before, decision, given),
        assigned_at=assigned_at,
        definers=definers or {},
    )


def _before(chain: Chain, decision: Decision) -> t.Sequence[Step]:
    """The steps that did not match; all where the default action decided."""
    for index, step in enumerate(chain.steps):
        # By identity: two equal rules may stand at two places.
        if step.rule is decision.rule:
            return chain.steps[:index]
    return chain.steps


def _depends_on(before: t.Sequence[Step], decision: Decision, given: GivenPacket) -> t.Tuple[str, ...]:
    """Assumed fields that kept an earlier rule from matching, alone or together, or that the deciding rule asks for."""
    assumed = given.assumed - _USUAL
    if not assumed:
        return ()
    found: t.Set[str] = set()
    for step in before:
        for failed in failures(step.rule, given.packet):
            fields = {FIELD_OF[condition] for condition in failed}
            if fields <= assumed:
                found |= fields
    if decision.rule is not None:
        found |= assumed & {FIELD_OF[condition] for condition in conditions(decision.rule, given.packet)}
    return tuple(sorted(found))


def explanation_to_plain(explanation: Explanation) -> t.Dict[str, t.Any]:
    """The explanation in plain data, without its text."""
    decision = explanation.decision
    rule = decision.rule
    return {
        "verdict": decision.action.value,
        "stage": decision.stage.value,
        "origin": str(decision.origin),
        "policy": decision.origin.name if decision.origin.index is not None else "",
        "index": decision.origin.index,
        "variable": decision.origin.variable,
        "defined_by": explanation.definer_of(decision.origin.variable),
        "assigned_at": explanation.assigned_at,
        "assigned_by": explanation.definer_of(explanation.assigned_at),
        "rule": "" if rule is None else describe_rule(rule),
        "description": "" if rule is None else rule.description,
        "near_misses": [_near_miss_to_plain(one, explanation) for one in explanation.near_misses],
        "packet": packet_to_plain(explanation.given.packet),
        "assumed": sorted(explanation.given.assumed),
        "depends_on": list(explanation.depends_on),
    }


def _near_miss_to_plain(miss: NearMiss, explanation: Explanation) -> t.Dict[str, t.Any]:
    origin = miss.rule.origin
    return {
        "stage": miss.stage.value,
        "origin": str(origin),
        "policy": origin.name if origin.index is not None else "",
        "index": origin.index,
        "variable": origin.variable,
        "defined_by": explanation.definer_of(origin.variable),
        "rule": describe_rule(miss.rule),
        "action": miss.rule.action.value,
        "condition": miss.condition.value,
        "has": miss.has,
        "wants": miss.wants,
    }


def packet_to_plain(packet: Packet) -> t.Dict[str, t.Any]:
    """The packet in the fields that :func:`.packet_fields.read_packet` reads."""
    return {
        "direction": packet.direction.value,
        "family": packet.family,
        "protocol": packet.protocol,
        "source": format_address(packet.family, packet.source),
        "destination": format_address(packet.family, packet.destination),
        "source_port": packet.source_port,
        "destination_port": packet.destination_port,
        "icmp_type": None if packet.icmp_type is None else describe_type(packet.icmp_type, packet.family),
        "interface": packet.interface,
        "state": packet.state.value,
        "flow_direction": packet.flow_direction.value,
        "hop_limit": packet.hop_limit,
        "tcp_reset": packet.tcp_reset,
        "route": packet.route.value,
    }
