# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""What is asked of one address and port, and what came of it."""

from __future__ import annotations

import enum
import typing as t

from ..._core.addresses import parse_address
from ..._core.ports import PortError, parse_ports
from .icmp_errors import IcmpError

PROTOCOLS = ("tcp", "udp", "icmp")

#: Loopback lets packets of this size through, and so does every link of IPv6 (RFC 8200, section 5).
_MOST_PAYLOAD = 1024


class Outcome(enum.Enum):
    """What can be seen from where the packets come from.

    ``REFUSED`` is what a host answers at a port where nobody listens: a TCP reset, or for UDP an ICMP error from the
    target itself that says so. A firewall may answer the same. ``UNREACHABLE`` is any other ICMP error. ``FILTERED``
    is no answer where a host that gets the packet gives one; ``SILENT`` is none where it need not.
    """

    CONNECTED = "connected"
    ANSWERED = "answered"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    FILTERED = "filtered"
    SILENT = "silent"
    ERROR = "error"


class TargetError(ValueError):
    """What is no target; the message says what to write instead."""


class Target(t.NamedTuple):
    """One question.

    Attributes:
        protocol: One of :data:`PROTOCOLS`; ``icmp`` is an echo request of the address's family.
        family: 4 or 6.
        address: As text; a link-local one of IPv6 with its interface, ``fe80::1%eth0``.
        port: Of TCP and UDP, else 0.
        source: Address to ask from; empty leaves it to the routes.
        source_port: Port to ask from; 0 leaves it to the kernel.
        payload: What a UDP packet holds; None for a question that the port's usual service answers.
    """

    protocol: str
    family: int
    address: str
    port: int = 0
    source: str = ""
    source_port: int = 0
    payload: t.Optional[bytes] = None

    @property
    def bare_address(self) -> str:
        return self.address.partition("%")[0]


class Answer(t.NamedTuple):
    """What came of a question.

    Attributes:
        detail: One phrase for people.
        icmp: The error that decided.
        here: Whether it never left this machine, as far as the kernel says so.
        source, source_port: Where it was asked from.
        seconds: From the first packet to the answer, or until nobody waited any longer.
        tries: How often it was asked; TCP asks again by itself, which is not counted.
    """

    outcome: Outcome
    detail: str
    icmp: t.Optional[IcmpError] = None
    here: bool = False
    source: str = ""
    source_port: int = 0
    seconds: float = 0.0
    tries: int = 1


def read_target(data: t.Mapping[str, t.Any], source: str = "", source_port: t.Optional[int] = None) -> Target:
    """The target that a mapping with the fields of :class:`Target` names.

    Args:
        source, source_port: For targets that name none. An address of the other family is left out.

    Raises:
        TargetError: It names none.
    """
    protocol = str(data.get("protocol") or "tcp").lower()
    if protocol not in PROTOCOLS:
        raise TargetError("protocol: '%s' is none of %s" % (protocol, ", ".join(PROTOCOLS)))
    family, address = _address("address", data.get("address"))
    own = _address("source", data["source"]) if data.get("source") else None
    if own is not None and own[0] != family:
        raise TargetError("source: %s and %s are of different families" % (own[1], address))
    if own is None and source:
        given = _address("source", source)
        own = given if given[0] == family else None
    payload = _payload(data.get("payload"))
    if protocol == "icmp":
        if data.get("port") is not None:
            raise TargetError("port: ICMP has no ports; leave it out")
        return Target(protocol, family, address, source=own[1] if own else "")
    if data.get("port") is None:
        raise TargetError("port: %s has ports; say which" % protocol)
    if payload is not None and protocol != "udp":
        raise TargetError("payload: only UDP packets carry one")
    own_port = data.get("source_port") if data.get("source_port") is not None else source_port
    return Target(
        protocol,
        family,
        address,
        _port("port", data["port"]),
        own[1] if own else "",
        0 if own_port is None else _port("source_port", own_port),
        payload,
    )


def _address(key: str, value: object) -> t.Tuple[int, str]:
    text = value if isinstance(value, str) else ""
    bare, percent, scope = text.partition("%")
    try:
        family = parse_address(bare)[0]
    except ValueError as exc:
        raise TargetError("%s: '%s' is not an address such as 192.0.2.1 or 2001:db8::1" % (key, value)) from exc
    if percent and (family == 4 or not scope):
        raise TargetError("%s: only an IPv6 address may be followed by %% and an interface" % key)
    return family, text


def _port(key: str, value: object) -> int:
    try:
        low, high = parse_ports(value)
    except PortError as exc:
        raise TargetError("%s: %s" % (key, exc)) from exc
    if low != high or not low:
        raise TargetError("%s: '%s' is not one port (1-65535)" % (key, value))
    return low


def _payload(value: object) -> t.Optional[bytes]:
    if value is None:
        return None
    try:
        payload = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError as exc:
        raise TargetError("payload: '%s' is not written in hexadecimal digits, two an octet" % value) from exc
    if len(payload) > _MOST_PAYLOAD:
        raise TargetError("payload: more than %d octets" % _MOST_PAYLOAD)
    return payload


def answer_to_plain(target: Target, answer: Answer) -> t.Dict[str, t.Any]:
    """Question and answer in plain data."""
    icmp = answer.icmp
    return {
        "address": target.address,
        "protocol": target.protocol,
        "port": target.port or None,
        "outcome": answer.outcome.value,
        "detail": answer.detail,
        "icmp": None
        if icmp is None
        else {"type": icmp.type, "code": icmp.code, "name": icmp.name, "sender": icmp.sender},
        "here": answer.here,
        "source": answer.source,
        "source_port": answer.source_port or None,
        "seconds": round(answer.seconds, 3),
        "tries": answer.tries,
    }
