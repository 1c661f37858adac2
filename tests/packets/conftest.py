# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets asked of the reference evaluator and of the kernel in one go."""

from __future__ import annotations

import typing as t

import pytest

from .kernel import verdicts_of
from .wording import Expected, Packet, decide, program_of, text_of

if t.TYPE_CHECKING:
    import collections.abc

    from lab.verdicts import VerdictLab

Counters = t.Dict[str, t.Tuple[int, int]]


class Check(t.Protocol):
    """Checks packets against role variables; returns the counters (packets, bytes) after them."""

    def __call__(
        self,
        variables: t.Mapping[str, object],
        expected: t.Sequence[Expected],
        *,
        host: t.Optional[t.Mapping[str, object]] = None,
        groups: t.Optional[t.Mapping[str, object]] = None,
    ) -> Counters: ...


@pytest.fixture(scope="session")
def verdict_lab() -> collections.abc.Iterator[VerdictLab]:
    """One lab for all: a ruleset is replaced as a whole before each use."""
    from lab.reexec import ensure_privileges, why_unavailable
    from lab.verdicts import VerdictLab

    reason = why_unavailable()
    if reason is not None:
        pytest.skip(reason)
    ensure_privileges()
    with VerdictLab(interfaces=["eth0", "eth1", "docker0", "br-lan"]) as lab:
        yield lab


@pytest.fixture
def check(verdict_lab: VerdictLab) -> Check:
    """Asks both, and shows every packet that either of them decides otherwise."""

    def run(
        variables: t.Mapping[str, object],
        expected: t.Sequence[Expected],
        *,
        host: t.Optional[t.Mapping[str, object]] = None,
        groups: t.Optional[t.Mapping[str, object]] = None,
    ) -> Counters:
        program = program_of(variables, host=host, groups=groups)
        packets: t.List[Packet] = [one.packet for one in expected]
        verdict_lab.load(text_of(program))
        seen = verdicts_of(verdict_lab, packets)
        for one, kernel in zip(expected, seen):
            decision = decide(program, one.packet)
            assert (decision.action.value, kernel) == (one.verdict, one.verdict), (
                "%s: the evaluator says %s (%s, %s), the kernel %s"
                % (one.packet, decision.action.value, decision.stage.value, decision.origin, kernel)
            )
        return dict(verdict_lab.counters())

    return run
