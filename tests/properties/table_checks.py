# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every table holds to by construction, whatever the policy: the limits of kernel and nft, and our own."""

from __future__ import annotations

import functools
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.palisade.nftables.plugins.module_utils._compile.table import (
    MAP_VERDICTS,
    Count,
    Field,
    Lookup,
    MapElement,
    Match,
    NamedMap,
    SetReference,
    Table,
    TableRule,
    Verdict,
    VerdictKind,
)
from ansible_collections.palisade.nftables.plugins.module_utils._core.intervals import Interval, IntervalSet

#: Bits of the fields that a map may be keyed by; a key of the kernel pads each to 4 octets.
_BITS: t.Mapping[Field, int] = {
    Field.FAMILY: 8,
    Field.SOURCE4: 32,
    Field.DESTINATION4: 32,
    Field.SOURCE6: 128,
    Field.DESTINATION6: 128,
    Field.PROTOCOL: 8,
    Field.SOURCE_PORT: 16,
    Field.DESTINATION_PORT: 16,
    Field.ICMP_TYPE: 8,
    Field.ICMPV6_TYPE: 8,
    Field.ORIGINAL_DESTINATION4: 32,
    Field.ORIGINAL_DESTINATION6: 128,
    Field.ORIGINAL_DESTINATION_PORT: 16,
}
_FAMILY_FIELDS = {
    4: {Field.SOURCE4, Field.DESTINATION4, Field.ICMP_TYPE},
    6: {Field.SOURCE6, Field.DESTINATION6, Field.ICMPV6_TYPE},
}
#: What is looked up in a map that is declared for a field of the same type.
_AS_DECLARED = {
    Field.ORIGINAL_DESTINATION4: Field.DESTINATION4,
    Field.ORIGINAL_DESTINATION6: Field.DESTINATION6,
    Field.ORIGINAL_DESTINATION_PORT: Field.DESTINATION_PORT,
}
_MOST_FIELDS = 5
_LARGEST_KEY = 64

#: NFT_JUMP_STACK_SIZE of the kernel is 16; it counts goto as well, and chains that maps lead to.
_DEEPEST = 15

#: About a second of a kernel that passes a chain once for each way to it, with every transaction.
_LONGEST_WALK = 50_000_000

#: A name that nft takes without quotes, shorter than NFT_NAME_MAXLEN (256) by far.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)


@dataclass(frozen=True)
class Size:
    """How much there is of a table.

    Attributes:
        depth: Chains on the longest way from a base chain, that one left out.
        walk: Rules and elements that the kernel passes when it checks a transaction: most kernels do
            not keep in mind which chains they have seen, and pass a chain once for each way to it.
    """

    rules: int
    elements: int
    chains: int
    maps: int
    sets: int
    depth: int
    walk: int

    @property
    def total(self) -> int:
        """What the budget is about: rules and elements of maps and sets."""
        return self.rules + self.elements


def check_table(table: Table) -> Size:
    """The table's size.

    Raises:
        AssertionError: The table breaks a limit, or refers to what it does not have.
    """
    _check_names(table)
    for named in table.maps:
        _check_map(named)
    for chain in table.chains:
        for rule in chain.rules:
            for place, statement in enumerate(rule.statements):
                last = place == len(rule.statements) - 1
                assert last or not isinstance(statement, Verdict), (chain.name, rule)
                # nft checks what the fields of a map need where it is asked: behind any other statement.
                assert len(rule.statements) == 1 or not isinstance(statement, Lookup), (chain.name, "beside", rule)
            for match in rule.matches:
                _check_match(match, chain.name)
            _check_original_port(rule, chain.name)
    _check_references(table)
    depth, walk = _depth_and_walk(table)
    assert depth <= _DEEPEST, "chains %d deep" % depth
    assert walk <= _LONGEST_WALK, "%d rules and elements on all ways through the chains" % walk
    return Size(
        rules=sum(len(chain.rules) for chain in table.chains),
        elements=sum(len(one.elements) for one in table.maps) + sum(len(one.members.intervals) for one in table.sets),
        chains=len(table.chains),
        maps=len(table.maps),
        sets=len(table.sets),
        depth=depth,
        walk=walk,
    )


def _check_names(table: Table) -> None:
    # To the kernel a map is a set.
    for names in (
        [chain.name for chain in table.chains],
        [*(one.name for one in table.sets), *(one.name for one in table.maps)],
    ):
        assert len(set(names)) == len(names), sorted(name for name in names if names.count(name) > 1)
        for name in names:
            assert _NAME.fullmatch(name), name
    assert len(set(table.counters)) == len(table.counters)


def _check_match(match: Match, place: str) -> None:
    """What has no name has no intervals: an anonymous interval set is never loaded before its rule is."""
    if isinstance(match.value, IntervalSet):
        assert match.value, (place, match)
        single = len(match.value.intervals) == 1
        # Values of one octet are listed one by one.
        octet = _BITS.get(match.field, 8) == 8
        assert single or octet or all(low == high for low, high in match.value.intervals), (place, match)
    elif not isinstance(match.value, SetReference):
        assert match.value, (place, match)


def _check_original_port(rule: TableRule, place: str) -> None:
    """Only behind the one protocol that it belongs to does nft before 1.1 know the type of an original port.

    And nft 1.0.6 lists several of them in a way that it does not read.
    """
    fields = [match.field for match in rule.matches]
    looked_up = [field for one in rule.statements if isinstance(one, Lookup) for field in one.fields]
    if Field.ORIGINAL_DESTINATION_PORT not in (*fields, *looked_up):
        return
    assert Field.SOURCE_PORT not in looked_up or looked_up[-1] is Field.ORIGINAL_DESTINATION_PORT, (place, rule)
    at = fields.index(Field.ORIGINAL_DESTINATION_PORT) if Field.ORIGINAL_DESTINATION_PORT in fields else len(fields)
    assert at, (place, rule)
    before = rule.matches[at - 1]
    assert before.field is Field.PROTOCOL, (place, rule)
    assert isinstance(before.value, IntervalSet), (place, rule)
    assert before.value.size == 1, (place, rule)
    # A source port implies the protocol, which is left out for it: behind the original port that would be too late.
    assert Field.SOURCE_PORT not in fields[at:], (place, rule)
    if at < len(fields) and Field.SOURCE_PORT in fields:
        assert fields.index(Field.SOURCE_PORT) == at - 2, (place, rule)
    if at < len(fields):
        value = rule.matches[at].value
        assert isinstance(value, SetReference) or len(value.intervals) == 1, (place, rule)


def _check_map(named: NamedMap) -> None:
    fields = named.fields
    assert 1 <= len(fields) <= _MOST_FIELDS, named.name
    assert len(set(fields)) == len(fields), named.name
    assert all(field in _BITS for field in fields), (named.name, fields)
    assert sum(max(4, _BITS[field] // 8) for field in fields) <= _LARGEST_KEY, named.name
    # nft 1.0.6 turns the octets of a protocol there, which Linux 6.12.117 refuses.
    assert not (named.has_intervals and Field.PROTOCOL in fields), (named.name, fields)
    assert not all(_FAMILY_FIELDS[family] & set(fields) for family in (4, 6)), (named.name, "never matches")
    assert named.elements, "%s is empty" % named.name
    for element in named.elements:
        assert len(element.key) == len(fields), (named.name, element)
        assert element.verdict.kind in MAP_VERDICTS, (named.name, element)
        for (low, high), field in zip(element.key, fields):
            assert 0 <= low <= high < 1 << _BITS[field], (named.name, element)
    found = overlap(named.elements)
    assert found is None, (named.name, found)


def overlap(elements: t.Sequence[MapElement]) -> t.Optional[t.Tuple[MapElement, MapElement]]:
    """Two elements that hold the same key, None where all are disjoint."""
    if len(elements) < 2:
        return None
    fields = range(len(elements[0].key))
    # Along the field that tells most of them apart, only those that are open at once can meet.
    field = max(fields, key=lambda one: len({element.key[one] for element in elements}))
    ordered = sorted(elements, key=lambda element: element.key[field])
    if len({element.key[field] for element in elements}) == 1:
        rest = [one for one in fields if one != field and len({element.key[one] for element in elements}) > 1]
        if not rest:
            return ordered[0], ordered[1]
    opened: t.List[MapElement] = []
    for element in ordered:
        opened = [other for other in opened if other.key[field][1] >= element.key[field][0]]
        for other in opened:
            if all(_meet(one, two) for one, two in zip(element.key, other.key)):
                return other, element
        opened.append(element)
    return None


def _meet(one: Interval, other: Interval) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


def _check_references(table: Table) -> None:
    """Everything that is led to is there, and everything there is led to."""
    chains = {chain.name for chain in table.chains}
    sets, maps, counters = set(), set(), set()
    led_to = {chain.name for chain in table.chains if chain.hook or not chain.constant}
    for chain in table.chains:
        for rule in chain.rules:
            sets |= {match.value.name for match in rule.matches if isinstance(match.value, SetReference)}
            for statement in rule.statements:
                if isinstance(statement, Count):
                    counters.add(statement.counter)
                elif isinstance(statement, Lookup):
                    maps.add(statement.map_name)
                elif isinstance(statement, Verdict):
                    _check_verdict(statement, chains, chain.name)
                    led_to.add(statement.chain or chain.name)
    by_name = {named.name: named for named in table.maps}
    assert maps == set(by_name), "not asked or not there: %s" % sorted(maps ^ set(by_name))
    for named in table.maps:
        for element in named.elements:
            _check_verdict(element.verdict, chains, named.name)
            led_to.add(element.verdict.chain)
    for chain in table.chains:
        for rule in chain.rules:
            for statement in rule.statements:
                if isinstance(statement, Lookup):
                    declared = tuple(_AS_DECLARED.get(field, field) for field in statement.fields)
                    assert declared == by_name[statement.map_name].fields, (chain.name, statement)
    unused = sets ^ {one.name for one in table.sets}
    assert not unused, "not used or not there: %s" % sorted(unused)
    # A rule that nothing reaches keeps its counter, at 0.
    assert counters <= set(table.counters), "not there: %s" % sorted(counters - set(table.counters))
    assert chains <= led_to, sorted(chains - led_to)


def _check_verdict(verdict: Verdict, chains: t.Collection[str], place: str) -> None:
    leads = verdict.kind in (VerdictKind.JUMP, VerdictKind.GOTO)
    assert leads == bool(verdict.chain), (place, verdict)
    assert not leads or verdict.chain in chains, (place, verdict)


def _depth_and_walk(table: Table) -> t.Tuple[int, int]:
    chains = {chain.name: chain for chain in table.chains}
    maps = {named.name: named for named in table.maps}
    assert not any(verdict.chain and chains[verdict.chain].hook for verdict in _verdicts(table)), "into a base chain"
    walking: t.Set[str] = set()

    @functools.cache
    def of_chain(name: str) -> t.Tuple[int, int]:
        assert name not in walking, "chain %s leads to itself" % name
        assert len(walking) < 500, "too deep"
        walking.add(name)
        depth, walk = 0, 0
        for rule in chains[name].rules:
            walk += 1
            verdicts: t.List[Verdict] = []
            for statement in rule.statements:
                if isinstance(statement, Verdict):
                    verdicts.append(statement)
                elif isinstance(statement, Lookup):
                    verdicts.extend(element.verdict for element in maps[statement.map_name].elements)
                    walk += len(maps[statement.map_name].elements)
            for verdict in verdicts:
                if verdict.chain:
                    inner_depth, inner_walk = of_chain(verdict.chain)
                    depth = max(depth, inner_depth + 1)
                    walk += inner_walk
        walking.discard(name)
        return depth, walk

    found = [of_chain(chain.name) for chain in table.chains if chain.hook]
    return max(depth for depth, _walk in found), sum(walk for _depth, walk in found)


def _verdicts(table: Table) -> t.Iterator[Verdict]:
    for named in table.maps:
        for element in named.elements:
            yield element.verdict
    for chain in table.chains:
        for rule in chain.rules:
            for statement in rule.statements:
                if isinstance(statement, Verdict):
                    yield statement


def assert_constant(tables: t.Iterable[Table]) -> None:
    """Nothing constant has the same name in two tables and other contents.

    Raises:
        AssertionError: Something has.
    """
    known: t.Dict[t.Tuple[str, str], t.Any] = {}
    for table in tables:
        for kind, things in (
            ("chain", [chain for chain in table.chains if chain.constant]),
            ("set", table.sets),
            ("map", table.maps),
        ):
            for thing in t.cast("t.Iterable[t.Any]", things):
                before = known.setdefault((kind, thing.name), thing)
                assert before == thing, "%s %s has other contents than before" % (kind, thing.name)
