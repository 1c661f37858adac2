# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random policies with heavy overlaps, and packets that lie on the edges of their rules."""

from __future__ import annotations

import ipaddress
import random
import typing as t

from ansible_collections.palisade.nftables.plugins.module_utils._core.intervals import IntervalSet
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import (
    Direction,
    FlowDirection,
    Rule,
    State,
    Traffic,
)
from ansible_collections.palisade.nftables.plugins.module_utils._policy.packet import Packet
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import Program
from lab.packets import why_impossible
from tests.packets.kernel import lab_packet

#: Where addresses come from: few, nested and small, so that rules overlap in every shape.
_POOLS: t.Mapping[int, t.Tuple[t.Any, ...]] = {
    4: (ipaddress.ip_network("198.18.0.0/15"), ipaddress.ip_network("203.0.113.0/24")),
    6: (ipaddress.ip_network("2001:db8::/40"), ipaddress.ip_network("2001:db8:ffff::/112")),
}
_PORTS = (1, 22, 53, 80, 443, 1000, 1024, 8000, 32768, 65535)
_PROTOCOLS = ("tcp", "udp", "icmp", "icmpv6", "sctp", "gre", "esp", 89)
_INTERFACES = ("eth0", "eth1", "docker0", "br-lan")
_ICMP_TYPES = {
    "icmp": ("echo-request", "destination-unreachable", 13),
    "icmpv6": ("echo-request", "packet-too-big", 139),
}
_ICMP, _TCP, _UDP, _SCTP, _ICMPV6 = 1, 6, 17, 132, 58
_WITH_PORTS = (_TCP, _UDP, _SCTP)

#: Neighbour and multicast listener discovery: conntrack never tracks them.
_DISCOVERY = (130, 131, 132, 133, 134, 135, 136, 143)


class PolicyGenerator:
    """Makes role variables, in plain data, so that the parser is part of what is tested."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def variables(self, rules: int) -> t.Dict[str, object]:
        """Role variables with ``rules`` rules in a few policies, under a random profile and random defaults."""
        rng = self._random
        profile = rng.choice(("host", "host", "netcup"))
        networks = {"net%d" % index: self._addresses(46, 6) for index in range(8)}
        policies: t.Dict[str, object] = {}
        left = rules
        while left > 0:
            size = min(left, rng.randint(1, max(1, rules // 3)))
            name = "policy%d" % len(policies)
            policies[name] = {"rules": [self._rule(profile, list(networks)) for _index in range(size)]}
            left -= size
        defaults = ("auto", "auto", "accept", "drop") + (("reject",) if profile == "host" else ())
        variables: t.Dict[str, object] = {
            "firewall_profile": profile,
            "firewall_networks": networks,
            "firewall_policies": policies,
            "firewall_assigned": [{"policy": name, "order": rng.randint(1, 3)} for name in policies],
            "firewall_default_ingress": rng.choice(defaults),
            "firewall_default_egress": rng.choice(defaults),
            "firewall_safeguards": {
                "dns": rng.choice((False, True, ["203.0.113.53", "2001:db8:ffff::53"])),
                "ntp": rng.choice((False, True)),
                "dhcp": rng.choice((False, True)),
                "ssh": rng.choice((False, True, {"ports": [2222], "sources": ["net0"]})),
            },
        }
        if rng.random() < 0.3:
            variables["firewall_interfaces"] = rng.choice((["eth0"], ["eth*"], ["eth1", "docker0"]))
        return variables

    def _rule(self, profile: str, networks: t.Sequence[str]) -> t.Dict[str, object]:
        rng = self._random
        actions = ("accept", "drop", "reject") if profile == "host" else ("accept", "drop")
        rule: t.Dict[str, object] = {
            "direction": rng.choice(("ingress", "egress")),
            "action": rng.choice(actions),
            "enabled": rng.random() > 0.03,
        }
        family = self._traffic(rule, profile)
        several = profile == "host"
        if family == 46:
            family = rng.choice((4, 6, 46) if several else (4, 6))
        # Broad rules are rare: one at the front would leave the rest of the policy untested.
        broad = rng.random() < 0.02
        for side in () if broad else rng.choice((("sources",), ("destinations",), ("sources", "destinations"))):
            if family == 46 and rng.random() < 0.3:
                rule[side] = [rng.choice(networks)]
            else:
                count = rng.choice((2, 3, 6)) if family == 46 else rng.choice((1, 1, 2, 5)) if several else 1
                rule[side] = self._addresses(family, count, ranges=several)
        return rule

    def _traffic(self, rule: t.Dict[str, object], profile: str) -> int:
        """Fills in protocol, ports and types; returns the families left: 4, 6 or 46 for both."""
        rng = self._random
        if profile == "host" and rng.random() < 0.15:
            return 46
        names = _PROTOCOLS[:4] if profile == "netcup" else _PROTOCOLS
        protocol = rng.choice((*names, "tcp", "tcp", "udp"))
        if protocol in ("tcp", "udp", "sctp"):
            listed = [protocol]
            if profile == "host" and rng.random() < 0.2:
                listed = ["tcp", "udp"]
            rule["protocol"] = listed
            for side in ("source_ports", "destination_ports"):
                if rng.random() < (0.25 if side == "source_ports" else 0.75):
                    rule[side] = [self._ports() for _index in range(rng.choice((1, 1, 3)) if profile == "host" else 1)]
            return 46
        rule["protocol"] = protocol
        if protocol in ("icmp", "icmpv6"):
            name = str(protocol)
            if profile == "host" and rng.random() < 0.6:
                rule["icmp_types"] = [rng.choice(_ICMP_TYPES[name])]
            return 4 if protocol == "icmp" else 6
        return 46

    def _ports(self) -> object:
        rng = self._random
        first = rng.choice(_PORTS)
        if rng.random() < 0.5:
            return first
        return "%d-%d" % (first, min(65535, first + rng.choice((1, 7, 100, 20000))))

    def _addresses(self, family: int, count: int, *, ranges: bool = True) -> t.List[str]:
        """Addresses of family 4, 6, or in turn of both where it is 46."""
        found = []
        for index in range(count):
            one = family if family != 46 else (4, 6)[index % 2]
            found.append(self._address(one, ranges=ranges))
        return found

    def _address(self, family: int, *, ranges: bool) -> str:
        rng = self._random
        pool = rng.choice(_POOLS[family])
        low = int(pool.network_address)
        bits = pool.max_prefixlen
        shortest = pool.prefixlen if rng.random() < 0.05 else pool.prefixlen + (bits - pool.prefixlen) // 2
        length = rng.randint(shortest, bits)
        # Few distinct prefixes of each length, so that equal and nested ones are common.
        base = low + (rng.randrange(4) << max(0, bits - length)) % pool.num_addresses
        base &= ~((1 << (bits - length)) - 1)
        if ranges and rng.random() < 0.2:
            last = min(base + rng.randint(1, 300), low + pool.num_addresses - 1)
            return "%s-%s" % (_text(family, base), _text(family, last))
        return "%s/%d" % (_text(family, base), length) if length < bits else _text(family, base)


def _text(family: int, value: int) -> str:
    return str(ipaddress.IPv4Address(value) if family == 4 else ipaddress.IPv6Address(value))


class PacketGenerator:
    """Makes packets from the corners, insides and just outsides of a program's rules."""

    def __init__(self, program: Program, seed: int) -> None:
        self._random = random.Random(seed)
        filtered = [name for name in _INTERFACES if program.filters(name)]
        self._interface = filtered[0] if filtered else _INTERFACES[0]
        self._rules = {
            direction: [step.rule for step in program.chain(direction).steps] or [None] for direction in Direction
        }

    def packets(self, count: int) -> t.List[Packet]:
        """Packets that can exist and that the lab can show to a kernel."""
        made: t.List[Packet] = []
        # Nearly every packet can be shown; a generator that makes only others must not run forever.
        for _attempt in range(count * 20):
            packet = self._packet()
            # A flow from an address to itself has no direction that conntrack could tell.
            if packet.source != packet.destination and why_impossible(lab_packet(packet)) is None:
                made.append(packet)
                if len(made) == count:
                    return made
        message = "only %d of %d packets could be made" % (len(made), count)
        raise RuntimeError(message)

    def _packet(self) -> Packet:
        rng = self._random
        direction = rng.choice(list(Direction))
        rule = rng.choice(self._rules[direction])
        traffic = rng.choice(rule.traffic) if rule is not None else Traffic()
        family = self._family(rule, traffic)
        protocol = self._protocol(traffic, family)
        icmp_type = self._icmp_type(traffic, protocol)
        state, flow = self._state(protocol, icmp_type)
        with_ports = protocol in _WITH_PORTS
        return Packet(
            direction=direction,
            family=family,
            protocol=protocol,
            source=self._side(rule.sources[family] if rule is not None and rule.sources else None, family),
            destination=self._side(
                rule.destinations[family] if rule is not None and rule.destinations else None, family
            ),
            interface=rng.choice(_INTERFACES) if rng.random() < 0.2 else self._interface,
            source_port=self._port(traffic.source_ports) if with_ports else None,
            destination_port=self._port(traffic.destination_ports) if with_ports else None,
            icmp_type=icmp_type,
            hop_limit=255 if icmp_type in _DISCOVERY else 64,
            tcp_reset=protocol == _TCP and state in (State.RELATED, State.ESTABLISHED) and rng.random() < 0.3,
            state=state,
            flow_direction=flow,
        )

    def _family(self, rule: t.Optional[Rule], traffic: Traffic) -> int:
        families = [4, 6]
        if traffic.family is not None:
            families = [traffic.family]
        for side in (rule.sources, rule.destinations) if rule is not None else ():
            if side is not None and side:
                families = [family for family in families if family in side.families] or families
        return self._random.choice(families)

    def _protocol(self, traffic: Traffic, family: int) -> int:
        rng = self._random
        own = _ICMP if family == 4 else _ICMPV6
        if traffic.protocols is not None and rng.random() < 0.85:
            low, high = rng.choice(traffic.protocols.intervals)
            chosen = rng.randint(low, high)
            if chosen not in (_ICMP, _ICMPV6) or chosen == own:
                return chosen
        return rng.choice((_TCP, _UDP, _TCP, _UDP, own, _SCTP, 47, 50, 89))

    def _icmp_type(self, traffic: Traffic, protocol: int) -> t.Optional[int]:
        if protocol not in (_ICMP, _ICMPV6):
            return None
        rng = self._random
        if traffic.icmp_types is not None and rng.random() < 0.8:
            low, high = rng.choice(traffic.icmp_types.intervals)
            return rng.randint(low, high)
        return rng.choice((8, 13, 3) if protocol == _ICMP else (128, 139, 2, 135, 143))

    def _state(self, protocol: int, icmp_type: t.Optional[int]) -> t.Tuple[State, FlowDirection]:
        rng = self._random
        if protocol == _ICMPV6 and icmp_type in _DISCOVERY:
            return State.UNTRACKED, FlowDirection.ORIGINAL
        roll = rng.random()
        if protocol in (_ICMP, _ICMPV6):
            errors = (3, 11, 12) if protocol == _ICMP else (1, 2, 3, 4)
            if icmp_type in errors:
                return rng.choice((State.RELATED, State.INVALID, State.UNTRACKED)), FlowDirection.ORIGINAL
            echo = icmp_type in (8, 128)
            return (State.NEW if echo and roll < 0.7 else State.UNTRACKED), FlowDirection.ORIGINAL
        if roll < 0.2:
            return State.ESTABLISHED, rng.choice(list(FlowDirection))
        if roll < 0.3:
            return rng.choice((State.RELATED, State.INVALID, State.UNTRACKED)), FlowDirection.ORIGINAL
        return State.NEW, FlowDirection.ORIGINAL

    def _side(self, addresses: t.Optional[IntervalSet], family: int) -> int:
        """An address on an edge, inside or just outside of the rule's, within the pools."""
        rng = self._random
        pool = rng.choice(_POOLS[family])
        first, last = int(pool.network_address), int(pool.broadcast_address)
        if addresses is not None and addresses.intervals:
            low, high = rng.choice(addresses.intervals)
            chosen = rng.choice((low, high, low - 1, high + 1, rng.randint(low, high)))
            if any(int(one.network_address) < chosen < int(one.broadcast_address) for one in _POOLS[family]):
                return chosen
        return rng.randint(first + 1, last - 1)

    def _port(self, ports: t.Optional[IntervalSet]) -> int:
        rng = self._random
        if ports is not None:
            low, high = rng.choice(ports.intervals)
            return min(65535, max(1, rng.choice((low, high, low - 1, high + 1, rng.randint(low, high)))))
        return rng.choice((*_PORTS, rng.randint(1, 65535)))
