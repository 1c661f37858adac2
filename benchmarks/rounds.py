# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rulesets that take turns in a ring lab: the empty chains beside them, and a figure from several rounds."""

from __future__ import annotations

import statistics
import typing as t

from lab.ring import Ring, RingLab

#: Rulesets of one empty chain: what is not accepted at once is dropped at once.
ACCEPTING, REFUSING = "empty_accepting", "empty_refusing"

_EMPTY = """\
table inet empty {
  chain input {
    type filter hook input priority filter; policy %s;
  }
}
"""


class Turns(t.NamedTuple):
    """Rulesets by name: nanoseconds a packet, and the share of packets that each accepts."""

    nanoseconds: t.Dict[str, float]
    accepted: t.Dict[str, float]

    def above_empty(self, name: str) -> float:
        """Nanoseconds above an empty chain with the same verdicts."""
        share = self.accepted[name]
        empty = share * self.nanoseconds[ACCEPTING] + (1 - share) * self.nanoseconds[REFUSING]
        return self.nanoseconds[name] - empty


def load_empty(lab: RingLab) -> None:
    """Loads the empty chains."""
    lab.load(ACCEPTING, _EMPTY % "accept")
    lab.load(REFUSING, _EMPTY % "drop")


def take_turns(lab: RingLab, rings: t.Mapping[str, Ring], rounds: int, segment: int) -> Turns:
    """Sends each ring under its ruleset, A B C A B C ..., the order reversed from round to round.

    Each segment of a ring counts with its median over the rounds, so that what else the machine does
    disturbs a segment here and there, and not the figure.
    """
    seconds: t.Dict[str, t.List[t.List[float]]] = {name: [] for name in rings}
    accepted: t.Dict[str, float] = {}
    order = list(rings)
    for _round in range(rounds):
        order.reverse()
        for name in order:
            lab.wake(name)
            done = lab.measure(rings[name], segment)
            seconds[name].append(done.seconds)
            accepted[name] = done.accepted / rings[name].size
    return Turns({name: _nanoseconds(taken, rings[name].size) for name, taken in seconds.items()}, accepted)


def _nanoseconds(rounds: t.Sequence[t.Sequence[float]], packets: int) -> float:
    medians = [statistics.median([taken[segment] for taken in rounds]) for segment in range(len(rounds[0]))]
    return sum(medians) / packets * 1e9
