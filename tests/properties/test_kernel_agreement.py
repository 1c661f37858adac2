# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evaluator and kernel agree: at least 100,000 verdicts with fixed seeds."""

from __future__ import annotations

import typing as t

import pytest

from lab.reexec import ensure_privileges, in_user_namespace, why_unavailable
from lab.verdicts import VerdictLab

from .agreement import INTERFACES, PACKETS, Agreement, compare

if t.TYPE_CHECKING:
    import collections.abc

SEEDS = range(1, 43)
FEWEST = 100_000

#: Sizes differ, so that short policies, where the default decides, are met as well.
SIZES = (300, 400, 30)

#: Without root the kernel takes no transaction that is larger than a socket's buffer: about this many rules.
LARGEST_WITHOUT_ROOT = 60


@pytest.fixture(scope="module")
def lab() -> collections.abc.Iterator[VerdictLab]:
    reason = why_unavailable()
    if reason is not None:
        pytest.skip(reason)
    ensure_privileges()
    with VerdictLab(interfaces=list(INTERFACES)) as made:
        yield made


@pytest.fixture(scope="module")
def total(request: pytest.FixtureRequest) -> collections.abc.Iterator[Agreement]:
    """Sums up over the seeds, and prints how many verdicts there were."""
    agreement = Agreement()
    yield agreement
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print("\n%s" % agreement)


@pytest.mark.parametrize("seed", SEEDS)
def test_evaluator_and_kernel_agree(lab: VerdictLab, total: Agreement, seed: int) -> None:
    found = Agreement()
    rules = SIZES[seed % len(SIZES)]
    compare(lab, seed, found, rules=min(rules, LARGEST_WITHOUT_ROOT) if in_user_namespace() else rules)
    total.verdicts += found.verdicts
    total.stages += found.stages
    assert found.differences == []


def test_enough_verdicts_were_compared() -> None:
    assert len(SEEDS) * PACKETS >= FEWEST
