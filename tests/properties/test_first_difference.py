# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first policy of a host, which changes everything at once: all of it is found, though not all is spelled out."""

from __future__ import annotations

import time

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._analysis.changed_packets import Limits
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.difference import find_difference
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.meaning import NoRuleset, ProgramMeaning
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Action
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import Program, build_program
from lab import classbench

from .generate import PacketGenerator
from .truth import Truth


@pytest.fixture
def _sets() -> None:
    reason = classbench.why_absent()
    if reason is not None:
        pytest.skip(reason)


def _program(name: str) -> Program:
    return build_program(parse_firewall(classbench.variables(name, drops=0.5)))


def _check(name: str, limits: Limits) -> None:
    program = _program(name)
    started = time.process_time()
    difference = find_difference(NoRuleset(), ProgramMeaning(program), limits)
    seconds = time.process_time() - started
    assert difference.undecided == ()
    truth = Truth(program)
    for group in difference.groups:
        assert truth.decide(group.witness).action is group.after is not Action.ACCEPT
    verdicts = {group.after for group in difference.groups}
    exact = [group for group in difference.groups if group.change.exact]
    for packet in PacketGenerator(program, 1).packets(200):
        action = truth.decide(packet).action
        assert action is Action.ACCEPT or action in verdicts
        holding = [group for group in exact if group.holds(packet, difference.classes)]
        assert len(holding) <= 1
        assert {group.after for group in holding} <= {action}
    print("%s: %.2f s, %d groups, %d exact" % (name, seconds, len(difference.groups), len(exact)))


@pytest.mark.usefixtures("_sets")
@pytest.mark.parametrize("spelling", [0, 100_000])
def test_a_thousand_rules_where_nothing_was(spelling: int) -> None:
    _check("fw1_1k", Limits(total=1_000_000, spelling=spelling))


@pytest.mark.slow
@pytest.mark.usefixtures("_sets")
@pytest.mark.parametrize("name", ["acl2_10k", "fw1_10k"])
def test_ten_thousand_rules_where_nothing_was(name: str) -> None:
    """The bound on the work is on time; that spelling out every change would take some minutes must not use it up."""
    _check(name, Limits(total=5_000_000))
