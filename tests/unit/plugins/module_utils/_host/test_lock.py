# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run at a time."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host.lock import LockError, hold_lock

_HOLDER = """
import sys
sys.path.insert(0, {path!r})
from ansible_collections.palisade.nftables.plugins.module_utils._host.lock import hold_lock
with hold_lock({lock!r}):
    print("held", flush=True)
    sys.stdin.read()
"""


def _hold(lock: pathlib.Path, collections_path: pathlib.Path) -> subprocess.Popen[str]:
    script = _HOLDER.format(path=str(collections_path), lock=str(lock))
    holder = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def test_the_lock_is_free_again_afterwards(tmp_path: pathlib.Path) -> None:
    lock = tmp_path / "lock"
    for _time in range(2):
        with hold_lock(str(lock), wait_seconds=0):
            assert lock.read_text(encoding="ascii") == "%d\n" % os.getpid()


def test_who_holds_it_is_named(tmp_path: pathlib.Path, collections_path: pathlib.Path) -> None:
    lock = tmp_path / "lock"
    with _hold(lock, collections_path) as holder:
        with pytest.raises(LockError, match="process %d holds" % holder.pid), hold_lock(str(lock), wait_seconds=0.1):
            pass
        holder.communicate("")


def test_a_run_waits_for_the_other(tmp_path: pathlib.Path, collections_path: pathlib.Path) -> None:
    lock = tmp_path / "lock"
    with _hold(lock, collections_path) as holder:
        assert holder.stdin is not None
        holder.stdin.close()
        holder.stdin = None
        with hold_lock(str(lock)):
            assert holder.wait(timeout=60) == 0


def test_a_killed_run_leaves_no_lock(tmp_path: pathlib.Path, collections_path: pathlib.Path) -> None:
    lock = tmp_path / "lock"
    with _hold(lock, collections_path) as holder:
        holder.kill()
        holder.communicate()
    with hold_lock(str(lock), wait_seconds=0):
        pass


def test_what_a_run_starts_does_not_hold_it(tmp_path: pathlib.Path) -> None:
    lock = tmp_path / "lock"
    with hold_lock(str(lock), wait_seconds=0):
        started = subprocess.Popen(["sleep", "600"], close_fds=False)
    try:
        with hold_lock(str(lock), wait_seconds=0):
            pass
    finally:
        started.kill()
        started.wait()


def test_a_link_in_its_place_is_refused(tmp_path: pathlib.Path) -> None:
    lock = tmp_path / "lock"
    lock.symlink_to(tmp_path / "theirs")
    with pytest.raises(LockError), hold_lock(str(lock)):
        pass
    assert not (tmp_path / "theirs").exists()
