# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Published ports: what of the ingress policy is there twice, and what is shared."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._compile import compile as compile_module
from ansible_collections.palisade.nftables.plugins.module_utils._compile.compile import (
    compile_program,
    compile_with_cost,
)
from ansible_collections.palisade.nftables.plugins.module_utils._compile.published import NoRoomError, add_forward
from ansible_collections.palisade.nftables.plugins.module_utils._compile.reach import reaching_protocols
from ansible_collections.palisade.nftables.plugins.module_utils._compile.table import (
    Count,
    Field,
    Lookup,
    MapElement,
    Match,
    NamedMap,
    Table,
    TableChain,
    TableRule,
    Verdict,
    VerdictKind,
)
from ansible_collections.palisade.nftables.plugins.module_utils._core.intervals import IntervalSet
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Layout, Published
from tests.packets.wording import program_of
from tests.properties.generate import PolicyGenerator
from tests.properties.table_checks import assert_constant, check_table

_DESTINATIONS = {Field.DESTINATION4, Field.DESTINATION6, Field.DESTINATION_PORT}
_ORIGINALS = {Field.ORIGINAL_DESTINATION4, Field.ORIGINAL_DESTINATION6, Field.ORIGINAL_DESTINATION_PORT}


def _table(*rules: t.Mapping[str, object], layout: Layout = Layout.AUTO, **variables: object) -> Table:
    ingress = [{"direction": "ingress", "action": "accept", **rule} for rule in rules]
    written = {
        "firewall_policies": {"a": {"rules": ingress}},
        "firewall_assigned": ["a"],
        "firewall_default_policies": [],
        "firewall_default_ingress": "drop",
        **variables,
    }
    return compile_program(program_of(written), layout=layout)


def _chain(table: Table, name: str) -> TableChain:
    (found,) = (chain for chain in table.chains if chain.name == name)
    return found


def _fields(chain: TableChain) -> t.Set[Field]:
    found = {match.field for rule in chain.rules for match in rule.matches}
    for rule in chain.rules:
        for statement in rule.statements:
            if isinstance(statement, Lookup):
                found.update(statement.fields)
    return found


def _reached(table: Table, entry: str) -> t.Set[str]:
    return set(reaching_protocols(table, entry))


@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize("seed", range(1, 9))
def test_a_published_port_is_looked_at_as_it_was_written_and_never_as_it_was_translated(
    seed: int, layout: Layout
) -> None:
    variables = {**PolicyGenerator(seed).variables(60), "firewall_default_ingress": "drop"}
    table = compile_program(program_of(variables), layout=layout)
    check_table(table)
    chains = {chain.name: chain for chain in table.chains}
    for name in _reached(table, "published"):
        assert not _fields(chains[name]) & _DESTINATIONS, name
    for name in _reached(table, "ingress"):
        assert not _fields(chains[name]) & _ORIGINALS, name


def test_chains_that_do_not_look_at_the_destination_are_shared_and_so_are_maps_that_lead_there() -> None:
    rules = [
        {"protocol": "tcp", "destination_ports": 1000 + number, "sources": ["198.51.100.%d" % number]}
        for number in range(40)
    ]
    table = _table(*rules)
    assert [chain.name for chain in table.chains if chain.name.startswith("published")] == ["published"]
    assert not [named.name for named in table.maps if named.name.startswith("published")]
    assert len(_reached(table, "published") & _reached(table, "ingress")) > 40


def test_chains_that_look_at_the_destination_are_there_twice_under_names_of_their_contents() -> None:
    rules = [
        {"protocol": "tcp", "destination_ports": 22 + number % 3, "destinations": ["192.0.2.%d" % number]}
        for number in range(60)
    ]
    before, after = _table(*rules), _table({**rules[0], "description": "Other"}, *rules[1:])
    assert [chain.name for chain in before.chains if chain.name.startswith("published_")]
    assert_constant([before, after])
    for one in (before, after):
        check_table(one)


def test_every_rule_counts_published_ports_under_the_name_that_it_has() -> None:
    table = _table(
        {"protocol": "tcp", "destination_ports": 80},
        {"protocol": "udp", "sources": ["198.51.100.0/24"], "destination_ports": "5000-5010"},
    )
    for entry in ("ingress", "published"):
        counted = {
            statement.counter
            for name in _reached(table, entry)
            for rule in _chain(table, name).rules
            for statement in rule.statements
            if isinstance(statement, Count)
        }
        assert counted == {"policy/a/0", "policy/a/1", "ingress/default", "ingress/invalid"}


def test_forward_leaves_alone_what_input_leaves_alone_and_what_is_not_translated() -> None:
    table = _table()
    forward, incoming = _chain(table, "forward"), _chain(table, "input")
    assert (forward.hook, len(forward.rules)) == ("forward", len(incoming.rules))
    translated = (Match(Field.FLOW_DIRECTION, ("original",)), Match(Field.STATUS, ("dnat",)))
    for rule, there in zip(forward.rules, incoming.rules):
        if there.statements == (Verdict(VerdictKind.GOTO, "ingress"),):
            assert rule.matches == (*there.matches, *translated)
            assert rule.statements == (Verdict(VerdictKind.GOTO, "published"),)
        else:
            assert rule == there
            assert rule.statements == (Verdict(VerdictKind.ACCEPT),)


@pytest.mark.parametrize("variables", [{"firewall_published": "leave"}, {"firewall_default_ingress": "accept"}])
def test_forward_is_there_and_empty_where_nothing_is_filtered(variables: t.Mapping[str, object]) -> None:
    table = _table(**variables)
    assert _chain(table, "forward").rules == ()
    assert not [chain.name for chain in table.chains if chain.name.startswith("published")]


def test_several_ports_of_several_protocols_are_asked_for_behind_one_protocol_at_a_time() -> None:
    table = _table({"protocol": ["tcp", "udp", "sctp"], "destination_ports": [53, 853]}, layout=Layout.ORDERED)
    rules = [rule for rule in _chain(table, "published").rules if rule.comment == "a[0]"]
    assert [rule.matches[0] for rule in rules] == [
        Match(Field.PROTOCOL, IntervalSet.single(number)) for number in (6, 17, 132)
    ]
    assert len({rule.matches[1] for rule in rules}) == 1


def test_only_protocols_that_come_there_are_asked_for() -> None:
    rules = [
        {"protocol": "tcp", "sources": ["198.51.%d.%d" % (100 + number % 2, number)], "destination_ports": number + 1}
        for number in range(60)
    ]
    table = _table(*rules)
    protocols = {
        match.value
        for name in _reached(table, "published")
        for rule in _chain(table, name).rules
        for match in rule.matches
        if match.field is Field.PROTOCOL and Field.ORIGINAL_DESTINATION_PORT in _fields(TableChain("", (rule,)))
    }
    assert protocols == {IntervalSet.single(6)}


def test_the_original_port_is_the_last_part_of_a_key_that_holds_the_source_port() -> None:
    fields = (Field.DESTINATION_PORT, Field.SOURCE_PORT)
    accept = Verdict(VerdictKind.ACCEPT)
    ports = NamedMap("ingress_ports_0", fields, (MapElement(((80, 80), (1024, 65535)), accept, "a[0]"),))
    tcp = Match(Field.PROTOCOL, IntervalSet.single(6))
    table = Table(
        counters=(),
        sets=(),
        chains=(
            TableChain("ingress", (TableRule((tcp,), (Lookup(fields, ports.name),)),)),
            TableChain("input", (TableRule((), (Verdict(VerdictKind.GOTO, "ingress"),)),), hook="input"),
            TableChain("output", hook="output"),
        ),
        maps=(ports,),
    )
    made = add_forward(table, Published.FILTER)
    # Two rules and an element; now twice.
    assert add_forward(table, Published.FILTER, most=5) == made
    with pytest.raises(NoRoomError):
        add_forward(table, Published.FILTER, most=4)
    with pytest.raises(NoRoomError):
        add_forward(table, Published.LEAVE, most=2)
    (copy,) = (named for named in made.maps if named != ports)
    assert copy.fields == (Field.SOURCE_PORT, Field.DESTINATION_PORT)
    assert copy.elements == (MapElement(((1024, 65535), (80, 80)), accept, "a[0]"),)
    (rule,) = _chain(made, "published").rules
    assert rule.statements == (Lookup((Field.SOURCE_PORT, Field.ORIGINAL_DESTINATION_PORT), copy.name),)
    assert _chain(made, "ingress") == _chain(table, "ingress")


def _verdicts_of(rule: TableRule) -> t.List[Verdict]:
    return [statement for statement in rule.statements if isinstance(statement, Verdict)]


def test_a_table_that_would_be_too_large_has_published_ports_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = [
        {"protocol": "tcp", "sources": ["198.18.%d.%d" % divmod(one, 250)], "destination_ports": [1000 + one % 7]}
        for one in range(600)
    ]
    variables = {
        "firewall_policies": {"a": {"rules": [{"direction": "ingress", "action": "accept", **one} for one in rules]}},
        "firewall_assigned": ["a"],
    }
    whole = compile_with_cost(program_of(variables))
    assert whole.notes == ()
    assert len(_chain(whole.table, "published").rules) < 60
    monkeypatch.setattr(compile_module, "_MOST_FOR_BOX", 1)
    monkeypatch.setattr(compile_module, "_NEVER_TOO_LARGE", 0)
    limited = compile_with_cost(program_of(variables))
    assert limited.notes == ("published ports: the limit of rules and elements is reached",)
    check_table(limited.table)
    pages = [jump.chain for rule in _chain(limited.table, "published").rules for jump in _verdicts_of(rule)]
    counted = [
        statement.counter
        for page in pages
        for rule in _chain(limited.table, page).rules
        for statement in rule.statements
        if isinstance(statement, Count)
    ]
    assert [name for name in counted if name.startswith("policy/a/")] == ["policy/a/%d" % one for one in range(600)]
    # The packets for the host itself are decided as before.
    names = {chain.name for chain in whole.table.chains if chain.name.startswith("ingress")}
    assert names <= {chain.name for chain in limited.table.chains}
