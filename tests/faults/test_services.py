# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""systemctl and systemd-run that fail or hang under a run: the old state or the new one, and the next run heals."""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host.boot import WANTS
from lab.namespaces import Lab
from lab.reexec import in_user_namespace

from .machine import Machine
from .target import LONG_TIMEOUT, NEW, OLD, TIMEOUT

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or in_user_namespace(), reason="a host with files of its own where they belong takes root"
)

_FAILS, _HANGS = "echo 'Failed to connect to bus' >&2; exit 1\n", "exec sleep 600\n"


@pytest.fixture(name="machine")
def fixture_machine(tmp_path: pathlib.Path) -> t.Iterator[Machine]:
    with Lab() as lab:
        yield Machine(lab.host("host"), tmp_path / "bin", WANTS)


def _only(words: str, script: str) -> str:
    """The script for those calls alone whose arguments have these words."""
    return 'case "$*" in *"%s"*) %s;; esac\n' % (words, script.strip())


def test_without_a_fault_a_change_is_confirmed_or_taken_back(machine: Machine) -> None:
    """The programs that stand in for systemd's are fit for what follows."""
    assert machine.run(OLD, path=machine.path).returncode == 0
    old = machine.state()
    assert old.boot
    token = machine.begin(NEW, path=machine.path, timeout=LONG_TIMEOUT)
    assert machine.waits()
    done = machine.run(NEW, phase="confirm", token=token, path=machine.path)
    assert done.returncode == 0, done.stdout
    new = machine.state()
    assert (new.kernel != old.kernel, new.boot != old.boot, machine.strays()) == (True, True, [])
    machine.begin(OLD, path=machine.path)
    machine.await_timer()
    assert machine.state() == new


@pytest.mark.parametrize("script", [_FAILS, _HANGS], ids=["fails", "hangs"])
@pytest.mark.parametrize("name", ["systemd-run", "systemctl"])
def test_without_a_timer_nothing_changes(machine: Machine, name: str, script: str) -> None:
    assert machine.run(OLD, path=machine.path).returncode == 0
    old = machine.state()
    # systemctl only forgets a timer of before, which may fail: there is none.
    machine.goes_wrong(name, script)
    done = machine.run(NEW, phase="begin", path=machine.path, seconds=1)
    if (name, script) == ("systemctl", _FAILS):
        assert done.returncode == 0, done.stdout
        machine.works()
        machine.await_timer()
    else:
        assert done.returncode == 1, done.stdout
        assert ("did not end within 1 seconds" if script == _HANGS else "no timer could be set") in json.loads(
            done.stdout
        )["failed"]
        assert not machine.waits()
        assert machine.strays() == []
    assert machine.state() == old
    machine.works()
    assert machine.run(OLD, path=machine.path).returncode == 0
    assert machine.state() == old
    machine.await_no_strays()


@pytest.mark.parametrize("script", [_FAILS, _HANGS], ids=["fails", "hangs"])
def test_a_timer_that_cannot_be_stopped_finds_nothing_to_take_back(machine: Machine, script: str) -> None:
    assert machine.run(OLD, path=machine.path).returncode == 0
    old = machine.state()
    token = machine.begin(NEW, path=machine.path)
    machine.goes_wrong("systemctl", _only("stop palisade-take-back.timer", script))
    done = machine.run(NEW, phase="confirm", token=token, path=machine.path, seconds=1)
    assert done.returncode == 0, done.stdout
    new = machine.state()
    assert (new.kernel != old.kernel, new.boot != old.boot) == (True, True)
    # The timer runs out, and changes nothing.
    machine.await_no_strays()
    assert machine.state() == new


@pytest.mark.parametrize("phase", ["at_once", "confirm"])
@pytest.mark.parametrize("script", [_FAILS, _HANGS], ids=["fails", "hangs"])
@pytest.mark.parametrize("call", ["daemon-reload", "enable palisade.service"])
def test_a_unit_that_cannot_be_set_up_is_said_and_set_up_by_the_next_run(
    machine: Machine, call: str, script: str, phase: str
) -> None:
    token = machine.begin(NEW, path=machine.path, timeout=LONG_TIMEOUT) if phase == "confirm" else ""
    machine.goes_wrong("systemctl", _only(call, script))
    done = machine.run(NEW, phase=phase, token=token, path=machine.path, seconds=1)
    assert done.returncode == 1, done.stdout
    assert "what loads it at boot is not in step with it" in json.loads(done.stdout)["failed"]
    state = machine.state()
    machine.works()
    healed = machine.run(NEW, path=machine.path)
    assert (healed.returncode, json.loads(healed.stdout)["changed"]) == (0, True), healed.stdout
    assert machine.state() == state
    assert os.path.lexists("%s%s" % (machine.root, WANTS))
    again = machine.run(NEW, path=machine.path)
    assert json.loads(again.stdout)["changed"] is False
    machine.await_no_strays()


@pytest.mark.parametrize("script", [_FAILS, _HANGS], ids=["fails", "hangs"])
def test_unit_files_that_systemd_could_not_read_are_read_in_the_next_run(machine: Machine, script: str) -> None:
    assert machine.run(OLD, path=machine.path).returncode == 0
    # Somebody edited it: only the file differs, and the link that enables it is there.
    unit = machine.root / "etc/systemd/system/palisade.service"
    wanted = unit.read_text(encoding="utf-8")
    unit.write_text(wanted + "# edited\n", encoding="utf-8")
    machine.goes_wrong("systemctl", _only("daemon-reload", script))
    assert machine.run(OLD, path=machine.path, seconds=1).returncode == 1
    assert unit.read_text(encoding="utf-8") == wanted
    machine.goes_wrong("systemctl", _only("daemon-reload", "touch /run/was-read"))
    healed = machine.run(OLD, path=machine.path)
    assert (healed.returncode, json.loads(healed.stdout)["changed"]) == (0, True), healed.stdout
    assert (machine.root / "run/was-read").exists()
    assert json.loads(machine.run(OLD, path=machine.path).stdout)["changed"] is False
    machine.await_no_strays()


def test_whether_a_timer_runs_that_cannot_be_asked_for_it_is_taken_to_run(machine: Machine) -> None:
    assert machine.run(OLD, path=machine.path).returncode == 0
    old = machine.state()
    machine.begin(NEW, path=machine.path)
    waiting = machine.state()
    machine.goes_wrong("systemctl", _only("is-active", _HANGS))
    done = machine.run(OLD, path=machine.path, seconds=TIMEOUT / 10)
    assert done.returncode == 1, done.stdout
    assert machine.state() in (waiting, old)
    machine.await_timer()
    assert machine.state() == old
