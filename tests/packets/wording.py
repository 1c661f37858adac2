# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words for writing down packets and what must happen to them, asked of the evaluator and of the kernel."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass

from ansible_collections.palisade.nftables.plugins.module_utils._compile.compile import compile_program
from ansible_collections.palisade.nftables.plugins.module_utils._core.errors import Path, PolicyError, Problems
from ansible_collections.palisade.nftables.plugins.module_utils._nft.text import render_load
from ansible_collections.palisade.nftables.plugins.module_utils._policy.evaluate import Decision, evaluate
from ansible_collections.palisade.nftables.plugins.module_utils._policy.hostfacts import hostfacts_from_plain
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import (
    Direction,
    FlowDirection,
    Layout,
    State,
)
from ansible_collections.palisade.nftables.plugins.module_utils._policy.packet import Packet
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import Program, build_program
from ansible_collections.palisade.nftables.plugins.module_utils._policy.protocols import (
    ICMP_TYPES,
    ICMPV6_TYPES,
    PROTOCOLS,
)

#: The host under test, an allowed peer, and anybody else; IPv4 and IPv6.
HOST, HOST6 = "198.51.100.1", "2001:db8::1"
PEER, PEER6 = "198.51.100.10", "2001:db8::cafe"
OTHER, OTHER6 = "203.0.113.7", "2001:db8:bad::7"
TIME_SERVER = "192.0.2.123"

ACCEPT, DROP, REJECT = "accept", "drop", "reject"

_EPHEMERAL = 40000


@dataclass(frozen=True)
class Expected:
    """A packet and its verdict."""

    verdict: str
    packet: Packet


def program_of(
    variables: t.Mapping[str, object],
    *,
    host: t.Optional[t.Mapping[str, object]] = None,
    groups: t.Optional[t.Mapping[str, object]] = None,
) -> Program:
    """The program of role variables; ``host`` in the shape of the compile filter's keyword."""
    problems = Problems()
    facts = None if host is None else hostfacts_from_plain(host, Path("host"), problems)
    problems.raise_if_any()
    return build_program(parse_firewall(variables, groups=groups), facts)


def text_of(program: Program, layout: Layout = Layout.AUTO) -> str:
    """What is loaded into the kernel for a program."""
    return render_load(compile_program(program, layout=layout))


def decide(program: Program, packet: Packet) -> Decision:
    return evaluate(program, packet)


def to_host(protocol: str, source: str = PEER, port: t.Optional[int] = None, **options: t.Any) -> Packet:
    """A packet from ``source`` to the host; ``port`` is the destination port."""
    return _packet(Direction.INGRESS, protocol, source, _own(source), port=port, options=options)


def from_host(protocol: str, destination: str = PEER, port: t.Optional[int] = None, **options: t.Any) -> Packet:
    """A packet from the host to ``destination``; ``port`` is the destination port."""
    return _packet(Direction.EGRESS, protocol, _own(destination), destination, port=port, options=options)


def _own(peer: str) -> str:
    return HOST6 if ":" in peer else HOST


def _packet(
    direction: Direction,
    protocol: str,
    source: str,
    destination: str,
    *,
    port: t.Optional[int],
    options: t.Dict[str, t.Any],
) -> Packet:
    """Options: ``sport``, ``interface``, ``state``, ``reply`` (of its connection), ``type``, ``reset``,
    ``hop_limit``, ``source``, ``destination``.
    """
    source = options.pop("source", source)
    destination = options.pop("destination", destination)
    icmp = options.pop("type", "echo-request") if protocol in ("icmp", "icmpv6") else None
    has_ports = protocol in ("tcp", "udp", "sctp")
    types = ICMP_TYPES if protocol == "icmp" else ICMPV6_TYPES
    packet = Packet(
        direction=direction,
        family=ipaddress.ip_address(source).version,
        protocol=PROTOCOLS[protocol],
        source=int(ipaddress.ip_address(source)),
        destination=int(ipaddress.ip_address(destination)),
        source_port=options.pop("sport", _EPHEMERAL) if has_ports else None,
        destination_port=port if has_ports else None,
        icmp_type=None if icmp is None else types[icmp],
        interface=options.pop("interface", "eth0"),
        state=State(options.pop("state", "new")),
        flow_direction=FlowDirection.REPLY if options.pop("reply", False) else FlowDirection.ORIGINAL,
        hop_limit=options.pop("hop_limit", 64),
        tcp_reset=options.pop("reset", False),
    )
    if options:
        message = "unknown options of a packet: %s" % ", ".join(options)
        raise TypeError(message)
    return packet


def accepts(*packets: Packet) -> t.List[Expected]:
    return [Expected(ACCEPT, packet) for packet in packets]


def drops(*packets: Packet) -> t.List[Expected]:
    return [Expected(DROP, packet) for packet in packets]


def rejects(*packets: Packet) -> t.List[Expected]:
    return [Expected(REJECT, packet) for packet in packets]


def rule(direction: str, action: str = "accept", **keys: object) -> t.Dict[str, object]:
    """A rule as an operator writes it."""
    return {"direction": direction, "action": action, **keys}


def tcp_in(port: object, **keys: object) -> t.Dict[str, object]:
    return rule("ingress", protocol="tcp", destination_ports=port, **keys)


def tcp_out(port: object, **keys: object) -> t.Dict[str, object]:
    return rule("egress", protocol="tcp", destination_ports=port, **keys)


def assigned(profile: str, *rules: t.Dict[str, object], **settings: object) -> t.Dict[str, object]:
    """Role variables that assign one policy ``web`` with these rules."""
    return {
        "firewall_profile": profile,
        "firewall_policies": {"web": {"rules": list(rules)}},
        "firewall_assigned": ["web"],
        **settings,
    }


def netcup(*rules: t.Dict[str, object], **settings: object) -> t.Dict[str, object]:
    """One policy ``web`` under the netcup profile, without the default policies unless they are asked for."""
    return assigned("netcup", *rules, **{"firewall_default_policies": [], **settings})


def refusal(variables: t.Mapping[str, object]) -> str:
    """The problems for which the parser refuses role variables, one a line.

    Raises:
        AssertionError: It takes them.
    """
    try:
        parse_firewall(variables)
    except PolicyError as exc:
        return str(exc)
    raise AssertionError("the parser took what it should refuse: %r" % variables)
