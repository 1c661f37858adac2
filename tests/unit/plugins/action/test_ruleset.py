# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``ruleset`` on the controller: what it refuses before it goes to the host. tests/role shows the rest."""

from __future__ import annotations

import typing as t

from ansible_collections.palisade.nftables.plugins.action.ruleset import ActionModule

if t.TYPE_CHECKING:
    from .conftest import Act


def test_it_may_run_in_the_background_as_the_documentation_says() -> None:
    assert ActionModule._supports_async


def test_it_goes_to_the_host_with_what_is_right(act: Act) -> None:
    assert act("ruleset", {"from_inventory": True}, {}).word == "UNREACHABLE"
    assert act("ruleset", {"variables": {}}, {"firewall_polices": {}}).word == "UNREACHABLE"


def test_wrong_variables_never_reach_the_host(act: Act) -> None:
    answer = act("ruleset", {"from_inventory": True}, {"firewall_polices": {}})
    assert answer.word == "FAILED"
    assert [problem["place"] for problem in answer.data["problems"]] == ["firewall_polices"]


def test_what_shall_be_absent_need_not_be_right(act: Act) -> None:
    variables = {"firewall_assigned": "{{ nowhere }}"}
    assert act("ruleset", {"from_inventory": True}, variables).word == "FAILED"
    assert act("ruleset", {"from_inventory": True, "state": "absent"}, variables).word == "UNREACHABLE"
    assert act("ruleset", {"from_inventory": True}, {**variables, "firewall_state": "absent"}).word == "UNREACHABLE"


def test_from_inventory_stands_alone(act: Act) -> None:
    answer = act("ruleset", {"from_inventory": "yes", "variables": {}, "groups": {}}, {})
    assert answer.word == "FAILED"
    assert answer.data["msg"].endswith("leave out variables and groups")


def test_from_inventory_is_a_boolean(act: Act) -> None:
    answer = act("ruleset", {"from_inventory": "perhaps"}, {})
    assert answer.word == "FAILED"
    assert answer.data["msg"].startswith("from_inventory: The value 'perhaps' is not a valid boolean")
    answer = act("ruleset", {"from_inventory": True, "install_nft": "perhaps"}, {})
    assert answer.data["msg"].startswith("install_nft: The value 'perhaps' is not a valid boolean")
