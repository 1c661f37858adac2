# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Regions of the boxes of rules, and the packets that stand for them."""

from __future__ import annotations

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._analysis.regions import (
    family_of,
    intersect,
    is_within,
    regions_of,
    witness,
)
from ansible_collections.palisade.nftables.plugins.module_utils._compile.lower import lower
from ansible_collections.palisade.nftables.plugins.module_utils._compile.lowered import Box
from ansible_collections.palisade.nftables.plugins.module_utils._core.intervals import IntervalSet
from ansible_collections.palisade.nftables.plugins.module_utils._policy.evaluate import matches
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Direction, FlowDirection, State
from tests.packets.wording import program_of
from tests.properties.generate import PolicyGenerator


@pytest.mark.parametrize("seed", range(8))
def test_the_packet_of_a_region_meets_the_rule_that_the_region_is_of(seed: int) -> None:
    program = program_of(PolicyGenerator(seed).variables(80))
    families = set()
    for chain in lower(program).chains:
        for step, rule in zip(program.chain(chain.direction).steps, chain.rules):
            for region in (region for box in rule.boxes for region in regions_of(box)):
                packet = witness(region, chain.direction)
                assert matches(step.rule, packet), (step.rule, packet)
                assert packet.family == family_of(region)
                families.add(packet.family)
    assert families == {4, 6}


def test_the_packet_of_everything_is_an_ordinary_one() -> None:
    packets = [witness(region, Direction.INGRESS) for region in regions_of(Box())]
    assert [packet.family for packet in packets] == [4, 6]
    for packet in packets:
        assert packet.protocol == 6
        assert packet.state is State.NEW
        assert packet.flow_direction is FlowDirection.ORIGINAL
        assert packet.hop_limit == 64
        assert not packet.tcp_reset


def test_fields_that_a_protocol_does_not_have_are_absent() -> None:
    region = regions_of(Box(family=4, protocols=IntervalSet.single(50)))[0]
    packet = witness(region, Direction.EGRESS)
    assert (packet.source_port, packet.destination_port, packet.icmp_type) == (None, None, None)
    echo = witness(regions_of(Box(family=6, protocols=IntervalSet.single(58)))[0], Direction.EGRESS)
    assert (echo.source_port, echo.icmp_type) == (None, 128)


def test_intersections_and_inclusion() -> None:
    ports = [IntervalSet(((low, high),)) for low, high in ((1, 100), (50, 60), (90, 200), (300, 300))]
    tcp = IntervalSet.single(6)
    wide, inner, beside, far = (regions_of(Box(family=4, protocols=tcp, destination_ports=one))[0] for one in ports)
    assert is_within(inner, wide)
    assert not is_within(wide, inner)
    assert intersect(wide, inner) == inner
    assert (
        intersect(wide, beside)
        == regions_of(Box(family=4, protocols=tcp, destination_ports=IntervalSet(((90, 100),))))[0]
    )
    assert intersect(wide, far) is None
    assert intersect(regions_of(Box())[0], regions_of(Box())[1]) is None
