# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.
"""What a packet costs in a table: lookups and rules on its way, counted, not timed.

The average is over the places where rules decide, each as often as another; that is not the traffic of
any host, but the same measure for every layout. The worst packet is the one that is decided last.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .table import Lookup, Table, TableRule, Verdict, VerdictKind

_ENDS = frozenset({VerdictKind.ACCEPT, VerdictKind.DROP, VerdictKind.REJECT, VerdictKind.RESET})


#: About as many rules take as long as a lookup; only for telling which of two ways is the longer one.
_RULES_OF_A_LOOKUP = 8


@dataclass(frozen=True)
class Steps:
    """Lookups in verdict maps, and rules that a packet is compared with."""

    lookups: float = 0.0
    rules: float = 0.0

    def __add__(self, other: Steps) -> Steps:
        return Steps(self.lookups + other.lookups, self.rules + other.rules)

    def times(self, factor: float) -> Steps:
        return Steps(self.lookups * factor, self.rules * factor)

    def less(self, other: Steps) -> Steps:
        return Steps(self.lookups - other.lookups, self.rules - other.rules)

    @property
    def length(self) -> float:
        return self.lookups * _RULES_OF_A_LOOKUP + self.rules


class ChainCost(t.NamedTuple):
    """The cost of a chain and of all that it leads to."""

    average: Steps
    worst: Steps


class Size(t.NamedTuple):
    """How much there is to load; a range or prefix is one element."""

    rules: int
    chains: int
    sets: int
    maps: int
    elements: int
    counters: int


class _Way(t.NamedTuple):
    """What packets meet from the begin of a chain.

    Attributes:
        total, ends: The steps to all places where packets are decided, in sum, and how many there are.
        missed: The steps of a packet that no lookup finds and no rule matches.
        longest: The steps of a packet that is found again and again, and decided by nothing.
        worst: Those of the packet that is decided last, or the longest.
    """

    total: Steps
    ends: int
    missed: Steps
    longest: Steps
    worst: Steps


def measure_size(table: Table) -> Size:
    """The size of a table."""
    return Size(
        rules=table.rule_count,
        chains=len(table.chains),
        sets=len(table.sets),
        maps=len(table.maps),
        elements=sum(len(named.members.intervals) for named in table.sets) + table.map_element_count,
        counters=len(table.counters),
    )


def measure_cost(table: Table, chain: str) -> ChainCost:
    """The cost of packets that enter a chain of the table."""
    way = _Walk(table).chain(chain)
    return ChainCost(average=way.total.times(1 / max(way.ends, 1)), worst=way.worst)


class _Walk:
    """Goes through chains, each once."""

    def __init__(self, table: Table) -> None:
        self._chains = {chain.name: chain for chain in table.chains}
        self._maps = {named.name: named for named in table.maps}
        self._known: t.Dict[str, _Way] = {}

    def chain(self, name: str) -> _Way:
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = self._through(self._chains[name].rules)
        return known

    def _through(self, rules: t.Iterable[TableRule]) -> _Way:
        missed = longest = worst = total = Steps()
        ends = 0
        for rule in rules:
            own = self._own(rule)
            # Packets of other protocols are compared and go on.
            looked = Steps(own.lookups) if rule.matches else Steps()
            missed += own
            longest += own
            back = Steps()
            for verdict, way in self._targets(rule):
                if not _always_jumps(rule):
                    total += way.total + missed.times(way.ends)
                    ends += way.ends
                worst = max(worst, longest + way.worst, key=_length)
                if verdict.kind is VerdictKind.JUMP:
                    back = max(back, way.longest, key=_length)
                    if _always_jumps(rule):
                        # What decides in there decides for others; this packet goes through it.
                        missed += way.missed
            longest += back
            missed = missed.less(looked)
        return _Way(total, ends, missed, longest, max(worst, longest, key=_length))

    @staticmethod
    def _own(rule: TableRule) -> Steps:
        lookups = sum(isinstance(statement, Lookup) for statement in rule.statements)
        return Steps(lookups, 0 if lookups and not rule.matches else 1)

    def _targets(self, rule: TableRule) -> t.Iterator[t.Tuple[Verdict, _Way]]:
        for statement in rule.statements:
            if isinstance(statement, Lookup):
                seen: t.Set[t.Tuple[VerdictKind, str]] = set()
                for element in self._maps[statement.map_name].elements:
                    verdict = element.verdict
                    if verdict.kind in _ENDS or (verdict.kind, verdict.chain) not in seen:
                        seen.add((verdict.kind, verdict.chain))
                        yield verdict, self._way(verdict)
            elif isinstance(statement, Verdict):
                yield statement, self._way(statement)

    def _way(self, verdict: Verdict) -> _Way:
        if verdict.kind in _ENDS:
            return _Way(Steps(), 1, Steps(), Steps(), Steps())
        return self.chain(verdict.chain)


def _always_jumps(rule: TableRule) -> bool:
    only = rule.statements[0] if len(rule.statements) == 1 and not rule.matches else None
    return isinstance(only, Verdict) and only.kind is VerdictKind.JUMP


def _length(steps: Steps) -> float:
    return steps.length
