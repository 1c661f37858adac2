# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Merging: fewer items, and every packet of a small world gets the verdict that it got before."""

from __future__ import annotations

import dataclasses
import random
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.items import (
    DESTINATION,
    DESTINATION_PORT,
    DIMENSIONS,
    SOURCE,
    Item,
    make_items,
)
from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.merge import differing, merge_equals
from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.overlap import positions
from ansible_collections.palisade.nftables.plugins.module_utils._core.intervals import IntervalSet
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Action, Stage, State
from tests.unit.plugins.module_utils._compile._auto.plans import (
    TCP,
    UDP,
    box,
    first_match,
    items_of,
    lowered,
    random_items,
    some_packets,
)

ACCEPT, DROP = Action.ACCEPT, Action.DROP


def _port(port: int, protocol: int = TCP) -> t.Any:
    return box(protocol=protocol, destination_port=(port, port))


def _ports(item: Item) -> t.Any:
    return item.sets[DESTINATION_PORT]


@pytest.mark.parametrize("seed", range(25))
def test_every_packet_gets_the_verdict_that_it_got(seed: int) -> None:
    rng = random.Random(seed)
    items = random_items(rng, rng.choice((5, 15, 40, 80)), counted=False)
    merged = merge_equals(items)
    assert len(merged) <= len(items)
    for packet in some_packets(rng, 400):
        one, other = first_match(merged, packet), first_match(items, packet)
        assert (one and one.action) is (other and other.action), packet


@pytest.mark.parametrize("seed", range(5))
def test_a_merged_box_is_what_its_item_says(seed: int) -> None:
    rng = random.Random(seed)
    for item in merge_equals(random_items(rng, 60, counted=False)):
        again = make_items([dataclasses.replace(item.rule, boxes=(item.box,))])[0]
        assert again.sets == item.sets


def test_ports_of_one_verdict_become_one_item() -> None:
    merged = merge_equals(items_of(_port(80), _port(22), _port(443), _port(81), counted=False))
    assert [_ports(item) for item in merged] == [((22, 22), (80, 81), (443, 443))]
    (only,) = merged
    assert only.box.destination_ports == IntervalSet(((22, 22), (80, 81), (443, 443)))
    assert (str(only.rule.origin), only.rule.description) == ("a[0]", "with a[1], a[2], a[3]")


def test_nothing_moves_across_an_overlapping_item_of_another_verdict() -> None:
    for middle, merges in (
        (box(protocol=TCP, destination_port=(0, 100)), False),
        (box((5, 5)), False),
        (box(), False),
        (box(protocol=UDP), True),
        (box(protocol=TCP, destination_port=(0, 79)), True),
    ):
        items = items_of(_port(443), middle, _port(80), actions=(ACCEPT, DROP), counted=False)
        assert (len(merge_equals(items)) == 2) == merges


def test_what_stays_behind_gathers_what_follows_it() -> None:
    items = items_of(
        _port(1),
        _port(2),
        box(protocol=TCP),
        _port(3),
        _port(4),
        actions=(ACCEPT, ACCEPT, DROP, ACCEPT, ACCEPT),
        counted=False,
    )
    merged = merge_equals(items)
    assert [_ports(item) for item in merged] == [((1, 2),), None, ((3, 4),)]


def test_unions_grow_in_one_dimension_after_another() -> None:
    boxes = [box((address, address), None, TCP, None, (port, port)) for address in (1, 2, 9) for port in (80, 443)]
    merged = merge_equals(items_of(*boxes, counted=False))
    assert [(item.sets[SOURCE], _ports(item)) for item in merged] == [(((1, 2), (9, 9)), ((80, 80), (443, 443)))]


def test_what_differs_besides_stays_apart() -> None:
    special = dataclasses.replace(_port(80), states=frozenset({State.ESTABLISHED}))
    for one, other in (
        (_port(80), _port(81, UDP)),
        (_port(80), special),
        (box((1, 1)), box((2, 2), family=6)),
        (box((1, 1)), box(destinations=(2, 2))),
        (box((1, 1)), box(family=4)),
        (_port(80), box(protocol=TCP)),
        (box((1, 1), (1, 1)), box((2, 2), (2, 2))),
    ):
        assert len(merge_equals(items_of(one, other, counted=False))) == 2


def test_what_is_counted_or_of_another_stage_or_verdict_stays_apart() -> None:
    assert len(merge_equals(items_of(_port(80), _port(81), counted=True))) == 2
    assert len(merge_equals(items_of(_port(80), _port(81), actions=(ACCEPT, DROP), counted=False))) == 2
    one, other = lowered(0, _port(80), counted=False), lowered(1, _port(81), counted=False)
    assert len(merge_equals(make_items([one, dataclasses.replace(other, stage=Stage.SAFEGUARD)]))) == 2
    assert len(merge_equals(make_items([one, other]))) == 1


def test_a_union_of_ipv6_addresses_is_written_without_the_offset() -> None:
    boxes = [box(None, (number, number), family=6) for number in (1, 2, 2**128 - 1)]
    (only,) = merge_equals(items_of(*boxes, counted=False))
    assert only.box.destinations == IntervalSet(((1, 2), (2**128 - 1, 2**128 - 1)))
    assert len(only.sets[DESTINATION] or ()) == 2


def test_a_merged_rule_names_some_and_counts_the_rest() -> None:
    (only,) = merge_equals(items_of(*[_port(2 * number) for number in range(12)], counted=False))
    assert only.rule.description == "with %s and 3 more" % ", ".join("a[%d]" % number for number in range(1, 9))
    # Boxes of one rule have one name.
    same = make_items([lowered(0, _port(1), _port(5), counted=False)])
    (merged,) = merge_equals(same)
    assert merged.rule is same[0].rule


def test_a_merged_rule_has_no_network_of_its_own() -> None:
    rules = [
        dataclasses.replace(
            lowered(number, box((number, number)), counted=False), source_label="office", destination_label="x"
        )
        for number in (1, 5)
    ]
    (only,) = merge_equals(make_items(rules))
    assert (only.rule.source_label, only.rule.destination_label) == ("", "")


def test_differing_items_are_those_of_another_verdict() -> None:
    items = items_of(*[box()] * 20, actions=(ACCEPT, DROP, Action.REJECT))
    found = differing(items)
    for action in Action:
        assert positions(found[action]) == [one for one, item in enumerate(items) if item.rule.action is not action]


def test_nothing_is_merged_of_nothing() -> None:
    assert merge_equals([]) == []
    (only,) = items_of(_port(80), counted=False)
    assert merge_equals([only]) == [only]
    assert all(len(item.sets) == len(DIMENSIONS) for item in merge_equals(items_of(*[box()] * 3, counted=False)))
