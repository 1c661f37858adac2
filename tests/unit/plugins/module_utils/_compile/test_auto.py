# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layout ``auto`` as a whole: it decides and counts as the rules say, within limits, and the same every time."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pathlib
import random
import re
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._compile import auto
from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto import arrange, cells, costs, cuts
from ansible_collections.palisade.nftables.plugins.module_utils._compile.compile import (
    compile_program,
    compile_with_cost,
)
from ansible_collections.palisade.nftables.plugins.module_utils._compile.lower import lower
from ansible_collections.palisade.nftables.plugins.module_utils._compile.table import (
    Count,
    Table,
    TableChain,
    TableRule,
    Verdict,
    VerdictKind,
)
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Layout, Published
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import Program
from tests.cases import case_names, load_case, run_case
from tests.packets.wording import program_of
from tests.properties.adversarial import SHAPES, dense, variables
from tests.properties.compiled import compare_model
from tests.properties.generate import PacketGenerator, PolicyGenerator
from tests.properties.table_checks import assert_constant, check_table
from tests.properties.table_model import TableModel
from tests.properties.truth import Truth

_CHECKOUT = pathlib.Path(__file__).resolve().parents[5]


def _assert_agreement(program: Program, seed: int, *, packets: int, counters: bool = True) -> Table:
    table = compile_program(program, counters=counters)
    check_table(table)
    made = PacketGenerator(program, seed).packets(packets)
    assert compare_model(Truth(program), TableModel(table), made, seed, counters=counters).differences == []
    return table


def _chain(table: Table, name: str) -> TableChain:
    return next(chain for chain in table.chains if chain.name == name)


def _rules(table: Table) -> t.Iterator[TableRule]:
    for chain in table.chains:
        yield from chain.rules


def _assigned(*rules: t.Dict[str, t.Any], name: str = "a", **settings: t.Any) -> Program:
    return program_of({"firewall_policies": {name: {"rules": list(rules)}}, "firewall_assigned": [name], **settings})


def _accept(**conditions: t.Any) -> t.Dict[str, t.Any]:
    return {"direction": "ingress", "action": "accept", **conditions}


@pytest.mark.parametrize("counters", [True, False])
@pytest.mark.parametrize("seed", range(1, 6))
def test_random_policies_are_decided_and_counted_as_their_rules_say(seed: int, *, counters: bool) -> None:
    program = program_of(PolicyGenerator(seed).variables(120))
    _assert_agreement(program, seed, packets=300, counters=counters)


def test_the_packets_of_every_case_are() -> None:
    compared = 0
    for number, name in enumerate(case_names()):
        program = run_case(load_case(name)).program
        if program is not None and not name.startswith("09-interfaces"):
            _assert_agreement(program, number, packets=15)
            compared += 1
    assert compared > 100


@pytest.fixture
def small_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Constants with which short lists are cut and cut again."""
    for module, name, value in (
        (cells, "CELL_ITEMS", 3),
        (cuts, "CELL_ITEMS", 3),
        (cuts, "_LEAST_FOR_CELLS", 1),
        (cuts, "_LEAST", 1),
        (arrange, "_SHORT", 1),
        (arrange, "_SMALL", 0),
        (costs, "RULE", 2000.0),
    ):
        monkeypatch.setattr(module, name, value)


@pytest.mark.parametrize("shape", ["nested", "crosses", "staircase", "mixed_families", "protocols", "long_lists"])
def test_lists_within_lists_are_and_are_never_deeper_than_the_kernel_takes(small_cells: None, shape: str) -> None:
    for size in (12, 60):
        rng = random.Random("%s %d" % (shape, size))
        _assert_agreement(program_of(variables(SHAPES[shape](rng, size), rng)), size, packets=150)


_EDGES: t.Mapping[str, t.Sequence[t.Dict[str, t.Any]]] = {
    "ends of the address space": [
        _accept(sources=["255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]),
        _accept(destinations=["0.0.0.0", "::"], protocol="tcp", destination_ports=[0, 65535]),
        {"direction": "ingress", "action": "drop", "sources": ["0.0.0.0/0"], "destinations": ["128.0.0.0/1"]},
        {"direction": "ingress", "action": "reject", "sources": ["::/0"], "protocol": "tcp"},
        _accept(sources=["0.0.0.0/0", "::/0"], protocol="udp", source_ports="0-65535"),
    ],
    "protocols with and without ports": [
        _accept(protocol=["tcp", "icmp"]),
        {"direction": "ingress", "action": "reject", "protocol": ["tcp", "udp", "gre", "icmpv6"]},
        _accept(protocol=["sctp", "dccp", "udplite"], destination_ports=[22, "80-90"]),
        _accept(protocol=0),
        _accept(protocol=255),
    ],
    "services of several entries": [_accept(service=["dns", "http", "ping"]), _accept(service="ssh")],
    "equal rules": [_accept(protocol="tcp", destination_ports=22)] * 9,
    "unreachable rules": [_accept(protocol="tcp"), _accept(protocol="tcp", destination_ports=22), _accept(), _accept()],
    "empty networks": [_accept(sources=["nobody"]), _accept(protocol="tcp", destinations=["nobody"])],
}


@pytest.mark.parametrize("edge", _EDGES)
def test_edges_are_at_any_place_of_a_policy(edge: str) -> None:
    rng = random.Random(edge)
    services = [_accept(protocol=rng.choice(("tcp", "udp")), destination_ports=port) for port in range(1, 60)]
    for place in (0, 30, 59):
        rules = [*services[:place], *_EDGES[edge], *services[place:]]
        for counters in (True, False):
            program = _assigned(*rules, firewall_networks={"nobody": []}, firewall_log_dropped=True)
            _assert_agreement(program, place, packets=150, counters=counters)


@pytest.mark.parametrize("action", ["accept", "drop", "reject"])
def test_every_action_is_at_every_place_of_a_small_policy(action: str) -> None:
    rules = [_accept(protocol="tcp", destination_ports=port) for port in (22, 80, 443, 25, 110, 143, 993, 995)]
    wide = {"direction": "ingress", "action": action, "sources": ["198.18.0.0/16", "2001:db8::/33"]}
    assert_constant(
        _assert_agreement(_assigned(*rules[:place], wide, *rules[place:]), place, packets=120)
        for place in range(len(rules) + 1)
    )


@pytest.mark.parametrize("profile", ["host", "netcup", "contabo"])
def test_dense_policies_of_every_profile_are(profile: str) -> None:
    for seed in range(6):
        rng = random.Random("%s %d" % (profile, seed))
        program = program_of(variables(dense(rng, 50, profile), rng, profile))
        _assert_agreement(program, seed, packets=120, counters=seed % 2 == 0)


def test_a_short_policy_is_what_ordered_gives_but_for_the_first_rules() -> None:
    program = _assigned(
        _accept(service="ssh", sources=["198.51.100.0/24", "2001:db8:1::/48"], description="Administration"),
        _accept(service=["http", "https"]),
        {"direction": "ingress", "action": "reject", "protocol": "udp"},
        firewall_default_policies=[],
    )
    short, ordered = (
        [rule for rule in _chain(compile_program(program, layout=layout), "ingress").rules if _of_policies(rule)]
        for layout in (Layout.AUTO, Layout.ORDERED)
    )
    assert short == ordered
    assert len(short) == 6
    assert compile_program(program).maps == ()


def _of_policies(rule: TableRule) -> bool:
    return rule.comment.startswith(("a[", "default of"))


@pytest.mark.parametrize("seed", range(1, 4))
def test_counters_are_those_of_the_ordered_layout_and_none_without(seed: int) -> None:
    program = program_of(PolicyGenerator(seed).variables(60))
    table, ordered = (compile_program(program, layout=layout) for layout in (Layout.AUTO, Layout.ORDERED))
    assert table.counters == ordered.counters
    counted = {part.counter for rule in _rules(table) for part in rule.statements if isinstance(part, Count)}
    assert counted <= set(table.counters)
    without = compile_program(program, counters=False)
    assert without.counters == ()
    assert not any(isinstance(part, Count) for rule in _rules(without) for part in rule.statements)


@pytest.mark.parametrize("name", ["0", "W" * 63, "0.a-b_c", "a.b.c", "9-9"])
def test_names_are_words_of_nft_whatever_a_policy_is_called(name: str) -> None:
    rules = [_accept(protocol="tcp", destination_ports=port, description='"%s" {;}' % port) for port in range(30)]
    rules += [_accept(protocol="tcp", destination_ports=22, sources=["198.51.100.%d" % number]) for number in range(30)]
    table = compile_program(_assigned(*rules, name=name))
    check_table(table)
    assert table.maps
    for one in [*(chain.name for chain in table.chains), *(named.name for named in table.maps)]:
        assert re.fullmatch(r"[a-z][A-Za-z0-9_]{0,126}", one)


def test_what_is_constant_says_so_by_a_digest() -> None:
    table = compile_program(program_of(PolicyGenerator(3).variables(200)))
    for chain in table.chains:
        assert chain.constant == bool(re.fullmatch(r".*_[0-9a-f]{12}", chain.name)), chain.name
    assert all(re.fullmatch(r"(ingress|egress|published)_[a-z]+_[0-9a-f]{12}", named.name) for named in table.maps)


def _addresses(count: int) -> t.List[t.Dict[str, t.Any]]:
    return [
        {
            "direction": "ingress",
            "action": ("accept", "drop")[number % 2],
            "sources": ["198.%d.%d.%d" % (18 + number % 2, number // 200, number % 200)],
            "protocol": "tcp",
            "destination_ports": [22 + number % 3],
        }
        for number in range(count)
    ]


def test_a_changed_rule_takes_few_new_names() -> None:
    rules = _addresses(600)
    before = compile_program(_assigned(*rules))
    names = {chain.name for chain in before.chains} | {named.name for named in before.maps}
    assert len(names) > 60
    for place in (0, 311, 599):
        changed = [*rules[:place], {**rules[place], "description": "changed"}, *rules[place + 1 :]]
        after = compile_program(_assigned(*changed))
        assert_constant([before, after])
        new = ({chain.name for chain in after.chains} | {named.name for named in after.maps}) - names
        # Its own chain, and the maps and chains on the way to it.
        assert 1 <= len(new) <= 6


def test_what_could_not_be_arranged_is_said_and_stays_as_written(monkeypatch: pytest.MonkeyPatch) -> None:
    program = _assigned(*_addresses(100), firewall_default_policies=[])
    assert compile_with_cost(program).notes == ()
    monkeypatch.setattr(auto, "_BUDGET_WITH_PUBLISHED", 1)
    monkeypatch.setattr(auto, "_BUDGET_BASE", 0)
    compiled = compile_with_cost(program)
    (note,) = compiled.notes
    assert note.startswith("ingress: ")
    assert compiled.table.maps == ()
    written = [rule.comment for rule in _chain(compiled.table, "ingress").rules if _of_policies(rule)]
    assert written == [*("a[%d]" % number for number in range(100)), "default of ingress"]
    assert compile_with_cost(program, layout=Layout.ORDERED).notes == ()


@pytest.mark.parametrize("shape", ["nested", "crosses", "staircase", "staggered", "mixed_families", "grid"])
def test_a_table_is_not_many_times_its_policy(shape: str) -> None:
    for size in (60, 250):
        rng = random.Random("%s %d" % (shape, size))
        program = program_of(variables(SHAPES[shape](rng, size), rng))
        boxes = sum(len(rule.boxes) for chain in lower(program).chains for rule in chain.rules)
        alone = dataclasses.replace(program, published=Published.LEAVE)
        assert check_table(compile_program(alone)).total <= 6 * boxes + 100
        # At worst all of it is there again for published ports.
        assert check_table(compile_program(program)).total <= 2 * (6 * boxes + 100)


def test_a_direction_that_nothing_restricts_has_no_chain() -> None:
    table = compile_program(_assigned(*_addresses(40)))
    assert [chain.name for chain in table.chains if not chain.constant] == [
        "managed_by_palisade",
        "ingress",
        "published",
        "input",
        "forward",
        "output",
    ]
    assert _chain(table, "output").rules == ()
    last = _chain(table, "ingress").rules[-1]
    assert last == TableRule(
        (), (Count("ingress/default"), Verdict(VerdictKind.DROP)), "default of ingress", "Default action"
    )


def digests() -> t.List[str]:
    """Of some tables, with all that has a name in them."""
    rng = random.Random(5)
    programs = [program_of(PolicyGenerator(1).variables(100)), program_of(variables(SHAPES["crosses"](rng, 250), rng))]
    return [
        hashlib.sha256(repr(compile_program(program, counters=counters)).encode()).hexdigest()
        for program in programs
        for counters in (True, False)
    ]


_IN_ANOTHER_PROCESS = """
import sys
sys.path[:0] = [%r, %r]
from tests.unit.plugins.module_utils._compile.test_auto import digests
print("\\n".join(digests()))
"""


def test_another_process_gives_the_same_table(collections_path: pathlib.Path) -> None:
    """Whatever the order of sets there, which PYTHONHASHSEED changes."""
    expected = digests()
    code = _IN_ANOTHER_PROCESS % (str(collections_path), str(_CHECKOUT))
    environment = {**os.environ, "PYTHONHASHSEED": "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, check=True, text=True)
    assert done.stdout.split() == expected


def test_a_program_is_not_changed_by_being_compiled() -> None:
    program = program_of(PolicyGenerator(2).variables(80))
    again = dataclasses.replace(program)
    assert compile_program(program) == compile_program(program)
    assert program == again
