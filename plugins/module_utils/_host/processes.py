# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Which process has a socket."""

from __future__ import annotations

import contextlib
import os
import pwd
import typing as t

_PREFIX = "socket:["
#: It opens the sockets of services before it starts them, and keeps them.
_SERVICE_MANAGER = 1


class Process(t.NamedTuple):
    """A process by its number and the name that it gives itself (proc_pid_comm(5))."""

    pid: int
    name: str


def find_owners(inodes: t.AbstractSet[int], proc: str = "/proc") -> t.Dict[int, Process]:
    """The process that has each of these sockets; of several the first one, the service manager at last.

    Sockets of processes that cannot be seen from here are left out: those of another PID namespace.
    """
    found: t.Dict[int, Process] = {}
    wanted = set(inodes)
    for pid in sorted(_pids(proc), key=lambda one: (one == _SERVICE_MANAGER, one)):
        if not wanted:
            break
        mine = wanted & _sockets_of(proc, pid)
        if mine:
            process = Process(pid, _name_of(proc, pid))
            found.update(dict.fromkeys(mine, process))
            wanted -= mine
    return found


def user_name(number: int) -> str:
    """The name of a user, or the number where there is none of that number."""
    try:
        return pwd.getpwuid(number).pw_name
    except (KeyError, OverflowError):
        return str(number)


def _pids(proc: str) -> t.Iterator[int]:
    with contextlib.suppress(OSError):
        yield from (int(name) for name in os.listdir(proc) if name.isdecimal())


def _sockets_of(proc: str, pid: int) -> t.Set[int]:
    """The sockets that a process has open; none of one that has ended meanwhile."""
    found: t.Set[int] = set()
    folder = "%s/%d/fd" % (proc, pid)
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            with contextlib.suppress(OSError):
                target = os.readlink("%s/%s" % (folder, name))
                if target.startswith(_PREFIX):
                    found.add(int(target[len(_PREFIX) : -1]))
    return found


def _name_of(proc: str, pid: int) -> str:
    try:
        with open("%s/%d/comm" % (proc, pid), encoding="utf-8", errors="replace") as stream:
            # A process chooses its own name, and a terminal may show it.
            return "".join(one if one.isprintable() else "?" for one in stream.read().strip())
    except OSError:
        return ""
