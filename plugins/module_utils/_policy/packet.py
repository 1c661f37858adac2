# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""One packet as the policies see it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .model import Direction, FlowDirection, Route, State


@dataclass(frozen=True)
class Packet:
    """One packet at the input, the forward or the output hook.

    Attributes:
        interface: Where it arrived, or leaves.
        family: 4 or 6.
        protocol: Number, as in the IPv4 protocol field or the last IPv6 next header.
        source, destination: Addresses as integers.
        source_port, destination_port: None where the protocol has none. The destination is the one that the first
            packet of the connection arrived with, before any table of the host translated it.
        icmp_type: Type of ICMP or ICMPv6; None for other protocols.
        hop_limit: IPv6 hop limit or IPv4 time to live.
        tcp_reset: The RST flag.
        state, flow_direction: As conntrack classes it.
        route: Where the host takes it; what leaves the host itself is local. Only a packet that belongs to a
            connection can be for a published port.
    """

    direction: Direction
    family: int
    protocol: int
    source: int
    destination: int
    interface: str = "eth0"
    source_port: t.Optional[int] = None
    destination_port: t.Optional[int] = None
    icmp_type: t.Optional[int] = None
    hop_limit: int = 64
    tcp_reset: bool = False
    state: State = State.NEW
    flow_direction: FlowDirection = FlowDirection.ORIGINAL
    route: Route = Route.LOCAL
