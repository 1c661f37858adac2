# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Profiles: whose firewall semantics a policy follows, and what that provider would refuse.

The facts are the providers' own documents and interfaces: netcup takes one protocol, one port string
and no REJECT per rule, and counts every source and destination against 500; Contabo filters incoming
traffic only, with accept rules of up to 15 ports.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .model import Action, Direction, Rule
from .traffic import ICMP, ICMPV6, WrittenTraffic

_TCP = 6
_UDP = 17


@dataclass(frozen=True)
class Profile:
    """What a provider's rules can say.

    Attributes:
        stateful: Return traffic of every protocol is accepted both ways; otherwise only that of TCP
            connections which this host opened.
        actions: What a rule, or a default, may do.
        protocols: Protocol numbers that a rule may name; None for all.
        one_protocol: A rule names exactly one protocol.
        any_protocol: A rule may be about any protocol.
        most_ports: How many ports or ranges a rule may list on one side; None for no limit.
        source_ports, destinations, egress, icmp_types, ranges: Whether rules may use them.
        one_sided_lists: Several addresses on one side allow at most one on the other, and both
            families on one side allow none on the other.
        most_rules: Effective rules per interface; None for no limit.
        drops_when_assigned: The ingress default drops as soon as a policy is assigned, even an empty one.
        default_policies: Names of the built-in policies that come before the assigned ones.
    """

    name: str
    stateful: bool = True
    actions: t.FrozenSet[Action] = frozenset(Action)
    protocols: t.Optional[t.FrozenSet[int]] = None
    one_protocol: bool = False
    any_protocol: bool = True
    most_ports: t.Optional[int] = None
    source_ports: bool = True
    destinations: bool = True
    egress: bool = True
    icmp_types: bool = True
    ranges: bool = True
    one_sided_lists: bool = False
    most_rules: t.Optional[int] = None
    drops_when_assigned: bool = False
    default_policies: t.Tuple[str, ...] = ()


PROFILES: t.Mapping[str, Profile] = {
    "host": Profile(name="host", default_policies=("ping",)),
    "netcup": Profile(
        name="netcup",
        stateful=False,
        actions=frozenset((Action.ACCEPT, Action.DROP)),
        protocols=frozenset((_TCP, _UDP, ICMP, ICMPV6)),
        one_protocol=True,
        any_protocol=False,
        most_ports=1,
        icmp_types=False,
        ranges=False,
        one_sided_lists=True,
        most_rules=500,
        default_policies=("mail-block", "ping"),
    ),
    "contabo": Profile(
        name="contabo",
        actions=frozenset((Action.ACCEPT,)),
        protocols=frozenset((_TCP, _UDP, ICMP)),
        most_ports=15,
        source_ports=False,
        destinations=False,
        egress=False,
        icmp_types=False,
        ranges=False,
        drops_when_assigned=True,
    ),
}

_PROTOCOL_NAMES = {_TCP: "tcp", _UDP: "udp", ICMP: "icmp", ICMPV6: "icmpv6"}

#: What a refusal by a profile says: (key of the rule or None, message).
Refusal = t.Tuple[t.Optional[str], str]


def refusals(profile: Profile, rule: Rule, written: t.Sequence[WrittenTraffic]) -> t.Iterator[Refusal]:
    """Why the provider would refuse the rule; nothing where it would take it."""
    if rule.action not in profile.actions:
        allowed = " or ".join(action.value for action in Action if action in profile.actions)
        yield "action", "the profile %s knows only %s, not %s" % (profile.name, allowed, rule.action.value)
    if rule.direction is Direction.EGRESS and not profile.egress:
        yield "direction", "the profile %s filters incoming traffic only; outgoing is unrestricted" % profile.name
    for one in written:
        yield from _traffic_refusals(profile, one)
    yield from _address_refusals(profile, rule)


def _traffic_refusals(profile: Profile, written: WrittenTraffic) -> t.Iterator[Refusal]:
    known = ", ".join(name for number, name in _PROTOCOL_NAMES.items() if number in (profile.protocols or ()))
    if written.protocols is None:
        if not profile.any_protocol:
            yield "protocol", "the profile %s needs one protocol in each rule: %s" % (profile.name, known)
    elif profile.protocols is not None and not profile.protocols.issuperset(written.protocols):
        extra = " or any" if profile.any_protocol else ""
        yield "protocol", "the profile %s knows only the protocols %s%s" % (profile.name, known, extra)
    elif profile.one_protocol and len(written.protocols) > 1:
        yield "protocol", "the profile %s takes one protocol in each rule; write a rule for each" % profile.name
    if written.source_ports and not profile.source_ports:
        yield "source_ports", "the profile %s has no source ports" % profile.name
    for key, count in (("source_ports", written.source_ports), ("destination_ports", written.destination_ports)):
        if profile.most_ports is not None and count > profile.most_ports:
            most = "one port or range" if profile.most_ports == 1 else "%d ports or ranges" % profile.most_ports
            yield (
                key,
                "the profile %s takes at most %s in a rule, here are %d; write more rules"
                % (
                    profile.name,
                    most,
                    count,
                ),
            )
    if written.icmp_types and not profile.icmp_types:
        yield "icmp_types", "the profile %s cannot tell ICMP types apart" % profile.name


def _address_refusals(profile: Profile, rule: Rule) -> t.Iterator[Refusal]:
    if rule.destinations is not None and not profile.destinations:
        yield "destinations", "the profile %s matches sources only" % profile.name
    sides = (("sources", rule.sources, rule.destinations), ("destinations", rule.destinations, rule.sources))
    for key, side, other in sides:
        if side is None:
            continue
        if side.has_ranges and not profile.ranges:
            yield key, "the profile %s takes addresses and prefixes, not a-b ranges" % profile.name
        if not profile.one_sided_lists or other is None:
            continue
        if side.entries > 1 and other.entries > 1:
            if key == "sources":
                yield (
                    None,
                    "the profile %s takes several addresses on one side only: here are %d sources and %d destinations"
                    % (profile.name, side.entries, other.entries),
                )
        elif len(side.families) > 1:
            yield (
                key,
                "the profile %s takes both families on one side only where the other side is any; "
                "write a rule for each family" % profile.name,
            )


def effective_rules(rule: Rule, written: t.Sequence[WrittenTraffic]) -> int:
    """How many rules the provider counts: every source and destination, and a service once per entry."""
    sources = rule.sources.entries if rule.sources is not None else 0
    destinations = rule.destinations.entries if rule.destinations is not None else 0
    return max(1, sources) * max(1, destinations) * len(written)
