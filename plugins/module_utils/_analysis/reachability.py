# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""What a host can no longer do: reach the world, answer, or be reached by its administrators."""

from __future__ import annotations

import dataclasses
import typing as t

from .._compile.lowered import Box
from .._core.addresses import parse_address
from .._core.intervals import IntervalSet
from .._core.ports import format_ports
from .._policy.hostfacts import DNS_PORT, DNS_PROTOCOLS, NTP_PORT, NTP_PROTOCOLS, HostFacts, Server
from .._policy.model import Action, Direction, FlowDirection, Safeguards, State
from .._policy.profiles import Profile
from .._policy.protocols import PROTOCOLS
from .codes import finding
from .decided import DecidedChain, DecidedRule
from .findings import Finding
from .first_matches import Undecided
from .regions import (
    DESTINATION,
    DESTINATION_PORT,
    PROTOCOL,
    SOURCE,
    SOURCE_PORT,
    Intervals,
    Region,
    opening,
    regions_of,
    with_state,
)

_TCP, _UDP = 6, 17

#: By the port that is asked, the one that the question may come from besides (RFC 5905, 2131, 8415).
_OWN_PORTS = {123: 123, 67: 68, 547: 546}

#: From which ports Linux sends by itself (ip-sysctl, ip_local_port_range).
_EPHEMERAL: Intervals = ((32768, 60999),)

#: Decided regions of one rule whose answers are looked at.
_MOST_PARTS = 16


class Need(t.NamedTuple):
    """Something that most hosts need of the world.

    Attributes:
        name: As the reader is told.
        boxes: Packets; where one of them gets out, the need is met.
    """

    name: str
    boxes: t.Tuple[Box, ...]


def find_cut_egress(egress: DecidedChain, safeguards: Safeguards, facts: t.Optional[HostFacts]) -> t.Iterator[Finding]:
    """What the host needs and cannot reach any more. To be asked where the default came from the rules alone."""
    if egress.default is Action.ACCEPT:
        return
    first = next((rule for rule in egress.written), None)
    if first is None:
        return
    lost = []
    shown = None
    for need in _needs(safeguards, facts):
        if not _gets_out(egress, need):
            lost.append(need.name)
            shown = shown or egress.witness(opening(regions_of(need.boxes[0])[0]))
    if lost:
        yield finding(
            "egress-cut",
            "is the first egress rule, so that what no rule names is refused: the host loses %s" % ", ".join(lost),
            "Add egress rules for what it needs, or set firewall_default_egress to accept.",
            direction=Direction.EGRESS,
            rule=first.rule.origin,
            witness=shown,
        )


def _needs(safeguards: Safeguards, facts: t.Optional[HostFacts]) -> t.Iterator[Need]:
    """What is not known to be taken care of by a safeguard: one that is off, or lists other servers than the host's."""
    known = facts or HostFacts()
    for title, safeguard, found, protocols, port in (
        ("DNS", safeguards.dns, known.dns_servers, DNS_PROTOCOLS, DNS_PORT),
        ("NTP", safeguards.ntp, known.ntp_servers, NTP_PROTOCOLS, NTP_PORT),
        # Most hosts have none.
        ("metadata service", safeguards.metadata, known.metadata_servers, (), 0),
    ):
        if safeguard.mode == "off" and protocols and not found:
            yield Need("%s (port %d)" % (title, port), tuple(_box(one, port) for one in protocols))
        for server in found:
            yield Need("%s (%s)" % (title, server), tuple(_server_boxes(server)))
    if known.dhcp4 and safeguards.dhcp.mode == "off":
        yield Need("DHCP (port 67)", (_box("udp", 67),))
    if known.dhcp6 and safeguards.dhcp.mode == "off":
        yield Need("DHCPv6 (port 547)", (dataclasses.replace(_box("udp", 547), family=6),))
    yield Need("package mirrors (HTTP and HTTPS)", (_box("tcp", 443), _box("tcp", 80)))


def _server_boxes(server: Server) -> t.Iterator[Box]:
    for protocol in server.protocols:
        box = _box(protocol, server.port)
        if server.address is None:
            yield box
            continue
        family, value = parse_address(server.address)
        yield Box(
            family=family,
            protocols=box.protocols,
            destinations=IntervalSet.single(value),
            destination_ports=box.destination_ports,
        )


def _box(protocol: str, port: int) -> Box:
    return Box(protocols=IntervalSet.single(PROTOCOLS[protocol]), destination_ports=IntervalSet.single(port))


def _asked(box: Box) -> Box:
    """What of it a program of the host asks; what leaves from other ports are answers of its servers."""
    own = _OWN_PORTS.get(box.destination_ports.intervals[0][0]) if box.destination_ports is not None else None
    ports = IntervalSet(_EPHEMERAL)
    if own is not None:
        ports |= IntervalSet.single(own)
    return dataclasses.replace(box, source_ports=ports)


def _gets_out(egress: DecidedChain, need: Need) -> bool:
    try:
        return any(_accepted(egress, opening(region)) for box in need.boxes for region in regions_of(_asked(box)))
    except Undecided:
        return True


def _accepted(chain: DecidedChain, region: Region) -> t.Optional[Region]:
    return chain.find(region, chain.acting(Action.ACCEPT))


def find_answers_only(egress: DecidedChain) -> t.Iterator[Finding]:
    """Egress rules that accept, and all of them by their source port. To be asked in the same case."""
    accepting = [rule for rule in egress.written if rule.rule.action is Action.ACCEPT]
    if egress.default is Action.ACCEPT or not accepting:
        return
    if not all(traffic.source_ports is not None for rule in accepting for traffic in rule.rule.traffic):
        return
    region = opening(regions_of(_box("tcp", 443))[0])
    refused = egress.find(region, egress.acting_otherwise(Action.ACCEPT))
    yield finding(
        "egress-answers-only",
        "and every other egress rule lets answers out alone, so no program on the host reaches anything",
        "Add egress rules for what the host itself asks for, or leave these out: where the profile follows "
        "connections, answers need no rule.",
        direction=Direction.EGRESS,
        rule=accepting[0].rule.origin,
        others=tuple(rule.rule.origin for rule in accepting[1:9]),
        witness=None if refused is None else egress.witness(refused),
    )


def find_missing_replies(chain: DecidedChain, other: DecidedChain, profile: Profile) -> t.Iterator[Finding]:
    """UDP rules of ``chain`` whose answers the ``other`` direction refuses, where connections are not followed."""
    if profile.stateful or not other.restricted:
        return
    for rule in chain.written:
        if rule.rule.action is not Action.ACCEPT:
            continue
        try:
            lost = next(_lost_replies(chain, other, rule), None)
        except Undecided:
            continue
        if lost is not None:
            yield finding(
                "reply-missing",
                "accepts UDP whose answer is refused on the way %s"
                % ("out" if chain.direction is Direction.INGRESS else "in"),
                "Add the rule for the answers: %s, with sources and destinations, and both kinds of ports, swapped."
                % other.direction.value,
                direction=chain.direction,
                rule=rule.rule.origin,
                witness=other.witness(lost),
            )


def _lost_replies(chain: DecidedChain, other: DecidedChain, rule: DecidedRule) -> t.Iterator[Region]:
    refused = other.acting_otherwise(Action.ACCEPT)
    for region in rule.regions:
        if not any(low <= _UDP <= high for low, high in region[PROTOCOL]):
            continue
        asked = list(opening(region))
        asked[PROTOCOL] = ((_UDP, _UDP),)
        # The side that asks sends from an ephemeral port, where the rule does not say otherwise.
        for side, opposite in ((SOURCE_PORT, DESTINATION_PORT), (DESTINATION_PORT, SOURCE_PORT)):
            if region[side] == ((0, 65535),) and region[opposite] != ((0, 65535),):
                asked[side] = _EPHEMERAL
        parts = chain.each(tuple(asked), rule.bits)
        for part, _number in zip(parts, range(_MOST_PARTS)):
            found = other.find(_reply(part), refused)
            if found is not None:
                yield found


def _reply(region: Region) -> Region:
    swapped = list(region)
    swapped[SOURCE], swapped[DESTINATION] = region[DESTINATION], region[SOURCE]
    swapped[SOURCE_PORT], swapped[DESTINATION_PORT] = region[DESTINATION_PORT], region[SOURCE_PORT]
    return with_state(tuple(swapped), State.ESTABLISHED, FlowDirection.REPLY)


def find_ssh_lockout(
    ingress: DecidedChain, egress: DecidedChain, safeguards: Safeguards, port: int
) -> t.Iterator[Finding]:
    """Whether one new SSH connection, from wherever, gets in, and its answers out."""
    safeguard = safeguards.ssh
    if safeguard.mode == "off":
        return
    ports = safeguard.ports if safeguard.ports is not None else IntervalSet.single(port)
    box = Box(protocols=IntervalSet.single(_TCP), source_ports=IntervalSet(_EPHEMERAL), destination_ports=ports)
    asked = [opening(region) for region in regions_of(box)]
    try:
        if any(_gets_in(ingress, egress, one) for one in asked):
            return
        refused = ingress.find(asked[0], ingress.acting_otherwise(Action.ACCEPT))
    except Undecided:
        return
    yield finding(
        "ssh-locked-out",
        "no new connection to the SSH port (%s) gets in with its answers let out"
        % ", ".join(format_ports(one) for one in ports.intervals),
        "Accept the SSH port from the administrators' addresses%s."
        % ("" if egress.default is Action.ACCEPT else ", and let its answers out where connections are not followed"),
        direction=Direction.INGRESS,
        others=tuple(rule.rule.origin for rule in ingress.written)[:1],
        witness=None if refused is None else ingress.witness(refused),
    )


def _gets_in(ingress: DecidedChain, egress: DecidedChain, asked: Region) -> bool:
    parts = ingress.each(asked, ingress.acting(Action.ACCEPT))
    return any(_accepted(egress, _reply(part)) is not None for part, _number in zip(parts, range(_MOST_PARTS)))
