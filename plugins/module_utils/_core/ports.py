# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Transport ports as the operator writes them: 22, "22", "1000-11000"; services: "host:443"."""

from __future__ import annotations

import re
import typing as t

from .errors import show
from .intervals import Interval

HIGHEST_PORT = 65535

#: Without leading zeros, which make a number octal elsewhere.
_NUMBER = re.compile(r"0|[1-9][0-9]{0,9}", re.ASCII)

#: Host names (RFC 1123, section 2.1), IPv4 addresses, or an IPv6 address in brackets.
_SERVICE = re.compile(
    r"(?:\[(?P<bracketed>[0-9A-Fa-f:.]{2,45})\]|(?P<host>[A-Za-z0-9][A-Za-z0-9.-]{0,252})):(?P<port>[0-9]{1,5})",
    re.ASCII,
)


class PortError(ValueError):
    """The value is no port; ``code`` tells what kind of mistake it is."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def parse_ports(value: object) -> Interval:
    """One port or one range of ports, inclusive.

    Raises:
        PortError: The value is neither; the message says what was expected.
    """
    if isinstance(value, bool):
        raise PortError("port", "%s is not a port (0-65535)" % show(value))
    if isinstance(value, int):
        port = _port(value, value)
        return port, port
    if not isinstance(value, str):
        raise PortError("port", "%s is not a port (0-65535) or a range such as '1000-11000'" % show(value))
    if "," in value:
        raise PortError("port", '%s is several ports; write a list: ["80", "443"]' % show(value))
    low_text, dash, high_text = value.partition("-")
    if not _NUMBER.fullmatch(low_text) or (dash and not _NUMBER.fullmatch(high_text)):
        raise PortError("port", "%s is not a port (0-65535) or a range such as '1000-11000'" % show(value))
    low = _port(int(low_text), value)
    high = _port(int(high_text), value) if dash else low
    if low > high:
        raise PortError("port-order", "%s is reversed; write '%d-%d'" % (show(value), high, low))
    return low, high


def _port(number: int, written: object) -> int:
    if not 0 <= number <= HIGHEST_PORT:
        raise PortError("port", "%s is not a port (0-65535)" % show(written))
    return number


def format_ports(interval: Interval) -> str:
    low, high = interval
    return str(low) if low == high else "%d-%d" % (low, high)


def parse_service(value: object) -> t.Tuple[str, int]:
    """``(host, port)`` of ``HOST:PORT``; the host is a name or an address, IPv6 in brackets.

    Raises:
        PortError: It is something else.
    """
    found = _SERVICE.fullmatch(value) if isinstance(value, str) else None
    if found is None or not 0 < int(found.group("port")) <= HIGHEST_PORT:
        raise PortError(
            "service", "%s is not HOST:PORT, such as 'mirror.example.net:443' or '[2001:db8::1]:443'" % show(value)
        )
    return found.group("bracketed") or found.group("host"), int(found.group("port"))
