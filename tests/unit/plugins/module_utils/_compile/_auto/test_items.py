# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Items: what is still to be checked of a box, wherever its packets have come to."""

from __future__ import annotations

import random
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.items import (
    ADDRESSES,
    DESTINATION,
    DIMENSIONS,
    FAMILY_SPACE,
    IPV6_OFFSET,
    PORTED,
    PORTLESS,
    PROTOCOL,
    SOURCE,
    clip,
    family_of,
    has_ports,
    item_family,
    make_items,
    relative,
    within_protocols,
)
from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.plan import Node
from ansible_collections.palisade.nftables.plugins.module_utils._compile.lowered import Box
from ansible_collections.palisade.nftables.plugins.module_utils._core.intervals import IntervalSet
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import FlowDirection, State
from tests.unit.plugins.module_utils._compile._auto.plans import (
    GRE,
    TCP,
    UDP,
    box,
    holds,
    items_of,
    lowered,
    ports,
    random_items,
    some_packets,
)


def test_both_families_lie_in_one_space_and_a_family_alone_is_all_of_its_numbers() -> None:
    four, six, whole4, whole6, any_family = (
        item.sets[:2]
        for item in items_of(
            box((1, 3), family=4), box((1, 3), (7, 7), family=6), box(family=4), box(family=6), box(protocol=TCP)
        )
    )
    assert four == (((1, 3),), (FAMILY_SPACE[4],))
    assert six == (((IPV6_OFFSET + 1, IPV6_OFFSET + 3),), ((IPV6_OFFSET + 7, IPV6_OFFSET + 7),))
    assert (whole4, whole6) == (((FAMILY_SPACE[4],),) * 2, ((FAMILY_SPACE[6],),) * 2)
    assert any_family == (None, None)
    assert FAMILY_SPACE[4][1] < FAMILY_SPACE[6][0]
    assert [family_of(number) for family in (4, 6) for number in FAMILY_SPACE[family]] == [4, 4, 6, 6]


def test_an_explicit_whole_family_is_what_a_family_without_addresses_is() -> None:
    for family, bits in ((4, 32), (6, 128)):
        explicit, implied = items_of(box((0, 2**bits - 1), family=family), box(family=family))
        assert explicit.sets == implied.sets


def test_a_rule_has_an_item_for_each_box_in_order_and_none_without() -> None:
    first, none, second = (
        lowered(0, box(protocol=TCP), box(protocol=UDP)),
        lowered(1),
        lowered(2, box((5, 5)), box((5, 5), family=6)),
    )
    items = make_items([first, none, second])
    assert [item.rule for item in items] == [first, first, second, second]
    assert [item_family(item) for item in items] == [None, None, 4, 6]


@pytest.mark.parametrize(
    "special",
    [
        Box(states=frozenset({State.NEW})),
        Box(flow_direction=FlowDirection.REPLY),
        Box(family=4, protocols=IntervalSet.single(1), icmp_types=IntervalSet.single(8)),
        Box(family=6, hop_limit=255),
        Box(protocols=IntervalSet.single(TCP), tcp_reset=True),
    ],
)
def test_conditions_besides_the_five_make_an_item_special_and_never_certain(special: Box) -> None:
    plain, item = items_of(box(), special)
    assert (plain.is_special, plain.is_certain) == (False, True)
    assert item.is_special
    assert not item._replace(sets=plain.sets).is_certain


def test_a_counter_or_a_guard_shows_who_decided() -> None:
    (counted,), (uncounted,) = items_of(box()), items_of(box(), counted=False)
    assert not counted.is_uncounted
    assert uncounted.is_uncounted
    assert not uncounted._replace(before=Node()).is_uncounted


def test_only_protocols_that_have_ports_give_an_item_ports() -> None:
    found = {
        text: has_ports(items_of(Box(protocols=protocols))[0])
        for text, protocols in {
            "any": None,
            "tcp": ports((TCP, TCP)),
            "tcp and udp": ports((TCP, TCP), (UDP, UDP)),
            "tcp and gre": ports((TCP, TCP), (GRE, GRE)),
            "a range": ports((TCP, UDP)),
            "gre": ports((GRE, GRE)),
        }.items()
    }
    assert [text for text, ported in found.items() if ported] == ["tcp", "tcp and udp"]
    assert IntervalSet(PORTED) | IntervalSet(PORTLESS) == ports((0, 255))
    assert not IntervalSet(PORTED) & IntervalSet(PORTLESS)


@pytest.mark.parametrize("seed", range(12))
def test_a_clipped_item_is_the_item_for_the_packets_of_its_cell(seed: int) -> None:
    rng = random.Random(seed)
    packets = some_packets(rng, 400)
    for item in random_items(rng, 25):
        dimension = rng.choice(ADDRESSES)
        intervals = item.sets[dimension]
        if intervals is None:
            continue
        offset = IPV6_OFFSET if item_family(item) == 6 else 0
        low = rng.randrange(6)
        cell = (low + offset, rng.randrange(low, 6) + offset)
        if not any(start <= cell[1] and end >= cell[0] for start, end in intervals):
            continue
        clipped = clip(item, dimension, cell)
        inside = [packet for packet in packets if cell[0] <= packet[:2][dimension] <= cell[1]]
        assert [holds(clipped, packet) for packet in inside] == [holds(item, packet) for packet in inside]


def test_a_cell_leaves_nothing_to_check_of_what_covers_it() -> None:
    covering, partly, one_side = items_of(box((0, 100), (5, 5)), box((10, 12), (5, 5)), box((0, 15)))
    assert clip(covering, SOURCE, (8, 15)).sets[:2] == (None, ((5, 5),))
    assert clip(partly, SOURCE, (8, 11)).sets[:2] == (((10, 11),), ((5, 5),))
    # That the other side is any address of the family is known then.
    assert clip(one_side, SOURCE, (8, 15)).sets[:2] == (None, None)
    assert clip(one_side, DESTINATION, (0, 7)).sets[:2] == (((0, 15),), None)


@pytest.mark.parametrize("seed", range(12))
def test_a_relative_item_is_the_item_for_the_packets_of_a_box(seed: int) -> None:
    rng = random.Random(seed)
    packets = some_packets(rng, 400)
    items = random_items(rng, 40)
    for _pair in range(80):
        item, other = rng.choice(items), rng.choice(items)._replace(box=Box())
        inside = [packet for packet in packets if holds(other, packet)]
        found = relative(item, other.sets)
        assert [holds(found, packet) for packet in inside] == [holds(item, packet) for packet in inside]


def test_relative_to_an_equal_box_nothing_is_left() -> None:
    (item,) = items_of(box((3, 4), (5, 5), TCP, (1, 2), (80, 80)))
    assert relative(item, item.sets).is_certain
    (wider,) = items_of(box((0, 9)))
    assert relative(item, wider.sets) is item


@pytest.mark.parametrize("protocols", [PORTED, PORTLESS, ((TCP, TCP),), ((0, 255),)])
def test_items_within_protocols_decide_the_packets_of_these_as_before(
    protocols: t.Tuple[t.Tuple[int, int], ...],
) -> None:
    rng = random.Random(str(protocols))
    packets = [
        packet for packet in some_packets(rng, 600) if any(low <= packet.protocol <= high for low, high in protocols)
    ]
    for item in random_items(rng, 60):
        found = within_protocols(item, protocols)
        expected = [holds(item, packet) for packet in packets]
        if found is None:
            assert not any(expected)
        else:
            assert [holds(found, packet) for packet in packets] == expected
            assert all(found.sets[one] == item.sets[one] for one in DIMENSIONS if one != PROTOCOL)
