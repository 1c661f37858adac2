# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables of the form that an optimiser makes, of any size, built by hand.

One map dispatches on the source; each of its parts has a chain that looks the whole packet up; each
rule has a chain with its counter. Names carry a digest of what they hold.
"""

from __future__ import annotations

import hashlib
import typing as t

from ansible_collections.palisade.nftables.plugins.module_utils._compile.table import (
    Count,
    Field,
    Lookup,
    MapElement,
    Match,
    NamedMap,
    NamedSet,
    SetReference,
    SetType,
    Table,
    TableChain,
    TableRule,
    Verdict,
    VerdictKind,
)
from ansible_collections.palisade.nftables.plugins.module_utils._core.intervals import IntervalSet

#: Sources of the rules: 16 addresses each, from 198.18.0.0 or 2001:db8:: on.
FIRST_SOURCE = {4: 0xC6120000, 6: 0x20010DB8 << 96}
SOURCES = 16

_SOURCE = {4: Field.SOURCE4, 6: Field.SOURCE6}
_DESTINATION = {4: Field.DESTINATION4, 6: Field.DESTINATION6}
_EVERYWHERE = {4: (0, (1 << 32) - 1), 6: (0, (1 << 128) - 1)}
_TCP, _ICMP = 6, 1

ACCEPT, DROP = Verdict(VerdictKind.ACCEPT), Verdict(VerdictKind.DROP)


class Shape(t.NamedTuple):
    """What a table of :func:`lookup_table` looks like.

    Attributes:
        rules: How many rules; rule N accepts TCP from its sources to port 1000 + N.
        part: Rules of one part.
        narrowed: Rules that leave out their first source.
        drops: Rules that drop.
        family: 4 or 6.
    """

    rules: int = 30
    part: int = 10
    narrowed: t.FrozenSet[int] = frozenset()
    drops: t.FrozenSet[int] = frozenset()
    family: int = 4


def lookup_table(shape: Shape = Shape()) -> Table:  # noqa: B008 - it is immutable
    """The table; without a rule that takes the packet, the packet is dropped."""
    office = NamedSet("ip_office", SetType.IPV4, IntervalSet(((0xC0000200, 0xC00002FF),)), "office")
    chains: t.List[TableChain] = []
    maps: t.List[NamedMap] = []
    parts: t.List[MapElement] = []
    for first in range(0, shape.rules, shape.part):
        numbers = range(first, min(first + shape.part, shape.rules))
        elements = []
        for number in numbers:
            leaf = _constant("rule_%d" % number, _leaf(number, shape), "Rule %d" % number)
            chains.append(leaf)
            elements.append(MapElement(_key(number, shape), Verdict(VerdictKind.GOTO, leaf.name), "web[%d]" % number))
        fields = (
            _DESTINATION[shape.family],
            _SOURCE[shape.family],
            Field.PROTOCOL,
            Field.SOURCE_PORT,
            Field.DESTINATION_PORT,
        )
        maps.append(_named("part_%d" % first, fields, elements))
        rules = (
            TableRule((), (Lookup(fields, maps[-1].name),)),
            # Something else of every kind: a set that exists already, an anonymous set.
            TableRule((Match(Field.SOURCE4, SetReference(office.name)),), (Count("office"), ACCEPT), "office[0]"),
            TableRule((Match(Field.PROTOCOL, IntervalSet(((47, 47), (50, 50)))),), (DROP,), "tunnels[0]"),
        )
        chains.append(_constant("at_%d" % first, rules, "Part from rule %d" % first))
        low, high = _sources(numbers[0], shape)[0], _sources(numbers[-1], shape)[1]
        parts.append(MapElement(((low, high),), Verdict(VerdictKind.JUMP, chains[-1].name), "part"))
    top = _named("by_source", (_SOURCE[shape.family],), parts)
    protocols = NamedMap("by_protocol", (Field.PROTOCOL,), (MapElement(((_ICMP, _ICMP),), ACCEPT, "ping[0]"),))
    ingress = (
        TableRule((), (Lookup(protocols.fields, protocols.name),)),
        TableRule((), (Lookup(top.fields, top.name),), heading="By source"),
        TableRule((), (Count("ingress/default"), DROP), "default of ingress"),
    )
    return Table(
        counters=("office", "ingress/default", *("policy/web/%d" % number for number in range(shape.rules))),
        sets=(office,),
        chains=(
            TableChain("managed_by_palisade"),
            *chains,
            TableChain("ingress", ingress),
            TableChain("input", (TableRule((), (Verdict(VerdictKind.GOTO, "ingress"),)),), hook="input"),
            TableChain("output", hook="output"),
        ),
        maps=(*maps, protocols, top),
    )


def _sources(number: int, shape: Shape) -> t.Tuple[int, int]:
    first = FIRST_SOURCE[shape.family] + number * SOURCES
    return first, first + SOURCES - 1


def _key(number: int, shape: Shape) -> t.Tuple[t.Tuple[int, int], ...]:
    low, high = _sources(number, shape)
    port = 1000 + number
    ports = (port, port + number % 3)
    source = (low + (number in shape.narrowed), high)
    return _EVERYWHERE[shape.family], source, (_TCP, _TCP), (0, 65535), ports


def _leaf(number: int, shape: Shape) -> t.Tuple[TableRule, ...]:
    verdict = DROP if number in shape.drops else ACCEPT
    return (TableRule((), (Count("policy/web/%d" % number), verdict), "web[%d]" % number),)


def _constant(name: str, rules: t.Tuple[TableRule, ...], heading: str) -> TableChain:
    return TableChain("%s_%s" % (name, _digest(rules)), rules, constant=True, heading=heading)


def _named(name: str, fields: t.Tuple[Field, ...], elements: t.Sequence[MapElement]) -> NamedMap:
    return NamedMap("%s_%s" % (name, _digest((fields, elements))), fields, tuple(elements), "What is at %s" % name)


def _digest(contents: object) -> str:
    return hashlib.sha256(repr(contents).encode("utf-8")).hexdigest()[:12]
