# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the benchmarks that are named, or all: progress on standard error, figures as Markdown on standard output."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import pathlib
import platform
import re
import signal
import subprocess
import sys
import time
import typing as t

from lab import classbench
from lab.namespaces import LabError
from lab.site import target_python

from . import (
    change,
    classify,
    compile_time,
    constants,
    difference,
    fleet,
    groups,
    lint,
    load,
    no_change,
    plot,
    questions,
    small,
    timers,
)
from .figures import BenchmarkError, Figure, Outcome, Say, table_of
from .peers import run as peers

_README = pathlib.Path(__file__).with_name("README.md")

#: Between these lines of the README are the results.
_BEGIN, _END = "<!-- results: benchmarks/run --write -->", "<!-- end of results -->"


class Benchmark(t.NamedTuple):
    """One benchmark: its title, and what measures.

    Attributes:
        of_sets: Measures some of the ClassBench sets by their names, where it can.
        elsewhere: Its tables do not go into the README beside this file, which has its figures.
    """

    title: str
    measure: t.Callable[[Say], Outcome]
    of_sets: t.Optional[t.Callable[[Say, t.Sequence[str]], Outcome]] = None
    elsewhere: bool = False


_BENCHMARKS: t.Mapping[str, Benchmark] = {
    "compile": Benchmark("From role variables to nft text, on one core", compile_time.measure_all),
    "classify": Benchmark(
        "What it costs to decide a packet, ClassBench sets of 1,000 and 10,000 rules",
        classify.measure,
        classify.measure,
    ),
    "small": Benchmark("Policies of 1 to 30 rules, `auto` beside `ordered`", small.measure),
    "peers": Benchmark("The same policy in every other tool, by the number of rules", peers.measure, elsewhere=True),
    "plot": Benchmark("The picture of what `peers` measured", plot.measure, elsewhere=True),
    "constants": Benchmark("The constants of the cost model on this machine", constants.measure),
    "load": Benchmark("Loading a ruleset into the kernel, ClassBench sets", load.measure, load.measure),
    "change": Benchmark("One changed address in 10,000 rules", change.measure),
    "lint": Benchmark("What lint costs, ClassBench sets of 1,000 and 10,000 rules", lint.measure, lint.measure),
    "difference": Benchmark(
        "What a change means: one rule of 10,000, and a table edited by hand", difference.measure, difference.measure
    ),
    "questions": Benchmark(
        "A packet explained and policy tests, at 10,000 rules", questions.measure, questions.measure
    ),
    "no-change": Benchmark("A run that changes nothing, over ssh with pipelining", no_change.measure),
    "fleet": Benchmark("%d hosts in one run, over ssh with pipelining" % fleet.HOSTS, fleet.measure),
    "timers": Benchmark(
        "%d hosts at %d forks, each confirmed before its timer runs out" % (timers.HOSTS, timers.FORKS), timers.measure
    ),
    "groups": Benchmark("%d hosts, each with a policy that names all of them" % groups.HOSTS, groups.measure),
}


def main() -> int:
    """Runs the command line.

    Returns:
        The exit status: 0 where everything was measured, whatever the figures are.
    """
    parser = argparse.ArgumentParser(prog="benchmarks/run", description="Prints the benchmarks' figures.")
    parser.add_argument("names", metavar="NAME", nargs="*", help="only these; one of: %s" % ", ".join(_BENCHMARKS))
    parser.add_argument("--list", action="store_true", help="show what there is")
    parser.add_argument("--sets", metavar="SET,...", default="", help="only these ClassBench sets, such as acl1_1k")
    parser.add_argument("--write", action="store_true", help="run all, and put the figures into the README")
    arguments = parser.parse_args()
    if arguments.list:
        for name, benchmark in _BENCHMARKS.items():
            print("%-10s %s" % (name, benchmark.title))
        return 0
    unknown = [name for name in arguments.names if name not in _BENCHMARKS]
    if unknown:
        parser.error("no benchmark is called %s; there are: %s" % (", ".join(unknown), ", ".join(_BENCHMARKS)))
    sets = [name for name in arguments.sets.split(",") if name]
    unknown = [name for name in sets if name not in classbench.names()]
    if unknown:
        parser.error("ClassBench has no set %s; there are: %s" % (", ".join(unknown), ", ".join(classbench.names())))
    if arguments.write and (arguments.names or sets):
        parser.error("the README holds the figures of one run of all benchmarks")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        return _run(arguments.names or list(_BENCHMARKS), sets, write=arguments.write)
    except KeyboardInterrupt:
        _say("interrupted; everything is gone again")
        return 130


def _interrupt(*_signal: object) -> t.NoReturn:
    """Ends the run by way of everything that cleans up, which a second signal must not cut short."""
    for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(other, signal.SIG_IGN)
    raise KeyboardInterrupt


def _run(names: t.Sequence[str], sets: t.Sequence[str], *, write: bool) -> int:
    machine = "Measured on: %s" % _machine()
    print(machine + "\n", flush=True)
    figures: t.List[Figure] = []
    kept: t.List[str] = []
    failed: t.List[str] = []
    began = time.monotonic()
    for name in names:
        benchmark = _BENCHMARKS[name]
        _say("%s: %s" % (name, benchmark.title))
        started = time.monotonic()
        try:
            some = sets and benchmark.of_sets
            outcome = some(_say, sets) if some else benchmark.measure(_say)
        except (BenchmarkError, LabError) as exc:
            failed.append(name)
            _say("  FAILED: %s" % exc)
            continue
        _say("  %s took %.0f s" % (name, time.monotonic() - started))
        section = "### %s: %s\n\n%s\n" % (name, benchmark.title, "\n".join(outcome.lines))
        print(section, flush=True)
        if not benchmark.elsewhere:
            kept.append(section)
        figures += outcome.figures
    minutes = (time.monotonic() - began) / 60
    if figures:
        print("### All figures, beside their aims\n\n%s" % "\n".join(table_of(figures)), flush=True)
    if failed:
        _say("failed: %s" % ", ".join(failed))
        return 1
    if write:
        taken = "%s; all of it took %.0f minutes." % (machine, minutes)
        _write([taken, "", *table_of(figures), "", *kept])
    return 0


def _write(lines: t.Sequence[str]) -> None:
    """Puts these lines where the README has the results."""
    before, begin, rest = _README.read_text(encoding="utf-8").partition(_BEGIN)
    _old, end, after = rest.partition(_END)
    if not begin or not end:
        raise SystemExit("%s does not say where the results go" % _README)
    _README.write_text("%s%s\n\n%s\n%s%s" % (before, begin, "\n".join(lines), end, after), encoding="utf-8")
    _say("written to %s" % _README)


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
