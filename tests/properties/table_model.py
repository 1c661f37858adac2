# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel does with a table, packet by packet, without a kernel.

It walks chains, rules and verdict maps as ``nft_do_chain`` does: ``jump`` comes back behind its rule,
``goto`` comes back where the last jump came from, an ended base chain accepts. An expression that has
nothing to read ends its rule. Ports are read where ports would be: of a packet without ports they are
other octets of its payload, whatever those are, so the caller says which; a correct table decides the
same with any.
"""

from __future__ import annotations

import bisect
import typing as t
from dataclasses import dataclass

from ansible_collections.palisade.nftables.plugins.module_utils._compile.table import (
    Count,
    Field,
    Log,
    Lookup,
    Match,
    NamedMap,
    SetReference,
    Statement,
    Table,
    TableRule,
    Verdict,
    VerdictKind,
)
from ansible_collections.palisade.nftables.plugins.module_utils._core.addresses import BITS
from ansible_collections.palisade.nftables.plugins.module_utils._core.intervals import Interval, IntervalSet
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Direction, Route, State
from ansible_collections.palisade.nftables.plugins.module_utils._policy.packet import Packet

ICMP, TCP, ICMPV6 = 1, 6, 58

#: Where packets of a direction meet the table, and the field that names their interface.
HOOKS: t.Mapping[Direction, t.Tuple[str, Field]] = {
    Direction.INGRESS: ("input", Field.INPUT_INTERFACE),
    Direction.EGRESS: ("output", Field.OUTPUT_INTERFACE),
}
#: Where packets go on that are not for the host.
FORWARD = "forward"
_FAMILY_WORDS = {4: "ipv4", 6: "ipv6"}

#: What a map is keyed by: NFPROTO_IPV4 and NFPROTO_IPV6 of linux/netfilter.h.
_FAMILY_NUMBERS = {"ipv4": 2, "ipv6": 10}
_ADDRESS_FIELDS = {
    4: (Field.SOURCE4, Field.DESTINATION4),
    6: (Field.SOURCE6, Field.DESTINATION6),
}

_ORIGINAL_FIELDS = {4: Field.ORIGINAL_DESTINATION4, 6: Field.ORIGINAL_DESTINATION6}
_ADDRESS_BITS = {
    field: BITS[family] for family in _ADDRESS_FIELDS for field in (*_ADDRESS_FIELDS[family], _ORIGINAL_FIELDS[family])
}

#: What the packet of a published port holds, whatever it was before: the container's address and port.
_CONTAINER = {4: 0xC6120002, 6: 0x20010DB8_00000000_00000000_00000099}
_CONTAINER_PORT = 8080

#: More rules than any packet of a test passes: a table that is walked for longer has a loop.
_MOST_RULES = 1_000_000

#: Ports as they would be read from a packet that has none; None where it is too short to be read.
Garbage = t.Optional[t.Tuple[int, int]]

_Values = t.Dict[Field, t.Any]
_Condition = t.Callable[[_Values], bool]

_ACTIONS = {
    VerdictKind.ACCEPT: "accept",
    VerdictKind.DROP: "drop",
    VerdictKind.REJECT: "reject",
    VerdictKind.RESET: "reject",
}


class ModelError(AssertionError):
    """The table does something that no right table does."""


@dataclass(frozen=True)
class Outcome:
    """What a packet met.

    Attributes:
        action: ``accept``, ``drop`` or ``reject``.
        counters: Those that counted it, in the order in which they did.
        rules: How many rules it was compared with.
        lookups: How many of them asked a map.
    """

    action: str
    counters: t.Tuple[str, ...]
    rules: int
    lookups: int


def values_of(packet: Packet, garbage: Garbage = None) -> _Values:
    """What each expression reads from a packet; what it cannot read is left out."""
    source, destination = _ADDRESS_FIELDS[packet.family]
    values: _Values = {
        Field.INPUT_INTERFACE: "",
        Field.OUTPUT_INTERFACE: "",
        Field.FAMILY: _FAMILY_WORDS[packet.family],
        Field.PROTOCOL: packet.protocol,
        source: packet.source,
        destination: packet.destination,
        Field.STATE: packet.state.value,
    }
    values[HOOKS[packet.direction][1]] = packet.interface
    ports = garbage
    if packet.source_port is not None and packet.destination_port is not None:
        ports = (packet.source_port, packet.destination_port)
    if ports is not None:
        values[Field.SOURCE_PORT], values[Field.DESTINATION_PORT] = ports
    if packet.family == 4 and packet.protocol == ICMP:
        values[Field.ICMP_TYPE] = packet.icmp_type
    if packet.family == 6:
        values[Field.HOP_LIMIT] = packet.hop_limit
        if packet.protocol == ICMPV6:
            values[Field.ICMPV6_TYPE] = packet.icmp_type
    if packet.protocol == TCP:
        values[Field.TCP_RESET] = "rst" if packet.tcp_reset else ""
    if packet.state not in (State.INVALID, State.UNTRACKED):
        values[Field.FLOW_DIRECTION] = packet.flow_direction.value
        # What connection tracking has in the place of ports is never out of reach, and never of any meaning.
        values[_ORIGINAL_FIELDS[packet.family]] = packet.destination
        values[Field.ORIGINAL_DESTINATION_PORT] = (ports or (0, 0))[1]
        values[Field.STATUS] = "dnat" if packet.route is Route.PUBLISHED else ""
    if packet.route is Route.PUBLISHED:
        values[destination] = _CONTAINER[packet.family]
        if Field.DESTINATION_PORT in values:
            values[Field.DESTINATION_PORT] = _CONTAINER_PORT
    return values


class _Node:
    """Elements of a map by one of its fields; what lies behind is sorted when a packet first comes there."""

    _FEW = 4

    def __init__(self, elements: t.Sequence[t.Tuple[t.Tuple[Interval, ...], Verdict]], width: int) -> None:
        self._elements = elements
        self._starts: t.List[int] = []
        self._parts: t.List[t.List[t.Tuple[t.Tuple[Interval, ...], Verdict]]] = []
        self._nodes: t.Dict[int, _Node] = {}
        self._width = width
        self._field = -1
        if len(elements) > self._FEW:
            kinds = [len({key[field] for key, _verdict in elements}) for field in range(width)]
            if max(kinds) > 1:
                self._split(kinds.index(max(kinds)))

    def _split(self, field: int) -> None:
        starts = sorted(
            {0}
            | {key[field][0] for key, _verdict in self._elements}
            | {key[field][1] + 1 for key, _verdict in self._elements}
        )
        parts: t.List[t.List[t.Tuple[t.Tuple[Interval, ...], Verdict]]] = [[] for _start in starts]
        for element in self._elements:
            low, high = element[0][field]
            for index in range(bisect.bisect_left(starts, low), bisect.bisect_left(starts, high + 1)):
                parts[index].append(element)
        if max(map(len, parts)) < len(self._elements):
            self._starts, self._parts, self._field = starts, parts, field

    def find(self, values: t.Sequence[int]) -> t.List[Verdict]:
        """The verdicts of all elements that hold the values."""
        if self._field < 0:
            return [
                verdict
                for key, verdict in self._elements
                if all(low <= value <= high for (low, high), value in zip(key, values))
            ]
        index = bisect.bisect_right(self._starts, values[self._field]) - 1
        part = self._parts[index]
        if not part:
            return []
        node = self._nodes.get(index)
        if node is None:
            node = self._nodes[index] = _Node(part, self._width)
        return node.find(values)


class _Map:
    def __init__(self, named: NamedMap) -> None:
        self.name = named.name
        self._exact: t.Dict[t.Tuple[int, ...], Verdict] = {}
        self._node: t.Optional[_Node] = None
        elements = [(element.key, element.verdict) for element in named.elements]
        if named.has_intervals:
            self._node = _Node(elements, len(named.fields))
        else:
            self._exact = {tuple(low for low, _high in key): verdict for key, verdict in elements}

    def find(self, values: _Values, lookup: Lookup) -> t.Optional[Verdict]:
        try:
            key = tuple([values[field] for field in lookup.fields])
        except KeyError:
            return None
        if lookup.prefix is not None:
            (address,) = key
            rest = _ADDRESS_BITS[lookup.fields[0]] - lookup.prefix
            key = (address >> rest << rest,)
        if Field.FAMILY in lookup.fields:
            key = tuple([_FAMILY_NUMBERS.get(value, value) for value in key])
        if self._node is None:
            return self._exact.get(key)
        found = self._node.find(key)
        if len(found) > 1:
            raise ModelError("map %s has %d elements for %r" % (self.name, len(found), key))
        return found[0] if found else None


class _Rule:
    """A rule with its conditions as functions."""

    __slots__ = ("conditions", "statements", "text")

    def __init__(self, rule: TableRule, sets: t.Mapping[str, IntervalSet]) -> None:
        self.conditions = [_condition(match, sets) for match in rule.matches]
        self.statements: t.Tuple[Statement, ...] = rule.statements
        self.text = rule.comment


def _condition(match: Match, sets: t.Mapping[str, IntervalSet]) -> _Condition:
    field, value = match.field, match.value
    if isinstance(value, SetReference):
        value = sets[value.name]
    if isinstance(value, IntervalSet):
        if len(value.intervals) == 1:
            low, high = value.intervals[0]
            return lambda values: field in values and low <= values[field] <= high
        members = value
        return lambda values: field in values and values[field] in members
    words = frozenset(word for word in value if not word.endswith("*"))
    prefixes = tuple(word[:-1] for word in value if word.endswith("*"))
    return lambda values: (
        field in values and (values[field] in words or (bool(prefixes) and values[field].startswith(prefixes)))
    )


class TableModel:
    """A table, ready to be asked about packets."""

    def __init__(self, table: Table) -> None:
        sets = {named.name: named.members for named in table.sets}
        self._maps = {named.name: _Map(named) for named in table.maps}
        self._chains = {chain.name: [_Rule(rule, sets) for rule in chain.rules] for chain in table.chains}
        self._bases = {chain.hook: chain.name for chain in table.chains if chain.hook}

    def decide(self, packet: Packet, garbage: Garbage = None) -> Outcome:
        """What becomes of the packet.

        Args:
            garbage: What is read as the ports of a packet that has none; None where nothing can be read.

        Raises:
            ModelError: The packet goes in circles, several elements of a map hold it, or it is
                answered with a reset and is not TCP.
        """
        values = values_of(packet, garbage)
        hook = HOOKS[packet.direction][0] if packet.route is Route.LOCAL else FORWARD
        rules: t.Sequence[_Rule] = self._chains[self._bases[hook]]
        position = compared = lookups = 0
        back: t.List[t.Tuple[t.Sequence[_Rule], int]] = []
        counters: t.List[str] = []
        while True:
            if position == len(rules):
                if not back:
                    # The policy of every base chain.
                    return Outcome("accept", tuple(counters), compared, lookups)
                rules, position = back.pop()
                continue
            rule = rules[position]
            position += 1
            compared += 1
            if compared > _MOST_RULES:
                raise ModelError("a packet goes in circles: %s" % (packet,))
            for condition in rule.conditions:
                if not condition(values):
                    break
            else:
                for statement in rule.statements:
                    verdict: t.Optional[Verdict] = None
                    if isinstance(statement, Count):
                        counters.append(statement.counter)
                    elif isinstance(statement, Lookup):
                        lookups += 1
                        verdict = self._maps[statement.map_name].find(values, statement)
                        if verdict is None:
                            # Without an element the rule has ended.
                            break
                    elif isinstance(statement, Verdict):
                        verdict = statement
                    elif not isinstance(statement, Log):
                        raise ModelError("a statement that the model does not know: %r" % (statement,))
                    if verdict is None:
                        continue
                    if verdict.kind in _ACTIONS:
                        if verdict.kind is VerdictKind.RESET and packet.protocol != TCP:
                            raise ModelError("a reset for what is no TCP: %s, by %s" % (packet, rule.text))
                        return Outcome(_ACTIONS[verdict.kind], tuple(counters), compared, lookups)
                    if verdict.kind is VerdictKind.JUMP:
                        back.append((rules, position))
                    rules, position = self._chains[verdict.chain], 0
                    break
