# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Located errors: places, values in messages, and many problems together."""

from __future__ import annotations

import datetime
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._core.errors import (
    Path,
    PolicyError,
    Problem,
    Problems,
    show,
)

SHOWN: t.List[t.Tuple[object, str]] = [
    ("office", "'office'"),
    ("", "''"),
    ("it's", "'it's'"),
    ("a\nb\x1b[31m", "'a\\x0ab\\x1b[31m'"),
    ("\u202e\u200b\ud800", "'\\x202e\\x200b\\xd800'"),
    ("x" * 1000, "'%s...'" % ("x" * 60)),
    (22, "'22'"),
    (-5, "'-5'"),
    (1.5, "'1.5'"),
    (float("nan"), "'nan'"),
    (float("-inf"), "'-inf'"),
    (10**5000, "'a number of more than 30 digits'"),
    (-(10**5000), "'a number of more than 30 digits'"),
    (True, "the boolean 'true'"),
    (False, "the boolean 'false'"),
    (None, "nothing"),
    ([1], "a list"),
    ((1,), "a list"),
    ({}, "a mapping"),
    (b"x", "'bytes'"),
    (datetime.date(2026, 1, 1), "'date'"),
]
PLACES: t.List[t.Tuple[t.List[object], str]] = [
    (["rules", 2, "destination_ports", 0], "firewall_policies.rules[2].destination_ports[0]"),
    (["web-1"], "firewall_policies.web-1"),
    (["web.1"], "firewall_policies['web.1']"),
    (["a b"], "firewall_policies['a b']"),
    ([""], "firewall_policies['']"),
    (["a\nb"], "firewall_policies['a\\x0ab']"),
    (["x" * 1000], "firewall_policies['%s...']" % ("x" * 60)),
    ([7], "firewall_policies[7]"),
    ([10**5000], "firewall_policies['a number of more than 30 digits']"),
    ([True], "firewall_policies[the boolean 'true']"),
    ([None], "firewall_policies[nothing]"),
    ([1.5], "firewall_policies['1.5']"),
    ([(1, 2)], "firewall_policies[a list]"),
]


@pytest.mark.parametrize(("value", "shown"), SHOWN, ids=[one[1] for one in SHOWN])
def test_a_value_is_shown_on_one_line_and_bounded(value: object, shown: str) -> None:
    assert show(value) == shown


@pytest.mark.parametrize(("steps", "place"), PLACES, ids=[one[1] for one in PLACES])
def test_a_place(steps: t.List[object], place: str) -> None:
    path = Path("firewall_policies")
    for step in steps:
        path /= step
    assert str(path) == place


def test_a_place_that_begins_oddly_is_quoted() -> None:
    assert str(Path("a b") / "c") == "'a b'.c"


def test_problems_are_raised_together_in_order() -> None:
    problems = Problems()
    problems.raise_if_any()
    problems.error(Path("b"), "port", "second")
    problems.warn(Path("c"), "empty-network", "not an error")
    problems.error(Path("a"), "type", "first")
    with pytest.raises(PolicyError) as caught:
        problems.raise_if_any()
    assert caught.value.problems == (Problem("port", "b", "second"), Problem("type", "a", "first"))
    assert str(caught.value) == "b: second\na: first"
    assert problems.warnings == [Problem("empty-network", "c", "not an error")]


def test_the_same_problem_is_said_once() -> None:
    problems = Problems()
    problems.error(Path("a"), "type", "again")
    problems.error(Path("a"), "type", "again")
    with pytest.raises(PolicyError) as caught:
        problems.raise_if_any()
    assert len(caught.value.problems) == 1


def test_past_the_first_screen_problems_are_counted() -> None:
    problems = Problems()
    for number in range(1000):
        assert problems.list_is_full == (number >= 50)
        problems.error(Path("a") / number, "type", "wrong")
    with pytest.raises(PolicyError) as caught:
        problems.raise_if_any()
    assert len(caught.value.problems) == 1000
    lines = str(caught.value).splitlines()
    assert lines[49:] == ["a[49]: wrong", "... and 950 more"]
