# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From inventory variables to what the parser reads: only what the host needs, and every problem at its place."""

from __future__ import annotations

import json
import pathlib
import textwrap
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._core.errors import PolicyError
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall
from ansible_collections.palisade.nftables.plugins.plugin_utils._collect import Collected, collect
from ansible_collections.palisade.nftables.plugins.plugin_utils._groups import Groups
from tests.unit.plugins.plugin_utils.controller import Controller

HOSTS = """
all:
  children:
    webservers: {hosts: {web1: {ansible_host: 192.0.2.1}, both: {ansible_host: 192.0.2.3}}}
    databases: {hosts: {db1: {ansible_host: 192.0.2.2}, both: {}}}
"""

Collect = t.Callable[..., Collected]


@pytest.fixture(name="collected")
def fixture_collected(tmp_path: pathlib.Path) -> Collect:
    """Collects from variables of all hosts, and of other files of the inventory."""

    def run(
        variables: str, *, host: str = "web1", files: t.Optional[t.Dict[str, str]] = None, **options: t.Any
    ) -> t.Any:
        texts = {"hosts.yml": HOSTS, "group_vars/all.yml": variables, **(files or {})}
        controller = Controller(tmp_path, {name: textwrap.dedent(text) for name, text in texts.items()})
        task_vars = controller.task_vars(host)
        templar = controller.templar(task_vars)
        groups = Groups(task_vars, templar, task="1", folder=str(tmp_path))
        return collect(task_vars, templar, groups, **options)

    return run


def problems_of(collected: Collect, variables: str, **options: t.Any) -> t.List[str]:
    with pytest.raises(PolicyError) as caught:
        collected(variables, **options)
    return [str(problem) for problem in caught.value.problems]


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
    ("text", "state"),
    [("present", "present"), ("Absent", "absent"), ("null", "present"), ("'{{ \"absent\" }}'", "absent")],
)
def test_state(collected: Collect, text: str, state: str) -> None:
    assert collected("firewall_state: %s" % text).state == state


def test_what_shall_be_absent_need_not_be_right(collected: Collect) -> None:
    variables = "firewall_assigned: [ssh]\nfirewall_policies: {ssh: '{{ nowhere }}'}\n"
    assert collected(variables + "firewall_state: absent").variables == {}
    assert collected(variables, state="absent").variables == {}
    assert problems_of(collected, variables) == ["firewall_policies.ssh: 'nowhere' is undefined"]


@pytest.mark.parametrize(
    ("text", "persist"), [("true", "true"), ("'no'", "false"), ("Auto", "auto"), ("null", "auto"), ("'False'", "false")]
)
def test_persist(collected: Collect, text: str, persist: str) -> None:
    assert collected("firewall_persist: %s" % text).persist == persist


@pytest.mark.parametrize(
    ("text", "seconds"), [("null", 60), ("0", 0), ("10", 10), ("'120'", 120), ("'{{ 30 }}'", 30), ("3600", 3600)]
)
def test_confirm_timeout(collected: Collect, text: str, seconds: int) -> None:
    assert collected("firewall_confirm_timeout: %s" % text).confirm_timeout == seconds
    assert collected("").confirm_timeout == 60


@pytest.mark.parametrize("text", ["9", "3601", "-1", "true", "1.5", "soon", "'٣٠'", "[60]"])
def test_a_confirm_timeout_that_is_none(collected: Collect, text: str) -> None:
    (problem,) = problems_of(collected, "firewall_confirm_timeout: %s" % text)
    assert problem.startswith("firewall_confirm_timeout: ")
    assert problem.endswith(" is not 0, nor 10 to 3600 seconds")


def test_must_reach(collected: Collect) -> None:
    found = collected("firewall_must_reach: ['mirror.example.net:443', '[2001:db8::1]:80', '{{ \"192.0.2.1\" }}:22']")
    assert found.must_reach == ["mirror.example.net:443", "[2001:db8::1]:80", "192.0.2.1:22"]
    assert collected("firewall_must_reach: db.example.net:5432").must_reach == ["db.example.net:5432"]
    assert problems_of(collected, "firewall_must_reach: ['80', 'a b:1', '192.0.2.1', 'x:0', 'x:65536']") == [
        "firewall_must_reach[%d]: %s is not HOST:PORT, such as 'mirror.example.net:443' or '[2001:db8::1]:443'"
        % (index, text)
        for index, text in enumerate(["'80'", "'a b:1'", "'192.0.2.1'", "'x:0'", "'x:65536'"])
    ]


def test_lint_fail(collected: Collect) -> None:
    assert collected("firewall_lint_fail: [shadowed, '{{ \"exposed\" }}']").lint_fail == ["shadowed", "exposed"]
    assert collected("firewall_lint_fail: duplicate").lint_fail == ["duplicate"]
    assert collected("firewall_lint_fail:").lint_fail == []
    assert problems_of(collected, "firewall_lint_fail: [shadowd, 5, provider-refuses]") == [
        "firewall_lint_fail[0]: 'shadowd' is not a code of lint (docs/lint.md); did you mean 'shadowed'?",
        "firewall_lint_fail[1]: '5' is not a code of lint (docs/lint.md)",
        "firewall_lint_fail[2]: 'provider-refuses' is not a code of lint (docs/lint.md)",
    ]


@pytest.mark.parametrize(("text", "value"), [("null", "fail"), ("Disable", "disable"), ("ignore", "ignore")])
def test_on_conflict(collected: Collect, text: str, value: str) -> None:
    assert collected("firewall_on_conflict: %s" % text).on_conflict == value


def test_layout_counters_and_published_ports_are_templated_and_handed_on(collected: Collect) -> None:
    found = collected(
        "firewall_layout: '{{ \"Ordered\" }}'\nfirewall_counters: '{{ 1 > 2 }}'\nfirewall_published: '{{ \"leave\" }}'"
    )
    assert found.variables == {
        "firewall_layout": "Ordered",
        "firewall_counters": False,
        "firewall_published": "leave",
    }


def test_settings_that_are_none_of_their_choices(collected: Collect) -> None:
    assert problems_of(collected, "firewall_state: abent\nfirewall_persist: 3") == [
        "firewall_state: 'abent' is not one of present, absent; did you mean 'absent'?",
        "firewall_persist: '3' is not one of auto, true, false",
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
