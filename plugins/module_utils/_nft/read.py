# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""What nft lists as JSON, as the typed rules that a packet can be taken through.

It reads what the collection writes, and the same expressions in rules that somebody added by hand. A rule that
says anything else is kept as one that was not read, with the reason: whether it matches a packet is not known, and
nobody is to guess. The schema is that of libnftables-json(5), protocols as numbers (``nft -j -p``).
"""

from __future__ import annotations

import json
import typing as t

from .._compile.table import (
    TABLE_NAME,
    Count,
    Field,
    Lookup,
    MapElement,
    Match,
    NamedMap,
    SetReference,
    Statement,
    TableRule,
    Value,
    Verdict,
    VerdictKind,
)
from .._core.addresses import BITS, UNIVERSE, parse_address
from .._core.intervals import Interval, IntervalSet
from .._policy.protocols import ICMP_TYPES, ICMPV6_TYPES, PROTOCOLS

_PORT_WORDS = {"tcp": 6, "udp": 17, "dccp": 33, "sctp": 132, "udplite": 136}
_META = {
    "iifname": Field.INPUT_INTERFACE,
    "oifname": Field.OUTPUT_INTERFACE,
    "nfproto": Field.FAMILY,
    "l4proto": Field.PROTOCOL,
}
_CT = {
    ("state", ""): Field.STATE,
    ("direction", ""): Field.FLOW_DIRECTION,
    ("status", ""): Field.STATUS,
    ("ip daddr", "original"): Field.ORIGINAL_DESTINATION4,
    ("ip6 daddr", "original"): Field.ORIGINAL_DESTINATION6,
    ("proto-dst", "original"): Field.ORIGINAL_DESTINATION_PORT,
}
_PAYLOAD = {
    ("ip", "saddr"): Field.SOURCE4,
    ("ip", "daddr"): Field.DESTINATION4,
    ("ip6", "saddr"): Field.SOURCE6,
    ("ip6", "daddr"): Field.DESTINATION6,
    ("ip6", "hoplimit"): Field.HOP_LIMIT,
    ("icmp", "type"): Field.ICMP_TYPE,
    ("icmpv6", "type"): Field.ICMPV6_TYPE,
}
_PORTS = {"sport": Field.SOURCE_PORT, "dport": Field.DESTINATION_PORT}

#: One port of each side, without the name of a protocol: nft compares the octets of both at once.
_BOTH_PORTS = {"payload": {"base": "th", "offset": 0, "len": 32}}
_PORT_BITS = 16

_IMPLIED = {Field.ICMP_TYPE: 1, Field.ICMPV6_TYPE: 58, Field.TCP_RESET: 6}
_WORDS = (
    Field.INPUT_INTERFACE,
    Field.OUTPUT_INTERFACE,
    Field.FAMILY,
    Field.STATE,
    Field.FLOW_DIRECTION,
    Field.STATUS,
)
_ADDRESS_FAMILY = {
    Field.SOURCE4: 4,
    Field.DESTINATION4: 4,
    Field.ORIGINAL_DESTINATION4: 4,
    Field.SOURCE6: 6,
    Field.DESTINATION6: 6,
    Field.ORIGINAL_DESTINATION6: 6,
}
_NAMES: t.Mapping[Field, t.Mapping[str, int]] = {
    Field.PROTOCOL: PROTOCOLS,
    Field.ICMP_TYPE: ICMP_TYPES,
    Field.ICMPV6_TYPE: ICMPV6_TYPES,
    # NFPROTO_IPV4 and NFPROTO_IPV6 of linux/netfilter.h, as the key of a map.
    Field.FAMILY: {"ipv4": 2, "ipv6": 10},
}
_STATES = ("new", "established", "related", "invalid", "untracked")
_BYTES = IntervalSet(((0, 255),))
_UNIVERSE: t.Mapping[Field, IntervalSet] = {
    **{field: UNIVERSE[family] for field, family in _ADDRESS_FAMILY.items()},
    Field.SOURCE_PORT: IntervalSet(((0, 65535),)),
    Field.DESTINATION_PORT: IntervalSet(((0, 65535),)),
    Field.ORIGINAL_DESTINATION_PORT: IntervalSet(((0, 65535),)),
    Field.PROTOCOL: _BYTES,
    Field.ICMP_TYPE: _BYTES,
    Field.ICMPV6_TYPE: _BYTES,
    Field.HOP_LIMIT: _BYTES,
}

#: The field that the type of a set's elements stands for, as far as reading the elements goes.
_SET_TYPES = {
    "ipv4_addr": Field.SOURCE4,
    "ipv6_addr": Field.SOURCE6,
    "inet_service": Field.DESTINATION_PORT,
    "inet_proto": Field.PROTOCOL,
    "icmp_type": Field.ICMP_TYPE,
    "icmpv6_type": Field.ICMPV6_TYPE,
    "nf_proto": Field.FAMILY,
}
_SIMPLE_VERDICTS = {"accept": VerdictKind.ACCEPT, "drop": VerdictKind.DROP}
_LEADING = {"jump": VerdictKind.JUMP, "goto": VerdictKind.GOTO}

#: Statements that no verdict depends on.
_HARMLESS = ("log", "notrack")


class UnreadError(ValueError):
    """Something of the listing says what this reading does not know; the message names it."""


class LiveRule(t.NamedTuple):
    """A rule of the kernel.

    Attributes:
        unread: Why it was not read; empty where it was.
    """

    rule: TableRule
    unread: str = ""


class LiveChain(t.NamedTuple):
    """A chain of the kernel; a base chain has a ``hook``, a ``priority`` and a ``policy`` (``accept``, ``drop``)."""

    name: str
    rules: t.Tuple[LiveRule, ...] = ()
    hook: str = ""
    priority: int = 0
    policy: str = "accept"


class LiveRuleset(t.NamedTuple):
    """Our table in the kernel. What was not read of its sets and maps is not among them."""

    chains: t.Mapping[str, LiveChain]
    sets: t.Mapping[str, IntervalSet]
    maps: t.Mapping[str, NamedMap]


def read_ruleset(text: str) -> LiveRuleset:
    """The table of ``nft -j -p list table inet palisade``.

    Raises:
        UnreadError: It is no such listing.
    """
    try:
        listed = json.loads(text)["nftables"]
    except (ValueError, KeyError, TypeError) as exc:
        raise UnreadError("nft printed no JSON: %s" % exc) from exc
    chains: t.Dict[str, LiveChain] = {}
    sets: t.Dict[str, IntervalSet] = {}
    maps: t.Dict[str, NamedMap] = {}
    rules: t.Dict[str, t.List[LiveRule]] = {}
    for kind, data in ((kind, data) for item in listed for kind, data in item.items()):
        if data.get("family") != "inet" or data.get("table") != TABLE_NAME:
            continue
        if kind == "chain":
            chains[data["name"]] = LiveChain(
                data["name"],
                hook=data.get("hook", ""),
                priority=data.get("prio", 0),
                policy=data.get("policy", "accept"),
            )
        elif kind == "rule":
            rules.setdefault(data["chain"], []).append(_read_rule(data))
        elif kind in ("set", "map"):
            try:
                if kind == "set":
                    sets[data["name"]] = _read_set(data)
                else:
                    maps[data["name"]] = _read_map(data)
            except UnreadError:
                # A rule that uses it finds it missing.
                continue
    return LiveRuleset(
        {name: chain._replace(rules=tuple(rules.get(name, ()))) for name, chain in chains.items()}, sets, maps
    )


def _read_rule(data: t.Mapping[str, t.Any]) -> LiveRule:
    comment = str(data.get("comment", ""))
    matches: t.List[Match] = []
    statements: t.List[Statement] = []
    try:
        _read_expressions(data.get("expr", ()), matches, statements)
    except UnreadError as exc:
        return LiveRule(TableRule(tuple(matches), (), comment), str(exc))
    except (AttributeError, KeyError, TypeError, ValueError) as exc:
        return LiveRule(TableRule(tuple(matches), (), comment), "%s: %s" % (type(exc).__name__, exc))
    return LiveRule(TableRule(tuple(matches), tuple(statements), comment))


def _read_expressions(
    expressions: t.Iterable[t.Mapping[str, t.Any]], matches: t.List[Match], statements: t.List[Statement]
) -> None:
    """Adds what a rule says, as far as it is understood."""
    limited = False
    for expression in expressions:
        ((kind, value),) = expression.items()
        if kind == "match":
            if statements:
                # Ours has none of that, and what is counted and what is asked would be mixed up.
                raise UnreadError("a condition behind a statement")
            matches.extend(_read_match(value))
        elif kind == "limit":
            limited = True
        else:
            statement = _read_statement(kind, value)
            if statement is not None and limited:
                raise UnreadError("a limit that decides what follows")
            statements.extend([statement] if statement is not None else [])


def _read_statement(kind: str, value: t.Any) -> t.Optional[Statement]:
    if kind in _SIMPLE_VERDICTS:
        return Verdict(_SIMPLE_VERDICTS[kind])
    if kind in _LEADING:
        return Verdict(_LEADING[kind], value["target"])
    if kind == "reject":
        reset = isinstance(value, dict) and value.get("type") == "tcp reset"
        return Verdict(VerdictKind.RESET if reset else VerdictKind.REJECT)
    if kind == "counter":
        return Count(value) if isinstance(value, str) else None
    if kind == "vmap":
        fields, prefix = _read_key(value["key"])
        if not isinstance(value["data"], str):
            raise UnreadError("a verdict map without a name")
        return Lookup(fields, value["data"].lstrip("@"), prefix)
    if kind in _HARMLESS:
        return None
    raise UnreadError("the statement '%s'" % kind)


def _read_key(key: t.Any) -> t.Tuple[t.Tuple[Field, ...], t.Optional[int]]:
    """The fields of a lookup, and how many bits of the only one are looked up."""
    if "concat" in key:
        return tuple(_read_field(one)[0] for one in key["concat"]), None
    if "&" in key:
        field = _read_field(key["&"][0])[0]
        if field not in _ADDRESS_FAMILY:
            raise UnreadError("a mask of %s" % field.value)
        bits = BITS[_ADDRESS_FAMILY[field]]
        ones = bin(parse_address(key["&"][1])[1]).count("1")
        return (field,), ones if ones < bits else None
    return (_read_field(key)[0],), None


def _read_field(left: t.Mapping[str, t.Any]) -> t.Tuple[Field, t.Optional[int]]:
    """The field of an expression, and the protocol that it implies."""
    ((kind, value),) = left.items()
    if kind == "meta" and value.get("key") in _META:
        return _META[value["key"]], None
    if kind == "ct" and (value.get("key"), value.get("dir", "")) in _CT:
        return _CT[value["key"], value.get("dir", "")], None
    if kind == "payload":
        protocol, name = value.get("protocol"), value.get("field")
        if (protocol, name) in _PAYLOAD:
            field = _PAYLOAD[protocol, name]
            return field, _IMPLIED.get(field)
        if name in _PORTS and (protocol == "th" or protocol in _PORT_WORDS):
            return _PORTS[name], _PORT_WORDS.get(protocol)
        raise UnreadError("the expression '%s %s'" % (protocol or value.get("base"), name or value.get("offset")))
    if kind == "&" and value == [{"payload": {"protocol": "tcp", "field": "flags"}}, "rst"]:
        return Field.TCP_RESET, 6
    detail = value.get("key", "") if isinstance(value, dict) else ""
    raise UnreadError("the expression '%s'" % ("%s %s" % (kind, detail)).strip())


def _read_match(match: t.Mapping[str, t.Any]) -> t.Iterator[Match]:
    operator = match["op"]
    if match["left"] == _BOTH_PORTS and operator == "==" and isinstance(match["right"], int):
        source, destination = divmod(match["right"], 1 << _PORT_BITS)
        yield Match(Field.SOURCE_PORT, IntervalSet.single(source))
        yield Match(Field.DESTINATION_PORT, IntervalSet.single(destination))
        return
    field, implied = _read_field(match["left"])
    if operator not in ("==", "in", "!="):
        raise UnreadError("the operator '%s'" % operator)
    if implied is not None:
        yield Match(Field.PROTOCOL, IntervalSet.single(implied))
    if field is Field.TCP_RESET:
        if operator != "==" or match["right"] != "rst":
            raise UnreadError("TCP flags other than rst")
        yield Match(field, ("rst",))
        return
    value = _read_value(field, match["right"])
    if field is Field.STATUS and value != ("dnat",):
        raise UnreadError("the connection status %s" % (value,))
    yield Match(field, _all_but(field, value) if operator == "!=" else value)


def _all_but(field: Field, value: Value) -> Value:
    if isinstance(value, IntervalSet) and field in _UNIVERSE:
        return _UNIVERSE[field] - value
    if isinstance(value, tuple) and field is Field.STATE:
        return tuple(state for state in _STATES if state not in value)
    raise UnreadError("'!=' of %s" % field.value)


def _read_value(field: Field, right: t.Any) -> Value:
    if isinstance(right, str) and right.startswith("@"):
        return SetReference(right[1:])
    listed: t.Any = right
    if isinstance(right, dict) and ("set" in right or "|" in right):
        listed = right.get("set", right.get("|"))
    if not isinstance(listed, list):
        listed = [listed]
    if field in _WORDS:
        if not all(isinstance(one, str) for one in listed):
            raise UnreadError("a value of %s" % field.value)
        return tuple(listed)
    return IntervalSet(_read_interval(field, one) for one in listed)


def _read_interval(field: Field, value: t.Any) -> Interval:
    if isinstance(value, dict):
        if "elem" in value:
            return _read_interval(field, value["elem"]["val"])
        if "range" in value:
            low, high = value["range"]
            return _read_number(field, low), _read_number(field, high)
        if "prefix" in value and field in _ADDRESS_FAMILY:
            low = _read_number(field, value["prefix"]["addr"])
            return low, low | (1 << (BITS[_ADDRESS_FAMILY[field]] - value["prefix"]["len"])) - 1
        raise UnreadError("the value '%s'" % next(iter(value), ""))
    number = _read_number(field, value)
    return number, number


def _read_number(field: Field, value: t.Any) -> int:
    if isinstance(value, int):
        return value
    if field in _ADDRESS_FAMILY:
        family, address = parse_address(value)
        if family == _ADDRESS_FAMILY[field]:
            return address
    elif value in _NAMES.get(field, {}):
        return _NAMES[field][value]
    elif value.isdecimal():
        return int(value)
    raise UnreadError("'%s' as a value of %s" % (value, field.value))


def _read_set(data: t.Mapping[str, t.Any]) -> IntervalSet:
    kind = data.get("type")
    if not isinstance(kind, str) or kind not in _SET_TYPES:
        raise UnreadError("a set of the type %s" % kind)
    return IntervalSet(_read_interval(_SET_TYPES[kind], one) for one in data.get("elem", ()))


def _read_map(data: t.Mapping[str, t.Any]) -> NamedMap:
    types = data.get("type")
    types = [types] if isinstance(types, str) else types
    if data.get("map") != "verdict" or not types or any(one not in _SET_TYPES for one in types):
        raise UnreadError("a map of the type %s" % types)
    fields = tuple(_SET_TYPES[one] for one in types)
    elements = []
    for key, verdict in data.get("elem", ()):
        value, comment = key, ""
        if isinstance(key, dict) and "elem" in key:
            value, comment = key["elem"]["val"], key["elem"].get("comment", "")
        parts = value["concat"] if isinstance(value, dict) and "concat" in value else [value]
        ((kind, target),) = verdict.items()
        statement = _read_statement(kind, target)
        if not isinstance(statement, Verdict):
            raise UnreadError("the verdict '%s' of an element" % kind)
        intervals = tuple(_read_interval(field, part) for field, part in zip(fields, parts))
        elements.append(MapElement(intervals, statement, comment))
    return NamedMap(data["name"], fields, tuple(elements))
