# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lint during a run: warnings before the host is reached, and errors instead of reaching it."""

from __future__ import annotations

import typing as t

import pytest

if t.TYPE_CHECKING:
    from .conftest import Act

SSH = {"direction": "ingress", "service": "ssh", "sources": ["198.51.100.0/24"], "action": "accept"}
HTTPS = {"direction": "ingress", "service": "https", "action": "accept"}
FROM_INVENTORY = {"from_inventory": True}


def variables(*rules: t.Mapping[str, object], **settings: object) -> t.Dict[str, object]:
    return {"firewall_policies": {"web": {"rules": list(rules)}}, "firewall_assigned": ["web"], **settings}


TWICE = variables(SSH, HTTPS, HTTPS)


def test_a_run_warns_and_goes_on(act: Act) -> None:
    answer = act("ruleset", FROM_INVENTORY, TWICE)
    assert answer.word == "UNREACHABLE"
    output = " ".join(answer.output.split())
    assert "[WARNING]: web1: duplicate: web[2]: says what web[1] says already" in output
    assert "redundant" not in output, "that is no warning"


def test_right_policies_make_no_noise(act: Act) -> None:
    answer = act("ruleset", FROM_INVENTORY, variables(SSH, HTTPS))
    assert answer.word == "UNREACHABLE"
    assert "WARNING" not in answer.output


@pytest.mark.parametrize(("action", "arguments"), [("ruleset", FROM_INVENTORY), ("check_policy", {})])
def test_codes_that_fail_stop_before_the_host(act: Act, action: str, arguments: t.Dict[str, object]) -> None:
    answer = act(action, arguments, {**TWICE, "firewall_lint_fail": ["duplicate"]})
    assert answer.word == "FAILED"
    first, second = answer.data["msg"].splitlines()
    assert first == "web1: lint has one finding of a code in firewall_lint_fail"
    assert second.startswith("duplicate: web[2]: ")
    assert [finding["rule"] for finding in answer.data["findings"]] == ["web[2]"]


def test_a_code_that_is_no_warning_can_fail_too(act: Act) -> None:
    answer = act("ruleset", FROM_INVENTORY, {**TWICE, "firewall_lint_fail": ["redundant"]})
    assert answer.word == "FAILED"
    assert "redundant: web[1]" in answer.data["msg"]


def test_other_codes_do_not(act: Act) -> None:
    assert act("check_policy", {}, {**TWICE, "firewall_lint_fail": ["exposed"]}).word == "SUCCESS"


def test_a_deploy_of_long_policies_does_not_wait_for_warnings(act: Act) -> None:
    many = [{**SSH, "service": "https", "sources": ["198.18.%d.%d" % divmod(one, 250)]} for one in range(2000)]
    twice = variables(*many, HTTPS, HTTPS)
    assert "duplicate: web[2001]" not in act("ruleset", FROM_INVENTORY, twice).output
    assert act("ruleset", FROM_INVENTORY, {**twice, "firewall_lint_fail": ["duplicate"]}).word == "FAILED"


def test_the_port_of_the_connection_is_that_of_ssh(act: Act) -> None:
    closed = variables(HTTPS)
    asked = {**closed, "firewall_lint_fail": ["ssh-locked-out"]}
    assert act("check_policy", {}, asked).word == "FAILED"
    assert act("check_policy", {}, {**asked, "ansible_port": 443}).word == "SUCCESS"


def test_what_shall_be_absent_is_not_judged(act: Act) -> None:
    asked = {**TWICE, "firewall_lint_fail": ["duplicate"], "firewall_state": "absent"}
    assert act("ruleset", FROM_INVENTORY, asked).word == "UNREACHABLE"
