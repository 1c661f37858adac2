# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""nft text of a table. The only place that writes nft syntax from typed values.

The syntax is the common subset of nft 0.9.8, 1.0.6 and 1.1.x.
"""

from __future__ import annotations

import re
import typing as t

from .._compile.table import (
    TABLE_NAME,
    Count,
    Field,
    Log,
    Match,
    NamedSet,
    SetReference,
    SetType,
    Statement,
    Table,
    TableChain,
    TableRule,
    VerdictKind,
)
from .._core.addresses import format_interval
from .._core.intervals import Interval, IntervalSet
from .._core.ports import format_ports
from .._policy.protocols import ICMP_TYPES, ICMPV6_TYPES

#: nft refuses comments over 128 bytes (NFTNL_UDATA_COMMENT_MAXLEN).
_LONGEST_COMMENT = 120
_LONGEST_HEADING = 100

#: What a terminal does not show as itself: controls, line and paragraph separators, what turns the
#: direction of the text or has no width, surrogates, tags, and code points that are no characters.
#: Written out, because what Python takes as printable changes with its version.
_UNSHOWN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202f"
    "\u205f-\u206f\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)

_ADDRESS_FAMILY = {
    Field.SOURCE4: 4,
    Field.DESTINATION4: 4,
    Field.SOURCE6: 6,
    Field.DESTINATION6: 6,
}
_ICMP_ERRORS = {4: "icmp", 6: "icmpv6"}
_SET_FAMILY = {SetType.IPV4: 4, SetType.IPV6: 6}
_QUOTED = (Field.INPUT_INTERFACE, Field.OUTPUT_INTERFACE)

#: Protocols whose names every nft knows, whatever the host's /etc/protocols says.
_PROTOCOL_WORDS = {
    1: "icmp",
    6: "tcp",
    17: "udp",
    33: "dccp",
    50: "esp",
    51: "ah",
    58: "icmpv6",
    132: "sctp",
    136: "udplite",
}
_PORT_FIELDS = {Field.SOURCE_PORT: "sport", Field.DESTINATION_PORT: "dport"}
_IMPLY_PROTOCOL = (Field.ICMP_TYPE, Field.ICMPV6_TYPE, Field.TCP_RESET)
_VERDICT_WORDS = {
    VerdictKind.ACCEPT: "accept",
    VerdictKind.DROP: "drop",
    VerdictKind.RESET: "reject with tcp reset",
}
_PORT_WORDS = {6: "tcp", 17: "udp", 33: "dccp", 132: "sctp", 136: "udplite"}


def _type_names(names: t.Mapping[str, int]) -> t.Dict[int, str]:
    return {number: name for name, number in reversed(list(names.items()))}


_ICMP_WORDS = {Field.ICMP_TYPE: _type_names(ICMP_TYPES), Field.ICMPV6_TYPE: _type_names(ICMPV6_TYPES)}


def render_load(table: Table) -> str:
    """The text of a first load or of a boot: replaces the whole table in one transaction.

    On a live host the replacement leaves an instant in which interval sets read as empty, so a
    change is made by :func:`.changes.live_change` instead.
    """
    return "table inet {0}\ndelete table inet {0}\n{1}".format(TABLE_NAME, render_table(table))


def render_table(table: Table) -> str:
    """The table as one block."""
    blocks = ["".join("\tcounter %s {\n\t}\n" % name for name in table.counters)] if table.counters else []
    blocks.extend(_set_block(named) for named in table.sets)
    blocks.extend(_chain_block(chain) for chain in table.chains)
    return "table inet %s {\n%s}\n" % (TABLE_NAME, "\n".join(blocks))


def _set_block(named: NamedSet) -> str:
    lines = ["\tset %s {" % named.name, "\t\ttype %s" % named.type.value]
    if named.has_intervals:
        lines.append("\t\tflags interval")
    comment = ' comment "%s"' % safe_text(named.comment, _LONGEST_COMMENT) if named.comment else ""
    elements = ["%s%s" % (_member(named.type, interval), comment) for interval in named.members.intervals]
    lines.append("\t\telements = {\n\t\t\t%s\n\t\t}" % ",\n\t\t\t".join(elements))
    lines.append("\t}\n")
    return "\n".join(lines)


def _member(kind: SetType, interval: Interval) -> str:
    if kind is SetType.PORT:
        return format_ports(interval)
    return format_interval(_SET_FAMILY[kind], interval)


def _chain_block(chain: TableChain) -> str:
    lines = ["\tchain %s {" % chain.name]
    if chain.hook:
        lines.append("\t\ttype filter hook %s priority filter; policy accept;" % chain.hook)
    for rule in chain.rules:
        if rule.heading:
            lines.append("\t\t# %s" % safe_text(rule.heading, _LONGEST_HEADING))
        lines.append("\t\t%s" % render_rule(rule))
    lines.append("\t}\n")
    return "\n".join(lines)


def render_rule(rule: TableRule) -> str:
    """One rule on one line, without its heading."""
    words = _match_words(rule.matches)
    words.extend(_statement(statement, rule.matches) for statement in rule.statements)
    if rule.comment:
        words.append('comment "%s"' % safe_text(rule.comment, _LONGEST_COMMENT))
    return " ".join(words)


def safe_text(text: str, longest: int) -> str:
    """The text on one line, printable, without what ends a quoted string, within ``longest`` bytes.

    nft has no escapes inside quotes, so quotes and backslashes are replaced. A character that takes
    several bytes is kept whole or left out.
    """
    shown = _UNSHOWN.sub(" ", text[: longest * 2]).replace('"', "'").replace("\\", "/")
    encoded = " ".join(shown.split()).encode("utf-8", "replace")
    return encoded[:longest].decode("utf-8", "ignore").rstrip()


def _match_words(matches: t.Sequence[Match]) -> t.List[str]:
    """The matches as nft words. A more telling expression implies the protocol, and replaces it."""
    fields = {match.field: match for match in matches}
    protocol = fields.get(Field.PROTOCOL)
    port_word = "th"
    if protocol is not None and isinstance(protocol.value, IntervalSet) and protocol.value.size == 1:
        number = protocol.value.intervals[0][0]
        has_ports = Field.SOURCE_PORT in fields or Field.DESTINATION_PORT in fields
        port_word = _PORT_WORDS.get(number, "th")
        if (has_ports and port_word != "th") or any(field in fields for field in _IMPLY_PROTOCOL):
            matches = [match for match in matches if match is not protocol]
    return [_match(match, port_word) for match in matches]


def _match(match: Match, port_word: str) -> str:
    field, value = match.field, match.value
    if field is Field.TCP_RESET:
        return "tcp flags & rst == rst"
    expression = field.value
    if field in _PORT_FIELDS:
        expression = "%s %s" % (port_word, _PORT_FIELDS[field])
    if isinstance(value, SetReference):
        return "%s @%s" % (expression, value.name)
    if isinstance(value, IntervalSet):
        return "%s %s" % (expression, _one_of(_members(field, value)))
    words = ['"%s"' % word for word in value] if field in _QUOTED else list(value)
    if field is Field.STATE:
        # A list of states is a mask, not a set.
        return "%s %s" % (expression, ",".join(words))
    return "%s %s" % (expression, _one_of(words))


def _one_of(words: t.Sequence[str]) -> str:
    return words[0] if len(words) == 1 else "{ %s }" % ", ".join(words)


def _members(field: Field, value: IntervalSet) -> t.List[str]:
    if field in _ADDRESS_FAMILY:
        return [format_interval(_ADDRESS_FAMILY[field], interval) for interval in value.intervals]
    if field in _PORT_FIELDS:
        return [format_ports(interval) for interval in value.intervals]
    names: t.Mapping[int, str] = _ICMP_WORDS.get(field, {})
    if field is Field.PROTOCOL:
        names = _PROTOCOL_WORDS
    # Bytes are listed one by one: an anonymous set with ranges would be an interval set.
    return [names.get(number, str(number)) for low, high in value.intervals for number in range(low, high + 1)]


def _statement(statement: Statement, matches: t.Sequence[Match]) -> str:
    if isinstance(statement, Count):
        return 'counter name "%s"' % statement.counter
    if isinstance(statement, Log):
        # The parser takes no character that could end the quoted string, and a space at the end counts.
        prefix = ' prefix "%s"' % statement.prefix if statement.prefix else ""
        group = "" if statement.group is None else " group %d" % statement.group
        return "limit rate %d/%s log%s%s" % (statement.rate, statement.unit, prefix, group)
    if statement.kind is VerdictKind.GOTO:
        return "goto %s" % statement.chain
    if statement.kind is VerdictKind.REJECT:
        return "reject with %s type port-unreachable" % _icmp_error(matches)
    return _VERDICT_WORDS[statement.kind]


def _icmp_error(matches: t.Sequence[Match]) -> str:
    """The ICMP of the family where the rule knows it.

    nft lists the one for either family as a plain "reject", which it reads as the one of the family
    where the rule knows it, so such a listing would not load as what it was.
    """
    for match in matches:
        if match.field in _ADDRESS_FAMILY:
            return _ICMP_ERRORS[_ADDRESS_FAMILY[match.field]]
        if match.field is Field.FAMILY:
            return "icmp" if match.value == ("ipv4",) else "icmpv6"
    return "icmpx"
