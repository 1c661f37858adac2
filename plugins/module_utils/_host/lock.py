# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""One run at a time on a host."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
import typing as t

from .errors import HostError

#: Longest wait for another run. The longest step of a run is a transaction, some seconds for the largest of sets. A
#: run whose nft hangs may hold the lock for longer (:mod:`.nft`); waiting for that helps nobody, knowing of it does.
WAIT_SECONDS = 60.0

_POLL_SECONDS = 0.05


class LockError(HostError):
    """Another run holds the lock, or there can be none."""


@contextlib.contextmanager
def hold_lock(path: str, wait_seconds: t.Optional[float] = None) -> t.Iterator[None]:
    """Holds the lock; the kernel gives it back whichever way the process ends.

    Args:
        wait_seconds: Longest wait; None: :data:`WAIT_SECONDS`.

    Raises:
        LockError: Another run held it for all of ``wait_seconds``, or the file cannot be made.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise LockError("%s: %s" % (path, exc.strerror)) from exc
    try:
        _wait(descriptor, path, WAIT_SECONDS if wait_seconds is None else wait_seconds)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        yield
    finally:
        # The file stays: removing it would let two runs hold locks on two files of one name.
        os.close(descriptor)


def _wait(descriptor: int, path: str, wait_seconds: float) -> None:
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            if exc.errno not in (errno.EAGAIN, errno.EACCES):
                raise LockError("%s: %s" % (path, exc.strerror)) from exc
        else:
            return
        if time.monotonic() >= deadline:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            # It was written to when the lock was taken.
            held = max(0.0, time.time() - os.fstat(descriptor).st_mtime)
            raise LockError(
                "another run of Palisade changes this host (process %s holds %s, for %d seconds now, of which this run "
                "waited %d); nothing was changed, run again when it is done. Where it hangs, 'ps --ppid %s' shows what "
                "it waits for" % (holder or "unknown", path, held, wait_seconds, holder or "PID")
            )
        time.sleep(_POLL_SECONDS)
