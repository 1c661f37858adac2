# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole runs, as the module makes them, on a network of the test's own with the real nft."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._core.errors import PolicyError
from ansible_collections.palisade.nftables.plugins.module_utils._host.holding import NotOursError
from ansible_collections.palisade.nftables.plugins.module_utils._host.persistence import Mode
from ansible_collections.palisade.nftables.plugins.module_utils._host.ssh_guard import CutOffError
from tests.unit.plugins.module_utils.conftest import OFFICE_AND_WEB

from .running_machine import Machine, changed

if t.TYPE_CHECKING:
    from lab.namespaces import Host as LabHost


@pytest.fixture
def machine(network: LabHost, tmp_path: pathlib.Path) -> Machine:
    return Machine(network, tmp_path / "root")


# Present


def test_a_first_run_loads_the_table_and_a_second_changes_nothing(machine: Machine) -> None:
    first = machine.run()
    assert first["changed"]
    assert first["changes"] == ["create the table inet palisade"]
    ruleset = machine.ruleset()
    assert ruleset.startswith("table inet palisade {")
    second = machine.run()
    assert not second["changed"]
    assert second["changes"] == []
    assert second["diff"]["before"] == second["diff"]["after"] == first["diff"]["after"]
    assert machine.ruleset() == ruleset


def test_the_result_says_what_holds(machine: Machine) -> None:
    (machine.root / "etc/resolv.conf").write_text("nameserver 192.0.2.53\n", encoding="utf-8")
    result = machine.run(variables=changed(firewall_networks={**OFFICE_AND_WEB["firewall_networks"]}))
    assert result["effective_rules"] == 4
    assert result["policies"] == ["ping", "ssh", "web"]
    words = (" accept", " drop", " goto", " jump", " vmap")
    assert result["rules"] == sum(any(word in line.replace("\t", " ") for word in words) for line in _rules(machine))
    assert result["safeguards"]["dns"] == ["192.0.2.53 port 53 (udp, tcp)"]
    assert result["safeguards"]["dhcp4"] is False
    assert result["safeguards"]["ssh"].startswith("nothing to check")
    assert result["persistence"]["state"] == "none"
    assert result["notes"] == []
    assert "# safeguard dns: 192.0.2.53 port 53 (udp, tcp)\n" in result["diff"]["after"]
    json.dumps(result)


def _rules(machine: Machine) -> t.List[str]:
    return [line for line in machine.ruleset().splitlines() if line.startswith("\t\t") and "policy accept" not in line]


def test_check_mode_touches_nothing_and_says_the_same(machine: Machine) -> None:
    files = machine.files()
    planned = machine.run(check_mode=True)
    assert machine.ruleset() == ""
    assert machine.files() == files
    assert machine.run() == planned
    planned = machine.run(variables=changed(firewall_assigned=["web"]), check_mode=True)
    assert planned["changed"]
    assert not machine.run(check_mode=True)["changed"]
    assert machine.run(variables=changed(firewall_assigned=["web"])) == planned


def test_the_diff_shows_rules_and_counts(machine: Machine) -> None:
    machine.run(variables=changed(firewall_layout="ordered"))
    name = machine.set_name()
    result = machine.run(variables=changed(firewall_assigned=["web"], firewall_layout="ordered"))
    before, after = result["diff"]["before"], result["diff"]["after"]
    assert before.startswith("# rules: 48, sets: 2, elements: 5\n")
    assert after.startswith("# rules: 44, sets: 1, elements: 3, effective rules: 1\n")
    assert 'comment "ssh[0]"' in before
    assert 'comment "ssh[0]"' not in after
    assert result["changes"] == [
        "change the chains ingress, published",
        "remove the counter policy/ssh/0",
        "remove the set %s" % name,
    ]


def test_the_order_in_which_things_were_added_makes_no_difference(machine: Machine) -> None:
    machine.run(variables=changed(firewall_assigned=["web"]))
    machine.run()
    assert not machine.run()["changed"]


def test_every_problem_of_the_variables_is_told_and_nothing_is_touched(machine: Machine) -> None:
    machine.run()
    ruleset, files = machine.ruleset(), machine.files()
    with pytest.raises(PolicyError) as caught:
        machine.run(variables=changed(firewall_assigned=["nothing"], firewall_default_ingress="perhaps"))
    assert len(caught.value.problems) == 2
    assert (machine.ruleset(), machine.files()) == (ruleset, files)


def test_groups_are_resolved(machine: Machine) -> None:
    policies = {
        "db": {
            "rules": [{"direction": "ingress", "service": "postgresql", "sources": ["group:web"], "action": "accept"}]
        }
    }
    machine.run(
        variables={"firewall_policies": policies, "firewall_assigned": ["db"]}, groups={"web": ["198.51.100.20"]}
    )
    assert "ip saddr 198.51.100.20 tcp dport 5432" in machine.ruleset()


def test_counters_survive_a_change(machine: Machine) -> None:
    machine.run()
    machine.network.nft("delete table inet palisade\n")
    text = machine.run(check_mode=True)["diff"]["after"]
    machine.network.nft(text.replace("counter policy/web/0 {\n", "counter policy/web/0 {\n\t\tpackets 5 bytes 300\n"))
    assert machine.run(variables=changed(firewall_assigned=["web"]))["changed"]
    assert "packets 5 bytes 300" in machine.network.run(["nft", "list", "counters"]).stdout


# Drift and strangers


@pytest.mark.parametrize(
    ("command", "change"),
    [
        ("insert rule inet palisade input tcp dport 23 accept", "change the chain input"),
        ("add element inet palisade %(set)s { 192.0.2.99 }", "repair the set %(set)s"),
        (
            "add chain inet palisade extra { type filter hook forward priority 0; policy drop; }",
            "remove the chain extra",
        ),
        ("delete table inet palisade", "create the table inet palisade"),
        (
            "add table inet palisade { flags dormant; }",
            "replace the table inet palisade as a whole, because the table itself was altered: flags dormant",
        ),
    ],
)
def test_what_a_hand_did_is_found_named_and_repaired(machine: Machine, command: str, change: str) -> None:
    after = machine.run()["diff"]["after"]
    names = {"set": machine.set_name()}
    machine.network.nft(command % names + "\n")
    result = machine.run()
    assert result["changes"] == [change % names]
    assert result["warnings"] == []
    again = machine.run()
    assert not again["changed"]
    assert again["diff"]["before"] == after


FOREIGN = """\
table inet filter {
	set theirs {
		type ipv4_addr
		elements = { 192.0.2.1 }
	}

	chain input {
		type filter hook input priority filter; policy accept;
		ip saddr @theirs accept
	}
}
table ip palisade {
	chain x {
	}
}
"""


def test_tables_of_others_are_not_touched(machine: Machine) -> None:
    machine.network.nft(FOREIGN)
    before = machine.ruleset()
    machine.run()
    assert machine.ruleset().startswith(before)
    machine.run(variables=changed(firewall_assigned=["web"]))
    assert machine.ruleset().startswith(before)
    machine.run(state="absent")
    assert machine.ruleset() == before


@pytest.mark.parametrize("state", ["present", "absent"])
@pytest.mark.parametrize("check_mode", [False, True])
def test_a_table_of_our_name_that_we_did_not_make_is_refused(machine: Machine, state: str, check_mode: bool) -> None:
    machine.boot_systemd()
    machine.network.nft("table inet palisade {\n\tchain input {\n\t\tcounter\n\t}\n}\n")
    before = machine.ruleset()
    with pytest.raises(NotOursError):
        machine.run(state=state, check_mode=check_mode)
    assert machine.ruleset() == before
    assert [name for name in machine.files() if "palisade" in name and not name.startswith("run/")] == []


def test_neighbours_are_warned_about(machine: Machine) -> None:
    machine.network.nft("table ip strict {\n\tchain c {\n\t\ttype filter hook input priority 5; policy drop;\n\t}\n}\n")
    warnings = machine.run()["warnings"]
    assert len(warnings) == 1
    assert "'ip strict' refuses packets as well" in warnings[0]


def test_warnings_of_the_policy_are_passed_on(machine: Machine) -> None:
    policies = {"db": {"rules": [{"direction": "ingress", "sources": ["group:empty"], "action": "accept"}]}}
    result = machine.run(variables={"firewall_policies": policies, "firewall_assigned": ["db"]}, groups={"empty": []})
    assert any("empty" in warning for warning in result["warnings"])


# The way in


def test_a_run_that_would_cut_itself_off_is_refused_before_anything_is_touched(machine: Machine) -> None:
    machine.environ["SSH_CONNECTION"] = "192.0.2.99 51234 192.0.2.10 22"
    machine.boot_systemd()
    before = machine.files()
    with pytest.raises(CutOffError, match="dropped by the default action"):
        machine.run(connection="ssh")
    assert machine.ruleset() == ""
    assert machine.files() == before
    machine.environ["SSH_CONNECTION"] = "198.51.100.7 51234 192.0.2.10 22"
    assert machine.run(connection="ssh", persist=Mode.FALSE)["safeguards"]["ssh"].startswith("checked")
