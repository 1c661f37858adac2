# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``ruleset_info`` on the controller: what goes to the host, and what never does."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from .conftest import Act


def test_it_asks_the_host(act: Act) -> None:
    assert act("ruleset_info", {}, {"firewall_polices": {}}).word == "UNREACHABLE"
    assert act("ruleset_info", {"from_inventory": True}, {}).word == "UNREACHABLE"


def test_wrong_variables_never_reach_the_host(act: Act) -> None:
    answer = act("ruleset_info", {"from_inventory": True}, {"firewall_polices": {}})
    assert answer.word == "FAILED"
    assert [problem["place"] for problem in answer.data["problems"]] == ["firewall_polices"]


def test_variables_come_from_one_place(act: Act) -> None:
    answer = act("ruleset_info", {"from_inventory": True, "variables": {}, "groups": {}}, {})
    assert answer.word == "FAILED"
    assert answer.data["msg"].endswith("leave out variables and groups")


def test_an_option_that_there_is_not(act: Act) -> None:
    assert act("ruleset_info", {"from_inventroy": True}, {}).word == "FAILED"
