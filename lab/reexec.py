# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rights that the lab needs: root, or a user namespace in which the caller is root.

As a command, ``python -m lab.reexec COMMAND [ARGUMENT...]`` runs the command with these rights.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
import typing as t

#: Set in the environment of what was executed again, so that a machine which grants no rights
#: even then ends in an error instead of a loop.
_MARKER = "PALISADE_LAB_REEXECUTED"

_UNSHARE_NETWORK = ["unshare", "--net", "--mount", "--uts", "--pid", "--fork"]
_UNSHARE_USER = ["unshare", "--user", "--map-root-user", "--net", "--mount"]

# linux/sched.h and linux/mount.h
_CLONE_NEWNS = 0x00020000
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_MS_REC = 0x4000
_MS_PRIVATE = 1 << 18


class LabUnavailableError(RuntimeError):
    """This machine gives neither root nor user namespaces; the message says what was tried."""


def _failure(command: t.Sequence[str]) -> t.Optional[str]:
    """What the command printed on its way to failing, None where it succeeded."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    except OSError as exc:
        return str(exc)
    return None if done.returncode == 0 else done.stderr.strip() or "exit status %d" % done.returncode


def is_privileged() -> bool:
    """Whether this process can make namespaces as it is, as root or inside a user namespace."""
    return os.geteuid() == 0 and _failure([*_UNSHARE_NETWORK, "true"]) is None


def why_unavailable() -> t.Optional[str]:
    """The reason why no lab can be built here, None where one can."""
    for tool in ("unshare", "nsenter", "ip", "nft"):
        problem = _failure([tool, "-V"])
        if problem is not None:
            return "%s cannot be run (packages: util-linux, iproute2, nftables): %s" % (tool, problem)
    if is_privileged():
        return None
    failure = _failure([*_UNSHARE_USER, *_UNSHARE_NETWORK, "true"])
    if failure is None:
        return None
    return "neither root nor user namespaces are available: %s" % failure


def in_user_namespace() -> bool:
    """Whether root is not the machine's root: another user namespace than the first maps only some ids."""
    with open("/proc/self/uid_map", encoding="ascii") as handle:
        return handle.read().split() != ["0", "0", "4294967295"]


def _unshare_here() -> None:
    """Moves this process into a user namespace of its own. Only a process of one thread may do so.

    Raises:
        OSError: The kernel refused.
    """
    user, group = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWNS) != 0:
        number = ctypes.get_errno()
        raise OSError(number, "unshare: %s" % os.strerror(number))
    # user_namespaces(7): without CAP_SETGID outside, setgroups has to be denied before gid_map is written.
    for name, text in (("setgroups", "deny"), ("uid_map", "0 %d 1" % user), ("gid_map", "0 %d 1" % group)):
        with open("/proc/self/%s" % name, "w", encoding="ascii") as handle:
            handle.write(text)
    if libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None) != 0:
        number = ctypes.get_errno()
        raise OSError(number, "mount --make-rprivate /: %s" % os.strerror(number))


def ensure_privileges() -> None:
    """Gives this process the rights to build a lab.

    Root keeps them. Anybody else enters a user namespace: in place where the process has one
    thread (a test runner goes on with everything it has loaded), else by executing itself again.

    Raises:
        LabUnavailableError: This machine gives neither.
    """
    if is_privileged():
        return
    reason = why_unavailable()
    if reason is None and _MARKER in os.environ:
        reason = "a user namespace was entered and still gives no rights"
    if reason is not None:
        raise LabUnavailableError(reason)
    if threading.active_count() == 1:
        try:
            _unshare_here()
        except OSError:
            # A library may run threads that Python does not know of.
            pass
        else:
            return
    sys.stdout.flush()
    sys.stderr.flush()
    # Python 3.9 does not keep the interpreter's own options.
    _execute([sys.executable, *getattr(sys, "orig_argv", ["", *sys.argv])[1:]])


def _execute(command: t.Sequence[str]) -> t.NoReturn:
    os.environ[_MARKER] = "1"
    arguments = [*_UNSHARE_USER, *command]
    os.execvp(arguments[0], arguments)


def main(arguments: t.Sequence[str]) -> int:
    if not arguments:
        print("usage: python -m lab.reexec COMMAND [ARGUMENT...]", file=sys.stderr)
        return 2
    reason = why_unavailable()
    if reason is not None:
        print("lab: %s" % reason, file=sys.stderr)
        return 77
    if is_privileged():
        os.execvp(arguments[0], list(arguments))
    _execute(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
