# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Assertions and what became of them, as lines for a terminal and as plain data."""

from __future__ import annotations

import typing as t

from .._policy.assertions import Assertion, Expectation, Quantifier, SideKind
from .._policy.evaluate import Decision
from .._policy.model import Action, State
from .explanation_text import STAGE_WORDS
from .findings import packet_to_plain
from .policy_tests import Cause, Outcome, Status
from .wording import describe_packet, describe_rule, describe_states, describe_way

_EXPECTED: t.Mapping[Expectation, str] = {
    Expectation.ACCEPT: "accepted",
    Expectation.DROP: "dropped",
    Expectation.REJECT: "rejected",
    Expectation.REFUSED: "refused",
}

#: As wide as the longest status.
_WIDTH = max(len(status.value) for status in Status)
_INDENT = " " * (_WIDTH + 2)


def describe_assertion(assertion: Assertion) -> str:
    """``every packet of tcp port 22 from outside office is refused``."""
    words = ["every packet" if assertion.quantifier is Quantifier.EVERY else "any packet"]
    if assertion.traffic_text:
        words.append("of %s" % assertion.traffic_text)
    for word, side in (("from", assertion.source), ("to", assertion.destination)):
        if side is not None:
            words.extend((word, "this host" if side.kind is SideKind.HOST else side.text))
    if assertion.direction is not None:
        words.append("(%s)" % assertion.direction.value)
    if assertion.states != {State.NEW}:
        words.append("in state %s" % describe_states(assertion.states))
    if assertion.flow_direction is not None:
        words.append("going the way of %s" % describe_way(assertion.flow_direction))
    if assertion.interface:
        words.append("on %s" % assertion.interface)
    return "%s is %s" % (" ".join(words), _EXPECTED[assertion.expectation])


def title(assertion: Assertion) -> str:
    """Its name, or what it says."""
    return assertion.name or describe_assertion(assertion)


def render_outcomes(host: str, outcomes: t.Sequence[Outcome]) -> t.List[str]:
    """Lines as of a test run: one for each test, more for one that failed, and a summary."""
    lines: t.List[str] = []
    for outcome in outcomes:
        lines.extend(render_outcome(outcome))
    return [*lines, summary(host, outcomes)]


def render_outcome(outcome: Outcome) -> t.List[str]:
    """The line of one test, and below it why it failed."""
    assertion = outcome.assertion
    line = "%s %s: %s" % (outcome.status.value.ljust(_WIDTH), assertion.place, title(assertion))
    if outcome.status is Status.SKIPPED:
        return ["%s (%s)" % (line, outcome.reason)]
    if outcome.status is Status.OK:
        return ["%s (%s)" % (line, outcome.kernel) if outcome.kernel else line]
    return [line, *(_INDENT + detail for detail in details(outcome))]


def details(outcome: Outcome) -> t.Iterator[str]:
    """Why a test failed: what was meant, the counterexample, the rule that decides it, and what to do."""
    if outcome.assertion.name:
        yield "meant:    %s" % describe_assertion(outcome.assertion)
    yield "because:  %s" % outcome.reason
    if outcome.packet is not None:
        shown = "packet:  " if outcome.assertion.quantifier is Quantifier.EVERY else "such as: "
        yield "%s %s" % (shown, describe_packet(outcome.packet))
    if outcome.decision is not None:
        yield "verdict:  %s, by %s" % (outcome.decision.action.value, _decided_by(outcome))
        if outcome.decision.rule is not None:
            yield "rule:     %s" % describe_rule(outcome.decision.rule)
    yield "to do:    %s" % advice(outcome)


def summary(host: str, outcomes: t.Sequence[Outcome]) -> str:
    """``web1: 3 tests: 2 ok, 1 skipped``."""
    counts = [(status, sum(outcome.status is status for outcome in outcomes)) for status in Status]
    told = ", ".join("%d %s" % (count, status.value) for status, count in counts if count)
    return "%s: %s: %s" % (host, "1 test" if len(outcomes) == 1 else "%d tests" % len(outcomes), told or "none")


def _decided_by(outcome: Outcome) -> str:
    decision = outcome.decision
    if decision is None:
        return ""
    if decision.origin.variable:
        return "%s of %s" % (decision.origin, decision.origin.variable)
    if decision.rule is None:
        return "the %s" % STAGE_WORDS[decision.stage]
    return "%s (%s)" % (decision.origin, STAGE_WORDS[decision.stage])


def advice(outcome: Outcome) -> str:
    """What to do about a test that failed."""
    if outcome.cause is Cause.SAFEGUARD:
        return "say in firewall_safeguards%s what passes, instead of auto, or test something else" % (
            "." + outcome.safeguard if outcome.safeguard else ""
        )
    if outcome.cause is Cause.UNDECIDED:
        return "split the test into narrower ones: fewer addresses, one protocol"
    if outcome.cause is Cause.KERNEL:
        return "please report this with the policies and the kernel's version: one of the two is wrong"
    decision = outcome.decision
    if decision is None:
        return "change the test"
    return "%s; or change the test, if this is meant" % _mend(outcome, decision)


def _mend(outcome: Outcome, decision: Decision) -> str:
    wanted = outcome.assertion.expectation
    rule = decision.rule
    if wanted is Expectation.ACCEPT:
        if rule is None:
            return "add a rule that accepts such packets to a policy that is assigned here"
        return "narrow %s, or let a rule that accepts such packets come before it" % _rule_text(decision)
    if decision.action is not Action.ACCEPT:
        return "expect 'refused', if it is all the same how a packet is refused"
    if rule is not None:
        return "narrow %s, or let a rule that drops such packets come before it" % _rule_text(decision)
    if decision.stage.value == "interface":
        return "name the interface in firewall_interfaces, so that the policies filter it"
    direction = "ingress" if outcome.packet is None else outcome.packet.direction.value
    return "add a rule that drops such packets, or set firewall_default_%s to drop" % direction


def _rule_text(decision: Decision) -> str:
    return (
        "%s of %s" % (decision.origin, decision.origin.variable) if decision.origin.variable else str(decision.origin)
    )


def outcome_to_plain(outcome: Outcome) -> t.Dict[str, t.Any]:
    """As lists, mappings and texts."""
    decision = outcome.decision
    failed = outcome.status is Status.FAILED
    return {
        "status": outcome.status.value.lower(),
        "place": outcome.assertion.place,
        "name": outcome.assertion.name,
        "description": outcome.assertion.description,
        "assertion": describe_assertion(outcome.assertion),
        "reason": outcome.reason,
        "cause": outcome.cause.value,
        "packet": None if outcome.packet is None else packet_to_plain(outcome.packet),
        "verdict": None if decision is None else decision.action.value,
        "rule": None if decision is None else str(decision.origin),
        "variable": "" if decision is None else decision.origin.variable,
        "stage": None if decision is None else decision.stage.value,
        "advice": advice(outcome) if failed else "",
        "kernel": outcome.kernel,
    }
