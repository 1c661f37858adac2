# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that fail under a run: nft that is no nft, a full disk, folders that cannot be written to."""

from __future__ import annotations

import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import time

import pytest

from lab.namespaces import Host

from .target import LONG_TIMEOUT, NEW, OLD, TIMEOUT, Target

_NFT = str(shutil.which("nft"))

#: What stands in for nft, and what is said of it.
_WRONG_NFT = {
    "fails": ("echo 'Error: Could not process rule: Device or resource busy' >&2; exit 1", "Device or resource busy"),
    "garbage": ("head -c 4096 /dev/urandom >&2; exit 3", "nft refused"),
    "is killed": ("kill -9 $$", "nft was ended by the signal 9"),
    "loads nothing the second time": (
        'case "$*" in *-f*) [ -e "$0.once" ] && exit 1; touch "$0.once";; esac; exec %s "$@"' % _NFT,
        "the rules in force stay",
    ),
}


def _path_with(folder: pathlib.Path, script: str) -> str:
    folder.mkdir()
    wrapper = folder / "nft"
    wrapper.write_text("#!/bin/sh\n%s\n" % script, encoding="utf-8")
    wrapper.chmod(0o755)
    return "%s:%s" % (folder, os.environ["PATH"])


@pytest.mark.parametrize("phase", ["at_once", "begin"])
@pytest.mark.parametrize("kind", _WRONG_NFT)
def test_nft_that_fails_changes_nothing(network: Host, tmp_path: pathlib.Path, kind: str, phase: str) -> None:
    target = Target(network, tmp_path / "root")
    assert target.run(OLD).returncode == 0
    old = target.state()
    script, words = _WRONG_NFT[kind]
    done = target.run(NEW, phase=phase, path=_path_with(tmp_path / "bin", script))
    assert done.returncode == 1, done.stdout
    assert words in json.loads(done.stdout)["failed"]
    assert target.state() == old
    assert not target.waits()
    assert target.run(OLD).returncode == 0
    assert target.state() == old
    target.await_no_strays()


#: A live load that blocks, before or after the kernel took it; loads in the scratch namespace do not.
_BLOCKING = """\
case "$*" in
    *-f*)
        if [ "$(readlink /proc/self/ns/net)" = '%(namespace)s' ]; then
            echo >>"$0.loads"
            if [ "$(wc -l <"$0.loads")" -eq %(number)d ]; then
                %(first)s
                exec sleep 600
            fi
        fi
        ;;
esac
exec %(nft)s "$@"
"""


@pytest.mark.parametrize("phase", ["at_once", "begin"])
@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("first", ["true", _NFT + ' "$@"'], ids=["before", "after"])
def test_nft_that_hangs_ends_in_a_bounded_time_and_nothing_unconfirmed_stays(
    network: Host, tmp_path: pathlib.Path, first: str, number: int, phase: str
) -> None:
    target = Target(network, tmp_path / "root")
    assert target.run(NEW).returncode == 0
    new = target.state()
    assert target.run(OLD).returncode == 0
    old = target.state()
    namespace = os.readlink("/proc/%d/ns/net" % network.pid)
    script = _BLOCKING % {"namespace": namespace, "number": number, "first": first, "nft": _NFT}
    path = _path_with(tmp_path / "bin", script)
    done = target.run(NEW, phase=phase, path=path, seconds=2)
    assert done.returncode == 1, done.stdout
    message = json.loads(done.stdout)["failed"]
    assert "did not end within 2 seconds" in message
    # Nobody knows, so nothing is claimed.
    assert "the rules in force stay" not in message
    assert "whether the kernel took" in message
    assert target.state().kernel in (old.kernel, new.kernel)
    assert target.state().boot == old.boot
    if phase == "begin":
        assert "takes it back" in message
        target.await_timer()
        assert target.state() == old
    healed = target.run(OLD)
    assert healed.returncode == 0, healed.stdout
    assert target.state() == old
    target.await_no_strays()


@pytest.mark.parametrize("first", ["true", _NFT + ' "$@"'], ids=["before", "after"])
def test_nft_that_hangs_delays_nothing_that_takes_the_change_back(
    network: Host, tmp_path: pathlib.Path, first: str
) -> None:
    """The run holds the lock, and the timer needs it: two minutes would be long after the promised time."""
    target = Target(network, tmp_path / "root")
    assert target.run(OLD).returncode == 0
    old = target.state()
    namespace = os.readlink("/proc/%d/ns/net" % network.pid)
    script = _BLOCKING % {"namespace": namespace, "number": 2, "first": first, "nft": _NFT}
    done = target.run(NEW, phase="begin", path=_path_with(tmp_path / "bin", script))
    assert done.returncode == 1, done.stdout
    assert re.search("did not end within [1-%d] seconds" % TIMEOUT, json.loads(done.stdout)["failed"])
    target.await_timer()
    assert target.state() == old
    assert target.run(OLD).returncode == 0
    target.await_no_strays()


def test_a_run_while_nft_hangs_under_another_says_who_holds_the_lock(network: Host, tmp_path: pathlib.Path) -> None:
    target = Target(network, tmp_path / "root")
    assert target.run(OLD).returncode == 0
    old = target.state()
    namespace = os.readlink("/proc/%d/ns/net" % network.pid)
    script = _BLOCKING % {"namespace": namespace, "number": 2, "first": 'echo $$ >"$0.hangs"', "nft": _NFT}
    path = _path_with(tmp_path / "bin", script)
    hangs = tmp_path / "bin" / "nft.hangs"
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        # Long enough for all that follows, on any machine; then it is ended.
        hanging = pool.submit(target.run, NEW, path=path, seconds=LONG_TIMEOUT)
        deadline = time.monotonic() + LONG_TIMEOUT
        while not hangs.exists() or not hangs.read_text(encoding="utf-8").endswith("\n"):
            assert time.monotonic() < deadline, "nft was not reached"
            time.sleep(0.02)
        done = target.run(NEW, patience=0.5)
        assert done.returncode == 1, done.stdout
        message = json.loads(done.stdout)["failed"]
        holder = re.search("process ([0-9]+) holds .*palisade.lock, for [0-9]+ seconds", message)
        assert holder is not None, message
        command = network.run(["ps", "-o", "args=", "-p", holder.group(1)]).stdout
        assert "one_run.py" in command
        assert target.state() == old
        network.run(["kill", "-KILL", hangs.read_text(encoding="utf-8").strip()])
        assert hanging.result().returncode == 1
    assert target.run(NEW).returncode == 0
    target.await_no_strays()


@pytest.mark.skipif(os.geteuid() != 0, reason="to hide a program of the machine takes root")
@pytest.mark.parametrize("phase", ["at_once", "begin", "confirm"])
def test_without_nft_nothing_changes(network: Host, tmp_path: pathlib.Path, phase: str) -> None:
    target = Target(network, tmp_path / "root")
    assert target.run(OLD).returncode == 0
    old = target.state()
    token = target.begin(NEW) if phase == "confirm" else ""
    hidden = os.path.realpath(_NFT)
    network.run(["mount", "--bind", "/dev/null", hidden])
    try:
        done = target.run(NEW, phase=phase, token=token)
    finally:
        network.run(["umount", hidden])
    assert done.returncode == 1
    assert "nft is not installed" in json.loads(done.stdout)["failed"]
    if token:
        target.await_timer()
    assert target.state() == old
    assert target.run(OLD).returncode == 0
    assert target.state() == old
    target.await_no_strays()


def test_nft_that_cannot_run_when_the_timer_runs_out_is_waited_for(network: Host, tmp_path: pathlib.Path) -> None:
    # As in the midst of an update, when a library is missing.
    script = 'echo >>"$0.calls"; [ -e "$0.broken" ] && exit 127; exec %s "$@"' % _NFT
    path = _path_with(tmp_path / "bin", script)
    calls, broken = tmp_path / "bin/nft.calls", tmp_path / "bin/nft.broken"
    target = Target(network, tmp_path / "root")
    assert target.run(OLD).returncode == 0
    old = target.state()
    target.begin(NEW, path=path)
    broken.touch()
    calls.write_text("", encoding="utf-8")
    deadline = time.monotonic() + TIMEOUT + 60
    # More than what is tried at once: three texts, five times each.
    while len(calls.read_text(encoding="utf-8").splitlines()) < 16:
        assert time.monotonic() < deadline, "nothing takes the change back any more"
        time.sleep(0.05)
    broken.unlink()
    target.await_timer()
    assert target.state() == old
    assert "did not stay" in target.run(OLD).stdout
    target.await_no_strays()


@pytest.mark.skipif(os.geteuid() != 0, reason="a full disk is a small file system, which takes root")
def test_a_full_run_keeps_no_change_from_being_taken_back(network: Host, tmp_path: pathlib.Path) -> None:
    target = Target(network, tmp_path / "root")
    assert target.run(OLD).returncode == 0
    old = target.state()
    folder = target.root / "run/palisade"
    folder.mkdir(mode=0o700, exist_ok=True)
    network.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=0700", "tmpfs", str(folder)])
    try:
        token = target.begin(NEW)
        network.run(["sh", "-c", 'cat /dev/zero >"$1/filler" 2>/dev/null || true', "sh", str(folder)])
        deadline = time.monotonic() + TIMEOUT + 20
        while network.run(["test", "-e", str(folder / "pending.json")], check=False).returncode == 0:
            assert time.monotonic() < deadline, "nothing took the change back"
            time.sleep(0.05)
        assert target.state() == old
        network.run(["rm", str(folder / "filler")])
        told = target.run(NEW, phase="report", token=token)
        assert "no confirmation came within" in told.stdout, told.stdout
        assert target.run(OLD).returncode == 0
        assert target.state() == old
    finally:
        network.run(["umount", str(folder)])


@pytest.mark.skipif(os.geteuid() != 0, reason="a read-only file system takes root")
@pytest.mark.parametrize("phase", ["at_once", "begin", "confirm"])
def test_a_read_only_etc_is_found_before_anything_changes(network: Host, tmp_path: pathlib.Path, phase: str) -> None:
    target = Target(network, tmp_path / "root")
    assert target.run(OLD).returncode == 0
    old = target.state()
    token = target.begin(NEW) if phase == "confirm" else ""
    waiting = target.state()
    etc = str(target.root / "etc")
    network.run(["mount", "--bind", etc, etc])
    try:
        network.run(["mount", "-o", "remount,bind,ro", etc])
        done = target.run(NEW, phase=phase, token=token)
    finally:
        network.run(["umount", etc])
    assert done.returncode == 1, done.stdout
    message = json.loads(done.stdout)["failed"]
    assert "Read-only file system" in message
    # A change that waits is not confirmed: what is loaded at boot could not follow.
    assert target.state() == (waiting if token else old)
    if token:
        target.await_timer()
        assert target.state() == old
    assert target.run(NEW).returncode == 0
    target.await_no_strays()


def test_a_first_load_that_fails_leaves_nothing(network: Host, tmp_path: pathlib.Path) -> None:
    target = Target(network, tmp_path / "root")
    done = target.run(NEW, phase="begin", path=_path_with(tmp_path / "bin", "exit 1"))
    assert done.returncode == 1
    assert target.state() == ("", "")
    assert target.strays() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="a full disk is a small file system, which takes root")
@pytest.mark.parametrize("phase", ["at_once", "begin"])
@pytest.mark.parametrize("folder", ["etc/palisade", "run"])
def test_a_full_disk_leaves_the_old_state_or_the_new_one(
    network: Host, tmp_path: pathlib.Path, folder: str, phase: str
) -> None:
    target = Target(network, tmp_path / "root")
    assert target.run(OLD).returncode == 0
    old = target.state()
    assert target.run(NEW).returncode == 0
    new = target.state()
    assert target.run(OLD).returncode == 0
    full = target.root / folder
    kept = {path.name: path.read_bytes() for path in full.iterdir() if path.is_file()}
    network.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", str(full)])
    try:
        for name, content in kept.items():
            network.run(["tee", str(full / name)], input=content.decode("utf-8"))
        if folder == "run":
            network.run(["mkdir", "-p", str(full / "systemd/system")])
        network.run(["sh", "-c", 'cat /dev/zero >"$1/filler" 2>/dev/null || true', "sh", str(full)])
        done = target.run(NEW, phase=phase)
        seen = network.run(["cat", str(target.root / "etc/palisade/ruleset.nft")]).stdout
        assert target.state().kernel in (old.kernel, new.kernel)
        assert seen in (old.boot, new.boot)
        if done.returncode:
            assert "No space left on device" in json.loads(done.stdout)["failed"]
        network.run(["rm", str(full / "filler")])
        if (
            target.network.run(["test", "-e", str(target.root / "run/palisade/pending.json")], check=False).returncode
            == 0
        ):
            target.await_timer()
        assert target.run(NEW).returncode == 0
        assert target.state().kernel == new.kernel
        assert network.run(["cat", str(target.root / "etc/palisade/ruleset.nft")]).stdout == new.boot
    finally:
        network.run(["umount", str(full)])
