# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The first process of a machine in the emulator: it runs one command, says how that ended, and switches off.

:mod:`.image` puts it at ``/init``. The machine has three serial lines: the kernel's console, the output of
the command, and one for a single line of JSON about its end. The command reads nothing.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import termios
import tty
import typing as t

OUTPUT, REPORT = "/dev/ttyS1", "/dev/ttyS2"

#: Where :mod:`.image` says what to run.
ORDER = "/etc/palisade-machine.json"

#: The status of a command that took too long, as timeout(1) has it.
TIMED_OUT = 124

_FILE_SYSTEMS = (
    ("proc", "/proc"),
    ("sysfs", "/sys"),
    ("devtmpfs", "/dev"),
    ("tmpfs", "/dev/shm"),
    ("tmpfs", "/run"),
)

_LINKS = (
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
)

_MODULES = ("nf_tables", "nf_conntrack_netlink", "veth")

_POWER_OFF_BY_RESTART = 0x01234567  # LINUX_REBOOT_CMD_RESTART of linux/reboot.h; the emulator ends with it.


def _mount_all() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    for kind, place in _FILE_SYSTEMS:
        os.makedirs(place, exist_ok=True)
        if libc.mount(kind.encode(), place.encode(), kind.encode(), 0, None) != 0:
            raise OSError(ctypes.get_errno(), "mount %s" % place)
    for name, target in _LINKS:
        os.symlink(target, name)


def _open_line(path: str) -> int:
    """A serial line that carries octets as they are."""
    descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(descriptor)
    return descriptor


def _reap_until(pid: int) -> int:
    """Waits for a child, and for everything that lost its parent in the meantime; returns the exit status."""
    while True:
        ended, status = os.wait()
        if ended == pid:
            return os.waitstatus_to_exitcode(status)


def _run(order: t.Mapping[str, t.Any], output: int) -> int:
    process = subprocess.Popen(
        order["command"],
        cwd=order["folder"],
        env=order["environment"],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )
    timed_out = False

    def end(_number: int, _frame: t.Any) -> None:
        nonlocal timed_out
        timed_out = True
        os.killpg(process.pid, signal.SIGKILL)

    signal.signal(signal.SIGALRM, end)
    signal.alarm(order["seconds"])
    status = _reap_until(process.pid)
    signal.alarm(0)
    # A command that a signal ended counts as in a shell.
    return TIMED_OUT if timed_out else status if status >= 0 else 128 - status


def _read(path: str) -> str:
    with open(path, encoding="ascii") as handle:
        return handle.read()


def main() -> None:
    _mount_all()
    with open(ORDER, encoding="utf-8") as handle:
        order = json.load(handle)
    socket.sethostname(order["host_name"])
    os.environ.update(order["environment"])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["modprobe", "--all", *_MODULES], check=True)
    output = _open_line(OUTPUT)
    report: t.Dict[str, t.Any] = {"booted": float(_read("/proc/uptime").split()[0])}
    try:
        report["status"] = _run(order, output)
    except OSError as exc:
        # As a shell says it of a command that does not exist.
        os.write(output, ("%s\n" % exc).encode())
        report["status"] = 127
    report["ended"] = float(_read("/proc/uptime").split()[0])
    report["taint"] = int(_read("/proc/sys/kernel/tainted"))
    termios.tcdrain(output)
    line = _open_line(REPORT)
    os.write(line, json.dumps(report).encode() + b"\n")
    termios.tcdrain(line)


if __name__ == "__main__":
    try:
        main()
    except BaseException as exc:  # noqa: BLE001 - the kernel panics when its first process ends
        print("init: %r" % exc, file=sys.stderr, flush=True)
    ctypes.CDLL(None).reboot(_POWER_OFF_BY_RESTART)
