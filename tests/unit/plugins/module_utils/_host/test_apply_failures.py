# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole runs in which nft fails, or others change something at the same time."""

from __future__ import annotations

import concurrent.futures
import os
import pathlib
import shutil
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host import loading as loading_module
from ansible_collections.palisade.nftables.plugins.module_utils._host.loading import ApplyError
from tests.unit.plugins.module_utils.conftest import OFFICE_AND_WEB

from .running_machine import Machine, changed

if t.TYPE_CHECKING:
    from lab.namespaces import Host as LabHost


@pytest.fixture
def machine(network: LabHost, tmp_path: pathlib.Path) -> Machine:
    return Machine(network, tmp_path / "root")


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
