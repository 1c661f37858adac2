# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The model of a table is the kernel: random chains and verdict maps, whether or not a layout would make them."""

from __future__ import annotations

import collections
import random
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._compile.table import (
    MARKER_CHAIN,
    Count,
    Field,
    Lookup,
    MapElement,
    Match,
    NamedMap,
    Table,
    TableChain,
    TableRule,
    Verdict,
    VerdictKind,
)
from ansible_collections.palisade.nftables.plugins.module_utils._core.addresses import BITS
from ansible_collections.palisade.nftables.plugins.module_utils._core.intervals import Interval, IntervalSet
from ansible_collections.palisade.nftables.plugins.module_utils._nft.text import render_load
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Direction, State
from ansible_collections.palisade.nftables.plugins.module_utils._policy.packet import Packet
from lab.reexec import ensure_privileges, why_unavailable
from lab.verdicts import VerdictLab
from tests.packets.kernel import verdicts_of

from .table_checks import check_table, overlap
from .table_model import ModelError, TableModel

if t.TYPE_CHECKING:
    import collections.abc

_SEEDS = range(1, 41)
_PACKETS = 400

#: Few values, so that packets hit elements of every map, corners included.
_ADDRESSES = {4: 0xC6120000, 6: 0x20010DB8 << 96}
_SPAN = 24
_PORTS = (1, 12)
_SOME_CHECKSUM = 60000
_TCP, _UDP, _ICMP, _ICMPV6, _SCTP, _OSPF = 6, 17, 1, 58, 132, 89

_KEYS: t.Sequence[t.Tuple[Field, ...]] = (
    (Field.DESTINATION4,),
    (Field.SOURCE6,),
    (Field.PROTOCOL,),
    (Field.FAMILY,),
    (Field.DESTINATION_PORT,),
    (Field.PROTOCOL, Field.DESTINATION_PORT),
    (Field.FAMILY, Field.PROTOCOL, Field.SOURCE_PORT),
    (Field.SOURCE4, Field.DESTINATION4),
    (Field.DESTINATION4, Field.SOURCE4, Field.PROTOCOL, Field.SOURCE_PORT, Field.DESTINATION_PORT),
    (Field.DESTINATION6, Field.SOURCE6, Field.PROTOCOL, Field.SOURCE_PORT, Field.DESTINATION_PORT),
    (Field.SOURCE4, Field.ICMP_TYPE),
    (Field.ICMPV6_TYPE,),
)
_ICMP_TYPES = (Field.ICMP_TYPE, Field.ICMPV6_TYPE)
_OF_FAMILY: t.Mapping[int, t.Tuple[Field, ...]] = {
    4: (Field.SOURCE4, Field.DESTINATION4, Field.ICMP_TYPE),
    6: (Field.SOURCE6, Field.DESTINATION6, Field.ICMPV6_TYPE),
}
_ABOUT_PROTOCOL = (Field.PROTOCOL, Field.DESTINATION_PORT)
_ENDS = (VerdictKind.ACCEPT, VerdictKind.DROP)


class _Tables:
    """Makes tables in which a chain leads only to later ones."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._maps: t.List[NamedMap] = []
        self._counters: t.List[str] = []
        self._chains = ["chain%d" % number for number in range(self._random.randint(2, 9))]

    def table(self) -> Table:
        chains = [
            TableChain(name, tuple(self._rules(self._chains[place + 1 :]))) for place, name in enumerate(self._chains)
        ]
        bases = [TableChain(hook, tuple(self._rules(self._chains)), hook=hook) for hook in ("input", "output")]
        return Table(
            counters=tuple(self._counters),
            sets=(),
            chains=(TableChain(MARKER_CHAIN), *chains, *bases),
            maps=tuple(self._maps),
        )

    def _rules(self, later: t.Sequence[str]) -> t.Iterator[TableRule]:
        rng = self._random
        for _rule in range(rng.randint(1, 6)):
            # nft refuses a rule about both families, and one about ICMP and another protocol.
            family = rng.choice((4, 6))
            matches = tuple(self._match(family) for _match in range(rng.choice((0, 0, 1, 2))))
            count = self._count()
            roll = rng.random()
            if roll < 0.6:
                about_protocol = any(match.field in _ABOUT_PROTOCOL for match in matches)
                named = self._map(family, later, icmp=not about_protocol)
                # A rule that asks a map has no other statement: nft checks what the map's fields need behind it.
                yield TableRule(matches, (count,))
                yield TableRule(matches, (Lookup(named.fields, named.name, self._prefix(named)),))
            elif matches or roll < 0.7:
                yield TableRule(matches, (count, self._verdict(later)))
            else:
                yield TableRule(matches, (count,))

    def _prefix(self, named: NamedMap) -> t.Optional[int]:
        """Of a key that is one address, often some of its bits."""
        addresses = {field: BITS[family] for family, fields in _OF_FAMILY.items() for field in fields[:2]}
        bits = addresses.get(named.fields[0]) if len(named.fields) == 1 else None
        return None if bits is None or self._random.random() < 0.4 else bits - self._random.choice((0, 1, 4, 8, 16))

    def _count(self) -> Count:
        self._counters.append("c%d" % len(self._counters))
        return Count(self._counters[-1])

    def _verdict(self, later: t.Sequence[str]) -> Verdict:
        rng = self._random
        if later and rng.random() < 0.7:
            return Verdict(rng.choice((VerdictKind.GOTO, VerdictKind.JUMP, VerdictKind.JUMP)), rng.choice(later))
        return Verdict(rng.choice(_ENDS))

    def _match(self, family: int) -> Match:
        rng = self._random
        if rng.random() < 0.3:
            return Match(Field.STATE, tuple(sorted(rng.sample(["new", "untracked", "invalid", "established"], 2))))
        field = rng.choice((*_OF_FAMILY[family][:2], *_ABOUT_PROTOCOL))
        return Match(field, IntervalSet([self._interval(field)]))

    def _map(self, family: int, later: t.Sequence[str], *, icmp: bool) -> NamedMap:
        rng = self._random
        refused = {*_OF_FAMILY[10 - family], *(() if icmp else _ICMP_TYPES)}
        fields = rng.choice([key for key in _KEYS if not refused & set(key)])
        elements: t.List[MapElement] = []
        for _attempt in range(rng.choice((3, 10, 40))):
            element = MapElement(tuple(self._interval(field) for field in fields), self._verdict(later))
            if overlap([*elements, element]) is None:
                elements.append(element)
        self._maps.append(NamedMap("map%d" % len(self._maps), fields, tuple(elements)))
        return self._maps[-1]

    def _interval(self, field: Field) -> Interval:
        rng = self._random
        if field is Field.FAMILY:
            return rng.choice(((2, 2), (10, 10)))
        if field is Field.PROTOCOL:
            return rng.choice(((_TCP, _TCP), (_UDP, _UDP), (_ICMP, _TCP), (_SCTP, _SCTP), (_OSPF, 255), (0, 255)))
        if field in (Field.ICMP_TYPE, Field.ICMPV6_TYPE):
            return rng.choice(((8, 8), (128, 128), (13, 13), (0, 127), (0, 255)))
        if field in (Field.SOURCE_PORT, Field.DESTINATION_PORT):
            low, span, last = rng.randint(*_PORTS), 6, 65535
        else:
            family = 4 if field in (Field.SOURCE4, Field.DESTINATION4) else 6
            low, span, last = _ADDRESSES[family] + rng.randrange(_SPAN), _SPAN, (1 << (32 if family == 4 else 128)) - 1
        roll = rng.random()
        if roll < 0.15:
            return 0, last
        return (low, low) if roll < 0.5 else (low, low + rng.randrange(1, span))


def _packets(seed: int, count: int) -> t.List[Packet]:
    rng = random.Random(seed)
    packets: t.List[Packet] = []
    while len(packets) < count:
        family = rng.choice((4, 6))
        protocol = rng.choice((_TCP, _UDP, _SCTP, _OSPF, _ICMP if family == 4 else _ICMPV6))
        with_ports = protocol in (_TCP, _UDP, _SCTP)
        icmp_type = None if with_ports or protocol == _OSPF else rng.choice((8, 13) if family == 4 else (128, 139))
        source, destination = (_ADDRESSES[family] + rng.randrange(1, _SPAN + 1) for _side in range(2))
        if source == destination:
            continue
        packets.append(
            Packet(
                direction=rng.choice(list(Direction)),
                family=family,
                protocol=protocol,
                source=source,
                destination=destination,
                source_port=rng.randint(_PORTS[0], _PORTS[1] + 2) if with_ports else None,
                destination_port=rng.randint(_PORTS[0], _PORTS[1] + 2) if with_ports else None,
                icmp_type=icmp_type,
                state=rng.choice((State.NEW, State.UNTRACKED)),
            )
        )
    return packets


@pytest.fixture(scope="module")
def lab() -> collections.abc.Iterator[VerdictLab]:
    reason = why_unavailable()
    if reason is not None:
        pytest.skip(reason)
    ensure_privileges()
    with VerdictLab(interfaces=["eth0"]) as made:
        yield made


def _in_the_place_of_ports(packet: Packet) -> t.Optional[t.Tuple[int, int]]:
    """The first octets behind the header, as the lab makes them: type, code and checksum of ICMP, or eight zeros."""
    if packet.source_port is not None:
        return None
    return (0, 0) if packet.icmp_type is None else (packet.icmp_type << 8, _SOME_CHECKSUM)


@pytest.mark.parametrize("seed", _SEEDS)
def test_the_model_decides_and_counts_as_the_kernel(lab: VerdictLab, seed: int) -> None:
    table = _Tables(seed).table()
    model = TableModel(table)
    packets = _packets(seed, _PACKETS)
    expected = [model.decide(packet, _in_the_place_of_ports(packet)) for packet in packets]
    lab.load(render_load(table))
    assert verdicts_of(lab, packets) == [one.action for one in expected]
    counts = collections.Counter(counter for one in expected for counter in one.counters)
    assert {name: seen for name, (seen, _octets) in lab.counters().items()} == {
        name: counts[name] for name in table.counters
    }


def _map_of(*keys: Interval) -> NamedMap:
    elements = tuple(MapElement((key,), Verdict(VerdictKind.ACCEPT)) for key in keys)
    return NamedMap("m", (Field.DESTINATION_PORT,), elements)


def _table_of(*rules: TableRule, chains: t.Sequence[TableChain] = (), maps: t.Sequence[NamedMap] = ()) -> Table:
    return Table((), (), (*chains, TableChain("input", rules, hook="input")), tuple(maps))


def _leads_to(name: str, kind: VerdictKind = VerdictKind.JUMP) -> TableRule:
    return TableRule((), (Verdict(kind, name),))


_LOOK_UP = TableRule((), (Lookup((Field.DESTINATION_PORT,), "m"),))


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        (_table_of(_LOOK_UP, maps=[_map_of((1, 5), (5, 9))]), "m"),
        (_table_of(_LOOK_UP, maps=[_map_of((7, 7), (1, 3), (7, 7))]), "m"),
        (_table_of(_LOOK_UP, maps=[_map_of()]), "empty"),
        (_table_of(_LOOK_UP, maps=[_map_of((1, 65536))]), "m"),
        (_table_of(maps=[_map_of((1, 1))]), "not asked"),
        (_table_of(_LOOK_UP), "not there"),
        (_table_of(TableRule((), (*_LOOK_UP.statements, Count("c"))), maps=[_map_of((1, 1))]), "beside"),
        (_table_of(_leads_to("nowhere")), "nowhere"),
        (_table_of(_leads_to("a"), chains=[TableChain("a", (_leads_to("a"),))]), "itself"),
        (
            _table_of(_leads_to("a"), chains=[TableChain("a", (_leads_to("b"),)), TableChain("b", (_leads_to("a"),))]),
            "itself",
        ),
        (
            _table_of(
                _leads_to("c0"),
                chains=[TableChain("c%d" % one, (_leads_to("c%d" % (one + 1)),)) for one in range(15)]
                + [TableChain("c15")],
            ),
            "16 deep",
        ),
        (_table_of(chains=[TableChain("a", constant=True)]), "a"),
        (_table_of(TableRule((Match(Field.SOURCE4, IntervalSet([(1, 5), (7, 8)])),), ())), "SOURCE4"),
    ],
    ids=[
        "overlap",
        "equal-keys",
        "no-elements",
        "too-large",
        "unused-map",
        "no-map",
        "two-statements",
        "no-chain",
        "loop",
        "longer-loop",
        "too-deep",
        "unused-chain",
        "anonymous-interval-set",
    ],
)
def test_the_checks_find_what_breaks_a_limit(table: Table, complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check_table(table)


def test_the_model_refuses_two_elements_for_one_packet() -> None:
    named = _map_of((1, 50), (40, 90), (200, 300), (301, 302), (400, 500))
    packet = Packet(Direction.INGRESS, 4, _TCP, 1, 2, source_port=1, destination_port=45)
    with pytest.raises(ModelError, match="2 elements"):
        TableModel(_table_of(_LOOK_UP, maps=[named])).decide(packet)
