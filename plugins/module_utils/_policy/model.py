# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""The typed policy: what an operator meant, after names are resolved and before a host is known.

Everything here is frozen and built only by the parser; past the parser nobody reads plain data by
string keys.
"""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass, field

from .._core.addresses import AddressSet
from .._core.errors import Problem
from .._core.intervals import IntervalSet

if t.TYPE_CHECKING:
    from .assertions import Assertion


class Direction(enum.Enum):
    INGRESS = "ingress"
    EGRESS = "egress"


class Action(enum.Enum):
    ACCEPT = "accept"
    DROP = "drop"
    REJECT = "reject"


class State(enum.Enum):
    """Connection states as conntrack sees them (nft(8), "ct state")."""

    NEW = "new"
    ESTABLISHED = "established"
    RELATED = "related"
    INVALID = "invalid"
    UNTRACKED = "untracked"


class FlowDirection(enum.Enum):
    """Which way of its connection a packet goes (nft(8), "ct direction")."""

    ORIGINAL = "original"
    REPLY = "reply"


class Stage(enum.Enum):
    """Where in the order of evaluation a packet was decided."""

    INTERFACE = "interface"
    FORWARDED = "forwarded"
    UNRESTRICTED = "unrestricted"
    STATE = "state"
    FIXED = "fixed"
    SAFEGUARD = "safeguard"
    DEFAULT_POLICY = "default-policy"
    ASSIGNED = "assigned"
    DEFAULT_ACTION = "default-action"


class Layout(enum.Enum):
    """How the rules of a ruleset are laid out; every layout decides every packet alike.

    ``AUTO`` finds the deciding rule with few lookups, ``ORDERED`` tries one rule after another, as the
    policies are written.
    """

    AUTO = "auto"
    ORDERED = "ordered"


class Published(enum.Enum):
    """What happens to packets for published ports: those of containers, to which another table forwards them."""

    FILTER = "filter"
    LEAVE = "leave"


class Route(enum.Enum):
    """Where the host takes a packet that arrived.

    ``LOCAL`` is the host itself. ``PUBLISHED`` and ``FORWARDED`` go on to someone else: to where another table
    translated the destination of their connection (the published port of a container, a port forward), or simply
    by the routes.
    """

    LOCAL = "local"
    PUBLISHED = "published"
    FORWARDED = "forwarded"


@dataclass(frozen=True)
class Traffic:
    """One kind of packet, every condition of which must hold; None means any.

    Attributes:
        protocols: Protocol numbers (IANA), as in the IPv4 protocol field or the last IPv6 next header.
        family: 4 or 6, where the protocol belongs to one family (ICMP, ICMPv6).
        source_ports, destination_ports: For protocols that have ports.
        icmp_types: ICMP or ICMPv6 type numbers.
        hop_limit: The exact IPv6 hop limit.
        tcp_reset: True: only TCP segments with the RST flag.
    """

    protocols: t.Optional[IntervalSet] = None
    family: t.Optional[int] = None
    source_ports: t.Optional[IntervalSet] = None
    destination_ports: t.Optional[IntervalSet] = None
    icmp_types: t.Optional[IntervalSet] = None
    hop_limit: t.Optional[int] = None
    tcp_reset: bool = False


@dataclass(frozen=True)
class Origin:
    """Where a rule comes from: ``web[0]`` of a policy, or the name of a rule of Palisade's own.

    Attributes:
        name: Policy name, or the name of the group of own rules (``dns``, ``established``).
        index: Position in the policy's list of rules, counted from 0, disabled ones included.
        variable: The role variable that defined the policy; empty for built-in ones.
    """

    name: str
    index: t.Optional[int] = None
    variable: str = ""

    def __str__(self) -> str:
        return self.name if self.index is None else "%s[%d]" % (self.name, self.index)


@dataclass(frozen=True)
class Rule:
    """One rule: a packet of ``direction`` that meets every condition gets ``action``.

    ``traffic`` is a union (a service may name several kinds of packet); the other conditions are
    joined with it. None means any.
    """

    direction: Direction
    action: Action
    origin: Origin
    traffic: t.Tuple[Traffic, ...] = (Traffic(),)
    sources: t.Optional[AddressSet] = None
    destinations: t.Optional[AddressSet] = None
    states: t.Optional[t.FrozenSet[State]] = None
    flow_direction: t.Optional[FlowDirection] = None
    description: str = ""
    enabled: bool = True


@dataclass(frozen=True)
class Policy:
    name: str
    rules: t.Tuple[Rule, ...]
    description: str = ""
    variable: str = ""

    def enabled(self, direction: Direction) -> t.Tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if rule.enabled and rule.direction is direction)


@dataclass(frozen=True)
class Safeguard:
    """What one safeguard shall do.

    Attributes:
        mode: ``auto`` (found out on the host), ``on`` (the service's ports, to ``addresses``), ``off``.
        addresses: None means anywhere.
        ports: Only for ssh.
    """

    mode: str = "auto"
    addresses: t.Optional[AddressSet] = None
    ports: t.Optional[IntervalSet] = None


@dataclass(frozen=True)
class Safeguards:
    dns: Safeguard = Safeguard()
    ntp: Safeguard = Safeguard()
    dhcp: Safeguard = Safeguard()
    metadata: Safeguard = Safeguard()
    ssh: Safeguard = Safeguard()


@dataclass(frozen=True)
class LogDropped:
    """How packets that the default action refuses are logged.

    Attributes:
        rate, unit: At most ``rate`` messages a ``unit`` (second, minute, hour, day).
        prefix: Text before each message, at most 64 bytes.
        group: nflog group, or None for the kernel log.
    """

    rate: int = 10
    unit: str = "second"
    prefix: str = "palisade: "
    group: t.Optional[int] = None


@dataclass(frozen=True)
class Firewall:
    """What the variables of one host ask for. A function of the variables alone.

    Attributes:
        default_policies, assigned: In evaluation order; a policy is in one of them once.
        defaults: The default action of each direction, ``auto`` already decided.
        counters: Whether every policy rule counts its packets under a name of its own; without, nothing is
            counted.
        effective_rules: How many rules a provider would count for the assigned policies (R32).
        tests: What is to be so; they decide no packet.
        warnings: Problems that do not stop a deploy.
    """

    profile: str
    defaults: t.Mapping[Direction, Action]
    default_policies: t.Tuple[Policy, ...] = ()
    assigned: t.Tuple[Policy, ...] = ()
    interfaces: t.Tuple[str, ...] = ()
    interfaces_ignored: t.Tuple[str, ...] = ()
    published: Published = Published.FILTER
    safeguards: Safeguards = Safeguards()
    log_dropped: t.Optional[LogDropped] = None
    layout: Layout = Layout.AUTO
    counters: bool = True
    effective_rules: int = 0
    tests: t.Tuple[Assertion, ...] = ()
    warnings: t.Tuple[Problem, ...] = field(default=(), compare=False)
