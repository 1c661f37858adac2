# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Published ports: the ingress policy once more, at the hook forward.

Docker and Podman translate the destination of a packet for a published port before it is routed, so it is
forwarded and never comes to the hook input. At the hook forward the policy is asked about the address and port that
the packet arrived with, which connection tracking knows. Whatever the layout was, the chains of the ingress policy
are taken as they are; only those that look at the destination, or lead to one that does, are there a second time
and look at the original one. The others, the sets, the counters and nearly all maps are used twice.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .._core.intervals import IntervalSet
from .._policy.model import Direction, Published
from .._policy.protocols import PORT_PROTOCOLS
from .asking import Asking
from .digest import digest_of_elements, digest_of_rules
from .pages import paged
from .reach import protocols_of, reaching_protocols
from .rules import make_set
from .table import (
    Field,
    Lookup,
    MapElement,
    Match,
    NamedMap,
    NamedSet,
    SetReference,
    SetType,
    Statement,
    Table,
    TableChain,
    TableRule,
    Verdict,
)

#: The chain of the hook, and the one that holds the policy for it.
FORWARD, PUBLISHED = "forward", "published"

_INGRESS = Direction.INGRESS.value
_INPUT = "input"
_PORTS = (Field.SOURCE_PORT, Field.ORIGINAL_DESTINATION_PORT)
_LAST = (*_PORTS, Field.PROTOCOL)
_WITH_PORTS = IntervalSet((number, number) for number in PORT_PROTOCOLS)
_ORIGINAL = {
    Field.DESTINATION4: Field.ORIGINAL_DESTINATION4,
    Field.DESTINATION6: Field.ORIGINAL_DESTINATION6,
    Field.DESTINATION_PORT: Field.ORIGINAL_DESTINATION_PORT,
}
#: Packets whose connection had its destination translated, on the way there. Answers are left alone, and so is what
#: is only routed.
_TRANSLATED = (Match(Field.FLOW_DIRECTION, ("original",)), Match(Field.STATUS, ("dnat",)))
_HEADING = "As ingress, on the address and port from before another table translated them"


class NoRoomError(Exception):
    """The chains for published ports would make the table larger than it may be."""


def add_forward(
    table: Table, published: Published, *, source: t.Optional[Table] = None, most: t.Optional[int] = None
) -> Table:
    """The table with the base chain ``forward``, which is empty where nothing is to be filtered there.

    Args:
        source: The same policies in another layout, whose chains are taken in the place of the table's own.
        most: How many rules and elements of maps it may have; None for any number.

    Raises:
        NoRoomError: It would have more.
    """
    room = None if most is None else most - table.rule_count - table.map_element_count
    if room is not None and room < 0:
        raise NoRoomError
    chains = {chain.name: chain for chain in table.chains}
    before, behind = _around(table.chains)
    if published is Published.LEAVE or _INGRESS not in chains:
        return dataclasses.replace(table, chains=(*before, TableChain(FORWARD, hook=FORWARD), *behind))
    copied = table if source is None else source
    asking = Asking(copied, _INGRESS, frozenset(_ORIGINAL))
    if room is not None and asking.size > room:
        raise NoRoomError
    copies = _Copies(copied, asking, room)
    entered = copies.chain(_INGRESS)
    whole = copies.chains.pop(entered)
    policy, pages = paged(whole)
    copies.take(sum(len(chain.rules) for chain in (policy, *pages)) - len(whole.rules))
    forward = TableChain(FORWARD, tuple(_guarded(rule, entered) for rule in chains[_INPUT].rules), hook=FORWARD)
    regular: t.List[TableChain] = []
    for chain in before:
        if chain.name == _INGRESS:
            regular.extend((chain, policy))
        elif not chain.constant and not chain.hook:
            regular.append(chain)
    made = [*copies.chains.values(), *pages]
    regular.extend(chain for chain in made if not chain.constant)
    constant = [chain for chain in (*before, *made) if chain.constant]
    bases = [chain for chain in before if chain.hook]
    sets = {**{named.name: named for named in table.sets}, **copies.sets_of((policy, *made))}
    return dataclasses.replace(
        table,
        sets=tuple(sets[name] for name in sorted(sets)),
        chains=(*regular, *sorted(constant, key=_name_of), *bases, forward, *behind),
        maps=tuple(sorted((*table.maps, *copies.maps.values()), key=_name_of)),
    )


def _name_of(named: t.Union[TableChain, NamedMap]) -> str:
    return named.name


def _around(chains: t.Sequence[TableChain]) -> t.Tuple[t.Tuple[TableChain, ...], t.Tuple[TableChain, ...]]:
    """The chains up to the base chain ``input``, and those behind it."""
    place = 1 + next(index for index, chain in enumerate(chains) if chain.name == _INPUT)
    return tuple(chains[:place]), tuple(chains[place:])


def _guarded(rule: TableRule, entered: str) -> TableRule:
    """A rule of the chain ``input`` for the chain ``forward``: what it accepts is left alone there as well."""
    if not any(isinstance(statement, Verdict) and statement.chain for statement in rule.statements):
        return rule
    statements = tuple(
        dataclasses.replace(statement, chain=entered)
        if isinstance(statement, Verdict) and statement.chain == _INGRESS
        else statement
        for statement in rule.statements
    )
    return dataclasses.replace(rule, matches=(*rule.matches, *_TRANSLATED), statements=statements)


class _Copies:
    """Chains and maps that look at the original destination, by their names."""

    def __init__(self, table: Table, asking: Asking, room: t.Optional[int]) -> None:
        self._asking = asking
        self._room = room
        self._chains = {chain.name: chain for chain in table.chains}
        self._maps = {named.name: named for named in table.maps}
        self._reaching = reaching_protocols(table, _INGRESS)
        self._names: t.Dict[str, str] = {}
        self._known_maps: t.Dict[str, NamedMap] = {}
        self.chains: t.Dict[str, TableChain] = {}
        self.maps: t.Dict[str, NamedMap] = {}
        self.sets = {named.name: named for named in table.sets}

    def sets_of(self, chains: t.Iterable[TableChain]) -> t.Dict[str, NamedSet]:
        """The sets that these chains ask."""
        values = (match.value for chain in chains for rule in chain.rules for match in rule.matches)
        return {value.name: self.sets[value.name] for value in values if isinstance(value, SetReference)}

    def chain(self, name: str) -> str:
        """The name of the chain to go to in the place of this one; its own where the destination is not asked for."""
        if name != _INGRESS and not self._asking.chain(name):
            return name
        found = self._names.get(name)
        if found is None:
            chain = self._chains[name]
            reaching = self._reaching.get(name, IntervalSet())
            rules = tuple(one for rule in chain.rules for one in self._rules(rule, reaching))
            self.take(len(rules))
            found = self._names[name] = _renamed(name, digest_of_rules(rules) if chain.constant else None)
            heading = _HEADING if name == _INGRESS else chain.heading
            self.chains[found] = dataclasses.replace(chain, name=found, rules=rules, heading=heading)
        return found

    def _map(self, name: str) -> NamedMap:
        """Likewise. A map holds values, whatever they are compared with, and the chains that it leads to.

        An original port has its place behind the source port, for the reason that :meth:`_rules` gives.
        """
        if not self._asking.map(name):
            return self._maps[name]
        found = self._known_maps.get(name)
        if found is None:
            named = self._maps[name]
            fields = named.fields
            moves = Field.SOURCE_PORT in fields
            order = sorted(range(len(fields)), key=lambda at: moves and fields[at] is Field.DESTINATION_PORT)
            elements = tuple(
                MapElement(tuple(one.key[at] for at in order), self._verdict(one.verdict), one.comment)
                for one in named.elements
            )
            self.take(len(elements))
            fields = tuple(fields[at] for at in order)
            found = NamedMap(_renamed(name, digest_of_elements(fields, elements)), fields, elements, named.comment)
            self.maps[found.name] = self._known_maps[name] = found
        return found

    def take(self, size: int) -> None:
        """Counts what was made, and stops at once where there is no room, because copying takes time."""
        if self._room is not None:
            self._room -= size
            if self._room < 0:
                raise NoRoomError

    def _verdict(self, verdict: Verdict) -> Verdict:
        return Verdict(verdict.kind, self.chain(verdict.chain)) if verdict.chain else verdict

    def _rules(self, rule: TableRule, reaching: IntervalSet) -> t.Iterator[TableRule]:
        """The rule on the original destination, for packets of these protocols.

        nft before 1.1 knows the type of an original port only right behind one protocol, or a port that implies it. So
        a rule that asks for it does so at last, and is there once for each protocol that has ports; of the others it
        matches nothing anyway.
        """
        if not self._asking.rule(rule):
            yield rule
            return
        matches = tuple(self._match(match, rule) for match in rule.matches)
        statements = tuple(self._statement(statement) for statement in rule.statements)
        made = dataclasses.replace(rule, matches=matches, statements=statements)
        if not _asks_for_port(made):
            yield made
            return
        rest = [match for match in matches if match.field not in _LAST]
        source, destination = ([match for match in matches if match.field is field] for field in _PORTS)
        for number in _numbers(protocols_of(rule, reaching, self._maps) & _WITH_PORTS):
            protocol = Match(Field.PROTOCOL, IntervalSet.single(number))
            yield dataclasses.replace(made, matches=(*rest, *source, protocol, *destination))
            made = dataclasses.replace(made, heading="")

    def _match(self, match: Match, rule: TableRule) -> Match:
        """The match on the original destination.

        nft 1.0.6 lists several original ports of a rule as numbers that it does not read again, so they have a set.
        """
        field, value = _ORIGINAL.get(match.field, match.field), match.value
        if field is Field.ORIGINAL_DESTINATION_PORT and isinstance(value, IntervalSet) and len(value.intervals) > 1:
            named = make_set(SetType.PORT, value, label="", owner=rule.comment.partition(": ")[0])
            self.sets[named.name] = named
            value = SetReference(named.name)
        return Match(field, value)

    def _statement(self, statement: Statement) -> Statement:
        if isinstance(statement, Verdict):
            return self._verdict(statement)
        if isinstance(statement, Lookup):
            named = self._map(statement.map_name)
            fields = tuple(_ORIGINAL.get(field, field) for field in named.fields)
            return dataclasses.replace(statement, fields=fields, map_name=named.name)
        return statement


def _asks_for_port(rule: TableRule) -> bool:
    fields = [match.field for match in rule.matches]
    for statement in rule.statements:
        if isinstance(statement, Lookup):
            fields.extend(statement.fields)
    return Field.ORIGINAL_DESTINATION_PORT in fields


def _numbers(protocols: IntervalSet) -> t.Iterator[int]:
    for low, high in protocols.intervals:
        yield from range(low, high + 1)


def _renamed(name: str, digest: t.Optional[str]) -> str:
    """The name of a copy; that of a constant one ends in a digest of what it holds, as names of its kind do."""
    stem = name[len(_INGRESS) :]
    if digest is not None:
        stem = "%s_%s" % (stem.rpartition("_")[0], digest)
    return PUBLISHED + stem
