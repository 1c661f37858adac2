# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole runs, as the module makes them, on a network of the test's own with the real nft."""

from __future__ import annotations

import concurrent.futures
import json
import os
import pathlib
import shutil
import stat
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._core.errors import PolicyError
from ansible_collections.palisade.nftables.plugins.module_utils._host import loading as loading_module
from ansible_collections.palisade.nftables.plugins.module_utils._host import scratch as scratch_module
from ansible_collections.palisade.nftables.plugins.module_utils._host.apply import run
from ansible_collections.palisade.nftables.plugins.module_utils._host.errors import HostError
from ansible_collections.palisade.nftables.plugins.module_utils._host.holding import NotOursError
from ansible_collections.palisade.nftables.plugins.module_utils._host.loading import ApplyError
from ansible_collections.palisade.nftables.plugins.module_utils._host.nft import NftMissingError
from ansible_collections.palisade.nftables.plugins.module_utils._host.options import Host, Options, Result
from ansible_collections.palisade.nftables.plugins.module_utils._host.persistence import Mode
from ansible_collections.palisade.nftables.plugins.module_utils._host.ssh_guard import CutOffError
from tests.unit.plugins.module_utils.conftest import OFFICE_AND_WEB

if t.TYPE_CHECKING:
    from lab.namespaces import Host as LabHost

HAVE_SYSTEMCTL = shutil.which("systemctl") is not None


class Machine:
    """A lab host's network, and a file system below a folder of the test."""

    def __init__(self, network: LabHost, root: pathlib.Path) -> None:
        self.network = network
        self.root = root
        self.search_path: t.Optional[str] = None
        self.environ: t.Dict[str, str] = {}
        for folder in ("etc/systemd/system", "run"):
            (root / folder).mkdir(parents=True)

    def boot_systemd(self) -> None:
        (self.root / "run/systemd/system").mkdir(parents=True)

    def run(self, **options: t.Any) -> Result:
        options.setdefault("variables", OFFICE_AND_WEB)
        options.setdefault("connection", "podman")
        host = Host(str(self.root), self.search_path, self.environ)
        return self.network.call(run, Options(**options), host)

    def ruleset(self) -> str:
        return self.network.run(["nft", "-s", "list", "ruleset"]).stdout

    def files(self) -> t.Dict[str, str]:
        """Every file and link below the root, with what it holds."""
        return {
            str(path.relative_to(self.root)): os.readlink(path) if path.is_symlink() else path.read_text("utf-8")
            for path in sorted(self.root.rglob("*"))
            if path.is_symlink() or path.is_file()
        }

    def set_name(self) -> str:
        return next(line.split()[1] for line in self.ruleset().splitlines() if line.strip().startswith("set ip_office"))


@pytest.fixture
def machine(network: LabHost, tmp_path: pathlib.Path) -> Machine:
    return Machine(network, tmp_path / "root")


def changed(**variables: t.Any) -> t.Dict[str, t.Any]:
    return {**OFFICE_AND_WEB, **variables}


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


# Persistence


@pytest.mark.skipif(not HAVE_SYSTEMCTL, reason="systemctl, with which units are enabled, is not installed here")
def test_the_saved_ruleset_makes_the_same_table_at_boot(machine: Machine) -> None:
    machine.boot_systemd()
    result = machine.run(persist=Mode.TRUE)
    assert result["persistence"]["state"] == "systemd"
    saved = machine.root / "etc/palisade/ruleset.nft"
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    machine.network.nft("flush ruleset\n")
    for _boot in range(2):
        machine.network.run(["nft", "-f", str(saved)])
        assert not machine.run(persist=Mode.TRUE)["changed"]


@pytest.mark.skipif(not HAVE_SYSTEMCTL, reason="systemctl, with which units are enabled, is not installed here")
def test_a_change_is_saved_with_it(machine: Machine) -> None:
    machine.boot_systemd()
    machine.run()
    saved = machine.root / "etc/palisade/ruleset.nft"
    before = saved.read_text(encoding="utf-8")
    result = machine.run(variables=changed(firewall_assigned=["web"]))
    assert "save the ruleset as /etc/palisade/ruleset.nft" in result["changes"]
    assert saved.read_text(encoding="utf-8") != before
    machine.run()
    assert saved.read_text(encoding="utf-8") == before


def test_persistence_that_cannot_be_is_refused_before_anything_is_touched(machine: Machine) -> None:
    before = machine.files()
    with pytest.raises(HostError, match="does not run systemd"):
        machine.run(persist=Mode.TRUE)
    assert machine.ruleset() == ""
    assert machine.files() == before


@pytest.mark.skipif(not HAVE_SYSTEMCTL, reason="systemctl, with which units are enabled, is not installed here")
def test_files_that_cannot_be_written_are_told_and_the_next_run_goes_on(machine: Machine) -> None:
    machine.boot_systemd()
    shutil.rmtree(machine.root / "etc/systemd")
    with pytest.raises(ApplyError, match="the ruleset is in force, but what loads it at boot is not in step with it"):
        machine.run()
    assert "table inet palisade" in machine.ruleset()
    (machine.root / "etc/systemd/system").mkdir(parents=True)
    assert machine.run()["changed"]
    assert not machine.run()["changed"]


# Absent


@pytest.mark.skipif(not HAVE_SYSTEMCTL, reason="systemctl, with which units are enabled, is not installed here")
def test_absent_removes_everything_of_ours_and_is_idempotent(machine: Machine) -> None:
    machine.boot_systemd()
    before = machine.files()
    machine.run()
    planned = machine.run(state="absent", check_mode=True)
    assert "table inet palisade" in machine.ruleset()
    assert machine.run(state="absent") == planned
    assert machine.ruleset() == ""
    assert {name: text for name, text in machine.files().items() if name != "run/palisade.lock"} == before
    again = machine.run(state="absent")
    assert not again["changed"]
    assert again["changes"] == []


def test_absent_works_from_parts_and_without_nft(
    machine: Machine, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ansible_collections.palisade.nftables.plugins.module_utils._host.command._SYSTEM_FOLDERS", ())
    machine.search_path = str(tmp_path)
    (machine.root / "etc/palisade").mkdir()
    (machine.root / "etc/palisade/ruleset.nft").write_text("", encoding="utf-8")
    result = machine.run(state="absent")
    assert result["changes"] == ["remove /etc/palisade/ruleset.nft"]
    assert result["notes"] == ["nft is not installed: no table was looked for"]
    assert not (machine.root / "etc/palisade").exists()


def test_present_without_nft_is_refused(
    machine: Machine, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ansible_collections.palisade.nftables.plugins.module_utils._host.command._SYSTEM_FOLDERS", ())
    machine.search_path = str(tmp_path)
    with pytest.raises(NftMissingError, match="install the package nftables"):
        machine.run()


# Failures


def _failing_nft(folder: pathlib.Path, failing: int) -> str:
    """An nft whose ``failing``-th load in the host's own network fails; the others are real."""
    folder.mkdir()
    script = folder / "nft"
    script.write_text(
        "#!/bin/sh\n"
        "real=%(real)s\n"
        'if [ "$1 $2" = "-f -" ] && [ "$(readlink /proc/self/ns/net)" = "$(cat %(folder)s/network)" ]; then\n'
        "    echo x >> %(folder)s/loads\n"
        '    if [ "$(wc -l < %(folder)s/loads)" = %(failing)d ]; then\n'
        '        echo "Error: Could not process rule: Cannot allocate memory" >&2\n'
        "        exit 1\n"
        "    fi\n"
        "fi\n"
        'exec "$real" "$@"\n' % {"real": shutil.which("nft"), "folder": folder, "failing": failing},
        encoding="utf-8",
    )
    script.chmod(0o755)
    return str(folder)


@pytest.fixture
def fail(machine: Machine, tmp_path: pathlib.Path) -> t.Callable[[int], None]:
    """Makes the n-th transaction of the next run fail."""

    def at(number: int) -> None:
        folder = tmp_path / ("failing-%d" % number)
        machine.search_path = _failing_nft(folder, number)
        network = machine.network.call(os.readlink, "/proc/thread-self/ns/net")
        (folder / "network").write_text(network + "\n", encoding="utf-8")

    return at


@pytest.mark.parametrize("number", [1, 2])
def test_a_transaction_that_fails_leaves_the_old_ruleset(
    machine: Machine, fail: t.Callable[[int], None], number: int
) -> None:
    machine.run(variables=changed(firewall_assigned=["web"]))
    before = machine.ruleset()
    fail(number)
    with pytest.raises(ApplyError, match="could not be loaded, the rules in force stay") as caught:
        machine.run()
    assert "Cannot allocate memory" in str(caught.value)
    assert machine.ruleset() == before
    machine.search_path = None
    assert machine.run()["changed"]
    assert not machine.run()["changed"]


def test_removal_that_fails_is_told_and_finished_by_the_next_run(
    machine: Machine, fail: t.Callable[[int], None]
) -> None:
    machine.run()
    fail(2)
    with pytest.raises(ApplyError, match="the new ruleset is in force, but what it no longer uses could not be"):
        machine.run(variables=changed(firewall_assigned=["web"]))
    machine.search_path = None
    again = machine.run(variables=changed(firewall_assigned=["web"]))
    assert all(change.startswith("remove the ") for change in again["changes"])
    assert not machine.run(variables=changed(firewall_assigned=["web"]))["changed"]


@pytest.mark.parametrize("number", [1, 2])
def test_a_first_load_that_fails_leaves_no_table(machine: Machine, fail: t.Callable[[int], None], number: int) -> None:
    fail(number)
    with pytest.raises(ApplyError):
        machine.run()
    assert machine.ruleset() == ""


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 6])
def test_a_repair_that_fails_midway_is_finished_by_the_next_run(
    machine: Machine, fail: t.Callable[[int], None], number: int
) -> None:
    machine.run()
    before = machine.ruleset()
    machine.network.nft("add element inet palisade %s { 192.0.2.99 }\n" % machine.set_name())
    fail(number)
    with pytest.raises(ApplyError):
        machine.run()
    machine.search_path = None
    assert machine.run()["changed"]
    assert sorted(machine.ruleset().splitlines()) == sorted(before.splitlines())
    assert not machine.run()["changed"]


def test_files_are_not_written_before_the_kernel_accepted(machine: Machine, fail: t.Callable[[int], None]) -> None:
    machine.boot_systemd()
    before = machine.files()
    fail(2)
    with pytest.raises(ApplyError):
        machine.run()
    assert {name: text for name, text in machine.files().items() if name != "run/palisade.lock"} == before


def test_a_change_by_others_at_the_same_time_is_told(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    load = loading_module.load

    def load_and_meddle(*arguments: t.Any) -> t.List[str]:
        notes: t.List[str] = load(*arguments)
        machine.network.nft("insert rule inet palisade input tcp dport 23 accept\n")
        return notes

    monkeypatch.setattr(loading_module, "load", load_and_meddle)
    assert "was changed by something else" in machine.run()["warnings"][0]
    monkeypatch.undo()
    assert machine.run()["changes"] == ["change the chain input"]


def test_runs_at_once_end_as_one_of_them(machine: Machine) -> None:
    variants = [OFFICE_AND_WEB, changed(firewall_assigned=["web"])]
    outcomes = []
    for variant in variants:
        machine.run(variables=variant)
        outcomes.append(sorted(machine.ruleset().splitlines()))
    machine.run(state="absent")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda number: machine.run(variables=variants[number % 2]), range(8)))
    assert all(result["warnings"] == [] for result in results)
    assert sorted(machine.ruleset().splitlines()) in outcomes
    assert [machine.run(variables=variant)["changed"] for variant in variants].count(False) in (0, 1)


# Where no namespace can be made


@pytest.fixture
def no_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(scratch_module, "_unshare_network", refuse)


def test_without_namespaces_runs_are_idempotent_and_repair_drift(machine: Machine, no_namespaces: None) -> None:
    assert "by the record of the last run" in machine.run(check_mode=True)["notes"][0]
    assert machine.run()["changed"]
    assert stat.S_IMODE((machine.root / "etc/palisade/applied.json").stat().st_mode) == 0o600
    assert not machine.run()["changed"]
    ruleset = machine.ruleset()
    machine.network.nft("insert rule inet palisade input tcp dport 23 accept\n")
    repaired = machine.run()
    assert repaired["changed"]
    assert "by the record of the last run" in repaired["notes"][0]
    assert machine.ruleset() == ruleset
    assert not machine.run()["changed"]
    assert machine.run(variables=changed(firewall_assigned=["web"]))["changed"]
    assert not machine.run(variables=changed(firewall_assigned=["web"]))["changed"]
    assert machine.run(state="absent")["changed"]
    assert not (machine.root / "etc/palisade").exists()


def test_without_namespaces_check_mode_keeps_no_record(machine: Machine, no_namespaces: None) -> None:
    machine.run(check_mode=True)
    assert not (machine.root / "etc/palisade").exists()
