# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the constants of the cost model are measured with: single kinds of rules and lookups, as nft text."""

from __future__ import annotations

import ipaddress
import random
import typing as t

from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto import costs
from lab import packets
from lab.packets import LabPacket
from lab.ring import INTERFACE

_SEED = 20261123

#: Packets of a probe; a map with fewer elements is asked for each of them again.
_PACKETS = 1024

_NOT_THERE = ", no element"

#: Sizes of maps and sets.
SIZES = (10, 100, 1000, 10000)

#: How often one packet meets what is measured; a lookup that takes long is met once.
_JUMPS = 16
MAPS = 8

#: Linear rules in a row, and how often one packet meets the row.
_RULES = 100
_ROWS = 4

#: The first address of the flows that maps know, and of those that they do not know.
_FIRST = {4: 0xC6120000, 6: 0x20010DB8 << 96}
_FIRST_STRAY = 0xC6130000
_FIRST_PORT = 1024


class Probe(t.NamedTuple):
    """One thing to measure.

    Attributes:
        title: What it is, for a reader.
        bodies: Chains by the rules that they have; a packet jumps to each of them.
        packets: What is sent.
        declarations: Sets, maps, counters and chains of the table, as nft text.
        divisor: Of what is measured there are so many in one body.
        model: Nanoseconds by the compiler's cost model; None where it has no such thing.
        elements: Of each map or set; 0 where there is none.
        maps: How many maps with the same elements are asked in turn.
        is_jump: It is the jump to a body, whose cost is taken away from all others.
    """

    title: str
    bodies: t.Sequence[str]
    packets: t.Sequence[LabPacket]
    declarations: str = ""
    divisor: int = 1
    model: t.Optional[float] = None
    elements: int = 0
    maps: int = 1
    is_jump: bool = False


class Flow(t.NamedTuple):
    """What tells UDP packets apart here."""

    source: int
    destination: int
    source_port: int
    destination_port: int
    family: int = 4

    def packet(self) -> LabPacket:
        return LabPacket("ingress", INTERFACE, self.family, packets.UDP, *self[:4])


class _Key(t.NamedTuple):
    """A field of a map's key: its nft type, its expression, what an element has for a flow, and the model's octets."""

    type: str
    expression: str
    element: t.Callable[[Flow], str]
    octets: int = 4


def _address4(address: int) -> str:
    return str(ipaddress.IPv4Address(address))


def _address6(address: int) -> str:
    return str(ipaddress.IPv6Address(address))


_KEYS: t.Mapping[str, _Key] = {
    "source": _Key("ipv4_addr", "ip saddr", lambda flow: _address4(flow.source)),
    "destination": _Key("ipv4_addr", "ip daddr", lambda flow: _address4(flow.destination)),
    "source6": _Key("ipv6_addr", "ip6 saddr", lambda flow: _address6(flow.source), 16),
    "destination6": _Key("ipv6_addr", "ip6 daddr", lambda flow: _address6(flow.destination), 16),
    "protocol": _Key("inet_proto", "meta l4proto", lambda _flow: "udp"),
    "source port": _Key("inet_service", "th sport", lambda flow: str(flow.source_port)),
    "any source port": _Key("inet_service", "th sport", lambda _flow: "0-65535"),
    "port": _Key("inet_service", "th dport", lambda flow: str(flow.destination_port)),
    "ports from 1024": _Key("inet_service", "th dport", lambda _flow: "1024-65535"),
}

#: Fields that all elements share.
_SHARED = frozenset({"protocol", "any source port", "ports from 1024"})


class Flows:
    """Random flows of documentation addresses, the same ones every time."""

    def __init__(self) -> None:
        self._rng = random.Random(_SEED)

    def some(self, count: int, family: int = 4) -> t.List[Flow]:
        """Flows that differ in every field."""
        first = _FIRST[family]
        return [
            Flow(first + source, first + destination, source_port, port, family)
            for source, destination, source_port, port in zip(
                self._rng.sample(range(1 << 16), count),
                self._rng.sample(range(1 << 16), count),
                self._rng.sample(range(_FIRST_PORT, 1 << 16), count),
                self._rng.sample(range(_FIRST_PORT, 1 << 16), count),
            )
        ]

    def strays(self) -> t.List[LabPacket]:
        """Packets that none of the others is like in any field."""
        rng = self._rng
        return [
            Flow(
                _FIRST_STRAY + rng.randrange(1 << 16),
                _FIRST_STRAY + rng.randrange(1 << 16),
                rng.randrange(500, _FIRST_PORT),
                rng.randrange(500, _FIRST_PORT),
            ).packet()
            for _packet in range(_PACKETS)
        ]

    def packets(self, flows: t.Sequence[Flow]) -> t.List[LabPacket]:
        """Packets drawn evenly over the flows, in no order."""
        repeated = [flows[position % len(flows)] for position in range(max(_PACKETS, len(flows)))]
        return [flow.packet() for flow in self._rng.sample(repeated, _PACKETS)]


def every_probe() -> t.Iterator[Probe]:
    """All of them, the jump first."""
    flows = Flows()
    stray = flows.strays()
    yield from _steps(stray)
    yield from _linear(stray, flows.packets(flows.some(_PACKETS, 6)))
    for size in SIZES:
        yield from _lookups(flows, size)


def _steps(stray: t.Sequence[LabPacket]) -> t.Iterator[Probe]:
    yield Probe("jump to an empty chain, and back", [""] * _JUMPS, stray, model=costs.JUMP, is_jump=True)
    bare = "chain bare {\n}\n"
    yield Probe("goto an empty chain", ["goto bare"] * _JUMPS, stray, bare, model=costs.JUMP)
    one = "counter one { }\n"
    yield Probe("named counter", ['counter name "one"'] * _JUMPS, stray, one, model=costs.DECIDE)
    numbers = range(_JUMPS)
    many = "".join("counter c%d { }\n" % number for number in numbers)
    bodies = ['counter name "c%d"' % number for number in numbers]
    yield Probe("named counter, a different one each time", bodies, stray, many, model=costs.DECIDE)


def _linear(stray: t.Sequence[LabPacket], stray6: t.Sequence[LabPacket]) -> t.Iterator[Probe]:
    """Rules that do not match, a row of them; the packets are UDP from 198.18.0.0/15."""
    kinds = {
        "an address": "ip saddr 192.0.2.%(n)d accept",
        "a prefix": "ip saddr 10.0.%(n)d.0/24 accept",
        "a prefix, by its mask": "ip saddr & 255.255.255.0 == 10.0.%(n)d.0 accept",
        "a prefix of 23 bits": "ip saddr 10.%(n)d.2.0/23 accept",
        "an IPv6 prefix": "ip6 saddr 2001:db8:ffff:%(n)x::/64 accept",
        "a protocol": "meta l4proto %(other)d accept",
        "a port of another protocol": "tcp dport %(n)d accept",
        "a port": "udp dport %(n)d accept",
        "a range of ports": "udp dport %(n)d-%(last)d accept",
        "one of three ports": "udp dport { %(n)d, %(last)d, 300 } accept",
        "a prefix, and ports that match": "ip saddr 10.0.%(n)d.0/24 udp dport 500-65535 accept",
        "a prefix that matches, and a port": "ip saddr 198.18.0.0/15 udp dport %(n)d accept",
        "an interface": 'iifname "eth%(n)d" accept',
        "a connection state": "ct state established accept",
    }
    for title, form in kinds.items():
        row = "\n".join(form % {"n": n, "last": n + 100, "other": 100 + n % 30} for n in range(1, _RULES + 1))
        sent = stray6 if "IPv6" in title else stray
        yield Probe("rule that asks for " + title, [row] * _ROWS, sent, divisor=_RULES, model=costs.RULE)
    for rules in (10, 1000):
        row = "\n".join("ip saddr 10.%d.%d.0/24 accept" % divmod(number, 250) for number in range(rules))
        title = "rule that asks for a prefix, %d in a row" % rules
        yield Probe(title, [row] * max(1, _RULES * _ROWS // rules), stray, divisor=rules, model=costs.RULE)
    row = "\n".join(["ip saddr @those accept"] * 10)
    those = "set those {\ntype ipv4_addr\nflags interval\nelements = { 192.0.2.0/25, 203.0.113.0-203.0.113.9 }\n}\n"
    title = "rule that asks for a named set of two intervals"
    yield Probe(title, [row] * _JUMPS, stray, those, divisor=10, model=costs.RULE_WITH_SET)


class _Sample(t.NamedTuple):
    """The flows that maps of one size know, packets of them, and packets of others."""

    flows: t.Sequence[Flow]
    known: t.Sequence[LabPacket]
    strays: t.Sequence[LabPacket]


def _lookups(flows: Flows, size: int) -> t.Iterator[Probe]:
    some, some6 = flows.some(size), flows.some(size, 6)
    strays = flows.strays()
    sample = _Sample(some, flows.packets(some), strays)
    sample6 = _Sample(some6, flows.packets(some6), strays)
    for fields in ("port", "destination", "protocol . port", "destination . source . port . protocol . source port"):
        yield from _in_turn(fields, sample)
    yield _lookup("port", sample, stray=True)
    yield from _trees(sample)
    # From one another told apart by the first field, as the compiler does it: what comes behind has little to do.
    for fields in (
        "destination . port",
        "destination . protocol . port",
        "destination . source . protocol . port",
        "destination . source . port . protocol . source port",
        "destination . source . port . protocol . any source port",
        "destination . source . ports from 1024 . protocol . any source port",
    ):
        yield from _in_turn(fields, sample, intervals=True)
    yield _lookup("destination . port", sample, intervals=True, stray=True)
    yield _lookup("destination6 . port", sample6, intervals=True)
    yield _lookup("destination6 . source6 . port . protocol . source port", sample6, intervals=True)
    # And by the second field, which takes so long that a packet meets it once.
    yield _lookup("protocol . destination . port", sample, intervals=True, jumps=1)
    yield _lookup("any source port . destination . port", sample, intervals=True, jumps=1)


def _trees(sample: _Sample) -> t.Iterator[Probe]:
    """Intervals of a single field."""
    size = len(sample.flows)
    pairs = sorted({flow.source & ~1 for flow in sample.flows})
    for kind, declared, element, body in (
        ("map", "ipv4_addr : verdict", "%s/31 : return", "ip saddr vmap @m%d"),
        ("set", "ipv4_addr", "%s/31", "ip saddr @m%d return"),
    ):
        elements = ", ".join(element % _address4(low) for low in pairs)
        block = "%s m%%d {\ntype %s\nflags interval\nelements = { %s }\n}\n" % (kind, declared, elements)
        title = "%s of intervals: address" % kind
        model = costs.interval_lookup(len(pairs))
        for maps in (1, MAPS):
            bodies = [body % (number % maps) for number in range(_JUMPS)]
            declarations = "".join(block % number for number in range(maps))
            yield Probe(title, bodies, sample.known, declarations, model=model, elements=size, maps=maps)
        bodies = [body % 0] * _JUMPS
        yield Probe(title + _NOT_THERE, bodies, sample.strays, block % 0, model=model, elements=size)


def _in_turn(fields: str, sample: _Sample, *, intervals: bool = False) -> t.Iterator[Probe]:
    yield _lookup(fields, sample, intervals=intervals)
    yield _lookup(fields, sample, intervals=intervals, maps=MAPS)


def _lookup(
    fields: str,
    sample: _Sample,
    *,
    intervals: bool = False,
    maps: int = 1,
    jumps: int = _JUMPS,
    stray: bool = False,
) -> Probe:
    """A verdict map with an element for each flow, or several with the same elements."""
    names = fields.split(" . ")
    keys = [_KEYS[name] for name in names]
    elements = sorted({" . ".join(key.element(flow) for key in keys) for flow in sample.flows})
    text = "type %s : verdict\n%selements = { %s }\n" % (
        " . ".join(key.type for key in keys),
        "flags interval\n" if intervals else "",
        ", ".join(element + " : return" for element in elements),
    )
    expression = " . ".join(key.expression for key in keys)
    kind = "map of %s%s: " % ("concatenated " if len(keys) > 1 else "", "intervals" if intervals else "values")
    size = len(sample.flows)
    return Probe(
        kind + fields.replace("6", " in IPv6") + (_NOT_THERE if stray else ""),
        ["%s vmap @m%d" % (expression, number % maps) for number in range(max(jumps, maps))],
        sample.strays if stray else sample.known,
        "".join("map m%d {\n%s}\n" % (number, text) for number in range(maps)),
        model=_model(names, size) if intervals else costs.exact_lookup(),
        elements=size,
        maps=maps,
    )


def _model(names: t.Sequence[str], size: int) -> float:
    """What the compiler takes for the cost of a map of concatenated intervals."""
    left, now = 0, size
    for name in names[:-1]:
        now = now if name in _SHARED else 1
        left += now
    octets = sum(_KEYS[name].octets for name in names)
    return costs.concatenated_lookup(size, octets, len(names), left)
