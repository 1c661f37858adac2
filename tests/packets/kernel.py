# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the evaluator's packets to the lab's, and back with the kernel's verdicts."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.palisade.nftables.plugins.module_utils._policy.packet import Packet
    from lab.packets import LabPacket
    from lab.verdicts import VerdictLab


_TCP = 6

#: TCP flags with which the kernel takes a segment for what the state says.
_FLAGS = {"established": {"ack"}, "invalid": {"syn", "fin"}}


def _flags(packet: Packet) -> t.FrozenSet[str]:
    if packet.protocol != _TCP:
        return frozenset()
    if packet.tcp_reset:
        return frozenset({"rst", "ack"})
    return frozenset(_FLAGS.get(packet.state.value, {"syn"}))


def lab_packet(packet: Packet) -> LabPacket:
    """The same packet in the lab's words."""
    from lab.packets import LabPacket

    return LabPacket(
        direction=packet.direction.value,
        interface=packet.interface,
        family=packet.family,
        protocol=packet.protocol,
        source=packet.source,
        destination=packet.destination,
        source_port=packet.source_port or 0,
        destination_port=packet.destination_port or 0,
        icmp_type=packet.icmp_type or 0,
        tcp_flags=_flags(packet),
        hop_limit=packet.hop_limit,
        state=packet.state.value,
        ct_direction=packet.flow_direction.value,
        published=packet.route.value == "published",
    )


def expected_on_the_wire(action: str, packet: Packet) -> str:
    """The verdict as it shows: the kernel answers some rejected packets with silence, as RFC 1122 asks."""
    return "drop" if action == "reject" and not lab_packet(packet).answerable else action


def verdicts_of(lab: VerdictLab, packets: t.Sequence[Packet]) -> t.List[str]:
    """What the kernel does with each packet under the ruleset that the lab has loaded."""
    return list(lab.verdicts([lab_packet(packet) for packet in packets]))
