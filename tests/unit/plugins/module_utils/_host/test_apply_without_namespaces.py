# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole runs where no namespace can be made to try a table in."""

from __future__ import annotations

import pathlib
import stat
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host import scratch as scratch_module

from .running_machine import Machine, changed

if t.TYPE_CHECKING:
    from lab.namespaces import Host as LabHost


@pytest.fixture
def machine(network: LabHost, tmp_path: pathlib.Path) -> Machine:
    return Machine(network, tmp_path / "root")


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
