# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""A packet through the rules that the kernel holds, as the kernel takes it.

Chains, rules and verdict maps are walked as ``nft_do_chain`` does (net/netfilter/nf_tables_core.c): ``jump`` comes
back behind its rule, ``goto`` comes back where the last jump came from, and of several base chains of a hook each has
to accept. An expression that has nothing to read ends its rule. A rule that could not be read ends the walk, unless one
of its other conditions fails: what comes behind it is not known.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._compile.table import Count, Field, Lookup, Match, NamedMap, SetReference, Verdict, VerdictKind
from .._core.addresses import BITS
from .._core.intervals import IntervalSet
from .._nft.read import LiveChain, LiveRule, LiveRuleset
from .._policy.model import Direction, Route, State
from .._policy.packet import Packet
from .._policy.traffic import ICMP, ICMPV6

UNKNOWN = "unknown"

_TCP = 6
HOOKS = {
    Direction.INGRESS: ("input", Field.INPUT_INTERFACE),
    Direction.EGRESS: ("output", Field.OUTPUT_INTERFACE),
}
FAMILY_WORDS = {4: "ipv4", 6: "ipv6"}
FAMILY_NUMBERS = {"ipv4": 2, "ipv6": 10}
_ADDRESS_FIELDS = {4: (Field.SOURCE4, Field.DESTINATION4), 6: (Field.SOURCE6, Field.DESTINATION6)}
_ORIGINAL_FIELDS = {4: Field.ORIGINAL_DESTINATION4, 6: Field.ORIGINAL_DESTINATION6}
ADDRESS_BITS = {
    field: BITS[family] for family in _ADDRESS_FIELDS for field in (*_ADDRESS_FIELDS[family], _ORIGINAL_FIELDS[family])
}

#: What nobody said of a packet that goes on to somebody else: where it leaves, and to what its destination was
#: translated.
UNSAID: t.Mapping[Route, t.FrozenSet[Field]] = {
    Route.LOCAL: frozenset(),
    Route.FORWARDED: frozenset((Field.OUTPUT_INTERFACE,)),
    Route.PUBLISHED: frozenset(
        (Field.OUTPUT_INTERFACE, Field.DESTINATION4, Field.DESTINATION6, Field.DESTINATION_PORT)
    ),
}
ACTIONS = {
    VerdictKind.ACCEPT: "accept",
    VerdictKind.DROP: "drop",
    VerdictKind.REJECT: "reject",
    VerdictKind.RESET: "reject",
}

#: The kernel refuses rulesets whose chains lead in circles; what is longer than this was not read right.
_MOST_RULES = 1_000_000

_Values = t.Mapping[Field, t.Any]


class Passed(t.NamedTuple):
    """A rule that matched, or the element of a map that did: its chain or map, and its comment."""

    place: str
    comment: str


@dataclass(frozen=True)
class Walk:
    """What a packet met in the kernel's rules.

    Attributes:
        verdict: ``accept``, ``drop``, ``reject``, or ``unknown`` where a rule could not be read.
        passed: What matched, in order; the last one decided.
        counters: What counted it, in order.
        reason: Why the verdict is unknown; else empty.
    """

    verdict: str
    passed: t.Tuple[Passed, ...] = ()
    counters: t.Tuple[str, ...] = ()
    reason: str = ""

    @property
    def origin(self) -> str:
        """The policy rule, or the rule of our own, that decided; empty where nothing matched or nothing tells."""
        if self.counters:
            return origin_of(self.counters[-1])
        return self.passed[-1].comment if self.passed else ""


def origin_of(counter: str) -> str:
    """``web[0]`` of ``policy/web/0``, ``default-ingress`` of ``ingress/default``, ``dns`` of ``egress/dns``."""
    kind, _slash, rest = counter.partition("/")
    if kind == "policy":
        name, _slash, index = rest.rpartition("/")
        return "%s[%s]" % (name, index)
    return "default-%s" % kind if rest == "default" else rest or counter


def walk(ruleset: LiveRuleset, packet: Packet) -> Walk:
    """What the kernel does with the packet in our table."""
    hook = HOOKS[packet.direction][0] if packet.route is Route.LOCAL else "forward"
    bases = sorted((chain for chain in ruleset.chains.values() if chain.hook == hook), key=lambda one: one.priority)
    found = Walk("accept")
    for base in bases:
        one = _Walker(ruleset, packet).walk(base)
        found = Walk(one.verdict, found.passed + one.passed, found.counters + one.counters, one.reason)
        if one.verdict != "accept":
            return found
    return found


def values_of(packet: Packet) -> t.Dict[Field, t.Any]:
    """What each expression reads from a packet; what it cannot read is left out."""
    source, destination = _ADDRESS_FIELDS[packet.family]
    values: t.Dict[Field, t.Any] = {
        Field.INPUT_INTERFACE: "",
        Field.OUTPUT_INTERFACE: "",
        Field.FAMILY: FAMILY_WORDS[packet.family],
        Field.PROTOCOL: packet.protocol,
        source: packet.source,
        destination: packet.destination,
        Field.STATE: packet.state.value,
        HOOKS[packet.direction][1]: packet.interface,
    }
    if packet.source_port is not None and packet.destination_port is not None:
        values[Field.SOURCE_PORT], values[Field.DESTINATION_PORT] = packet.source_port, packet.destination_port
    if packet.family == 4 and packet.protocol == ICMP:
        values[Field.ICMP_TYPE] = packet.icmp_type
    if packet.family == 6:
        values[Field.HOP_LIMIT] = packet.hop_limit
        if packet.protocol == ICMPV6:
            values[Field.ICMPV6_TYPE] = packet.icmp_type
    if packet.protocol == _TCP:
        values[Field.TCP_RESET] = "rst" if packet.tcp_reset else ""
    if packet.state not in (State.INVALID, State.UNTRACKED):
        values[Field.FLOW_DIRECTION] = packet.flow_direction.value
        values[_ORIGINAL_FIELDS[packet.family]] = packet.destination
        # What connection tracking has in the place of ports is always there.
        values[Field.ORIGINAL_DESTINATION_PORT] = packet.destination_port or 0
        values[Field.STATUS] = "dnat" if packet.route is Route.PUBLISHED else ""
    return {field: value for field, value in values.items() if field not in UNSAID[packet.route]}


class _Unread(Exception):  # noqa: N818 - it ends a walk and is no error
    pass


class _Walker:
    def __init__(self, ruleset: LiveRuleset, packet: Packet) -> None:
        self._ruleset = ruleset
        self._values: _Values = values_of(packet)
        self._unsaid = UNSAID[packet.route]
        self._passed: t.List[Passed] = []
        self._counters: t.List[str] = []

    def walk(self, base: LiveChain) -> Walk:
        try:
            verdict = self._decide(base)
        except _Unread as exc:
            return Walk(UNKNOWN, tuple(self._passed), tuple(self._counters), str(exc))
        return Walk(verdict, tuple(self._passed), tuple(self._counters))

    def _decide(self, base: LiveChain) -> str:
        chain, position = base, 0
        back: t.List[t.Tuple[LiveChain, int]] = []
        for _count in range(_MOST_RULES):
            if position == len(chain.rules):
                if not back:
                    return base.policy
                chain, position = back.pop()
                continue
            rule = chain.rules[position]
            position += 1
            verdict = self._try(chain, position - 1, rule)
            if verdict is None:
                continue
            if verdict.kind in ACTIONS:
                return ACTIONS[verdict.kind]
            if verdict.kind is VerdictKind.JUMP:
                back.append((chain, position))
            chain, position = self._chain(verdict.chain), 0
        raise _Unread("the chains lead in circles")

    def _chain(self, name: str) -> LiveChain:
        if name not in self._ruleset.chains:
            raise _Unread("the chain %s is not in the listing" % name)
        return self._ruleset.chains[name]

    def _try(self, chain: LiveChain, position: int, rule: LiveRule) -> t.Optional[Verdict]:
        """The verdict of a rule; None where the next one follows."""
        if not all(self._holds(match) for match in rule.rule.matches):
            return None
        if rule.unread:
            raise _Unread("rule %d of the chain %s was not understood: %s" % (position + 1, chain.name, rule.unread))
        if rule.rule.statements:
            self._passed.append(Passed(chain.name, rule.rule.comment))
        for statement in rule.rule.statements:
            if isinstance(statement, Count):
                self._counters.append(statement.counter)
            elif isinstance(statement, Verdict):
                return statement
            elif isinstance(statement, Lookup):
                return self._look_up(statement)
        return None

    def _holds(self, match: Match) -> bool:
        value = match.value
        if match.field in self._unsaid:
            raise _Unread("a rule asks for %s, which is not known of a packet that goes on" % match.field.value)
        if match.field not in self._values:
            return False
        actual = self._values[match.field]
        if isinstance(value, SetReference):
            if value.name not in self._ruleset.sets:
                raise _Unread("the set %s was not understood" % value.name)
            value = self._ruleset.sets[value.name]
        if isinstance(value, IntervalSet):
            return actual in value
        return any(actual.startswith(word[:-1]) if word.endswith("*") else actual == word for word in value)

    def _look_up(self, lookup: Lookup) -> t.Optional[Verdict]:
        for field in lookup.fields:
            if field in self._unsaid:
                raise _Unread("the map %s asks for %s, which is not known" % (lookup.map_name, field.value))
        if any(field not in self._values for field in lookup.fields):
            self._passed.pop()
            return None
        if lookup.map_name not in self._ruleset.maps:
            raise _Unread("the map %s was not understood" % lookup.map_name)
        key = [FAMILY_NUMBERS.get(value, value) for value in (self._values[field] for field in lookup.fields)]
        if lookup.prefix is not None:
            rest = ADDRESS_BITS[lookup.fields[0]] - lookup.prefix
            key = [key[0] >> rest << rest]
        element = _find(self._ruleset.maps[lookup.map_name], key)
        if element is None:
            # Without an element the rule has ended.
            self._passed.pop()
            return None
        comment, verdict = element
        self._passed.append(Passed(lookup.map_name, comment))
        return verdict


def _find(named: NamedMap, key: t.Sequence[int]) -> t.Optional[t.Tuple[str, Verdict]]:
    for element in named.elements:
        if all(low <= value <= high for (low, high), value in zip(element.key, key)):
            return element.comment, element.verdict
    return None
