# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which items overlap which: the same as comparing each with each."""

from __future__ import annotations

import random
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.items import (
    DESTINATION,
    DESTINATION_PORT,
    DIMENSIONS,
    SOURCE,
    SOURCE_PORT,
    Intervals,
    Item,
)
from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.overlap import (
    Overlaps,
    _count_by_text,
    count_bits,
    positions,
)
from tests.unit.plugins.module_utils._compile._auto.plans import TCP, box, items_of, random_items

_SUBSETS: t.Tuple[t.Tuple[int, ...], ...] = (
    DIMENSIONS,
    (),
    (SOURCE,),
    (SOURCE, DESTINATION),
    (SOURCE_PORT, DESTINATION_PORT),
    (DESTINATION, DESTINATION_PORT),
)


def _meet(one: t.Optional[Intervals], other: t.Optional[Intervals]) -> bool:
    if one is None or other is None:
        return True
    return any(low <= last and first <= high for low, high in one for first, last in other)


def _expected(items: t.Sequence[Item], position: int, dimensions: t.Sequence[int]) -> t.List[int]:
    mine = items[position].sets
    return [
        other
        for other, item in enumerate(items)
        if all(_meet(mine[dimension], item.sets[dimension]) for dimension in dimensions)
    ]


@pytest.mark.parametrize("seed", range(30))
def test_overlaps_are_those_of_each_with_each(seed: int) -> None:
    rng = random.Random(seed)
    items = random_items(rng, rng.choice((1, 2, 3, 17, 60)))
    overlaps = Overlaps(items)
    for position in rng.sample(range(len(items)), len(items)):
        for dimensions in _SUBSETS:
            assert positions(overlaps.of(position, dimensions)) == _expected(items, position, dimensions)
        for dimension in DIMENSIONS:
            found = positions(overlaps.in_dimension(position, dimension))
            assert found == _expected(items, position, (dimension,))


def test_intervals_that_only_touch_do_not_overlap() -> None:
    items = items_of(box((0, 5)), box((6, 9)), box((5, 6)), box((9, 9)), box((10, 2**32 - 1)), box((0, 2**32 - 1)))
    overlaps = Overlaps(items)
    assert [positions(overlaps.of(position)) for position in range(6)] == [
        [0, 2, 5],
        [1, 2, 3, 5],
        [0, 1, 2, 5],
        [1, 3, 5],
        [4, 5],
        [0, 1, 2, 3, 4, 5],
    ]


def test_the_families_do_not_overlap_and_what_has_none_overlaps_both() -> None:
    last4, last6 = 2**32 - 1, 2**128 - 1
    items = items_of(
        box((0, last4), family=4),
        box((0, last6), family=6),
        box(family=4),
        box(family=6),
        box(protocol=TCP),
        box(destinations=(0, 0), family=6),
        box(destinations=(last4, last4), family=4),
    )
    overlaps = Overlaps(items)
    assert positions(overlaps.of(0)) == [0, 2, 4, 6]
    assert positions(overlaps.of(1)) == [1, 3, 4, 5]
    assert positions(overlaps.of(4)) == [0, 1, 2, 3, 4, 5, 6]
    assert positions(overlaps.of(5)) == [1, 3, 4, 5]


def test_many_intervals_of_one_item_are_one_item() -> None:
    rng = random.Random(1)
    items = [
        item._replace(sets=(tuple((low, low + 1) for low in sorted(rng.sample(range(0, 3000, 3), 40))), *item.sets[1:]))
        for item in items_of(*[box((0, 1)) for _item in range(80)])
    ]
    overlaps = Overlaps(items)
    for position in range(len(items)):
        assert positions(overlaps.of(position)) == _expected(items, position, DIMENSIONS)


@pytest.mark.parametrize("bits", [0, 1, 2, 0b1011, 1 << 9999, (1 << 10000) - 1])
def test_bits_are_counted_and_listed(bits: int) -> None:
    found = positions(bits)
    assert found == [place for place in range(bits.bit_length()) if bits >> place & 1]
    assert count_bits(bits) == _count_by_text(bits) == len(found)
