# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which packets may meet other rules than a table has for them: one difference at a time."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._analysis.altered import find_altered, ruleset_of
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.region_words import describe_regions
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.regions import Region
from ansible_collections.palisade.nftables.plugins.module_utils._compile.table import (
    Count,
    Field,
    Log,
    Lookup,
    MapElement,
    Match,
    NamedMap,
    NamedSet,
    SetReference,
    SetType,
    Statement,
    Table,
    TableChain,
    TableRule,
    Verdict,
    VerdictKind,
)
from ansible_collections.palisade.nftables.plugins.module_utils._core.intervals import IntervalSet
from ansible_collections.palisade.nftables.plugins.module_utils._nft.read import LiveRule, LiveRuleset

_ACCEPT, _DROP = Verdict(VerdictKind.ACCEPT), Verdict(VerdictKind.DROP)
_TCP = Match(Field.PROTOCOL, IntervalSet.single(6))


def _port(low: int, high: t.Optional[int] = None) -> Match:
    return Match(Field.DESTINATION_PORT, IntervalSet([(low, low if high is None else high)]))


def _rule(*matches: Match, act: Statement = _ACCEPT) -> TableRule:
    return TableRule((_TCP, *matches), (act,))


def _input(*rules: TableRule, **others: t.Tuple[TableRule, ...]) -> LiveRuleset:
    chains = [TableChain(name, listed) for name, listed in others.items()]
    return ruleset_of(Table((), (), (*chains, TableChain("input", rules, hook="input"))))


def _mapped(*elements: t.Tuple[int, Verdict], name: str = "ports", **others: t.Tuple[TableRule, ...]) -> LiveRuleset:
    """A rule that looks ports up."""
    named = NamedMap(
        name,
        (Field.DESTINATION_PORT,),
        tuple(MapElement(((port, port),), verdict) for port, verdict in elements),
    )
    rules = (_rule(act=Lookup((Field.DESTINATION_PORT,), name)), TableRule((), (_DROP,)))
    chains = [TableChain(one, listed) for one, listed in others.items()]
    return ruleset_of(Table((), (), (*chains, TableChain("input", rules, hook="input")), (named,)))


def _words(regions: t.Iterable[Region]) -> t.List[str]:
    return sorted(describe_regions(list(regions)))


_BASE = (_rule(_port(22)), _rule(_port(80, 89)), _rule(_port(443), act=_DROP))


def test_a_table_beside_itself_alters_nothing() -> None:
    assert find_altered(_input(*_BASE), _input(*_BASE)) == ()


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param((_BASE[0], _rule(_port(8443)), *_BASE[1:]), id="added"),
        pytest.param((*_BASE, _rule(_port(8443))), id="added behind"),
        pytest.param((_rule(_port(8443), act=Count("c")), *_BASE, _rule(_port(8443))), id="and one that counts"),
    ],
)
def test_of_a_rule_more_its_own_packets_are_altered(rules: t.Tuple[TableRule, ...]) -> None:
    expected = ["tcp port 8443"]
    assert _words(find_altered(_input(*rules), _input(*_BASE))) == expected
    assert _words(find_altered(_input(*_BASE), _input(*rules))) == expected


def test_of_a_rule_that_says_something_else_both_are() -> None:
    altered = find_altered(_input(_BASE[0], _rule(_port(85, 95)), _BASE[2]), _input(*_BASE))
    assert _words(altered) == ["tcp port 80-95"]


def test_between_two_differences_rules_at_the_same_place_are_compared() -> None:
    altered = find_altered(_input(_rule(_port(23)), _BASE[1], _rule(_port(444), act=_DROP)), _input(*_BASE))
    assert _words(altered) == ["tcp port 22-23, 443-444"]


@pytest.mark.parametrize("act", [Count("c"), Log("dropped", 1, "second")], ids=["count", "log"])
def test_what_only_counts_or_logs_alters_nothing(act: Statement) -> None:
    assert find_altered(_input(TableRule((), (act,)), *_BASE), _input(*_BASE)) == ()


def test_only_packets_that_come_to_a_difference_are_altered() -> None:
    jump = (_rule(_port(1000, 1999), act=Verdict(VerdictKind.JUMP, "more")), *_BASE)
    altered = find_altered(_input(*jump, more=(TableRule((), (_DROP,)),)), _input(*jump, more=()))
    assert _words(altered) == ["tcp port 1000-1999"]


def test_names_do_not_matter() -> None:
    one = _input(_rule(_port(22), act=Verdict(VerdictKind.GOTO, "a_12")), a_12=_BASE)
    other = _input(_rule(_port(22), act=Verdict(VerdictKind.GOTO, "b_34")), b_34=_BASE)
    assert find_altered(one, other) == ()
    assert find_altered(_mapped((22, _ACCEPT), name="a"), _mapped((22, _ACCEPT), name="b")) == ()


def test_of_maps_elements_are_compared() -> None:
    goto = Verdict(VerdictKind.GOTO, "rule")
    one = _mapped((22, _ACCEPT), (80, _DROP), (81, goto), rule=(TableRule((), (_DROP,)),))
    other = _mapped((22, _ACCEPT), (81, goto), (90, _DROP), rule=(_rule(_port(81)),))
    assert _words(find_altered(one, other)) == ["tcp port 80-81, 90"]


def test_sets_count_by_what_they_hold() -> None:
    ports = IntervalSet([(22, 22), (80, 80)])
    named = NamedSet("ports", SetType.PORT, ports)
    referring = _rule(Match(Field.DESTINATION_PORT, SetReference("ports")))
    table = Table((), (named,), (TableChain("input", (referring,), hook="input"),))
    assert find_altered(ruleset_of(table), _input(_rule(Match(Field.DESTINATION_PORT, ports)))) == ()


def test_a_rule_that_was_not_understood_may_be_about_all_that_it_does_not_exclude() -> None:
    ruleset = _input(*_BASE)
    unread = LiveRule(TableRule((_TCP, _port(25)), ()), "the expression 'meta mark'")
    chain = ruleset.chains["input"]
    live = ruleset._replace(chains={"input": chain._replace(rules=(unread, *chain.rules))})
    assert _words(find_altered(live, ruleset)) == ["tcp port 25"]


@pytest.mark.parametrize("change", ["policy", "hook"])
def test_another_base_chain_alters_everything(change: str) -> None:
    ruleset = _input(*_BASE)
    chain = ruleset.chains["input"]
    other = chain._replace(policy="drop") if change == "policy" else chain._replace(name="other")
    live = ruleset._replace(chains={**ruleset.chains, other.name: other})
    assert _words(find_altered(live, ruleset)) == ["everything"]
