# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Questions to the kernel about its ruleset, over netlink. Nothing here changes anything.

nft needs as long to list a large ruleset as to load it; its messages are read in a tenth of that.
The numbers are those of linux/netlink.h and linux/netfilter/nf_tables.h.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
import typing as t

from .errors import HostError
from .nft import not_permitted

#: The messages that answer a dump, by what is asked for: NFT_MSG_GETTABLE and so on.
TABLES, CHAINS, RULES, SETS, ELEMENTS, OBJECTS, FLOWTABLES = 1, 4, 7, 10, 13, 19, 23
_GENERATION = 16

#: NFPROTO_INET.
INET = 1

_NETLINK_NETFILTER = 12
_NFTABLES = 10 << 8
_REQUEST = 0x1
_DUMP = 0x300
_ERROR, _DONE = 2, 3
_INTERRUPTED = 0x10

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_SHORT_HEADERS = _HEADER.size + 4
#: Above are the bits NLA_F_NESTED and NLA_F_NET_BYTEORDER.
_TYPE_MASK = 0x3FFF

#: The kernel answers with as much as fits, up to this.
_BUFFER = 1 << 17

#: Bounds a hang of the kernel.
_SECONDS = 60.0

Attributes = t.Dict[int, bytes]


class NetlinkError(HostError):
    """The kernel did not answer."""


class ChangedMeanwhileError(Exception):
    """The ruleset was changed while it was read."""


class Netlink:
    """A connection to the kernel, for the network namespace of the calling thread.

    Raises:
        NetlinkError: From every method, where the kernel does not answer.
        NftNotPermittedError: From every method, where the kernel does not let us ask.
    """

    def __init__(self) -> None:
        with _told():
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER)
            self._socket.settimeout(_SECONDS)
            self._socket.bind((0, 0))

    def __enter__(self) -> Netlink:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._socket.close()

    def generation(self) -> int:
        """A number that every change of any table of the namespace changes."""
        with _told():
            (answer,) = self._ask(_GENERATION, 0, b"", _REQUEST)
        return int.from_bytes(read_attributes(answer)[1], "big")

    def dump(self, what: int, family: int = 0, *names: str) -> t.List[bytes]:
        """The attributes of every thing there is, one after the other.

        Args:
            names: The table, and the set, whose things are wanted. An old kernel may answer with those of
                other tables too.

        Raises:
            ChangedMeanwhileError: The answer is not of one instant.
        """
        attributes = b"".join(_attribute(number, name) for number, name in enumerate(names, 1))
        with _told():
            return self._ask(what, family, attributes, _REQUEST | _DUMP)

    def _ask(self, what: int, family: int, attributes: bytes, flags: int) -> t.List[bytes]:
        length = _SHORT_HEADERS + len(attributes)
        header = _HEADER.pack(length, _NFTABLES | what, flags, 0, 0) + struct.pack("=BBH", family, 0, 0)
        self._socket.send(header + attributes)
        found: t.List[bytes] = []
        while True:
            answer = self._socket.recv(_BUFFER)
            at, end = 0, len(answer)
            while at < end:
                length, kind, marks, _sequence, _port = _HEADER.unpack_from(answer, at)
                if marks & _INTERRUPTED:
                    raise ChangedMeanwhileError
                if kind == _DONE:
                    return found
                if kind == _ERROR:
                    number = -int.from_bytes(answer[at + 16 : at + 20], sys.byteorder, signed=True)
                    raise OSError(number, os.strerror(number))
                found.append(answer[at + _SHORT_HEADERS : at + length])
                at += (length + 3) & ~3
            if not flags & _DUMP:
                return found


def read_attributes(data: bytes) -> Attributes:
    """Attributes by their numbers; of several of one number the last."""
    found: Attributes = {}
    at, end = 0, len(data)
    unpack = _ATTRIBUTE.unpack_from
    while at < end:
        length, kind = unpack(data, at)
        found[kind & _TYPE_MASK] = data[at + 4 : at + length]
        at += (length + 3) & ~3
    return found


def read_list(data: bytes) -> t.List[bytes]:
    """The contents of attributes that are the items of a list."""
    found: t.List[bytes] = []
    at, end = 0, len(data)
    unpack = _ATTRIBUTE.unpack_from
    while at < end:
        length = unpack(data, at)[0]
        found.append(data[at + 4 : at + length])
        at += (length + 3) & ~3
    return found


def read_name(data: bytes) -> str:
    return data.rstrip(b"\0").decode("utf-8", "backslashreplace")


def _attribute(number: int, name: str) -> bytes:
    value = name.encode("utf-8") + b"\0"
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), number) + value + b"\0" * (-len(value) % 4)


@contextlib.contextmanager
def _told() -> t.Iterator[None]:
    try:
        yield
    except PermissionError as exc:
        raise not_permitted(exc.strerror or str(exc)) from exc
    except (FileNotFoundError, InterruptedError) as exc:
        # Of a table or set that was there a moment ago.
        raise ChangedMeanwhileError from exc
    except OSError as exc:
        raise NetlinkError("the kernel does not tell what it holds of nftables: %s" % (exc.strerror or exc)) from exc
