# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sends the same packets over and over, as fast as it can. Run by :mod:`.flood` inside a lab host.

Where they are to be fresh, they are UDP at the end of a frame, and their source ports go on from one burst
to the next.

Its first line of input is a specification in JSON; it floods from then on until its input ends, and
prints how many packets the kernel took and how many it refused to send.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import select
import socket
import struct
import sys
import typing as t

#: Messages for one system call; the kernel takes no more (UIO_MAXIOV).
BURST = 1024

#: How nice senders are, where there is more than one processor.
_NICENESS = 5

#: Source ports that a fresh packet has in turn.
_FIRST_PORT, _PORTS = 1024, 64512

_UDP = struct.Struct("!HHHH")


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Message(ctypes.Structure):
    """struct mmsghdr: a struct msghdr and the number of octets that were sent of it."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("vectors", ctypes.POINTER(_Vector)),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
        ("sent", ctypes.c_uint32),
    )


def _open(specification: t.Mapping[str, t.Any]) -> socket.socket:
    device = specification["device"]
    if specification["frames"]:
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        opened.bind((device, 0))
        return opened
    kind = socket.AF_INET if specification["family"] == 4 else socket.AF_INET6
    opened = socket.socket(kind, socket.SOCK_RAW, socket.IPPROTO_RAW)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode() + b"\0")
    return opened


def _address(packet: bytes, index: int) -> bytes:
    """The socket address of a packet's destination."""
    if packet[0] >> 4 == 4:
        return struct.pack("=HH4s8x", socket.AF_INET, 0, packet[16:20])
    return struct.pack("=HHI16sI", socket.AF_INET6, 0, 0, packet[24:40], index)


def _messages(packets: t.Sequence[bytes], names: t.Sequence[bytes]) -> t.Tuple[ctypes.Array[_Message], t.List[t.Any]]:
    """One burst of the packets in turn, and what has to stay alive as long as it does."""
    alive: t.List[t.Any] = []
    burst = (_Message * BURST)()
    for position, message in enumerate(burst):
        packet = packets[position % len(packets)]
        buffer = ctypes.create_string_buffer(packet, len(packet))
        vector = _Vector(ctypes.addressof(buffer), len(packet))
        message.vectors = ctypes.pointer(vector)
        message.vector_count = 1
        alive += [buffer, vector]
        if names:
            name = names[position % len(names)]
            holder = ctypes.create_string_buffer(name, len(name))
            message.name = ctypes.addressof(holder)
            message.name_length = len(name)
            alive.append(holder)
    return burst, alive


class _Ports:
    """Goes on with the source ports of the messages of a burst, each a buffer of its own."""

    def __init__(self, buffers: t.Sequence[t.Any], packets: t.Sequence[bytes]) -> None:
        self._turn = 0
        self._buffers = [
            (buffer, len(packet) - _UDP.size, *self._rest(packet))
            for buffer, packet in zip(buffers, (packets[number % len(packets)] for number in range(len(buffers))))
        ]
        # Copies of one packet in a burst have ports of their own as well.
        self._copies = -(-len(buffers) // len(packets))
        self._packets = len(packets)

    def _rest(self, packet: bytes) -> t.Tuple[int, int]:
        """The destination port, and what the checksum sums up besides the source port (RFC 1071)."""
        source, destination, _length, checksum = _UDP.unpack(packet[-_UDP.size :])
        return destination, (0xFFFF - checksum - source) % 0xFFFF

    def go_on(self) -> None:
        for number, (buffer, offset, destination, rest) in enumerate(self._buffers):
            port = _FIRST_PORT + (self._turn * self._copies + number // self._packets) % _PORTS
            # Never 0, which stands for none.
            checksum = 0xFFFF - (rest + port) % 0xFFFF
            _UDP.pack_into(buffer, offset, port, destination, _UDP.size, checksum)
        self._turn += 1


def flood(
    opened: socket.socket, packets: t.Sequence[bytes], names: t.Sequence[bytes], *, fresh: bool
) -> t.Tuple[int, int]:
    """Sends until standard input ends; returns how many packets were sent and how many refused."""
    burst, alive = _messages(packets, names)
    ports = _Ports([one for one in alive if not isinstance(one, _Vector)], packets) if fresh else None
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor, size = opened.fileno(), ctypes.sizeof(_Message)
    start = ctypes.addressof(burst)
    libc.sendmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)
    sent = refused = 0
    poll = select.poll()
    poll.register(0, select.POLLIN | select.POLLHUP)
    while not poll.poll(0):
        if ports is not None:
            ports.go_on()
        position = 0
        while position < BURST:
            done = libc.sendmmsg(descriptor, start + position * size, BURST - position, 0)
            if done > 0:
                sent += done
                position += done
                continue
            number = ctypes.get_errno()
            if number not in (errno.EPERM, errno.ENOBUFS, errno.EINTR, errno.EAGAIN):
                raise OSError(number, os.strerror(number))
            if number == errno.EPERM:
                refused += 1
            if number != errno.EINTR:
                position += 1
    del alive
    return sent, refused


def main() -> None:
    specification = json.loads(sys.stdin.readline())
    if len(os.sched_getaffinity(0)) > 1:
        # Whoever changes the ruleset comes first on its own processor: the flood there would only make a change
        # take longer, while it is watched at full rate from the other processors.
        os.nice(_NICENESS)
    os.sched_setaffinity(0, {specification["processor"]})
    packets = [bytes.fromhex(text) for text in specification["packets"]]
    opened = _open(specification)
    names = []
    if not specification["frames"]:
        index = socket.if_nametoindex(specification["device"])
        names = [_address(packet, index) for packet in packets]
    print(*flood(opened, packets, names, fresh=specification["fresh"]))


if __name__ == "__main__":
    main()
