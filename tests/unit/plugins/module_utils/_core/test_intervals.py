# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The laws of interval sets, each against plain Python sets."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.palisade.nftables.plugins.module_utils._core.intervals import IntervalSet
from tests.properties.strategies import deterministic

#: Small enough that every member can be looked at.
_HIGHEST = 40

_UNIVERSE = IntervalSet(((0, _HIGHEST),))

_INTERVALS = st.lists(
    st.tuples(st.integers(0, _HIGHEST), st.integers(0, _HIGHEST)).map(lambda pair: (min(pair), max(pair))), max_size=12
)
_SETS = _INTERVALS.map(IntervalSet)


def members(found: IntervalSet) -> t.Set[int]:
    return {value for value in range(_HIGHEST + 2) if value in found}


@deterministic
@given(intervals=_INTERVALS)
def test_membership_is_that_of_the_intervals(intervals: t.List[t.Tuple[int, int]]) -> None:
    wanted = {value for low, high in intervals for value in range(low, high + 1)}
    found = IntervalSet(intervals)
    assert members(found) == wanted
    assert found.size == len(wanted)
    assert bool(found) == bool(wanted)


@deterministic
@given(intervals=_INTERVALS)
def test_the_form_is_sorted_disjoint_and_not_adjacent(intervals: t.List[t.Tuple[int, int]]) -> None:
    found = IntervalSet(intervals).intervals
    assert all(low <= high for low, high in found)
    assert all(before[1] + 1 < after[0] for before, after in zip(found, found[1:]))


@deterministic
@given(one=_SETS, other=_SETS)
def test_union_intersection_and_difference_are_those_of_the_members(one: IntervalSet, other: IntervalSet) -> None:
    assert members(one | other) == members(one) | members(other)
    assert members(one & other) == members(one) & members(other)
    assert members(one - other) == members(one) - members(other)
    assert (one <= other) == (members(one) <= members(other))


@deterministic
@given(one=_SETS, other=_SETS)
def test_equal_members_are_equal_sets_with_equal_hashes(one: IntervalSet, other: IntervalSet) -> None:
    assert (one == other) == (members(one) == members(other))
    rebuilt = IntervalSet((value, value) for value in sorted(members(one), reverse=True))
    assert rebuilt == one
    assert hash(rebuilt) == hash(one)


@deterministic
@given(one=_SETS, other=_SETS, third=_SETS)
def test_laws_of_the_algebra(one: IntervalSet, other: IntervalSet, third: IntervalSet) -> None:
    nothing = IntervalSet()
    # Identity, idempotence and complement.
    assert one | nothing == one
    assert one & _UNIVERSE == one
    assert one | one == one == one & one
    assert one | (_UNIVERSE - one) == _UNIVERSE
    assert one & (_UNIVERSE - one) == nothing == one - one
    # Commutativity, associativity, distributivity, absorption.
    assert one | other == other | one
    assert one & other == other & one
    assert (one | other) | third == one | (other | third)
    assert (one & other) & third == one & (other & third)
    assert one & (other | third) == (one & other) | (one & third)
    assert one | (one & other) == one
    # De Morgan.
    assert _UNIVERSE - (one | other) == (_UNIVERSE - one) & (_UNIVERSE - other)
    assert _UNIVERSE - (one & other) == (_UNIVERSE - one) | (_UNIVERSE - other)
    # Difference.
    assert one - other == one & (_UNIVERSE - other)
    assert (one - other) | (one & other) == one


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 100])
def test_membership_at_the_edges_of_few_and_of_many_intervals(count: int) -> None:
    found = IntervalSet((10 * index, 10 * index + 3) for index in range(count))
    for index in range(count):
        assert [10 * index + offset in found for offset in (-1, 0, 3, 4)] == [False, True, True, False]
    assert 10 * count not in found


def test_numbers_as_wide_as_ipv6_addresses() -> None:
    highest = (1 << 128) - 1
    everything = IntervalSet(((0, highest),))
    assert (everything - IntervalSet.single(highest)).intervals == ((0, highest - 1),)
    assert (everything - IntervalSet.single(0)).size == highest


def test_another_type_is_not_equal() -> None:
    assert IntervalSet.single(1) != ((1, 1),)
    assert repr(IntervalSet.single(1)) == "IntervalSet(((1, 1),))"
