# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The policy of a server, of any number of rules, and packets that meet it.

Services one after another, each on a port or a range of ports: who may reach it, networks and single
hosts, now and then with a part of a network shut out before the network is let in; services for
everybody last. The first rule that matches decides, and what no rule matches is dropped. No rule is
hidden by an earlier one as a whole. Every tool can say all of it.
"""

from __future__ import annotations

import random
import typing as t
from dataclasses import dataclass

from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Direction
from ansible_collections.palisade.nftables.plugins.module_utils._policy.packet import Packet

#: Any fixed number; the figures of two runs are about the same policies.
_SEED = 20261122

PROTOCOLS: t.Mapping[str, int] = {"tcp": 6, "udp": 17}

#: The server's own address.
SERVER = 0xC0000201  # 192.0.2.1

#: Where clients are: 198.18.0.0/15, of RFC 2544.
_CLIENTS, _CLIENTS_LENGTH = 0xC6120000, 15

#: Lengths of prefixes as often as they occur.
_LENGTHS = (32, 32, 32, 32, 30, 28, 27, 26, 24, 24, 24, 22, 20)


#: What the first services are; the others have ports of their own.
_WELL_KNOWN = (
    ("tcp", 22, 22),
    ("tcp", 443, 443),
    ("udp", 60000, 61000),
    ("tcp", 5432, 5432),
    ("udp", 161, 161),
    ("tcp", 9100, 9109),
    ("tcp", 25, 25),
    ("udp", 51820, 51820),
    ("tcp", 80, 80),
    ("tcp", 3306, 3306),
    ("tcp", 8000, 8099),
    ("udp", 514, 514),
    ("tcp", 6379, 6379),
    ("tcp", 993, 993),
    ("udp", 53, 53),
    ("tcp", 30000, 32767),
)
_PUBLIC = frozenset({25, 53, 80, 443})


@dataclass(frozen=True)
class Prefix:
    """IPv4 addresses of one prefix."""

    address: int
    length: int

    def __str__(self) -> str:
        return self.cidr[:-3] if self.length == 32 else self.cidr

    @property
    def cidr(self) -> str:
        """With the length, also of a single address."""
        return "%s/%d" % (".".join(str(octet) for octet in self.address.to_bytes(4, "big")), self.length)

    def within(self, length: int) -> Prefix:
        """The shorter prefix that this one is a part of."""
        return Prefix(self.address >> (32 - length) << (32 - length), length)

    def overlaps(self, other: Prefix) -> bool:
        return (
            self.within(min(self.length, other.length)).address == other.within(min(self.length, other.length)).address
        )


class Rule(t.NamedTuple):
    """One rule.

    Attributes:
        policy: The service that it belongs to.
        low, high: The ports, both included.
        source: None means everybody.
    """

    policy: str
    protocol: str
    low: int
    high: int
    source: t.Optional[Prefix]
    accept: bool

    def ports(self, joint: str = "-") -> str:
        """The ports as text, with what the tool writes between the two of a range."""
        return str(self.low) if self.low == self.high else "%d%s%d" % (self.low, joint, self.high)

    def shares_ports(self, other: Rule) -> bool:
        return self.protocol == other.protocol and self.low <= other.high and other.low <= self.high

    def overlaps(self, other: Rule) -> bool:
        """Whether there is a packet that both match."""
        return self.shares_ports(other) and (
            self.source is None or other.source is None or self.source.overlaps(other.source)
        )


def server_policy(count: int) -> t.List[Rule]:
    """The policy of that many rules."""
    rng = random.Random(_SEED + count)
    services = max(3, round(count**0.7))
    each = count / services
    seen = _Covered()
    listed: t.List[Rule] = []
    while len(listed) < count:
        for rule in _service(rng, seen.services, each):
            if len(listed) < count and seen.add(rule):
                listed.append(rule)
        seen.services += 1
    return listed


class _Covered:
    """Rules so far, to find those that an earlier one covers."""

    def __init__(self) -> None:
        self.services = 0
        self._sources: t.Dict[t.Tuple[str, int, int], t.Set[t.Optional[Prefix]]] = {}

    def add(self, rule: Rule) -> bool:
        """Takes a rule in, unless one rule before it matches everything that it matches."""
        wider: t.List[t.Optional[Prefix]] = [None]
        if rule.source is not None:
            wider += [rule.source.within(length) for length in range(_CLIENTS_LENGTH, rule.source.length + 1)]
        for (protocol, low, high), sources in self._sources.items():
            if protocol == rule.protocol and low <= rule.low and rule.high <= high and not sources.isdisjoint(wider):
                return False
        self._sources.setdefault((rule.protocol, rule.low, rule.high), set()).add(rule.source)
        return True


def _service(rng: random.Random, number: int, rules: float) -> t.Iterator[Rule]:
    """Some ``rules`` rules about one port or range of ports."""
    name = "service%d" % number
    if number < len(_WELL_KNOWN):
        protocol, low, high = _WELL_KNOWN[number]
        public = low in _PUBLIC
    else:
        protocol = rng.choice(("tcp", "tcp", "tcp", "udp"))
        low = rng.randrange(1024, 60000)
        high = low if rng.random() < 0.85 else low + rng.choice((1, 9, 99, 1000))
        public = rng.random() < 0.2
    for _index in range(max(1, round(rng.uniform(0.5, 1.5) * rules))):
        source = _prefix(rng)
        if public:
            # Everybody is let in below; here are those who are not.
            yield Rule(name, protocol, low, high, source, accept=False)
            continue
        if source.length <= 28 and rng.random() < 0.3:
            part = source.address + rng.randrange(1 << (32 - source.length))
            shut = Prefix(part, 32).within(rng.randrange(source.length + 2, 33))
            yield Rule(name, protocol, low, high, shut, accept=False)
        yield Rule(name, protocol, low, high, source, accept=True)
    if public:
        yield Rule(name, protocol, low, high, None, accept=True)


def _prefix(rng: random.Random) -> Prefix:
    address = _CLIENTS + rng.randrange(1 << (32 - _CLIENTS_LENGTH))
    return Prefix(address, 32).within(rng.choice(_LENGTHS))


def role_variables(rules: t.Sequence[Rule]) -> t.Dict[str, object]:
    """The policy as variables of the role, a policy for each service."""
    policies: t.Dict[str, t.Dict[str, t.List[object]]] = {}
    for rule in rules:
        written: t.Dict[str, object] = {
            "direction": "ingress",
            "protocol": rule.protocol,
            "destination_ports": [rule.ports()],
            "action": "accept" if rule.accept else "drop",
        }
        if rule.source is not None:
            written["sources"] = [str(rule.source)]
        policies.setdefault(rule.policy, {"rules": []})["rules"].append(written)
    return {"firewall_policies": policies, "firewall_assigned": list(policies)}


def packets_for(rules: t.Sequence[Rule], count: int) -> t.List[Packet]:
    """New flows from clients, drawn evenly over the rules: each is one that its rule matches."""
    rng = random.Random(_SEED)
    order = [rules[position % len(rules)] for position in range(count)]
    if count < len(rules):
        order = rng.sample(list(rules), count)
    rng.shuffle(order)
    return [_packet(rng, rule.protocol, rng.randint(rule.low, rule.high), rule.source) for rule in order]


def strangers(count: int) -> t.List[Packet]:
    """New flows to any port, which hardly ever meet a rule."""
    rng = random.Random(_SEED)
    return [_packet(rng, rng.choice(("tcp", "udp")), rng.randrange(1, 65536), None) for _index in range(count)]


def _packet(rng: random.Random, protocol: str, port: int, source: t.Optional[Prefix]) -> Packet:
    prefix = source or Prefix(_CLIENTS, _CLIENTS_LENGTH)
    return Packet(
        Direction.INGRESS,
        4,
        PROTOCOLS[protocol],
        prefix.address + rng.randrange(1 << (32 - prefix.length)),
        SERVER,
        source_port=rng.randrange(32768, 61000),
        destination_port=port,
    )
