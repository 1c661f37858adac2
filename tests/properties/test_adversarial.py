# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies that are hard to compile, through evaluator, model of the table and kernel: no packet differs, no count."""

from __future__ import annotations

import random
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto import costs
from ansible_collections.palisade.nftables.plugins.module_utils._compile.compile import compile_program
from ansible_collections.palisade.nftables.plugins.module_utils._compile.table import Table
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Layout
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import Program
from lab.reexec import ensure_privileges, in_user_namespace, why_unavailable
from lab.verdicts import VerdictLab
from tests.packets.wording import program_of

from .adversarial import SHAPES, Rule, dense, variables
from .agreement import INTERFACES
from .compiled import compare_kernel, compare_model
from .generate import PacketGenerator
from .table_checks import assert_constant, check_table
from .table_model import TableModel
from .truth import Truth

if t.TYPE_CHECKING:
    import collections.abc

#: Without root the kernel takes no transaction that is larger than a socket's buffer.
_RULES = 60 if in_user_namespace() else 250
_MANY: t.Mapping[str, int] = {} if in_user_namespace() else {"equal_keys": 3000, "scattered_ports": 1500}

_PROFILES = ("host", "netcup", "contabo")

#: Small policies are compiled by the hundred: all of what a layout does shows in a dozen rules that meet.
_SMALL_POLICIES = 120
_SMALL_POLICIES_IN_THE_KERNEL = 12

_LAYOUTS = [
    pytest.param(Layout.AUTO, True, id="auto"),
    pytest.param(Layout.AUTO, False, id="auto-without-counters"),
    pytest.param(Layout.ORDERED, True, id="ordered"),
]


@pytest.fixture(scope="module")
def lab() -> collections.abc.Iterator[VerdictLab]:
    reason = why_unavailable()
    if reason is not None:
        pytest.skip(reason)
    ensure_privileges()
    with VerdictLab(interfaces=list(INTERFACES)) as made:
        yield made


def _compile(program: Program, layout: Layout = Layout.AUTO, *, counters: bool = True) -> Table:
    """The table, with what holds by construction checked; it is not many times what the ordered one is."""
    table = compile_program(program, layout=layout, counters=counters)
    size = check_table(table)
    ordered = check_table(compile_program(program, layout=Layout.ORDERED, counters=counters))
    assert size.total <= 6 * ordered.total + 100, (size, ordered)
    return table


def _assert_agreement(
    program: Program,
    seed: int,
    *,
    layout: Layout = Layout.AUTO,
    counters: bool = True,
    packets: int,
    lab: t.Optional[VerdictLab] = None,
    kernel_packets: int = 0,
) -> Table:
    table = _compile(program, layout, counters=counters)
    truth = Truth(program)
    made = PacketGenerator(program, seed).packets(packets)
    assert compare_model(truth, TableModel(table), made, seed, counters=counters).differences == []
    if lab is not None:
        assert compare_kernel(lab, table, truth, made[:kernel_packets], counters=counters).differences == []
    return table


@pytest.mark.parametrize(("layout", "counters"), _LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_overlap(lab: VerdictLab, shape: str, layout: Layout, *, counters: bool) -> None:
    rng = random.Random("%s of every layout" % shape)
    rules = SHAPES[shape](rng, _MANY.get(shape, _RULES))
    program = program_of(variables(rules, rng))
    _assert_agreement(program, 1, layout=layout, counters=counters, packets=1500, lab=lab, kernel_packets=750)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_in_many_sizes(shape: str) -> None:
    for size in (1, 2, 3, 5, 8, 13, 21, 34, 55, 89):
        rng = random.Random("%s of %d" % (shape, size))
        _assert_agreement(program_of(variables(SHAPES[shape](rng, size), rng)), size, packets=150)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_with_a_thousand_rules(shape: str) -> None:
    rng = random.Random("%s of a thousand" % shape)
    _assert_agreement(program_of(variables(SHAPES[shape](rng, 1000), rng)), 1, packets=500)


@pytest.mark.parametrize("block", range(4))
def test_whatever_a_lookup_costs(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    """The costs decide what is looked up, and never what becomes of a packet. With rules that cost a hundred times
    as much, even a dozen of them are looked up.
    """
    constants = {name: value for name, value in vars(costs).items() if name.isupper() and isinstance(value, float)}
    for seed in range(block * 25, (block + 1) * 25):
        rng = random.Random("costs %d" % seed)
        for name, value in constants.items():
            monkeypatch.setattr(costs, name, value * 10 ** rng.uniform(-1, 1))
        monkeypatch.setattr(costs, "RULE", constants["RULE"] * rng.choice((1, 100, 1000)))
        shape = SHAPES[rng.choice(sorted(SHAPES))] if rng.random() < 0.5 else dense
        program = program_of(variables(shape(rng, rng.choice((10, 30, 60, 100))), rng))
        _assert_agreement(program, seed, packets=200)


@pytest.mark.parametrize("block", range(6))
@pytest.mark.parametrize("profile", _PROFILES)
def test_small_dense_policies(profile: str, block: int) -> None:
    for seed in range(block * _SMALL_POLICIES // 6, (block + 1) * _SMALL_POLICIES // 6):
        rng = random.Random("%s %d" % (profile, seed))
        rules = dense(rng, rng.choice((1, 2, 3, 5, 9, 14, 30, 60)), profile)
        program = program_of(variables(rules, rng, profile))
        _assert_agreement(program, seed, counters=seed % 4 != 0, packets=120)


@pytest.mark.parametrize("profile", _PROFILES)
def test_small_dense_policies_in_the_kernel(lab: VerdictLab, profile: str) -> None:
    for seed in range(_SMALL_POLICIES_IN_THE_KERNEL):
        rng = random.Random("%s %d in the kernel" % (profile, seed))
        rules = dense(rng, rng.choice((3, 9, 30, 100)), profile)
        program = program_of(variables(rules, rng, profile))
        _assert_agreement(program, seed, counters=seed % 4 != 0, packets=300, lab=lab, kernel_packets=300)


_COVERING: t.Mapping[str, Rule] = {
    "everything": {"direction": "ingress", "action": "drop"},
    "IPv4": {"direction": "ingress", "action": "drop", "sources": ["0.0.0.0/0"]},
    "TCP": {"direction": "ingress", "action": "reject", "protocol": "tcp"},
    "all addresses but one": {
        "direction": "ingress",
        "action": "accept",
        "destinations": ["0.0.0.0-198.18.0.4", "198.18.0.6-255.255.255.255"],
    },
}


@pytest.mark.parametrize("covers", _COVERING)
def test_one_rule_that_covers_all_at_every_position(covers: str) -> None:
    rng = random.Random(covers)
    rules = [*SHAPES["grid"](rng, 12), *SHAPES["protocols"](rng, 12), *dense(rng, 12)]
    rng.shuffle(rules)
    tables = []
    for position in range(len(rules) + 1):
        program = program_of(variables([*rules[:position], _COVERING[covers], *rules[position:]], random.Random(1)))
        tables.append(_assert_agreement(program, position, packets=150))
    assert_constant(tables)


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_named_alike_is_alike(shape: str) -> None:
    """A name of something constant never stands for other contents, whatever changed in the policy."""
    rng = random.Random("names of %s" % shape)
    rules = SHAPES[shape](rng, 40)
    tables = []
    for _change in range(12):
        tables.append(_compile(program_of(variables(rules, random.Random(1)))))
        changed, other = rng.randrange(len(rules)), rng.randrange(len(rules))
        action = "drop" if rules[changed]["action"] == "accept" else "accept"
        rules[changed] = {**rules[changed], "action": action, "description": "changed"}
        rules[other], rules[changed] = rules[changed], rules[other]
        if len(rules) > 3 and rng.random() < 0.5:
            del rules[rng.randrange(len(rules))]
    assert_constant(tables)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_policy_gives_the_same_table(shape: str) -> None:
    first, second = (
        compile_program(program_of(variables(SHAPES[shape](rng, 60), rng)))
        for rng in (random.Random(shape), random.Random(shape))
    )
    assert first == second
