# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What compiled rules mean, read rule by rule: what the policies mean; and what edits by hand make of it."""

from __future__ import annotations

import copy
import dataclasses
import random
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._analysis.altered import find_altered, ruleset_of
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.changed_packets import Limits
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.difference import Difference, find_difference
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.live_meaning import LiveMeaning, TooLargeError
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.meaning import ProgramMeaning
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.walk import walk
from ansible_collections.palisade.nftables.plugins.module_utils._compile.compile import compile_program
from ansible_collections.palisade.nftables.plugins.module_utils._compile.table import (
    Field,
    Match,
    TableRule,
    Verdict,
    VerdictKind,
)
from ansible_collections.palisade.nftables.plugins.module_utils._core.intervals import IntervalSet
from ansible_collections.palisade.nftables.plugins.module_utils._nft.read import (
    LiveRule,
    LiveRuleset,
)
from ansible_collections.palisade.nftables.plugins.module_utils._policy.evaluate import evaluate
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import (
    Action,
    Direction,
    Layout,
    Route,
    State,
)
from ansible_collections.palisade.nftables.plugins.module_utils._policy.packet import Packet
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import Program
from lab import classbench
from lab.namespaces import Host, Lab
from lab.reexec import ensure_privileges, why_unavailable
from tests.nft_versions import NftVersion, nft_versions
from tests.packets.wording import program_of

from .generate import PacketGenerator, PolicyGenerator
from .read_back import read_back

if t.TYPE_CHECKING:
    import collections.abc

_RULES = 40
_PACKETS = 600
_SEEDS = range(1, 9)
_LIMITS = Limits(regions=100_000)


def _program(seed: int) -> Program:
    return program_of(t.cast("t.Mapping[str, object]", PolicyGenerator(seed).variables(_RULES)))


def _with_routes(packets: t.Iterable[Packet]) -> t.Iterator[Packet]:
    for packet in packets:
        yield packet
        if packet.direction is Direction.INGRESS:
            yield dataclasses.replace(packet, route=Route.FORWARDED)
            if packet.state not in (State.INVALID, State.UNTRACKED):
                yield dataclasses.replace(packet, route=Route.PUBLISHED)


@pytest.mark.parametrize("layout", list(Layout), ids=lambda layout: str(layout.value))
@pytest.mark.parametrize("seed", _SEEDS)
def test_a_compiled_program_means_what_the_program_means(seed: int, layout: Layout) -> None:
    program = _program(seed)
    ruleset = ruleset_of(compile_program(program, layout=layout))
    difference = find_difference(LiveMeaning(ruleset), ProgramMeaning(program), _LIMITS)
    assert (difference.groups, difference.undecided) == ((), ())


@pytest.fixture(name="host", scope="module")
def fixture_host() -> collections.abc.Iterator[Host]:
    reason = why_unavailable()
    if reason is not None:
        pytest.skip(reason)
    ensure_privileges()
    with Lab() as lab:
        yield lab.host("meaning")


@pytest.mark.parametrize("nft", nft_versions(), ids=lambda nft: str(nft.version))
@pytest.mark.parametrize("layout", list(Layout), ids=lambda layout: str(layout.value))
@pytest.mark.parametrize("seed", [1, 2, 5])
def test_so_does_what_every_nft_lists_of_it(host: Host, seed: int, layout: Layout, nft: NftVersion) -> None:
    program = _program(seed)
    ruleset = read_back(host, nft, compile_program(program, layout=layout))
    difference = find_difference(LiveMeaning(ruleset), ProgramMeaning(program), _LIMITS)
    assert (difference.groups, difference.undecided) == ((), ())


def _meddled(ruleset: LiveRuleset, seed: int) -> LiveRuleset:
    """The ruleset after somebody added a rule, took rules away, and moved one."""
    rng = random.Random(seed)
    chains = dict(ruleset.chains)
    for _edit in range(3):
        name = rng.choice(sorted(name for name, chain in chains.items() if chain.rules))
        rules = list(chains[name].rules)
        place = rng.randrange(len(rules))
        edit = rng.choice(("add", "remove", "move"))
        if edit == "add":
            match = rng.choice(
                (
                    Match(Field.DESTINATION_PORT, IntervalSet(((0, 22), (80, 8000)))),
                    Match(Field.SOURCE4, IntervalSet(((0, 0xCB007180),))),
                    Match(Field.FAMILY, ("ipv6",)),
                    Match(Field.STATE, ("new", "related")),
                    Match(Field.INPUT_INTERFACE, ("eth1", "dock*")),
                    Match(Field.ORIGINAL_DESTINATION_PORT, IntervalSet(((0, 1000),))),
                )
            )
            verdict = Verdict(rng.choice((VerdictKind.ACCEPT, VerdictKind.DROP, VerdictKind.REJECT)))
            rules.insert(place, LiveRule(TableRule((match,), (verdict,), "by hand")))
        elif edit == "remove":
            del rules[place]
        else:
            rules.insert(rng.randrange(len(rules)), rules.pop(place))
        chains[name] = chains[name]._replace(rules=tuple(rules))
    return ruleset._replace(chains=chains)


def _check(ruleset: LiveRuleset, program: Program, difference: Difference, packets: t.Iterable[Packet]) -> None:
    """What the walk of a packet says of the rules is what the groups say."""
    for packet in (*(group.witness for group in difference.groups), *packets):
        found = walk(ruleset, packet).verdict
        if found == "unknown":
            assert difference.undecided
            continue
        wanted = evaluate(program, packet).action.value
        holding = [group for group in difference.groups if group.holds(packet, difference.classes)]
        assert [(group.before.value, group.after.value) for group in holding] == (
            [] if found == wanted else [(found, wanted)]
        ), packet


@pytest.mark.parametrize("whole", [True, False], ids=["everything", "what is altered"])
@pytest.mark.parametrize("layout", list(Layout), ids=lambda layout: str(layout.value))
@pytest.mark.parametrize("seed", range(1, 17))
def test_edits_by_hand_are_found_exactly(seed: int, layout: Layout, *, whole: bool) -> None:
    program = _program(seed)
    wanted = ruleset_of(compile_program(program, layout=layout))
    ruleset = _meddled(wanted, seed)
    live = LiveMeaning(ruleset) if whole else LiveMeaning(ruleset, space=find_altered(ruleset, wanted))
    difference = find_difference(live, ProgramMeaning(program), _LIMITS)
    _check(ruleset, program, difference, _with_routes(PacketGenerator(program, seed).packets(_PACKETS)))


@pytest.mark.parametrize("layout", list(Layout), ids=lambda layout: str(layout.value))
@pytest.mark.parametrize("seed", range(1, 9))
def test_so_are_edits_beside_a_change_of_the_policies(seed: int, layout: Layout) -> None:
    """The kernel holds an older policy, altered by hand; what is wanted has other rules, and others in other places."""
    variables = t.cast("t.Dict[str, t.Any]", PolicyGenerator(seed).variables(_RULES))
    before = program_of(variables)
    policies = copy.deepcopy(variables["firewall_policies"])
    rng = random.Random(seed)
    for policy in policies.values():
        for rule in rng.sample(policy["rules"], min(2, len(policy["rules"]))):
            rule["action"] = "drop" if rule["action"] == "accept" else "accept"
        policy["rules"][1:1] = policy["rules"][-1:]
    after = program_of({**variables, "firewall_policies": policies})
    ruleset = _meddled(ruleset_of(compile_program(before, layout=layout)), seed)
    space = find_altered(ruleset, ruleset_of(compile_program(after, layout=layout)))
    difference = find_difference(LiveMeaning(ruleset, space=space), ProgramMeaning(after), _LIMITS)
    packets = [one for program in (before, after) for one in PacketGenerator(program, seed).packets(_PACKETS // 2)]
    _check(ruleset, after, difference, _with_routes(packets))


@pytest.mark.parametrize("nft", nft_versions(), ids=lambda nft: str(nft.version))
@pytest.mark.parametrize("layout", list(Layout), ids=lambda layout: str(layout.value))
@pytest.mark.parametrize("seed", [1, 2, 5])
def test_nothing_is_altered_in_what_nft_lists_of_a_table(
    host: Host, seed: int, layout: Layout, nft: NftVersion
) -> None:
    table = compile_program(_program(seed), layout=layout)
    assert find_altered(read_back(host, nft, table), ruleset_of(table)) == ()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["acl1_10k"])
def test_an_edit_by_hand_of_ten_thousand_rules_leaves_nothing_undecided(name: str) -> None:
    reason = classbench.why_absent()
    if reason is not None:
        pytest.skip(reason)
    program = program_of(classbench.variables(name, drops=0.5))
    wanted = ruleset_of(compile_program(program))
    chain = wanted.chains["input"]
    sources = Match(Field.SOURCE4, IntervalSet(((0xCB007100, 0xCB0071FF),)))
    by_hand = TableRule(
        (sources, Match(Field.DESTINATION_PORT, IntervalSet.single(8443))), (Verdict(VerdictKind.ACCEPT),), "by hand"
    )
    chains = {**wanted.chains, "input": chain._replace(rules=(LiveRule(by_hand), *chain.rules))}
    ruleset = wanted._replace(chains=chains)
    difference = find_difference(LiveMeaning(ruleset, space=find_altered(ruleset, wanted)), ProgramMeaning(program))
    assert difference.undecided == ()
    assert {group.change.before.by.name for group in difference.groups} == {"by hand"}
    assert {group.after for group in difference.groups} == {Action.DROP}


def test_what_was_not_understood_is_undecided() -> None:
    program = _program(1)
    ruleset = ruleset_of(compile_program(program))
    chain = ruleset.chains["input"]
    unread = LiveRule(TableRule((), ()), "the statement 'queue'")
    chains = {**ruleset.chains, "input": chain._replace(rules=(unread, *chain.rules))}
    difference = find_difference(LiveMeaning(ruleset._replace(chains=chains)), ProgramMeaning(program), _LIMITS)
    assert not difference.same
    assert [by.name for by in difference.undecided] == [
        "rule 1 of the chain input, not understood: the statement 'queue'"
    ]


def test_too_many_ways_through_the_rules() -> None:
    program = _program(1)
    with pytest.raises(TooLargeError):
        find_difference(LiveMeaning(ruleset_of(compile_program(program)), budget=20), ProgramMeaning(program))
