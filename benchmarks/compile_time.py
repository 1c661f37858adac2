# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long it takes from role variables to nft text, and how much memory, on one core.

Every measurement is a process of its own, so that the peak memory is that of one compilation.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
import typing as t

from ansible_collections.palisade.nftables.plugins.module_utils._compile.compile import compile_program
from ansible_collections.palisade.nftables.plugins.module_utils._nft.text import render_load
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Layout
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import build_program
from lab import classbench

from .figures import Figure, Outcome, Say
from .policies import policy_of
from .sets import variables_of, why_not_measured

#: By rules and layout: the most milliseconds, and the most octets of memory, in MB.
_AIMS: t.Mapping[t.Tuple[int, Layout], t.Tuple[t.Optional[float], t.Optional[float]]] = {
    (500, Layout.ORDERED): (50, None),
    (500, Layout.AUTO): (None, None),
    (10000, Layout.ORDERED): (3000, 315),
    (10000, Layout.AUTO): (5000, 400),
}

_RUNS = 3


class Measured(t.NamedTuple):
    """Seconds of each part, peak resident memory in MB, bytes of text."""

    parse: float
    compile: float
    text: float
    memory: float
    size: int

    @property
    def total(self) -> float:
        return self.parse + self.compile + self.text

    def row(self, title: str, layout: Layout) -> str:
        """A row of the table."""
        return "| %s | `%s` | %.0f ms | %.0f ms | %.0f ms | %.0f ms | %.0f MB | %.0f kB |" % (
            title,
            layout.value,
            self.total * 1000,
            self.parse * 1000,
            self.compile * 1000,
            self.text * 1000,
            self.memory,
            self.size / 1000,
        )


def measure_here(source: str, layout: Layout) -> Measured:
    """One compilation in this process: of so many rules, or of a ClassBench set."""
    variables = policy_of(int(source)) if source.isdigit() else variables_of(source)
    start = time.perf_counter()
    firewall = parse_firewall(variables)
    parsed = time.perf_counter()
    table = compile_program(build_program(firewall), layout=layout)
    compiled = time.perf_counter()
    text = render_load(table)
    end = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    return Measured(parsed - start, compiled - parsed, end - compiled, peak, len(text))


def measure(source: str, layout: Layout, runs: int = _RUNS) -> Measured:
    """The run with the median time of several processes, each on one core."""
    core = str(min(os.sched_getaffinity(0)))
    command = ["taskset", "--cpu-list", core, sys.executable, "-m", __spec__.name, source, layout.value]
    done = []
    for _run in range(runs):
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
        done.append(Measured(*json.loads(answer.stdout)))
    median = statistics.median_low([run.total for run in done])
    return next(run for run in done if run.total == median)


def measure_all(say: Say) -> Outcome:
    """Every size and layout, and the large sets of ClassBench where they are there."""
    lines = [
        "| rules | layout | total | parse | compile | text | peak memory | text size |",
        "|---|---|---|---|---|---|---|---|",
    ]
    figures = []
    for (rules, layout), (milliseconds, megabytes) in _AIMS.items():
        run = measure(str(rules), layout)
        say("  %d rules, %s: %.0f ms" % (rules, layout.value, run.total * 1000))
        lines.append(run.row("%d" % rules, layout))
        title = "compile %d rules, `%s`" % (rules, layout.value)
        figures.append(Figure(title, run.total * 1000, "ms", milliseconds, "%.0f"))
        if megabytes is not None:
            figures.append(Figure("%s: peak memory" % title, run.memory, "MB", megabytes, "%.0f"))
    absent = why_not_measured()
    if absent:
        return Outcome([*lines, "", *absent], figures)
    return Outcome(lines, [*figures, *_measure_sets(lines, say)])


def _measure_sets(lines: t.List[str], say: Say) -> t.List[Figure]:
    runs = {}
    # They are many: only the slowest is measured again.
    for name in classbench.names("10k"):
        runs[name] = measure(name, Layout.AUTO, runs=1)
        say("  %s: %.0f ms" % (name, runs[name].total * 1000))
    slowest = max(runs, key=lambda name: runs[name].total)
    runs[slowest] = measure(slowest, Layout.AUTO)
    lines += [run.row(name, Layout.AUTO) for name, run in runs.items()]
    milliseconds, megabytes = _AIMS[10000, Layout.AUTO]
    title = "compile a ClassBench set of 10k, `auto`"
    seconds = max(run.total for run in runs.values())
    memory = max(run.memory for run in runs.values())
    return [
        Figure("%s: slowest" % title, seconds * 1000, "ms", milliseconds, "%.0f"),
        Figure("%s: peak memory" % title, memory, "MB", megabytes, "%.0f"),
    ]


if __name__ == "__main__":
    print(json.dumps(measure_here(sys.argv[1], Layout(sys.argv[2]))))
