# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real connections between lab hosts: servers, and probes of who reaches what."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import ipaddress
import os
import pathlib
import selectors
import socket
import struct
import subprocess
import sys
import time
import typing as t

from .closing import Closing
from .namespaces import Host, LabError

CONNECTED, ANSWERED, REFUSED, FILTERED = "connected", "answered", "refused", "filtered"

_SERVER = pathlib.Path(__file__).with_name("server.py")

#: Enough for a packet each way over the lab's links on a busy machine, and less than the second after
#: which TCP would try again.
DEFAULT_SECONDS = 0.5

#: Probes that wait at the same time; each has a file descriptor.
_PARALLEL = 400

#: What an ICMP error about the probe makes of the call.
_REFUSALS = frozenset({errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.EACCES, errno.ECONNRESET, errno.ENOPROTOOPT})

_IP_RECVERR, _IPV6_RECVERR = 11, 25  # linux/in.h, linux/in6.h

_QUESTION = b"palisade"


class Server(Closing):
    """A process inside a host that answers on ports, over IPv4 and IPv6. A context manager.

    TCP connections and UDP packets get back what they send.
    """

    def __init__(self, host: Host, tcp: t.Iterable[int] = (), udp: t.Iterable[int] = ()) -> None:
        arguments = ["tcp:%d" % port for port in tcp] + ["udp:%d" % port for port in udp]
        self._process = host.popen(
            [sys.executable, "-I", "-S", str(_SERVER), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if t.cast("t.IO[str]", self._process.stdout).readline().strip() != "ready":
            _, problem = self._process.communicate()
            raise LabError("no server on %s: %s" % (host.name, problem.strip()))

    def close(self) -> None:
        """Ends the server and its connections."""
        self._process.kill()
        self._process.communicate()


@dataclasses.dataclass(frozen=True)
class Probe:
    """One question: does ``host`` reach ``address``?

    Attributes:
        protocol: ``tcp``, ``udp`` (where a :class:`Server` should answer), or ``icmp`` (an echo
            request of the address's family).
        port: For TCP and UDP.
        seconds: How long to wait for an answer before it counts as filtered.
    """

    host: Host
    protocol: str
    address: str
    port: int = 0
    seconds: float = DEFAULT_SECONDS


def probe_tcp(from_host: Host, address: str, port: int, timeout: float = DEFAULT_SECONDS) -> str:
    """Opens a TCP connection: ``connected``, ``refused`` (reset, or an ICMP error) or ``filtered`` (no answer)."""
    return probe_all([Probe(from_host, "tcp", address, port, timeout)])[0]


def probe_all(probes: t.Sequence[Probe]) -> t.List[str]:
    """The outcome of each probe, in order. They run at the same time, some hundreds at once.

    A TCP connection is ``connected``, a UDP packet or an echo request ``answered``. Each of them may be ``refused``
    (reset, or an ICMP error) or ``filtered`` (no answer).

    Raises:
        LabError: A probe cannot even begin, such as for want of a route.
    """
    found: t.List[str] = []
    for start in range(0, len(probes), _PARALLEL):
        found += _probe_some(probes[start : start + _PARALLEL])
    return found


def _probe_some(probes: t.Sequence[Probe]) -> t.List[str]:
    outcomes: t.Dict[int, str] = {}
    deadlines: t.Dict[int, float] = {}
    with contextlib.ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        for number, probe in enumerate(probes):
            opened = stack.enter_context(_open(probe))
            outcome = _ask(probe, opened, number)
            if outcome is not None:
                outcomes[number] = outcome
                continue
            deadlines[number] = time.monotonic() + probe.seconds
            event = selectors.EVENT_WRITE if probe.protocol == "tcp" else selectors.EVENT_READ
            selector.register(opened, event, number)
        while deadlines:
            for key, _events in selector.select(max(0.0, min(deadlines.values()) - time.monotonic())):
                outcome = _outcome(probes[key.data], t.cast("socket.socket", key.fileobj), key.data)
                if outcome is not None:
                    outcomes[key.data] = outcome
                    del deadlines[key.data]
                    selector.unregister(key.fileobj)
            now = time.monotonic()
            for number in [number for number, deadline in deadlines.items() if deadline <= now]:
                outcomes[number] = FILTERED
                del deadlines[number]
    return [outcomes[number] for number in range(len(probes))]


def _open(probe: Probe) -> socket.socket:
    family = _family(probe)
    if probe.protocol == "icmp":
        kind, protocol = socket.SOCK_RAW, socket.IPPROTO_ICMP if family == socket.AF_INET else socket.IPPROTO_ICMPV6
    elif probe.protocol in ("tcp", "udp"):
        kind, protocol = (socket.SOCK_STREAM if probe.protocol == "tcp" else socket.SOCK_DGRAM), 0
    else:
        raise ValueError("protocol %r is none of tcp, udp, icmp" % probe.protocol)
    opened = probe.host.socket(family, kind, protocol)
    opened.setblocking(False)
    # ICMP errors are queued: without that, raw sockets keep them to themselves, and TCP overlooks one that
    # arrives before the call that sent the packet has returned.
    level, option = (
        (socket.IPPROTO_IP, _IP_RECVERR) if family == socket.AF_INET else (socket.IPPROTO_IPV6, _IPV6_RECVERR)
    )
    opened.setsockopt(level, option, 1)
    return opened


def _family(probe: Probe) -> socket.AddressFamily:
    return socket.AF_INET if ipaddress.ip_address(probe.address).version == 4 else socket.AF_INET6


def _ask(probe: Probe, opened: socket.socket, number: int) -> t.Optional[str]:
    """Sends the question; the outcome where that alone decides it."""
    result = opened.connect_ex((probe.address, probe.port))
    if result == errno.EINPROGRESS:
        return None
    if result:
        return _of_error(probe, result)
    if probe.protocol == "tcp":
        return CONNECTED
    octets = _QUESTION
    if probe.protocol == "icmp":
        octets = _echo_request(probe, number)
    try:
        opened.send(octets)
    except OSError as exc:
        return _of_error(probe, t.cast("int", exc.errno))
    return None


def _outcome(probe: Probe, opened: socket.socket, number: int) -> t.Optional[str]:
    """What a socket that became ready says; None where it has to go on waiting."""
    error = opened.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) or _queued_error(opened)
    if error:
        return _of_error(probe, error)
    if probe.protocol == "tcp":
        return CONNECTED
    try:
        octets = opened.recv(65536)
    except BlockingIOError:
        return None
    except OSError as exc:
        return _of_error(probe, t.cast("int", exc.errno))
    if probe.protocol == "udp":
        return ANSWERED if octets == _QUESTION else None
    # Raw sockets get IPv4 with its header, IPv6 without, and every ICMP message of the peer.
    message = octets[(octets[0] & 0xF) * 4 :] if _family(probe) == socket.AF_INET else octets
    answer = 0 if _family(probe) == socket.AF_INET else 129
    return ANSWERED if message[:1] == bytes([answer]) and message[4:8] == _identity(number) else None


def _queued_error(opened: socket.socket) -> int:
    """The error that an ICMP message about the socket stands for, 0 where none came."""
    try:
        _octets, extra, _flags, _address = opened.recvmsg(0, 512, socket.MSG_ERRQUEUE)
    except OSError:
        return 0
    # struct sock_extended_err begins with the error's number.
    return next((struct.unpack_from("=I", octets)[0] for _level, _kind, octets in extra if len(octets) >= 16), 0)


def _of_error(probe: Probe, number: int) -> str:
    if number in _REFUSALS:
        return REFUSED
    if number == errno.EPERM:
        # The prober's own host dropped it on the way out.
        return FILTERED
    raise LabError("%s cannot probe %s: %s" % (probe.host.name, probe.address, os.strerror(number)))


def _identity(number: int) -> bytes:
    return struct.pack("!HH", os.getpid() & 0xFFFF, number)


def _echo_request(probe: Probe, number: int) -> bytes:
    kind = 8 if _family(probe) == socket.AF_INET else 128
    octets = struct.pack("!BBH", kind, 0, 0) + _identity(number) + _QUESTION
    if kind == 8:
        # In ICMPv6 the kernel does this, because of the pseudo header.
        total = 0xFFFF - int.from_bytes(octets, "big") % 0xFFFF
        octets = octets[:2] + total.to_bytes(2, "big") + octets[4:]
    return octets
