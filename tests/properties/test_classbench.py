# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sets of about 1,000 rules, with a part of the headers of ``make prove``, which has the large sets as well."""

from __future__ import annotations

import typing as t

import pytest

from lab import classbench
from lab.reexec import ensure_privileges, in_user_namespace, why_unavailable
from lab.verdicts import VerdictLab
from tests.packets.wording import program_of

from .prove import Task, packet_of, prove
from .truth import Truth

if t.TYPE_CHECKING:
    import collections.abc

_HEADERS_FOR_THE_MODEL = 2000
_HEADERS_FOR_THE_KERNEL = 700


@pytest.fixture(autouse=True)
def _sets() -> None:
    reason = classbench.why_absent()
    if reason is not None:
        pytest.skip(reason)


@pytest.fixture(scope="module")
def lab() -> collections.abc.Iterator[VerdictLab]:
    reason = why_unavailable()
    if reason is None:
        ensure_privileges()
        if in_user_namespace():
            reason = "without root the kernel takes no transaction as large as these sets"
    if reason is not None:
        pytest.skip(reason)
    with VerdictLab(interfaces=["eth0"]) as made:
        yield made


@pytest.mark.parametrize("name", classbench.names("1k"))
def test_half_of_the_rules_drop(lab: VerdictLab, name: str) -> None:
    task = Task(name, 0.5, for_model=_HEADERS_FOR_THE_MODEL, for_kernel=_HEADERS_FOR_THE_KERNEL)
    assert prove(task, lab).differences == []


@pytest.mark.parametrize("name", classbench.names("1k"))
def test_one_rule_in_ten_drops_and_nothing_counts(name: str) -> None:
    task = Task(name, 0.1, counters=False, for_model=_HEADERS_FOR_THE_MODEL)
    assert prove(task, None).differences == []


def test_a_set_is_read_as_it_is_written() -> None:
    for name in [*classbench.names("1k"), "fw4_10k"]:
        rules = classbench.read(name)
        lines = (classbench.folder() / name).read_text(encoding="ascii").split("\n@")
        assert len(rules) == len(lines), name


@pytest.mark.parametrize("name", ["acl1_1k", "fw5_1k"])
def test_the_header_of_a_rule_meets_it_or_one_before_it(name: str) -> None:
    """So a set, the variables made of it and the headers drawn from it are about the same packets."""
    rules = classbench.read(name)
    program = program_of(classbench.policy(rules))
    truth = Truth(program)
    for index, rule in enumerate(rules):
        middle = [(low + high) // 2 for low, high in rule[:4]]
        protocol = rule.protocols[0]
        ports = middle[2:] if protocol in (6, 17) else (None, None)
        decision = truth.decide(packet_of(classbench.Header(middle[0], middle[1], *ports, protocol)))
        assert decision.origin.index is not None
        assert decision.origin.index <= index


def test_headers_and_verdicts_come_from_their_seed_alone() -> None:
    rules = classbench.read("fw1_1k")
    assert classbench.headers(rules, 100, 7) == classbench.headers(rules, 100, 7)
    assert classbench.headers(rules, 100, 7) != classbench.headers(rules, 100, 8)
    assert classbench.variables("fw1_1k", drops=0.1) == classbench.variables("fw1_1k", drops=0.1)
    actions = [
        rule["action"] for rule in classbench.variables("fw1_1k", drops=0.1)["firewall_policies"]["bench"]["rules"]
    ]
    assert 0.05 < actions.count("drop") / len(actions) < 0.15
