# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings of a run, which no rule is about, as they are collected from the inventory."""

from __future__ import annotations

import pathlib

import pytest

from .collecting import Collect, problems_of


@pytest.fixture(name="collected")
def fixture_collected(tmp_path: pathlib.Path) -> Collect:
    return Collect(tmp_path)


@pytest.mark.parametrize(
    ("text", "state"),
    [("present", "present"), ("Absent", "absent"), ("null", "present"), ("'{{ \"absent\" }}'", "absent")],
)
def test_state(collected: Collect, text: str, state: str) -> None:
    assert collected("firewall_state: %s" % text).state == state


def test_what_shall_be_absent_need_not_be_right(collected: Collect) -> None:
    variables = "firewall_assigned: [ssh]\nfirewall_policies: {ssh: '{{ nowhere }}'}\n"
    assert collected(variables + "firewall_state: absent").variables == {}
    assert collected(variables, state="absent").variables == {}
    assert problems_of(collected, variables) == ["firewall_policies.ssh: 'nowhere' is undefined"]


@pytest.mark.parametrize(
    ("text", "persist"), [("true", "true"), ("'no'", "false"), ("Auto", "auto"), ("null", "auto"), ("'False'", "false")]
)
def test_persist(collected: Collect, text: str, persist: str) -> None:
    assert collected("firewall_persist: %s" % text).persist == persist


@pytest.mark.parametrize(
    ("text", "seconds"), [("null", 60), ("0", 0), ("10", 10), ("'120'", 120), ("'{{ 30 }}'", 30), ("3600", 3600)]
)
def test_confirm_timeout(collected: Collect, text: str, seconds: int) -> None:
    assert collected("firewall_confirm_timeout: %s" % text).confirm_timeout == seconds
    assert collected("").confirm_timeout == 60


@pytest.mark.parametrize("text", ["9", "3601", "-1", "true", "1.5", "soon", "'٣٠'", "[60]"])
def test_a_confirm_timeout_that_is_none(collected: Collect, text: str) -> None:
    (problem,) = problems_of(collected, "firewall_confirm_timeout: %s" % text)
    assert problem.startswith("firewall_confirm_timeout: ")
    assert problem.endswith(" is not 0, nor 10 to 3600 seconds")


def test_must_reach(collected: Collect) -> None:
    found = collected("firewall_must_reach: ['mirror.example.net:443', '[2001:db8::1]:80', '{{ \"192.0.2.1\" }}:22']")
    assert found.must_reach == ["mirror.example.net:443", "[2001:db8::1]:80", "192.0.2.1:22"]
    assert collected("firewall_must_reach: db.example.net:5432").must_reach == ["db.example.net:5432"]
    assert problems_of(collected, "firewall_must_reach: ['80', 'a b:1', '192.0.2.1', 'x:0', 'x:65536']") == [
        "firewall_must_reach[%d]: %s is not HOST:PORT, such as 'mirror.example.net:443' or '[2001:db8::1]:443'"
        % (index, text)
        for index, text in enumerate(["'80'", "'a b:1'", "'192.0.2.1'", "'x:0'", "'x:65536'"])
    ]


def test_lint_fail(collected: Collect) -> None:
    assert collected("firewall_lint_fail: [shadowed, '{{ \"exposed\" }}']").lint_fail == ["shadowed", "exposed"]
    assert collected("firewall_lint_fail: duplicate").lint_fail == ["duplicate"]
    assert collected("firewall_lint_fail:").lint_fail == []
    assert problems_of(collected, "firewall_lint_fail: [shadowd, 5, provider-refuses]") == [
        "firewall_lint_fail[0]: 'shadowd' is not a code of lint (docs/lint.md); did you mean 'shadowed'?",
        "firewall_lint_fail[1]: '5' is not a code of lint (docs/lint.md)",
        "firewall_lint_fail[2]: 'provider-refuses' is not a code of lint (docs/lint.md)",
    ]


@pytest.mark.parametrize(("text", "value"), [("null", "fail"), ("Disable", "disable"), ("ignore", "ignore")])
def test_on_conflict(collected: Collect, text: str, value: str) -> None:
    assert collected("firewall_on_conflict: %s" % text).on_conflict == value


def test_layout_counters_and_published_ports_are_templated_and_handed_on(collected: Collect) -> None:
    found = collected(
        "firewall_layout: '{{ \"Ordered\" }}'\nfirewall_counters: '{{ 1 > 2 }}'\nfirewall_published: '{{ \"leave\" }}'"
    )
    assert found.variables == {
        "firewall_layout": "Ordered",
        "firewall_counters": False,
        "firewall_published": "leave",
    }


def test_settings_that_are_none_of_their_choices(collected: Collect) -> None:
    assert problems_of(collected, "firewall_state: abent\nfirewall_persist: 3") == [
        "firewall_state: 'abent' is not one of present, absent; did you mean 'absent'?",
        "firewall_persist: '3' is not one of auto, true, false",
    ]
