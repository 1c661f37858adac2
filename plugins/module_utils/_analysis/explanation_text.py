# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""An explanation as text for a terminal."""

from __future__ import annotations

import typing as t

from .._policy.model import Origin, Stage
from .explain import Explanation
from .near_misses import NearMiss
from .wording import describe_packet, describe_rule

#: Near misses past this number are counted, not listed; the data has all of them.
_LISTED = 10

#: What a person calls each stage.
STAGE_WORDS: t.Mapping[Stage, str] = {
    Stage.INTERFACE: "interface",
    Stage.FORWARDED: "forwarded packets",
    Stage.UNRESTRICTED: "unrestricted direction",
    Stage.STATE: "state of the connection",
    Stage.FIXED: "fixed rule of the profile",
    Stage.SAFEGUARD: "safeguard",
    Stage.DEFAULT_POLICY: "default policy",
    Stage.ASSIGNED: "assigned policy",
    Stage.DEFAULT_ACTION: "default action",
}


def render_explanation(explanation: Explanation) -> str:
    """Lines without a line break at the end; the first is the answer."""
    return "\n".join(_lines(explanation))


def _lines(explanation: Explanation) -> t.Iterator[str]:
    decision = explanation.decision
    yield "%s: %s" % (decision.action.value, describe_packet(explanation.given.packet, explanation.given.assumed))
    yield "  because: %s" % _reason(explanation)
    if decision.rule is not None:
        yield "    %s" % describe_rule(decision.rule)
        if decision.rule.description:
            yield "    # %s" % " ".join(decision.rule.description.split())
    if explanation.depends_on:
        fields = ", ".join(name.replace("_", " ") for name in explanation.depends_on)
        yield "  not said, and the answer depends on it: %s" % fields
    misses = _by_interest(explanation)
    if misses:
        yield "  earlier rules that it failed in one condition only:"
    for miss in misses[:_LISTED]:
        yield "    %s: %s" % (_place(explanation, miss.rule.origin, miss.stage), describe_rule(miss.rule))
        yield "      %s: it has %s, the rule wants %s" % (miss.condition.value, miss.has, miss.wants)
    if len(misses) > _LISTED:
        yield "    and %d more" % (len(misses) - _LISTED)


def _reason(explanation: Explanation) -> str:
    decision = explanation.decision
    direction = explanation.given.packet.direction.value
    if decision.stage is Stage.INTERFACE:
        return "the policies do not filter the interface %s" % decision.origin.name
    if decision.stage is Stage.FORWARDED:
        return "the policies leave it alone, because it goes on to somebody else (%s)" % decision.origin.name
    if decision.stage is Stage.UNRESTRICTED:
        return "nothing restricts the direction %s" % direction
    if decision.stage is Stage.DEFAULT_ACTION:
        return "no rule matches, and the default action of %s is %s" % (direction, decision.action.value)
    reason = _place(explanation, decision.origin, decision.stage)
    if not explanation.assigned_at:
        return reason
    return "%s, assigned at %s" % (reason, _with_definer(explanation, explanation.assigned_at))


def _place(explanation: Explanation, origin: Origin, stage: Stage) -> str:
    """``ssh[0] of firewall_policies (group all)``, or what a rule of our own is."""
    if not origin.variable:
        return "%s (%s)" % (origin, STAGE_WORDS[stage])
    return "%s of %s" % (origin, _with_definer(explanation, origin.variable))


def _with_definer(explanation: Explanation, place: str) -> str:
    definer = explanation.definer_of(place)
    return "%s (%s)" % (place, definer) if definer else place


def _by_interest(explanation: Explanation) -> t.List[NearMiss]:
    """Those that would have changed the verdict first; each part in the order of evaluation."""
    action = explanation.decision.action
    return sorted(explanation.near_misses, key=lambda miss: miss.rule.action is action)
