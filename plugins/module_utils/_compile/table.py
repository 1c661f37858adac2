# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""The table that a layout makes: counters, sets and chains of typed matches and statements.

Layouts write it, the text renders it, live changes compare it. Nothing here is nft syntax, so no
text of an operator can become syntax before the one place that quotes it.
"""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass

from .._core.intervals import Interval, IntervalSet

TABLE_NAME = "palisade"

#: An empty chain of this name marks the table as ours. Comments on tables and chains are not kept by
#: every nft and kernel that we load on; a chain is.
MARKER_CHAIN = "managed_by_palisade"


class Field(enum.Enum):
    """What a match looks at. Values are the nft expressions (nft(8), "PAYLOAD/META/CONNTRACK EXPRESSIONS")."""

    INPUT_INTERFACE = "iifname"
    OUTPUT_INTERFACE = "oifname"
    FAMILY = "meta nfproto"
    PROTOCOL = "meta l4proto"
    SOURCE4 = "ip saddr"
    DESTINATION4 = "ip daddr"
    SOURCE6 = "ip6 saddr"
    DESTINATION6 = "ip6 daddr"
    SOURCE_PORT = "th sport"
    DESTINATION_PORT = "th dport"
    ICMP_TYPE = "icmp type"
    ICMPV6_TYPE = "icmpv6 type"
    HOP_LIMIT = "ip6 hoplimit"
    TCP_RESET = "tcp flags & rst"
    STATE = "ct state"
    FLOW_DIRECTION = "ct direction"
    STATUS = "ct status"
    ORIGINAL_DESTINATION4 = "ct original ip daddr"
    ORIGINAL_DESTINATION6 = "ct original ip6 daddr"
    ORIGINAL_DESTINATION_PORT = "ct original proto-dst"


@dataclass(frozen=True)
class SetReference:
    """The members of a named set of the table."""

    name: str


#: What a field is compared with: numbers, words (interfaces, states), or a named set.
Value = t.Union[IntervalSet, t.Tuple[str, ...], SetReference]


@dataclass(frozen=True)
class Match:
    """``field`` is one of ``value``."""

    field: Field
    value: Value


@dataclass(frozen=True)
class Count:
    """Counts into a named counter of the table."""

    counter: str


@dataclass(frozen=True)
class Log:
    """Logs at most ``rate`` packets a ``unit``; packets past that rate go on to the next rule unlogged."""

    prefix: str
    rate: int
    unit: str
    group: t.Optional[int] = None


class VerdictKind(enum.Enum):
    ACCEPT = "accept"
    DROP = "drop"
    REJECT = "reject"
    RESET = "reset"
    GOTO = "goto"
    JUMP = "jump"


#: Verdicts that elements of a map can hold in every nft that we load on; the others need a rule of a chain.
MAP_VERDICTS = frozenset({VerdictKind.ACCEPT, VerdictKind.DROP, VerdictKind.GOTO, VerdictKind.JUMP})


@dataclass(frozen=True)
class Verdict:
    """What a packet meets next; all but ``JUMP`` end the evaluation of the chain.

    ``REJECT`` answers with the ICMP error, ``RESET`` with a TCP reset. ``JUMP`` comes back behind the
    rule when the other chain ends without a verdict; ``GOTO`` comes back where the last jump came from.
    """

    kind: VerdictKind
    chain: str = ""


@dataclass(frozen=True)
class Lookup:
    """Looks the values of ``fields`` up in a verdict map of the table; without an element the next rule follows.

    The fields have the types of those that the map is declared with.
    A packet that lacks one of the fields has no element.

    Attributes:
        prefix: How many leading bits of the only field, an address, are looked up, the others being zero in the
            keys; None for the whole value.
    """

    fields: t.Tuple[Field, ...]
    map_name: str
    prefix: t.Optional[int] = None


Statement = t.Union[Count, Log, Lookup, Verdict]


@dataclass(frozen=True)
class TableRule:
    """One nft rule.

    Attributes:
        comment: Leads to the policy rule; any text, the renderer makes it safe.
        heading: A line of explanation above it in the text; any text.
    """

    matches: t.Tuple[Match, ...]
    statements: t.Tuple[Statement, ...]
    comment: str = ""
    heading: str = ""


class SetType(enum.Enum):
    """The type of a named set's elements."""

    IPV4 = "ipv4_addr"
    IPV6 = "ipv6_addr"
    PORT = "inet_service"


@dataclass(frozen=True)
class NamedSet:
    """Constant members under a name that carries a digest of them: a set of one name never changes.

    Attributes:
        comment: On every element; leads to the network or the policy rule.
    """

    name: str
    type: SetType
    members: IntervalSet
    comment: str = ""

    @property
    def has_intervals(self) -> bool:
        return any(low != high for low, high in self.members.intervals)


@dataclass(frozen=True)
class MapElement:
    """One box of a map's key space and its verdict (one of :data:`MAP_VERDICTS`).

    Attributes:
        key: One interval for each field of the map.
        comment: Leads to the policy rule; any text, the renderer makes it safe.
    """

    key: t.Tuple[Interval, ...]
    verdict: Verdict
    comment: str = ""


@dataclass(frozen=True)
class NamedMap:
    """Constant elements under a name that carries a digest of them: a map of one name never changes.

    The keys are disjoint. The kernel does not keep an order among overlapping elements.

    Attributes:
        fields: At most 5, of at most 64 bytes in all (each field padded to 4 bytes).
        comment: What it is for; becomes a comment line of the text, nothing that the kernel keeps.
    """

    name: str
    fields: t.Tuple[Field, ...]
    elements: t.Tuple[MapElement, ...]
    comment: str = ""

    @property
    def has_intervals(self) -> bool:
        return any(low != high for element in self.elements for low, high in element.key)


@dataclass(frozen=True)
class TableChain:
    """A chain; ``hook`` (``input``, ``forward``, ``output``) makes it a base chain of type filter, priority filter.

    Attributes:
        constant: Its name carries a digest of its rules, and of what they lead to: a chain of that name
            never changes, so it can be loaded before anything leads to it.
        heading: A line of explanation above it in the text; any text.
    """

    name: str
    rules: t.Tuple[TableRule, ...] = ()
    hook: str = ""
    constant: bool = False
    heading: str = ""


@dataclass(frozen=True)
class Table:
    """Everything of the table.

    Chains may lead to each other and maps to chains in any order; no jump leads back to where it came from.
    """

    counters: t.Tuple[str, ...]
    sets: t.Tuple[NamedSet, ...]
    chains: t.Tuple[TableChain, ...]
    maps: t.Tuple[NamedMap, ...] = ()

    @property
    def rule_count(self) -> int:
        return sum(len(chain.rules) for chain in self.chains)

    @property
    def map_element_count(self) -> int:
        return sum(len(named.elements) for named in self.maps)
