# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""The timer that takes a change back: systemd's where it runs, else a process of its own.

Both outlive this process, the SSH session that started it and everything of that session: a transient
timer belongs to systemd, and the process leads a session of its own with nothing open.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import typing as t

from .command import find_program, run_program
from .errors import HostError
from .files import Files

UNIT = "palisade-take-back"

#: sd_booted(3)
_SYSTEMD_RUNS = "/run/systemd/system"
_SECONDS = 30.0


class WatchdogError(HostError):
    """No timer could be set, so nothing may be changed that needs one."""


def name_before(files: Files) -> str:
    """What will name the timer, as far as that is known before it is set."""
    return UNIT if _has_systemd(files) else ""


def _has_systemd(files: Files) -> bool:
    return files.exists(_SYSTEMD_RUNS) and not files.root_is_elsewhere


def arm(files: Files, program: str, arguments: t.Sequence[str], seconds: int) -> str:
    """Sets the timer; what names it for :func:`disarm`.

    Args:
        program: Path of the Python program to run when it has run out.

    Raises:
        WatchdogError: It could not be set.
    """
    command = [sys.executable, "-I", program, *arguments]
    if _has_systemd(files):
        return _arm_systemd(command, seconds)
    return _arm_process([*command, str(seconds)])


def _arm_systemd(command: t.Sequence[str], seconds: int) -> str:
    path = find_program("systemd-run")
    if path is None:
        raise WatchdogError("systemd runs, but there is no systemd-run on this host. Nothing was changed")
    # Left by a timer of before whose program failed.
    _systemctl("reset-failed", UNIT + ".timer", UNIT + ".service")
    done = run_program(
        [
            path,
            "--quiet",
            "--unit=" + UNIT,
            "--description=Take back the change of Palisade that was not confirmed",
            "--on-active=%d" % seconds,
            # One minute otherwise (systemd.timer(5)).
            "--timer-property=AccuracySec=100ms",
            "--property=DefaultDependencies=no",
            *command,
        ],
        seconds=_SECONDS,
    )
    if done.status != 0:
        raise WatchdogError(
            "no timer could be set that would take the change back, so nothing was changed: %s" % done.complaint
        )
    return UNIT


def _arm_process(command: t.Sequence[str]) -> str:
    try:
        started = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            close_fds=True,
        )
    except OSError as exc:
        raise WatchdogError(
            "no process could be started that would take the change back, so nothing was changed: %s" % exc.strerror
        ) from exc
    # It is to outlive this process; init inherits it.
    started.returncode = 0
    return "%d %s" % (started.pid, _started(started.pid))


def disarm(timer: str) -> None:
    """Stops a timer that has not run out; one that has, or that cannot be stopped, finds nothing to take back."""
    if timer == UNIT:
        with contextlib.suppress(HostError):
            _systemctl("stop", UNIT + ".timer")
        return
    pid, _space, started = timer.partition(" ")
    if pid.isdigit() and started and started == _started(int(pid)):
        try:
            os.kill(int(pid), signal.SIGTERM)
        except OSError:
            return


def is_armed(timer: str) -> bool:
    """Whether the timer runs, or what it starts does."""
    if timer == UNIT:
        units = (UNIT + ".timer", UNIT + ".service")
        return any(_systemctl("is-active", "--quiet", unit) in (0, None) for unit in units)
    pid, _space, started = timer.partition(" ")
    return pid.isdigit() and bool(started) and started == _started(int(pid))


def _started(pid: int) -> str:
    """When a process was started (proc_pid_stat(5), field 22); empty where there is none.

    With it a process that was given the same number later is told apart.
    """
    try:
        with open("/proc/%d/stat" % pid, encoding="utf-8", errors="replace") as stream:
            fields = stream.read().rpartition(")")[2].split()
    except OSError:
        return ""
    return fields[19] if len(fields) > 19 and fields[0] not in "ZX" else ""


def _systemctl(*arguments: str) -> t.Optional[int]:
    path = find_program("systemctl")
    if path is None:
        return None
    return run_program([path, "--no-ask-password", *arguments], seconds=_SECONDS).status
