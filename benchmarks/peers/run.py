# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a packet costs with the same policy in every tool, by the number of rules."""

from __future__ import annotations

import itertools
import json
import pathlib
import time
import typing as t

from ansible_collections.palisade.nftables.plugins.module_utils._policy.evaluate import evaluate
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Action
from ansible_collections.palisade.nftables.plugins.module_utils._policy.packet import Packet
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import build_program
from lab.reexec import in_user_namespace, is_privileged

from ..figures import BenchmarkError, Figure, Outcome, Say
from . import managers, nft, xtables
from .arena import Arena, Seat, Timed, take_turns
from .contender import Contender, UnableError
from .policy import PROTOCOLS, Prefix, Rule, packets_for, role_variables, server_policy, strangers

#: Where the figures go for the plot.
RESULTS = pathlib.Path(__file__).resolve().parents[2] / "build" / "peers.json"

CONTENDERS: t.Tuple[Contender, ...] = (*nft.CONTENDERS, *xtables.CONTENDERS, *managers.CONTENDERS)

#: Palisade in its other ways is shown, and no rival.
_OWN = frozenset({"auto", "auto-uncounted", "ordered"})

#: Rules of a policy: those of the table, and those of the plot.
_TABLE_SIZES = (20, 100, 1000)
_SIZES = (5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)

_PACKETS = 2048
_STRANGERS = 512

#: Packets whose verdicts are compared with the evaluator's; a quarter of them strangers.
_SAMPLE = 400

_ACCEPT, _DROP = "accept", "drop"
_EMPTY = """\
table inet empty {
  chain input {
    type filter hook input priority filter; policy %s;
  }
}
"""


class Cost(t.NamedTuple):
    """One contender with one policy.

    Attributes:
        mean: Nanoseconds a packet above an empty chain, packets drawn evenly over the rules.
        stranger: The same for packets that no rule matches; None where that was not measured.
        load: Seconds until the tool had loaded the policy.
    """

    mean: float
    stranger: t.Optional[float]
    load: float


class Results(t.NamedTuple):
    """A run: rules to key to cost, or to why there is none; rules to nanoseconds of the whole path when empty."""

    costs: t.Dict[int, t.Dict[str, Cost]]
    unable: t.Dict[int, t.Dict[str, str]]
    empty: t.Dict[int, float]


def measure(say: Say) -> Outcome:
    """Every tool, every size.

    Raises:
        BenchmarkError: This is not root's own machine, or Palisade itself decides wrongly.
    """
    if not is_privileged() or in_user_namespace():
        raise BenchmarkError("the peers load rules as root does; run this as root")
    results = Results({}, {}, {})
    for size in _SIZES:
        started = time.monotonic()
        _measure_size(size, results)
        costs = results.costs[size]
        say(
            "  %d rules: %s  (%.0f s)"
            % (
                size,
                ", ".join("%s %.0f" % (key, cost.mean) for key, cost in costs.items()),
                time.monotonic() - started,
            )
        )
        for key, reason in results.unable[size].items():
            say("    %s: %s" % (key, reason))
            if key == nft.AUTO.key:
                raise BenchmarkError("Palisade, %d rules: %s" % (size, reason))
    _save(results)
    return Outcome(list(_lines(results)), list(_figures(results)))


def _measure_size(size: int, results: Results) -> None:
    rules = server_policy(size)
    drawn = packets_for(rules, _PACKETS)
    no_rule = _strangers_to(rules) if size in _TABLE_SIZES else []
    unable: t.Dict[str, str] = {}
    loads: t.Dict[str, float] = {}
    missed: t.Dict[str, Timed] = {}
    with Arena() as arena:
        seats = {key: arena.seat("empty-" + key) for key in (_ACCEPT, _DROP)}
        for key, seat in seats.items():
            seat.host.nft(_EMPTY % key)
            seat.settle()
        sample = [*drawn[: _SAMPLE * 3 // 4], *strangers(_SAMPLE // 4)]
        program = build_program(parse_firewall(role_variables(rules)))
        expected = [evaluate(program, packet).action is Action.ACCEPT for packet in sample]
        for contender in CONTENDERS:
            seat = arena.seat(contender.key)
            try:
                loads[contender.key] = contender.load(seat.host, rules)
                seat.settle()
                _check(seat, sample, expected)
            except UnableError as exc:
                unable[contender.key] = str(exc)
                continue
            seats[contender.key] = seat
        means = take_turns({key: (seat, seat.ring(drawn)) for key, seat in seats.items()}, _rounds(size))
        if no_rule:
            missed = take_turns({key: (seat, seat.ring(no_rule)) for key, seat in seats.items()}, _rounds(size))
    # A packet that is dropped ends earlier than one that is accepted: an empty chain that does as many of both.
    share = sum(_decide(rules, packet) for packet in drawn) / len(drawn)
    empty = share * means.pop(_ACCEPT).nanoseconds + (1 - share) * means.pop(_DROP).nanoseconds
    for key, timed in list(means.items()):
        # Each ring holds the packets a whole number of times.
        if timed.share != share:
            unable[key] = "accepts %.1f %% of all packets, where the policy accepts %.1f %%" % (
                100 * timed.share,
                100 * share,
            )
            del means[key]
    results.empty[size] = empty
    results.unable[size] = unable
    results.costs[size] = {
        key: Cost(
            timed.nanoseconds - empty,
            missed[key].nanoseconds - missed[_DROP].nanoseconds if missed else None,
            loads[key],
        )
        for key, timed in means.items()
    }


def _strangers_to(rules: t.Sequence[Rule]) -> t.List[Packet]:
    """Packets that no rule matches."""
    met = (packet for packet in strangers(2 * _STRANGERS) if not any(_matches(rule, packet) for rule in rules))
    return list(itertools.islice(met, _STRANGERS))


def _decide(rules: t.Sequence[Rule], packet: Packet) -> bool:
    """Whether the policy accepts the packet."""
    return next((rule.accept for rule in rules if _matches(rule, packet)), False)


def _rounds(size: int) -> int:
    return 15 if size <= 200 else 9 if size <= 1000 else 5


def _matches(rule: Rule, packet: Packet) -> bool:
    return (
        rule.low <= (packet.destination_port or 0) <= rule.high
        and PROTOCOLS[rule.protocol] == packet.protocol
        and (rule.source is None or Prefix(packet.source, 32).overlaps(rule.source))
    )


def _check(seat: Seat, sample: t.Sequence[Packet], expected: t.Sequence[bool]) -> None:
    """Sees that the tool decides as the evaluator does.

    Raises:
        UnableError: It does not.
    """
    wrong = [pair for pair in zip(sample, seat.accepted(sample), expected) if pair[1] != pair[2]]
    if wrong:
        packet, accepted, _expected = wrong[0]
        raise UnableError(
            "decides %d of %d packets otherwise than the policy: it %s protocol %d from %s to port %s"
            % (
                len(wrong),
                len(sample),
                "accepts" if accepted else "drops",
                packet.protocol,
                Prefix(packet.source, 32),
                packet.destination_port,
            )
        )


def _save(results: Results) -> None:
    content = {
        "contenders": {one.key: one.name for one in CONTENDERS},
        "costs": {size: {key: cost._asdict() for key, cost in costs.items()} for size, costs in results.costs.items()},
        "unable": results.unable,
        "empty": results.empty,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _lines(results: Results) -> t.Iterator[str]:
    """The tables, and why a place in them is empty."""
    least, most = min(_SIZES), max(_SIZES)
    yield (
        "Nanoseconds a packet above an empty chain (the whole path with an empty chain: %.0f ns), new flows, drawn "
        "evenly over the rules." % results.empty[_TABLE_SIZES[0]]
    )
    yield ""
    yield "| tool | %s |" % " | ".join("%d rules | beside Palisade" % size for size in _TABLE_SIZES)
    yield "|---" * (1 + 2 * len(_TABLE_SIZES)) + "|"
    for one in CONTENDERS:
        cells = [cell for size in _TABLE_SIZES for cell in _cells(results.costs[size], one.key)]
        yield "| %s | %s |" % (one.name, " | ".join(cells))
    size = _TABLE_SIZES[-1]
    yield from ("", "A packet that no rule matches, and loading the policy:", "")
    yield "| tool | %s | load, %d rules |" % (
        " | ".join("no match, %d rules" % size for size in _TABLE_SIZES),
        size,
    )
    yield "|---" * (2 + len(_TABLE_SIZES)) + "|"
    for one in CONTENDERS:
        costs = [results.costs[size].get(one.key) for size in _TABLE_SIZES]
        cells = ["" if cost is None else "%.0f" % (cost.stranger or 0) for cost in costs]
        cells.append("" if costs[-1] is None else "%.2f s" % costs[-1].load)
        yield "| %s | %s |" % (one.name, " | ".join(cells))
    yield from ("", "From %d to %d rules:" % (least, most), "")
    yield "| tool | %s |" % " | ".join(map(str, _SIZES))
    yield "|---" * (1 + len(_SIZES)) + "|"
    for one in CONTENDERS:
        found = [results.costs[size].get(one.key) for size in _SIZES]
        yield "| %s | %s |" % (one.name, " | ".join("" if cost is None else "%.0f" % cost.mean for cost in found))
    yield from ("", "What each of them gets:", "")
    yield from ("- %s: %s" % (one.name, one.how) for one in CONTENDERS)
    reasons: t.Dict[t.Tuple[str, str], t.List[int]] = {}
    for size in _SIZES:
        for key, reason in results.unable[size].items():
            reasons.setdefault((key, reason), []).append(size)
    if reasons:
        yield from ("", "Without a figure:", "")
    names = {one.key: one.name for one in CONTENDERS}
    for (key, reason), sizes in reasons.items():
        yield "- %s with %s rules: %s" % (names[key], ", ".join(map(str, sizes)), reason)


def _cells(costs: t.Mapping[str, Cost], key: str) -> t.Tuple[str, str]:
    if key not in costs:
        return "", ""
    return "%.0f" % costs[key].mean, "%.2f times" % (costs[key].mean / costs[nft.AUTO.key].mean)


def _figures(results: Results) -> t.Iterator[Figure]:
    """The rival that comes nearest, at each size of the table."""
    names = {one.key: one.name for one in CONTENDERS}
    for size in _TABLE_SIZES:
        costs = {key: cost.mean for key, cost in results.costs[size].items()}
        rivals = [key for key in costs if key not in _OWN]
        if not rivals:
            continue
        nearest = min(rivals, key=costs.__getitem__)
        times = costs[nearest] / costs[nft.AUTO.key]
        behind = sum(costs[key] >= costs[nft.AUTO.key] for key in rivals)
        name = "peers, %d rules: nearest of %d rivals, %s, beside Palisade" % (size, len(rivals), names[nearest])
        yield Figure(name, times, "times", 1.0, least=True)
        yield Figure("peers, %d rules: rivals that Palisade is ahead of or level with" % size, behind, "", form="%.0f")
