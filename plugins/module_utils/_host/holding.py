# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""What the kernel holds of nftables, read at one instant.

The digest of a block covers what nft sent to make it, byte by byte, and leaves out what differs from
one load to the next: handles, counter values, the kernel's numbers of anonymous sets, the order of a hash
table. The numbers are those of linux/netfilter/nf_tables.h.
"""

from __future__ import annotations

import hashlib
import typing as t

from .._compile.table import MARKER_CHAIN, TABLE_NAME
from .._nft.held import HeldBlock, HeldTable, hook_of
from .._nft.text import Key
from .errors import HostError
from .netlink import (
    CHAINS,
    ELEMENTS,
    FLOWTABLES,
    INET,
    OBJECTS,
    RULES,
    SETS,
    TABLES,
    Attributes,
    ChangedMeanwhileError,
    Netlink,
    NetlinkError,
    read_attributes,
    read_list,
    read_name,
)

#: NFPROTO_* by number, in nft's words.
_FAMILIES = {1: "inet", 2: "ip", 3: "arp", 5: "netdev", 7: "bridge", 10: "ip6"}

#: Of every kind of thing: its table. The name's number differs.
_TABLE = 1
_TABLE_FLAGS, _TABLE_USERDATA = 2, 6
_CHAIN_NAME, _CHAIN_HOOK, _CHAIN_POLICY, _CHAIN_TYPE, _CHAIN_FLAGS, _CHAIN_USERDATA = 3, 4, 5, 7, 10, 12
_RULE_CHAIN, _RULE_EXPRESSIONS, _RULE_USERDATA = 2, 4, 7
_SET_NAME, _SET_FLAGS = 2, 3
#: Flags, types and lengths of key and data, policy, description, timeout, interval of its cleaning,
#: userdata, object type, expressions.
_SET_DECLARATION = (3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 15, 17, 18)
_ELEMENTS_LIST, _ELEMENT_FLAGS = 3, 3
_OBJECT_NAME, _OBJECT_TYPE, _OBJECT_DATA, _OBJECT_USERDATA = 2, 3, 4, 8
_FLOWTABLE_NAME = 2
_EXPRESSION_NAME, _EXPRESSION_DATA = 1, 2
#: Of the expressions "lookup" and "dynset".
_EXPRESSION_SET = 1

_ANONYMOUS, _INTERVAL, _MAP, _OBJECT_MAP = 0x1, 0x4, 0x8, 0x40
_INTERVAL_END = 0x1
_COUNTER = 1
_OBJECT_KINDS = {
    _COUNTER: "counter",
    2: "quota",
    3: "ct helper",
    4: "limit",
    7: "ct timeout",
    8: "secmark",
    9: "ct expectation",
    10: "synproxy",
}
_HOOKS = {0: "prerouting", 1: "input", 2: "forward", 3: "output", 4: "postrouting", 5: "ingress"}

#: NFT_CHAIN_BASE, which newer kernels tell of every base chain.
_CHAIN_BASE = 0x1
_DORMANT = 0x1

#: 128 bits, in hexadecimal digits.
_DIGEST_LENGTH = 32

#: How often the ruleset is read anew, because something else changes it meanwhile.
_ATTEMPTS = 20


class NotOursError(HostError):
    """There is a table of our name that we did not make."""


class Holding(t.NamedTuple):
    """The ruleset of a network namespace.

    Attributes:
        table: Ours; None where there is none.
        others: The other tables, as family and name.
        generation: Counts the changes of the ruleset, by whomever; modulo 2 to the 32.
    """

    table: t.Optional[HeldTable]
    others: t.Tuple[t.Tuple[str, str], ...]
    generation: int


def check_ours(holding: Holding) -> None:
    """Raises:
    NotOursError: The table does not carry our marker.
    """
    if holding.table is not None and ("chain", MARKER_CHAIN) not in holding.table.blocks:
        raise NotOursError(
            "this host has a table 'inet %s' without the chain '%s': Palisade did not make it and does not touch it. "
            "Rename the table, or delete it ('nft delete table inet %s'), and run again"
            % (TABLE_NAME, MARKER_CHAIN, TABLE_NAME)
        )


def read_holding() -> Holding:
    """What the kernel holds in the network namespace of the calling thread.

    Raises:
        NetlinkError: The kernel did not tell.
        NftNotPermittedError: The kernel did not let us ask.
    """
    for _attempt in range(_ATTEMPTS):
        try:
            with Netlink() as netlink:
                holding = _read(netlink, netlink.generation())
                if netlink.generation() == holding.generation:
                    return holding
        except ChangedMeanwhileError:
            continue
    raise NetlinkError("something on this host changes its nftables ruleset all the time; it was never seen at rest")


def _read(netlink: Netlink, generation: int) -> Holding:
    others: t.List[t.Tuple[str, str]] = []
    held: t.Optional[HeldTable] = None
    for family, word in _FAMILIES.items():
        for data in netlink.dump(TABLES, family):
            table = read_attributes(data)
            name = read_name(table[_TABLE])
            if (family, name) == (INET, TABLE_NAME):
                held = _read_table(netlink, table)
            else:
                others.append((word, name))
    return Holding(held, tuple(sorted(others)), generation)


def _read_table(netlink: Netlink, table: Attributes) -> HeldTable:
    chains = _ask(netlink, CHAINS)
    blocks: t.Dict[Key, HeldBlock] = {}
    anonymous: t.Dict[bytes, bytes] = {}
    for attributes in _ask(netlink, SETS):
        flags = int.from_bytes(attributes.get(_SET_FLAGS, b""), "big")
        name = attributes[_SET_NAME]
        block = _read_set(netlink, attributes)
        if flags & _ANONYMOUS:
            anonymous[name] = block.digest.encode("ascii")
        else:
            blocks["map" if flags & (_MAP | _OBJECT_MAP) else "set", read_name(name)] = block
    rules: t.Dict[bytes, t.List[bytes]] = {}
    for rule in _ask(netlink, RULES):
        rules.setdefault(rule[_RULE_CHAIN], []).append(_rule_text(rule, anonymous))
    for chain in chains:
        blocks["chain", read_name(chain[_CHAIN_NAME])] = _read_chain(chain, rules.get(chain[_CHAIN_NAME], []))
    for attributes in _ask(netlink, OBJECTS):
        kind = int.from_bytes(attributes[_OBJECT_TYPE], "big")
        word = _OBJECT_KINDS.get(kind, "object of type %d" % kind)
        blocks[word, read_name(attributes[_OBJECT_NAME])] = _read_object(kind, attributes)
    for attributes in _ask(netlink, FLOWTABLES):
        blocks["flowtable", read_name(attributes[_FLOWTABLE_NAME])] = HeldBlock(_digest([repr(attributes).encode()]))
    return HeldTable(blocks, _oddity(table))


def _ask(netlink: Netlink, what: int) -> t.List[Attributes]:
    """The things of our table."""
    own = TABLE_NAME.encode("ascii") + b"\0"
    found = [read_attributes(data) for data in netlink.dump(what, INET, TABLE_NAME)]
    return [attributes for attributes in found if attributes[_TABLE] == own]


def _oddity(table: Attributes) -> str:
    flags = int.from_bytes(table.get(_TABLE_FLAGS, b""), "big")
    if flags & _DORMANT:
        return "flags dormant"
    if flags:
        return "flags %d" % flags
    return "comment" if _TABLE_USERDATA in table else ""


def _read_chain(chain: Attributes, rules: t.Sequence[bytes]) -> HeldBlock:
    declaration = []
    if _CHAIN_HOOK in chain:
        hook = read_attributes(chain[_CHAIN_HOOK])
        number = int.from_bytes(hook[1], "big")
        declaration.append(
            hook_of(
                read_name(chain.get(_CHAIN_TYPE, b"")),
                _HOOKS.get(number, str(number)),
                int.from_bytes(hook[2], "big", signed=True),
            )
        )
        if len(hook) > 2:
            declaration.append("devices")
    flags = int.from_bytes(chain.get(_CHAIN_FLAGS, b""), "big") & ~_CHAIN_BASE
    if flags:
        declaration.append("flags %d" % flags)
    if _CHAIN_USERDATA in chain:
        declaration.append("comment")
    parts = [" ".join(declaration).encode("utf-8"), chain.get(_CHAIN_POLICY, b""), *rules]
    return HeldBlock(_digest(parts), len(rules), " ".join(declaration))


def _rule_text(rule: Attributes, anonymous: t.Mapping[bytes, bytes]) -> bytes:
    expressions = rule.get(_RULE_EXPRESSIONS, b"")
    if anonymous and b"\0__" in expressions:
        expressions = b"".join(_resolved(expression, anonymous) for expression in read_list(expressions))
    return b"%b\0comment\0%b" % (expressions, rule.get(_RULE_USERDATA, b""))


def _resolved(expression: bytes, anonymous: t.Mapping[bytes, bytes]) -> bytes:
    """The expression with the digest of an anonymous set in place of the name that the kernel gave it."""
    attributes = read_attributes(expression)
    name = attributes[_EXPRESSION_NAME]
    if name not in (b"lookup\0", b"dynset\0"):
        return expression
    data = read_attributes(attributes[_EXPRESSION_DATA])
    used = data.get(_EXPRESSION_SET, b"")
    data[_EXPRESSION_SET] = anonymous.get(used, used)
    return b"%b%b" % (name, repr(sorted(data.items())).encode("ascii"))


def _read_set(netlink: Netlink, attributes: Attributes) -> HeldBlock:
    elements: t.List[bytes] = []
    for data in netlink.dump(ELEMENTS, INET, TABLE_NAME, read_name(attributes[_SET_NAME])):
        elements.extend(read_list(read_attributes(data).get(_ELEMENTS_LIST, b"")))
    # A hash table tells them in the order of its buckets.
    elements.sort()
    declaration = [(number, attributes[number]) for number in _SET_DECLARATION if number in attributes]
    return HeldBlock(_digest([repr(declaration).encode("ascii"), *elements]), _count(attributes, elements))


def _count(attributes: Attributes, elements: t.Sequence[bytes]) -> int:
    """Ranges as one: a tree of intervals holds their ends as elements, unless the key has several fields."""
    if not int.from_bytes(attributes.get(_SET_FLAGS, b""), "big") & _INTERVAL:
        return len(elements)
    ends = (read_attributes(element).get(_ELEMENT_FLAGS, b"") for element in elements)
    return sum(not int.from_bytes(flags, "big") & _INTERVAL_END for flags in ends)


def _read_object(kind: int, attributes: Attributes) -> HeldBlock:
    if kind == _COUNTER and _OBJECT_USERDATA not in attributes:
        return HeldBlock()
    known = (attributes.get(_OBJECT_USERDATA, b""), b"" if kind == _COUNTER else attributes.get(_OBJECT_DATA, b""))
    return HeldBlock(_digest(known))


def _digest(parts: t.Sequence[bytes]) -> str:
    """Of the parts and where each ends."""
    lengths = ",".join([str(len(part)) for part in parts]).encode("ascii")
    return hashlib.sha256(b"%b:%b" % (lengths, b"".join(parts))).hexdigest()[:_DIGEST_LENGTH]
