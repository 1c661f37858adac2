# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Large exact maps in blocks of ports: every packet finds what it found, and a changed rule changes one block."""

from __future__ import annotations

import dataclasses
import random
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.items import (
    DESTINATION_PORT,
    PROTOCOL,
    SOURCE,
    SOURCE_PORT,
)
from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.plan import Dispatch, Element, Node, Rule
from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.port_blocks import in_port_blocks
from tests.unit.plugins.module_utils._compile._auto.plans import TCP, UDP, Numbers, box, items_of, walk

_DIMENSIONS = (PROTOCOL, DESTINATION_PORT)


def _element(protocol: int, port: int) -> Element:
    item = items_of(box())[0]
    named = item._replace(rule=dataclasses.replace(item.rule, counter="%d/%d" % (protocol, port)))
    return Element(((protocol, protocol), (port, port)), Node([Rule(named)]))


def _step(keys: t.Iterable[t.Tuple[int, int]]) -> Dispatch:
    return Dispatch(_DIMENSIONS, None, tuple(_element(*key) for key in keys), "ports")


def _keys(count: int) -> t.List[t.Tuple[int, int]]:
    rng = random.Random(count)
    return [(rng.choice((TCP, UDP)), port) for port in rng.sample(range(65536), count)]


def _found(step: Dispatch, protocol: int, port: t.Optional[int]) -> t.Optional[str]:
    rule = walk(Node([step]), Numbers(0, 0, protocol, 1024, port))
    return None if rule is None else rule.counter


@pytest.mark.parametrize("count", [513, 3000, 20000])
def test_every_packet_finds_what_it_found(count: int) -> None:
    keys = _keys(count)
    step = _step(keys)
    made, more = in_port_blocks(step)
    assert made.dimensions == (DESTINATION_PORT,)
    assert more == 2 * len(made.elements)
    assert 8 <= len(made.elements) <= 512
    rng = random.Random(1)
    for protocol, port in [
        *rng.sample(keys, 100),
        *[(rng.choice((TCP, UDP)), rng.randrange(65536)) for _ in range(50)],
    ]:
        expected = "%d/%d" % (protocol, port) if (protocol, port) in keys else None
        assert _found(made, protocol, port) == expected
    # What has no ports is looked up as nothing.
    assert _found(made, TCP, None) is None


def test_blocks_are_small_and_none_changes_with_another() -> None:
    keys = _keys(5000)
    before, _more = in_port_blocks(_step(keys))
    old = keys[0]
    after, _more = in_port_blocks(_step([(UDP if old[0] == TCP else TCP, old[1]), *keys[1:]]))
    contents = [
        {element.key: [one.key for one in _only(element).elements] for element in made.elements}
        for made in (before, after)
    ]
    assert contents[0].keys() == contents[1].keys()
    changed = [key for key in contents[0] if contents[0][key] != contents[1][key]]
    assert len(changed) == 1
    assert max(len(inside) for inside in contents[0].values()) < 200


def _only(element: Element) -> Dispatch:
    (step,) = element.node.steps
    assert isinstance(step, Dispatch)
    return step


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(_step(_keys(512)), id="small"),
        pytest.param(_step((number % 256, 80) for number in range(600)), id="one port"),
        pytest.param(
            Dispatch(
                (SOURCE_PORT,),
                None,
                tuple(Element(((2 * one, 2 * one + 1),), Node()) for one in range(600)),
                "ports",
            ),
            id="ranges",
        ),
        pytest.param(
            Dispatch((SOURCE,), 4, tuple(Element(((one, one),), Node()) for one in range(600)), "sources"),
            id="addresses",
        ),
    ],
)
def test_others_stay_as_they_are(step: Dispatch) -> None:
    assert in_port_blocks(step) == (step, 0)
