# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lint says about random policies, put to the reference evaluator; and what it costs on large ones."""

from __future__ import annotations

import collections
import dataclasses
import time
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._analysis.decided import DecidedChain
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.findings import Finding
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.lint import lint
from ansible_collections.palisade.nftables.plugins.module_utils._compile.lower import lower
from ansible_collections.palisade.nftables.plugins.module_utils._policy.evaluate import evaluate, matches
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Action, Direction, Origin, Stage
from ansible_collections.palisade.nftables.plugins.module_utils._policy.packet import Packet
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import Program, Step, build_program
from lab import classbench

from .generate import PacketGenerator, PolicyGenerator
from .truth import Truth

#: Codes of rules that can be removed, and of those that decide no packet.
_DEAD = ("shadowed", "covered", "duplicate")
_WITHOUT_EFFECT = (*_DEAD, "redundant")
_PACKETS = 1500

#: Those of the sets of about 10,000 rules that take longest, or leave most undecided.
_LONGEST = ("acl2_10k",)


def _variables(seed: int) -> t.Dict[str, t.Any]:
    """A random policy with copies and halves of its own rules, so that there is something to find."""
    variables = t.cast("t.Dict[str, t.Any]", PolicyGenerator(seed).variables(60))
    for policy in variables["firewall_policies"].values():
        rules = policy["rules"]
        policy["rules"] = [*rules, *(dict(rule) for rule in rules[:: 3 + seed % 3])]
    return variables


def _steps(program: Program, direction: Direction) -> t.Dict[Origin, Step]:
    return {step.rule.origin: step for step in program.chain(direction).steps}


def _without(program: Program, direction: Direction, origins: t.Container[Origin]) -> Program:
    chain = program.chain(direction)
    kept = tuple(step for step in chain.steps if step.rule.origin not in origins)
    side = "ingress" if direction is Direction.INGRESS else "egress"
    return dataclasses.replace(program, **{side: dataclasses.replace(chain, steps=kept)})


@pytest.fixture(params=range(1, 17), scope="module")
def linted(request: pytest.FixtureRequest) -> t.Tuple[Program, t.List[Finding], t.List[Packet]]:
    firewall = parse_firewall(_variables(request.param))
    program = build_program(firewall)
    packets = PacketGenerator(program, request.param).packets(_PACKETS)
    return program, lint(firewall), packets


Linted = t.Tuple[Program, t.List[Finding], t.List[Packet]]


def test_removing_one_rule_without_effect_changes_no_packet(linted: Linted) -> None:
    program, findings, packets = linted
    for finding in findings:
        if finding.code in _WITHOUT_EFFECT:
            assert finding.direction is not None
            without = _without(program, finding.direction, {finding.rule})
            witnesses = [] if finding.witness is None else [finding.witness]
            mine = [packet for packet in packets if packet.direction is finding.direction]
            # All packets for all findings would take minutes: each finding gets those that its rule matches, and some.
            step = _steps(program, finding.direction)[t.cast("Origin", finding.rule)]
            asked = [packet for packet in mine if matches(step.rule, packet)]
            for packet in (*witnesses, *asked, *mine[::40]):
                assert evaluate(without, packet).action is evaluate(program, packet).action, finding


def test_shadowed_rules_decide_no_packet_and_all_of_them_can_go(linted: Linted) -> None:
    program, findings, packets = linted
    for direction in Direction:
        dead = {one.rule for one in findings if one.code in _DEAD and one.direction is direction}
        without = _without(program, direction, t.cast("t.Container[Origin]", dead))
        for packet in packets:
            if packet.direction is direction:
                decision = evaluate(program, packet)
                assert decision.origin not in dead
                assert evaluate(without, packet) == decision


def test_every_other_rule_decides_a_packet(linted: Linted) -> None:
    """So that no rule without effect is missed: for each of the others there is a packet, and the evaluator agrees."""
    program, findings, _packets = linted
    found = {(one.direction, one.rule) for one in findings if one.code in _DEAD}
    for lowered in lower(program).chains:
        chain = DecidedChain(program, lowered)
        for rule in chain.written:
            if (chain.direction, rule.rule.origin) not in found:
                decided = next(
                    part for part in (chain.find(one, rule.bits) for one in rule.regions) if part is not None
                )
                assert evaluate(program, chain.witness(decided)).rule == rule.rule


def test_every_rule_that_is_not_redundant_matters_to_a_packet(linted: Linted) -> None:
    program, findings, _packets = linted
    found = {(one.direction, one.rule) for one in findings if one.code in _WITHOUT_EFFECT}
    for lowered in lower(program).chains:
        chain = DecidedChain(program, lowered)
        for rule in chain.written:
            if (chain.direction, rule.rule.origin) in found:
                continue
            active = chain.every & ~rule.bits
            wanted = chain.acting_otherwise(rule.rule.action) & active & ~rule.before
            parts = (chain.find(one, wanted, active) for one in rule.regions)
            packet = chain.witness(next(part for part in parts if part is not None))
            without = _without(program, chain.direction, {rule.rule.origin})
            assert evaluate(program, packet).rule == rule.rule
            assert evaluate(without, packet).action is not rule.rule.action


def test_witnesses_behave_as_claimed(linted: Linted) -> None:
    program, findings, _packets = linted
    for finding in findings:
        packet = finding.witness
        if packet is None or finding.direction is None:
            continue
        decision = evaluate(program, packet)
        rule = _steps(program, finding.direction)[finding.rule].rule if finding.rule is not None else None
        if finding.code in ("shadowed", "covered", "conflict"):
            assert rule is not None
            assert matches(rule, packet)
            assert decision.origin in finding.others
            if finding.code == "conflict":
                assert decision.action is not rule.action
        elif finding.code == "duplicate":
            assert rule is not None
            assert matches(rule, packet)
            assert matches(_steps(program, finding.direction)[finding.others[0]].rule, packet)
        elif finding.code in ("exposed", "exposed-ssh", "source-port-hole"):
            assert decision.origin == finding.rule
            assert decision.action is Action.ACCEPT
        elif finding.code in ("reply-missing", "ssh-locked-out", "egress-cut", "egress-answers-only"):
            assert decision.action is not Action.ACCEPT
        elif finding.code == "family-forgotten":
            assert rule is not None
            assert (decision.action is Action.ACCEPT) is not (rule.action is Action.ACCEPT)


def test_random_policies_have_findings_of_most_kinds() -> None:
    """So that the properties above are about something."""
    kinds: t.Counter[str] = collections.Counter()
    for seed in range(1, 17):
        kinds.update(one.code for one in lint(parse_firewall(_variables(seed))))
    assert {"shadowed", "covered", "duplicate", "redundant", "conflict", "mergeable", "exposed"} <= set(kinds)
    assert kinds["shadowed"] > 20
    assert kinds["undecided"] == 0


@pytest.mark.parametrize("budget", [0, 10, 100, 1000])
def test_a_small_budget_leaves_rules_undecided_and_says_nothing_wrong(budget: int) -> None:
    undecided = 0
    for seed in range(1, 7):
        firewall = parse_firewall(_variables(seed))
        exact = {(one.code, one.direction, one.rule) for one in lint(firewall)}
        for one in lint(firewall, budget=budget):
            if one.code == "undecided":
                undecided += 1
            elif one.code in _WITHOUT_EFFECT:
                assert (one.code, one.direction, one.rule) in exact
    assert undecided > 0 or budget > 100


@pytest.mark.parametrize("seed", range(1, 9))
def test_a_rule_that_no_sampled_packet_needs_is_found_where_it_is_certain(seed: int) -> None:
    """Copies of rules at the end of a policy decide nothing, and each of them is found."""
    variables = _variables(seed)
    firewall = parse_firewall(variables)
    found = {(one.direction, one.rule) for one in lint(firewall) if one.code in _DEAD}
    program = build_program(firewall)
    for direction in Direction:
        earlier: t.Set[object] = set()
        for step in program.chain(direction).steps:
            if step.stage is not Stage.ASSIGNED:
                continue
            rule = step.rule
            key = (rule.action, rule.traffic, rule.sources, rule.destinations)
            if key in earlier and all(side is None or side for side in (rule.sources, rule.destinations)):
                assert (direction, rule.origin) in found
            earlier.add(key)


def _large(name: str, drops: float) -> t.Tuple[Program, t.List[Finding], float]:
    firewall = parse_firewall(classbench.variables(name, drops=drops))
    started = time.process_time()
    findings = lint(firewall)
    return build_program(firewall), findings, time.process_time() - started


def _check_large(name: str, drops: float, packets: int) -> str:
    """Lints a set; the shadowed rules decide none of the headers drawn from it. Returns the figures."""
    program, findings, seconds = _large(name, drops)
    rules = len(program.ingress.steps)
    kinds = collections.Counter(one.code for one in findings)
    dead = {one.rule for one in findings if one.code in _DEAD}
    gone = Truth(_without(program, Direction.INGRESS, t.cast("t.Container[Origin]", dead)))
    truth = Truth(program)
    for packet in PacketGenerator(program, 1).packets(packets):
        decision = truth.decide(packet)
        assert decision.origin not in dead
        assert gone.decide(packet).action is decision.action
    assert kinds["undecided"] <= rules / 100
    return "%s: %d rules, %.1f s, %s" % (name, rules, seconds, ", ".join("%s %d" % one for one in kinds.most_common()))


@pytest.fixture
def _sets() -> None:
    reason = classbench.why_absent()
    if reason is not None:
        pytest.skip(reason)


@pytest.mark.usefixtures("_sets")
@pytest.mark.parametrize("name", classbench.names("1k"))
def test_dead_rules_of_a_set_of_a_thousand_decide_no_packet(name: str) -> None:
    print(_check_large(name, 0.5, 300))


@pytest.mark.slow
@pytest.mark.usefixtures("_sets")
@pytest.mark.parametrize("name", _LONGEST)
def test_dead_rules_of_a_set_of_ten_thousand_decide_no_packet(name: str) -> None:
    print(_check_large(name, 0.5, 300))
