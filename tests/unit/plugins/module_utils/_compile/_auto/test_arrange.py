# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arranging: a plan decides as the list does, within its limits, and is simple where the list is short."""

from __future__ import annotations

import random
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto import (
    arrange,
    blocks,
    cells,
    costs,
    cuts,
    groups,
    guards,
)
from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.arrange import (
    MOST_ITEMS,
    Arranger,
    arrange_all,
)
from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.groups import Group, Grouping
from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.items import (
    DESTINATION_PORT,
    PORTED,
    PROTOCOL,
    SOURCE,
    Item,
)
from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.keys import Scope
from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.plan import (
    Branch,
    Dispatch,
    Node,
    Rule,
    Step,
    height,
)
from ansible_collections.palisade.nftables.plugins.module_utils._compile.lowered import Box
from ansible_collections.palisade.nftables.plugins.module_utils._core.intervals import IntervalSet
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Action
from tests.unit.plugins.module_utils._compile._auto.plans import (
    GRE,
    TCP,
    Numbers,
    box,
    first_match,
    items_of,
    nodes_of,
    random_items,
    some_packets,
    walk,
)

_ACTIONS = (Action.ACCEPT, Action.DROP)
_PLENTY = 100_000

#: The kernel loads 15 chains that follow each other; a direction's own chain is the first.
_MOST_BELOW = 14


@pytest.fixture(autouse=True)
def _progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every round of an arrangement leaves fewer items than there were: nothing is arranged for ever."""
    real = Arranger._next

    def one_round(self: Arranger, items: t.List[Item], *args: t.Any) -> t.Tuple[t.List[Step], t.List[Item]]:
        steps, rest = real(self, items, *args)
        assert len(rest) < len(items), "%d items, and as many left" % len(items)
        return steps, rest

    monkeypatch.setattr(Arranger, "_next", one_round)


@pytest.fixture
def small_world(monkeypatch: pytest.MonkeyPatch) -> t.Callable[[random.Random], None]:
    """Sets constants with which everything that the optimiser does shows in short lists."""

    def choose(rng: random.Random) -> None:
        cell = rng.choice((2, 3, 5, 9))
        for module, name, value in (
            (cells, "CELL_ITEMS", cell),
            (cuts, "CELL_ITEMS", cell),
            (cuts, "_LEAST_FOR_CELLS", cell // 2),
            (cuts, "_LEAST", rng.choice((0, 1, 6))),
            (blocks, "_MOST_COPIES", rng.choice((0, 1.7, 20))),
            (arrange, "_LARGEST_MAP", rng.choice((2 * cell, 1000))),
            (arrange, "_SHORT", rng.choice((1, 2, 6))),
            (arrange, "_ATTEMPTS", ((12, rng.choice((0, 1, 4))), *arrange._ATTEMPTS)),
            (arrange, "_DEEPEST_GUARDS", rng.choice((0, 2, 12))),
            (arrange, "_SHARE_FOR_GUARDS", rng.choice((0, 0.15, 1))),
            (arrange, "_FEW_APART", rng.choice((0, 8))),
            (costs, "RULE", rng.choice((28.0, 200.0, 2000.0))),
            (guards, "_MOST_INLINE", rng.choice((0, 1, 5, 50))),
            (guards, "_FEWER_INLINE", rng.choice(((), (2, 1, 0)))),
            (groups, "_MOST_TAKEN", rng.choice((0, 1, 6, 50))),
            (groups, "_MOST_AHEAD", rng.choice((0, 4, 9))),
        ):
            monkeypatch.setattr(module, name, value)

    return choose


def _plan(items: t.Sequence[Item], budget: int = _PLENTY) -> t.Tuple[Node, t.Tuple[str, ...]]:
    return arrange_all(items, budget)


def _dispatches(node: Node) -> t.List[Dispatch]:
    return [step for one in nodes_of(node) for step in one.steps if isinstance(step, Dispatch)]


def _origins(node: Node) -> t.List[str]:
    return [str(step.item.rule.origin) for step in node.steps if isinstance(step, Rule)]


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize("seed", range(20))
def test_a_plan_decides_as_the_list_does(
    small_world: t.Callable[[random.Random], None], seed: int, *, counted: bool
) -> None:
    rng = random.Random("%d %s" % (seed, counted))
    small_world(rng)
    items = random_items(rng, rng.choice((8, 20, 40, 70)), counted=counted)
    node, _notes = _plan(items, rng.choice((0, 40, 200, _PLENTY)))
    for packet in some_packets(rng, 250):
        one, other = walk(node, packet), first_match(items, packet)
        if counted:
            assert one is other, packet
        else:
            assert (one and one.action) is (other and other.action), packet


def test_up_to_six_items_stay_one_rule_after_another() -> None:
    items = items_of(*[box((number, number)) for number in range(6)], actions=_ACTIONS)
    node, notes = _plan(items)
    assert [step.item for step in node.steps if isinstance(step, Rule)] == items
    assert notes == ()


def test_no_item_is_no_step() -> None:
    assert _plan([]) == (Node(), ())


def test_what_follows_an_item_that_everything_matches_is_left_out() -> None:
    items = items_of(box(protocol=GRE), box(), *[box((number, number)) for number in range(40)])
    node, _notes = _plan(items)
    assert _origins(node) == ["a[0]", "a[1]"]
    assert node.decides


def test_many_addresses_and_many_ports_are_one_lookup() -> None:
    for boxes in (
        [box((number, number)) for number in range(100)],
        [box(None, (number, number), family=6) for number in range(100)],
        [box(protocol=TCP, destination_port=(number, number)) for number in range(100)],
    ):
        node, _notes = _plan(items_of(*boxes, actions=_ACTIONS))
        (step,) = node.steps
        assert isinstance(step, Dispatch)
        assert len(step.elements) == 100


def test_a_lookup_of_one_value_each_has_no_intervals() -> None:
    node, _notes = _plan(items_of(*[box(protocol=TCP, destination_port=(port, port)) for port in range(0, 60, 2)]))
    (lookup,) = _dispatches(node)
    assert all(low == high for element in lookup.elements for low, high in element.key)


def test_long_lists_of_addresses_are_cut_into_blocks() -> None:
    items = items_of(
        *[box((16 * number, 16 * number + 15), None, TCP, None, (80, 80)) for number in range(1000)], actions=_ACTIONS
    )
    node, _notes = _plan(items)
    (first,) = node.steps
    assert isinstance(first, Dispatch)
    assert first.prefix is not None
    assert 20 < len(first.elements) <= cuts._MOST_BLOCKS
    assert max(len(lookup.elements) for lookup in _dispatches(node)) <= cuts._MOST_BLOCKS
    for number in range(0, 16000, 7):
        packet = Numbers(number, 1, TCP, 5, 80)
        assert walk(node, packet) is items[number // 16].rule
        assert walk(node, packet._replace(destination_port=81)) is None


def test_packets_without_ports_are_told_apart_where_many_items_are_about_both() -> None:
    boxes = []
    for number in range(60):
        boxes.append(box(protocol=TCP, destination_port=(number, number)))
        boxes.append(box((number % 6, number % 6), (number // 6, number // 6)))
    items = items_of(*boxes, box(protocol=GRE), actions=_ACTIONS)
    node, _notes = _plan(items)
    branch = node.steps[0]
    assert isinstance(branch, Branch)
    assert branch.protocols == PORTED
    for packet in some_packets(random.Random(1), 400):
        assert walk(node, packet) is first_match(items, packet)


def test_behind_a_lookup_of_addresses_packets_may_still_have_no_ports() -> None:
    boxes = []
    for number in range(6):
        for source in range(24):
            with_ports = box((source, source), (number, number), TCP, (1, 9), (source % 5, source % 5))
            # So few without ports that those are not told apart first.
            boxes.append(with_ports if source else box((source, source), (number, number), GRE))
    items = items_of(*boxes, actions=_ACTIONS)
    node, _notes = _plan(items)
    for number in range(6):
        for source in range(24):
            for packet in (
                Numbers(source, number, TCP, 5, source % 5),
                Numbers(source, number, GRE, None, None),
                Numbers(source, number, GRE, 70000, 70000),
            ):
                assert walk(node, packet) is first_match(items, packet), packet


@pytest.mark.parametrize("known", [Scope(), Scope(has_ports=True), Scope(family=6)])
def test_what_a_lookup_tells_is_what_it_asks_for(monkeypatch: pytest.MonkeyPatch, known: Scope) -> None:
    told: t.List[Scope] = []

    def arranged(_self: Arranger, _items: t.Sequence[Item], scope: Scope, _depth: int) -> Node:
        told.append(scope)
        return Node()

    monkeypatch.setattr(Arranger, "arrange", arranged)
    arranger = Arranger(_PLENTY, 12, 4)
    for dimension, family, ported in ((SOURCE, 4, False), (PROTOCOL, None, False), (DESTINATION_PORT, None, True)):
        groups_of = (Group((((0, 0),),), ()), Group((((1, 1),),), ()))
        arranger._group(Grouping((), (dimension,), None, family, groups_of, ()), known, 0)
        assert told.pop() == told.pop() == Scope(family or known.family, known.has_ports or ported)


def _between(count: int) -> t.List[Item]:
    """Blocks of ten items about ports and then some about addresses: more stand in between than a guard may hold."""
    boxes: t.List[Box] = []
    for number in range(count):
        if number % 32 < 10:
            boxes.append(box(protocol=TCP, destination_port=(number % 4, number % 4)))
        else:
            boxes.append(box((number, number)))
    return items_of(*boxes, actions=_ACTIONS)


def test_a_list_of_which_no_part_can_be_looked_up_first_is_arranged_all_the_same() -> None:
    items = _between(1200)
    node, _notes = _plan(items, 5 * 1200 + 64)
    for number in range(0, 1200, 11):
        for protocol in (TCP, GRE):
            packet = Numbers(number, 0, protocol, 0, number % 5)
            assert walk(node, packet) is first_match(items, packet)


def test_a_list_that_is_too_long_stays_a_list_and_says_so() -> None:
    items = items_of(*[box((number, number)) for number in range(2)], actions=_ACTIONS) * (MOST_ITEMS // 2 + 1)
    node, notes = _plan(items)
    assert len(node.steps) == len(items) == MOST_ITEMS + 2
    assert notes == ("24002 boxes are more than are compared with each other",)


@pytest.mark.parametrize("budget", [0, 100, 199])
def test_without_budget_a_list_stays_a_list_and_says_so(budget: int) -> None:
    items = items_of(*[box((number, number)) for number in range(100)], actions=_ACTIONS)
    node, notes = _plan(items, budget)
    assert _origins(node) == [str(item.rule.origin) for item in items]
    assert len(notes) == 1
    assert _plan(items, 200)[1] == ()


def _nested(count: int) -> t.List[Item]:
    """Sources within sources, to destinations within destinations the other way round."""
    rng = random.Random(count)
    boxes = [box((number, 2 * count), (0, 2 * count - number)) for number in range(count)]
    rng.shuffle(boxes)
    return items_of(*boxes, actions=_ACTIONS)


_DEEP: t.Mapping[str, t.Callable[[random.Random], t.List[Item]]] = {
    "nested": lambda _rng: _nested(60),
    "between": lambda _rng: _between(200),
    "random": lambda rng: random_items(rng, 150),
}


@pytest.mark.parametrize("shape", _DEEP)
def test_no_plan_is_deeper_than_the_kernel_takes(
    small_world: t.Callable[[random.Random], None], monkeypatch: pytest.MonkeyPatch, shape: str
) -> None:
    for seed in range(3):
        rng = random.Random("%s %d" % (shape, seed))
        small_world(rng)
        monkeypatch.setattr(costs, "RULE", 2000.0)
        monkeypatch.setattr(arrange, "_SHORT", 1)
        node, _notes = _plan(_DEEP[shape](rng))
        assert height(node) <= _MOST_BELOW


def test_where_every_attempt_is_too_deep_the_list_stays_a_list_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    items = items_of(*[box((number, number)) for number in range(100)], actions=_ACTIONS)
    for name in ("_HIGHEST", "_MOST_WAYS"):
        with monkeypatch.context() as patch:
            patch.setattr(arrange, name, 0)
            node, notes = _plan(items)
            assert _origins(node) == [str(item.rule.origin) for item in items]
            assert len(notes) == 1


def test_protocols_are_told_apart_by_one_lookup() -> None:
    items = items_of(*[Box(protocols=IntervalSet.single(number)) for number in range(60, 125)], actions=_ACTIONS)
    node, _notes = _plan(items)
    (step,) = node.steps
    assert isinstance(step, Dispatch)
    assert step.purpose == "protocols"
    assert len(step.elements) == 65
