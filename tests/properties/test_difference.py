# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Semantic differences of random and of small policies, put to the reference evaluator; and of large ones."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import random
import time
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._analysis.changed_packets import Limits
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.difference import (
    Difference,
    Group,
    find_difference,
)
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.meaning import NoRuleset, ProgramMeaning
from ansible_collections.palisade.nftables.plugins.module_utils._policy.evaluate import evaluate
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import (
    Action,
    Direction,
    FlowDirection,
    Route,
    State,
)
from ansible_collections.palisade.nftables.plugins.module_utils._policy.packet import Packet
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import Program, build_program
from lab import classbench

from .generate import PacketGenerator, PolicyGenerator
from .truth import Truth

_PACKETS = 1200
_SEEDS = range(1, 17)

#: So that every group of the small policies here is spelled out.
_WHOLE = Limits(regions=100_000)

_Variables = t.Dict[str, t.Any]


def _program(variables: _Variables) -> Program:
    return build_program(parse_firewall(variables))


def _difference(before: Program, after: Program, limits: Limits = _WHOLE) -> Difference:
    return find_difference(ProgramMeaning(before), ProgramMeaning(after), limits)


def _changed(variables: _Variables, seed: int) -> _Variables:
    """The variables after a few edits such as people make."""
    rng = random.Random(seed)
    found = copy.deepcopy(variables)
    policies = found["firewall_policies"]
    for _edit in range(rng.randint(1, 4)):
        rules = policies[rng.choice(list(policies))]["rules"]
        edit = rng.choice(("remove", "flip", "move", "add", "copy", "default", "interfaces", "published"))
        place = rng.randrange(len(rules)) if rules else 0
        if edit == "add" or not rules:
            fresh = PolicyGenerator(rng.randrange(1 << 30)).variables(3)
            if fresh["firewall_profile"] != found["firewall_profile"]:
                continue
            found["firewall_networks"].update(t.cast("_Variables", fresh["firewall_networks"]))
            for policy in t.cast("_Variables", fresh["firewall_policies"]).values():
                rules[place:place] = policy["rules"]
        elif edit == "remove":
            del rules[place]
        elif edit == "flip":
            rules[place]["action"] = "drop" if rules[place]["action"] == "accept" else "accept"
        elif edit == "move":
            rules.insert(rng.randrange(len(rules)), rules.pop(place))
        elif edit == "copy":
            rules.append(dict(rules[place]))
        elif edit == "default":
            found["firewall_default_%s" % rng.choice(("ingress", "egress"))] = rng.choice(("accept", "drop", "auto"))
        elif edit == "interfaces":
            found["firewall_interfaces"] = rng.choice((["eth0"], ["eth*"], ["eth1", "docker0"], []))
        else:
            found["firewall_published"] = rng.choice(("filter", "leave"))
    return found


def _with_routes(packets: t.Iterable[Packet]) -> t.Iterator[Packet]:
    """Each packet, and what comes in also as one that goes on to somebody else, and on other interfaces."""
    for packet in packets:
        yield packet
        if packet.direction is Direction.INGRESS:
            yield dataclasses.replace(packet, route=Route.FORWARDED, interface="eth1")
            if packet.state not in (State.INVALID, State.UNTRACKED):
                yield dataclasses.replace(packet, route=Route.PUBLISHED)
        yield dataclasses.replace(packet, interface="docker0")


def _check(before: Program, after: Program, difference: Difference, packets: t.Iterable[Packet]) -> int:
    """Every packet that changes is in exactly one group, every other in none. How many change."""
    assert difference.undecided == ()
    assert all(group.change.exact for group in difference.groups)
    changed = 0
    for packet in packets:
        one, other = evaluate(before, packet).action, evaluate(after, packet).action
        holding = [group for group in difference.groups if group.holds(packet, difference.classes)]
        if one is other:
            assert holding == [], packet
            continue
        changed += 1
        (group,) = holding
        assert (group.before, group.after) == (one, other)
    return changed


def _check_witnesses(before: Program, after: Program, difference: Difference) -> None:
    """Each is in its group, has its verdicts, and the rules that are named decide it."""
    for group in difference.groups:
        packet = group.witness
        for program, action, clause in (
            (before, group.before, group.change.before),
            (after, group.after, group.change.after),
        ):
            decision = evaluate(program, packet)
            assert decision.action is action
            if clause.by.is_rule:
                assert clause.by.name.split(" ")[0] == str(decision.origin)
                assert clause.by.variable == decision.origin.variable
        if group.change.exact:
            assert [one for one in difference.groups if one.holds(packet, difference.classes)] == [group]


def _key(group: Group) -> t.Tuple[object, ...]:
    change = group.change
    return (
        group.before,
        group.after,
        change.before.by,
        change.after.by,
        change.others,
        change.others_are_before,
        frozenset(change.regions),
        frozenset(group.places),
        group.witness,
    )


@pytest.fixture(params=_SEEDS, scope="module")
def pair(request: pytest.FixtureRequest) -> t.Tuple[Program, Program, t.List[Packet]]:
    variables = t.cast("_Variables", PolicyGenerator(request.param).variables(30))
    before, after = _program(variables), _program(_changed(variables, request.param))
    packets = [
        packet
        for program in (before, after)
        for packet in PacketGenerator(program, request.param).packets(_PACKETS // 2)
    ]
    return before, after, packets


_Pair = t.Tuple[Program, Program, t.List[Packet]]


def test_a_packet_changes_if_and_only_if_one_group_holds_it(pair: _Pair) -> None:
    before, after, packets = pair
    difference = _difference(before, after)
    _check(before, after, difference, _with_routes(packets))
    _check_witnesses(before, after, difference)


def test_the_opposite_change_is_the_mirror(pair: _Pair) -> None:
    before, after, _packets = pair
    there, back = _difference(before, after), _difference(after, before)
    mirrored = [
        dataclasses.replace(group, before=group.after, after=group.before, change=group.change.mirrored())
        for group in back.groups
    ]
    assert {_key(group) for group in there.groups} == {_key(group) for group in mirrored}
    assert len(there.groups) == len(back.groups)


def test_the_same_question_has_the_same_answer(pair: _Pair) -> None:
    before, after, _packets = pair
    assert _difference(before, after).groups == _difference(before, after).groups


def test_nothing_differs_from_itself(pair: _Pair) -> None:
    for program in pair[:2]:
        assert _difference(program, program).same
        assert find_difference(ProgramMeaning(program), ProgramMeaning(program)).groups == ()


def test_a_first_ruleset_changes_what_it_does_not_accept(pair: _Pair) -> None:
    program, _other, packets = pair
    difference = find_difference(NoRuleset(), ProgramMeaning(program), _WHOLE)
    assert difference.undecided == ()
    for packet in _with_routes(packets):
        holding = [group for group in difference.groups if group.holds(packet, difference.classes)]
        action = evaluate(program, packet).action
        assert [(group.before, group.after) for group in holding] == (
            [] if action is Action.ACCEPT else [(Action.ACCEPT, action)]
        )


def test_random_edits_change_something() -> None:
    """So that the properties above are about something."""
    groups = 0
    for seed in _SEEDS:
        variables = t.cast("_Variables", PolicyGenerator(seed).variables(30))
        groups += len(_difference(_program(variables), _program(_changed(variables, seed))).groups)
    assert groups > 2 * len(_SEEDS)


@pytest.mark.parametrize("total", [0, 1_000, 10_000, 100_000])
def test_a_small_budget_says_so_and_nothing_wrong(total: int) -> None:
    undecided = 0
    for seed in range(1, 9):
        variables = t.cast("_Variables", PolicyGenerator(seed).variables(30))
        before, after = _program(variables), _program(_changed(variables, seed))
        whole = _difference(before, after)
        found = _difference(before, after, Limits(total=total))
        undecided += len(found.undecided)
        _check_witnesses(before, after, found)
        assert whole.same or not found.same
    assert undecided > 0 or total > 1_000


def _rule(**conditions: object) -> _Variables:
    return {"direction": "ingress", "action": "accept", **conditions}


_SIDES = (None, ["192.0.2.0/30"], ["192.0.2.2-192.0.2.9", "2001:db8::/126"], ["2001:db8::1"])
_TRAFFIC: t.Sequence[_Variables] = (
    {},
    {"protocol": "tcp", "destination_ports": ["20-22"]},
    {"protocol": ["tcp", "udp"], "destination_ports": [22], "source_ports": ["1000-1001"]},
    {"protocol": "icmp", "icmp_types": ["echo-request"]},
    {"protocol": "icmpv6"},
    {"protocol": "gre"},
)


def _small(seed: int) -> _Variables:
    rng = random.Random(seed)
    rules = []
    for _index in range(rng.randint(1, 4)):
        rule = _rule(action=rng.choice(("accept", "drop", "reject")), **rng.choice(_TRAFFIC))
        sources = rng.choice(_SIDES)
        if "icmp" not in str(rule.get("protocol")) and sources is not None:
            rule["sources"] = sources
        rules.append(rule)
    return {
        "firewall_policies": {"small": {"rules": rules}},
        "firewall_assigned": ["small"],
        "firewall_default_policies": [],
        "firewall_profile": "host",
        "firewall_default_ingress": rng.choice(("accept", "drop", "reject")),
    }


def _every_packet() -> t.Iterator[Packet]:
    """One packet of each kind that the small policies can tell apart, and more."""
    addresses = [(4, 0xC0000200 + one) for one in (0, 2, 3, 4, 9, 10)]
    addresses += [(6, (0x20010DB8 << 96) + one) for one in (0, 1, 2, 4)]
    ports = ((999, 22), (1000, 22), (1001, 20), (1001, 23), (1000, 19))
    for (family, source), state in itertools.product(addresses, State):
        for flow in FlowDirection:
            shared: t.Dict[str, t.Any] = {"source": source, "destination": 1, "state": state, "flow_direction": flow}
            for protocol, (one, other) in itertools.product((6, 17, 132), ports):
                for reset in (False, True) if protocol == 6 else (False,):
                    yield Packet(
                        Direction.INGRESS,
                        family,
                        protocol,
                        source_port=one,
                        destination_port=other,
                        tcp_reset=reset,
                        **shared,
                    )
            for protocol, hops in itertools.product((1, 58), (64, 255)):
                own = protocol == (1 if family == 4 else 58)
                for kind in (0, 8, 130, 135, 136) if own else (None,):
                    yield Packet(Direction.INGRESS, family, protocol, icmp_type=kind, hop_limit=hops, **shared)
            yield Packet(Direction.INGRESS, family, 47, **shared)


@pytest.mark.parametrize("seed", range(12))
def test_small_spaces_are_enumerated_wholly(seed: int) -> None:
    before, after = _program(_small(2 * seed)), _program(_small(2 * seed + 1))
    difference = _difference(before, after)
    _check(before, after, difference, _every_packet())
    _check_witnesses(before, after, difference)


_SSH = _rule(service="ssh", sources=["198.51.100.0/24", "2001:db8:1::/48"])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            [_rule(protocol="tcp", destination_ports=[80, 443])],
            [_rule(protocol="tcp", destination_ports=[443]), _rule(protocol="tcp", destination_ports=[80])],
            id="split",
        ),
        pytest.param(
            [_rule(service="http"), _SSH, _rule(service="https")],
            [_SSH, _rule(service="https"), _rule(service="http")],
            id="reordered",
        ),
        pytest.param(
            [_rule(protocol="tcp", sources=["192.0.2.0/25", "192.0.2.128/25"])],
            [_rule(protocol="tcp", sources=["192.0.2.0-192.0.2.255"])],
            id="merged",
        ),
        pytest.param([_SSH, _rule(service="http")], [_SSH, _rule(service="http"), _SSH], id="needless"),
        pytest.param(
            [_rule(protocol="tcp", action="accept")],
            [_rule(protocol="tcp", action="accept"), _rule(protocol="tcp", action="drop", sources=["192.0.2.1"])],
            id="never reached",
        ),
        pytest.param([_SSH], [{**_SSH, "description": "administrators"}], id="described"),
    ],
)
def test_only_the_form_changes(before: t.List[_Variables], after: t.List[_Variables]) -> None:
    one = _program({"firewall_policies": {"a": {"rules": before}}, "firewall_assigned": ["a"]})
    other = _program({"firewall_policies": {"renamed": {"rules": after}}, "firewall_assigned": ["renamed"]})
    assert _difference(one, other).same
    assert _difference(other, one).same


@pytest.fixture
def _sets() -> None:
    reason = classbench.why_absent()
    if reason is not None:
        pytest.skip(reason)


def _edits(variables: _Variables) -> t.Iterator[t.Tuple[str, _Variables]]:
    (name,) = variables["firewall_policies"]
    count = len(variables["firewall_policies"][name]["rules"])
    for place in (1, count // 2, count - 2):
        found = copy.deepcopy(variables)
        rule = found["firewall_policies"][name]["rules"][place]
        rule["action"] = "drop" if rule["action"] == "accept" else "accept"
        yield "rule %d acts otherwise" % place, found
    found = copy.deepcopy(variables)
    found["firewall_policies"][name]["rules"].insert(0, _rule(protocol="tcp", destination_ports=[443]))
    yield "a rule at the front", found


def _check_large(name: str, packets: int) -> None:
    """One rule of a set is changed: the groups hold what changes, of headers drawn from it. Prints the figures."""
    variables = classbench.variables(name, drops=0.5)
    before = _program(variables)
    truth = Truth(before)
    for label, edited in _edits(variables):
        after = _program(edited)
        started = time.process_time()
        difference = find_difference(ProgramMeaning(before), ProgramMeaning(after))
        seconds = time.process_time() - started
        assert difference.undecided == ()
        now = Truth(after)
        for packet in (*(group.witness for group in difference.groups), *PacketGenerator(after, 1).packets(packets)):
            one, other = truth.decide(packet).action, now.decide(packet).action
            alike = [group for group in difference.groups if (group.before, group.after) == (one, other)]
            assert (one is other) or alike
            for group in difference.groups:
                if group.change.exact:
                    held = group.holds(packet, difference.classes)
                    assert not held or group in alike
        print("%s: %s: %.2f s, %d groups" % (name, label, seconds, len(difference.groups)))


@pytest.mark.usefixtures("_sets")
@pytest.mark.parametrize("name", classbench.names("1k"))
def test_one_rule_of_a_thousand_changes(name: str) -> None:
    _check_large(name, 200)


@pytest.mark.slow
@pytest.mark.usefixtures("_sets")
@pytest.mark.parametrize("name", ["acl2_10k", "fw2_10k"])
def test_one_rule_of_ten_thousand_changes(name: str) -> None:
    _check_large(name, 100)
