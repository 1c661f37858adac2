# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Guards: an item that is found before items that precede it decides what it decides in the whole list."""

from __future__ import annotations

import random
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto import guards
from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.guards import (
    Split,
    arranged_items,
    guarded,
    size_of_guards,
    split,
)
from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.items import Item
from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.overlap import (
    Overlaps,
    count_bits,
    positions,
)
from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.plan import Node, Rule, Visit
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Action
from tests.unit.plugins.module_utils._compile._auto.plans import (
    TCP,
    box,
    first_match,
    items_of,
    nodes_of,
    random_items,
    some_packets,
)


def _arrange(items: t.Sequence[Item]) -> Node:
    return Node([Rule(item) for item in items])


def _parts(items: t.Sequence[Item], found: Split, *, chained: bool = False) -> t.Tuple[t.List[Item], t.List[Item]]:
    """The first part, guarded, and the rest."""
    rest = [item for position, item in enumerate(items) if position not in found.first]
    return guarded(items, found, _arrange, chained=chained), rest


def _assert_same(items: t.Sequence[Item], found: Split, rng: random.Random, *, chained: bool, counted: bool) -> None:
    first, rest = _parts(items, found, chained=chained)
    assert len(first) + len(rest) == len(items)
    for packet in some_packets(rng, 250):
        one, other = first_match([*first, *rest], packet), first_match(items, packet)
        if counted:
            assert one is other, packet
        else:
            assert (one and one.action) is (other and other.action), packet


@pytest.mark.parametrize("chained", [False, True])
@pytest.mark.parametrize("places", range(5))
def test_the_first_part_with_its_guards_and_then_the_rest_decide_as_the_list(places: int, *, chained: bool) -> None:
    arrangements = 0
    for seed in range(10):
        rng = random.Random("%d places, %d" % (places, seed))
        counted = seed % 3 != 0
        items = random_items(rng, rng.choice((6, 30, 60)), counted=counted)
        first = [position for position in range(len(items)) if rng.random() < rng.choice((0.2, 0.5, 0.9))]
        found = split(items, Overlaps(items), first, places)
        assert set(found.first) <= set(first)
        assert len(found.places) <= places
        arrangements += len(found.places)
        _assert_same(items, found, rng, chained=chained, counted=counted)
    assert (arrangements > 0) == (places > 0)


@pytest.mark.parametrize("chained", [False, True])
@pytest.mark.parametrize("counted", [False, True])
@pytest.mark.parametrize("inline", [0, 1, 5, 50])
def test_they_do_whatever_is_asked_one_by_one(
    monkeypatch: pytest.MonkeyPatch, inline: int, *, counted: bool, chained: bool
) -> None:
    monkeypatch.setattr(guards, "_MOST_INLINE", inline)
    for seed in range(8):
        rng = random.Random("%d %d" % (inline, seed))
        items = random_items(rng, 40, counted=counted)
        found = split(items, Overlaps(items), range(0, 40, rng.choice((1, 2, 3))), 4)
        _assert_same(items, found, rng, chained=chained, counted=counted)


@pytest.mark.parametrize("seed", range(6))
def test_guards_hold_behind_guards(seed: int) -> None:
    """The first part of a list that was split before."""
    rng = random.Random(seed)
    items = random_items(rng, 40)
    outer = split(items, Overlaps(items), [position for position in range(40) if position % 4], 2)
    first, rest = _parts(items, outer)
    inner = split(first, Overlaps(first), [position for position in range(len(first)) if rng.random() < 0.5], 2)
    inner_first, inner_rest = _parts(first, inner)
    for packet in some_packets(rng, 400):
        assert first_match([*inner_first, *inner_rest, *rest], packet) is first_match(items, packet)


def test_what_comes_later_or_elsewhere_is_no_guard() -> None:
    items = items_of(
        box((0, 9), protocol=TCP), box((20, 29)), box((5, 5)), box((6, 6), (7, 7)), box((0, 9)), box(family=6)
    )
    found = split(items, Overlaps(items), [2, 3], 4)
    assert {position: positions(found.guards[position]) for position in found.first} == {2: [0], 3: [0]}
    assert found.places == ()
    # For each of them a chain more, and the guard in it.
    assert size_of_guards(items, found) == 4
    first, _rest = _parts(items, found)
    for item in first:
        assert isinstance(item.before, Node)
        (guard,) = item.before.steps
        assert isinstance(guard, Rule)
        # What the item has told is not asked again.
        assert guard.item.sets == (None, None, ((TCP, TCP),), None, None)


def test_guards_from_before_are_counted_with_the_new_ones() -> None:
    items = items_of(box(protocol=TCP), box((5, 5)))
    found = split(items, Overlaps(items), [1], 4)
    assert size_of_guards(items, found) == 2
    guarded_before = items[1]._replace(before=Node([Rule(items[0]), Rule(items[0])]))
    assert size_of_guards([items[0], guarded_before], found) == 4


def test_equal_guards_are_one_node() -> None:
    items = items_of(box(protocol=TCP), *[box((5, 5))] * 4)
    first, _rest = _parts(items, split(items, Overlaps(items), [1, 2, 3, 4], 4))
    assert len({id(item.before) for item in first}) == 1


def test_among_equal_verdicts_that_nobody_counts_no_guard_is_needed() -> None:
    boxes = [box(protocol=TCP), box((5, 5)), box((6, 6))]
    for counted, last, expected in (
        (False, Action.ACCEPT, [0, 0]),
        (False, Action.DROP, [0, 1]),
        (True, Action.ACCEPT, [1, 1]),
    ):
        items = items_of(*boxes, actions=(Action.ACCEPT, Action.ACCEPT, last), counted=counted)
        found = split(items, Overlaps(items), [1, 2], 4)
        assert [count_bits(found.guards[position]) for position in (1, 2)] == expected


def test_what_moves_to_the_second_part_brings_back_the_guards_that_were_not_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without the item that moves, nothing that precedes the last one decides otherwise."""
    monkeypatch.setattr(guards, "_MOST_INLINE", 0)
    items = items_of(
        box(protocol=TCP), box((5, 5)), box((4, 5)), actions=(Action.DROP, Action.ACCEPT, Action.DROP), counted=False
    )
    found = split(items, Overlaps(items), [1, 2], 0)
    assert {position: positions(bits) for position, bits in found.guards.items()} == {2: [0, 1]}
    _assert_same(items, found, random.Random(1), chained=False, counted=False)


def _behind_many(wide: int, narrow: int) -> t.List[Item]:
    """So many rules about ports, and then so many about addresses."""
    return items_of(
        *[box(protocol=TCP, destination_port=(port, port)) for port in range(wide)],
        *[box((number, number)) for number in range(narrow)],
    )


def test_many_guards_are_one_arrangement_that_all_items_share() -> None:
    items = _behind_many(64, 64)
    found = split(items, Overlaps(items), range(64, 128), 1)
    assert found.first == tuple(range(64, 128))
    assert found.places == (64,)
    assert arranged_items(found) == 64
    first, _rest = _parts(items, found)
    assert len({id(item.before) for item in first}) == 1
    # For each of them a chain that goes through the arrangement, and then decides.
    assert size_of_guards(items, found) == 128
    (visit,) = t.cast("Node", first[0].before).steps
    assert isinstance(visit, Visit)
    assert len(visit.node.steps) == 64


def test_without_room_for_an_arrangement_items_of_many_guards_move_to_the_second_part() -> None:
    items = _behind_many(13, 20)
    assert split(items, Overlaps(items), range(13, 33), 0).first == ()
    assert split(items[1:], Overlaps(items[1:]), range(12, 32), 0).first == tuple(range(12, 32))


def test_a_chained_arrangement_holds_only_what_those_before_it_do_not() -> None:
    rng = random.Random(3)
    items = []
    for number in range(600):
        if number % 50 < 20:
            items.append(box(protocol=TCP, destination_port=(number, number)))
        else:
            items.append(box((number, number)))
    listed = items_of(*items, actions=(Action.ACCEPT, Action.DROP))
    narrow = [position for position in range(600) if position % 50 >= 20]
    found = split(listed, Overlaps(listed), narrow, 4)
    assert len(found.places) > 1
    sizes = {}
    for chained in (False, True):
        first, _rest = _parts(listed, found, chained=chained)
        arranged = {id(node): node for item in first if isinstance(item.before, Node) for node in nodes_of(item.before)}
        shared = [node for node in arranged.values() if len([one for one in node.steps if isinstance(one, Rule)]) > 13]
        sizes[chained] = sum(isinstance(step, Rule) for node in shared for step in node.steps)
        _assert_same(listed, found, rng, chained=chained, counted=True)
    assert sizes[True] < sizes[False] == arranged_items(found)
