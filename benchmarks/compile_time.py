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
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import build_program

from .figures import Figure, Outcome, Say
from .policies import policy_of

SIZES = (500, 10000)

#: The most milliseconds and MiB that a compilation of that size may take.
_AIMS: t.Mapping[int, t.Tuple[float, t.Optional[float]]] = {500: (50, None), 10000: (3000, 300)}

_RUNS = 5


class Measured(t.NamedTuple):
    """Seconds of each part, peak resident memory in MiB, bytes of text."""

    parse: float
    compile: float
    text: float
    memory: float
    size: int

    @property
    def total(self) -> float:
        return self.parse + self.compile + self.text


def measure_here(rules: int) -> Measured:
    """One compilation in this process."""
    variables = policy_of(rules)
    start = time.perf_counter()
    firewall = parse_firewall(variables)
    parsed = time.perf_counter()
    table = compile_program(build_program(firewall))
    compiled = time.perf_counter()
    text = render_load(table)
    end = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Measured(parsed - start, compiled - parsed, end - compiled, peak, len(text))


def measure(rules: int) -> Measured:
    """The run with the median time of several processes, each on one core."""
    core = str(min(os.sched_getaffinity(0)))
    command = ["taskset", "--cpu-list", core, sys.executable, "-m", __spec__.name, str(rules)]
    runs = []
    for _run in range(_RUNS):
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        runs.append(Measured(*json.loads(done.stdout)))
    median = statistics.median_low([run.total for run in runs])
    return next(run for run in runs if run.total == median)


def measure_all(say: Say) -> Outcome:
    """Every size."""
    lines = ["| rules | total | parse | compile | text | peak memory | text size |", "|---|---|---|---|---|---|---|"]
    figures = []
    for rules in SIZES:
        run = measure(rules)
        say("  %d rules: %.0f ms" % (rules, run.total * 1000))
        lines.append(
            "| %d | %.0f ms | %.0f ms | %.0f ms | %.0f ms | %.0f MiB | %.0f kB |"
            % (
                rules,
                run.total * 1000,
                run.parse * 1000,
                run.compile * 1000,
                run.text * 1000,
                run.memory,
                run.size / 1000,
            )
        )
        milliseconds, mebibytes = _AIMS[rules]
        figures.append(Figure("compile %d rules" % rules, run.total * 1000, "ms", milliseconds, "%.0f"))
        if mebibytes is not None:
            figures.append(Figure("compile %d rules: peak memory" % rules, run.memory, "MiB", mebibytes, "%.0f"))
    return Outcome(lines, figures)


if __name__ == "__main__":
    print(json.dumps(measure_here(int(sys.argv[1]))))
