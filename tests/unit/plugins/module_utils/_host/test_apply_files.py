# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What whole runs keep on disk, and what is left where nothing shall be."""

from __future__ import annotations

import pathlib
import shutil
import stat
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host.errors import HostError
from ansible_collections.palisade.nftables.plugins.module_utils._host.loading import ApplyError
from ansible_collections.palisade.nftables.plugins.module_utils._host.nft import NftMissingError
from ansible_collections.palisade.nftables.plugins.module_utils._host.persistence import Mode

from .running_machine import Machine, changed

if t.TYPE_CHECKING:
    from lab.namespaces import Host as LabHost

HAVE_SYSTEMCTL = shutil.which("systemctl") is not None


@pytest.fixture
def machine(network: LabHost, tmp_path: pathlib.Path) -> Machine:
    return Machine(network, tmp_path / "root")


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
