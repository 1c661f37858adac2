# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the benchmarks that are named, or all: progress on standard error, figures as Markdown on standard output."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import re
import signal
import subprocess
import sys
import time
import typing as t

from . import compile_time, fleet, groups, no_change
from .figures import BenchmarkError, Figure, Outcome, Say, table_of
from .remote import target_python

_BENCHMARKS: t.Mapping[str, t.Tuple[str, t.Callable[[Say], Outcome]]] = {
    "compile": ("From role variables to nft text, on one core", compile_time.measure_all),
    "no-change": ("A run that changes nothing, over ssh with pipelining", no_change.measure),
    "fleet": ("%d hosts in one run, over ssh with pipelining" % fleet.HOSTS, fleet.measure),
    "groups": ("%d hosts, each with a policy that names all of them" % groups.HOSTS, groups.measure),
}


def main() -> int:
    """Runs the command line.

    Returns:
        The exit status: 0 where everything was measured, whatever the figures are.
    """
    parser = argparse.ArgumentParser(prog="benchmarks/run", description="Prints the benchmarks' figures.")
    parser.add_argument("names", metavar="NAME", nargs="*", help="only these; one of: %s" % ", ".join(_BENCHMARKS))
    parser.add_argument("--list", action="store_true", help="show what there is")
    arguments = parser.parse_args()
    if arguments.list:
        for name, (title, _measure) in _BENCHMARKS.items():
            print("%-10s %s" % (name, title))
        return 0
    unknown = [name for name in arguments.names if name not in _BENCHMARKS]
    if unknown:
        parser.error("no benchmark is called %s; there are: %s" % (", ".join(unknown), ", ".join(_BENCHMARKS)))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        return _run(arguments.names or list(_BENCHMARKS))
    except KeyboardInterrupt:
        _say("interrupted; everything is gone again")
        return 130


def _interrupt(*_signal: object) -> t.NoReturn:
    """Ends the run by way of everything that cleans up, which a second signal must not cut short."""
    for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(other, signal.SIG_IGN)
    raise KeyboardInterrupt


def _run(names: t.Sequence[str]) -> int:
    print("Measured on: %s\n" % _machine(), flush=True)
    figures: t.List[Figure] = []
    failed: t.List[str] = []
    for name in names:
        title, measure = _BENCHMARKS[name]
        _say("%s: %s" % (name, title))
        started = time.monotonic()
        try:
            outcome = measure(_say)
        except BenchmarkError as exc:
            failed.append(name)
            _say("  FAILED: %s" % exc)
            continue
        _say("  %s took %.0f s" % (name, time.monotonic() - started))
        print("### %s: %s\n\n%s\n" % (name, title, "\n".join(outcome.lines)), flush=True)
        figures += outcome.figures
    if figures:
        print("### All figures, beside their aims\n\n%s" % "\n".join(table_of(figures)), flush=True)
    if failed:
        _say("failed: %s" % ", ".join(failed))
    return 1 if failed else 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _machine() -> str:
    parts = [
        "%d cores" % len(os.sched_getaffinity(0)),
        "Linux " + platform.release(),
        "Python %s (hosts: %s)" % (platform.python_version(), _version([target_python(), "--version"])),
        "ansible-core " + importlib.metadata.version("ansible-core"),
        "nft " + _version(["nft", "--version"]),
        "OpenSSH " + _version(["ssh", "-V"]),
    ]
    return ", ".join(parts) + "; load average %.1f at the start" % os.getloadavg()[0]


def _version(command: t.Sequence[str]) -> str:
    """The first version number that a program prints about itself."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "missing"
    found = re.search(r"\d+\.\d[\w.]*", done.stdout + done.stderr)
    return found.group() if found else "unknown"


if __name__ == "__main__":
    sys.exit(main())
