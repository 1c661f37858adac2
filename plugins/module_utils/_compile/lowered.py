# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Lowered rules: the program as unions of boxes, before there is a layout.

A box is a product of interval sets, one for each field. That is the form in which overlap, cover and
subtraction are plain set arithmetic, so layouts and analyses both start here.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._core.intervals import IntervalSet
from .._policy.model import Action, Direction, FlowDirection, LogDropped, Origin, Published, Stage, State


@dataclass(frozen=True)
class Box:
    """Packets for which every field lies in its set; None means any value.

    Attributes:
        family: 4 or 6; None where neither addresses nor protocol tell the families apart.
        sources, destinations: Addresses of ``family``.
    """

    family: t.Optional[int] = None
    protocols: t.Optional[IntervalSet] = None
    sources: t.Optional[IntervalSet] = None
    destinations: t.Optional[IntervalSet] = None
    source_ports: t.Optional[IntervalSet] = None
    destination_ports: t.Optional[IntervalSet] = None
    icmp_types: t.Optional[IntervalSet] = None
    states: t.Optional[t.FrozenSet[State]] = None
    flow_direction: t.Optional[FlowDirection] = None
    hop_limit: t.Optional[int] = None
    tcp_reset: bool = False


@dataclass(frozen=True)
class LoweredRule:
    """One rule as boxes; a rule whose networks are empty has none and never matches.

    Attributes:
        counter: Name of the counter that counts it however it is laid out; empty for rules that are
            not counted (the way of established traffic; every rule, where counters are switched off).
        source_label, destination_label: Network names that the addresses were written as, if one.
    """

    action: Action
    stage: Stage
    origin: Origin
    boxes: t.Tuple[Box, ...]
    counter: str = ""
    description: str = ""
    source_label: str = ""
    destination_label: str = ""


@dataclass(frozen=True)
class LoweredChain:
    """One direction; ``rules`` in order, the first match decides, then ``default``.

    Attributes:
        default_counter: Counts the packets that no rule matches; empty where counters are switched off.
    """

    direction: Direction
    restricted: bool
    rules: t.Tuple[LoweredRule, ...]
    default: Action
    default_counter: str


@dataclass(frozen=True)
class LoweredProgram:
    chains: t.Tuple[LoweredChain, ...]
    interfaces: t.Tuple[str, ...]
    interfaces_ignored: t.Tuple[str, ...]
    log_dropped: t.Optional[LogDropped]
    published: Published = Published.FILTER
