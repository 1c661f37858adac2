# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""ICMP errors about what a socket sent, from its error queue (ip(7), IP_RECVERR; ipv6(7), IPV6_RECVERR).

The error number that a socket reports says less than the message did, and not who sent it. The queue keeps both:
``struct sock_extended_err`` of linux/errqueue.h, and behind it the address of the sender.
"""

from __future__ import annotations

import socket
import struct
import typing as t

from ..._core.addresses import format_address

# linux/in.h, linux/in6.h
_IP_RECVERR, _IPV6_RECVERR = 11, 25
_OPTION = {4: (socket.IPPROTO_IP, _IP_RECVERR), 6: (socket.IPPROTO_IPV6, _IPV6_RECVERR)}

#: ee_errno, ee_origin, ee_type, ee_code, ee_pad, ee_info, ee_data
_EXTENDED_ERROR = struct.Struct("=IBBBBII")
_FROM_ICMP = frozenset((2, 3))  # SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6

#: Where the address begins in struct sockaddr_in and sockaddr_in6, and how long it is.
_SENDER = {socket.AF_INET: (4, 4, 4), socket.AF_INET6: (6, 8, 16)}

_MOST_OCTETS = 512
_MOST_CONTROL = 512

#: Names as nft has them for its reject; by family, type and code (RFC 792, RFC 1812, RFC 4443).
NAMES: t.Mapping[t.Tuple[int, int, int], str] = {
    (4, 3, 0): "net-unreachable",
    (4, 3, 1): "host-unreachable",
    (4, 3, 2): "prot-unreachable",
    (4, 3, 3): "port-unreachable",
    (4, 3, 9): "net-prohibited",
    (4, 3, 10): "host-prohibited",
    (4, 3, 13): "admin-prohibited",
    (6, 1, 0): "no-route",
    (6, 1, 1): "admin-prohibited",
    (6, 1, 3): "addr-unreachable",
    (6, 1, 4): "port-unreachable",
    (6, 1, 5): "policy-fail",
    (6, 1, 6): "reject-route",
}

#: Types that say that a packet did not arrive: unreachable, time exceeded, parameter problem. Others, such as
#: a packet that is too big or a redirect, do not.
_TYPE_NAMES = {
    (4, 3): "destination-unreachable",
    (4, 11): "time-exceeded",
    (4, 12): "parameter-problem",
    (6, 1): "destination-unreachable",
    (6, 3): "time-exceeded",
    (6, 4): "parameter-problem",
}

PORT_UNREACHABLE = "port-unreachable"


class IcmpError(t.NamedTuple):
    """One message.

    Attributes:
        name: nft's name of the code, else that of the type.
        sender: Who sent it; empty where the kernel does not say.
        about: The beginning of the packet that it is about, as far as the kernel keeps it.
    """

    type: int
    code: int
    name: str
    sender: str
    about: bytes = b""


def queue_errors(opened: socket.socket, family: int) -> None:
    """From now on the socket keeps ICMP errors.

    Without that, a raw socket never tells, and TCP overlooks an error that comes before the call that sent the packet
    has returned.
    """
    opened.setsockopt(*_OPTION[family], 1)


def read_errors(opened: socket.socket, family: int) -> t.Iterator[IcmpError]:
    """Takes from the queue what says that a packet did not arrive."""
    while True:
        try:
            octets, extra, _flags, _address = opened.recvmsg(_MOST_OCTETS, _MOST_CONTROL, socket.MSG_ERRQUEUE)
        except OSError:
            # Nothing is left.
            return
        for level, kind, data in extra:
            found = _read_error(family, data, octets) if (level, kind) == _OPTION[family] else None
            if found is not None:
                yield found


def _read_error(family: int, data: bytes, about: bytes) -> t.Optional[IcmpError]:
    if len(data) < _EXTENDED_ERROR.size:
        return None
    _number, origin, kind, code, _pad, _info, _data = _EXTENDED_ERROR.unpack_from(data)
    if origin not in _FROM_ICMP or (family, kind) not in _TYPE_NAMES:
        return None
    name = NAMES.get((family, kind, code), _TYPE_NAMES[family, kind])
    return IcmpError(kind, code, name, _sender(data[_EXTENDED_ERROR.size :]), about)


def _sender(data: bytes) -> str:
    if len(data) < 2:
        return ""
    number = int.from_bytes(data[:2], "little" if struct.pack("=H", 1)[0] else "big")
    if number not in _SENDER:
        return ""
    family, start, length = _SENDER[socket.AddressFamily(number)]
    octets = data[start : start + length]
    return format_address(family, int.from_bytes(octets, "big")) if len(octets) == length else ""
