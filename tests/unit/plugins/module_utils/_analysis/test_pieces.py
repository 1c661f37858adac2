# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pieces of one dimension: the same as asking for every value which positions hold it."""

from __future__ import annotations

import random
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._analysis.pieces import Pieces
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.regions import Intervals
from ansible_collections.palisade.nftables.plugins.module_utils._core.intervals import IntervalSet

SPACE = (0, 199)


def _intervals(rng: random.Random) -> Intervals:
    found = []
    for _index in range(rng.choice((1, 1, 2, 4))):
        low = rng.randint(*SPACE)
        found.append((low, min(SPACE[1], low + rng.choice((0, 3, 30, 200)))))
    return IntervalSet(found).intervals


def _values(intervals: Intervals) -> t.Set[int]:
    return {value for low, high in intervals for value in range(low, high + 1)}


@pytest.mark.parametrize("seed", range(40))
def test_the_values_of_pieces_are_those_that_the_same_positions_hold(seed: int) -> None:
    rng = random.Random(seed)
    sets = [_intervals(rng) for _index in range(rng.choice((1, 5, 60)))]
    pieces = Pieces([[one] for one in sets], SPACE)
    # Few positions have their ends looked at, many have the pieces looked at.
    for count in (1, 2, len(sets)):
        live = sum(1 << position for position in rng.sample(range(len(sets)), min(count, len(sets))))
        live |= 1 << len(sets)
        asked = _intervals(rng)
        groups, looked = pieces.by_holders(pieces.within(asked), live)
        assert looked > 0
        expected: t.Dict[int, t.Set[int]] = {}
        for value in _values(asked):
            held = sum(1 << at for at, one in enumerate(sets) if value in _values(one)) | 1 << len(sets)
            expected.setdefault(held & live, set()).add(value)
        assert {held: _values(pieces.clip(asked, runs)) for held, runs in groups.items()} == expected


@pytest.mark.parametrize("seed", range(20))
def test_what_one_position_holds(seed: int) -> None:
    rng = random.Random(seed)
    sets = [_intervals(rng) for _index in range(30)]
    pieces = Pieces([[one] for one in sets], SPACE)
    for position, one in enumerate(sets):
        asked = _intervals(rng)
        assert _values(pieces.held(asked, position)) == _values(asked) & _values(one)
        assert pieces.held(asked, len(sets)) == asked


def test_few_positions_among_many_pieces_are_looked_at_by_their_ends() -> None:
    sets: t.List[t.List[Intervals]] = [[((value, value),)] for value in range(0, 200, 2)]
    pieces = Pieces([*sets, [((50, 60),)]], SPACE)
    groups, looked = pieces.by_holders(pieces.within(((0, 199),)), 1 << len(sets))
    assert looked <= 3
    assert pieces.clip(((0, 199),), groups[1 << len(sets)]) == ((50, 60),)
    assert pieces.clip(((0, 199),), groups[0]) == ((0, 49), (61, 199))
