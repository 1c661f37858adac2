# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Palisade's own rules: what must pass before any policy is asked."""

from __future__ import annotations

import typing as t

from .._core.addresses import AddressRange, AddressSet, parse_address, parse_range
from .._core.intervals import Interval, IntervalSet
from .hostfacts import HostFacts, Server
from .model import Action, Direction, FlowDirection, Origin, Rule, Safeguard, Safeguards, State, Traffic
from .protocols import PROTOCOLS
from .traffic import ICMP, ICMPV6

_TCP = 6
_UDP = 17

_ESTABLISHED = frozenset((State.ESTABLISHED,))
_RELATED = frozenset((State.RELATED,))
_INVALID = frozenset((State.INVALID,))

_LINK_LOCAL = "fe80::/10"

#: RFC 4890 section 4.4.1: router and neighbour discovery, inverse discovery (RFC 3122) and secure
#: discovery (RFC 3971) must not be dropped, and are valid only with hop limit 255.
_DISCOVERY = IntervalSet(((133, 136), (141, 142), (148, 149)))

#: RFC 4890 section 4.4.1: multicast listener discovery (RFC 2710, RFC 3810) and multicast router
#: discovery (RFC 4286) come from link-local addresses. A report sent while the own address is still
#: tentative comes from the unspecified address (RFC 3590), so nothing is asked of the way out.
_MULTICAST = IntervalSet(((130, 132), (143, 143), (151, 153)))

#: netcup's resolvers, to which its own firewall always lets DNS pass.
_NETCUP_RESOLVERS = ("46.38.225.230", "46.38.252.230", "2a03:4000:0:1::e1e6", "2a03:4000:8000::fce6")


def state_rules(direction: Direction, *, stateful: bool, drop_invalid: bool) -> t.Iterator[Rule]:
    """Connection state, then IPv6 neighbour discovery.

    Args:
        stateful: Return traffic of every protocol is accepted; otherwise TCP connections that this
            host opened, and nothing else.
        drop_invalid: Packets that conntrack cannot place are dropped.
    """
    name = Origin("established")
    if stateful:
        yield Rule(direction, Action.ACCEPT, name, states=_ESTABLISHED)
    else:
        # A connection that this host opened: its answers come in, its own packets go out.
        flow = FlowDirection.REPLY if direction is Direction.INGRESS else FlowDirection.ORIGINAL
        tcp = (_protocol(_TCP),)
        yield Rule(direction, Action.ACCEPT, name, traffic=tcp, states=_ESTABLISHED, flow_direction=flow)
    # Only ICMP errors and TCP resets: a new flow that a conntrack helper expects is a new flow.
    errors = (
        Traffic(protocols=IntervalSet.single(ICMP), family=4),
        Traffic(protocols=IntervalSet.single(ICMPV6), family=6),
        Traffic(protocols=IntervalSet.single(_TCP), tcp_reset=True),
    )
    yield Rule(direction, Action.ACCEPT, Origin("related"), traffic=errors, states=_RELATED)
    yield Rule(direction, Action.ACCEPT, Origin("neighbour-discovery"), traffic=(_icmpv6(_DISCOVERY, 255),))
    link_local = AddressSet([_range(_LINK_LOCAL)]) if direction is Direction.INGRESS else None
    yield Rule(
        direction, Action.ACCEPT, Origin("multicast-listener"), traffic=(_icmpv6(_MULTICAST),), sources=link_local
    )
    if drop_invalid:
        yield Rule(direction, Action.DROP, Origin("invalid"), states=_INVALID)


def netcup_fixed_rules(direction: Direction) -> t.Iterator[Rule]:
    """DNS to netcup's resolvers, and the answers."""
    servers = [Server(address, 53, ("udp", "tcp")) for address in _NETCUP_RESOLVERS]
    yield from _client_rules(direction, "netcup-dns", servers)


def safeguard_rules(
    direction: Direction, safeguards: Safeguards, facts: HostFacts, *, stateful: bool
) -> t.Iterator[Rule]:
    """What keeps the host alive under a default that is not accept.

    Args:
        facts: What was found out on the host; used by safeguards in mode ``auto``.
        stateful: Answers are accepted by connection state already.
    """
    for name, safeguard, found, fallback in (
        ("dns", safeguards.dns, facts.dns_servers, (("udp", 53), ("tcp", 53))),
        ("ntp", safeguards.ntp, facts.ntp_servers, (("udp", 123),)),
        ("metadata", safeguards.metadata, facts.metadata_servers, (("tcp", 80),)),
    ):
        servers = _servers(safeguard, found, fallback)
        if direction is Direction.EGRESS or not stateful:
            yield from _client_rules(direction, name, servers)
    dhcp = safeguards.dhcp
    if dhcp.mode == "on" or (dhcp.mode == "auto" and facts.dhcp4):
        yield _dhcpv4(direction)
    if dhcp.mode == "on" or (dhcp.mode == "auto" and facts.dhcp6):
        yield _dhcpv6(direction)
    if safeguards.ssh.mode == "on" and (direction is Direction.INGRESS or not stateful):
        yield _ssh(direction, safeguards.ssh)


def _servers(
    safeguard: Safeguard, found: t.Sequence[Server], fallback: t.Sequence[t.Tuple[str, int]]
) -> t.List[Server]:
    if safeguard.mode == "off":
        return []
    if safeguard.mode == "auto":
        return list(found)
    addresses: t.List[t.Optional[str]] = [None] if safeguard.addresses is None else list(safeguard.addresses.texts())
    return [Server(address, port, (protocol,)) for address in addresses for protocol, port in fallback]


def _client_rules(direction: Direction, name: str, servers: t.Sequence[Server]) -> t.Iterator[Rule]:
    """Requests out, or their answers in, one rule for each protocol and port."""
    grouped: t.Dict[t.Tuple[str, int], t.List[t.Optional[str]]] = {}
    for server in servers:
        for protocol in server.protocols:
            grouped.setdefault((protocol, server.port), []).append(server.address)
    for (protocol, port), listed in sorted(grouped.items()):
        addresses = None
        if None not in listed:
            addresses = AddressSet(_range(address) for address in listed if address is not None)
        ports: Interval = (port, port)
        if direction is Direction.EGRESS:
            traffic = _protocol(PROTOCOLS[protocol], destination_ports=ports)
            yield Rule(direction, Action.ACCEPT, Origin(name), traffic=(traffic,), destinations=addresses)
        else:
            traffic = _protocol(PROTOCOLS[protocol], source_ports=ports)
            yield Rule(
                direction,
                Action.ACCEPT,
                Origin(name),
                traffic=(traffic,),
                sources=addresses,
                states=_ESTABLISHED,
                flow_direction=FlowDirection.REPLY,
            )


def _dhcpv4(direction: Direction) -> Rule:
    """RFC 2131: client port 68, server port 67. The answer to a broadcast is a new connection to conntrack."""
    client, server = (68, 68), (67, 67)
    if direction is Direction.EGRESS:
        traffic = _protocol(_UDP, family=4, source_ports=client, destination_ports=server)
    else:
        traffic = _protocol(_UDP, family=4, source_ports=server, destination_ports=client)
    return Rule(direction, Action.ACCEPT, Origin("dhcp"), traffic=(traffic,))


def _dhcpv6(direction: Direction) -> Rule:
    """RFC 8415: client port 546, server port 547, link-local; servers may answer from any port."""
    link_local = AddressSet([_range(_LINK_LOCAL)])
    if direction is Direction.EGRESS:
        traffic = _protocol(_UDP, family=6, source_ports=(546, 546), destination_ports=(547, 547))
        servers = AddressSet([_range("ff02::1:2"), _range(_LINK_LOCAL)])
        return Rule(
            direction, Action.ACCEPT, Origin("dhcpv6"), traffic=(traffic,), sources=link_local, destinations=servers
        )
    traffic = _protocol(_UDP, family=6, destination_ports=(546, 546))
    return Rule(
        direction, Action.ACCEPT, Origin("dhcpv6"), traffic=(traffic,), sources=link_local, destinations=link_local
    )


def _ssh(direction: Direction, safeguard: Safeguard) -> Rule:
    ports = safeguard.ports if safeguard.ports is not None else IntervalSet.single(22)
    if direction is Direction.INGRESS:
        traffic = Traffic(protocols=IntervalSet.single(_TCP), destination_ports=ports)
        return Rule(direction, Action.ACCEPT, Origin("ssh"), traffic=(traffic,), sources=safeguard.addresses)
    traffic = Traffic(protocols=IntervalSet.single(_TCP), source_ports=ports)
    return Rule(
        direction,
        Action.ACCEPT,
        Origin("ssh"),
        traffic=(traffic,),
        destinations=safeguard.addresses,
        states=_ESTABLISHED,
        flow_direction=FlowDirection.REPLY,
    )


def _protocol(
    number: int,
    family: t.Optional[int] = None,
    source_ports: t.Optional[Interval] = None,
    destination_ports: t.Optional[Interval] = None,
) -> Traffic:
    return Traffic(
        protocols=IntervalSet.single(number),
        family=family,
        source_ports=None if source_ports is None else IntervalSet((source_ports,)),
        destination_ports=None if destination_ports is None else IntervalSet((destination_ports,)),
    )


def _icmpv6(types: IntervalSet, hop_limit: t.Optional[int] = None) -> Traffic:
    return Traffic(protocols=IntervalSet.single(ICMPV6), family=6, icmp_types=types, hop_limit=hop_limit)


def _range(text: str) -> AddressRange:
    found = parse_range(text)
    if found is None:
        # Only texts that were parsed before, or are written in this file, come here.
        family, value = parse_address(text)
        return AddressRange(family, value, value)
    return found
