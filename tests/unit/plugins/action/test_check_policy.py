# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``check_policy``: everything about a host's variables, and no connection."""

from __future__ import annotations

import typing as t

from ansible_collections.palisade.nftables.plugins.action.check_policy import ActionModule

if t.TYPE_CHECKING:
    from .conftest import Act

SSH = {"ssh": {"rules": [{"direction": "ingress", "service": "ssh", "sources": ["group:all"], "action": "accept"}]}}


def test_it_asks_for_no_connection() -> None:
    assert not ActionModule._requires_connection


def test_a_host_whose_variables_are_right(act: Act) -> None:
    answer = act("check_policy", {}, {"firewall_policies": SSH, "firewall_assigned": ["ssh"]})
    assert answer.word == "SUCCESS"
    assert answer.data["policies"] == ["ping", "ssh"]
    assert (answer.data["effective_rules"], answer.data["state"], answer.data["changed"]) == (1, "present", False)


def test_warnings_are_shown(act: Act) -> None:
    answer = act("check_policy", {}, {"firewall_policies": SSH, "firewall_assigned": ["ssh"]})
    assert "no address is known for db1 of the group 'all'; set firewall_addresses there" in answer.output


def test_a_host_without_any(act: Act) -> None:
    answer = act("check_policy", {}, {})
    assert (answer.word, answer.data["policies"], answer.data["effective_rules"]) == ("SUCCESS", ["ping"], 0)


def test_all_problems_come_together(act: Act) -> None:
    answer = act(
        "check_policy",
        {},
        {
            "firewall_policies": SSH,
            "firewall_assigned": ["shh"],
            "firewall_profile": "{{ nowhere }}",
            "firewall_polices": {},
        },
    )
    assert answer.word == "FAILED"
    assert answer.data["problems"] == [
        {
            "code": "misspelt",
            "place": "firewall_polices",
            "message": "no such role variable; did you mean 'firewall_policies'?",
        },
        {"code": "template", "place": "firewall_profile", "message": "'nowhere' is undefined"},
        {
            "code": "undefined",
            "place": "firewall_assigned[0]",
            "message": "the policy 'shh' is not in firewall_policies",
        },
    ]
    assert "web1: 3 problems in the firewall's variables\nfirewall_polices: no such" in answer.output


def test_everything_looks_at_what_nobody_uses(act: Act) -> None:
    variables = {"firewall_policies": {"unused": {"rules": [{"direction": "in", "action": "accept"}]}}}
    assert act("check_policy", {}, variables).word == "SUCCESS"
    answer = act("check_policy", {"everything": True}, variables)
    assert [problem["place"] for problem in answer.data["problems"]] == ["firewall_policies.unused.rules[0].direction"]


def test_everything_with_right_variables_passes_the_schema_too(act: Act) -> None:
    answer = act("check_policy", {"everything": True}, {"firewall_policies": SSH, "firewall_assigned": ["ssh"]})
    assert (answer.word, answer.data["effective_rules"]) == ("SUCCESS", 1)


def test_an_unknown_option_is_refused(act: Act) -> None:
    answer = act("check_policy", {"everthing": True}, {})
    assert answer.word == "FAILED"
    assert "everthing" in answer.data["msg"]
