# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sends packets to the services of answer.py and compares what comes back with what should.

Usage: probe.py FROM (filtered|open) < probes.json

The input is a list of mappings: ``from`` (where it is sent; others than FROM are left out),
``protocol`` (``tcp``, ``udp``, ``icmp``), ``source`` (an address of this host; by default the kernel
chooses), ``destination``, ``port`` (not with icmp), ``expect`` (what comes back with the firewall) and
``open`` (without it; by default ``answer``, because a service that nobody answers for proves nothing).
One line a probe is printed, and the exit status is 1 if any differs, or if there was none to send:

``answer``
    The peer answered: a line over TCP or UDP, an echo reply.
``refusal``
    Somebody said no: a TCP reset or an ICMP error.
``nothing``
    Nothing came back, or this host's own firewall kept the packet in.
"""

from __future__ import annotations

import concurrent.futures
import itertools
import json
import os
import socket
import struct
import sys
import time
import typing as t

#: Seconds until an answer has to be there. Generous, since a host may just be coming up.
_PATIENCE = 15.0
#: Seconds after which silence is silence. A SYN is repeated after one second, a datagram below.
_SILENCE = 2.5
_REPEAT = 0.3

_ECHO_TYPES = {socket.AF_INET: (8, 0), socket.AF_INET6: (128, 129)}
_numbers = itertools.count(1)


class Probe(t.NamedTuple):
    protocol: str
    source: t.Optional[str]
    destination: str
    port: t.Optional[int]
    expect: str

    def __str__(self) -> str:
        return "%-4s %-19s -> %-16s %5s" % (self.protocol, self.source or "", self.destination, self.port or "")

    @property
    def family(self) -> socket.AddressFamily:
        return socket.AF_INET6 if ":" in self.destination else socket.AF_INET


def _refused(error: OSError) -> str:
    """EPERM is what a sender gets whose own output chain drops the packet: nothing left this host."""
    return "nothing" if isinstance(error, PermissionError) and error.errno == 1 else "refusal"


def _open(probe: Probe, kind: socket.SocketKind, protocol: int = 0) -> socket.socket:
    sender = socket.socket(probe.family, kind, protocol)
    if probe.source is not None:
        sender.bind((probe.source, 0))
    return sender


def _tcp(probe: Probe, deadline: float) -> str:
    with _open(probe, socket.SOCK_STREAM) as sender:
        sender.settimeout(max(0.1, deadline - time.monotonic()))
        sender.connect((probe.destination, probe.port))
        return "answer" if sender.recv(64) else "refusal"


def _udp(probe: Probe, deadline: float) -> str:
    with _open(probe, socket.SOCK_DGRAM) as sender:
        sender.connect((probe.destination, probe.port))
        sender.settimeout(_REPEAT)
        while time.monotonic() < deadline:
            sender.send(b"probe\n")
            try:
                sender.recv(64)
            except socket.timeout:
                continue
            return "answer"
    return "nothing"


def _checksum(message: bytes) -> int:
    """RFC 1071; the kernel computes ICMPv6's, which covers a pseudo header."""
    total = sum(struct.unpack("!%dH" % (len(message) // 2), message))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def _icmp(probe: Probe, deadline: float) -> str:
    request, reply = _ECHO_TYPES[probe.family]
    version6 = probe.family == socket.AF_INET6
    identifier = (os.getpid() + next(_numbers)) & 0xFFFF
    number = socket.IPPROTO_ICMPV6 if version6 else socket.IPPROTO_ICMP
    with _open(probe, socket.SOCK_RAW, number) as sender:
        sender.settimeout(_REPEAT)
        header = struct.pack("!BBHHH", request, 0, 0, identifier, 1)
        header = struct.pack("!BBHHH", request, 0, _checksum(header), identifier, 1)
        while time.monotonic() < deadline:
            sender.sendto(header, (probe.destination, 0))
            repeat = time.monotonic() + _REPEAT
            while time.monotonic() < repeat:
                try:
                    message, _ = sender.recvfrom(2048)
                except socket.timeout:
                    break
                # Raw sockets show IPv4's header, and every ICMP message of this host.
                start = 0 if version6 else (message[0] & 0x0F) * 4
                kind, _, _, seen, _ = struct.unpack("!BBHHH", message[start : start + 8])
                if (kind, seen) == (reply, identifier):
                    return "answer"
    return "nothing"


_SENDERS = {"tcp": _tcp, "udp": _udp, "icmp": _icmp}


def send(probe: Probe) -> str:
    """What came back: ``answer``, ``refusal`` or ``nothing``."""
    deadline = time.monotonic() + (_SILENCE if probe.expect == "nothing" else _PATIENCE)
    try:
        return _SENDERS[probe.protocol](probe, deadline)
    except socket.timeout:
        return "nothing"
    except OSError as error:
        return _refused(error)


def _read(text: str, sender: str, state: str) -> list[Probe]:
    return [
        Probe(
            protocol=probe["protocol"],
            source=probe.get("source"),
            destination=probe["destination"],
            port=probe.get("port"),
            expect=probe["expect"] if state == "filtered" else probe.get("open", "answer"),
        )
        for probe in json.loads(text)
        if probe["from"] == sender
    ]


def main(sender: str, state: str) -> int:
    """Sends all probes at once and prints one line each."""
    probes = _read(sys.stdin.read(), sender, state)
    with concurrent.futures.ThreadPoolExecutor(max(1, len(probes))) as threads:
        results = list(threads.map(send, probes))
    differing = 0
    for probe, result in zip(probes, results):
        if result == probe.expect:
            print("ok    %s  %s" % (probe, result))
        else:
            differing += 1
            print("WRONG %s  %s, expected %s" % (probe, result, probe.expect))
    print("%d of %d as expected" % (len(probes) - differing, len(probes)))
    return 1 if differing or not probes else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
