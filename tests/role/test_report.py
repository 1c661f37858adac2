# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook ``report``: on the example inventory alone, and on hosts of the lab that are asked what is live."""

from __future__ import annotations

import json
import pathlib
import stat
import subprocess
import typing as t

if t.TYPE_CHECKING:
    from .fleet import Fleet, Run

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]

#: A connection that fails at once.
NOWHERE = {"ansible_connection": "ssh", "ansible_ssh_executable": "/bin/false", "ansible_python_interpreter": "python3"}

POLICIES = """
firewall_assigned: [ssh, web]
firewall_networks: {office: [198.51.100.0/24]}
firewall_policies:
  ssh: {rules: [{direction: ingress, service: ssh, sources: [office], action: accept}]}
  web:
    rules:
      - {direction: ingress, service: http, sources: ["group:proxies"], action: accept}
      - {direction: ingress, service: https, action: accept, description: "</script>{{ '{{' }} 1 }}"}
"""


def report(fleet: Fleet, *arguments: str) -> t.Tuple[Run, t.Dict[str, t.Any]]:
    """A run, and the data that it wrote."""
    path = fleet.folder / "out" / "firewalls.html"
    path.parent.mkdir(exist_ok=True)
    run = fleet.run("palisade.nftables.report", "-e", "palisade_report=%s" % path, *arguments)
    assert run.status == 0, run.output
    assert sorted(one.name for one in path.parent.iterdir()) == ["firewalls.html", "firewalls.json"]
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    return run, json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))


def named(data: t.Mapping[str, t.Any], name: str) -> t.Dict[str, t.Any]:
    return t.cast("t.Dict[str, t.Any]", next(one for one in data["hosts"] if one["name"] == name))


def test_the_example_inventory_without_asking_a_host(
    ansible_environment: t.Dict[str, str], tmp_path: pathlib.Path
) -> None:
    command = [
        "ansible-playbook",
        "-i",
        CHECKOUT / "examples" / "hosts.yml",
        "palisade.nftables.report",
        "-e",
        "palisade_live=false",
    ]
    done = subprocess.run(command, cwd=tmp_path, env=ansible_environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    # Where it was started, and for nobody else's eyes.
    for name in ("firewall-report.html", "firewall-report.json"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    data = json.loads((tmp_path / "firewall-report.json").read_text(encoding="utf-8"))
    assert [one["name"] for one in data["hosts"]] == ["web1", "web2", "shop1", "db1"]
    assert {one["live"]["state"] for one in data["hosts"]} == {"not asked"}
    assert [one["name"] for one in data["groups"]] == ["databases", "webservers"]
    place = [one["name"] for one in data["places"]].index("webservers")
    cell = data["cells"][named(data, "db1")["reaching"][place]]
    assert next((one["protocol"], one["ports"], one["egress"], one["rule"]) for one in cell["entries"]) == (
        "tcp",
        ["5432"],
        "web-to-databases[0]",
        "postgres[0]",
    )
    assert named(data, "shop1")["addresses"] == ["192.0.2.31", "2001:db8:0:31::1"]


def test_hosts_that_are_asked_and_one_that_does_not_answer(fleet: Fleet) -> None:
    web = fleet.add("web1", "192.0.2.1", ["servers"])
    fleet.add("proxy1", "192.0.2.2", ["proxies"])
    fleet.write("group_vars/all.yml", POLICIES)
    assert fleet.deploy().status == 0
    fleet.add("gone1", "192.0.2.3", ["servers"], **NOWHERE)
    web.run(["nft", "insert rule inet palisade input ip saddr 198.51.100.7 tcp dport 4444 accept comment byhand"])
    before = fleet.table("web1")

    run, data = report(fleet)
    # The report itself, and no host.
    assert sum(run.changed().values()) == 1
    assert fleet.table("web1") == before
    assert sorted(one["name"] for one in data["hosts"]) == ["gone1", "proxy1", "web1"]
    assert data["summary"]["asked"] == 2
    gone = named(data, "gone1")
    assert (gone["live"]["state"], gone["rules_from"], gone["state"]) == ("unreachable", "policies", "present")

    host = named(data, "web1")
    assert (host["live"]["state"], host["rules_from"]) == ("read", "kernel")
    assert host["live"]["drift"]["state"] == "changed"
    assert any("byhand" in one for one in host["live"]["drift"]["foreign"])
    rules = [data["rules"][number] for number in data["rule_lists"][host["rules"]]]
    assert [rule["name"] for rule in rules if rule["stage"] == "assigned"] == ["ssh[0]", "web[0]", "web[1]"]
    position = [rule["name"] for rule in rules].index("ssh[0]")
    assert (host["packets"][position], position in host["never_hit"]) == (0, True)
    # The policy of the host and that of the report are the same, so the report knows the ports.
    assert rules[position]["ports"] == [["tcp", 22, 22]]
    assert named(data, "proxy1")["live"]["wanted"] == {"equal": True, "changes": []}


def test_a_limit_and_variables_that_are_wrong(fleet: Fleet) -> None:
    fleet.add("web1", "192.0.2.1", ["proxies"])
    fleet.add("web2", "192.0.2.2", firewall_assigned=["shh"])
    fleet.add("web3", "192.0.2.3", ["proxies"])
    fleet.write("group_vars/all.yml", POLICIES)
    run, data = report(fleet, "-e", "palisade_live=false", "--limit", "web1,web2")
    assert [one["name"] for one in data["hosts"]] == ["web1", "web2"]
    assert run.executions == {"web1": 0, "web2": 0, "web3": 0}
    wrong = named(data, "web2")
    assert wrong["state"] == "invalid"
    assert "the policy 'shh' is not in firewall_policies" in wrong["problems"][0]["message"]
    # Groups are those of the hosts in the report.
    assert [(one["name"], one["hosts"]) for one in data["groups"]] == [("proxies", [0]), ("ungrouped", [1])]


def test_a_page_that_is_there_keeps_its_permissions_and_a_check_writes_nothing(fleet: Fleet) -> None:
    fleet.add("web1", "192.0.2.1", ["proxies"])
    fleet.write("group_vars/all.yml", POLICIES)
    page = fleet.folder / "out" / "firewalls.html"
    run = fleet.run(
        "palisade.nftables.report",
        "-e",
        "palisade_live=false",
        "-e",
        "palisade_report=%s" % (fleet.folder / "x.html"),
        "--check",
    )
    assert run.status == 0, run.output
    assert not (fleet.folder / "x.html").exists()
    report(fleet, "-e", "palisade_live=false")
    page.chmod(0o640)
    report(fleet, "-e", "palisade_live=false")
    assert stat.S_IMODE(page.stat().st_mode) == 0o640


def test_a_folder_that_is_not_there(fleet: Fleet) -> None:
    fleet.add("web1", "192.0.2.1", ["proxies"])
    fleet.write("group_vars/all.yml", POLICIES)
    path = fleet.folder / "nowhere" / "report.html"
    run = fleet.run("palisade.nftables.report", "-e", "palisade_live=false", "-e", "palisade_report=%s" % path)
    assert run.status != 0
    told = "the report cannot be written to %s: No such file or directory" % path.with_suffix(".json")
    # Once, and without the name of a file that nobody knows.
    assert run.result("web1")["msg"] == told


def test_a_path_that_is_no_file_is_refused_before_anything_is_written(fleet: Fleet) -> None:
    fleet.add("web1", "192.0.2.1", ["proxies"])
    fleet.write("group_vars/all.yml", POLICIES)
    (fleet.folder / "page").mkdir()
    run = fleet.run("palisade.nftables.report", "-e", "palisade_live=false", "-e", "palisade_report=page")
    assert run.result("web1")["msg"] == "the report cannot be written to %s: Is a directory" % (fleet.folder / "page")
    assert not (fleet.folder / "page.json").exists()
    assert list((fleet.folder / "page").iterdir()) == []


def test_an_empty_name_is_the_usual_one(fleet: Fleet) -> None:
    fleet.add("web1", "192.0.2.1", ["proxies"])
    fleet.write("group_vars/all.yml", POLICIES)
    run = fleet.run("palisade.nftables.report", "-e", "palisade_live=false", "-e", "palisade_report=")
    assert run.status == 0, run.output
    assert (fleet.folder / "firewall-report.html").is_file()
