# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packets as cases write them, with what is expected of them.

A packet says its ``direction`` and, where it matters, ``protocol`` (default tcp), ``source`` and
``destination`` (the default is some stranger, and this host), ``source_port``, ``destination_port``,
``icmp_type``, ``hop_limit``, ``tcp_reset``, ``family`` (default 4, or that of an address),
``interface`` (default eth0), ``state`` (default new), ``reply`` (default false) and ``route`` (default
local). Expected are its ``verdict``, and ``by`` and ``stage``: what decided, and where in the order of
evaluation.
"""

from __future__ import annotations

import typing as t

from ansible_collections.palisade.nftables.plugins.module_utils._core.addresses import parse_address
from ansible_collections.palisade.nftables.plugins.module_utils._policy.evaluate import Decision
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import (
    Direction,
    FlowDirection,
    Route,
    State,
)
from ansible_collections.palisade.nftables.plugins.module_utils._policy.packet import Packet
from ansible_collections.palisade.nftables.plugins.module_utils._policy.protocols import (
    ICMP_TYPES,
    ICMPV6_TYPES,
    PORT_PROTOCOLS,
    PROTOCOLS,
)

_EXPECTED = ("verdict", "by", "stage")
_KEYS = {
    "direction",
    "protocol",
    "source",
    "destination",
    "source_port",
    "destination_port",
    "icmp_type",
    "hop_limit",
    "tcp_reset",
    "family",
    "interface",
    "state",
    "reply",
    "route",
    *_EXPECTED,
}
_STRANGER = {4: "203.0.113.9", 6: "2001:db8:ffff::9"}
_HOST = {4: "192.0.2.10", 6: "2001:db8::10"}
_ICMP_NAMES = {1: ICMP_TYPES, 58: ICMPV6_TYPES}


def read_packet(written: t.Mapping[str, t.Any]) -> Packet:
    """The packet that a case describes.

    Raises:
        ValueError: A key is none of a packet's.
    """
    unknown = set(written) - _KEYS
    if unknown:
        raise ValueError("a packet has no %s" % ", ".join(sorted(unknown)))
    direction = Direction(written["direction"])
    name = written.get("protocol", "tcp")
    protocol = name if isinstance(name, int) else PROTOCOLS[name]
    family = _family(written, protocol)
    near, far = ("destination", "source") if direction is Direction.INGRESS else ("source", "destination")
    addresses = {
        near: parse_address(written.get(near, _HOST[family])),
        far: parse_address(written.get(far, _STRANGER[family])),
    }
    has_ports = protocol in PORT_PROTOCOLS
    icmp_type = written.get("icmp_type")
    return Packet(
        direction=direction,
        family=family,
        protocol=protocol,
        source=addresses["source"][1],
        destination=addresses["destination"][1],
        interface=written.get("interface", "eth0"),
        source_port=written.get("source_port", 40000) if has_ports else None,
        destination_port=written.get("destination_port", 40001) if has_ports else None,
        icmp_type=_ICMP_NAMES[protocol][icmp_type] if isinstance(icmp_type, str) else icmp_type,
        hop_limit=written.get("hop_limit", 64),
        tcp_reset=written.get("tcp_reset", False),
        state=State(written.get("state", "new")),
        flow_direction=FlowDirection.REPLY if written.get("reply") else FlowDirection.ORIGINAL,
        route=Route(written.get("route", "local")),
    )


def _family(written: t.Mapping[str, t.Any], protocol: int) -> int:
    families = {parse_address(written[key])[0] for key in ("source", "destination") if key in written}
    if "family" in written:
        families.add(written["family"])
    if len(families) > 1:
        raise ValueError("a packet is of one family: %r" % (written,))
    return families.pop() if families else 6 if protocol == PROTOCOLS["icmpv6"] else 4


def expectation(written: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    """What a case says of a packet, as far as it says it."""
    return {key: written[key] for key in _EXPECTED if key in written}


def found(decision: Decision, keys: t.Iterable[str]) -> t.Dict[str, t.Any]:
    """What the evaluator says, as far as it was asked."""
    values = {"verdict": decision.action.value, "by": str(decision.origin), "stage": decision.stage.value}
    return {key: values[key] for key in keys}
