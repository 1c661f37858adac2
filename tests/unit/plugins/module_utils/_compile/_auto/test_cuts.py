# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cuts: what is narrow, and which way of cutting a list is proposed."""

from __future__ import annotations

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto import blocks
from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.cells import CELL_ITEMS
from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.cuts import find_cuts, narrow_positions
from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.items import DESTINATION, SOURCE
from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.keys import Scope
from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.overlap import Overlaps
from tests.unit.plugins.module_utils._compile._auto.plans import TCP, box, items_of

_LAST = {4: 2**32 - 1, 6: 2**128 - 1}


def test_what_begins_within_few_is_narrow() -> None:
    addresses = [box((10 * number, 10 * number)) for number in range(1000)]
    wide = [
        box((0, 9999)),
        box((0, _LAST[4])),
        box(family=4),
        box(protocol=TCP),
        box(destinations=(3, 3)),
        box(family=6),
    ]
    narrow = [box((0, 600)), box((2, 4)), box((5000, 5000))]
    items = items_of(*wide, *addresses, *narrow)
    assert narrow_positions(items, SOURCE) == list(range(len(wide), len(items)))
    assert narrow_positions(items, DESTINATION) == [4]


def test_a_list_is_as_wide_as_all_of_its_intervals() -> None:
    items = items_of(*[box((10 * number, 10 * number)) for number in range(4000)])
    many = items[0]._replace(sets=(tuple((100 * one, 100 * one + 50) for one in range(400)), *items[0].sets[1:]))
    few = items[0]._replace(sets=(tuple((100 * one, 100 * one + 50) for one in range(10)), *items[0].sets[1:]))
    assert narrow_positions([many, few, *items], SOURCE)[0] == 1


def test_items_of_equal_addresses_are_narrow() -> None:
    assert narrow_positions(items_of(*[box((8, 15))] * 500), SOURCE) == list(range(500))


def test_addresses_that_spread_evenly_are_cut_into_blocks() -> None:
    items = items_of(*[box((number << 16, (number << 16) + 255)) for number in range(1000)])
    (cuts,) = find_cuts(items, Overlaps(items), Scope())
    assert set(cuts.lengths) == {4}
    parts = cuts.cells(items)
    assert len({high - low for low, high in (part.space for part in parts)}) == 1
    assert sum(len(part.items) for part in parts) == 1000


def test_where_blocks_would_hold_every_item_many_times_there_are_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "_MOST_COPIES", 0)
    items = items_of(*[box((number << 16, (number << 16) + 255)) for number in range(1000)])
    (cuts,) = find_cuts(items, Overlaps(items), Scope())
    assert cuts.lengths == {}
    assert all(len(part.items) <= CELL_ITEMS for part in cuts.cells(items))


def test_a_few_items_are_not_cut() -> None:
    items = items_of(*[box((number << 16, number << 16)) for number in range(6)])
    assert list(find_cuts(items, Overlaps(items), Scope())) == []


def test_both_sides_are_proposed() -> None:
    items = items_of(*[box((number << 16, number << 16), (number << 20, number << 20), TCP) for number in range(300)])
    assert [cuts.dimension for cuts in find_cuts(items, Overlaps(items), Scope())] == [SOURCE, DESTINATION]
