# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small policies: is the layout ``auto`` ever slower than ``ordered``? The whole path of a packet, in pairs.

Where a ruleset comes to lie in memory makes a difference of its own, so both are loaded anew many times,
in either order. Each load gives one ratio, from rounds that take turns; the interval of confidence is that
of the mean of these ratios.
"""

from __future__ import annotations

import math
import statistics
import typing as t

from ansible_collections.palisade.nftables.plugins.module_utils._compile.compile import compile_program
from ansible_collections.palisade.nftables.plugins.module_utils._nft.text import render_load
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Layout
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import build_program
from lab.ring import RingLab

from .drawing import Drawing
from .figures import Figure, Outcome, Say
from .rounds import take_turns
from .servers import servers

_SEED = 1
_PACKETS = 512
_SEGMENT = 64
_ROUNDS = 16
_LOADS = 16

#: Student's t of one side for _LOADS - 1 degrees of freedom at 99.5 %: with ten policies that are in truth
#: equally fast, one is taken for slower in one run of twenty.
_STUDENT = 2.947

#: Documentation addresses stand for any.
_ANYWHERE = {4: (0xC6120000, 0xC613FFFF), 6: (0x20010DB8 << 96, (0x20010DB8 << 96) + (1 << 96) - 1)}

_ORDERED, _AUTO = Layout.ORDERED.value, Layout.AUTO.value


class Pair(t.NamedTuple):
    """One policy: nanoseconds a packet, and the ratio with its interval of confidence."""

    title: str
    rules: int
    ordered: float
    auto: float
    ratio: float
    low: float
    high: float

    @property
    def is_slower(self) -> bool:
        """Whether ``auto`` is measurably slower."""
        return self.low > 1

    def row(self) -> str:
        """A row of the table."""
        return "| %s | %d | %.0f ns | %.0f ns | %.3f | %.3f to %.3f | %s |" % (
            self.title,
            self.rules,
            self.ordered,
            self.auto,
            self.ratio,
            self.low,
            self.high,
            "**slower**" if self.is_slower else "faster" if self.high < 1 else "no difference to be measured",
        )


def measure(say: Say) -> Outcome:
    """Every policy."""
    lines = [
        "| policy | rules | ordered | auto | auto / ordered | 99 %% of confidence, %d loads | auto is |" % _LOADS,
        "|---|---|---|---|---|---|---|",
    ]
    pairs = []
    with RingLab() as lab:
        for title, variables in servers().items():
            pair = _measure_pair(lab, title, variables)
            say("  %s: %.3f (%.3f to %.3f)" % (title, pair.ratio, pair.low, pair.high))
            pairs.append(pair)
            lines.append(pair.row())
    slower = sum(pair.is_slower for pair in pairs)
    highest = max(pair.ratio for pair in pairs)
    figures = [
        Figure("policies of 1 to 30 rules, whole path: measurably slower than `ordered`", slower, "", 0, "%d"),
        Figure("the same: highest ratio to `ordered`", highest, "times", form="%.3f"),
    ]
    return Outcome(lines, figures)


def _measure_pair(lab: RingLab, title: str, variables: t.Mapping[str, object]) -> Pair:
    firewall = parse_firewall(variables)
    program = build_program(firewall)
    texts = {
        layout.value: render_load(compile_program(program, layout=layout)) for layout in (Layout.ORDERED, Layout.AUTO)
    }
    rules = sum(len(policy.rules) for policy in firewall.assigned)
    drawing = Drawing(_ANYWHERE, _SEED)
    each = -(-_PACKETS // (rules + 1))
    # The default action has its share, like a rule.
    drawn = [*drawing.over_rules(program, each), *drawing.elsewhere(each)]
    drawing.shuffle(drawn)
    order = [_ORDERED, _AUTO]
    ratios: t.List[float] = []
    taken: t.Dict[str, t.List[float]] = {_ORDERED: [], _AUTO: []}
    with lab.ring_of(drawn) as ring:
        for _load in range(_LOADS):
            order.reverse()
            for name in order:
                lab.load(name, texts[name])
            found = take_turns(lab, dict.fromkeys(order, ring), _ROUNDS, _SEGMENT).nanoseconds
            ratios.append(math.log(found[_AUTO] / found[_ORDERED]))
            for name, nanoseconds in found.items():
                taken[name].append(nanoseconds)
    mean = statistics.mean(ratios)
    margin = _STUDENT * statistics.stdev(ratios) / math.sqrt(len(ratios))
    ordered, auto = (statistics.median(taken[name]) for name in (_ORDERED, _AUTO))
    low, high = math.exp(mean - margin), math.exp(mean + margin)
    return Pair(title, rules, ordered, auto, math.exp(mean), low, high)
