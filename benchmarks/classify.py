# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What it costs the kernel to decide a packet, above an empty chain: all ClassBench sets, every layout.

All variants of a set lie in one host and take turns, round by round, the empty chains among them.
"""

from __future__ import annotations

import contextlib
import statistics
import time
import typing as t

from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Layout
from lab import classbench
from lab.packets import LabPacket
from lab.ring import RingLab

from .drawing import Drawing
from .figures import BenchmarkError, Figure, Outcome, Say
from .rounds import ACCEPTING, REFUSING, Turns, load_empty, take_turns
from .sets import SEED, compiled, program_of, why_not_measured

_ROUNDS = 5

#: Packets of a round: one a rule, or several where the rules are fewer.
_FEWEST_PACKETS = 4000

#: Packets of a round for a large set in a layout that takes many microseconds for each: every so many of the others.
_MOST_SLOW_PACKETS = 2000

_SEGMENT = 128

#: The worst case is looked for with this many packets in a row that are alike, the fastest of so many runs;
#: then the slowest of the candidates are measured again, by themselves.
_ALIKE = 16
_SEARCHES = 3
_CANDIDATES = 8
_LAST_RULES = 64
_ELSEWHERE = 64


class Variant(t.NamedTuple):
    """A layout, with or without counters."""

    layout: Layout
    counters: bool

    @property
    def name(self) -> str:
        return "%s_%s" % (self.layout.value, "counted" if self.counters else "uncounted")


_ORDERED, _AUTO = Variant(Layout.ORDERED, counters=True), Variant(Layout.AUTO, counters=True)
_VARIANTS = (_ORDERED, _AUTO, Variant(Layout.ORDERED, counters=False), Variant(Layout.AUTO, counters=False))

#: By size of the sets: the least of the geometric mean and of each set, in times cheaper than ordered.
_AIMS: t.Mapping[str, t.Tuple[float, float]] = {"10k": (80, 30), "1k": (12, 5)}
_MOST_NANOSECONDS = 2000


_COLUMNS = (
    "set",
    "rules",
    "ordered",
    "auto",
    "times cheaper",
    "packet that costs most: ordered",
    "auto",
    "without counters: ordered",
    "auto",
    "times cheaper",
    "whole path, empty chain",
)


class Cost(t.NamedTuple):
    """Nanoseconds a packet above an empty chain: the mean, and of the packet that costs most."""

    mean: float
    worst: float


class Measured(t.NamedTuple):
    """One set. ``empty`` are the nanoseconds of the whole path with an empty chain."""

    name: str
    rules: int
    packets: int
    empty: float
    costs: t.Dict[Variant, Cost]

    @property
    def times(self) -> float:
        """How many times cheaper than ordered."""
        return self.costs[_ORDERED].mean / self.costs[_AUTO].mean

    @property
    def times_uncounted(self) -> float:
        """The same without counters."""
        return self.costs[_VARIANTS[2]].mean / self.costs[_VARIANTS[3]].mean


def measure_set(name: str, say: Say) -> Measured:
    """Compiles, loads and measures every variant of one set."""
    started = time.monotonic()
    program = program_of(name)
    rules = len(classbench.read(name))
    # The sets are about IPv4, and any address of it.
    drawing = Drawing({4: (0, 0xFFFFFFFF)}, SEED)
    drawn = drawing.over_rules(program, -(-_FEWEST_PACKETS // rules))
    elsewhere = drawing.elsewhere(_ELSEWHERE)
    with RingLab() as lab:
        load_empty(lab)
        for variant in _VARIANTS:
            lab.load(variant.name, compiled(name, variant.layout, counters=variant.counters).text)
        loaded = time.monotonic() - started
        means, empty = _means(lab, drawn, drawing)
        worst = {}
        for variant in _VARIANTS:
            slow = variant.layout is Layout.ORDERED
            worst[variant] = _worst(lab, variant.name, [*(drawn[-_LAST_RULES:] if slow else drawn), *elsewhere])
    costs = {variant: Cost(means[variant], worst[variant]) for variant in _VARIANTS}
    measured = Measured(name, rules, len(drawn), empty, costs)
    say(
        "  %s: ordered %.0f ns, auto %.0f ns, %.1f times  (loaded after %.0f s, %.0f s)"
        % (
            name,
            costs[_ORDERED].mean,
            costs[_AUTO].mean,
            measured.times,
            loaded,
            time.monotonic() - started,
        )
    )
    return measured


def _means(lab: RingLab, drawn: t.Sequence[LabPacket], drawing: Drawing) -> t.Tuple[t.Dict[Variant, float], float]:
    """Nanoseconds a packet above an empty chain by variant, and those of the empty chain."""
    few = len(drawn) <= 2 * _FEWEST_PACKETS
    mixed = list(drawn)
    drawing.shuffle(mixed)
    with contextlib.ExitStack() as stack:
        ring = stack.enter_context(lab.ring_of(mixed))
        sample = ring if few else stack.enter_context(lab.ring_of(_evenly(drawn, drawing)))
        rings = {ACCEPTING: ring, REFUSING: ring}
        for variant in _VARIANTS:
            rings[variant.name] = sample if variant.layout is Layout.ORDERED else ring
        turns = take_turns(lab, rings, _ROUNDS, _SEGMENT)
    _check_alike(turns, every=few)
    means = {variant: turns.above_empty(variant.name) for variant in _VARIANTS}
    return means, turns.nanoseconds[_AUTO.name] - means[_AUTO]


def _evenly(drawn: t.Sequence[LabPacket], drawing: Drawing) -> t.List[LabPacket]:
    """Every so many of the packets, which are in the order of the rules; then out of order."""
    step = max(1, len(drawn) // _MOST_SLOW_PACKETS)
    found = list(drawn[step // 2 :: step])
    drawing.shuffle(found)
    return found


def _check_alike(turns: Turns, *, every: bool) -> None:
    """Variants that saw the same packets must have accepted as many of them; ``every``: all variants did."""
    groups = [_VARIANTS] if every else [[one for one in _VARIANTS if one.layout is layout] for layout in Layout]
    for group in groups:
        shares = {variant.name: turns.accepted[variant.name] for variant in group}
        if len(set(shares.values())) > 1:
            raise BenchmarkError("the variants decide the same packets differently: %s" % shares)


def _worst(lab: RingLab, name: str, candidates: t.Sequence[LabPacket]) -> float:
    """Nanoseconds above an empty chain of the packet that costs most.

    The slowest of many measurements is slow by chance as well, so the slowest are measured again.
    """
    lab.wake(name)
    with lab.ring_of([packet for packet in candidates for _copy in range(_ALIKE)]) as ring:
        runs = [lab.measure(ring, _ALIKE).seconds for _run in range(_SEARCHES)]
    fastest = [min(taken) for taken in zip(*runs)][: len(candidates)]
    order = sorted(range(len(candidates)), key=fastest.__getitem__, reverse=True)
    return max(_alone(lab, name, candidates[position]) for position in order[:_CANDIDATES])


def _alone(lab: RingLab, name: str, packet: LabPacket) -> float:
    """Nanoseconds above an empty chain of one packet, again and again."""
    with lab.ring_of([packet]) as ring:
        turns = take_turns(lab, {name: ring, ACCEPTING: ring, REFUSING: ring}, _ROUNDS, ring.size)
    return turns.above_empty(name)


def measure(say: Say, names: t.Sequence[str] = ()) -> Outcome:
    """Every set, or those named.

    Raises:
        BenchmarkError: Variants of a set decide differently.
    """
    absent = why_not_measured()
    if absent:
        return Outcome(absent, [])
    lines = [
        "Nanoseconds a packet above an empty chain; half of the rules drop.",
        "",
        "| %s |" % " | ".join(_COLUMNS),
        "|%s" % ("---|" * len(_COLUMNS)),
    ]
    figures: t.List[Figure] = []
    for size, (mean_aim, least_aim) in _AIMS.items():
        done = [measure_set(name, say) for name in classbench.names(size) if not names or name in names]
        if not done:
            continue
        lines += [_row(one) for one in done]
        figures += _figures(size, done, mean_aim, least_aim)
    return Outcome(lines, figures)


def _row(one: Measured) -> str:
    ordered, auto, ordered_uncounted, auto_uncounted = (one.costs[variant] for variant in _VARIANTS)
    return "| %s | %d | %.0f | %.0f | %.1f | %.0f | %.0f | %.0f | %.0f | %.1f | %.0f |" % (
        one.name,
        one.rules,
        ordered.mean,
        auto.mean,
        one.times,
        ordered.worst,
        auto.worst,
        ordered_uncounted.mean,
        auto_uncounted.mean,
        one.times_uncounted,
        one.empty,
    )


def _figures(size: str, done: t.Sequence[Measured], mean_aim: float, least_aim: float) -> t.Iterator[Figure]:
    times = [one.times for one in done]
    title = "classification against `ordered`, %s sets" % size
    mean = statistics.geometric_mean(times)
    yield Figure("%s: geometric mean" % title, mean, "times cheaper", mean_aim, "%.1f", least=True)
    yield Figure("%s: least" % title, min(times), "times cheaper", least_aim, "%.1f", least=True)
    uncounted = statistics.geometric_mean([one.times_uncounted for one in done])
    yield Figure("%s: geometric mean without counters" % title, uncounted, "times cheaper", form="%.1f")
    most = max(one.costs[_AUTO].mean for one in done)
    limit = _MOST_NANOSECONDS if size == "10k" else None
    yield Figure("classification, %s sets: highest mean cost of a packet" % size, most, "ns", limit, "%.0f")
    worst = max(one.costs[_AUTO].worst for one in done)
    yield Figure("classification, %s sets: packet that costs most" % size, worst, "ns", form="%.0f")
