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

from .._core.intervals import IntervalSet

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


@dataclass(frozen=True)
class Verdict:
    """Ends the evaluation; ``REJECT`` answers with the ICMP error, ``RESET`` with a TCP reset."""

    kind: VerdictKind
    chain: str = ""


Statement = t.Union[Count, Log, Verdict]


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
class TableChain:
    """A chain; ``hook`` (``input``, ``output``) makes it a base chain of type filter, priority filter."""

    name: str
    rules: t.Tuple[TableRule, ...] = ()
    hook: str = ""


@dataclass(frozen=True)
class Table:
    """Everything of the table, in the order in which it is written: what is referred to comes first."""

    counters: t.Tuple[str, ...]
    sets: t.Tuple[NamedSet, ...]
    chains: t.Tuple[TableChain, ...]
