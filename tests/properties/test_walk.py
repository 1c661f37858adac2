# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rulesets loaded into a kernel, listed by every nft, read and walked: the evaluator's verdict and rule each time."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._analysis.walk import walk
from ansible_collections.palisade.nftables.plugins.module_utils._compile.compile import compile_program
from ansible_collections.palisade.nftables.plugins.module_utils._policy.evaluate import evaluate
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Direction, Layout, Route, State
from ansible_collections.palisade.nftables.plugins.module_utils._policy.packet import Packet
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import Program
from lab.namespaces import Host, Lab
from lab.reexec import ensure_privileges, in_user_namespace, why_unavailable
from tests.nft_versions import NftVersion, nft_versions
from tests.packets.wording import program_of

from .generate import PacketGenerator, PolicyGenerator
from .read_back import read_back
from .truth import counter_of

if t.TYPE_CHECKING:
    import collections.abc

_RULES = 40 if in_user_namespace() else 90
_PACKETS = 300
_SEEDS = (1, 2, 5)


@pytest.fixture(name="host", scope="module")
def fixture_host() -> collections.abc.Iterator[Host]:
    reason = why_unavailable()
    if reason is not None:
        pytest.skip(reason)
    ensure_privileges()
    with Lab() as lab:
        yield lab.host("walk")


def _program(seed: int) -> Program:
    variables = PolicyGenerator(seed).variables(_RULES)
    return program_of({**variables, "firewall_log_dropped": True})


def _with_published(packets: t.Iterable[Packet]) -> t.Iterator[Packet]:
    """Each packet, and what comes in also as one that goes on to somebody else."""
    for packet in packets:
        yield packet
        if packet.direction is Direction.INGRESS:
            yield dataclasses.replace(packet, route=Route.FORWARDED)
            if packet.state not in (State.INVALID, State.UNTRACKED):
                yield dataclasses.replace(packet, route=Route.PUBLISHED)


@pytest.mark.parametrize("nft", nft_versions(), ids=lambda nft: str(nft.version))
@pytest.mark.parametrize("layout", list(Layout), ids=lambda layout: str(layout.value))
@pytest.mark.parametrize("seed", _SEEDS)
def test_the_walk_agrees_with_the_evaluator(host: Host, seed: int, layout: Layout, nft: NftVersion) -> None:
    program = _program(seed)
    ruleset = read_back(host, nft, compile_program(program, layout=layout))
    assert [rule.unread for chain in ruleset.chains.values() for rule in chain.rules if rule.unread] == []
    for packet in _with_published(PacketGenerator(program, seed).packets(_PACKETS)):
        decision = evaluate(program, packet)
        found = walk(ruleset, packet)
        counter = counter_of(decision, packet.direction)
        assert (found.verdict, found.counters) == (decision.action.value, (counter,) if counter else ()), packet
        if counter:
            assert found.origin == str(decision.origin)
