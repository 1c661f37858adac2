# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cost of a table: counted by hand for small ones, and by walking packets through random ones."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._compile.compile import compile_with_cost
from ansible_collections.palisade.nftables.plugins.module_utils._compile.cost import (
    ChainCost,
    Size,
    Steps,
    measure_cost,
    measure_size,
)
from ansible_collections.palisade.nftables.plugins.module_utils._compile.table import (
    Count,
    Field,
    Lookup,
    MapElement,
    Match,
    NamedMap,
    NamedSet,
    SetType,
    Statement,
    Table,
    TableChain,
    TableRule,
    Verdict,
    VerdictKind,
)
from ansible_collections.palisade.nftables.plugins.module_utils._core.intervals import IntervalSet
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Direction, Layout
from tests.packets.wording import program_of
from tests.properties.generate import PacketGenerator, PolicyGenerator
from tests.properties.table_model import TableModel

_TCP = Match(Field.PROTOCOL, IntervalSet.single(6))
_ACCEPT, _DROP = Verdict(VerdictKind.ACCEPT), Verdict(VerdictKind.DROP)


def _rule(*statements: Statement, all_packets: bool = False) -> TableRule:
    return TableRule(() if all_packets else (_TCP,), statements)


def _jump(chain: str) -> Verdict:
    return Verdict(VerdictKind.JUMP, chain)


def _goto(chain: str) -> Verdict:
    return Verdict(VerdictKind.GOTO, chain)


_LOOKUP = Lookup((Field.DESTINATION_PORT,), "ports")


def _table(*rules: TableRule, verdicts: t.Sequence[Verdict] = (), **chains: t.Sequence[TableRule]) -> Table:
    """A chain ``ingress`` of these rules, a map ``ports`` of these verdicts, and other chains by name."""
    elements = tuple(MapElement(((port, port),), verdict) for port, verdict in enumerate(verdicts))
    return Table(
        counters=(),
        sets=(),
        chains=(TableChain("ingress", rules), *(TableChain(name, tuple(made)) for name, made in chains.items())),
        maps=(NamedMap("ports", _LOOKUP.fields, elements),) if elements else (),
    )


def _cost(table: Table) -> ChainCost:
    return measure_cost(table, "ingress")


def test_rules_one_after_another() -> None:
    table = _table(_rule(_ACCEPT), _rule(Count("a"), _DROP), _rule(_DROP, all_packets=True))
    assert _cost(table) == ChainCost(average=Steps(0, 2), worst=Steps(0, 3))


def test_an_empty_chain_costs_nothing() -> None:
    assert _cost(_table()) == ChainCost(Steps(), Steps())


def test_a_rule_without_a_verdict_decides_nothing() -> None:
    assert _cost(_table(_rule(Count("a")), _rule(_ACCEPT))) == ChainCost(Steps(0, 2), Steps(0, 2))


def test_a_lookup_that_decides() -> None:
    table = _table(
        _rule(_LOOKUP, all_packets=True),
        _rule(_DROP, all_packets=True),
        verdicts=[_ACCEPT, _DROP, _goto("web")],
        web=[_rule(_ACCEPT, all_packets=True)],
    )
    # Two elements in one lookup, one rule behind it for the third, and one for what is not found.
    assert _cost(table) == ChainCost(average=Steps(1, 2 / 4), worst=Steps(1, 1))


def test_elements_that_lead_to_one_chain_are_one_place_that_decides() -> None:
    table = _table(
        _rule(_LOOKUP, all_packets=True),
        verdicts=[_goto("web")] * 5,
        web=[_rule(_ACCEPT), _rule(_ACCEPT, all_packets=True)],
    )
    assert _cost(table) == ChainCost(average=Steps(1, 1.5), worst=Steps(1, 2))


def test_the_worst_packet_is_found_and_comes_back_undecided() -> None:
    table = _table(
        _rule(_LOOKUP, all_packets=True),
        _rule(_DROP, all_packets=True),
        verdicts=[_jump("web")],
        web=[_rule(_ACCEPT), _rule(_ACCEPT)],
    )
    # Decided by the first rule, by the second, or not found and dropped.
    assert _cost(table) == ChainCost(average=Steps(1, 4 / 3), worst=Steps(1, 3))


def test_the_worst_packet_of_a_lookup_is_that_of_its_longest_chain() -> None:
    table = _table(
        _rule(_LOOKUP, all_packets=True),
        _rule(_DROP, all_packets=True),
        verdicts=[_goto("long"), _goto("short")],
        long=[_rule(_ACCEPT)] * 4,
        short=[_rule(_ACCEPT)],
    )
    assert _cost(table).worst == Steps(1, 4)


def test_a_lookup_behind_a_condition_is_a_rule_as_well() -> None:
    table = _table(_rule(_LOOKUP), verdicts=[_ACCEPT])
    assert _cost(table) == ChainCost(average=Steps(1, 1), worst=Steps(1, 1))


def test_a_branch_is_on_the_way_of_its_own_packets_alone() -> None:
    table = _table(_rule(_jump("tcp")), _rule(_DROP, all_packets=True), tcp=[_rule(_ACCEPT)])
    assert _cost(table) == ChainCost(average=Steps(0, 2), worst=Steps(0, 3))


def test_a_visit_is_on_the_way_of_every_packet() -> None:
    table = _table(
        _rule(_jump("before"), all_packets=True),
        _rule(_DROP, all_packets=True),
        before=[_rule(_ACCEPT), _rule(_ACCEPT)],
    )
    assert _cost(table) == ChainCost(average=Steps(0, 4), worst=Steps(0, 4))


def test_a_lookup_weighs_more_than_a_rule() -> None:
    assert Steps(1, 0).length > Steps(0, 2).length
    assert Steps(1, 2) + Steps(2, 3) == Steps(3, 5)
    assert Steps(1, 2).times(2) == Steps(2, 4)


def test_the_size_is_all_that_is_loaded() -> None:
    table = Table(
        counters=("a", "b"),
        sets=(NamedSet("ip_a", SetType.IPV4, IntervalSet(((1, 5), (9, 9)))),),
        chains=(TableChain("ingress", (_rule(_ACCEPT), _rule(_DROP))), TableChain("input", hook="input")),
        maps=(NamedMap("ports", _LOOKUP.fields, (MapElement(((1, 1),), _ACCEPT), MapElement(((2, 9),), _DROP))),),
    )
    assert measure_size(table) == Size(rules=2, chains=2, sets=1, maps=1, elements=4, counters=2)


@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize("seed", range(1, 6))
def test_no_packet_takes_longer_than_the_worst(seed: int, layout: Layout) -> None:
    variables = {**PolicyGenerator(seed).variables(70), "firewall_interfaces": ["eth0"]}
    program = program_of(variables)
    compiled = compile_with_cost(program, layout=layout)
    model = TableModel(compiled.table)
    base = {chain.hook: len(chain.rules) for chain in compiled.table.chains if chain.hook}
    longest = dict.fromkeys(compiled.costs, 0.0)
    for packet in PacketGenerator(program, seed).packets(400):
        if packet.direction not in longest:
            continue
        outcome = model.decide(packet)
        passed = base["input" if packet.direction is Direction.INGRESS else "output"]
        steps = Steps(outcome.lookups, outcome.rules - outcome.lookups - passed)
        longest[packet.direction] = max(longest[packet.direction], steps.length)
    assert longest
    for direction, (cost, ordered_rules) in compiled.costs.items():
        assert 0 < longest[direction] <= cost.worst.length
        assert cost.average.length <= cost.worst.length
        if layout is Layout.ORDERED:
            chain = next(chain for chain in compiled.table.chains if chain.name == direction.value)
            assert cost.worst == Steps(0, len(chain.rules)) == Steps(0, ordered_rules)


def test_only_what_is_restricted_has_a_cost() -> None:
    assert compile_with_cost(program_of({})).costs == {}
    found = compile_with_cost(program_of({"firewall_default_ingress": "drop"}))
    assert list(found.costs) == [Direction.INGRESS]
    assert found.notes == ()
