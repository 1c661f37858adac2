# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Policy tests in runs of the playbooks and of the role: one that fails leaves every host as it was."""

from __future__ import annotations

import typing as t

import pytest

if t.TYPE_CHECKING:
    from .fleet import Fleet

ALL = """
firewall_assigned: [ssh]
firewall_policies:
  ssh: {rules: [{direction: ingress, service: ssh, sources: ["group:webservers"], action: accept}]}
firewall_tests:
  - {name: Web servers administer, from: "group:webservers", service: ssh, expect: accept}
  - {from: "group:webservers", to: "group:databases", protocol: tcp, port: 5432, expect: %s}
"""


@pytest.fixture(name="two")
def fixture_two(fleet: Fleet) -> Fleet:
    fleet.add("web1", "192.0.2.1", ["webservers"])
    fleet.add("db1", "192.0.2.2", ["databases"])
    fleet.write("group_vars/all.yml", ALL % "refused")
    return fleet


def test_a_failed_one_of_one_host_keeps_a_deploy_from_all(two: Fleet) -> None:
    two.write("group_vars/all.yml", ALL % "accept")
    run = two.deploy()
    assert run.status != 0
    assert "db1: a policy test fails, and nothing was changed" in run.output
    assert "web1: 2 tests: 2 ok" in run.output, "it may send, and the others do not listen"
    assert run.executions == {"web1": 0, "db1": 0}
    for host in ("web1", "db1"):
        assert two.table(host) == ""

    two.write("group_vars/all.yml", ALL % "refused")
    assert two.deploy().status == 0
    before = two.table("db1")
    assert before

    two.write("group_vars/all.yml", ALL % "drop" + "firewall_default_ingress: reject\n")
    run = two.deploy()
    assert (run.status != 0, run.executions) == (True, {"web1": 0, "db1": 0})
    assert two.table("db1") == before


SITE = """
- hosts: all
  gather_facts: false
  %s
  roles: [%s]
"""
ROLE = "palisade.nftables.firewall"


@pytest.mark.parametrize("settings", ["order: inventory", "order: reverse_inventory", "{serial: 1, order: sorted}"])
def test_the_role_alone_tests_all_hosts_before_the_first_is_touched(two: Fleet, settings: str) -> None:
    two.write("group_vars/all.yml", ALL % "accept")
    two.add("another1", "192.0.2.3")
    two.write("site.yml", SITE % (settings.strip("{}").replace(", ", "\n  "), ROLE))
    run = two.run("site.yml")
    assert run.status != 0
    assert run.executions == {"web1": 0, "db1": 0, "another1": 0}
    if "serial" in settings:
        # The play ends with the first batch, in which there is another host.
        assert (
            "another1: nothing was changed, because policy tests of db1 fail\\nFAILED  firewall_tests[1]" in run.output
        )
    else:
        assert "db1: a policy test fails, and nothing was changed" in run.output
        assert "web1: nothing was changed, because policy tests of db1 fail\\nFAILED  firewall_tests[1]" in run.output
    assert {two.table(host) for host in two.hosts} == {""}


def test_whose_tests_the_role_alone_does_not_wait_for(two: Fleet) -> None:
    """Hosts that the play leaves out, that are to have no firewall, and all in a play in which nobody waits."""
    two.write("group_vars/all.yml", ALL % "accept")
    for settings, role, hosts in (
        ("order: sorted", "{role: %s, when: inventory_hostname == 'web1'}" % ROLE, []),
        ("order: sorted", ROLE, ["--limit", "web1"]),
        ("strategy: free", ROLE, []),
    ):
        two.write("site.yml", SITE % (settings, role))
        run = two.run("site.yml", *hosts)
        assert two.table("web1") != "", run.output
        assert two.table("db1") == ""
        two.write("site.yml", SITE % ("vars: {firewall_state: absent}", ROLE))
        run = two.run("site.yml")
        assert (run.status, two.table("web1")) == (0, ""), run.output


def test_what_a_play_says_counts_for_the_tests_of_all(two: Fleet) -> None:
    two.write("group_vars/all.yml", ALL % "accept")
    rule = "{direction: ingress, protocol: tcp, destination_ports: 5432, action: accept}"
    own = "vars: {firewall_policies_more: {more: {rules: [%s]}}, firewall_assigned_more: [more]}" % rule
    two.write("site.yml", SITE % (own, ROLE))
    run = two.run("site.yml")
    assert (run.status, run.changed()) == (0, {"web1": 1, "db1": 1}), run.output


def test_a_plan_shows_the_tests_and_changes_nothing(two: Fleet) -> None:
    run = two.run("palisade.nftables.plan", "-e", "palisade_junit=junit")
    assert run.status == 0, run.output
    assert "ok      firewall_tests[0]: Web servers administer" in run.output
    assert "web1: 2 tests: 1 ok, 1 skipped" in run.output
    assert "db1: 2 tests: 2 ok" in run.output
    assert two.table("db1") == ""
    assert sorted(path.name for path in (two.folder / "junit").iterdir()) == ["TEST-db1.xml", "TEST-web1.xml"]


def test_what_only_tests_name_is_not_sent(two: Fleet) -> None:
    assert two.deploy().status == 0
    two.write("group_vars/databases.yml", "firewall_tests_more: [{from: attic, protocol: tcp, expect: refused}]\n")
    two.write("host_vars/db1.yml", "firewall_networks_attic: {attic: [203.0.113.0/24]}\n")
    run = two.deploy()
    assert (run.status, run.changed()) == (0, {"web1": 0, "db1": 0}), run.output


def test_a_validation_counts_them(two: Fleet) -> None:
    two.write("group_vars/all.yml", ALL % "accept")
    run = two.run("palisade.nftables.validate")
    assert run.status != 0
    assert '"db1: 1 failed test(s)"' in run.output
    assert '"web1: 2 policies, 1 effective rules, 2 test(s) ok"' in run.output
    assert '"2 host(s) checked, 1 with problems"' in run.output
