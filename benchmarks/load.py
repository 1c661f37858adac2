# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long nft takes to load a ruleset into an empty network namespace: every ClassBench set, both layouts."""

from __future__ import annotations

import statistics
import subprocess
import time
import typing as t

from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Layout
from lab import classbench
from lab.namespaces import Host, Lab

from .figures import BenchmarkError, Figure, Outcome, Say
from .sets import compiled, why_not_measured

_ROUNDS = 3
_LAYOUTS = (Layout.ORDERED, Layout.AUTO)

#: Times the ordered text's.
_MOST_TIMES = 2

#: Rules and elements for each rule of the policy.
_MOST_GROWTH = 6

_COLUMNS = (
    "set",
    "ordered",
    "auto",
    "times",
    "ordered: text",
    "auto",
    "ordered: rules and elements",
    "auto",
    "for each rule of the policy",
)


class Loaded(t.NamedTuple):
    """One set: seconds, octets, and rules and elements, by layout; rules of the policy."""

    name: str
    rules: int
    seconds: t.Dict[Layout, float]
    octets: t.Dict[Layout, int]
    objects: t.Dict[Layout, int]

    @property
    def times(self) -> float:
        """How much longer ``auto`` takes."""
        return self.seconds[Layout.AUTO] / self.seconds[Layout.ORDERED]

    @property
    def growth(self) -> float:
        """Rules and elements of ``auto`` for each rule of the policy."""
        return self.objects[Layout.AUTO] / self.rules

    def row(self) -> str:
        """A row of the table."""
        ordered, auto = _LAYOUTS
        return "| %s | %.2f s | %.2f s | %.2f | %.0f kB | %.0f kB | %d | %d | %.2f |" % (
            self.name,
            self.seconds[ordered],
            self.seconds[auto],
            self.times,
            self.octets[ordered] / 1000,
            self.octets[auto] / 1000,
            self.objects[ordered],
            self.objects[auto],
            self.growth,
        )


def run_nft(text: str) -> float:
    """Loads nft text in the network of the calling thread, and returns the seconds that it took.

    Raises:
        BenchmarkError: nft refused it.
    """
    started = time.perf_counter()
    done = subprocess.run(["nft", "-f", "-"], input=text, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if done.returncode != 0:
        raise BenchmarkError("nft refused: %s" % done.stderr[:2000])
    return seconds


def measure(say: Say, names: t.Sequence[str] = ()) -> Outcome:
    """Every set, or those named.

    Raises:
        BenchmarkError: nft refused one.
    """
    absent = why_not_measured()
    if absent:
        return Outcome(absent, [])
    lines = ["| %s |" % " | ".join(_COLUMNS), "|%s" % ("---|" * len(_COLUMNS))]
    done = []
    for name in names or classbench.names():
        loaded = _measure_set(name)
        say("  %s: ordered %.2f s, auto %.2f s" % (name, loaded.seconds[Layout.ORDERED], loaded.seconds[Layout.AUTO]))
        done.append(loaded)
        lines.append(loaded.row())
    times = [loaded.times for loaded in done]
    title = "load into the kernel, against `ordered`"
    figures = [
        Figure(title + ": highest of all sets", max(times), "times", _MOST_TIMES),
        Figure(title + ": geometric mean", statistics.geometric_mean(times), "times"),
        Figure("rules and elements for each rule, most of all sets", max(one.growth for one in done), "", _MOST_GROWTH),
    ]
    return Outcome(lines, figures)


def _measure_set(name: str) -> Loaded:
    made = {layout: compiled(name, layout) for layout in _LAYOUTS}
    taken: t.Dict[Layout, t.List[float]] = {layout: [] for layout in _LAYOUTS}
    with Lab() as lab:
        hosts = iter(lab.hosts_named(["%s%d" % (layout.value, n) for n in range(_ROUNDS) for layout in _LAYOUTS], {}))
        for _round in range(_ROUNDS):
            for layout, one in made.items():
                host: Host = next(hosts)
                taken[layout].append(host.call(run_nft, one.text))
    return Loaded(
        name,
        len(classbench.read(name)),
        {layout: statistics.median(found) for layout, found in taken.items()},
        {layout: len(one.text.encode()) for layout, one in made.items()},
        {layout: one.objects for layout, one in made.items()},
    )
