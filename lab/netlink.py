# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Netlink, as far as the lab needs it: messages, nested attributes, requests and dumps."""

from __future__ import annotations

import os
import socket
import struct
import typing as t

from .namespaces import Host, LabError

NETLINK_NETFILTER = 12
REQUEST, ACKNOWLEDGE, DUMP, EXCLUSIVE, CREATE = 0x1, 0x4, 0x300, 0x200, 0x400
NESTED = 0x8000

_ERROR, _DONE = 2, 3
_DUMP_INTERRUPTED = 0x10
_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr: length, type, flags, sequence, port
_ATTRIBUTE = struct.Struct("=HH")  # struct nlattr: length, type
_RECEIVE_BYTES = 1 << 20
#: Messages that are sent together; their answers have to fit the receive buffer.
_CHUNK_BYTES = 1 << 16


def attribute(number: int, payload: bytes) -> bytes:
    """One attribute, padded to four bytes."""
    length = 4 + len(payload)
    return _ATTRIBUTE.pack(length, number) + payload + b"\0" * (-length % 4)


def nested(number: int, *attributes: bytes) -> bytes:
    """An attribute that holds others."""
    payload = b"".join(attributes)
    return _ATTRIBUTE.pack(4 + len(payload), number | NESTED) + payload


def attributes(payload: bytes) -> t.Dict[int, bytes]:
    """Attribute number to payload; of equal numbers the last."""
    found: t.Dict[int, bytes] = {}
    offset = 0
    while offset + 4 <= len(payload):
        length, number = _ATTRIBUTE.unpack_from(payload, offset)
        if length < 4:
            break
        found[number & 0x3FFF] = payload[offset + 4 : offset + length]
        offset += length + (-length % 4)
    return found


class Request(t.NamedTuple):
    """One message: ``body`` begins with the family's own header (struct nfgenmsg for netfilter)."""

    number: int
    flags: int
    body: bytes


def netfilter(subsystem: int, message: int, flags: int, family: int, *parts: bytes, resource: int = 0) -> Request:
    """A message to a subsystem of netfilter."""
    return Request(subsystem << 8 | message, flags, struct.pack("!BBH", family, 0, resource) + b"".join(parts))


class Netlink:
    """A netlink socket in the network of a host. A context manager."""

    def __init__(self, host: Host, protocol: int = NETLINK_NETFILTER) -> None:
        self._socket = host.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        self._socket.bind((0, 0))
        self._socket.settimeout(30.0)
        self._sequence = 0

    def close(self) -> None:
        self._socket.close()

    def send(self, requests: t.Sequence[Request]) -> None:
        """Sends requests and waits until the kernel has done the last.

        Raises:
            LabError: The kernel refused one.
        """
        chunk: t.List[Request] = []
        size = 0
        for request in requests:
            chunk.append(request)
            size += len(request.body) + 20
            if size > _CHUNK_BYTES:
                self._exchange(chunk)
                chunk, size = [], 0
        if chunk:
            self._exchange(chunk)

    def _exchange(self, requests: t.Sequence[Request]) -> None:
        """One acknowledgement for all: requests are handled in order, and errors are answered unasked."""
        first = self._sequence + 1
        parts = []
        for position, request in enumerate(requests):
            last = position == len(requests) - 1
            parts.append(self._message(request, ACKNOWLEDGE if last else 0))
        self._socket.sendall(b"".join(parts))
        for number, _flags, sequence, payload in self._receive():
            if number != _ERROR:
                continue
            code = -struct.unpack_from("=i", payload)[0]
            if code:
                position = sequence - first
                raise LabError("netlink request %d: %s" % (position, os.strerror(code)))
            if sequence == self._sequence:
                return

    def batch(self, subsystem: int, requests: t.Sequence[Request]) -> None:
        """Sends requests to nf_tables as one transaction.

        Raises:
            LabError: The kernel refused one, and so all of them.
        """
        begin, end = (netfilter(0, number, REQUEST, 0, resource=subsystem) for number in (0x10, 0x11))
        parts = [self._message(begin, 0)]
        parts += [self._message(request, 0) for request in requests[:-1]]
        parts.append(self._message(requests[-1], ACKNOWLEDGE))
        last = self._sequence
        parts.append(self._message(end, 0))
        self._socket.sendall(b"".join(parts))
        for number, _flags, sequence, payload in self._receive():
            if number != _ERROR:
                continue
            code = -struct.unpack_from("=i", payload)[0]
            if code:
                raise LabError("nf_tables: %s" % os.strerror(code))
            if sequence == last:
                return

    def dump(self, request: Request) -> t.List[bytes]:
        """The payloads of all answers to a dump, each after its struct nfgenmsg.

        Raises:
            LabError: The kernel refused.
        """
        for _attempt in range(100):
            self._socket.sendall(self._message(request, DUMP))
            answers: t.List[bytes] = []
            interrupted = False
            for number, flags, _sequence, payload in self._receive():
                interrupted = interrupted or bool(flags & _DUMP_INTERRUPTED)
                if number == _DONE:
                    break
                if number == _ERROR:
                    code = -struct.unpack_from("=i", payload)[0]
                    raise LabError("netlink dump: %s" % os.strerror(code))
                answers.append(payload[4:])
            if not interrupted:
                return answers
        raise LabError("netlink: what is dumped changes all the time")

    def _message(self, request: Request, flags: int) -> bytes:
        self._sequence += 1
        flags |= request.flags
        return _HEADER.pack(16 + len(request.body), request.number, flags, self._sequence, 0) + request.body

    def _receive(self) -> t.Iterator[t.Tuple[int, int, int, bytes]]:
        """Type, flags, sequence number and payload of each message, as they come.

        Raises:
            LabError: None came for long.
        """
        while True:
            try:
                data = self._socket.recv(_RECEIVE_BYTES)
            except socket.timeout as exc:
                raise LabError("netlink: the kernel does not answer") from exc
            offset = 0
            while offset + 16 <= len(data):
                length, number, flags, sequence, _port = _HEADER.unpack_from(data, offset)
                yield number, flags, sequence, data[offset + 16 : offset + length]
                offset += length + (-length % 4)
