# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Tables of others in the decoded output of ``nft -j list ruleset`` (libnftables-json(5)).

The shape differs between versions of nft, and with what the kernel holds. Everything here takes what it
recognises and passes over the rest; nothing is raised.
"""

from __future__ import annotations

import dataclasses
import typing as t

#: Chains followed from one to the next; the kernel takes 16 (NFT_JUMP_STACK_SIZE).
_FOLLOWED_CHAINS = 16

_FAMILIES = frozenset(("inet", "ip", "ip6"))
_HOOKS = frozenset(("input", "output"))

#: Statements that neither match nor decide.
_SIDE_EFFECTS = frozenset(("counter", "log", "comment", "mangle", "ct helper", "notrack", "set", "last"))
_REFUSALS = frozenset(("drop", "reject"))


@dataclasses.dataclass
class Chain:
    """One chain; ``hook`` and ``policy`` are empty where it is no base chain."""

    name: str
    hook: str = ""
    policy: str = ""
    rules: t.List[t.List[t.Dict[str, t.Any]]] = dataclasses.field(default_factory=list)


#: Chains by name, of each table by "family name".
Tables = t.Dict[str, t.Dict[str, Chain]]


def read_tables(listed: object, own_table: str) -> Tables:
    """The tables of the listing, without ``inet`` ``own_table`` and without bridge, ARP and netdev tables."""
    tables: Tables = {}
    for item in listed if isinstance(listed, list) else ():
        for kind, body in item.items() if isinstance(item, dict) else ():
            if kind not in ("table", "chain", "rule") or not isinstance(body, dict):
                continue
            family, table = _text(body.get("family")), _text(body.get("name" if kind == "table" else "table"))
            if family not in _FAMILIES or not table or (family, table) == ("inet", own_table):
                continue
            chains = tables.setdefault("%s %s" % (family, table), {})
            if kind == "chain":
                chain = _chain(chains, body.get("name"))
                chain.hook = _text(body.get("hook"))
                chain.policy = _text(body.get("policy"))
            elif kind == "rule":
                statements = body.get("expr")
                if isinstance(statements, list):
                    chain = _chain(chains, body.get("chain"))
                    chain.rules.append([_statement(item) for item in statements])
    return tables


def find_refusing_chains(tables: Tables) -> t.List[t.Tuple[str, t.List[str]]]:
    """``(table, chains)`` of base chains on input or output that refuse what they do not accept."""
    found = []
    for table, chains in sorted(tables.items()):
        refusing = []
        for name, chain in sorted(chains.items()):
            if chain.hook in _HOOKS and (chain.policy == "drop" or _end_of(chains, name) == "refused"):
                how = "policy drop" if chain.policy == "drop" else "a last rule that refuses the rest"
                refusing.append("chain '%s' (hook %s, %s)" % (name, chain.hook, how))
        if refusing:
            found.append((table, refusing))
    return found


def find_published_ports(tables: Tables) -> t.Tuple[t.List[t.Tuple[str, str]], t.List[str]]:
    """Ports whose packets are rewritten to another destination on their way in.

    Returns:
        ``("tcp/8080", "(table 'ip nat')")`` for each, and the tables that hold such rules without
        showing a port.
    """
    ports: t.Dict[t.Tuple[str, str], None] = {}
    unreadable: t.Dict[str, None] = {}
    for table, chains in sorted(tables.items()):
        for chain in chains.values():
            # Rewriting on the way out concerns the host's own connections.
            if chain.hook in ("output", "postrouting"):
                continue
            for rule in chain.rules:
                if not any(_rewrites_destination(statement) for statement in rule):
                    continue
                found = _ports(rule)
                ports.update(((text, "(table '%s')" % table), None) for text in found)
                if not found:
                    unreadable["table '%s'" % table] = None
    return sorted(ports, key=_port_order), list(unreadable)


def _port_order(port: t.Tuple[str, str]) -> t.Tuple[str, int, str]:
    protocol, _slash, number = port[0].partition("/")
    first = number.partition("-")[0]
    return protocol, int(first) if first.isdigit() else 0, port[1]


def _chain(chains: t.Dict[str, Chain], name: object) -> Chain:
    text = _text(name)
    return chains.setdefault(text, Chain(text))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _statement(value: object) -> t.Dict[str, t.Any]:
    """A statement is a mapping with one key; some versions write a verdict as its bare name."""
    if isinstance(value, dict):
        return value
    return {value: None} if isinstance(value, str) else {}


def _end_of(chains: t.Mapping[str, Chain], name: str) -> str:
    """What becomes of a packet that no conditional rule decides: ``accepted``, ``refused`` or ``returned``."""
    followed = 0
    # A jump comes back to the rule behind it; what is left of each chain waits here.
    waiting = [iter(chains[name].rules)]
    while waiting:
        rule = next(waiting[-1], None)
        if rule is None:
            waiting.pop()
            continue
        kind, target = _unconditional(rule)
        if kind in _REFUSALS:
            return "refused"
        if kind in ("accept", "queue"):
            return "accepted"
        if kind == "return":
            waiting.pop()
        elif kind in ("jump", "goto") and target in chains and followed < _FOLLOWED_CHAINS:
            followed += 1
            if kind == "goto":
                waiting.pop()
            waiting.append(iter(chains[target].rules))
    return "returned"


def _unconditional(rule: t.Sequence[t.Mapping[str, t.Any]]) -> t.Tuple[str, str]:
    """``(verdict, target)`` of a rule that every packet meets; empty texts for any other rule."""
    for statement in rule:
        for key, value in statement.items():
            if key in ("jump", "goto"):
                return key, _text(value.get("target")) if isinstance(value, dict) else _text(value)
            if key in ("accept", "return", "queue") or key in _REFUSALS:
                return key, ""
            if key == "xt" and isinstance(value, dict) and value.get("type") == "target":
                # Rules of iptables: DROP and ACCEPT are verdicts of nft, REJECT and LOG are not.
                if value.get("name") == "REJECT":
                    return "reject", ""
            elif key not in _SIDE_EFFECTS:
                return "", ""
    return "", ""


def _rewrites_destination(statement: t.Mapping[str, t.Any]) -> bool:
    if "dnat" in statement:
        return True
    xt = statement.get("xt")
    return isinstance(xt, dict) and xt.get("name") == "DNAT"


def _ports(rule: t.Sequence[t.Mapping[str, t.Any]]) -> t.List[str]:
    """``tcp/8080`` for each destination port that the rule matches, or looks up for its new destination."""
    protocol = "any"
    found: t.List[str] = []
    for statement in rule:
        match = statement.get("match")
        if isinstance(match, dict) and match.get("op") in ("==", "in"):
            if match.get("left") == {"meta": {"key": "l4proto"}}:
                protocol = "/".join(_values(match.get("right"))) or protocol
            found += _texts(match.get("left"), match.get("right"), protocol)
        for target in statement.values():
            for value in target.values() if isinstance(target, dict) else ():
                lookup = value.get("map") if isinstance(value, dict) else None
                if isinstance(lookup, dict):
                    found += _texts(lookup.get("key"), lookup.get("data"), protocol)
    return found


def _texts(left: object, right: object, protocol: str) -> t.List[str]:
    payload = left.get("payload") if isinstance(left, dict) else None
    if not isinstance(payload, dict) or payload.get("field") != "dport":
        return []
    own = _text(payload.get("protocol"))
    name = protocol if own in ("", "th") else own
    return ["%s/%s" % (name, text) for text in _values(right)]


def _values(value: object) -> t.List[str]:
    """Numbers, names and ranges of a right-hand side, out of sets and of the keys of maps."""
    if isinstance(value, bool):
        return []
    if isinstance(value, (int, str)):
        return [str(value)]
    if not isinstance(value, dict):
        return []
    limits = value.get("range")
    if isinstance(limits, list) and len(limits) == 2:
        ends = [text for limit in limits for text in _values(limit)]
        return ["-".join(ends)] if len(ends) == 2 else []
    members = value.get("set")
    found = []
    for member in members if isinstance(members, list) else ():
        # An element of a map is [key, value]; one with a comment or a counter is {elem: {val: key}}.
        key = member[0] if isinstance(member, list) and member else member
        element = key.get("elem") if isinstance(key, dict) else None
        found += _values(element.get("val") if isinstance(element, dict) else key)
    return found
