# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Blocks: prefixes of one length for each family, and every packet of an item is in one that holds the item."""

from __future__ import annotations

import random
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.blocks import cut_blocks, find_blocks
from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.items import (
    IPV6_OFFSET,
    SOURCE,
    Item,
    family_of,
)
from ansible_collections.palisade.nftables.plugins.module_utils._core.intervals import Interval, IntervalSet
from tests.unit.plugins.module_utils._compile._auto.plans import box, items_of

_PLENTY = 1 << 30


def _prefix(rng: random.Random, bits: int, lengths: t.Sequence[int]) -> Interval:
    rest = bits - rng.choice(lengths)
    low = rng.randrange(1 << bits) >> rest << rest
    return low, low + (1 << rest) - 1


def _items(rng: random.Random) -> t.List[Item]:
    items = items_of(*[box(_prefix(rng, 32, (10, 12, 16, 24, 32))) for _item in range(200)])
    net = 0x20010DB8 << 96
    for item in items[::4]:
        low, high = _prefix(rng, 96, (16, 24, 32, 96))
        items[items.index(item)] = item._replace(
            sets=(((IPV6_OFFSET + net + low, IPV6_OFFSET + net + high),), *item.sets[1:])
        )
    several = IntervalSet(_prefix(rng, 32, (16, 24, 32)) for _interval in range(5)).intervals
    items[1] = items[1]._replace(sets=(several, *items[1].sets[1:]))
    return items


@pytest.mark.parametrize("seed", range(8))
def test_blocks_are_prefixes_of_one_length_that_hold_every_item(seed: int) -> None:
    rng = random.Random(seed)
    items = _items(rng)
    blocks = find_blocks(items, SOURCE, _PLENTY)
    assert blocks is not None
    assert set(blocks.lengths) == {4, 6}
    cells = cut_blocks(items, SOURCE, blocks.lengths)
    for before, after in zip(cells, cells[1:]):
        assert before.space[1] < after.space[0]
    for cell in cells:
        low, high = cell.space
        bits = {4: 32, 6: 128}[family_of(low)]
        assert high - low + 1 == 1 << (bits - blocks.lengths[family_of(low)])
        assert (low - (IPV6_OFFSET if bits == 128 else 0)) % (high - low + 1) == 0
        assert list(cell.items) == [
            item for item in items if IntervalSet(item.sets[SOURCE] or ()) & IntervalSet([cell.space])
        ]
    whole = IntervalSet(cell.space for cell in cells)
    assert all(IntervalSet(item.sets[SOURCE] or ()) <= whole for item in items)


def test_there_are_no_more_blocks_than_asked_for() -> None:
    items = items_of(*[box((number << 16, number << 16)) for number in range(1000)])
    for most in (16, 64, 256):
        blocks = find_blocks(items, SOURCE, most)
        assert blocks is not None
        assert len(cut_blocks(items, SOURCE, blocks.lengths)) <= most


def test_items_are_not_copied_many_times() -> None:
    # Short blocks would tell the single addresses apart, and hold each of the others hundreds of times.
    items = items_of(
        *[box((number << 22, (number << 22) + (1 << 22) - 1)) for number in range(100)],
        *[box((number << 8, number << 8)) for number in range(100)],
    )
    blocks = find_blocks(items, SOURCE, _PLENTY)
    assert blocks is not None
    assert sum(len(cell.items) for cell in cut_blocks(items, SOURCE, blocks.lengths)) <= 1.7 * len(items)


def test_what_no_length_tells_apart_has_no_blocks() -> None:
    assert find_blocks(items_of(*[box((8, 15))] * 50), SOURCE, _PLENTY) is None
