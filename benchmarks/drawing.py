# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets for a program, drawn evenly over its policy rules: first packets of flows that arrive."""

from __future__ import annotations

import random
import typing as t

from ansible_collections.palisade.nftables.plugins.module_utils._compile.lower import lower
from ansible_collections.palisade.nftables.plugins.module_utils._compile.lowered import Box
from ansible_collections.palisade.nftables.plugins.module_utils._core.intervals import IntervalSet
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Direction, Stage, State
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import Program
from lab import packets
from lab.packets import LabPacket
from lab.ring import INTERFACE

_POLICY_STAGES = (Stage.DEFAULT_POLICY, Stage.ASSIGNED)

_ECHO_REQUEST = {4: 8, 6: 128}
_SYN = frozenset({"syn"})

#: How often a packet is drawn anew that no host ever sees, such as one from a multicast address.
_ATTEMPTS = 50


class Drawing:
    """Draws packets; the same seed draws the same ones.

    Args:
        anywhere: Family to the interval of addresses that stands for any; the families that packets have.
    """

    def __init__(self, anywhere: t.Mapping[int, t.Tuple[int, int]], seed: int = 1) -> None:
        self._anywhere = {family: IntervalSet([bounds]) for family, bounds in anywhere.items()}
        self._rng = random.Random(seed)

    def over_rules(self, program: Program, each: int) -> t.List[LabPacket]:
        """``each`` packets inside every ingress rule, rule after rule.

        A rule that no new flow to a host can match is left out.
        """
        drawn = []
        for rule in lower(program).chains[0].rules:
            if rule.stage not in _POLICY_STAGES:
                continue
            boxes = [box for box in rule.boxes if self._has_new_flows(box)]
            for _packet in range(each if boxes else 0):
                packet = self._possible(boxes)
                if packet is not None:
                    drawn.append(packet)
        return drawn

    def elsewhere(self, count: int) -> t.List[LabPacket]:
        """Packets drawn from everything, which most policies leave to their default action."""
        found = (self._possible([Box()]) for _packet in range(count))
        return [packet for packet in found if packet is not None]

    def shuffle(self, drawn: t.List[LabPacket]) -> None:
        """Brings packets out of order, in place: neighbours in a policy are no neighbours on the wire."""
        self._rng.shuffle(drawn)

    def _has_new_flows(self, box: Box) -> bool:
        of_family = box.family is None or box.family in self._anywhere
        return of_family and (box.states is None or State.NEW in box.states)

    def _possible(self, boxes: t.Sequence[Box]) -> t.Optional[LabPacket]:
        for _attempt in range(_ATTEMPTS):
            packet = self._packet(self._rng.choice(boxes))
            if packets.why_impossible(packet) is None:
                return packet
        return None

    def _packet(self, box: Box) -> LabPacket:
        family = box.family or self._rng.choice(list(self._anywhere))
        protocols = box.protocols or IntervalSet([(packets.TCP, packets.TCP), (packets.UDP, packets.UDP)])
        protocol = self._value(protocols)
        with_ports = protocol in packets.PORT_PROTOCOLS
        every_port = IntervalSet([(0, 65535)])
        types = box.icmp_types or IntervalSet.single(_ECHO_REQUEST[family])
        return LabPacket(
            Direction.INGRESS.value,
            INTERFACE,
            family,
            protocol,
            self._value(box.sources or self._anywhere[family]),
            self._value(box.destinations or self._anywhere[family]),
            self._value(box.source_ports or every_port) if with_ports else 0,
            self._value(box.destination_ports or every_port) if with_ports else 0,
            icmp_type=self._value(types) if protocol in (packets.ICMP, packets.ICMPV6) else 0,
            tcp_flags=_SYN if protocol == packets.TCP else frozenset(),
        )

    def _value(self, members: IntervalSet) -> int:
        low, high = self._rng.choice(members.intervals)
        return self._rng.randint(low, high)
