# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter ``compile``, called as a playbook calls it."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible.template import Templar, trust_as_template

from ansible_collections.palisade.nftables.plugins.doc_fragments._keywords import ModuleDocFragment
from ansible_collections.palisade.nftables.plugins.filter import compile as compile_filter
from ansible_collections.palisade.nftables.plugins.plugin_utils._keywords import KEYWORDS

RULE = "{'direction': 'ingress', 'protocol': 'tcp', 'destination_ports': %s, 'sources': ['office'], 'action': 'accept'}"
POLICIES = "{'web': {'rules': [%s]}, 'other': {'rules': 5}}" % RULE


def compiled(expression: str, **variables: object) -> t.Any:
    return Templar(variables=variables).template(trust_as_template("{{ %s }}" % expression))


def problems_of(expression: str, **variables: object) -> str:
    with pytest.raises(AnsibleError) as caught:
        compiled(expression, **variables)
    return str(caught.value.message)


def test_text_of_a_first_load() -> None:
    text = compiled(
        POLICIES
        % "[80, 443]"
        + " | palisade.nftables.compile(assigned=['web'], networks={'office': ['198.51.100.0/24', 'group:vpn']},"
        " groups={'vpn': ['203.0.113.5']}, default_policies=[], interfaces=['eth0'], log_dropped=true)"
    )
    assert type(text) is str
    assert text.startswith("table inet palisade\ndelete table inet palisade\n")
    assert "198.51.100.0/24" in text
    assert "203.0.113.5" in text
    assert 'iifname "eth0"' in text
    assert "log prefix" in text


def test_layout_and_counters() -> None:
    policy = POLICIES % 80 + " | palisade.nftables.compile(assigned=['web'], networks={'office': '192.0.2.1'}%s)"
    counted = compiled(policy % ", layout='Ordered'")
    assert 'ip saddr 192.0.2.1 tcp dport 80 counter name "policy/web/0" accept comment "web[0]"' in counted
    uncounted = compiled(policy % ", layout='ordered', counters=false")
    assert 'ip saddr 192.0.2.1 tcp dport 80 accept comment "web[0]"' in uncounted
    assert "counter" not in uncounted
    assert "counter" not in compiled(policy % ", counters='no'")


def test_published_ports() -> None:
    policy = POLICIES % 80 + " | palisade.nftables.compile(assigned=['web'], networks={'office': '192.0.2.1'}%s)"
    assert "ct original proto-dst 80" in compiled(policy % "")
    assert "ct original" not in compiled(policy % ", published='Leave'")


def test_layout_counters_and_published_that_are_none() -> None:
    message = problems_of("{} | palisade.nftables.compile(layout='linear', counters=2, published='drop')")
    assert "firewall_published: 'drop' is not one of filter, leave" in message
    assert "firewall_layout: 'linear' is not one of auto, ordered" in message
    assert "firewall_counters: '2' is not true or false" in message


def test_the_same_input_gives_the_same_bytes() -> None:
    expression = POLICIES % 80 + " | palisade.nftables.compile(assigned=['web'], networks={'office': '192.0.2.1'})"
    assert compiled(expression) == compiled(expression)


def test_catalogues_with_a_suffix() -> None:
    expression = (
        POLICIES % 80
        + " | palisade.nftables.compile(assigned_web=['web'], networks_office={'office': '192.0.2.1'},"
        + " policies_more={'more': {'rules': []}}, assigned=['more'])"
    )
    assert "192.0.2.1" in compiled(expression)


def test_host_feeds_the_safeguards() -> None:
    deny = (
        "{'web': {'rules': [{'direction': 'egress', 'action': 'drop'}]}} | palisade.nftables.compile(assigned=['web']"
    )
    assert "192.0.2.53" not in compiled(deny + ")")
    text = compiled(
        deny + ", host={'dns_servers': [server], 'ntp_servers': ['any'], 'dhcp4': true})", server="192.0.2.53"
    )
    assert "192.0.2.53" in text
    assert "dport 123" in text


def test_every_problem_is_named_with_its_place() -> None:
    message = problems_of(
        POLICIES % "70000"
        + " | palisade.nftables.compile(assigned=['web', 'wep'], profile='hots', host={'dns_servers': 1})"
    )
    for place in (
        "host.dns_servers: '1' is not a list",
        "firewall_policies.web.rules[0].destination_ports",
        "firewall_policies.web.rules[0].sources",
        "firewall_assigned[1]: the policy 'wep' is not in firewall_policies",
        "firewall_profile: 'hots' is not one of host, netcup, contabo; did you mean 'host'?",
    ):
        assert place in message


@pytest.mark.parametrize(
    ("keyword", "expected"),
    [
        ("asigned=[]", "unknown keyword 'asigned'; did you mean 'assigned'?"),
        ("state='absent'", "unknown keyword 'state'"),
        ("firewall_assigned=[]", "unknown keyword 'firewall_assigned'"),
        ("policies={}", "unknown keyword 'policies'"),
    ],
)
def test_an_unknown_keyword_is_refused(keyword: str, expected: str) -> None:
    assert expected in problems_of("{} | palisade.nftables.compile(%s)" % keyword)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("5 | palisade.nftables.compile", "firewall_policies: '5' is not a mapping of policy names"),
        ("{} | palisade.nftables.compile(groups=[1])", "groups: a list is not a mapping of group names to addresses"),
        ("{} | palisade.nftables.compile(host='x')", "host: 'x' is not a mapping of host facts"),
        ("{} | palisade.nftables.compile(networks=3)", "firewall_networks: '3' is not a mapping of network names"),
    ],
)
def test_values_of_the_wrong_kind(expression: str, expected: str) -> None:
    assert expected in problems_of(expression)


def test_an_undefined_variable_is_the_template_engines() -> None:
    expression = "{'web': {'rules': [nowhere]}} | palisade.nftables.compile(assigned=['web'])"
    assert "'nowhere' is undefined" in problems_of(expression)
    assert compiled(expression + " | default('nothing')") == "nothing"


@pytest.mark.parametrize("text", ["{{ 700 * 700 }}", '" ; drop', "a\nb", "}"])
def test_what_a_description_says_stays_inert(text: str) -> None:
    policies = {
        "web": {"description": text, "rules": [{"direction": "ingress", "action": "drop", "description": text}]}
    }
    rendered = compiled("policies | palisade.nftables.compile(assigned=['web'])", policies=policies)
    assert "490000" not in rendered
    assert rendered.count("\n") == compiled(
        "policies | palisade.nftables.compile(assigned=['web'])",
        policies={
            "web": {"description": "x", "rules": [{"direction": "ingress", "action": "drop", "description": "x"}]}
        },
    ).count("\n")


def test_the_documentation_names_every_keyword() -> None:
    options = yaml.safe_load(compile_filter.DOCUMENTATION)["options"]
    shared = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    assert {*options, *shared} == {"_input", *KEYWORDS}


def test_the_filter_has_the_name_of_its_file() -> None:
    assert list(compile_filter.FilterModule().filters()) == [
        pathlib.Path(compiled.__code__.co_filename).stem.removeprefix("test_")
    ]
