# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""The kernel's table of tracked connections, over netlink (linux/netfilter/nfnetlink_conntrack.h)."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import struct
import sys
import typing as t

from . import socket_tables
from .netlink import Attributes, read_attributes
from .socket_tables import TCP

_NETLINK_NETFILTER = 12
#: NFNL_SUBSYS_CTNETLINK with IPCTNL_MSG_CT_NEW, _GET, _DELETE.
_NEW, _GET, _DELETE = 0x100, 0x101, 0x102
_REQUEST, _ACKNOWLEDGE, _EXCLUSIVE, _DUMP, _CREATE = 0x1, 0x4, 0x200, 0x300, 0x400
_NESTED = 1 << 15
_ERROR, _DONE = 2, 3

# enum ctattr_type and its parts
_ORIGINAL, _REPLY, _STATUS, _PROTOINFO, _TIMEOUT, _ID = 1, 2, 3, 4, 7, 12
_TUPLE_IP, _TUPLE_PROTOCOL = 1, 2
_SOURCE_DESTINATION = {4: (1, 2), 6: (3, 4)}
_NUMBER, _SOURCE_PORT, _DESTINATION_PORT = 1, 2, 3
_PROTOINFO_TCP, _TCP_STATE, _TCP_FLAGS_ORIGINAL, _TCP_FLAGS_REPLY = 1, 1, 4, 5

#: linux/netfilter/nf_conntrack_common.h: IPS_SEEN_REPLY, IPS_ASSURED, IPS_CONFIRMED.
_SEEN_REPLY = 0x02
_LIVES = _SEEN_REPLY | 0x04 | 0x08
#: linux/netfilter/nf_conntrack_tcp.h: IP_CT_TCP_FLAG_BE_LIBERAL: nobody knows the windows of a connection that was not
#: seen to begin. And IP_CT_TCP_FLAG_CLOSE_INIT: one side has closed it.
_LIBERAL, _CLOSE_INIT = 0x08, 0x04

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_SHORT_HEADERS = _HEADER.size + 4
_BUFFER = 1 << 17
_SECONDS = 10.0


class TrackedState(t.NamedTuple):
    """How a connection is tracked.

    Attributes:
        number: enum tcp_conntrack; None where the protocol has no states.
        seconds: Without a packet, after which it is forgotten; the kernel's own defaults (nf_conntrack-sysctl.rst).
    """

    number: int
    seconds: int
    closes: bool = False


#: By the state of the socket. One that lingers answers, too, and its answer must not be taken for a beginning.
TRACKED_STATES: t.Mapping[int, TrackedState] = {
    socket_tables.ESTABLISHED: TrackedState(3, 432000),
    socket_tables.FIN_WAIT1: TrackedState(4, 120, closes=True),
    socket_tables.FIN_WAIT2: TrackedState(5, 60, closes=True),
    socket_tables.TIME_WAIT: TrackedState(7, 120, closes=True),
    socket_tables.CLOSE_WAIT: TrackedState(5, 60, closes=True),
    socket_tables.LAST_ACK: TrackedState(6, 30, closes=True),
    socket_tables.CLOSING: TrackedState(6, 30, closes=True),
}
_UDP_SECONDS = 120

Address = t.Union[ipaddress.IPv4Address, ipaddress.IPv6Address]


class Connection(t.NamedTuple):
    """A connection of this host, from the side that began it; or one direction of an entry."""

    protocol: int
    source: Address
    source_port: int
    destination: Address
    destination_port: int

    def reversed(self) -> Connection:
        """From the other side."""
        return Connection(self.protocol, self.destination, self.destination_port, self.source, self.source_port)


class Entry(t.NamedTuple):
    """What the kernel knows of a connection.

    Attributes:
        number: Of this entry, until it is forgotten.
        connection: From the side that the kernel takes for the one that began it.
        answers: Its other direction; not just the reverse where addresses are translated.
        answered: Whether packets went both ways.
        picked_up: Whether it had begun before it was tracked; of UDP that cannot be told, and is denied.
    """

    number: bytes
    connection: Connection
    answers: Connection
    answered: bool
    picked_up: bool


class Tracking:
    """A connection to the kernel, for the network namespace of the calling thread.

    Raises:
        OSError: From every method, where the kernel does not do it.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER)
        self._socket.settimeout(_SECONDS)
        self._socket.bind((0, 0))

    def __enter__(self) -> Tracking:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._socket.close()

    def add(self, connection: Connection, state: int) -> bool:
        """Makes an entry; False where there is one of these addresses and ports, in either direction.

        Args:
            state: That of the socket, one of :data:`TRACKED_STATES`.
        """
        try:
            self._ask(_NEW, _ACKNOWLEDGE | _EXCLUSIVE | _CREATE, connection, _entry(connection, TRACKED_STATES[state]))
        except FileExistsError:
            return False
        return True

    def find(self, connection: Connection) -> t.Optional[Entry]:
        """The entry of these addresses and ports, in either direction."""
        try:
            return _read_entry(self._ask(_GET, 0, connection, _nest(_ORIGINAL, _tuple(connection))))
        except FileNotFoundError:
            return None

    def end(self, entry: Entry) -> None:
        """Has the entry of a connection that is no more give way to what begins anew.

        If it goes on after all, or has begun anew by now, no packet of it is refused.
        """
        connection = entry.connection
        if connection.protocol != TCP:
            self.remove(connection, entry)
            return
        state = TRACKED_STATES[socket_tables.TIME_WAIT]
        content = _nest(_ORIGINAL, _tuple(connection)) + _plain(_TIMEOUT, struct.pack("!I", state.seconds))
        try:
            self._ask(_NEW, _ACKNOWLEDGE, connection, content + _protocol_state(state))
        except FileNotFoundError:
            return

    def lasting(self) -> t.List[Entry]:
        """All entries that last for days, or that are guesses: TCP connections that are open, or were picked up."""
        self._send(_GET, _DUMP, socket.AF_UNSPEC, b"")
        found: t.List[Entry] = []
        while True:
            answer = self._socket.recv(_BUFFER)
            at = 0
            while at < len(answer):
                length, kind = _HEADER.unpack_from(answer, at)[:2]
                if kind == _DONE:
                    return found
                if kind == _ERROR:
                    _check(answer[at:])
                attributes = answer[at + _SHORT_HEADERS : at + length]
                # Most are something else, and there may be very many.
                if _is_lasting(read_attributes(attributes)):
                    found.append(_read_entry(attributes))
                at += (length + 3) & ~3

    def remove(self, connection: Connection, entry: Entry) -> None:
        """Removes the entry if it is still this one."""
        wanted = _nest(_ORIGINAL, _tuple(connection)) + _plain(_ID, entry.number)
        try:
            self._ask(_DELETE, _ACKNOWLEDGE, connection, wanted)
        except FileNotFoundError:
            return

    def _ask(self, kind: int, flags: int, connection: Connection, content: bytes) -> bytes:
        """The attributes of the answer; none where it only says that it was done."""
        family = socket.AF_INET if connection.source.version == 4 else socket.AF_INET6
        self._send(kind, flags, family, content)
        answer = self._socket.recv(_BUFFER)
        length, kind = _HEADER.unpack_from(answer)[:2]
        if kind == _ERROR:
            _check(answer)
            return b""
        return answer[_SHORT_HEADERS:length]

    def _send(self, kind: int, flags: int, family: int, content: bytes) -> None:
        content = struct.pack("=BBH", family, 0, 0) + content
        self._socket.send(_HEADER.pack(_HEADER.size + len(content), kind, _REQUEST | flags, 0, 0) + content)


def _check(answer: bytes) -> None:
    """Raises:
    OSError: The kernel did not do it; the exception is the one of its number.
    """
    number = -int.from_bytes(answer[16:20], sys.byteorder, signed=True)
    if number:
        raise OSError(number, "connection tracking: %s" % os.strerror(number))


def _entry(connection: Connection, state: TrackedState) -> bytes:
    is_tcp = connection.protocol == TCP
    parts = [
        _nest(_ORIGINAL, _tuple(connection)),
        _nest(_REPLY, _tuple(connection.reversed())),
        _plain(_STATUS, struct.pack("!I", _LIVES)),
        _plain(_TIMEOUT, struct.pack("!I", state.seconds if is_tcp else _UDP_SECONDS)),
    ]
    if is_tcp:
        parts.append(_protocol_state(state))
    return b"".join(parts)


def _protocol_state(state: TrackedState) -> bytes:
    flags = _LIBERAL | (_CLOSE_INIT if state.closes else 0)
    mask = struct.pack("BB", flags, flags)
    told = _plain(_TCP_STATE, bytes([state.number]))
    told += _plain(_TCP_FLAGS_ORIGINAL, mask) + _plain(_TCP_FLAGS_REPLY, mask)
    return _nest(_PROTOINFO, _nest(_PROTOINFO_TCP, told))


def _read_entry(data: bytes) -> Entry:
    entry = read_attributes(data)
    try:
        return Entry(
            number=entry[_ID],
            connection=_read_tuple(entry[_ORIGINAL]),
            answers=_read_tuple(entry[_REPLY]),
            answered=bool(int.from_bytes(entry[_STATUS], "big") & _SEEN_REPLY),
            picked_up=_is_picked_up(entry),
        )
    except (KeyError, IndexError, ValueError, struct.error) as exc:
        raise OSError(errno.EPROTO, "connection tracking: an answer that is none") from exc


def _is_lasting(entry: Attributes) -> bool:
    tcp = _tcp_of(entry)
    return tcp.get(_TCP_STATE) == bytes([TRACKED_STATES[socket_tables.ESTABLISHED].number]) or _is_picked_up(entry)


def _tcp_of(entry: Attributes) -> Attributes:
    return read_attributes(read_attributes(entry.get(_PROTOINFO, b"")).get(_PROTOINFO_TCP, b""))


def _is_picked_up(entry: Attributes) -> bool:
    tcp = _tcp_of(entry)
    both = (tcp.get(number, b"\0") for number in (_TCP_FLAGS_ORIGINAL, _TCP_FLAGS_REPLY))
    return all(flags[0] & _LIBERAL for flags in both)


def _read_tuple(data: bytes) -> Connection:
    parts = read_attributes(data)
    addresses, ports = read_attributes(parts[_TUPLE_IP]), read_attributes(parts[_TUPLE_PROTOCOL])
    source, destination = _SOURCE_DESTINATION[4 if _SOURCE_DESTINATION[4][0] in addresses else 6]
    return Connection(
        ports[_NUMBER][0],
        ipaddress.ip_address(addresses[source]),
        int.from_bytes(ports[_SOURCE_PORT], "big"),
        ipaddress.ip_address(addresses[destination]),
        int.from_bytes(ports[_DESTINATION_PORT], "big"),
    )


def _tuple(connection: Connection) -> bytes:
    source, destination = _SOURCE_DESTINATION[connection.source.version]
    addresses = _plain(source, connection.source.packed) + _plain(destination, connection.destination.packed)
    ports = _plain(_SOURCE_PORT, struct.pack("!H", connection.source_port))
    ports += _plain(_DESTINATION_PORT, struct.pack("!H", connection.destination_port))
    number = _plain(_NUMBER, bytes([connection.protocol]))
    return _nest(_TUPLE_IP, addresses) + _nest(_TUPLE_PROTOCOL, number + ports)


def _plain(number: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), number) + value + b"\0" * (-len(value) % 4)


def _nest(number: int, content: bytes) -> bytes:
    return _plain(number | _NESTED, content)
