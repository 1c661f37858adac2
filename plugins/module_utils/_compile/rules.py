# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Table rules of lowered ones: matches, statements, comments and headings, whatever the layout."""

from __future__ import annotations

import re
import typing as t

from .._core.addresses import IPV4, prefix_length
from .._core.intervals import IntervalSet
from .._policy.model import Action, Direction, Stage
from .._policy.program import LOOPBACK
from .digest import digest_of
from .lowered import Box, LoweredChain, LoweredProgram, LoweredRule
from .table import (
    Count,
    Field,
    Log,
    Match,
    NamedSet,
    SetReference,
    SetType,
    Statement,
    TableRule,
    Verdict,
    VerdictKind,
)

_TCP = IntervalSet.single(6)

#: Up to this many single values stand in the rule itself, where they can be read; more get a named
#: set. Small exact sets are safe to create in the transaction that starts using them; interval sets
#: never are, so they are always named and loaded before.
_MOST_INLINE = 16

HOOKS = {
    Direction.INGRESS: ("input", Field.INPUT_INTERFACE),
    Direction.EGRESS: ("output", Field.OUTPUT_INTERFACE),
}
_ADDRESS_FIELDS = {
    4: (Field.SOURCE4, Field.DESTINATION4, SetType.IPV4),
    6: (Field.SOURCE6, Field.DESTINATION6, SetType.IPV6),
}
_ADDRESSES4 = (Field.SOURCE4, Field.DESTINATION4)
_ADDRESSES6 = (Field.SOURCE6, Field.DESTINATION6)
#: nft loads 3 octets of the packet for an IPv4 prefix of so many bits.
_SLOW_LENGTH = 24
_BEHIND_PROTOCOL = frozenset(
    {Field.SOURCE_PORT, Field.DESTINATION_PORT, Field.ICMP_TYPE, Field.ICMPV6_TYPE, Field.TCP_RESET}
)
_SET_PREFIXES = {SetType.IPV4: "ip", SetType.IPV6: "ip6", SetType.PORT: "ports"}
FAMILY_WORDS = {4: "ipv4", 6: "ipv6"}
_VERDICTS = {
    Action.ACCEPT: VerdictKind.ACCEPT,
    Action.DROP: VerdictKind.DROP,
    Action.REJECT: VerdictKind.REJECT,
}
_NO_LABEL = re.compile(r"[^A-Za-z0-9]+", re.ASCII)

STAGE_HEADINGS = {
    Stage.STATE: "Connection state and neighbour discovery",
    Stage.FIXED: "Fixed rules of the profile",
    Stage.SAFEGUARD: "Safeguards",
}


def interface_rules(chain: LoweredChain, program: LoweredProgram, field: Field) -> t.Iterator[TableRule]:
    accept = (Verdict(VerdictKind.ACCEPT),)
    enter = (Verdict(VerdictKind.GOTO, chain.direction.value),)
    yield TableRule((Match(field, (LOOPBACK,)),), accept, heading="Never filtered")
    if program.interfaces:
        for name in program.interfaces:
            yield TableRule((Match(field, (name,)),), enter)
        return
    for name in program.interfaces_ignored:
        yield TableRule((Match(field, (name,)),), accept)
    yield TableRule((), enter, heading="Every other interface")


def heading_of(rule: LoweredRule) -> str:
    return STAGE_HEADINGS.get(rule.stage) or "Policy %s" % rule.origin.name


def default_rules(chain: LoweredChain, program: LoweredProgram) -> t.Iterator[TableRule]:
    heading = "Default action"
    comment = "default of %s" % chain.direction.value
    log = program.log_dropped
    if log is not None and chain.default is not Action.ACCEPT:
        yield TableRule((), (Log(log.prefix, log.rate, log.unit, log.group),), comment, heading)
        heading = ""
    if chain.default is Action.REJECT:
        matches = (Match(Field.PROTOCOL, _TCP),)
        yield TableRule(matches, _counted(chain.default_counter, VerdictKind.RESET), comment, heading)
        heading = ""
    yield TableRule((), _counted(chain.default_counter, _VERDICTS[chain.default]), comment, heading)


def _counted(counter: str, verdict: VerdictKind) -> t.Tuple[Statement, ...]:
    """A verdict behind its count; without one where the counter has no name."""
    return (Count(counter), Verdict(verdict)) if counter else (Verdict(verdict),)


def comment_of(rule: LoweredRule) -> str:
    return "%s: %s" % (rule.origin, rule.description) if rule.description.strip() else str(rule.origin)


def rule_rules(rule: LoweredRule, boxes: t.Iterable[Box], sets: t.Dict[str, NamedSet]) -> t.Iterator[TableRule]:
    """Rules for some boxes of a rule; sets that they need are added to ``sets``."""
    comment = comment_of(rule)
    for box in boxes:
        for part, verdict in _verdicts(rule, box):
            yield TableRule(box_matches(rule, part, sets), _counted(rule.counter, verdict), comment)


def rule_count(rule: LoweredRule) -> int:
    """How many rules :func:`rule_rules` makes of all boxes."""
    return sum(1 for box in rule.boxes for _part in _verdicts(rule, box))


def _verdicts(rule: LoweredRule, box: Box) -> t.Iterator[t.Tuple[Box, VerdictKind]]:
    """A rejected box answers TCP with a reset and everything else with the ICMP error."""
    if rule.action is not Action.REJECT:
        yield box, _VERDICTS[rule.action]
        return
    if box.protocols is None or box.protocols & _TCP:
        yield _replace_protocols(box, _TCP), VerdictKind.RESET
    rest = None if box.protocols is None else box.protocols - _TCP
    if rest is None or rest:
        yield _replace_protocols(box, rest), VerdictKind.REJECT


def _replace_protocols(box: Box, protocols: t.Optional[IntervalSet]) -> Box:
    return Box(**{**box.__dict__, "protocols": protocols})


def box_matches(rule: LoweredRule, box: Box, sets: t.Dict[str, NamedSet]) -> t.Tuple[Match, ...]:
    """The conditions of a box, in the order of :func:`quick_first`; sets that they need are added to ``sets``."""
    return quick_first(tuple(_box_matches(rule, box, sets)))


def quick_first(matches: t.Tuple[Match, ...]) -> t.Tuple[Match, ...]:
    """What the kernel compares quickly before what it does not: most packets fail the first condition.

    The protocol tells few packets apart, so it comes early only where a port or type behind it does.
    """
    if len(matches) < 2:
        return matches
    slowness = {match.field: _slowness(match) for match in matches}
    slowness[Field.PROTOCOL] = min(1, *(slowness.get(field, 1) for field in _BEHIND_PROTOCOL))
    return tuple(sorted(matches, key=lambda match: slowness[match.field]))


def _slowness(match: Match) -> int:
    """0 for a comparison of one value, 1 for what takes the kernel two or three times as long, 2 for a named set.

    ``nft_do_chain`` compares a value of 1, 2 or 4 octets without a call, masked or not (``nft_payload_fast_eval`` and
    ``nft_cmp_fast_eval`` of nf_tables_core.c). A range is an expression of its own, several values are a set, and an
    IPv6 address, or the 3 octets that nft loads for an IPv4 prefix of 24 bits, are copied out of the packet first.
    """
    field, value = match.field, match.value
    if isinstance(value, SetReference):
        return 2
    if not isinstance(value, IntervalSet):
        return 0
    (low, high), *more = value.intervals
    if field in _ADDRESSES4:
        return int(bool(more) or prefix_length(IPV4, (low, high)) in (None, _SLOW_LENGTH))
    return int(bool(more) or low < high or field in _ADDRESSES6)


def _box_matches(rule: LoweredRule, box: Box, sets: t.Dict[str, NamedSet]) -> t.Iterator[Match]:
    owner = str(rule.origin)
    if box.states is not None:
        yield Match(Field.STATE, tuple(sorted(state.value for state in box.states)))
    if box.flow_direction is not None:
        yield Match(Field.FLOW_DIRECTION, (box.flow_direction.value,))
    if box.family is not None:
        if box.sources is None and box.destinations is None:
            yield Match(Field.FAMILY, (FAMILY_WORDS[box.family],))
        source, destination, kind = _ADDRESS_FIELDS[box.family]
        if box.sources is not None:
            yield Match(source, _value(box.sources, kind, rule.source_label, owner, sets))
        if box.destinations is not None:
            yield Match(destination, _value(box.destinations, kind, rule.destination_label, owner, sets))
    if box.hop_limit is not None:
        yield Match(Field.HOP_LIMIT, IntervalSet.single(box.hop_limit))
    if box.protocols is not None:
        yield Match(Field.PROTOCOL, box.protocols)
    if box.source_ports is not None:
        yield Match(Field.SOURCE_PORT, _value(box.source_ports, SetType.PORT, "", owner, sets))
    if box.destination_ports is not None:
        yield Match(Field.DESTINATION_PORT, _value(box.destination_ports, SetType.PORT, "", owner, sets))
    if box.icmp_types is not None:
        yield Match(Field.ICMP_TYPE if box.family == IPV4 else Field.ICMPV6_TYPE, box.icmp_types)
    if box.tcp_reset:
        yield Match(Field.TCP_RESET, ("rst",))


def _value(
    members: IntervalSet, kind: SetType, label: str, owner: str, sets: t.Dict[str, NamedSet]
) -> t.Union[IntervalSet, SetReference]:
    """The members themselves where they are few and simple, else a named set that holds them."""
    intervals = members.intervals
    if len(intervals) == 1 or (len(intervals) <= _MOST_INLINE and all(low == high for low, high in intervals)):
        return members
    named = make_set(kind, members, label=label, owner=owner)
    sets[named.name] = named
    return SetReference(named.name)


def make_set(kind: SetType, members: IntervalSet, *, label: str, owner: str) -> NamedSet:
    """A named set; ``label`` is the network that it holds, ``owner`` the rule where there is no such name."""
    comment = label or owner
    words = [_SET_PREFIXES[kind]]
    readable = _NO_LABEL.sub("_", label).strip("_")[:40]
    if readable:
        words.append(readable)
    words.append(digest_of((kind.value, members.intervals, comment)))
    return NamedSet("_".join(words), kind, members, comment)
