# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``python -m lab.emulator --kernel bullseye -- COMMAND [ARGUMENT...]``: the command on that kernel."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import typing as t

from . import machine
from .image import ImageError
from .kernels import SUITES, kernel


def main(arguments: t.Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m lab.emulator",
        description="Run a command on the kernel of a Debian release, in a machine of its own, from the checkout.",
    )
    parser.add_argument("--kernel", choices=SUITES, default="bookworm", help="of which release (default bookworm)")
    parser.add_argument("--accel", choices=("auto", "kvm", "tcg"), default="auto", help="default: kvm where it works")
    parser.add_argument("--without", metavar="FEATURE", action="append", default=[], help="such as avx2")
    parser.add_argument("--nft", choices=SUITES, default="", help="of which release (default: the kernel's)")
    parser.add_argument("--file", action="append", default=[], help="one more that the command reads, at its place")
    parser.add_argument("--seconds", type=int, default=600, help="longest that the command may take (default 600)")
    parser.add_argument("--console", action="store_true", help="show what the kernel printed as well")
    parser.add_argument("--probe", action="store_true", help="only print which of kvm and tcg works here")
    parser.add_argument("command", nargs="*", help="and its arguments")
    options = parser.parse_args(arguments)
    if not options.command and not options.probe:
        parser.error("a command is needed")
    found = kernel(options.kernel)
    reason = machine.why_unavailable() or (found if isinstance(found, str) else None)
    if reason is not None or isinstance(found, str):
        print("emulator: %s" % reason, file=sys.stderr)
        return 77
    # A polite end removes the machine's files, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        if options.probe:
            print(machine.best_acceleration(found))
            return 0
        acceleration = machine.best_acceleration(found) if options.accel == "auto" else options.accel
        outcome = machine.run(
            found,
            options.command,
            seconds=options.seconds,
            acceleration=acceleration,
            without=options.without,
            nft=options.nft,
            files=[os.path.abspath(path) for path in options.file],
            show=lambda text: print(text, end="", flush=True),
        )
    except (machine.MachineError, ImageError) as exc:
        print("emulator: %s" % exc, file=sys.stderr)
        return 70
    if options.console or outcome.has_warned:
        print(outcome.console, file=sys.stderr)
    print(
        "emulator: Linux %s, %s%s: booted in %.1f s, ran %.1f s, exit status %d%s"
        % (
            found.release,
            acceleration,
            "".join(", no %s" % name for name in options.without),
            outcome.boot_seconds,
            outcome.seconds,
            outcome.status,
            "; the kernel warned of a fault of its own" if outcome.has_warned else "",
        ),
        file=sys.stderr,
    )
    return outcome.status or int(outcome.has_warned)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
