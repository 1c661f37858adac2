# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter ``lint``, called as a playbook calls it."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible.errors import AnsibleError
from ansible.template import Templar, trust_as_template

RULE = "{'direction': 'ingress', 'protocol': 'tcp', 'destination_ports': %s, 'action': 'accept'}"
POLICIES = "{'web': {'rules': [%s, %s, %s]}}" % (RULE % 2200, RULE % 443, RULE % "'443'")


def linted(expression: str, **variables: object) -> t.Any:
    return Templar(variables=variables).template(trust_as_template("{{ %s }}" % expression))


def problems_of(expression: str) -> str:
    with pytest.raises(AnsibleError) as caught:
        linted(expression)
    return str(caught.value.message)


def test_findings_are_plain_data() -> None:
    findings = linted(POLICIES + " | palisade.nftables.lint(assigned=['web'], ssh_port=2200)")
    json.dumps(findings)
    duplicates = [one for one in findings if one["code"] == "duplicate"]
    assert [(one["rule"], one["others"], one["severity"]) for one in duplicates] == [("web[2]", ["web[1]"], "warning")]
    assert duplicates[0]["witness"]["destination_port"] == 443
    assert {one["code"] for one in findings if one["severity"] == "warning"} == {"duplicate"}


def test_the_port_of_ssh() -> None:
    codes = [one["code"] for one in linted(POLICIES + " | palisade.nftables.lint(assigned=['web'])")]
    assert "ssh-locked-out" in codes


def test_what_is_known_of_the_host() -> None:
    policy = "{'out': {'rules': [{'direction': 'egress', 'service': ['http', 'https'], 'action': 'accept'}]}}"
    call = policy + " | palisade.nftables.lint(assigned=['out'], safeguards={'dns': false}, host=%s)"
    cut = [one for one in linted(call % "{'dns_servers': ['192.0.2.53']}") if one["code"] == "egress-cut"]
    assert "192.0.2.53 port 53" in cut[0]["text"]


def test_providers() -> None:
    call = POLICIES + " | palisade.nftables.lint(assigned=['web'], default_ingress='reject', providers=%s)"
    assert [one["code"] for one in linted(call % "['contabo']")].count("provider-refuses") == 0
    refusing = "{'web': {'rules': [{'direction': 'ingress', 'action': 'reject'}]}}"
    findings = linted(refusing + " | palisade.nftables.lint(assigned=['web'], providers=['contabo'])")
    assert any(one["code"] == "provider-refuses" and "knows only accept" in one["message"] for one in findings)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("ssh_port='22'", "ssh_port: '22' is not a port (1-65535)"),
        ("ssh_port=true", "ssh_port: the boolean 'true' is not a port"),
        ("providers='netcup'", "providers: 'netcup' is not a list of profiles"),
        ("providers=['host']", "providers: 'host' is not one of netcup, contabo"),
        ("asigned=[]", "unknown keyword 'asigned'"),
        ("assigned=['nothing']", "the policy 'nothing' is not in firewall_policies"),
    ],
)
def test_arguments_that_are_none(arguments: str, message: str) -> None:
    assert message in problems_of("{} | palisade.nftables.lint(%s)" % arguments)
