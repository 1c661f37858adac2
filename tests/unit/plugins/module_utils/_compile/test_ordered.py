# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ordered layout: which objects there are, and what they are called."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._compile.compile import compile_program
from ansible_collections.palisade.nftables.plugins.module_utils._compile.rules import make_set
from ansible_collections.palisade.nftables.plugins.module_utils._compile.table import (
    MARKER_CHAIN,
    Count,
    SetReference,
    SetType,
    Table,
    Verdict,
    VerdictKind,
)
from ansible_collections.palisade.nftables.plugins.module_utils._core.intervals import IntervalSet
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Layout
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import build_program
from tests.properties.generate import PolicyGenerator


def table_of(variables: t.Mapping[str, object], *, counters: bool = True) -> Table:
    program = build_program(parse_firewall(variables))
    return compile_program(program, layout=Layout.ORDERED, counters=counters)


def random_tables() -> t.List[Table]:
    return [table_of(PolicyGenerator(seed).variables(80)) for seed in range(1, 9)]


@pytest.mark.parametrize(
    ("variables", "chains"),
    [
        ({}, ["managed_by_palisade", "input", "forward", "output"]),
        (
            {"firewall_default_ingress": "drop"},
            ["managed_by_palisade", "ingress", "published", "input", "forward", "output"],
        ),
        (
            {"firewall_default_ingress": "drop", "firewall_published": "leave"},
            ["managed_by_palisade", "ingress", "input", "forward", "output"],
        ),
        ({"firewall_default_egress": "drop"}, ["managed_by_palisade", "egress", "input", "forward", "output"]),
        (
            {"firewall_default_ingress": "drop", "firewall_default_egress": "drop"},
            ["managed_by_palisade", "ingress", "published", "egress", "input", "forward", "output"],
        ),
    ],
)
def test_base_chains_are_always_there_and_regular_ones_where_needed(
    variables: t.Dict[str, object], chains: t.List[str]
) -> None:
    table = table_of(variables)
    assert [chain.name for chain in table.chains] == chains
    assert table.chains[0].name == MARKER_CHAIN
    assert table.chains[0].rules == ()
    assert {chain.name: chain.hook for chain in table.chains if chain.hook} == {
        "input": "input",
        "forward": "forward",
        "output": "output",
    }
    for chain in table.chains[-3:]:
        restricted = {"input": "ingress", "forward": "published", "output": "egress"}[chain.name] in chains
        assert bool(chain.rules) == restricted


def test_what_is_referred_to_is_there_and_everything_there_is_referred_to() -> None:
    for table in random_tables():
        rules = [rule for chain in table.chains for rule in chain.rules]
        values = [match.value for rule in rules for match in rule.matches]
        assert {value.name for value in values if isinstance(value, SetReference)} == {one.name for one in table.sets}
        counted = {part.counter for rule in rules for part in rule.statements if isinstance(part, Count)}
        assert counted <= set(table.counters)
        targets = {part.chain for rule in rules for part in rule.statements if isinstance(part, Verdict) and part.chain}
        assert targets <= {chain.name for chain in table.chains}


def test_no_interval_stands_in_a_rule_beside_others() -> None:
    """An anonymous set of intervals would read as empty for an instant of every change."""
    for table in random_tables():
        for chain in table.chains:
            for rule in chain.rules:
                for match in rule.matches:
                    if (
                        isinstance(match.value, IntervalSet)
                        and len(match.value.intervals) > 1
                        and match.field.value
                        in (
                            "ip saddr",
                            "ip daddr",
                            "ip6 saddr",
                            "ip6 daddr",
                            "th sport",
                            "th dport",
                        )
                    ):
                        assert match.value.size == len(match.value.intervals) <= 16


def test_a_regular_chain_ends_with_the_default_action() -> None:
    for table in random_tables():
        for chain in table.chains:
            if chain.rules and not chain.hook:
                last = chain.rules[-1]
                assert last.matches == ()
                assert isinstance(last.statements[-1], Verdict)
                assert last.statements[-1].kind is not VerdictKind.GOTO


def test_every_rule_but_those_of_interfaces_leads_to_where_it_comes_from() -> None:
    for table in random_tables():
        for chain in table.chains:
            assert all(rule.comment for rule in chain.rules) or chain.hook


def test_the_name_of_a_set_is_that_of_its_content() -> None:
    members = IntervalSet(((1, 5), (9, 9)))
    named = make_set(SetType.IPV4, members, label="my.net", owner="a[0]")
    assert named.name.startswith("ip_my_net_")
    assert named == make_set(SetType.IPV4, IntervalSet(((9, 9), (1, 3), (4, 5))), label="my.net", owner="b[1]")
    others = [
        make_set(SetType.IPV6, members, label="my.net", owner="a[0]"),
        make_set(SetType.IPV4, IntervalSet(((1, 5), (9, 10))), label="my.net", owner="a[0]"),
        make_set(SetType.IPV4, members, label="my-net", owner="a[0]"),
        make_set(SetType.IPV4, members, label="", owner="a[0]"),
        make_set(SetType.IPV4, members, label="", owner="a[1]"),
        make_set(SetType.PORT, members, label="", owner="a[1]"),
    ]
    assert len({one.name for one in [named, *others]}) == 7
    assert (others[3].comment, named.comment) == ("a[0]", "my.net")


def test_a_set_of_single_values_needs_no_intervals() -> None:
    assert not make_set(SetType.PORT, IntervalSet(((1, 1), (3, 3))), label="", owner="a[0]").has_intervals
    assert make_set(SetType.PORT, IntervalSet(((1, 2),)), label="", owner="a[0]").has_intervals


def without_counts(table: Table) -> Table:
    """The table with every count taken out."""
    chains = []
    for chain in table.chains:
        rules = []
        for rule in chain.rules:
            kept = tuple(statement for statement in rule.statements if not isinstance(statement, Count))
            rules.append(replace(rule, statements=kept))
        chains.append(replace(chain, rules=tuple(rules)))
    return replace(table, counters=(), chains=tuple(chains))


@pytest.mark.parametrize("seed", range(1, 5))
def test_without_counters_only_the_counts_are_missing(seed: int) -> None:
    variables = PolicyGenerator(seed).variables(80)
    counted = table_of(variables)
    assert counted.counters
    assert table_of(variables, counters=False) == without_counts(counted)


@pytest.mark.parametrize("action", ["accept", "drop", "reject"])
def test_a_default_action_that_is_not_counted_is_the_verdict_alone(action: str) -> None:
    rules = [{"direction": "ingress", "action": "drop", "protocol": "udp"}]
    table = table_of(
        {
            "firewall_default_ingress": action,
            "firewall_policies": {"a": {"rules": rules}},
            "firewall_assigned": ["a"],
        },
        counters=False,
    )
    (chain,) = (chain for chain in table.chains if chain.name == "ingress")
    verdicts = [rule.statements for rule in chain.rules if rule.comment == "default of ingress"]
    wanted = [VerdictKind.RESET, VerdictKind.REJECT] if action == "reject" else [VerdictKind(action)]
    assert verdicts == [(Verdict(kind),) for kind in wanted]
