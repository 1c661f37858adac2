# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may run beside whom: several processes of pytest work on one checkout, and some tests want to be alone.

A flood takes every processor, and fills queues of the kernel that all namespaces share. What another test loses
there would be taken for something that a firewall refused.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pathlib
import typing as t


class Turns:
    """Turns of tests, over all processes that name the same folders. Those of a process end with it, at the latest.

    Nobody overtakes whoever wants to be alone: he waits at the door until the room is empty, and others behind him.

    Args:
        door: A folder that each turn locks until it begins.
        room: Another one, locked as long as it lasts.
    """

    def __init__(self, door: pathlib.Path, room: pathlib.Path) -> None:
        self._door = door
        self._room = room
        self._taken = contextlib.ExitStack()
        self._alone: t.Optional[bool] = None

    def begin(self, *, alone: bool) -> None:
        """Waits for a turn, and takes it. A turn alone goes on where the next one is to be alone as well."""
        if alone and self._alone:
            return
        self.end()
        with contextlib.ExitStack() as waiting:
            _lock(waiting, self._door, fcntl.LOCK_EX)
            _lock(self._taken, self._room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        self._alone = alone

    def end(self) -> None:
        """Ends the turn; without one, does nothing."""
        self._taken.close()
        self._alone = None


def _lock(kept: contextlib.ExitStack, folder: pathlib.Path, kind: int) -> None:
    descriptor = os.open(str(folder), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    kept.callback(os.close, descriptor)
    fcntl.flock(descriptor, kind)
