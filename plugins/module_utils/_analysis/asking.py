# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""What to ask of a host to see whether its firewall is what its policies say.

Few questions that tell much: the ports that its rules name, some that nobody should reach, and an echo request. This
is no scan: of a range of ports, both ends are asked.
"""

from __future__ import annotations

import re
import typing as t

from .._core.addresses import format_address, parse_address
from .._core.intervals import IntervalSet
from .._core.ports import PortError, parse_ports
from .._policy.model import Direction, Traffic
from .._policy.program import Program

#: By name, the number of the protocols that have ports and can be asked.
PORT_PROTOCOLS: t.Mapping[str, int] = {"tcp": 6, "udp": 17}
ICMP = "icmp"

#: TCP ports of services that few should reach: telnet, SMB, Docker, MySQL, RDP, PostgreSQL, VNC, Redis,
#: Elasticsearch, memcached, MongoDB; and discard, which nobody serves any more (RFC 863).
CLOSED_AS_A_RULE = (9, 23, 445, 2375, 3306, 3389, 5432, 5900, 6379, 9200, 11211, 27017)

_EXTRA = re.compile(r"(?:(tcp|udp)/)?([0-9]+)", re.IGNORECASE | re.ASCII)


class QuestionError(ValueError):
    """What is no port to ask; the message says what to write instead."""


class Question(t.NamedTuple):
    """One address and port of the host.

    Attributes:
        protocol: ``tcp``, ``udp`` or ``icmp``, an echo request.
        port: None for echo requests.
        address: As a number, of the family.
    """

    protocol: str
    port: t.Optional[int]
    family: int
    address: int

    def to_target(self) -> t.Dict[str, t.Any]:
        """As the module ``probe`` takes it."""
        target = {"protocol": self.protocol, "address": format_address(self.family, self.address), "port": self.port}
        return {key: value for key, value in target.items() if value is not None}


class Listener(t.NamedTuple):
    """Who listens on the host: on one address, or on all of a family where ``address`` is 0."""

    protocol: str
    port: int
    family: int
    address: int

    def serves(self, question: Question) -> bool:
        return (self.protocol, self.port, self.family) == (
            question.protocol,
            question.port,
            question.family,
        ) and self.address in (0, question.address)


def read_listeners(listed: t.Iterable[t.Mapping[str, t.Any]]) -> t.List[Listener]:
    """Those that can be asked, of mappings with ``protocol``, ``address`` and ``port``; others are passed over.

    One on ``::`` may serve IPv4 as well. It counts for IPv6 alone, of which that is known.
    """
    found = []
    for one in listed:
        try:
            family, address = parse_address(str(one.get("address")).partition("%")[0])
            listener = Listener(str(one.get("protocol")), int(str(one.get("port"))), family, address)
        except ValueError:
            continue
        if listener.protocol in PORT_PROTOCOLS and 0 < listener.port < 65536 and not _is_loopback(family, address):
            found.append(listener)
    return found


def _is_loopback(family: int, address: int) -> bool:
    """127.0.0.0/8 (RFC 1122) and ::1 (RFC 4291)."""
    return address >> 24 == 127 if family == 4 else address == 1


def read_extra(value: object) -> t.Tuple[str, int]:
    """``tcp/8080``, ``udp/53`` or ``8080``, which is TCP.

    Raises:
        QuestionError: It is something else.
    """
    found = _EXTRA.fullmatch(str(value)) if not isinstance(value, bool) else None
    if found is None:
        raise QuestionError("'%s' is not a port to ask, such as 8080, tcp/8080 or udp/53" % value)
    try:
        port = parse_ports(found.group(2))[0]
    except PortError as exc:
        raise QuestionError(str(exc)) from exc
    if not port:
        raise QuestionError("'%s' is not a port to ask (1-65535)" % value)
    return (found.group(1) or "tcp").lower(), port


def choose_questions(
    program: Program, own_addresses: t.Mapping[int, int], extra: t.Sequence[t.Tuple[str, int]], most: int
) -> t.Tuple[t.List[Question], int]:
    """What to ask, and how many questions more than ``most`` there would be.

    Args:
        own_addresses: Of the host, by family.
        extra: Protocol and port, to ask as well.
    """
    kinds: t.Dict[t.Tuple[str, t.Optional[int]], None] = dict.fromkeys(extra)
    kinds[ICMP, None] = None
    kinds.update(dict.fromkeys(_named(program)))
    kinds.update((("tcp", port), None) for port in CLOSED_AS_A_RULE)
    found = [
        Question(protocol, port, family, address)
        for protocol, port in kinds
        for family, address in sorted(own_addresses.items())
    ]
    return found[:most], max(0, len(found) - most)


def _named(program: Program) -> t.Iterator[t.Tuple[str, int]]:
    """The ports that rules of the way in name, of ranges both ends."""
    for step in program.chain(Direction.INGRESS).steps:
        for traffic in step.rule.traffic:
            for protocol in _protocols(traffic):
                for low, high in (traffic.destination_ports or IntervalSet()).intervals:
                    # Nobody can be asked at port 0.
                    yield from ((protocol, port) for port in dict.fromkeys((max(low, 1), high)) if port)


def _protocols(traffic: Traffic) -> t.Iterator[str]:
    for name, number in PORT_PROTOCOLS.items():
        if traffic.protocols is None or number in traffic.protocols:
            yield name
