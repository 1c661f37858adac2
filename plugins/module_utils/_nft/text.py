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
    VerdictKind,
)
from .._core.addresses import BITS, format_address, format_interval, prefix_length
from .._core.collector import garbage_kept
from .._core.intervals import Interval, IntervalSet
from .._core.ports import format_ports
from .._policy.protocols import ICMP_TYPES, ICMPV6_TYPES

#: nft refuses comments over 128 bytes (NFTNL_UDATA_COMMENT_MAXLEN).
_LONGEST_COMMENT = 120
_LONGEST_HEADING = 100

#: What a block is, by nft's word for it, and its name.
Key = t.Tuple[str, str]

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
#: With those that tell nft nothing of the packet's family.
_VALUE_FAMILY = {**_ADDRESS_FAMILY, Field.ORIGINAL_DESTINATION4: 4, Field.ORIGINAL_DESTINATION6: 6}
#: Where a rule with the field is for one family, to nft as well.
_KNOWN_FAMILY = {**_ADDRESS_FAMILY, Field.ICMP_TYPE: 4, Field.ICMPV6_TYPE: 6, Field.HOP_LIMIT: 6}
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
#: What may be written with a mask instead of as a prefix, and of how many bits.
_MASKED = (Field.SOURCE4, Field.DESTINATION4)
_MASKED_LENGTH = 24
#: So short chains are as easy to read in the text as in a listing.
_FEW_RULES = 4
_IMPLY_PROTOCOL = (Field.ICMP_TYPE, Field.ICMPV6_TYPE, Field.TCP_RESET)

#: The types of a map's key. The fields that are not here have no numbers, or no type that every nft
#: can name without ``typeof``.
_KEY_TYPES = {
    Field.FAMILY: "nf_proto",
    Field.PROTOCOL: "inet_proto",
    Field.SOURCE4: "ipv4_addr",
    Field.DESTINATION4: "ipv4_addr",
    Field.SOURCE6: "ipv6_addr",
    Field.DESTINATION6: "ipv6_addr",
    Field.SOURCE_PORT: "inet_service",
    Field.DESTINATION_PORT: "inet_service",
    Field.ICMP_TYPE: "icmp_type",
    Field.ICMPV6_TYPE: "icmpv6_type",
}
_LEADING = (VerdictKind.GOTO, VerdictKind.JUMP)
_VERDICT_WORDS = {
    VerdictKind.ACCEPT: "accept",
    VerdictKind.DROP: "drop",
    VerdictKind.RESET: "reject with tcp reset",
}
_PORT_WORDS = {6: "tcp", 17: "udp", 33: "dccp", 132: "sctp", 136: "udplite"}


def _type_names(names: t.Mapping[str, int]) -> t.Dict[int, str]:
    return {number: name for name, number in reversed(list(names.items()))}


#: NFPROTO_IPV4 and NFPROTO_IPV6 of linux/netfilter.h.
_FAMILY_WORDS = {2: "ipv4", 10: "ipv6"}

_NUMBER_WORDS: t.Mapping[Field, t.Mapping[int, str]] = {
    Field.FAMILY: _FAMILY_WORDS,
    Field.PROTOCOL: _PROTOCOL_WORDS,
    Field.ICMP_TYPE: _type_names(ICMP_TYPES),
    Field.ICMPV6_TYPE: _type_names(ICMPV6_TYPES),
}


def render_load(table: Table) -> str:
    """The text of a first load or of a boot: replaces the whole table in one transaction.

    On a live host the replacement leaves an instant in which interval sets read as empty, so a
    change is made by :func:`.changes.live_change` instead.
    """
    return "table inet {0}\ndelete table inet {0}\n{1}".format(TABLE_NAME, render_table(table))


def render_table(table: Table) -> str:
    """The table as one block."""
    return join_blocks(table.counters, block_texts(table))


def join_blocks(counters: t.Sequence[str], blocks: t.Mapping[Key, str]) -> str:
    """The table as one block, from the texts of what it holds."""
    parts = ["".join("\tcounter %s {\n\t}\n" % name for name in counters)] if counters else []
    parts.extend(blocks.values())
    return "table inet %s {\n%s}\n" % (TABLE_NAME, "\n".join(parts))


@garbage_kept()
def block_texts(table: Table) -> t.Dict[Key, str]:
    """The sets, maps and chains, each as its block in the table's text; in that order."""
    texts: t.Dict[Key, str] = {}
    for named in table.sets:
        texts["set", named.name] = _block("set", named.name, set_body(named))
    for verdicts in table.maps:
        texts["map", verdicts.name] = _block("map", verdicts.name, map_body(verdicts), verdicts.comment)
    for chain in table.chains:
        texts["chain", chain.name] = _block("chain", chain.name, chain_body(chain), chain.heading)
    return texts


def _block(kind: str, name: str, body: t.Sequence[str], heading: str = "") -> str:
    return "\n".join([*_heading(heading, "\t"), "\t%s %s {" % (kind, name), *body, "\t}\n"])


def set_body(named: NamedSet, *, elements: bool = True) -> t.List[str]:
    """The lines between the braces of a set; without ``elements`` what declares it and no more."""
    lines = ["\t\ttype %s" % named.type.value]
    if named.has_intervals:
        lines.append("\t\tflags interval")
    if elements:
        comment = ' comment "%s"' % safe_text(named.comment, _LONGEST_COMMENT) if named.comment else ""
        lines.extend(_elements(["%s%s" % (_member(named.type, one), comment) for one in named.members.intervals]))
    return lines


def map_body(named: NamedMap, *, elements: bool = True) -> t.List[str]:
    """As :func:`set_body`."""
    lines = ["\t\ttype %s : verdict" % " . ".join(_KEY_TYPES[field] for field in named.fields)]
    if named.has_intervals:
        lines.append("\t\tflags interval")
    else:
        lines.append("\t\tsize %d" % _room(len(named.elements)))
    if elements:
        lines.extend(_elements([_map_element(named.fields, element) for element in named.elements]))
    return lines


def _room(elements: int) -> int:
    """The size to declare for exact keys, with room for one more at least.

    The kernel takes a table of hashes that cannot grow then, which is quicker to look up than one that can: among ten
    thousand rules a packet costs 5 to 8 percent less (``benchmarks/run classify``). The kernel makes a power of
    two of places out of four thirds of the size (``nft_hash_buckets`` of nft_set_hash.c), so this is what they hold.
    """
    return 3 << max(2, (elements // 3).bit_length())


def _elements(texts: t.Sequence[str]) -> t.List[str]:
    return ["\t\telements = {\n\t\t\t%s\n\t\t}" % ",\n\t\t\t".join(texts)] if texts else []


def chain_body(chain: TableChain) -> t.List[str]:
    """The lines between the braces of a chain."""
    lines = ["\t\ttype filter hook %s priority filter; policy accept;" % chain.hook] if chain.hook else []
    # A chain that is refilled is brought back as nft lists it, so it is written as nft lists it.
    masks = chain.constant and len(chain.rules) > _FEW_RULES
    for rule in chain.rules:
        lines.extend(_heading(rule.heading, "\t\t"))
        lines.append("\t\t%s" % render_rule(rule, masks=masks))
    return lines


def _member(kind: SetType, interval: Interval) -> str:
    if kind is SetType.PORT:
        return format_ports(interval)
    return format_interval(_SET_FAMILY[kind], interval)


def _map_element(fields: t.Sequence[Field], element: MapElement) -> str:
    key = " . ".join(_key_part(field, interval) for field, interval in zip(fields, element.key))
    comment = ' comment "%s"' % safe_text(element.comment, _LONGEST_COMMENT) if element.comment else ""
    return "%s%s : %s" % (key, comment, _verdict(element.verdict))


def _key_part(field: Field, interval: Interval) -> str:
    if field in _ADDRESS_FAMILY:
        return format_interval(_ADDRESS_FAMILY[field], interval)
    low, high = interval
    if low != high or field in _PORT_FIELDS:
        return format_ports(interval)
    return _NUMBER_WORDS[field].get(low, str(low))


def _heading(text: str, indent: str) -> t.List[str]:
    return ["%s# %s" % (indent, safe_text(text, _LONGEST_HEADING))] if text else []


def render_rule(rule: TableRule, *, masks: bool = False) -> str:
    """One rule on one line, without its heading.

    Args:
        masks: Whether an IPv4 prefix of 24 bits is written with its mask. nft lists either as the prefix, and loads 4
            octets of the packet for the one, which the kernel compares in half of the time that it takes for the 3
            octets of the other (``nft_payload_fast_eval`` of nf_tables_core.c).
    """
    fields = {match.field for match in rule.matches}
    for statement in rule.statements:
        if isinstance(statement, Lookup):
            fields.update(statement.fields)
    number = _one_protocol(rule.matches)
    port_word = _PORT_WORDS.get(number, "th")
    implied = number >= 0 and (
        any(field in fields for field in _IMPLY_PROTOCOL)
        or (port_word != "th" and any(field in fields for field in _PORT_FIELDS))
    )
    # A more telling expression implies the protocol, and replaces it.
    matches = [match for match in rule.matches if not (implied and match.field is Field.PROTOCOL)]
    words = [_match(match, port_word, masks=masks) for match in matches]
    words.extend(_statement(statement, rule.matches, port_word) for statement in rule.statements)
    if rule.comment:
        words.append('comment "%s"' % safe_text(rule.comment, _LONGEST_COMMENT))
    return " ".join(words)


def _one_protocol(matches: t.Sequence[Match]) -> int:
    """The one protocol that the matches leave; -1 where they leave several."""
    for match in matches:
        if match.field is Field.PROTOCOL and isinstance(match.value, IntervalSet) and match.value.size == 1:
            return match.value.intervals[0][0]
    return -1


def safe_text(text: str, longest: int) -> str:
    """The text on one line, printable, without what ends a quoted string, within ``longest`` bytes.

    nft has no escapes inside quotes, so quotes and backslashes are replaced. A character that takes
    several bytes is kept whole or left out.
    """
    shown = _UNSHOWN.sub(" ", text[: longest * 2]).replace('"', "'").replace("\\", "/")
    encoded = " ".join(shown.split()).encode("utf-8", "replace")
    return encoded[:longest].decode("utf-8", "ignore").rstrip()


def _match(match: Match, port_word: str, *, masks: bool) -> str:
    field, value = match.field, match.value
    if field is Field.TCP_RESET:
        return "tcp flags & rst == rst"
    expression = _expression(field, port_word)
    if isinstance(value, SetReference):
        return "%s @%s" % (expression, value.name)
    if isinstance(value, IntervalSet):
        interval = value.intervals[0]
        if masks and field in _MASKED and len(value.intervals) == 1 and prefix_length(4, interval) == _MASKED_LENGTH:
            return "%s & %s == %s" % (expression, _mask(field, _MASKED_LENGTH), format_address(4, interval[0]))
        return "%s %s" % (expression, _one_of(_members(field, value)))
    words = ['"%s"' % word for word in value] if field in _QUOTED else list(value)
    if field is Field.STATE:
        # A list of states is a mask, not a set.
        return "%s %s" % (expression, ",".join(words))
    return "%s %s" % (expression, _one_of(words))


def _expression(field: Field, port_word: str) -> str:
    return "%s %s" % (port_word, _PORT_FIELDS[field]) if field in _PORT_FIELDS else field.value


def _one_of(words: t.Sequence[str]) -> str:
    return words[0] if len(words) == 1 else "{ %s }" % ", ".join(words)


def _members(field: Field, value: IntervalSet) -> t.List[str]:
    if field in _VALUE_FAMILY:
        return [format_interval(_VALUE_FAMILY[field], interval) for interval in value.intervals]
    if field in _PORT_FIELDS or field is Field.ORIGINAL_DESTINATION_PORT:
        return [format_ports(interval) for interval in value.intervals]
    names = _NUMBER_WORDS.get(field, {})
    # Bytes are listed one by one: an anonymous set with ranges would be an interval set.
    return [names.get(number, str(number)) for low, high in value.intervals for number in range(low, high + 1)]


def _statement(statement: Statement, matches: t.Sequence[Match], port_word: str) -> str:
    if isinstance(statement, Count):
        return 'counter name "%s"' % statement.counter
    if isinstance(statement, Log):
        # The parser takes no character that could end the quoted string, and a space at the end counts.
        prefix = ' prefix "%s"' % statement.prefix if statement.prefix else ""
        group = "" if statement.group is None else " group %d" % statement.group
        return "limit rate %d/%s log%s%s" % (statement.rate, statement.unit, prefix, group)
    if isinstance(statement, Lookup):
        key = " . ".join(_expression(field, port_word) for field in statement.fields)
        if statement.prefix is not None:
            key += " & %s" % _mask(statement.fields[0], statement.prefix)
        return "%s vmap @%s" % (key, statement.map_name)
    if statement.kind is VerdictKind.REJECT:
        return "reject with %s type port-unreachable" % _icmp_error(matches)
    return _verdict(statement)


def _mask(field: Field, prefix: int) -> str:
    family = _VALUE_FAMILY[field]
    bits = BITS[family]
    return format_address(family, (1 << bits) - (1 << (bits - prefix)))


def _verdict(verdict: Verdict) -> str:
    if verdict.kind in _LEADING:
        return "%s %s" % (verdict.kind.value, verdict.chain)
    return _VERDICT_WORDS[verdict.kind]


def _icmp_error(matches: t.Sequence[Match]) -> str:
    """The ICMP of the family where the rule knows it.

    nft lists the one for either family as a plain "reject", which it reads as the one of the family
    where the rule knows it, so such a listing would not load as what it was.
    """
    for match in matches:
        if match.field in _KNOWN_FAMILY:
            return _ICMP_ERRORS[_KNOWN_FAMILY[match.field]]
        if match.field is Field.FAMILY:
            return "icmp" if match.value == ("ipv4",) else "icmpv6"
    return "icmpx"
