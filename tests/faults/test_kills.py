# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that are killed at a system call: the host is in the old state or the new one, and the next run heals.

``PALISADE_EVERY_FAULT=1`` (``make faults``) kills at every system call that writes, renames, starts a process or
talks to the kernel; otherwise at one in so many.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import typing as t

import pytest

from lab.namespaces import Host

from .target import LONG_TIMEOUT, NEW, OLD, State, Target

#: What changes anything: files, processes, the kernel's tables.
_CALLS = (
    "write,pwrite64,ftruncate,rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,chmod,fchmod,fchmodat,"
    "fsync,fdatasync,link,symlink,clone,clone3,fork,vfork,sendto,sendmsg,unshare,setns,kill,flock"
)
_EVERY = bool(os.environ.get("PALISADE_EVERY_FAULT"))
#: Of a sample, how far apart; a prime, so that it meets other calls in every phase.
_STEP = 1 if _EVERY else 23

RecordProperty = t.Callable[[str, object], None]

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is missing")


def _calls_of(target: Target, log: pathlib.Path, phase: str) -> t.List[t.Tuple[str, int]]:
    """The system calls of a run that is left alone, each with its number among those of its name."""
    token = target.begin(NEW, timeout=LONG_TIMEOUT) if phase == "confirm" else ""
    assert target.run(NEW, phase=phase, token=token, before=_watched(log)).returncode == 0
    return _read_calls(log)


def _watched(log: pathlib.Path) -> t.List[str]:
    return ["strace", "-qq", "-o", str(log), "-e", "trace=" + _CALLS]


def _read_calls(log: pathlib.Path) -> t.List[t.Tuple[str, int]]:
    counted: t.Dict[str, int] = {}
    found = []
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        name = line.partition("(")[0]
        if name in _CALLS.split(","):
            counted[name] = counted.get(name, 0) + 1
            found.append((name, counted[name]))
        if line.startswith('write(2, "begin'):
            # Up to here it was the interpreter's start.
            found = []
    return found


def _killed_at(name: str, number: int) -> t.List[str]:
    inject = "inject=%s:signal=SIGKILL:when=%d" % (name, number)
    return ["strace", "-qq", "-o", "/dev/null", "-e", "trace=" + name, "-e", inject]


def _states(target: Target) -> t.Tuple[State, State]:
    """The old state and the new one."""
    found = []
    for variables in (NEW, OLD):
        assert target.run(variables).returncode == 0
        found.append(target.state())
    assert found[0].kernel != found[1].kernel
    assert found[0].boot != found[1].boot
    return found[1], found[0]


@pytest.mark.parametrize("phase", ["at_once", "begin", "confirm"])
def test_a_killed_run_leaves_the_old_state_or_the_new_one(
    network: Host, tmp_path: pathlib.Path, phase: str, record_property: RecordProperty
) -> None:
    target = Target(network, tmp_path / "root")
    old, new = _states(target)
    calls = _calls_of(target, tmp_path / "log", phase)
    _settle(target, old, phase)
    assert len(calls) > _STEP
    for tried, call in enumerate(calls[::_STEP], 1):
        record_property("faults", tried)
        token = target.begin(NEW) if phase == "confirm" else ""
        done = target.run(NEW, phase=phase, token=token, before=_killed_at(*call))
        assert done.returncode != 0, call
        state = target.state()
        assert state.kernel in (old.kernel, new.kernel), (call, state.kernel)
        assert state.boot in (old.boot, new.boot), (call, state.boot)
        if phase == "confirm":
            # The controller, which heard of nothing, tries again; maybe too late.
            again = target.run(NEW, phase=phase, token=token)
            assert (again.returncode, target.state()) in ((0, new), (1, old)), (call, again.stdout, again.stderr)
            assert again.returncode == 0 or "no confirmation came within" in again.stdout, again.stdout
        _settle(target, old, phase)
    print("%s: killed at %d of %d system calls: the host was well" % (phase, len(calls[::_STEP]), len(calls)))


def _settle(target: Target, old: State, phase: str) -> None:
    """What nobody confirms any more is taken back; and the next run heals."""
    if target.waits():
        target.await_timer()
        assert target.state() == old
    healed = target.run(OLD)
    assert healed.returncode == 0, (healed.stdout, healed.stderr)
    assert target.state() == old
    target.await_no_strays()


def test_a_killed_removal_leaves_all_of_it_or_nothing_or_what_the_next_one_removes(
    network: Host, tmp_path: pathlib.Path, record_property: RecordProperty
) -> None:
    target = Target(network, tmp_path / "root")
    assert target.run(OLD).returncode == 0
    old = target.state()
    assert target.run({}, state="absent", before=_watched(tmp_path / "log")).returncode == 0
    assert target.run(OLD).returncode == 0
    calls = _read_calls(tmp_path / "log")
    assert len(calls) > _STEP
    for tried, call in enumerate(calls[::_STEP], 1):
        record_property("faults", tried)
        assert target.run({}, state="absent", before=_killed_at(*call)).returncode != 0, call
        state = target.state()
        assert state.kernel in (old.kernel, ""), (call, state.kernel)
        assert state.boot in (old.boot, ""), (call, state.boot)
        again = target.run({}, state="absent")
        assert again.returncode == 0, (call, again.stdout, again.stderr)
        left = sorted(str(path.relative_to(target.root)) for path in target.root.rglob("*") if not path.is_dir())
        assert (left, target.state()) == (["run/palisade.lock"], ("", "")), call
        assert target.run(OLD).returncode == 0
        assert target.state() == old, call
    print("absent: killed at %d of %d system calls: the host was well" % (len(calls[::_STEP]), len(calls)))


def test_what_takes_a_change_back_may_be_killed(
    network: Host, tmp_path: pathlib.Path, record_property: RecordProperty
) -> None:
    target = Target(network, tmp_path / "root")
    old, new = _states(target)
    log = tmp_path / "log"

    def begun() -> str:
        token = target.begin(NEW)
        target.kill_timer()
        return token

    assert target.take_back(begun(), before=_watched(log)).returncode == 0
    assert target.state() == old
    calls = _read_calls(log)
    for tried, call in enumerate(calls, 1):
        record_property("faults", tried)
        assert target.run(OLD).returncode == 0
        done = target.take_back(begun(), before=_killed_at(*call))
        assert done.returncode != 0, call
        state = target.state()
        assert state.kernel in (old.kernel, new.kernel), (call, state.kernel)
        assert state.boot == old.boot, call
        healed = target.run(OLD)
        assert healed.returncode == 0, (call, healed.stdout, healed.stderr)
        assert "did not stay" in healed.stdout, (call, healed.stdout)
        assert target.state() == old, call
        target.await_no_strays()
    print("taking back: killed at %d of %d system calls: the host was well" % (len(calls), len(calls)))


def test_nft_that_is_killed_leaves_the_old_state_or_the_new_one(
    network: Host, tmp_path: pathlib.Path, record_property: RecordProperty
) -> None:
    target = Target(network, tmp_path / "root")
    old, new = _states(target)
    nft = shutil.which("nft")
    folder = tmp_path / "bin"
    folder.mkdir()
    for number in range(1, 8):
        record_property("faults", number)
        wrapper = folder / "nft"
        wrapper.write_text(
            "#!/bin/sh\nexec strace -qq -o /dev/null -e trace=sendmsg,sendto,write "
            '-e inject=sendmsg,sendto,write:signal=SIGKILL:when=%d %s "$@"\n' % (number, nft),
            encoding="utf-8",
        )
        wrapper.chmod(0o755)
        target.run(NEW, path="%s:%s" % (folder, os.environ["PATH"]))
        state = target.state()
        assert state.kernel in (old.kernel, new.kernel), number
        assert target.run(OLD).returncode == 0
        assert target.state() == old, number
        target.await_no_strays()
