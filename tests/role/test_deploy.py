# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role and the playbooks on hosts of the lab: what changes, what does not, and at what price."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import typing as t

import pytest
import yaml

from lab.namespaces import default_private

if t.TYPE_CHECKING:
    from .fleet import Fleet

#: Every host admits SSH from the web servers, and has a policy that it does not use and could not.
ALL = """
firewall_assigned: [ssh]
firewall_policies:
  ssh: {rules: [{direction: ingress, service: ssh, sources: ["group:webservers"], action: accept}]}
  unfinished: {rules: [{direction: ingress, sources: ["{{ nowhere }}"], action: accept}]}
"""

ROLE = """
- hosts: all
  gather_facts: false
  %s
  roles: [palisade.nftables.firewall]
"""


def add_hosts(fleet: Fleet) -> None:
    fleet.add("web1", "192.0.2.1", ["webservers"])
    fleet.add("db1", "192.0.2.2", ["databases"])
    fleet.write("group_vars/all.yml", ALL)


@pytest.fixture(name="two")
def fixture_two(fleet: Fleet) -> Fleet:
    add_hosts(fleet)
    return fleet


def test_the_second_run_changes_nothing_and_costs_one_module_execution(two: Fleet) -> None:
    first = two.deploy()
    assert (first.status, first.changed()) == (0, {"web1": 1, "db1": 1}), first.output
    assert "ip saddr 192.0.2.1 tcp dport 22" in two.table("db1")

    second = two.deploy()

    assert (second.status, second.changed()) == (0, {"web1": 0, "db1": 0}), second.output
    assert second.executions == {"web1": 1, "db1": 1}
    # Not even a task that is skipped.
    assert {host: (counters["ok"], counters["skipped"]) for host, counters in second.recap.items()} == {
        "web1": (2, 0),
        "db1": (2, 0),
    }


def test_a_connection_that_no_change_can_cut_off_needs_no_confirmation_and_says_so(two: Fleet) -> None:
    first = two.deploy()
    note = "no confirmation needed: the connection local does not use the host's network"
    assert first.result("db1")["confirmation"] == {"state": "none", "note": note}
    # One module execution, as no second one confirms, and nothing waits.
    assert first.executions["db1"] == 1
    assert two.hosts["db1"].run(["ls", "/run/palisade"], check=False).stdout.split() in ([], ["loaded.nft"])
    switched_off = two.deploy("-e", '{"firewall_confirm_timeout": 0, "firewall_log_dropped": true}')
    assert (switched_off.status, switched_off.changed()["db1"]) == (0, 1), switched_off.output
    assert "confirmation" not in switched_off.result("db1")


def test_going_back_holds_to_what_the_inventory_says_besides_policies(two: Fleet) -> None:
    before = two.deploy()
    assert before.status == 0, before.output
    ruleset = two.table("db1")
    # As firewalld has it.
    two.hosts["db1"].nft("table inet firewalld { chain filter_INPUT { type filter hook input priority 10; }\n}\n")
    # What is wrong with the policies by now does not matter.
    settings = "firewall_on_conflict: ignore\nfirewall_confirm_timeout: 0\n"
    two.write("group_vars/all.yml", ALL + settings + "firewall_log_dropped: true\n")
    assert two.deploy("--limit", "db1").status == 0
    assert two.table("db1") != ruleset
    two.write("group_vars/all.yml", "firewall_assigned: [nowhere]\n" + settings)
    back = two.run("palisade.nftables.rollback", "--limit", "db1")
    assert (back.status, back.changed()) == (0, {"db1": 1}), back.output
    assert two.table("db1") == ruleset
    assert "firewalld is active beside Palisade" in " ".join(back.output.split())
    assert "confirmation" not in back.result("db1")
    # What is given to the playbook comes first.
    again = two.run("palisade.nftables.rollback", "--limit", "db1", "-e", "palisade_confirm_timeout=30")
    assert again.result("db1")["confirmation"]["state"] == "none"


@pytest.mark.carried
def test_counters_that_are_switched_off_go_from_the_kernel_of_that_host(two: Fleet) -> None:
    two.write("group_vars/databases.yml", "firewall_layout: Ordered")
    assert two.deploy().status == 0
    assert 'tcp dport 22 counter name "policy/ssh/0" accept comment "ssh[0]"' in two.table("db1")

    two.write("host_vars/db1.yml", "firewall_counters: false")
    run = two.deploy()

    assert (run.status, run.changed()) == (0, {"web1": 0, "db1": 1}), run.output
    assert 'tcp dport 22 accept comment "ssh[0]"' in two.table("db1")
    assert "counter" not in two.table("db1")
    assert "policy/ssh/0" in two.table("web1")
    assert two.deploy().changed() == {"web1": 0, "db1": 0}


def test_an_unassigned_policy_with_an_undefined_variable_is_found_by_validate_alone(two: Fleet) -> None:
    assert two.deploy().status == 0
    run = two.run("palisade.nftables.validate")
    assert (run.status, run.failed()) == (2, {"web1": 1, "db1": 1})
    assert "firewall_policies.unfinished.rules[0].sources[0]: 'nowhere' is undefined" in run.output
    assert run.executions == {"web1": 0, "db1": 0}
    assert two.table("web1") != ""


def test_validate_prints_a_line_for_each_host_and_a_summary(two: Fleet) -> None:
    two.write("group_vars/all.yml", ALL.replace("{{ nowhere }}", "192.0.2.9"))
    two.write("host_vars/db1.yml", "firewall_assigned_db1: [nothing]")
    run = two.run("palisade.nftables.validate")
    assert run.status == 2
    assert '"web1: 2 policies, 1 effective rules",' in run.output
    assert '"db1: 1 problem(s)",' in run.output
    assert '"2 host(s) checked, 1 with problems"' in run.output
    assert (run.failed(), run.executions) == ({"web1": 0, "db1": 1}, {"web1": 0, "db1": 0})

    two.write("host_vars/db1.yml", "firewall_state: absent")
    run = two.run("palisade.nftables.validate")
    assert run.status == 0
    assert '"db1: 2 policies, 1 effective rules, to be removed",' in run.output
    assert '"2 host(s) checked, 0 with problems"' in run.output


def test_a_mistake_on_one_host_stops_the_deploy_before_any_host(two: Fleet) -> None:
    two.write(
        "host_vars/db1.yml",
        """
        firewall_policies_db1:
          db: {rules: [{direction: ingress, protocol: tcp, destination_ports: 70000, action: allow}]}
        firewall_assigned_db1: [db]
        """,
    )
    run = two.deploy()
    assert run.status == 2
    assert run.executions == {"web1": 0, "db1": 0}
    assert two.table("web1") == two.table("db1") == ""
    # Everything that is wrong, at once.
    assert "firewall_policies_db1.db.rules[0].destination_ports" in run.output
    assert "firewall_policies_db1.db.rules[0].action" in run.output
    assert len(run.result("db1")["problems"]) == 2


def test_the_role_alone_refuses_before_it_reaches_the_host(two: Fleet) -> None:
    two.write("site.yml", ROLE % "any_errors_fatal: true")
    two.write("host_vars/db1.yml", "firewall_polices: {}")
    run = two.run("site.yml")
    assert run.status == 2
    assert "firewall_polices: no such role variable; did you mean 'firewall_policies'?" in run.result("db1")["msg"]
    assert run.executions["db1"] == 0
    assert two.table("db1") == ""
    # Said once.
    assert (run.output.count("[ERROR]"), run.recap["db1"]["rescued"]) == (1, 0), run.output


def test_plan_shows_the_difference_and_changes_nothing(two: Fleet) -> None:
    first = two.run("palisade.nftables.plan")
    assert (first.status, first.changed()) == (0, {"web1": 1, "db1": 1}), first.output
    assert "+\t\tip saddr 192.0.2.1 tcp dport 22" in first.output
    assert two.table("web1") == two.table("db1") == ""

    two.deploy()
    before = two.table("web1")
    unchanged = two.run("palisade.nftables.plan")
    assert (unchanged.changed(), unchanged.executions) == ({"web1": 0, "db1": 0}, {"web1": 1, "db1": 1})
    two.write(
        "host_vars/web1.yml",
        "firewall_assigned_web1: [web]\nfirewall_policies_web1: {web: {rules: "
        "[{direction: ingress, service: https, action: accept}]}}",
    )
    changed = two.run("palisade.nftables.plan")
    assert changed.changed() == {"web1": 1, "db1": 0}
    assert "+\t\ttcp dport 443" in changed.output
    assert two.table("web1") == before


def test_check_mode_of_a_play_changes_nothing(two: Fleet) -> None:
    two.write("site.yml", ROLE % "tags: [firewall]")
    run = two.run("site.yml", "--check", "--diff", "--tags", "firewall")
    assert (run.status, run.changed()) == (0, {"web1": 1, "db1": 1}), run.output
    assert two.table("web1") == ""
    assert two.run("site.yml", "--tags", "other").executions == {"web1": 0, "db1": 0}


@pytest.mark.carried
def test_drift_is_repaired(two: Fleet) -> None:
    two.deploy()
    before = two.table("web1")
    two.hosts["web1"].nft("insert rule inet palisade ingress tcp dport 23 accept\n")
    assert two.table("web1") != before
    run = two.deploy()
    assert (run.changed(), two.table("web1")) == ({"web1": 1, "db1": 0}, before)


def test_a_host_in_both_groups_and_a_group_that_grows(two: Fleet) -> None:
    for group, port in (("webservers", 443), ("databases", 5432)):
        two.write(
            "group_vars/%s.yml" % group,
            """
            firewall_assigned_%(group)s: [%(group)s]
            firewall_policies_%(group)s:
              %(group)s: {rules: [{direction: ingress, protocol: tcp, destination_ports: %(port)d, action: accept}]}
            """
            % {"group": group, "port": port},
        )
    two.deploy()
    two.add("shop1", "192.0.2.3", ["webservers", "databases"], firewall_addresses=["192.0.2.3", "2001:db8::3"])

    run = two.deploy()

    assert (run.status, run.changed()) == (0, {"web1": 1, "db1": 1, "shop1": 1}), run.output
    assert run.result("shop1")["policies"] == ["ping", "ssh", "databases", "webservers"]
    assert "tcp dport 22 ip saddr { 192.0.2.1, 192.0.2.3 }" in two.table("db1")
    assert "tcp dport 22 ip6 saddr 2001:db8::3" in two.table("db1")
    assert two.deploy().changed() == {"web1": 0, "db1": 0, "shop1": 0}


@pytest.mark.parametrize("settings", ["serial: 1", "strategy: free", "throttle: 1"], ids=str)
def test_other_ways_to_run_a_play(two: Fleet, settings: str) -> None:
    play = yaml.safe_load(ROLE % "")
    if settings.startswith("throttle"):
        play[0]["roles"] = [{"role": "palisade.nftables.firewall", "throttle": 1}]
    else:
        play[0].update(yaml.safe_load(settings))
    two.write("site.yml", yaml.safe_dump(play))
    assert two.run("site.yml").changed() == {"web1": 1, "db1": 1}
    run = two.run("site.yml")
    assert (run.changed(), run.executions) == ({"web1": 0, "db1": 0}, {"web1": 1, "db1": 1})
    assert "ip saddr 192.0.2.1 tcp dport 22" in two.table("db1")


def test_run_once_and_delegation(two: Fleet) -> None:
    two.write(
        "site.yml",
        """
        - hosts: all
          gather_facts: false
          tasks:
            - include_role: {name: palisade.nftables.firewall, apply: {delegate_to: db1, run_once: true}}
        """,
    )
    run = two.run("site.yml")
    assert (run.status, run.executions) == (0, {"web1": 0, "db1": 1}), run.output
    assert (two.table("web1"), two.table("db1") != "") == ("", True)


def test_a_rolling_deploy_ends_with_the_first_failure(two: Fleet) -> None:
    # A table of our name that we did not make is refused. db1 comes first in the inventory.
    two.hosts["db1"].nft("table inet palisade { chain mine { }\n}\n")
    run = two.deploy("-e", "palisade_serial=1")
    assert (run.status, run.executions) == (2, {"web1": 0, "db1": 1}), run.output

    # Without batches, a failure keeps nobody else from its firewall.
    run = two.deploy()
    assert (run.failed()["db1"], run.changed()["web1"]) == (1, 1), run.output
    assert two.deploy("-e", "palisade_hosts=webservers").recap.keys() == {"web1"}


@pytest.mark.carried
def test_absent_leaves_what_is_not_ours(two: Fleet) -> None:
    two.hosts["web1"].nft("table ip other { chain c { }\n}\n")
    two.deploy()
    # What is to be removed need not be right any more.
    two.write("group_vars/all.yml", ALL.replace("[ssh]", "[unfinished, nothing]"))

    run = two.run("palisade.nftables.absent", "--limit", "web1")

    assert (run.status, run.changed()) == (0, {"web1": 1}), run.output
    assert two.table("web1") == ""
    assert two.table("db1") != ""
    assert "table ip other" in two.hosts["web1"].run(["nft", "list", "tables"]).stdout
    again = two.run("palisade.nftables.absent", "--limit", "web1")
    assert (again.changed(), again.executions["web1"]) == ({"web1": 0}, 1)


def test_a_group_without_addresses_warns(two: Fleet) -> None:
    two.write("host_vars/web1.yml", "firewall_addresses: []")
    run = two.deploy()
    assert run.status == 0
    assert "no address is known for web1 of the group 'webservers'" in run.output


def test_nothing_is_left_in_the_controllers_temporary_folder(two: Fleet) -> None:
    two.deploy()
    folder = os.path.join(two.environment["ANSIBLE_HOME"], "tmp")
    assert os.listdir(folder) == []
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700


#: Stands in for the package manager behind ansible.builtin.package: the lab has no package mirror.
PACKAGE_MANAGER = """
import shutil

from ansible.module_utils.basic import AnsibleModule

module = AnsibleModule({"name": {"type": "str"}, "state": {"type": "str"}}, supports_check_mode=True)
if module.params["name"] != "nftables":
    module.fail_json(msg="there is no package %s" % module.params["name"])
if not module.check_mode:
    shutil.copy2("/etc/package/nft", %(nft)r)
module.exit_json(changed=True)
"""


def bare_host(two: Fleet) -> t.Tuple[str, ...]:
    """A host without nft, and arguments of a run that can install it there."""
    nft = shutil.which("nft", path=os.defpath + ":/usr/sbin:/sbin")
    assert nft is not None
    bare = two.add("bare1", "192.0.2.4", private={**default_private(), os.path.dirname(nft): "overlay"})
    bare.run(
        ["sh", "-c", "mkdir /etc/package && cp -p %(nft)s /etc/package/ && rm %(nft)s" % {"nft": shlex.quote(nft)}]
    )
    module = "collections/ansible_collections/lab/tools/plugins/modules/package_manager.py"
    two.write(module, PACKAGE_MANAGER.replace("%(nft)r", repr(nft)))
    two.environment["ANSIBLE_COLLECTIONS_PATH"] += ":%s" % (two.folder / "collections")
    two.write("site.yml", ROLE % "any_errors_fatal: true")
    return "site.yml", "-e", "ansible_package_use=lab.tools.package_manager"


def test_nft_is_installed_where_it_is_missing(two: Fleet) -> None:
    arguments = bare_host(two)
    check = two.run(*arguments, "--check")
    assert (check.status, check.changed()["bare1"]) == (0, 1), check.output
    assert check.result("bare1")["changes"] == ["install the package nftables"]
    assert two.table("bare1") == ""

    planned = two.run("palisade.nftables.plan", *arguments[1:])
    assert (planned.status, planned.changed()["bare1"]) == (0, 1), planned.output
    assert two.table("bare1") == ""

    run = two.run(*arguments)
    assert (run.status, run.failed()) == (0, {"web1": 0, "db1": 0, "bare1": 0}), run.output
    assert "ip saddr 192.0.2.1 tcp dport 22" in two.table("bare1")
    assert run.result("bare1")["changes"][:2] == ["install the package nftables", "create the table inet palisade"]

    again = two.run(*arguments)
    assert (again.changed(), again.executions["bare1"]) == ({"web1": 0, "db1": 0, "bare1": 0}, 1)


def test_why_nft_cannot_be_installed_is_said_once(two: Fleet) -> None:
    arguments = bare_host(two)
    two.hosts["bare1"].run(["rm", "/etc/package/nft"])
    run = two.run(*arguments)
    assert (run.failed(), run.recap["bare1"]["rescued"]) == ({"web1": 0, "db1": 0, "bare1": 1}, 0), run.output
    assert "nft is missing, and nftables cannot be installed: " in run.result("bare1")["msg"]
    assert run.output.count("[ERROR]") == 1
    assert two.table("bare1") == ""
