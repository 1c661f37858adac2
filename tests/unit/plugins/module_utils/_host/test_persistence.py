# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What loads the ruleset at boot, with the real systemctl on a root of its own."""

from __future__ import annotations

import configparser
import os
import pathlib
import shutil
import stat
import subprocess
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host.boot import (
    LOADED,
    RULESET,
    SAFEGUARD,
    SAFEGUARD_UNIT,
    UNIT,
    boot_notice,
)
from ansible_collections.palisade.nftables.plugins.module_utils._host.files import FileError, Files
from ansible_collections.palisade.nftables.plugins.module_utils._host.nftables_service import DROP_IN
from ansible_collections.palisade.nftables.plugins.module_utils._host.persistence import (
    RECORD,
    Mode,
    PersistenceError,
    PersistencePlan,
    apply_persistence,
    plan_absence,
    plan_persistence,
    remove_everything,
    write_record,
)

TEXT = "table inet palisade {\n}\n"
NFT = "/usr/sbin/nft"
NFTABLES_SERVICE = "/usr/lib/systemd/system/nftables.service"
SERVICE_TEXT = "[Service]\nExecStart=/usr/sbin/nft -f /etc/nftables.conf\nExecStop=/usr/sbin/nft flush ruleset\n"
WANTS = "/etc/systemd/system/sysinit.target.wants/palisade.service"

needs_systemctl = pytest.mark.skipif(
    shutil.which("systemctl") is None, reason="systemctl, with which units are enabled, is not installed here"
)


@pytest.fixture
def plain(tmp_path: pathlib.Path) -> Files:
    """A host without systemd."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "run").mkdir()
    return Files(str(tmp_path))


@pytest.fixture
def booted(plain: Files) -> Files:
    """A host that runs systemd."""
    os.makedirs(plain.locate("/run/systemd/system"))
    os.makedirs(plain.locate("/etc/systemd/system"))
    _write(plain, NFTABLES_SERVICE, SERVICE_TEXT)
    return plain


def _write(files: Files, path: str, text: str) -> None:
    located = pathlib.Path(files.locate(path))
    located.parent.mkdir(parents=True, exist_ok=True)
    located.write_text(text, encoding="utf-8")


def _plan(files: Files, mode: Mode = Mode.AUTO, text: str = TEXT, nft: str = NFT) -> PersistencePlan:
    return plan_persistence(files, mode, text, nft)


def _tree(files: Files) -> t.List[str]:
    root = pathlib.Path(files.locate(""))
    found = [path for path in root.rglob("*") if not path.is_dir() or path.is_symlink()]
    return sorted(str(path.relative_to(root)) for path in found if not str(path).endswith(NFTABLES_SERVICE))


@needs_systemctl
@pytest.mark.parametrize("mode", [Mode.AUTO, Mode.TRUE])
def test_the_ruleset_is_saved_and_the_unit_enabled(booted: Files, mode: Mode) -> None:
    plan = _plan(booted, mode)
    assert plan.state == "systemd"
    assert len(plan.changes) == 7
    assert _tree(booted) == []
    apply_persistence(booted, plan)
    assert booted.read(RULESET) == TEXT
    assert booted.link(WANTS) == UNIT
    assert booted.link(LOADED) == RULESET
    modes = {
        path: stat.S_IMODE(os.stat(booted.locate(path)).st_mode)
        for path in (RULESET, SAFEGUARD, os.path.dirname(RULESET), os.path.dirname(LOADED), UNIT, DROP_IN)
    }
    assert list(modes.values()) == [0o600, 0o600, 0o700, 0o700, 0o644, 0o644]
    assert _plan(booted, mode).changes == ()


@needs_systemctl
def test_the_link_that_enables_the_unit_survives_a_power_cut(booted: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """The link is made by systemctl, in a folder that it may have to make as well, and flushes neither."""
    apply_persistence(booted, _plan(booted))
    os.unlink(booted.locate(WANTS))
    os.rmdir(os.path.dirname(booted.locate(WANTS)))
    flushed = []
    fsync = os.fsync

    def note(descriptor: int) -> None:
        fsync(descriptor)
        if booted.link(WANTS) is not None:
            flushed.append(os.readlink("/proc/self/fd/%d" % descriptor))

    monkeypatch.setattr(os, "fsync", note)
    apply_persistence(booted, _plan(booted))
    folder = os.path.dirname(booted.locate(WANTS))
    assert flushed == [folder, os.path.dirname(folder)]


@needs_systemctl
def test_what_is_in_place_costs_no_process(booted: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    apply_persistence(booted, _plan(booted))

    def refuse(*_arguments: t.Any, **_options: t.Any) -> t.NoReturn:
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    apply_persistence(booted, _plan(booted))


@needs_systemctl
@pytest.mark.parametrize("damaged", [RULESET, SAFEGUARD, UNIT, SAFEGUARD_UNIT, DROP_IN, WANTS, LOADED, "mode"])
def test_each_part_is_repaired(booted: Files, damaged: str) -> None:
    apply_persistence(booted, _plan(booted))
    paths = (RULESET, SAFEGUARD, UNIT, SAFEGUARD_UNIT, DROP_IN)
    before = {path: booted.read(path) for path in paths}
    if damaged in (WANTS, LOADED):
        os.unlink(booted.locate(damaged))
    elif damaged == "mode":
        os.chmod(booted.locate(RULESET), 0o644)
    else:
        _write(booted, damaged, "table inet x {\n}\n")
    plan = _plan(booted)
    assert len(plan.changes) == 1
    apply_persistence(booted, plan)
    assert {path: booted.read(path) for path in paths} == before
    assert (booted.link(WANTS), booted.link(LOADED)) == (UNIT, RULESET)
    assert _plan(booted).changes == ()


@needs_systemctl
def test_another_nft_makes_another_unit(booted: Files) -> None:
    apply_persistence(booted, _plan(booted))
    changes = _plan(booted, nft="/usr/local/sbin/nft").changes
    assert changes == ("write the unit %s" % SAFEGUARD_UNIT, "write the unit %s" % UNIT)


@needs_systemctl
def test_another_safeguard_set_is_saved_alone(booted: Files) -> None:
    apply_persistence(booted, _plan(booted))
    plan = plan_persistence(booted, Mode.AUTO, TEXT, NFT, "table inet other {\n}\n")
    assert len(plan.changes) == 1
    apply_persistence(booted, plan)
    assert booted.read(SAFEGUARD) == "table inet other {\n}\n"


def test_unless_told_otherwise_the_safeguard_set_lets_in_to_sshd(booted: Files) -> None:
    _write(booted, "/etc/ssh/sshd_config", "Port 2222\n")
    (text,) = [file.text for file in _plan(booted).files if file.path == SAFEGUARD]
    assert "tcp dport 2222 accept" in text


@needs_systemctl
def test_the_drop_in_follows_the_unit_that_it_is_for(booted: Files) -> None:
    apply_persistence(booted, _plan(booted))
    os.unlink(booted.locate(NFTABLES_SERVICE))
    plan = _plan(booted)
    assert plan.changes == ("remove %s" % DROP_IN,)
    apply_persistence(booted, plan)
    assert not booted.exists(os.path.dirname(DROP_IN))
    assert _plan(booted).changes == ()
    _write(booted, NFTABLES_SERVICE, "[Service]\nExecStart=/usr/local/sbin/load-rules\n")
    plan = _plan(booted)
    assert len(plan.changes) == 1
    assert "gone for an instant" in plan.note
    apply_persistence(booted, plan)
    assert "ExecStopPost=-%s" % NFT in (booted.read(DROP_IN) or "")


@needs_systemctl
def test_the_run_after_a_failed_boot_says_so_once(booted: Files) -> None:
    apply_persistence(booted, _plan(booted))
    assert boot_notice(booted) == ""
    # As the unit of the safeguard does.
    booted.write_link(LOADED, SAFEGUARD)
    assert boot_notice(booted).startswith("%s could not be loaded at boot" % RULESET)
    plan = _plan(booted)
    assert len(plan.changes) == 1
    apply_persistence(booted, plan)
    assert boot_notice(booted) == ""


def test_without_systemd_nothing_is_saved_and_the_note_says_so(plain: Files) -> None:
    plan = _plan(plain)
    assert (plan.state, plan.changes) == ("none", ())
    assert "does not run systemd" in plan.note
    apply_persistence(plain, plan)
    assert _tree(plain) == []


def test_asked_for_without_systemd_it_fails(plain: Files) -> None:
    with pytest.raises(PersistenceError, match="firewall_persist is true, and this host does not run systemd"):
        _plan(plain, Mode.TRUE)
    assert _tree(plain) == []


@needs_systemctl
def test_switched_off_everything_goes(booted: Files) -> None:
    apply_persistence(booted, _plan(booted))
    plan = _plan(booted, Mode.FALSE)
    assert plan.state == "none"
    assert len(plan.changes) == 7
    apply_persistence(booted, plan)
    assert _tree(booted) == []
    for folder in (RULESET, LOADED, DROP_IN):
        assert not booted.exists(os.path.dirname(folder))
    assert _plan(booted, Mode.FALSE).changes == ()


def test_switched_off_where_nothing_was_changes_nothing(booted: Files) -> None:
    assert _plan(booted, Mode.FALSE).changes == ()


@needs_systemctl
@pytest.mark.parametrize("missing", [RULESET, SAFEGUARD, UNIT, SAFEGUARD_UNIT, DROP_IN, LOADED, WANTS, RECORD])
def test_absence_is_reached_from_parts(booted: Files, missing: str) -> None:
    apply_persistence(booted, _plan(booted))
    write_record(booted, "{}\n")
    os.unlink(booted.locate(missing))
    assert len(plan_absence(booted)) == 7
    remove_everything(booted)
    assert _tree(booted) == []
    assert plan_absence(booted) == ()
    remove_everything(booted)


@needs_systemctl
def test_absence_leaves_what_others_put_there(booted: Files) -> None:
    apply_persistence(booted, _plan(booted))
    theirs = ["etc/palisade/theirs", "etc/systemd/system/%s.d/a.conf" % "nftables.service", "run/palisade/theirs"]
    for path in theirs:
        _write(booted, "/" + path, "")
    remove_everything(booted)
    assert _tree(booted) == theirs


def test_absence_works_where_systemd_is_gone(plain: Files) -> None:
    os.makedirs(plain.locate(os.path.dirname(WANTS)))
    os.makedirs(plain.locate("/etc/palisade"))
    pathlib.Path(plain.locate(UNIT)).write_text("", encoding="utf-8")
    os.symlink(UNIT, plain.locate(WANTS))
    remove_everything(plain)
    assert _tree(plain) == []


def test_a_link_in_place_of_the_ruleset_stops_before_anything_is_touched(booted: Files) -> None:
    os.makedirs(booted.locate("/etc/palisade"))
    os.symlink("/etc/passwd", booted.locate(RULESET))
    with pytest.raises(FileError, match="symbolic link"):
        _plan(booted)


def _unit(files: Files, path: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # the documented way to keep letter case
    parser.read_string(files.read(path) or "")
    return parser


@needs_systemctl
@pytest.mark.parametrize("path", [UNIT, SAFEGUARD_UNIT])
def test_the_units_load_before_the_network_and_never_unload(booted: Files, path: str) -> None:
    apply_persistence(booted, _plan(booted))
    unit = _unit(booted, path)
    assert [key for key in unit["Service"] if key.startswith("ExecStop")] == []
    assert "network-pre.target" in unit["Unit"]["Before"].split()
    assert "network-pre.target" in unit["Unit"]["Wants"].split()
    assert "nftables.service" in unit["Unit"]["After"].split()
    assert unit["Unit"]["DefaultDependencies"] == "no"
    assert unit["Service"]["CapabilityBoundingSet"] == "CAP_NET_ADMIN"


@needs_systemctl
def test_a_failure_starts_the_safeguard_again_and_again(booted: Files) -> None:
    apply_persistence(booted, _plan(booted))
    unit, safeguard = _unit(booted, UNIT), _unit(booted, SAFEGUARD_UNIT)
    assert unit["Unit"]["OnFailure"] == os.path.basename(SAFEGUARD_UNIT)
    assert os.path.basename(UNIT) in safeguard["Unit"]["After"].split()
    # One that remained active would not be started a second time.
    assert "RemainAfterExit" not in safeguard["Service"]


@needs_systemctl
def test_systemd_finds_no_fault_with_the_unit(booted: Files) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze, which reads units, is not installed here")
    apply_persistence(booted, _plan(booted, nft=shutil.which("true") or "/bin/true"))
    units = [booted.locate(path) for path in (UNIT, SAFEGUARD_UNIT)]
    done = subprocess.run([analyze, "verify", *units], capture_output=True, text=True, check=False)
    about_ours = [line for line in done.stderr.splitlines() if "palisade" in line and "Failed to connect" not in line]
    assert about_ours == []


@needs_systemctl
def test_a_systemctl_that_fails_is_quoted(
    booted: Files, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("bin")
    (folder / "systemctl").write_text("#!/bin/sh\necho 'no way' >&2\nexit 1\n", encoding="utf-8")
    (folder / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", "%s:%s" % (folder, os.environ["PATH"]))
    with pytest.raises(PersistenceError, match=r"systemctl enable palisade\.service failed: no way"):
        apply_persistence(booted, _plan(booted))
