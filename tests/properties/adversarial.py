# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies that are hard to compile: each shape of overlap on purpose, and small dense ones at random.

Addresses lie in the pools of :mod:`.generate`, whose packets look for the corners of rules there.
"""

from __future__ import annotations

import ipaddress
import random
import typing as t

Rule = t.Dict[str, t.Any]
Shape = t.Callable[[random.Random, int], t.List[Rule]]

_BASES = {4: int(ipaddress.IPv4Address("198.18.0.0")), 6: int(ipaddress.IPv6Address("2001:db8::"))}
_BITS = {4: 32, 6: 128}


def _address(family: int, value: int) -> str:
    return str(ipaddress.IPv4Address(value) if family == 4 else ipaddress.IPv6Address(value))


def _prefix(number: int, length: int, *, family: int = 4) -> str:
    """The prefix of a length, counted from the end (0 is one address), around the pool's address of a number."""
    value = (_BASES[family] + number) >> length << length
    return "%s/%d" % (_address(family, value), _BITS[family] - length)


def _range(first: int, last: int, *, family: int = 4) -> str:
    base = _BASES[family]
    return "%s-%s" % (_address(family, base + first), _address(family, base + last))


def _rule(rng: random.Random, actions: t.Sequence[str] = ("accept", "drop"), **conditions: t.Any) -> Rule:
    direction = "egress" if rng.random() < 0.25 else "ingress"
    return {"direction": direction, "action": rng.choice(actions), **conditions}


def nested(rng: random.Random, count: int) -> t.List[Rule]:
    """Prefixes inside prefixes inside prefixes, on one side or both, the wide ones anywhere."""
    rules = []
    for _rule_number in range(count):
        family = rng.choice((4, 4, 6))
        sides = rng.choice((("sources",), ("destinations",), ("sources", "destinations")))
        # Around few addresses, so that most pairs contain each other.
        conditions = {
            side: [_prefix(rng.choice((5, 0x4321, 0x1FF00)), rng.randint(0, 15), family=family)] for side in sides
        }
        rules.append(_rule(rng, **conditions))
    return rules


def crosses(rng: random.Random, count: int) -> t.List[Rule]:
    """A wide source to a narrow destination, a narrow source to a wide destination, in turn."""
    rules = []
    for number in range(count):
        wide, narrow = (
            _prefix(rng.randrange(1 << 16), rng.randint(9, 16)),
            _prefix(rng.randrange(64), rng.randint(0, 3)),
        )
        sides = ("sources", "destinations") if number % 2 else ("destinations", "sources")
        rule = _rule(rng, **dict(zip(sides, ([wide], [narrow]))))
        rule["action"] = ("accept", "drop")[number // 2 % 2]
        rules.append(rule)
    return rules


def staircase(rng: random.Random, count: int) -> t.List[Rule]:
    """Each rule meets every other one: its sources begin where those of the next one do, its destinations end there."""
    rules = []
    for number in range(count):
        rule = _rule(rng, sources=[_range(number, 2 * count)], destinations=[_range(0, 2 * count - number)])
        rules.append({**rule, "direction": "ingress"})
    if rng.random() < 0.5:
        rng.shuffle(rules)
    return rules


def staggered(rng: random.Random, count: int) -> t.List[Rule]:
    """Ranges that are no prefixes, each of them reaching into the next few."""
    rules = []
    for number in range(count):
        family = rng.choice((4, 6))
        first = 7 * number + rng.randrange(5)
        conditions: t.Dict[str, t.Any] = {
            rng.choice(("sources", "destinations")): [_range(first, first + rng.randint(1, 40), family=family)]
        }
        if rng.random() < 0.5:
            low = rng.randrange(1, 60000)
            conditions.update(protocol="tcp", destination_ports=["%d-%d" % (low, low + rng.randrange(4000))])
        rules.append(_rule(rng, **conditions))
    rng.shuffle(rules)
    return rules


def equal_keys(rng: random.Random, count: int) -> t.List[Rule]:
    """Thousands of rules and hardly a dozen keys: nearly all of them are never reached."""
    keys: t.List[t.Dict[str, t.Any]] = [
        {
            "sources": [_prefix(number % 5, number % 3)],
            "destinations": [_prefix(number, 0)],
            "protocol": ("tcp", "udp")[number % 2],
            "destination_ports": [80 + number % 4],
        }
        for number in range(12)
    ]
    return [{**_rule(rng), **rng.choice(keys)} for _rule_number in range(count)]


def one_key(rng: random.Random, count: int) -> t.List[Rule]:
    """One destination and one port for all, told apart by sources that overlap."""
    return [
        _rule(rng, protocol="tcp", destination_ports=[443], destinations=[_prefix(9, 0)], sources=[one])
        for one in (_prefix(rng.randrange(256), rng.choice((0, 0, 0, 1, 2, 8))) for _rule_number in range(count))
    ]


def ports(rng: random.Random, count: int) -> t.List[Rule]:
    """Port ranges on both sides, without an address."""
    rules = []
    for _rule_number in range(count):
        conditions: t.Dict[str, t.Any] = {"protocol": rng.choice(("tcp", "udp", "sctp", ["tcp", "udp"]))}
        for side in rng.choice((["source_ports"], ["destination_ports"], ["source_ports", "destination_ports"])):
            low = rng.choice((0, 1, 22, 1000, 1024, 5000, rng.randrange(65536)))
            conditions[side] = ["%d-%d" % (low, min(65535, low + rng.choice((0, 0, 1, 100, 30000, 65535))))]
        rules.append(_rule(rng, **conditions))
    return rules


def scattered_ports(rng: random.Random, count: int) -> t.List[Rule]:
    """One port each, of TCP or UDP, all over the range; hardly an address, and some that are not about ports."""
    rules = []
    for _rule_number in range(count):
        if rng.random() < 0.01:
            rules.append(_rule(rng, protocol=rng.choice(("icmp", "gre")), sources=[_prefix(rng.randrange(4), 2)]))
            continue
        conditions: t.Dict[str, t.Any] = {"sources": [_prefix(rng.randrange(64), 2)]} if rng.random() < 0.3 else {}
        number = rng.randrange(1, 65536)
        rules.append(_rule(rng, protocol=rng.choice(("tcp", "udp")), destination_ports=[number], **conditions))
    return rules


def mixed_families(rng: random.Random, count: int) -> t.List[Rule]:
    """Both families in one list, one side or both, beside rules that name no address."""
    rules = []
    for _rule_number in range(count):
        conditions: t.Dict[str, t.Any] = {}
        for side in rng.choice(((), ("sources",), ("destinations",), ("sources", "destinations"))):
            conditions[side] = [
                _prefix(rng.randrange(512), rng.randint(0, 8), family=family) for family in (4, 6, rng.choice((4, 6)))
            ]
        if not conditions or rng.random() < 0.6:
            protocol = rng.choice(("tcp", "udp"))
            conditions.update(protocol=protocol, destination_ports=[rng.choice((22, 53, 80, "8000-8100"))])
        rules.append(_rule(rng, **conditions))
    return rules


def long_lists(rng: random.Random, count: int) -> t.List[Rule]:
    """Many addresses and many ports in one rule."""
    rules = []
    for _rule_number in range(max(4, count // 12)):
        conditions: t.Dict[str, t.Any] = {}
        for side in rng.choice((("sources",), ("destinations",), ("sources", "destinations"))):
            many = rng.choice((3, 40, 150))
            conditions[side] = [_prefix(rng.randrange(1 << 14), rng.choice((0, 0, 1, 4))) for _entry in range(many)]
        if rng.random() < 0.7:
            low = rng.randrange(1, 2000)
            conditions.update(
                protocol=rng.choice(("tcp", "udp", ["tcp", "udp"])),
                destination_ports=[low + 3 * step for step in range(rng.choice((1, 2, 20, 60)))],
            )
        rules.append(_rule(rng, ("accept", "drop", "reject"), **conditions))
    return rules


def protocols(rng: random.Random, count: int) -> t.List[Rule]:
    """What has ports, what has none, what belongs to one family, and any protocol, over the same addresses."""
    rules = []
    for _rule_number in range(count):
        protocol = rng.choice(("any", "tcp", "udp", "icmp", "icmpv6", "gre", "esp", 89, ["tcp", "gre"], "sctp", 2))
        family = {"icmp": 4, "icmpv6": 6}.get(str(protocol), rng.choice((4, 6)))
        conditions: t.Dict[str, t.Any] = {"protocol": protocol}
        if rng.random() < 0.8:
            length = rng.choice((0, 1, 2, 10))
            conditions[rng.choice(("sources", "destinations"))] = [_prefix(rng.randrange(32), length, family=family)]
        if protocol in ("tcp", "udp", "sctp") and rng.random() < 0.7:
            conditions["destination_ports"] = [rng.choice((0, 22, 80, 2048, "0-1023", "2048-2303", "1024-65535"))]
        if protocol in ("icmp", "icmpv6") and rng.random() < 0.6:
            conditions["icmp_types"] = rng.choice((["echo-request"], [13, 139], [8, 128]))
        rules.append(_rule(rng, ("accept", "drop", "reject"), **conditions))
    return rules


def grid(rng: random.Random, count: int) -> t.List[Rule]:
    """Single sources to single destinations, and now and then a whole row or column of them."""
    side = max(4, round(count**0.5))
    rules = []
    for _rule_number in range(count):
        row, column = [_prefix(2 * rng.randrange(side), 0)], [_prefix(2 * rng.randrange(side), 0)]
        roll = rng.random()
        conditions = {"sources": row} if roll < 0.05 else {"destinations": column} if roll < 0.1 else {}
        rules.append(_rule(rng, **(conditions or {"sources": row, "destinations": column})))
    return rules


def alternating(rng: random.Random, count: int) -> t.List[Rule]:
    """Accept and drop in turn, each rule a little wider than the one before, to the same few ports."""
    rules = []
    for number in range(count):
        wide = _range(max(0, 3000 - 3 * number), 3000 + 3 * number)
        rule = _rule(rng, protocol="tcp", destination_ports=[(80, 443)[number % 2]], sources=[wide])
        rules.append({**rule, "action": ("accept", "drop")[number % 2], "direction": "ingress"})
    return rules


SHAPES: t.Mapping[str, Shape] = {
    shape.__name__: shape
    for shape in (
        nested,
        crosses,
        staircase,
        staggered,
        equal_keys,
        one_key,
        ports,
        scattered_ports,
        mixed_families,
        long_lists,
        protocols,
        grid,
        alternating,
    )
}


def dense(rng: random.Random, count: int, profile: str = "host") -> t.List[Rule]:
    """Rules from so few values of each field that nearly all of them meet."""
    rules: t.List[Rule] = []
    for _rule_number in range(count):
        if profile == "contabo":
            rule = {"direction": "ingress", "action": "accept"}
        else:
            rule = _rule(rng, ("accept", "drop", "reject") if profile == "host" else ("accept", "drop"))
        names = ("tcp", "udp", "icmp", "any") if profile == "contabo" else ("tcp", "udp", "icmp", "icmpv6")
        protocol = rng.choice((*names, "tcp", "udp", *(("any", "gre", "sctp") if profile == "host" else ())))
        rule["protocol"] = protocol
        if protocol in ("tcp", "udp", "sctp"):
            for side in ("destination_ports",) if profile == "contabo" else ("destination_ports", "source_ports"):
                if rng.random() < 0.4:
                    rule[side] = [rng.choice((22, 80, "22-80", "80-1000", "0-79", "23-65535"))]
        elif protocol in ("icmp", "icmpv6") and profile == "host" and rng.random() < 0.5:
            rule["icmp_types"] = ["echo-request"]
        family = {"icmp": 4, "icmpv6": 6}.get(protocol, rng.choice((4, 4, 6)))
        for side in ("sources",) if profile == "contabo" else ("sources", "destinations"):
            if rng.random() < 0.5:
                number = rng.randrange(1, 9)
                forms = [_prefix(number, rng.randrange(4), family=family), _prefix(number, 0, family=family)]
                if profile == "host":
                    forms.append(_range(number, number + rng.randrange(1, 5), family=family))
                rule[side] = [rng.choice(forms)]
        rules.append(rule)
    return rules


def variables(rules: t.Sequence[Rule], rng: random.Random, profile: str = "host") -> t.Dict[str, t.Any]:
    """Role variables with the rules in up to three policies, in order, under random defaults."""
    cuts = sorted(rng.randrange(len(rules) + 1) for _cut in range(rng.randrange(3)))
    parts = [rules[start:end] for start, end in zip([0, *cuts], [*cuts, len(rules)])]
    policies = {"part-%d" % number: {"rules": list(part)} for number, part in enumerate(parts)}
    defaults = {
        "host": ("auto", "accept", "drop", "reject"),
        "netcup": ("auto", "accept", "drop"),
        "contabo": ("auto",),
    }
    found: t.Dict[str, t.Any] = {
        "firewall_profile": profile,
        "firewall_policies": policies,
        "firewall_assigned": list(policies),
        "firewall_default_ingress": rng.choice(defaults[profile]),
        "firewall_default_egress": rng.choice(defaults[profile]),
    }
    if rng.random() < 0.5:
        found["firewall_default_policies"] = []
    return found
