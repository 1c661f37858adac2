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

from .._core.addresses import format_address
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
