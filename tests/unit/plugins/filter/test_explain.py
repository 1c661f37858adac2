# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter ``explain``, called as a playbook calls it."""

from __future__ import annotations

import json
import typing as t

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible.template import Templar, trust_as_template

from ansible_collections.palisade.nftables.plugins.doc_fragments._keywords import ModuleDocFragment
from ansible_collections.palisade.nftables.plugins.filter import explain as explain_filter
from ansible_collections.palisade.nftables.plugins.plugin_utils._keywords import KEYWORDS

RULE = "{'direction': 'ingress', 'protocol': 'tcp', 'destination_ports': 22, 'sources': ['office'], 'action': 'accept'}"
POLICIES = "{'ssh': {'rules': [%s]}, 'other': {'rules': 5}}" % RULE


def explained(expression: str, **variables: object) -> t.Any:
    return Templar(variables=variables).template(trust_as_template("{{ %s }}" % expression))


def problems_of(expression: str, **variables: object) -> str:
    with pytest.raises(AnsibleError) as caught:
        explained(expression, **variables)
    return str(caught.value.message)


@pytest.mark.parametrize(
    ("packet", "verdict"),
    [
        ("'tcp from 198.51.100.7 to port 22'", "accept"),
        ("'tcp from 203.0.113.7 to port 22'", "drop"),
        ("{'protocol': 'tcp', 'source': source, 'port': 22}", "accept"),
    ],
)
def test_words_and_fields(packet: str, verdict: str) -> None:
    found = explained(
        POLICIES
        + " | palisade.nftables.explain(%s, assigned_x=['ssh'], networks={'office': 'group:vpn'}," % packet
        + " groups={'vpn': ['198.51.100.0/24']})",
        source="198.51.100.8",
    )
    assert found["verdict"] == verdict
    assert "office (198.51.100.0/24)" in found["text"] or found["assigned_at"] == "firewall_assigned_x[0]"
    assert json.loads(json.dumps(found)) == found


def test_host_feeds_the_safeguards() -> None:
    expression = "{} | palisade.nftables.explain('out udp to 192.0.2.53 port 53', default_egress='drop'%s)"
    assert explained(expression % "")["verdict"] == "drop"
    assert explained(expression % ", host={'dns_servers': ['192.0.2.53']}")["stage"] == "safeguard"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("{} | palisade.nftables.explain('tcp')", "packet: tcp has ports: say which, such as 'to port 22'"),
        ("{} | palisade.nftables.explain(5)", "packet: '5' is not a packet"),
        ("{} | palisade.nftables.explain('ping', asigned=[])", "unknown keyword 'asigned'; did you mean 'assigned'?"),
        ("{} | palisade.nftables.explain('ping', profile='x')", "firewall_profile: 'x' is not one of"),
        ("{} | palisade.nftables.explain({'protocol': nowhere})", "'nowhere' is undefined"),
    ],
)
def test_what_is_refused(expression: str, expected: str) -> None:
    assert expected in problems_of(expression)


def test_the_documentation_names_every_keyword() -> None:
    options = yaml.safe_load(explain_filter.DOCUMENTATION)["options"]
    shared = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    assert {*options, *shared} == {"_input", "packet", *KEYWORDS}


def test_the_documentation_names_every_key_of_the_answer() -> None:
    documented = yaml.safe_load(explain_filter.RETURN)["_value"]["contains"]
    found = explained(
        POLICIES + " | palisade.nftables.explain('tcp port 23', assigned=['ssh'], networks={'office': []})"
    )
    assert set(documented) == set(found)
    found = explained("{} | palisade.nftables.explain('icmp type 13', default_ingress='drop')")
    assert set(documented["near_misses"]["contains"]) == set(found["near_misses"][0])
