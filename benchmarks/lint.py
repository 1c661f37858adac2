# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lint costs on the ClassBench sets, and how many of their rules it gives up."""

from __future__ import annotations

import typing as t

from ansible_collections.palisade.nftables.plugins.module_utils._analysis.findings import Severity
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.lint import lint
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall
from lab import classbench

from .figures import Figure, Outcome, Say, processor_time
from .sets import variables_of, why_not_measured

#: By size of the sets, seconds on one core.
_AIMS: t.Mapping[str, float] = {"1k": 5, "10k": 60}

#: Percent of the rules.
_MOST_UNDECIDED = 1

_COLUMNS = ("set", "rules", "lint", "findings", "of them warnings", "undecided")


class Linted(t.NamedTuple):
    """One set: seconds of processor time, and what was found."""

    name: str
    rules: int
    seconds: float
    findings: int
    warnings: int
    undecided: int

    @property
    def share(self) -> float:
        """Percent of the rules that were given up."""
        return 100 * self.undecided / self.rules

    def row(self) -> str:
        """A row of the table."""
        return "| %s | %d | %.2f s | %d | %d | %d |" % (
            self.name,
            self.rules,
            self.seconds,
            self.findings,
            self.warnings,
            self.undecided,
        )


def measure(say: Say, names: t.Sequence[str] = ()) -> Outcome:
    """Every set, or those named."""
    absent = why_not_measured()
    if absent:
        return Outcome(absent, [])
    lines = ["| %s |" % " | ".join(_COLUMNS), "|%s" % ("---|" * len(_COLUMNS))]
    done = []
    for name in names or classbench.names():
        linted = _measure_set(name)
        say("  %s: %.1f s, %d undecided" % (name, linted.seconds, linted.undecided))
        done.append(linted)
        lines.append(linted.row())
    figures = []
    for size, seconds in _AIMS.items():
        mine = [one for one in done if one.name.endswith("_" + size)]
        if mine:
            title = "lint, %s sets" % size
            figures.append(Figure(title + ": slowest", max(one.seconds for one in mine), "s", seconds, "%.1f"))
            most = max(one.share for one in mine)
            figures.append(Figure(title + ": most rules undecided", most, "%", _MOST_UNDECIDED))
    return Outcome(lines, figures)


def _measure_set(name: str) -> Linted:
    firewall = parse_firewall(variables_of(name))
    seconds, findings = processor_time(lambda: lint(firewall))
    return Linted(
        name,
        len(classbench.read(name)),
        seconds,
        len(findings),
        sum(one.severity is Severity.WARNING for one in findings),
        sum(one.code == "undecided" for one in findings),
    )
