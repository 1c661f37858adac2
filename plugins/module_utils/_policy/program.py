# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""The program of a host: every rule that can decide a packet, in the order of evaluation.

The evaluator walks it, the compiler translates it, the analyses reason about it. What a policy means
is written down here once, before there is a question of how to match it fast.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._core.collector import garbage_kept
from .hostfacts import HostFacts
from .model import Action, Direction, Firewall, LogDropped, Origin, Published, Rule, Stage
from .own_rules import netcup_fixed_rules, safeguard_rules, state_rules
from .profiles import PROFILES

LOOPBACK = "lo"


@dataclass(frozen=True)
class Step:
    """One rule and the stage that it belongs to."""

    stage: Stage
    rule: Rule


@dataclass(frozen=True)
class Chain:
    """One direction.

    Attributes:
        restricted: False: nothing restricts this direction, and every packet is left alone.
        steps: In order; the first whose rule matches decides. Empty where not restricted.
        default: What happens to a packet that no step matches.
    """

    direction: Direction
    restricted: bool
    steps: t.Tuple[Step, ...]
    default: Action

    @property
    def default_origin(self) -> Origin:
        return Origin("default-%s" % self.direction.value)


@dataclass(frozen=True)
class Program:
    """Both directions, and which interfaces they are about.

    Attributes:
        interfaces: Filtered interfaces (names, or prefixes ending in ``*``); empty means all but
            loopback and the ignored ones.
        interfaces_ignored: Never filtered while ``interfaces`` is empty.
        published: Whether packets for published ports meet the ingress policies.
    """

    ingress: Chain
    egress: Chain
    interfaces: t.Tuple[str, ...] = ()
    interfaces_ignored: t.Tuple[str, ...] = ()
    published: Published = Published.FILTER
    log_dropped: t.Optional[LogDropped] = None

    def chain(self, direction: Direction) -> Chain:
        return self.ingress if direction is Direction.INGRESS else self.egress

    def filters(self, interface: str) -> bool:
        """Whether packets of the interface meet the policies."""
        if interface == LOOPBACK:
            return False
        if self.interfaces:
            return any(interface_matches(pattern, interface) for pattern in self.interfaces)
        return not any(interface_matches(pattern, interface) for pattern in self.interfaces_ignored)


def interface_matches(pattern: str, interface: str) -> bool:
    """A name, or a prefix followed by ``*``."""
    if pattern.endswith("*"):
        return interface.startswith(pattern[:-1])
    return interface == pattern


@garbage_kept()
def build_program(firewall: Firewall, facts: t.Optional[HostFacts] = None) -> Program:
    """The program of a firewall on a host.

    Args:
        facts: What was found out on the host; without it safeguards in mode ``auto`` add nothing.
    """
    known = facts if facts is not None else HostFacts()
    return Program(
        ingress=_build_chain(Direction.INGRESS, firewall, known),
        egress=_build_chain(Direction.EGRESS, firewall, known),
        interfaces=firewall.interfaces,
        interfaces_ignored=firewall.interfaces_ignored,
        published=firewall.published,
        log_dropped=firewall.log_dropped,
    )


def _build_chain(direction: Direction, firewall: Firewall, facts: HostFacts) -> Chain:
    default = firewall.defaults[direction]
    policies = [
        Step(stage, rule)
        for stage, listed in ((Stage.DEFAULT_POLICY, firewall.default_policies), (Stage.ASSIGNED, firewall.assigned))
        for policy in listed
        for rule in policy.enabled(direction)
    ]
    restricts = default is not Action.ACCEPT or any(step.rule.action is not Action.ACCEPT for step in policies)
    if not restricts:
        return Chain(direction, restricted=False, steps=(), default=Action.ACCEPT)
    return Chain(
        direction, restricted=True, steps=(*_own_steps(direction, firewall, facts), *policies), default=default
    )


def _own_steps(direction: Direction, firewall: Firewall, facts: HostFacts) -> t.Iterator[Step]:
    profile = PROFILES[firewall.profile]
    closed = firewall.defaults[direction] is not Action.ACCEPT
    drop_invalid = closed and direction is Direction.INGRESS
    for rule in state_rules(direction, stateful=profile.stateful, drop_invalid=drop_invalid):
        yield Step(Stage.STATE, rule)
    if profile.name == "netcup":
        for rule in netcup_fixed_rules(direction):
            yield Step(Stage.FIXED, rule)
    if closed:
        for rule in safeguard_rules(direction, firewall.safeguards, facts, stateful=profile.stateful):
            yield Step(Stage.SAFEGUARD, rule)
