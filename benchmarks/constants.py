# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The constants of the cost model on the machine at hand: what a rule, a jump, a counter and each lookup cost."""

from __future__ import annotations

import typing as t

from lab.ring import RingLab

from .figures import Outcome, Say
from .probes import MAPS, SIZES, Probe, every_probe
from .rounds import REFUSING, load_empty, take_turns

_ROUNDS = 7
_SEGMENT = 128

_NAME = "probe"


def measure(say: Say) -> Outcome:
    """Every probe."""
    found: t.List[t.Tuple[Probe, float]] = []
    jump = 0.0
    with RingLab() as lab:
        load_empty(lab)
        for probe in every_probe():
            # The jump to a body, shared by everything that the body has.
            cost = _measure_probe(lab, probe) - jump / probe.divisor
            jump = cost if probe.is_jump else jump
            found.append((probe, cost))
            say("  %s%s: %.0f ns" % (probe.title, " (%d)" % probe.elements if probe.elements else "", cost))
    return Outcome([*_steps_table(found), "", *_lookups_table(found)], [])


def _steps_table(found: t.Sequence[t.Tuple[Probe, float]]) -> t.Iterator[str]:
    yield "| what, above an empty chain | ns a packet | cost model |"
    yield "|---|---|---|"
    for probe, cost in found:
        if not probe.elements:
            yield "| %s | %s | %s |" % (probe.title, _number(cost), _number(probe.model))


def _lookups_table(found: t.Sequence[t.Tuple[Probe, float]]) -> t.Iterator[str]:
    """A row for each kind, a column for each size."""
    titles = dict.fromkeys(probe.title for probe, _cost in found if probe.elements)
    yield "ns a packet: one map asked again and again / %d maps in turn / the cost model" % MAPS
    yield ""
    yield "| lookup | %s |" % " | ".join("%d elements" % size for size in SIZES)
    yield "|---|%s" % ("---|" * len(SIZES))
    for title in titles:
        cells = []
        for size in SIZES:
            here = [(probe, cost) for probe, cost in found if (probe.title, probe.elements) == (title, size)]
            one = next((cost for probe, cost in here if probe.maps == 1), None)
            several = next((cost for probe, cost in here if probe.maps > 1), None)
            cells.append(" / ".join(_number(value) for value in (one, several, here[0][0].model)))
        yield "| %s | %s |" % (title, " | ".join(cells))


def _number(value: t.Optional[float]) -> str:
    return "-" if value is None else "%.0f" % value


def _measure_probe(lab: RingLab, probe: Probe) -> float:
    """Nanoseconds above an empty chain, of one body divided by what it has."""
    lab.load(_NAME, _text(probe))
    with lab.ring_of(probe.packets) as ring:
        turns = take_turns(lab, {_NAME: ring, REFUSING: ring}, _ROUNDS, _SEGMENT)
    # Every chain here ends in a drop.
    cost = turns.nanoseconds[_NAME] - turns.nanoseconds[REFUSING]
    return cost / len(probe.bodies) / probe.divisor


def _text(probe: Probe) -> str:
    """A table in which a packet jumps to each body; equal bodies are one chain."""
    chains = {body: "body%d" % number for number, body in enumerate(dict.fromkeys(probe.bodies))}
    parts = ["table inet probe\ndelete table inet probe\ntable inet probe {\n", probe.declarations]
    parts += ["chain %s {\n%s\n}\n" % (chain, body) for body, chain in chains.items()]
    parts.append("chain input {\ntype filter hook input priority filter; policy drop;\n")
    parts += ["jump %s\n" % chains[body] for body in probe.bodies]
    return "%s}\n}\n" % "".join(parts)
