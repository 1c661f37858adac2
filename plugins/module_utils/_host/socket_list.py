# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""The sockets of this network namespace: who listens, and whom this host talks to.

The kernel is asked over netlink (sock_diag(7)), which alone tells to which interface a socket is bound and whether one
of IPv6 leaves IPv4 alone. Where it does not answer, the tables below /proc/net are read, which do not tell that.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
import sys
import typing as t

from .._core.addresses import format_address
from ._discovery.tree import Tree
from .socket_tables import (
    CLOSE,
    ESTABLISHED,
    LISTEN,
    PROC,
    TABLES,
    TCP,
    UDP,
    is_mapped,
    read_lines,
    read_rows,
    unmapped,
)

SCTP, UDPLITE = 132, 136

#: Protocols whose sockets are asked for, and their tables.
_TABLES = {**TABLES, UDPLITE: ("udplite", "udplite6")}
_RAW_TABLES = ("raw", "raw6")
_SCTP_ENDPOINTS = "sctp/eps"
_FAMILIES = ((4, socket.AF_INET), (6, socket.AF_INET6))

_ASKED_STATES = (1 << ESTABLISHED) | (1 << CLOSE) | (1 << LISTEN)

_NETLINK_SOCK_DIAG = 4
_BY_FAMILY = 20
_ERROR, _DONE = 2, 3
_FLAGS = 0x1 | 0x300  # NLM_F_REQUEST, NLM_F_DUMP
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
#: struct inet_diag_req_v2 and inet_diag_msg, linux/inet_diag.h; ports and addresses are in network order.
_REQUEST = struct.Struct("=BBBBI48s")
_MESSAGE = struct.Struct("=BBBB2s2s16s16sI8sIIIII")
_V6ONLY = 11  # INET_DIAG_SKV6ONLY
_BUFFER = 1 << 17
_SECONDS = 10.0


class Socket(t.NamedTuple):
    """One socket.

    Attributes:
        protocol: Number; of a raw socket the one that it gets.
        raw: It gets every packet of its protocol, and has no port.
        address: Canonical text; ``0.0.0.0`` and ``::`` are all addresses.
        remote: The other side; empty where there is none.
        families: 4 and 6 as far as it takes packets of them.
        interface: Index of the interface that it is bound to; 0 where it is bound to none.
        inode: By which processes have it; 0 where the kernel has it for itself.
    """

    protocol: int
    address: str
    port: int
    families: t.Tuple[int, ...]
    remote: str = ""
    remote_port: int = 0
    state: int = LISTEN
    raw: bool = False
    interface: int = 0
    user: t.Optional[int] = None
    inode: int = 0

    @property
    def listens(self) -> bool:
        """Whether others can begin to talk to it."""
        if self.raw or self.protocol == SCTP:
            return not self.remote
        return self.state == LISTEN if self.protocol == TCP else self.state == CLOSE and self.port > 0

    @property
    def is_connected(self) -> bool:
        return self.state == ESTABLISHED and self.remote_port > 0


def find_sockets(proc: str = PROC) -> t.Tuple[t.List[Socket], t.List[str]]:
    """The sockets, and sentences about what could not be found out."""
    found: t.List[Socket] = []
    notes: t.List[str] = []
    tree = Tree()
    v6only = (tree.read("/proc/sys/net/ipv6/bindv6only") or "").strip() == "1"
    for protocol, tables in _TABLES.items():
        try:
            found.extend(list(_ask(protocol)))
        except OSError as exc:
            listed = [one for name in tables for one in read_table(read_lines(proc, name), protocol, v6only=v6only)]
            found.extend(listed)
            if listed and protocol in (TCP, UDP) and not notes:
                notes.append(
                    "the kernel does not tell of sockets over netlink (%s): to which interface one is bound is not "
                    "known, and sockets of IPv6 are taken to serve IPv4 as well" % (exc.strerror or exc)
                )
    for name in _RAW_TABLES:
        found.extend(one._replace(raw=True, protocol=one.port, port=0) for one in read_table(read_lines(proc, name), 0))
    found.extend(read_sctp_endpoints(read_lines(proc, _SCTP_ENDPOINTS)))
    return sorted(found), notes


def _ask(protocol: int) -> t.Iterator[Socket]:
    """Raises:
    OSError: The kernel does not tell.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG) as kernel:
        kernel.settimeout(_SECONDS)
        kernel.bind((0, 0))
        for _version, family in _FAMILIES:
            content = _REQUEST.pack(family, protocol, 0, 0, _ASKED_STATES, bytes(48))
            kernel.send(_HEADER.pack(_HEADER.size + len(content), _BY_FAMILY, _FLAGS, 0, 0) + content)
            yield from _answers(kernel, protocol)


def _answers(kernel: socket.socket, protocol: int) -> t.Iterator[Socket]:
    while True:
        answer = kernel.recv(_BUFFER)
        at = 0
        while at < len(answer):
            length, kind = _HEADER.unpack_from(answer, at)[:2]
            if kind == _DONE:
                return
            if kind == _ERROR:
                number = -int.from_bytes(answer[at + 16 : at + 20], sys.byteorder, signed=True)
                raise OSError(number, os.strerror(number))
            yield _read_message(answer[at + _HEADER.size : at + length], protocol)
            at += (length + 3) & ~3


def _read_message(message: bytes, protocol: int) -> Socket:
    family, state, _timer, _retransmits, port, remote_port, source, remote, interface, _cookie, *rest = (
        _MESSAGE.unpack_from(message)
    )
    user, inode = rest[3:5]
    v6only = False
    at = _MESSAGE.size
    while at + _ATTRIBUTE.size <= len(message):
        length, kind = _ATTRIBUTE.unpack_from(message, at)
        if kind == _V6ONLY:
            v6only = bool(message[at + 4])
        at += max(_ATTRIBUTE.size, (length + 3) & ~3)
    size = 4 if family == socket.AF_INET else 16
    return _make(
        protocol,
        (source[:size], int.from_bytes(port, "big")),
        (remote[:size], int.from_bytes(remote_port, "big")),
        v6only=v6only,
    )._replace(state=state, interface=interface, user=user, inode=inode)


def _make(protocol: int, local: t.Tuple[bytes, int], remote: t.Tuple[bytes, int], *, v6only: bool) -> Socket:
    packed, port = local
    families: t.Tuple[int, ...] = (4 if len(packed) == 4 else 6,)
    if is_mapped(packed):
        families = (4,)
    elif len(packed) == 16 and not any(packed) and not v6only:
        families = (4, 6)
    return Socket(
        protocol,
        _text(packed),
        port,
        families,
        remote=_text(remote[0]) if any(remote[0]) else "",
        remote_port=remote[1],
    )


def _text(packed: bytes) -> str:
    packed = unmapped(packed)
    return format_address(4 if len(packed) == 4 else 6, int.from_bytes(packed, "big"))


def read_table(lines: t.Iterable[str], protocol: int, *, v6only: bool = False) -> t.Iterator[Socket]:
    """The sockets of a table, with the user and the inode that it tells."""
    for row in read_rows(lines):
        try:
            user, inode = int(row.fields[7]), int(row.fields[9])
        except (IndexError, ValueError):
            continue
        made = _make(protocol, row.local, row.remote, v6only=v6only)
        yield made._replace(state=row.state, user=user, inode=inode)


def read_sctp_endpoints(lines: t.Iterable[str]) -> t.Iterator[Socket]:
    """A socket for each address of ``ENDPT SOCK STY SST HBKT LPORT UID INODE LADDRS`` (net/sctp/proc.c)."""
    for line in lines:
        fields = line.split()
        try:
            if int(fields[3]) != LISTEN:
                continue
            for text in fields[8:]:
                packed = ipaddress.ip_address(text).packed
                made = _make(SCTP, (packed, int(fields[5])), (b"", 0), v6only=False)
                yield made._replace(user=int(fields[6]), inode=int(fields[7]))
        except (IndexError, ValueError):
            continue
