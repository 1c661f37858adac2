# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packets and rulesets for the tests of the lab."""

from __future__ import annotations

import ipaddress
import random
import typing as t

from lab import packets
from lab.packets import LabPacket

INTERFACES = ("eth0", "eth1", "docker0", "br-lan")
STATES = ("new", "established", "related", "invalid", "untracked")

EVERYTHING = """
table inet palisade {
  counter in { }
  counter out { }
  chain input {
    type filter hook input priority filter; policy %(policy)s;
    counter name in
    %(rules)s
  }
  chain output {
    type filter hook output priority filter; policy %(policy)s;
    counter name out
    %(rules)s
  }
}
"""
REJECT_ALL = "meta l4proto tcp reject with tcp reset\n    reject with icmpx type admin-prohibited"


def ruleset(policy: str, rules: str = "") -> str:
    return EVERYTHING % {"policy": policy, "rules": rules}


def number(address: str) -> int:
    return int(ipaddress.ip_address(address))


def random_packets(seed: int, count: int) -> t.List[LabPacket]:
    """Packets of every kind that the lab can send, addresses from the whole range of each family."""
    source = random.Random(seed)
    found: t.List[LabPacket] = []
    kinds = list(packets.PORT_PROTOCOLS) * 2 + [1, 2, 47, 50, 51, 58, 58]
    flags = ["syn", "ack", "syn ack", "rst", "rst ack", "fin ack", "ack psh", "fin", ""]
    while len(found) < count:
        family = source.choice((4, 6))
        width = 32 if family == 4 else 128
        protocol = source.choice([*kinds, source.randrange(256)])
        packet = LabPacket(
            direction=source.choice(("ingress", "egress")),
            interface=source.choice((*INTERFACES, "lo")),
            family=family,
            protocol=protocol,
            source=source.getrandbits(width),
            destination=source.getrandbits(width),
            source_port=source.randrange(65536) if protocol in packets.PORT_PROTOCOLS else 0,
            destination_port=source.randrange(65536) if protocol in packets.PORT_PROTOCOLS else 0,
            icmp_type=source.randrange(256),
            icmp_code=source.randrange(16),
            tcp_flags=frozenset(source.choice(flags).split()) if protocol == packets.TCP else frozenset(),
            hop_limit=source.choice((0, 1, 64, 255)),
            state=source.choice(STATES),
            ct_direction=source.choice(("original", "reply")),
        )
        if packets.why_impossible(packet) is None:
            found.append(packet)
    return found


def packet(direction: str, protocol: int, state: str, **more: t.Any) -> LabPacket:
    """A packet between a host and a peer, both with documentation addresses."""
    family = more.pop("family", 4)
    here, there = ("192.0.2.1", "198.51.100.7") if family == 4 else ("2001:db8::1", "2001:db8:1::7")
    source, destination = (there, here) if direction == "ingress" else (here, there)
    flags = frozenset(more.pop("flags", "").split())
    ports = {"source_port": 40000, "destination_port": 22} if protocol in packets.PORT_PROTOCOLS else {}
    return LabPacket(
        direction,
        more.pop("interface", "eth0"),
        family,
        protocol,
        number(more.pop("source", source)),
        number(more.pop("destination", destination)),
        tcp_flags=flags,
        state=state,
        **{**ports, **more},
    )
