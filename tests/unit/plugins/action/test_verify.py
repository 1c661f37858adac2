# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``verify`` on the controller: what to ask, and what answers mean; no connection."""

from __future__ import annotations

import typing as t

import yaml

from ansible_collections.palisade.nftables.plugins.modules import verify as verify_module

if t.TYPE_CHECKING:
    from .conftest import Act

WEB = {"web": {"rules": [{"direction": "ingress", "protocol": "tcp", "destination_ports": 80, "action": "accept"}]}}
VARIABLES = {"firewall_policies_x": WEB, "firewall_assigned_x": ["web"], "firewall_addresses": "192.0.2.1"}
DOCUMENTED = yaml.safe_load(verify_module.RETURN)


def answers(act: Act, outcome: str, **variables: t.Any) -> t.Dict[str, t.Any]:
    """One question, and what is made of its answer."""
    asked = act("verify", {"step": "choose", "most": 1, "ports": [80]}, VARIABLES)
    assert asked.data["targets"] == [{"address": "192.0.2.1", "port": 80, "protocol": "tcp"}], asked.output
    answer = {"outcome": outcome, "detail": "", "icmp": None, "source": "203.0.113.7", "source_port": 40000}
    registered = [{"palisade_sender": "localhost", "answers": [answer]}]
    judged = act("verify", {"step": "judge", "most": 1, "ports": [80], "answers": registered, **variables}, VARIABLES)
    assert judged.word == "SUCCESS", judged.output
    return judged.data


def test_an_answer(act: Act) -> None:
    data = answers(act, "connected")
    assert (data["verified"], data["changed"], data["rounds"]) == (True, False, [])
    (row,) = data["rows"]
    assert (row["result"], row["variable"], row["source"]) == ("as expected", "firewall_policies_x", "203.0.113.7")
    assert set(row) == set(DOCUMENTED["rows"]["contains"])
    assert set(data) <= {"changed", *DOCUMENTED}


def test_a_difference_is_asked_again(act: Act) -> None:
    data = answers(act, "filtered")
    assert data["verified"] is False
    (one,) = data["rounds"]
    assert one["asks"] == [
        {"sender": "localhost", "targets": [{"address": "192.0.2.1", "port": 80, "protocol": "tcp"}]}
    ]
    (look,) = one["looks"]
    assert (look["host"], look["packets"][0]["destination_port"]) == ("web1", 80)


def test_a_host_without_its_ruleset_is_asked_nothing(act: Act) -> None:
    missing = act("verify", {"step": "choose", "present": False}, VARIABLES)
    assert missing.data["msg"].startswith("web1 has no ruleset of Palisade, so its policies are not in force")
    for arguments in ({"present": True}, {}):
        assert act("verify", {"step": "choose", **arguments}, VARIABLES).data["targets"]
    removed = act("verify", {"step": "choose", "present": False}, {**VARIABLES, "firewall_state": "absent"})
    assert removed.data["targets"] == []


def test_addresses_that_are_translated(act: Act) -> None:
    assert answers(act, "connected", seen_as=["198.51.100.9"])["rows"][0]["packet"].startswith(
        "ingress tcp from 198.51.100.9 port 40000"
    )


def test_a_listener_that_is_refused(act: Act) -> None:
    listening = [{"protocol": "tcp", "address": "0.0.0.0", "port": 80}]
    assert answers(act, "refused", listeners=listening)["verified"] is False
    assert answers(act, "refused")["verified"] is True


def test_who_did_not_ask(act: Act) -> None:
    registered = [{"palisade_sender": "db1", "unreachable": True, "msg": "no way there"}]
    judged = act("verify", {"step": "judge", "answers": registered}, VARIABLES)
    assert judged.data["verified"] is False
    assert judged.data["text"].endswith("db1 did not ask: no way there")


def test_what_is_wrong(act: Act) -> None:
    wrong = act("verify", {"step": "choose", "ports": ["http"]}, VARIABLES)
    assert wrong.data["msg"] == "web1: 'http' is not a port to ask, such as 8080, tcp/8080 or udp/53"
    nowhere = act("verify", {"step": "choose"}, {**VARIABLES, "firewall_addresses": []})
    assert "no address of it is known" in nowhere.data["msg"]
    nobody = act("verify", {"step": "judge", "seen_as": ["here"]}, VARIABLES)
    assert nobody.data["msg"] == "web1: 'here' is not an address"
    policy = act("verify", {"step": "choose"}, {**VARIABLES, "firewall_assigned": ["wbe"]})
    assert "web1: one problem in the firewall's variables\nfirewall_assigned[0]: the policy 'wbe'" in policy.output
    absent = act("verify", {"step": "observe"}, {**VARIABLES, "firewall_state": "absent"})
    assert absent.data["msg"] == "web1 has no firewall to look at"
