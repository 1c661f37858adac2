# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Which protocols the packets have that can reach a chain of a table."""

from __future__ import annotations

import typing as t

from .._core.intervals import IntervalSet
from .table import Field, Lookup, NamedMap, Table, TableRule, Verdict

ANY_PROTOCOL = IntervalSet([(0, 255)])


def reaching_protocols(table: Table, entry: str) -> t.Dict[str, IntervalSet]:
    """By the names of chains, the protocols of packets that can come there from the chain ``entry``.

    No packet of another protocol comes there; whether one of these does may depend on more than the protocol.
    """
    chains = {chain.name: chain for chain in table.chains}
    maps = {named.name: named for named in table.maps}
    reaching = {entry: ANY_PROTOCOL}
    waiting = [entry]
    while waiting:
        name = waiting.pop()
        for rule in chains[name].rules:
            passing = _matched(rule, reaching[name])
            for chain, protocols in _led_to(rule, maps):
                before = reaching.get(chain, IntervalSet())
                after = before | (passing & protocols)
                if chain not in reaching or after != before:
                    reaching[chain] = after
                    waiting.append(chain)
    return reaching


def protocols_of(rule: TableRule, reaching: IntervalSet, maps: t.Mapping[str, NamedMap]) -> IntervalSet:
    """The protocols of packets that the rule can do something with, of those that reach it."""
    left = _matched(rule, reaching)
    for statement in rule.statements:
        if isinstance(statement, Lookup) and Field.PROTOCOL in statement.fields:
            at = statement.fields.index(Field.PROTOCOL)
            left = left & IntervalSet(element.key[at] for element in maps[statement.map_name].elements)
    return left


def _matched(rule: TableRule, protocols: IntervalSet) -> IntervalSet:
    for match in rule.matches:
        if match.field is Field.PROTOCOL and isinstance(match.value, IntervalSet):
            protocols = protocols & match.value
    return protocols


def _led_to(rule: TableRule, maps: t.Mapping[str, NamedMap]) -> t.Iterator[t.Tuple[str, IntervalSet]]:
    """The chains that a rule leads to, each with the protocols that it leads there."""
    for statement in rule.statements:
        if isinstance(statement, Verdict) and statement.chain:
            yield statement.chain, ANY_PROTOCOL
        elif isinstance(statement, Lookup):
            at = statement.fields.index(Field.PROTOCOL) if Field.PROTOCOL in statement.fields else None
            found: t.Dict[str, t.List[t.Tuple[int, int]]] = {}
            for element in maps[statement.map_name].elements:
                if element.verdict.chain:
                    found.setdefault(element.verdict.chain, []).append((0, 255) if at is None else element.key[at])
            for chain, intervals in found.items():
                yield chain, IntervalSet(intervals)
