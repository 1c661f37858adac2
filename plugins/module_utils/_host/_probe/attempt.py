# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""One question on the wire: its socket, what is sent, and what the socket says when it becomes ready.

TCP opens a connection and closes it again. UDP and ICMP send a packet, and send it again as long as nobody answers.
"""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import socket
import struct
import time
import typing as t

from ..udp_questions import question_for
from .icmp_errors import PORT_UNREACHABLE, IcmpError, queue_errors, read_errors
from .target import Answer, Outcome, Target

_SOCKET_FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
_ICMP_PROTOCOL = {4: socket.IPPROTO_ICMP, 6: socket.IPPROTO_ICMPV6}
_ECHO_REQUEST, _ECHO_REPLY = {4: 8, 6: 128}, {4: 0, 6: 129}
_ANYWHERE = {4: "0.0.0.0", 6: "::"}  # noqa: S104 - bound to send from a certain port, nothing listens

_OCTETS = 65536
_ECHO_DATA = b"palisade"

#: Errors of a call that no packet of the network stands for, and what they mean.
_LOCAL = {
    errno.ENETUNREACH: "there is no route to the address from here",
    errno.EHOSTUNREACH: "there is no route to the address from here",
    errno.EADDRNOTAVAIL: "this machine cannot ask from that address or port",
    errno.EADDRINUSE: "the source port is in use here",
    errno.EACCES: "this machine does not let the packet out",
    errno.EINVAL: "the address cannot be asked from here",
}
_OWN_FIREWALL = "the firewall of the asking host does not let the packet out"
_PING_RIGHTS = (
    "an echo request takes root, or a group in net.ipv4.ping_group_range on the host that asks (icmp(7)); use become"
)


class Attempt:
    """One question under way.

    Attributes:
        number: Tells this question from others.
        begun: When its first packet was sent, by the monotonic clock.
        answer: What came of it; None until something did.
    """

    def __init__(self, target: Target, number: int) -> None:
        self.target = target
        self.number = number
        self.begun = time.monotonic()
        self.answer: t.Optional[Answer] = None
        self._tries = 0
        self._raw = False
        self._source: t.Tuple[str, int] = ("", 0)
        self._socket: t.Optional[socket.socket] = None

    @property
    def opened(self) -> socket.socket:
        """Its socket.

        Raises:
            ValueError: It has none; the answer says why.
        """
        if self._socket is None:
            raise ValueError("this question was never asked")
        return self._socket

    @property
    def event(self) -> int:
        return selectors.EVENT_WRITE if self.target.protocol == "tcp" else selectors.EVENT_READ

    @property
    def is_repeated(self) -> bool:
        """Whether we ask again; TCP does by itself."""
        return self.target.protocol != "tcp"

    def begin(self) -> None:
        """Opens the socket and asks."""
        try:
            self._socket = self._open()
            self._connect()
        except PermissionError as exc:
            if self._socket is None:
                self._finish(Outcome.ERROR, _PING_RIGHTS, here=True)
            else:
                self._fail(exc)
        except OSError as exc:
            self._fail(exc)

    def ask(self) -> None:
        """Sends the packet of UDP or ICMP, for the first time or again."""
        self._tries += 1
        try:
            self.opened.send(self._octets())
        except OSError as exc:
            # An error that an earlier packet met is reported by the next call.
            self.read()
            self._fail(exc)

    def read(self) -> None:
        """Looks at what the socket has; sets the answer if that is one."""
        for error in read_errors(self.opened, self.target.family):
            if not self._raw or self._identity() in error.about:
                self._finish_icmp(error)
        number = self.opened.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if self.answer is not None:
            return
        if number:
            self._fail(OSError(number, os.strerror(number)))
        elif self.target.protocol == "tcp":
            self._read_tcp()
        else:
            self._read_packets()

    def give_up(self) -> None:
        """Nobody waits any longer."""
        if self.target.protocol == "udp":
            self._finish(Outcome.SILENT, "no answer; UDP need not give one")
        else:
            self._finish(Outcome.FILTERED, "no answer")

    def close(self) -> None:
        """Ends the connection, if there is one."""
        if self._socket is None:
            return
        if self.target.source_port and self.target.protocol == "tcp":
            # A reset leaves the port free for the next question.
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    # Inside

    def _open(self) -> socket.socket:
        target = self.target
        family = _SOCKET_FAMILY[target.family]
        if target.protocol == "icmp":
            opened, self._raw = _open_ping(target.family)
        else:
            opened = socket.socket(family, socket.SOCK_STREAM if target.protocol == "tcp" else socket.SOCK_DGRAM)
        try:
            opened.setblocking(False)
            queue_errors(opened, target.family)
            if target.source or target.source_port:
                # Several questions may go out from one port.
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                opened.bind(_resolved(target.family, target.source or _ANYWHERE[target.family], target.source_port))
        except BaseException:
            opened.close()
            raise
        return opened

    def _connect(self) -> None:
        number = self.opened.connect_ex(_resolved(self.target.family, self.target.address, self.target.port))
        # Kept now: a refused connection has no address any more.
        name = self.opened.getsockname()
        self._source = (str(name[0]).partition("%")[0], 0 if self.target.protocol == "icmp" else int(name[1]))
        if number not in (0, errno.EINPROGRESS):
            raise OSError(number, os.strerror(number))
        if self.target.protocol != "tcp":
            self.ask()
        else:
            self._tries = 1

    def _octets(self) -> bytes:
        if self.target.protocol == "udp":
            payload = self.target.payload
            return question_for(self.target.port) if payload is None else payload
        octets = struct.pack("!BBH", _ECHO_REQUEST[self.target.family], 0, 0) + self._identity() + _ECHO_DATA
        if self._raw and self.target.family == 4:
            # Elsewhere the kernel does this.
            total = 0xFFFF - int.from_bytes(octets, "big") % 0xFFFF
            octets = octets[:2] + total.to_bytes(2, "big") + octets[4:]
        return octets

    def _identity(self) -> bytes:
        return struct.pack("!HH", os.getpid() & 0xFFFF, self.number & 0xFFFF)

    def _read_tcp(self) -> None:
        try:
            peer = self.opened.getpeername()
        except OSError:
            # Only something in the error queue that decides nothing.
            return
        if peer == self.opened.getsockname():
            # Both sides took the same port of this machine, and the connection is to itself.
            self._finish(Outcome.REFUSED, "nobody listens")
        else:
            self._finish(Outcome.CONNECTED, "connected")

    def _read_packets(self) -> None:
        while self.answer is None:
            try:
                octets = self.opened.recv(_OCTETS)
            except BlockingIOError:
                return
            except OSError as exc:
                self._fail(exc)
                return
            if self.target.protocol == "udp" or self._is_echo_reply(octets):
                self._finish(Outcome.ANSWERED, "answered")

    def _is_echo_reply(self, octets: bytes) -> bool:
        # A raw socket of IPv4 gets the IP header as well, and every ICMP message of the peer.
        message = octets[(octets[0] & 0xF) * 4 :] if self._raw and self.target.family == 4 and octets else octets
        if message[:1] != bytes([_ECHO_REPLY[self.target.family]]):
            return False
        return not self._raw or message[4:8] == self._identity()

    def _finish_icmp(self, error: IcmpError) -> None:
        target = self.target
        itself = error.sender in ("", target.bare_address)
        by = "" if itself else ", says %s" % error.sender
        if target.protocol == "udp" and itself and error.name == PORT_UNREACHABLE:
            self._finish(Outcome.REFUSED, PORT_UNREACHABLE, error)
        else:
            here = bool(error.sender) and error.sender == self._source[0] and not itself
            self._finish(Outcome.UNREACHABLE, error.name + by, error, here=here)

    def _fail(self, exc: OSError) -> None:
        number = exc.errno or 0
        if number == errno.ECONNREFUSED:
            self._finish(Outcome.REFUSED, "connection refused")
        elif number in (errno.ECONNRESET, errno.EPIPE):
            self._finish(Outcome.REFUSED, "connection reset")
        elif number == errno.ETIMEDOUT:
            self.give_up()
        elif number == errno.EPERM:
            # What netfilter makes of a drop on the way out (nf_hook_slow).
            self._finish(Outcome.FILTERED, _OWN_FIREWALL, here=True)
        else:
            self._finish(Outcome.ERROR, _LOCAL.get(number, exc.strerror or str(exc)), here=True)

    def _finish(self, outcome: Outcome, detail: str, icmp: t.Optional[IcmpError] = None, *, here: bool = False) -> None:
        """The first answer counts."""
        if self.answer is None:
            seconds = time.monotonic() - self.begun
            self.answer = Answer(outcome, detail, icmp, here, *self._source, seconds, max(1, self._tries))


def _open_ping(family: int) -> t.Tuple[socket.socket, bool]:
    """A socket for echo requests, and whether it is a raw one.

    Raises:
        PermissionError: This process may have neither.
    """
    protocol = _ICMP_PROTOCOL[family]
    try:
        return socket.socket(_SOCKET_FAMILY[family], socket.SOCK_DGRAM, protocol), False
    except OSError:
        # Not every kernel lets everybody have one of those.
        return socket.socket(_SOCKET_FAMILY[family], socket.SOCK_RAW, protocol), True


def _resolved(family: int, address: str, port: int) -> t.Tuple[t.Any, ...]:
    """The address as a socket takes it, the interface of a link-local one with it."""
    found = socket.getaddrinfo(address, port, _SOCKET_FAMILY[family], socket.SOCK_DGRAM, 0, socket.AI_NUMERICHOST)
    return t.cast("t.Tuple[t.Any, ...]", found[0][4])
