# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""First matches: the same answers as trying every packet of small spaces."""

from __future__ import annotations

import itertools
import random
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._analysis.first_matches import FirstMatches, Undecided
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.regions import (
    DESTINATION,
    DESTINATION_PORT,
    FAMILY_SPACE,
    PROTOCOL,
    SOURCE,
    SPACE,
    Intervals,
    Region,
    regions_of,
)
from ansible_collections.palisade.nftables.plugins.module_utils._compile.lowered import Box
from ansible_collections.palisade.nftables.plugins.module_utils._core.intervals import IntervalSet

#: The dimensions that vary, and their values, counted from the beginning of the space.
_SMALL = {SOURCE: 7, DESTINATION: 5, PROTOCOL: 3, DESTINATION_PORT: 4}

Point = t.Tuple[int, ...]


def _intervals(rng: random.Random, size: int) -> Intervals:
    values = rng.sample(range(size), rng.choice((1, 2, 3, size, size)) if size > 3 else rng.randint(1, size))
    low = min(values)
    if rng.random() < 0.7:
        return ((low, max(values)),)
    return IntervalSet((value, value) for value in values).intervals


def _region(rng: random.Random, *, within: bool = False) -> Region:
    """Random in the small dimensions; ``within``: no further than they go, so that all points can be tried."""
    whole: t.List[Intervals] = [(interval,) for interval in SPACE]
    whole[SOURCE] = whole[DESTINATION] = (FAMILY_SPACE[4],)
    for dimension, size in _SMALL.items():
        if within or rng.random() < 0.6:
            whole[dimension] = _intervals(rng, size)
    return tuple(whole)


def _points(region: Region) -> t.Iterator[Point]:
    sides = [[value for low, high in region[at] for value in range(low, high + 1)] for at in _SMALL]
    return itertools.product(*sides)


def _holds(region: Region, point: Point) -> bool:
    return all(any(low <= value <= high for low, high in region[at]) for at, value in zip(_SMALL, point))


def _first(regions: t.Sequence[Region], active: int, point: Point) -> int:
    for position, region in enumerate(regions):
        if active >> position & 1 and _holds(region, point):
            return position
    return len(regions)


@pytest.mark.parametrize("seed", range(120))
def test_the_answers_are_those_of_trying_every_packet(seed: int) -> None:
    rng = random.Random(seed)
    regions = [_region(rng) for _index in range(rng.choice((1, 3, 6, 12, 25)))]
    matches = FirstMatches([[region] for region in regions])
    for _question in range(6):
        asked = _region(rng, within=True)
        active = rng.getrandbits(len(regions)) | rng.getrandbits(len(regions)) | matches.no_box
        wanted = active & (matches.no_box if rng.random() < 0.4 else rng.getrandbits(len(regions) + 1))
        expected = {point for point in _points(asked) if wanted >> _first(regions, active, point) & 1}
        found = matches.find(asked, active, wanted)
        assert (found is not None) == bool(expected)
        if found is not None:
            assert expected.issuperset(_points(found))
        parts = list(matches.each(asked, active, wanted))
        points = [point for part in parts for point in _points(part)]
        assert len(points) == len(set(points)), "two regions share a packet"
        assert set(points) == expected


@pytest.mark.parametrize("seed", range(20))
def test_what_overlaps_and_what_holds_a_region(seed: int) -> None:
    rng = random.Random(seed)
    regions = [_region(rng) for _index in range(30)]
    matches = FirstMatches([[region] for region in regions])
    asked = _region(rng, within=True)
    points = list(_points(asked))
    overlapping = [at for at, region in enumerate(regions) if any(_holds(region, point) for point in points)]
    holding = [at for at, region in enumerate(regions) if all(_holds(region, point) for point in points)]
    assert [at for at in range(30) if matches.overlapping(asked) >> at & 1] == overlapping
    assert [at for at in range(30) if matches.holding(asked) >> at & 1] == holding


def test_families_are_kept_apart() -> None:
    """Every address of each family covers everything, though no packet has addresses of both."""
    whole = [IntervalSet(((0, (1 << bits) - 1),)) for bits in (32, 128)]
    boxes = [Box(family=4, sources=whole[0]), Box(family=6, destinations=whole[1])]
    matches = FirstMatches([regions_of(box) for box in boxes])
    for region in regions_of(Box()):
        assert matches.find(region, -1, matches.no_box) is None


def _chequered(count: int) -> t.List[Region]:
    """Products of which no two have a side in common: each cuts all dimensions anew."""
    rng = random.Random(1)
    regions = []
    for _index in range(count):
        region: t.List[Intervals] = [(interval,) for interval in SPACE]
        region[SOURCE] = region[DESTINATION] = (FAMILY_SPACE[4],)
        for at, space in ((SOURCE, 1 << 32), (DESTINATION, 1 << 32), (DESTINATION_PORT, 1 << 16)):
            low = rng.randrange(space)
            region[at] = ((0, low), (min(low + 2, space - 1), space - 1))
        regions.append(tuple(region))
    return regions


def test_a_question_that_takes_too_long_is_given_up() -> None:
    regions = _chequered(60)
    matches = FirstMatches([[region] for region in regions])
    every = regions_of(Box(), (4,))[0]
    with pytest.raises(Undecided):
        list(matches.each(every, -1, matches.no_box, budget=200))


def test_the_first_of_two_that_are_equal_decides() -> None:
    region = regions_of(Box(family=4, protocols=IntervalSet.single(6)))[0]
    matches = FirstMatches([[region], [region]])
    assert matches.find(region, -1, 0b10) is None
    assert matches.find(region, -1, 0b01) == region
    assert matches.find(region, 0b10 | matches.no_box, 0b10) == region
