# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Ports that rules open and nobody listens on."""

from __future__ import annotations

import typing as t

from .._core.intervals import Interval, IntervalSet
from .._core.ports import format_ports
from .._policy.model import Action
from .decided import DecidedChain, DecidedRule
from .first_matches import Undecided
from .regions import DESTINATION_PORT, PROTOCOL, SPACE, Region, opening

#: Protocols whose listeners are all known.
_NAMES = {6: "tcp", 17: "udp"}

#: Decided parts that one rule is looked at for; what is left then counts as one.
_MOST_PARTS = 64


def find_unused_ports(ingress: DecidedChain, listened: t.Mapping[int, IntervalSet]) -> t.Iterator[t.Dict[str, str]]:
    """The ports by protocol and rule, in the order of the rules; rules that name no port are left out.

    Args:
        listened: Ports that somebody listens on, by the number of the protocol.
    """
    for rule in ingress.written:
        if rule.rule.action is not Action.ACCEPT:
            continue
        for number, name in _NAMES.items():
            for interval in _unused(ingress, rule, number, listened.get(number, IntervalSet())).intervals:
                yield {"protocol": name, "ports": format_ports(interval), "rule": str(rule.rule.origin)}


def _unused(ingress: DecidedChain, rule: DecidedRule, number: int, listened: IntervalSet) -> IntervalSet:
    found = IntervalSet()
    for region in rule.regions:
        if region[DESTINATION_PORT] == (SPACE[DESTINATION_PORT],) or number not in IntervalSet(region[PROTOCOL]):
            continue
        left = IntervalSet(region[DESTINATION_PORT]) - listened - found
        for _part in range(_MOST_PARTS):
            if not left:
                break
            decided = _decided(ingress, rule, _narrowed(region, number, left.intervals))
            if not decided:
                break
            found |= decided
            left -= decided
    return found


def _narrowed(region: Region, number: int, ports: t.Tuple[Interval, ...]) -> Region:
    changed = list(opening(region))
    changed[PROTOCOL] = ((number, number),)
    changed[DESTINATION_PORT] = ports
    return tuple(changed)


def _decided(ingress: DecidedChain, rule: DecidedRule, region: Region) -> IntervalSet:
    """Ports of new connections in the region that the rule decides; none where there are none, or nobody knows."""
    try:
        part = ingress.find(region, rule.bits)
    except Undecided:
        return IntervalSet()
    return IntervalSet() if part is None else IntervalSet(part[DESTINATION_PORT])
