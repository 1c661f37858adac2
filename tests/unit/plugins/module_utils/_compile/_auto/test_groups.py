# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Groupings: the keys are disjoint, and the lookup and what follows decide as the whole list does, in its order."""

from __future__ import annotations

import itertools
import random
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.arrange import _kinds
from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.groups import (
    Grouping,
    find_grouping,
)
from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.items import (
    DESTINATION,
    DESTINATION_PORT,
    IPV6_OFFSET,
    PROTOCOL,
    SOURCE,
    SOURCE_PORT,
    Item,
    family_of,
)
from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.keys import Keys, Kind, Scope
from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.overlap import Overlaps
from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.plan import (
    Dispatch,
    Element,
    Node,
    Rule,
)
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Action
from tests.unit.plugins.module_utils._compile._auto.plans import (
    TCP,
    UDP,
    Numbers,
    box,
    boxes_meet,
    first_match,
    items_of,
    random_items,
    some_packets,
    walk,
)

_DROP_FIRST = (Action.DROP, *[Action.ACCEPT] * 40)


def _grouping(items: t.Sequence[Item], kind: Kind, scope: t.Optional[Scope] = None) -> t.Optional[Grouping]:
    found = find_grouping(items, Overlaps(items), Keys(items), kind, scope or Scope())
    return None if found is None else found.make()


def _plan(grouping: Grouping) -> Node:
    """What stands ahead, the lookup with a list behind each element, and the rest."""
    elements = [
        Element(key, Node([Rule(item) for item in group.items])) for group in grouping.groups for key in group.keys
    ]
    lookup = Dispatch(grouping.dimensions, grouping.family, tuple(elements), "flows")
    return Node([*map(Rule, grouping.ahead), lookup, *map(Rule, grouping.rest)])


def _assert_same(items: t.Sequence[Item], grouping: Grouping, packets: t.Iterable[Numbers]) -> None:
    plan = _plan(grouping)
    for packet in packets:
        assert walk(plan, packet) is first_match(items, packet), packet


def _scopes(packets: t.Sequence[Numbers]) -> t.Iterator[t.Tuple[Scope, t.List[Numbers]]]:
    """What may be known of packets, and the packets of which it holds."""
    for family, has_ports in itertools.product((None, 4, 6), (False, True)):
        within = [
            packet
            for packet in packets
            if family in (None, family_of(packet.source)) and (not has_ports or packet.protocol in (TCP, UDP))
        ]
        yield Scope(family, has_ports), within


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize("seed", range(12))
def test_every_kind_of_grouping_decides_as_the_list_does(seed: int, *, counted: bool) -> None:
    rng = random.Random(seed)
    items = random_items(rng, rng.choice((20, 30)), counted=counted)
    packets = some_packets(rng, 160)
    found = 0
    for scope, within in _scopes(packets):
        family = scope.family
        fitting = [item for item in items if family is None or _of_family(item, family)]
        for kind in _kinds(fitting, scope):
            grouping = _grouping(fitting, kind, scope)
            if grouping is None:
                continue
            found += 1
            keys = [key for group in grouping.groups for key in group.keys]
            assert not any(boxes_meet(one, other) for one, other in itertools.combinations(keys, 2))
            assert all(len(key) == len(grouping.dimensions) <= 5 for key in keys)
            if kind.exact:
                assert all(low == high for key in keys for low, high in key)
            if counted:
                _assert_same(fitting, grouping, within)
            else:
                plan = _plan(grouping)
                for packet in within:
                    one, other = walk(plan, packet), first_match(fitting, packet)
                    assert (one and one.action) is (other and other.action), packet
    assert found


def _of_family(item: Item, family: int) -> bool:
    sides = [item.sets[side] for side in (SOURCE, DESTINATION)]
    return all(intervals is None or family_of(intervals[0][0]) == family for intervals in sides)


def test_what_precedes_a_grouped_item_and_overlaps_it_is_taken_along() -> None:
    items = items_of(
        box(protocol=TCP, destination_port=(20, 30)),
        box((5, 5), protocol=TCP),
        *[box(protocol=TCP, destination_port=(port, port)) for port in (25, 80, 90)],
    )
    grouping = _grouping(items, Kind((PROTOCOL, DESTINATION_PORT), exact=True))
    assert grouping is not None
    # The first two stand before the lookup where most groups would have to take them along.
    assert [str(item.rule.origin) for item in grouping.ahead] == ["a[0]", "a[1]"]
    late = items_of(
        box(protocol=TCP, destination_port=(80, 80)),
        box((5, 5), protocol=TCP),
        *[box(protocol=TCP, destination_port=(port, port)) for port in (25, 80, 90)],
    )
    grouping = _grouping(late, Kind((PROTOCOL, DESTINATION_PORT), exact=True))
    assert grouping is not None
    assert grouping.ahead == ()
    taken = {group.keys: [str(item.rule.origin) for item in group.items] for group in grouping.groups}
    assert taken == {
        (((TCP, TCP), (80, 80)),): ["a[0]", "a[1]", "a[3]"],
        (((TCP, TCP), (25, 25)),): ["a[1]", "a[2]"],
        (((TCP, TCP), (90, 90)),): ["a[1]", "a[4]"],
    }
    assert [str(item.rule.origin) for item in grouping.rest] == ["a[1]"]


def test_what_a_lookup_has_told_is_not_checked_again() -> None:
    items = items_of(*[box((address, address), None, TCP, None, (80, 80)) for address in (1, 2, 3)])
    grouping = _grouping(items, Kind((SOURCE,), (DESTINATION, PROTOCOL, DESTINATION_PORT), family=4))
    assert grouping is not None
    assert all(item.is_certain for group in grouping.groups for item in group.items)
    by_source = _grouping(items, Kind((SOURCE,), family=4))
    assert by_source is not None
    # The family is told by the lookup of one side.
    assert {group.items[0].sets for group in by_source.groups} == {(None, None, ((TCP, TCP),), None, ((80, 80),))}


def test_equal_verdicts_that_nobody_counts_are_not_taken_along() -> None:
    boxes = [box((5, 5)), *[box(destinations=(port, port)) for port in range(1, 9)]]
    kind = Kind((DESTINATION,), family=4)
    for counted, actions, taken in (
        (False, (Action.ACCEPT,), 0),
        (True, (Action.ACCEPT,), 8),
        (False, _DROP_FIRST, 8),
    ):
        # Behind one that is grouped, so that it does not stand ahead.
        items = items_of(box(destinations=(99, 99)), *boxes, actions=actions, counted=counted)
        if actions is _DROP_FIRST:
            items = items_of(box(destinations=(99, 99)), *boxes, actions=(Action.ACCEPT, *actions), counted=counted)
        grouping = _grouping([item._replace(sets=_without_whole(item)) for item in items], kind, Scope(family=4))
        assert grouping is not None
        assert sum(len(group.items) == 2 for group in grouping.groups) == taken


def _without_whole(item: Item) -> t.Tuple[t.Any, ...]:
    return tuple(None if found == ((0, 2**32 - 1),) else found for found in item.sets)


def test_long_ranges_are_no_exact_keys_and_short_ones_are_spelled_out() -> None:
    spelled, long = (1000, 1004), (2000, 2005)
    items = items_of(
        *[box(protocol=TCP, destination_port=one) for one in (spelled, long, (0, 0), (65535, 65535), (0, 65535))]
    )
    grouping = _grouping(items, Kind((PROTOCOL, DESTINATION_PORT), exact=True))
    assert grouping is not None
    keys = [key[1][0] for group in grouping.groups for key in group.keys]
    assert keys == [1000, 1001, 1002, 1003, 1004, 0, 65535]
    assert [item.sets[DESTINATION_PORT] for item in grouping.rest] == [(long,), ((0, 65535),)]


def test_a_box_of_too_many_keys_is_left_out() -> None:
    items = items_of(*[box((number, number)) for number in range(100, 104)])
    many = [
        items[0]._replace(sets=(tuple((2 * low, 2 * low) for low in range(count)), *items[0].sets[1:]))
        for count in (33, 20)
    ]
    grouping = _grouping([many[0], *items], Kind((SOURCE,), family=4))
    assert grouping is not None
    assert [len(group.keys) for group in grouping.groups] == [1, 1, 1, 1]
    assert [len(item.sets[SOURCE] or ()) for item in grouping.rest] == [33]
    both = _grouping([many[1], *items[:1]], Kind((SOURCE,), family=4))
    assert both is not None
    assert sorted(len(group.keys) for group in both.groups) == [1, 20]


def test_packets_without_ports_are_never_looked_up_by_ports() -> None:
    items = items_of(*[box((number, number)) for number in range(4)])
    assert _grouping(items, Kind((SOURCE,), (DESTINATION_PORT, SOURCE_PORT), family=4)) is None
    assert (
        _grouping(items, Kind((SOURCE,), (DESTINATION_PORT, SOURCE_PORT), family=4), Scope(has_ports=True)) is not None
    )
    assert _grouping(items, Kind((SOURCE,), (DESTINATION, PROTOCOL), family=4)) is not None


def test_the_families_are_looked_up_apart() -> None:
    items = items_of(
        *[box((number, number)) for number in range(4)], *[box((number, number), family=6) for number in range(4)]
    )
    for family in (4, 6):
        grouping = _grouping(items, Kind((SOURCE,), family=family))
        assert grouping is not None
        keys = [key[0][0] for group in grouping.groups for key in group.keys]
        assert keys == [number + (IPV6_OFFSET if family == 6 else 0) for number in range(4)]
        assert len(grouping.rest) == 4


def test_nothing_to_tell_apart_is_no_grouping() -> None:
    for boxes in ([], [box(protocol=TCP)], [box(protocol=TCP)] * 9, [box()] * 9):
        assert _grouping(items_of(*boxes), Kind((PROTOCOL,), exact=True)) is None
