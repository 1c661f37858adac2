# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Findings: what lint says about one rule, one policy or the whole of a host."""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass

from .._core.addresses import format_address
from .._policy.model import Direction, FlowDirection, Origin, State
from .._policy.packet import Packet
from .._policy.protocols import PROTOCOL_NAMES


class Severity(enum.Enum):
    """``WARNING``: probably not what was meant. ``INFO``: true, and often on purpose."""

    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True)
class Finding:
    """One finding.

    Attributes:
        code: One of :data:`.codes.CODES`.
        direction: None where both are concerned.
        rule: The rule, or the policy where its index is None; None where the whole host is concerned.
        others: The other rules concerned, in the order of evaluation, at most :data:`MOST_OTHERS`.
        witness: A packet that shows it; None where there is nothing to show.
        message: What is so, as a sentence without its subject's name.
        suggestion: What to do.
    """

    code: str
    severity: Severity
    message: str
    suggestion: str
    direction: t.Optional[Direction] = None
    rule: t.Optional[Origin] = None
    others: t.Tuple[Origin, ...] = ()
    witness: t.Optional[Packet] = None

    def __str__(self) -> str:
        subject = "%s: " % self.rule if self.rule is not None else ""
        shown = " (for example %s)" % packet_text(self.witness) if self.witness is not None else ""
        return "%s: %s%s%s. %s" % (self.code, subject, self.message, shown, self.suggestion)

    def to_plain(self) -> t.Dict[str, t.Any]:
        """As lists, mappings and texts, with the finding as a sentence under ``text``."""
        return {
            "code": self.code,
            "severity": self.severity.value,
            "direction": self.direction.value if self.direction is not None else None,
            "rule": str(self.rule) if self.rule is not None else None,
            "variable": self.rule.variable if self.rule is not None else "",
            "others": [str(other) for other in self.others],
            "witness": packet_to_plain(self.witness) if self.witness is not None else None,
            "message": self.message,
            "suggestion": self.suggestion,
            "text": str(self),
        }


#: Other rules that one finding names.
MOST_OTHERS = 8


def packet_text(packet: Packet) -> str:
    """The packet in words: ``tcp from 203.0.113.7 port 40000 to 198.51.100.1 port 22``."""
    words = [PROTOCOL_NAMES.get(packet.protocol, "protocol %d" % packet.protocol)]
    if packet.icmp_type is not None:
        words.append("type %d" % packet.icmp_type)
    words.append("from %s" % format_address(packet.family, packet.source))
    if packet.source_port is not None:
        words.append("port %d" % packet.source_port)
    words.append("to %s" % format_address(packet.family, packet.destination))
    if packet.destination_port is not None:
        words.append("port %d" % packet.destination_port)
    if packet.state is not State.NEW:
        words.append("(%s)" % packet.state.value)
    return " ".join(words)


def packet_to_plain(packet: Packet) -> t.Dict[str, t.Any]:
    """The fields that the packet has; state and the rest where they are not those of a new connection."""
    fields: t.Tuple[t.Tuple[str, t.Any], ...] = (
        ("direction", packet.direction.value),
        ("protocol", PROTOCOL_NAMES.get(packet.protocol, packet.protocol)),
        ("source", format_address(packet.family, packet.source)),
        ("destination", format_address(packet.family, packet.destination)),
        ("source_port", packet.source_port),
        ("destination_port", packet.destination_port),
        ("icmp_type", packet.icmp_type),
        ("state", packet.state.value if packet.state is not State.NEW else None),
        ("flow_direction", "reply" if packet.flow_direction is FlowDirection.REPLY else None),
        ("hop_limit", packet.hop_limit if packet.hop_limit != Packet.hop_limit else None),
        ("tcp_reset", True if packet.tcp_reset else None),
        ("text", packet_text(packet)),
    )
    return {key: value for key, value in fields if value is not None}
