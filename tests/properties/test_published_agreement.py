# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evaluator and kernel agree about packets for published ports, and about what counts them.

Only about the first packet of a connection: established ones are for the model, and for the connections of
``packets/test_published.py``.
"""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._compile.compile import compile_program
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import (
    Direction,
    FlowDirection,
    Layout,
    Route,
    State,
)
from lab.packets import why_impossible
from lab.reexec import ensure_privileges, in_user_namespace, why_unavailable
from lab.verdicts import VerdictLab
from tests.packets.kernel import lab_packet
from tests.packets.wording import program_of

from .agreement import INTERFACES
from .compiled import compare_kernel
from .generate import PacketGenerator, PolicyGenerator
from .truth import Truth

if t.TYPE_CHECKING:
    import collections.abc

    from ansible_collections.palisade.nftables.plugins.module_utils._policy.packet import Packet
    from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import Program

SEEDS = range(101, 113)
PACKETS = 1500

#: Without root the kernel takes no transaction that is larger than a socket's buffer.
_RULES, _RULES_WITHOUT_ROOT = 150, 30


@pytest.fixture(scope="module")
def lab() -> collections.abc.Iterator[VerdictLab]:
    reason = why_unavailable()
    if reason is not None:
        pytest.skip(reason)
    ensure_privileges()
    with VerdictLab(interfaces=list(INTERFACES), publishes=True) as made:
        yield made


def _published(program: Program, seed: int) -> t.List[Packet]:
    """Packets on the edges of the rules, as far as the kernel forwards such packets, and some for the host."""
    found = []
    for packet in PacketGenerator(program, seed).packets(PACKETS):
        if packet.direction is not Direction.INGRESS:
            continue
        changed = {"state": State.NEW, "flow_direction": FlowDirection.ORIGINAL, "tcp_reset": False}
        published = dataclasses.replace(packet, route=Route.PUBLISHED, **changed)
        if why_impossible(lab_packet(published)) is None:
            found.append(published)
        elif len(found) % 4 == 0:
            found.append(packet)
    return found


@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize("seed", SEEDS)
def test_evaluator_and_kernel_agree_about_published_ports(lab: VerdictLab, seed: int, layout: Layout) -> None:
    rules = _RULES_WITHOUT_ROOT if in_user_namespace() else _RULES
    variables = {**PolicyGenerator(seed).variables(rules), "firewall_default_ingress": "drop"}
    if seed % 6 == 0:
        variables["firewall_published"] = "leave"
    program = program_of(variables)
    packets = _published(program, seed)
    assert sum(packet.route is Route.PUBLISHED for packet in packets) > PACKETS / 10
    compared = compare_kernel(lab, compile_program(program, layout=layout), Truth(program), packets)
    assert compared.differences == []
