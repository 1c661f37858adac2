# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a benchmark hands back: a table, and the figures that have an aim."""

from __future__ import annotations

import gc
import resource
import statistics
import time
import typing as t

_T = t.TypeVar("_T")

#: Prints a line of progress.
Say = t.Callable[[str], None]


class BenchmarkError(RuntimeError):
    """What should be measured did not happen; the message says what did."""


class Figure(t.NamedTuple):
    """One figure beside its aim.

    Attributes:
        value: In ``unit``.
        aim: The most that it may be, or the least; None where there is no aim.
        form: How to print ``value`` and ``aim``, in the way of ``%``.
        least: Whether ``aim`` is the least.
    """

    name: str
    value: float
    unit: str
    aim: t.Optional[float] = None
    form: str = "%.2f"
    least: bool = False

    @property
    def met(self) -> t.Optional[bool]:
        """Whether the aim is met; None where there is none."""
        if self.aim is None:
            return None
        return self.value >= self.aim if self.least else self.value <= self.aim

    def row(self) -> str:
        """A row of the table of all figures."""
        value = (self.form + " %s") % (self.value, self.unit)
        if self.aim is None:
            return "| %s | %s | | |" % (self.name, value)
        aim = ("at %s " + self.form + " %s") % ("least" if self.least else "most", self.aim, self.unit)
        return "| %s | %s | %s | %s |" % (self.name, value, aim, "yes" if self.met else "**no**")


class Outcome(t.NamedTuple):
    """A benchmark's own table, as lines of Markdown, and its figures."""

    lines: t.List[str]
    figures: t.List[Figure]


def table_of(figures: t.Iterable[Figure]) -> t.List[str]:
    """All figures beside their aims, as lines of Markdown."""
    return ["| figure | measured | aim | met |", "|---|---|---|---|", *(figure.row() for figure in figures)]


def interleave(variants: t.Mapping[str, t.Callable[[], float]], rounds: int, say: Say) -> t.Dict[str, t.List[float]]:
    """Seconds of every variant in every round, A B C A B C ..., after a round that does not count.

    What else the machine does then slows all variants alike, and a difference within one round says
    more than one of two averages.
    """
    taken: t.Dict[str, t.List[float]] = {name: [] for name in variants}
    for number in range(rounds + 1):
        started = time.monotonic()
        seconds = {name: measure() for name, measure in variants.items()}
        say(
            "  %s: %s  (%.0f s)"
            % (
                "round %d of %d" % (number, rounds) if number else "warm-up",
                ", ".join("%s %.2f s" % item for item in seconds.items()),
                time.monotonic() - started,
            )
        )
        if number:
            for name, value in seconds.items():
                taken[name].append(value)
    return taken


def median_difference(first: t.Sequence[float], second: t.Sequence[float]) -> float:
    """The median of what ``first`` took more than ``second``, round by round."""
    return statistics.median(one - other for one, other in zip(first, second))


def processor_time(function: t.Callable[[], _T]) -> t.Tuple[float, _T]:
    """Seconds of processor time that a call takes, those of programs that it runs included, and what it returns.

    Unlike the time that passes, it hardly depends on what else the machine does. What was measured before leaves
    nothing for Python to collect meanwhile.
    """
    gc.collect()
    before = _processor_seconds()
    returned = function()
    return _processor_seconds() - before, returned


def _processor_seconds() -> float:
    used = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)
