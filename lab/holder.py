# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The first process of a lab host: it keeps the host's namespaces alive as long as the lab lives.

Run by :mod:`.namespaces` inside new network, mount, UTS and PID namespaces. Its standard input is
a pipe from the lab: when the lab ends, in whichever way, the pipe closes, this process exits, and
the kernel kills the host's other processes and takes its interfaces and mounts down with it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys


def mount(*arguments: str) -> str:
    """Mounts, and returns what went wrong: nothing where it worked."""
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stderr.strip() or "mount failed"


def must(problem: str) -> None:
    if problem:
        raise SystemExit(problem)


def copy_readable(source: str, target: str) -> None:
    """Copies what this user may read; in a user namespace that leaves out shadow files and the like."""
    try:
        shutil.copytree(source, target, symlinks=True, ignore_dangling_symlinks=True, dirs_exist_ok=True)
    except shutil.Error:
        # One entry per unreadable file, after everything else has been copied.
        pass


def make_private(kinds: dict[str, str], *, can_overlay: bool) -> None:
    """Lays a memory file system over each directory, so that what is written there stays in this host.

    ``empty`` shows nothing of the machine's directory. ``overlay`` shows it, by an overlay where that
    is possible, else by a copy.
    """
    # Upper directories need a place nobody else sees: /run is covered, used, and covered again.
    if any(kind == "overlay" for kind in kinds.values()):
        must(mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/run"))
    for number, (directory, kind) in enumerate(sorted(kinds.items())):
        if directory == "/run" or not os.path.isdir(directory):
            continue
        if kind == "empty":
            must(mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", directory))
            continue
        layer = "/run/%d" % number
        os.makedirs(layer + "/upper")
        os.makedirs(layer + "/work")
        options = "lowerdir=%s,upperdir=%s/upper,workdir=%s/work" % (directory, layer, layer)
        if can_overlay and not mount("-t", "overlay", "-o", options, "overlay", directory):
            continue
        copy_readable(directory, layer + "/upper")
        must(mount("--bind", layer + "/upper", directory))
    if "/run" in kinds:
        must(mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/run"))


def main(specification: str) -> None:
    # Interrupts are the lab's business: it closes the pipe when it has cleaned up.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    wanted = json.loads(specification)
    with open("/proc/self/stat", encoding="ascii", errors="replace") as handle:
        # /proc is still that of the namespace outside, where this process has another number.
        outer_pid = int(handle.read().split()[0])
    socket.sethostname(wanted["hostname"])
    make_private(wanted["private"], can_overlay=wanted["can_overlay"])
    # Inside some containers neither may be mounted anew; the host then sees the outer /proc and /sys, read-only facts.
    mount("-t", "proc", "proc", "/proc")
    mount("-t", "sysfs", "sysfs", "/sys")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    # Nobody waits here: processes that lost their parent are reaped by the kernel when their end is ignored.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print(outer_pid, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
