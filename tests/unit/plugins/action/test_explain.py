# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``explain``: a host's answer about a packet, from its variables alone, and no connection."""

from __future__ import annotations

import typing as t

import yaml

from ansible_collections.palisade.nftables.plugins.filter import explain as explain_filter
from ansible_collections.palisade.nftables.plugins.modules import explain as explain_module

if t.TYPE_CHECKING:
    from .conftest import Act

SSH = {"ssh": {"rules": [{"direction": "ingress", "service": "ssh", "sources": ["group:all"], "action": "accept"}]}}
VARIABLES = {"firewall_policies_x": SSH, "firewall_assigned_x": ["ssh"], "firewall_addresses": "192.0.2.1"}


def test_the_answer(act: Act) -> None:
    answer = act("explain", {"packet": "tcp from 192.0.2.1 to port 22"}, VARIABLES)
    assert answer.word == "SUCCESS", answer.output
    data = answer.data
    assert (data["verdict"], data["origin"], data["changed"]) == ("accept", "ssh[0]", False)
    assert (data["variable"], data["assigned_at"]) == ("firewall_policies_x", "firewall_assigned_x[0]")
    assert (data["defined_by"], data["assigned_by"]) == ("group all", "group all")
    assert set(data) >= set(yaml.safe_load(explain_module.RETURN)) - {"live"}


def test_the_hosts_own_address_is_the_destination(act: Act) -> None:
    rule = {"direction": "ingress", "destinations": "192.0.2.1", "action": "accept"}
    variables = {"firewall_policies": {"own": {"rules": [rule]}}, "firewall_assigned": ["own"]}
    answer = act("explain", {"packet": {"protocol": "gre", "from": "203.0.113.7"}}, variables)
    assert (answer.data["origin"], answer.data["packet"]["destination"]) == ("own[0]", "192.0.2.1")
    assert answer.data["depends_on"] == ["destination"]


def test_a_packet_that_is_none(act: Act) -> None:
    answer = act("explain", {"packet": {"protocol": "tcp", "port": 70000}}, VARIABLES)
    assert answer.word == "FAILED"
    assert answer.data["problems"] == [
        {"code": "packet", "place": "packet.port", "message": "'70000' is not a port (0-65535)"}
    ]
    assert "firewall's variables" not in answer.data["msg"]


def test_variables_that_are_wrong(act: Act) -> None:
    answer = act("explain", {"packet": "ping"}, {**VARIABLES, "firewall_assigned": ["shh"]})
    assert answer.word == "FAILED"
    assert "web1: one problem in the firewall's variables\nfirewall_assigned[0]: the policy 'shh'" in answer.output


def test_a_host_that_shall_have_no_firewall(act: Act) -> None:
    answer = act("explain", {"packet": "ping"}, {**VARIABLES, "firewall_state": "absent"})
    assert answer.word == "FAILED"
    assert "web1 has no firewall to ask: its firewall_state is absent" in answer.data["msg"]


def test_module_and_filter_document_the_same_answer() -> None:
    of_filter = yaml.safe_load(explain_filter.RETURN)["_value"]["contains"]
    assert set(of_filter) <= set(yaml.safe_load(explain_module.RETURN))
