# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Links, addresses, routes and rules of the calling thread's network namespace, over rtnetlink (rtnetlink(7)).

Only what a namespace for trials needs, and without ip(8), which a host may not have. The numbers are those of
linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h and linux/fib_rules.h.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import typing as t

from .errors import HostError

_NEW_LINK, _NEW_ADDRESS, _NEW_ROUTE, _NEW_RULE = 16, 20, 24, 32
_REQUEST, _ACKNOWLEDGE, _EXCLUSIVE, _CREATE = 0x1, 0x4, 0x200, 0x400
_ERROR = 2

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBI")
_ROUTE = struct.Struct("=BBBBBBBBI")

_UP, _NO_ARP = 0x1, 0x80
_NO_DUPLICATE_DETECTION = 0x02
_UNICAST, _LOCAL = 1, 2
_SCOPE_HOST, _SCOPE_LINK = 254, 253
_BOOT = 3
_MAIN_TABLE, _LOCAL_TABLE = 254, 255

_FAMILY: t.Mapping[int, int] = {4: socket.AF_INET, 6: socket.AF_INET6}

#: Bounds a hang of the kernel.
_SECONDS = 10.0
_BUFFER = 1 << 16


class Rtnetlink:
    """A connection to the kernel, for the network namespace of the calling thread.

    Raises:
        HostError: From every method, where the kernel refuses; the message says what was wanted.
    """

    def __init__(self) -> None:
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
            self._socket.settimeout(_SECONDS)
            self._socket.bind((0, 0))
        except OSError as exc:
            raise HostError("the kernel takes no requests about networks: %s" % (exc.strerror or exc)) from exc

    def __enter__(self) -> Rtnetlink:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._socket.close()

    def add_pair(self, name: str, address: bytes, peer: str) -> None:
        """Two interfaces, of which each receives what the other sends; ``address`` is the first one's."""
        other = _LINK.pack(0, 0, 0, 0, 0) + _text(3, peer)
        data = _nested(18, _text(1, "veth"), _nested(2, _attribute(1, other)))
        body = _LINK.pack(0, 0, 0, 0, 0) + _attribute(1, address) + _text(3, name) + data
        self._ask(_NEW_LINK, _CREATE | _EXCLUSIVE, body, "a pair of interfaces (veth)")

    def set_up(self, index: int) -> None:
        """The interface takes part, and asks for no neighbours."""
        body = _LINK.pack(0, 0, index, _UP | _NO_ARP, _UP | _NO_ARP)
        self._ask(_NEW_LINK, 0, body, "an interface that is up")

    def add_address(self, index: int, family: int, address: int) -> None:
        value = address.to_bytes(4 if family == 4 else 16, "big")
        body = _ADDRESS.pack(_FAMILY[family], 8 * len(value), 0, 0, index)
        body += _attribute(1, value) + _attribute(2, value)
        body += _attribute(8, struct.pack("=I", _NO_DUPLICATE_DETECTION)) if family == 6 else b""
        self._ask(_NEW_ADDRESS, _CREATE | _EXCLUSIVE, body, "an address of IPv%d" % family)

    def add_default(self, index: int, family: int, metric: int) -> None:
        """What goes anywhere may leave by the interface."""
        route = _ROUTE.pack(_FAMILY[family], 0, 0, 0, 0, _BOOT, _SCOPE_LINK, _UNICAST, 0)
        self._add_route(route, index, _MAIN_TABLE, metric)

    def claim_ipv4(self, loopback: int) -> None:
        """Every address of IPv4 is this host's, but for who says by which interface a packet leaves.

        The kernel sends errors from no address that is not (__ip_dev_find() in net/ipv4/devinet.c).
        """
        route = _ROUTE.pack(_FAMILY[4], 0, 0, 0, 0, _BOOT, _SCOPE_HOST, _LOCAL, 0)
        self._add_route(route, loopback, _LOCAL_TABLE, 1)

    def receive_ipv6(self, index: int, name: str, table: int) -> None:
        """What arrives on the interface is for this host, whatever its destination."""
        route = _ROUTE.pack(_FAMILY[6], 0, 0, 0, 0, _BOOT, _SCOPE_HOST, _LOCAL, 0)
        self._add_route(route, index, table, 1)
        # An action of 1 looks into a table.
        body = _ROUTE.pack(_FAMILY[6], 0, 0, 0, 0, 0, 0, 1, 0)
        body += _text(3, name) + _number(6, table) + _number(15, table)
        self._ask(_NEW_RULE, _CREATE | _EXCLUSIVE, body, "a routing rule")

    def _add_route(self, route: bytes, index: int, table: int, metric: int) -> None:
        body = route + _number(4, index) + _number(6, metric) + _number(15, table)
        self._ask(_NEW_ROUTE, _CREATE, body, "a route")

    def _ask(self, kind: int, flags: int, body: bytes, what: str) -> None:
        length = _HEADER.size + len(body)
        number = 0
        try:
            self._socket.send(_HEADER.pack(length, kind, _REQUEST | _ACKNOWLEDGE | flags, 0, 0) + body)
            answer = self._socket.recv(_BUFFER)
        except OSError as exc:
            raise HostError("the kernel answers no request for %s: %s" % (what, exc.strerror or exc)) from exc
        if _HEADER.unpack_from(answer)[1] == _ERROR:
            number = -int.from_bytes(answer[_HEADER.size : _HEADER.size + 4], sys.byteorder, signed=True)
        if number:
            raise HostError("the kernel makes no such thing here, %s: %s" % (what, os.strerror(number)))


def _attribute(number: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), number) + value + b"\0" * (-len(value) % 4)


def _nested(number: int, *attributes: bytes) -> bytes:
    return _attribute(number, b"".join(attributes))


def _text(number: int, value: str) -> bytes:
    return _attribute(number, value.encode("utf-8") + b"\0")


def _number(number: int, value: int) -> bytes:
    return _attribute(number, struct.pack("=I", value))
