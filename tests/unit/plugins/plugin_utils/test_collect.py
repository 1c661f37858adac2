# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From inventory variables to what the parser reads: only what the host needs, and every problem at its place."""

from __future__ import annotations

import json
import pathlib

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._core.errors import PolicyError
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall

from .collecting import Collect, problems_of


@pytest.fixture(name="collected")
def fixture_collected(tmp_path: pathlib.Path) -> Collect:
    return Collect(tmp_path)


SSH = "{direction: ingress, service: ssh, action: accept}"


def test_only_what_is_assigned_is_templated(collected: Collect) -> None:
    found = collected(
        """
        mine: 198.51.100.7
        firewall_assigned: [ssh]
        firewall_policies:
          ssh:
            description: "for {{ inventory_hostname }}"
            rules: [{direction: ingress, service: [ssh, own], sources: [office], action: accept}]
          unused: {rules: [{direction: ingress, sources: ["{{ nowhere }}"], action: accept}]}
        firewall_networks:
          office: ["{{ mine }}", branch, "group:databases"]
          branch: 203.0.113.0/24
          unused: "{{ nowhere }}"
        firewall_services:
          own: [{protocol: tcp, destination_ports: "{{ 2000 + 22 }}"}]
          unused: ["{{ nowhere }}"]
        firewall_interfaces: ["{{ 'eth0' }}"]
        """
    )
    assert found.variables == {
        "firewall_assigned": ["ssh"],
        "firewall_policies": {
            "ssh": {
                "description": "for web1",
                "rules": [
                    {"direction": "ingress", "service": ["ssh", "own"], "sources": ["office"], "action": "accept"}
                ],
            },
            "unused": None,
        },
        "firewall_networks": {
            "office": ["198.51.100.7", "branch", "group:databases"],
            "branch": "203.0.113.0/24",
            "unused": None,
        },
        "firewall_services": {"own": [{"protocol": "tcp", "destination_ports": 2022}], "unused": None},
        "firewall_interfaces": ["eth0"],
    }
    assert found.groups == {"databases": {"addresses": ["192.0.2.2", "192.0.2.3"], "missing": []}}
    assert (found.state, found.persist) == ("present", "auto")
    json.dumps(found)
    assert [policy.name for policy in parse_firewall(found.variables, groups=found.groups).assigned] == ["ssh"]


def test_a_host_in_two_groups_has_what_both_add(collected: Collect) -> None:
    found = collected(
        "firewall_policies: {ssh: {rules: [%s]}}\nfirewall_assigned: [ssh]" % SSH,
        host="both",
        files={
            "group_vars/webservers.yml": "firewall_policies_webservers: {web: {rules: [%s]}}\n" % SSH
            + "firewall_assigned_webservers: [web]",
            "group_vars/databases.yml": "firewall_policies_databases: {db: {rules: [%s]}}\n" % SSH
            + "firewall_assigned_databases: [{policy: db, order: 10}]",
        },
    )
    assert [policy.name for policy in parse_firewall(found.variables).assigned] == ["db", "ssh", "web"]


def test_a_variable_that_is_a_template_is_templated_whole(collected: Collect) -> None:
    variables = """
        common: {ssh: {rules: [%s]}}
        firewall_policies: "{{ common | combine({'web': {'rules': []}}) }}"
        firewall_assigned: "{{ ['ssh'] + ['web'] }}"
        """
    found = collected(variables % SSH)
    assert found.variables["firewall_policies"]["ssh"]["rules"][0]["service"] == "ssh"
    assert found.variables["firewall_assigned"] == ["ssh", "web"]

    assert problems_of(collected, (variables % SSH).replace("service: ssh", "service: '{{ nowhere }}'")) == [
        "firewall_policies: 'nowhere' is undefined"
    ]


def test_networks_are_followed_however_deep_and_round(collected: Collect) -> None:
    chain = ["  n%d: [n%d]" % (number, number + 1) for number in range(2000)]
    variables = "\n".join(
        [
            "firewall_assigned: [ssh]",
            "firewall_policies: {ssh: {rules: [{direction: ingress, action: accept, sources: [round, n0]}]}}",
            "firewall_networks:",
            "  round: [turn]",
            "  turn: [round, '{{ 1 + 1 }}']",
            *chain,
            "  n2000: ['{{ \"192.0.2.9\" }}']",
        ]
    )
    found = collected(variables)
    assert found.variables["firewall_networks"]["n2000"] == ["192.0.2.9"]
    assert found.variables["firewall_networks"]["turn"] == ["round", 2]


def test_safeguards_name_networks(collected: Collect) -> None:
    found = collected(
        """
        firewall_safeguards: {dns: [resolvers], ntp: ["group:databases"], ssh: {sources: [office]}}
        firewall_networks:
          resolvers: ["{{ '192.0.2.53' }}"]
          office: ["{{ '198.51.100.1' }}"]
          unused: "{{ nowhere }}"
        """
    )
    networks = found.variables["firewall_networks"]
    assert networks == {"resolvers": ["192.0.2.53"], "office": ["198.51.100.1"], "unused": None}
    assert list(found.groups) == ["databases"]


def test_omit_means_the_default(collected: Collect) -> None:
    found = collected(
        """
        firewall_profile: "{{ omit }}"
        firewall_state: "{{ omit }}"
        firewall_assigned: [ssh]
        firewall_policies: {ssh: {rules: [{direction: ingress, sources: "{{ omit }}", action: accept}]}}
        """
    )
    assert "firewall_profile" not in found.variables
    assert found.state == "present"
    assert found.variables["firewall_policies"]["ssh"]["rules"] == [{"direction": "ingress", "action": "accept"}]


def test_every_failing_template_is_reported_at_its_place(collected: Collect) -> None:
    assert problems_of(
        collected,
        """
        firewall_assigned: [ssh, "{{ nowhere }}"]
        firewall_policies:
          ssh:
            rules:
              - {direction: ingress, service: ssh, sources: ["{{ one }}", office], action: accept}
              - {direction: ingress, protocol: tcp, destination_ports: [22, "{{ two | int }}"], action: accept}
              - {direction: sideways, action: accept}
        firewall_networks: {office: ["{{ 1 / 0 }}"]}
        firewall_interfaces: "{{ three }}"
        """,
    ) == [
        "firewall_interfaces: 'three' is undefined",
        "firewall_assigned[1]: 'nowhere' is undefined",
        "firewall_policies.ssh.rules[0].sources[0]: 'one' is undefined",
        "firewall_policies.ssh.rules[1].destination_ports[1]: 'two' is undefined",
        "firewall_networks.office[0]: Error rendering template: division by zero",
        "firewall_policies.ssh.rules[2].direction: 'sideways' is not one of ingress, egress",
    ]


KEEP_ONE = "keep one of the two, or rename one"


def test_a_name_in_two_variables_is_a_clash_though_nobody_uses_it(collected: Collect) -> None:
    assert problems_of(
        collected,
        """
        firewall_policies: {web: {rules: ["{{ nowhere }}"]}}
        firewall_policies_a: {web: {rules: []}}
        firewall_networks_a: {office: []}
        firewall_networks_b: {office: []}
        """,
    ) == [
        "firewall_policies_a.web: the policy 'web' is also defined in firewall_policies; " + KEEP_ONE,
        "firewall_networks_b.office: the network 'office' is also defined in firewall_networks_a; " + KEEP_ONE,
    ]


def test_a_name_that_yaml_did_not_read_as_text_is_refused(collected: Collect) -> None:
    problems = problems_of(collected, "firewall_networks: {no: [192.0.2.1]}\nfirewall_policies: {80: {rules: []}}")
    assert len(problems) == 2
    assert problems[0].startswith("firewall_policies[80]: '80' is")
    assert problems[1].startswith("firewall_networks[")
    assert "the boolean 'false' is" in problems[1]


def test_a_misspelt_variable_is_reported_with_everything_else(collected: Collect) -> None:
    assert problems_of(
        collected, "firewall_polices: {}\nfirewall_assigned: [webb]\nfirewall_policies: {web: {rules: []}}"
    ) == [
        "firewall_polices: no such role variable; did you mean 'firewall_policies'?",
        "firewall_assigned[0]: the policy 'webb' is not in firewall_policies; did you mean 'web'?",
    ]


def test_an_unknown_group_is_left_to_the_parser_with_the_names_of_all(collected: Collect) -> None:
    found = collected(
        """
        firewall_assigned: [ssh]
        firewall_policies:
          ssh: {rules: [{direction: ingress, sources: ["group:webserver", "group:databases"], action: accept}]}
        """
    )
    with pytest.raises(PolicyError, match="'webserver' is not a group of the inventory; did you mean 'webservers'"):
        parse_firewall(found.variables, groups=found.groups)
    assert found.groups["databases"]["addresses"] == ["192.0.2.2", "192.0.2.3"]


def test_a_members_mistake_stops_whoever_names_its_group(collected: Collect) -> None:
    variables = """
        firewall_assigned: [ssh]
        firewall_policies: {ssh: {rules: [{direction: ingress, sources: ["group:databases"], action: accept}]}}
        """
    files = {"host_vars/db1.yml": "firewall_addresses: '{{ nowhere }}'"}
    assert problems_of(collected, variables, files=files) == ["hostvars.db1.firewall_addresses: 'nowhere' is undefined"]


def test_everything_finds_what_nobody_uses(collected: Collect) -> None:
    variables = """
        firewall_policies: {ssh: {rules: ["{{ one }}"]}, web: {rules: [{direction: ingress, action: allow}]}}
        firewall_networks: {office: "{{ two }}", members: ["group:nobody"]}
        firewall_services: {own: [{protocol: "{{ three }}"}]}
        """
    assert collected(variables).variables["firewall_policies"] == {"ssh": None, "web": None}
    assert problems_of(collected, variables, everything=True) == [
        "firewall_policies.ssh.rules[0]: 'one' is undefined",
        "firewall_services.own[0].protocol: 'three' is undefined",
        "firewall_networks.office: 'two' is undefined",
        "firewall_policies.web.rules[0].action: 'allow' is not one of accept, drop, reject",
        "firewall_networks.members[0]: 'nobody' is not a group of the inventory",
    ]


@pytest.mark.parametrize(
    "variables",
    [
        "firewall_policies: [web]",
        "firewall_policies: '{{ firewall_policies }}'",
        "firewall_policies: {web: '{{ firewall_policies }}'}\nfirewall_assigned: [web]",
        "firewall_policies: 5",
        "firewall_networks: text",
        "firewall_policies: {web: 5}\nfirewall_assigned: [web]",
        "firewall_policies: {web: {rules: 5}}\nfirewall_assigned: [web]",
        "firewall_policies: {web: {rules: [5]}}\nfirewall_assigned: [web]",
        "firewall_policies: {web: {rules: [{sources: {a: b}, service: [[x]]}]}}\nfirewall_assigned: [web]",
        "firewall_policies: {web: {rules: [{sources: [[x], {a: b}, null], service: 5}]}}\nfirewall_assigned: [web]",
        "firewall_assigned: {web: 1}",
        "firewall_assigned: [[web]]",
        "firewall_safeguards: [1]",
        "firewall_safeguards: {dns: {a: b}, ssh: {sources: {a: b}}}",
    ],
)
def test_shapes_that_nobody_meant_reach_the_parser(collected: Collect, variables: str) -> None:
    with pytest.raises(PolicyError):
        parse_firewall(collected(variables).variables)


def test_a_value_that_holds_itself_is_refused(collected: Collect) -> None:
    variables = "firewall_assigned: [web]\nfirewall_policies: {web: &self {rules: [*self], other: *self}}"
    (problem,) = problems_of(collected, variables)
    assert problem.startswith("firewall_policies.web.other.other")
    assert problem.endswith("values are nested more than 32 deep here")


def test_unreadable_values_are_refused_where_they_are(collected: Collect) -> None:
    assert (
        problems_of(
            collected,
            """
        firewall_assigned: [web]
        firewall_policies: {web: {description: !!binary aGVsbG8=, rules: [{direction: in, action: accept}]}}
        """,
        )[0]
        == "firewall_policies.web.description: a value of the type bytes is no text, number, list or mapping"
    )


TESTED = """
firewall_policies:
  ssh: {rules: [{direction: ingress, service: ssh, sources: [office], action: accept}]}
firewall_assigned: [ssh]
firewall_networks:
  office: [198.51.100.0/24]
  partners: [more-partners]
  more-partners: [203.0.113.0/24]
  unused: ["{{ nowhere }}"]
firewall_tests:
  - {from: "{{ 'office' }}", service: [app], expect: accept}
firewall_tests_more:
  - {from: {outside: [office, partners]}, to: "group:webservers", expect: refused}
firewall_services:
  app: {protocol: tcp, destination_ports: [8080]}
"""


def test_tests_and_what_they_name_are_collected_beside_what_the_host_gets(collected: Collect) -> None:
    found = collected(TESTED, tests=True)
    assert not any(name.startswith("firewall_tests") for name in found.variables)
    assert found.variables["firewall_networks"]["partners"] is None
    assert found.variables["firewall_services"] == {"app": None}
    assert found.groups == {}
    assert found.tested is not None
    assert found.tested.variables["firewall_tests"] == [{"from": "office", "service": ["app"], "expect": "accept"}]
    assert len(found.tested.variables["firewall_tests_more"]) == 1
    assert found.tested.variables["firewall_networks"] == {
        "office": ["198.51.100.0/24"],
        "partners": ["more-partners"],
        "more-partners": ["203.0.113.0/24"],
        "unused": None,
    }
    assert found.tested.variables["firewall_services"]["app"] == {"protocol": "tcp", "destination_ports": [8080]}
    assert list(found.tested.groups) == ["webservers"]


def test_nobody_who_does_not_ask_gets_tests(collected: Collect) -> None:
    assert collected(TESTED).tested is None
    assert collected("firewall_tests: []\nfirewall_tests_more:", tests=True).tested is None
    assert collected(TESTED + "firewall_state: absent\n", tests=True).tested is None


def test_problems_of_tests_are_those_of_the_variables(collected: Collect) -> None:
    text = "firewall_tests:\n  - {from: offic, expect: '{{ nowhere }}'}\nfirewall_networks: {office: []}\n"
    with pytest.raises(PolicyError) as refused:
        collected(text, tests=True)
    assert [problem.place for problem in refused.value.problems] == [
        "firewall_tests[0].expect",
        "firewall_tests[0].from",
    ]
