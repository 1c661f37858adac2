# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cells: every packet of an item is in one cell that holds the item, and cells are of what lies in them alone."""

from __future__ import annotations

import random
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.cells import CELL_ITEMS, Cell, cut
from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.items import (
    FAMILY_SPACE,
    IPV6_OFFSET,
    SOURCE,
    Intervals,
    Item,
    item_family,
)
from ansible_collections.palisade.nftables.plugins.module_utils._core.intervals import Interval, IntervalSet
from tests.unit.plugins.module_utils._compile._auto.plans import box, items_of

_LAST = {4: 2**32 - 1, 6: 2**128 - 1}


def _sources(rng: random.Random, family: int) -> Interval:
    bits = 32 if family == 4 else 128
    length = rng.choice((0, 0, 1, 4, 8, 12))
    low = rng.choice((0, 1 << bits - 4, (1 << bits) - (1 << 20))) + rng.randrange(1 << 20)
    return low >> length << length, min(_LAST[family], (low >> length << length) + (1 << length) - 1)


def _items(rng: random.Random, count: int) -> t.List[Item]:
    items = []
    for item in items_of(*[box(_sources(rng, 4)) for _item in range(count)]):
        if rng.random() < 0.2:
            six = [(low + IPV6_OFFSET, high + IPV6_OFFSET) for low, high in [_sources(rng, 6)]]
            items.append(item._replace(sets=(tuple(six), *item.sets[1:])))
        elif rng.random() < 0.1:
            several = IntervalSet(_sources(rng, 4) for _interval in range(6)).intervals
            items.append(item._replace(sets=(several, *item.sets[1:])))
        else:
            items.append(item)
    return items


def _lies_in(intervals: t.Optional[Intervals], space: Interval) -> bool:
    return any(low <= space[1] and high >= space[0] for low, high in intervals or ())


def _covers(intervals: t.Optional[Intervals], space: Interval) -> bool:
    return any(low <= space[0] and high >= space[1] for low, high in intervals or ())


@pytest.mark.parametrize(
    ("seed", "count"), [(1, 1), (2, 100), (3, CELL_ITEMS), (4, CELL_ITEMS + 1), (5, 900), (6, 2500)]
)
def test_cells_are_disjoint_prefixes_that_hold_every_item(seed: int, count: int) -> None:
    items = _items(random.Random(seed), count)
    cells = cut(items, SOURCE)
    for before, after in zip(cells, cells[1:]):
        assert before.space[1] < after.space[0]
    for cell in cells:
        low, high = cell.space
        size = high - low + 1
        assert (size & (size - 1), low % size) == (0, 0)
        assert any(FAMILY_SPACE[family][0] <= low <= high <= FAMILY_SPACE[family][1] for family in (4, 6))
        assert list(cell.items) == [item for item in items if _lies_in(item.sets[SOURCE], cell.space)]
    whole = IntervalSet(cell.space for cell in cells)
    assert all(IntervalSet(item.sets[SOURCE] or ()) <= whole for item in items)


@pytest.mark.parametrize("seed", range(3))
def test_a_cell_is_small_unless_nothing_tells_its_items_apart(seed: int) -> None:
    rng = random.Random(seed)
    items = _items(rng, 2000)
    # Four hundred of one address, and four hundred of one prefix with few others within.
    items += items_of(*[box((77, 77))] * 400, *[box((1 << 30, (1 << 30) + 255))] * 400)
    rng.shuffle(items)
    large = 0
    for cell in cut(items, SOURCE):
        covering = sum(1 for item in cell.items if _covers(item.sets[SOURCE], cell.space))
        if len(cell.items) > CELL_ITEMS:
            large += 1
            assert covering > len(cell.items) * 3 / 4
    assert 1 <= large <= 4


def _by_space(cells: t.Sequence[Cell]) -> t.Dict[Interval, t.Tuple[Item, ...]]:
    return {cell.space: cell.items for cell in cells}


def test_a_changed_item_touches_no_cell_but_its_own() -> None:
    rng = random.Random(7)
    items = _items(rng, 2000)
    before = _by_space(cut(items, SOURCE))
    assert len(before) > 20
    for position in rng.sample(range(len(items)), 12):
        changed = items[position]._replace(before="another way")
        after = _by_space(cut([*items[:position], changed, *items[position + 1 :]], SOURCE))
        assert set(after) == set(before)
        for space, held in after.items():
            assert (held == before[space]) == (not _lies_in(changed.sets[SOURCE], space))


def test_a_moved_address_touches_few_cells() -> None:
    rng = random.Random(8)
    items = _items(rng, 2000)
    before = _by_space(cut(items, SOURCE))
    touched = []
    for position in rng.sample(range(len(items)), 12):
        low = rng.randrange(1 << 20)
        moved = items_of(box((low, low)))[0]
        after = _by_space(cut([*items[:position], moved, *items[position + 1 :]], SOURCE))
        touched.append(sum(1 for space, held in after.items() if before.get(space) != held))
    # Where it was and where it is; a cell that is halved or joined for it makes one more of each.
    assert max(touched) <= 8
    assert sum(touched) / len(touched) < 4


def test_the_ends_of_the_address_space_are_cells_of_their_own_numbers() -> None:
    last4, last6 = _LAST[4], _LAST[6]
    items = items_of(
        *[box((0, 0))] * CELL_ITEMS,
        *[box((last4, last4))] * CELL_ITEMS,
        *[box((0, 0), family=6)] * CELL_ITEMS,
        *[box((last6, last6), family=6)] * CELL_ITEMS,
    )
    assert [cell.space for cell in cut(items, SOURCE)] == [
        (0, 0),
        (last4, last4),
        (IPV6_OFFSET, IPV6_OFFSET),
        (IPV6_OFFSET + last6, IPV6_OFFSET + last6),
    ]


def test_items_of_equal_addresses_are_one_cell_however_many() -> None:
    items = items_of(*[box((8, 15))] * 500)
    assert [cell.space for cell in cut(items, SOURCE)] == [(8, 15)]
    assert {item_family(item) for item in items} == {4}
