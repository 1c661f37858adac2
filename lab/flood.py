# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packets at the highest rate the lab can make, and what happened to each class of them.

While the flood runs, the caller changes the ruleset. Every packet is counted before all other chains
(priority -500) and behind all of them (priority 900) of the same hook path; what the queues before
the hooks lost under load does not count. So of a stream that the ruleset accepts, before and after
every change, ``lost`` has to be 0, and of one that it refuses, ``leaked``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import socket
import struct
import sys
import time
import typing as t

from . import conntrack, frames, nftables, packets
from .closing import Closing
from .namespaces import Host, HostProcess, LabError
from .netlink import Netlink
from .packets import LabPacket
from .processors import on_processor

_SENDER = pathlib.Path(__file__).with_name("sender.py")
_TABLE = "lab_flood"
_SECONDS = 30.0

#: The number that a fence carries; streams count from 1.
_FENCE = 999

#: A sender's specification is one line; more packets than a burst would never be sent.
_MOST_PACKETS = 1024


@dataclasses.dataclass(frozen=True)
class Stream:
    """Packets of one class, sent in turn and over and over.

    Attributes:
        packets: All of one direction, interface and family; states ``new``, ``invalid``, or
            ``established``, of which each has to be of another flow. Flows stay what they are: no
            packet of the flood ends in the connection tracking table.
        allowed: What the ruleset under test says to them, at every moment.
        fresh: Every packet begins a flow: from one burst to the next the source ports go on. UDP that arrives
            alone. What passes goes on to the host's sockets, and is in the connection tracking table from then on.
    """

    packets: t.Sequence[LabPacket]
    allowed: bool
    fresh: bool = False


@dataclasses.dataclass(frozen=True)
class Count:
    """What happened to a stream.

    Attributes:
        sent: Packets that the sender handed to the kernel, accepted or not.
        seen: Those that came before the first chain.
        passed: Those that came out behind the last.
        seconds: How long the flood ran.
    """

    allowed: bool
    sent: int
    seen: int
    passed: int
    seconds: float

    @property
    def lost(self) -> int:
        """Packets that were refused though their stream is allowed."""
        return self.seen - self.passed if self.allowed else 0

    @property
    def leaked(self) -> int:
        """Packets that were accepted though their stream is not allowed."""
        return 0 if self.allowed else self.passed

    @property
    def rate(self) -> float:
        """Packets a second that the ruleset decided about."""
        return self.seen / self.seconds


class Flood(Closing):
    """A running flood. A context manager: entering returns when every stream flows.

    Args:
        host: Where the ruleset is.
        streams: By name.
        wire: The host at the other end of the interfaces; needed for what arrives.
        interfaces: An interface of ``host`` to the one of ``wire`` that is its other end.
    """

    def __init__(
        self,
        host: Host,
        streams: t.Mapping[str, Stream],
        wire: t.Optional[Host] = None,
        interfaces: t.Optional[t.Mapping[str, str]] = None,
    ) -> None:
        self._host = host
        self._wire = wire
        self._interfaces = dict(interfaces or {"eth0": "eth0"})
        self._streams = dict(streams)
        self._senders: t.Dict[str, HostProcess] = {}
        self._processors = sorted(os.sched_getaffinity(0))
        self._netlink: t.Optional[Netlink] = None
        self._counts: t.Optional[t.Dict[str, Count]] = None
        self._started = 0.0
        self._has_flows = False
        for name, stream in self._streams.items():
            self._check(name, stream)

    def _check(self, name: str, stream: Stream) -> None:
        if not 0 < len(stream.packets) <= _MOST_PACKETS:
            raise ValueError("stream %s: 1 to %d packets are sent in turn" % (name, _MOST_PACKETS))
        kinds = {(packet.direction, packet.interface, packet.family) for packet in stream.packets}
        if len(kinds) != 1:
            raise ValueError("stream %s: more than one direction, interface or family" % name)
        for packet in stream.packets:
            reason = packets.why_impossible(packet)
            if reason is None and packet.state in ("related", "untracked"):
                reason = "floods hold no %s packets" % packet.state
            if reason is not None:
                raise ValueError("stream %s: %s: %r" % (name, reason, packet))
        if stream.fresh and any(
            (packet.direction, packet.protocol, packet.state) != ("ingress", packets.UDP, "new")
            for packet in stream.packets
        ):
            raise ValueError("stream %s: only new UDP that arrives can be fresh" % name)
        if stream.packets[0].direction == "ingress" and self._wire is None:
            raise ValueError("stream %s: what arrives has to come from somewhere" % name)

    def __enter__(self) -> Flood:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def stop(self) -> t.Dict[str, Count]:
        """Ends the flood and returns the counts of each stream. Further calls return the same.

        Raises:
            LabError: A sender failed, or the lab's own counters are gone.
        """
        if self._counts is not None:
            return self._counts
        sent: t.Dict[str, int] = {}
        for sender in self._senders.values():
            t.cast("t.IO[str]", sender.stdin).close()
            sender.stdin = None
        for name, sender in self._senders.items():
            output, problem = sender.communicate(timeout=_SECONDS)
            if sender.returncode != 0:
                raise LabError("the sender of %s failed: %s" % (name, problem.strip()))
            sent[name] = sum(map(int, output.split()))
        seconds = time.monotonic() - self._started
        self._await_queues()
        counters = self._counters()
        self._counts = {
            name: Count(
                stream.allowed,
                sent[name],
                counters["seen%d" % number][0],
                counters["passed%d" % number][0],
                seconds,
            )
            for number, (name, stream) in enumerate(self._streams.items(), 1)
        }
        return self._counts

    def await_more(self, least: int = 1000) -> None:
        """Waits until so many more packets of every stream have come: the last change is in use.

        Raises:
            LabError: A stream has dried up.
        """
        before = self._counters()
        for number, name in enumerate(self._streams, 1):
            counter = "seen%d" % number
            self._await_counter(counter, before[counter][0] + least, "the stream %s has dried up" % name)

    # The parts

    def _start(self) -> None:
        self._host.nft(self._chains())
        self._netlink = Netlink(self._host)
        for number, stream in enumerate(self._streams.values(), 1):
            flows = [entry for packet in stream.packets for entry in conntrack.entries(packet, number, 0)]
            self._has_flows = self._has_flows or bool(flows)
            self._netlink.send(flows)
        if any(stream.fresh for stream in self._streams.values()):
            self._has_flows = True
            # The kernel makes room in a full table, as long as nothing in it is worth keeping.
            for name in ("udp_timeout", "udp_timeout_stream"):
                self._host.sysctl("net/netfilter/nf_conntrack_" + name, 1)
        for number, (name, stream) in enumerate(self._streams.items(), 1):
            self._senders[name] = self._start_sender(number, stream)
        self._started = time.monotonic()
        for number, name in enumerate(self._streams, 1):
            self._await_counter("seen%d" % number, 1, "the stream %s does not flow" % name)

    def _chains(self) -> str:
        """Two chains for each direction. A packet's stream is its number (see :mod:`.frames`)."""
        fresh = {number for number, stream in enumerate(self._streams.values(), 1) if stream.fresh}
        numbers = range(1, len(self._streams) + 1)
        lines = [
            "table inet %s" % _TABLE,
            "delete table inet %s" % _TABLE,
            "table inet %s {" % _TABLE,
            "counter fence { }",
        ]
        lines += ["counter %s%d { }" % (kind, number) for number in numbers for kind in ("seen", "passed")]
        for hook, first in (("input", "prerouting"), ("output", "output")):
            for chain, where, kind, priority, counted in (
                (hook + "_early", first, "seen", -500, set(numbers) - fresh),
                # Behind connection tracking, which drops flows that its table has no room for.
                (hook + "_tracked", first, "seen", -150, fresh),
                (hook + "_late", hook, "passed", 900, set(numbers)),
            ):
                lines += ["chain %s {" % chain, "type filter hook %s priority %d; policy accept;" % (where, priority)]
                for number in sorted(counted):
                    # Behind all hooks a packet ends: no socket answers it, no neighbour is asked for.
                    end = " drop" if kind == "passed" and number not in fresh else ""
                    counter = 'counter name "%s%d"%s' % (kind, number, end)
                    lines += [
                        "ip id %d %s" % (number, counter),
                        "meta nfproto ipv6 @nh,16,16 %d %s" % (number, counter),
                    ]
                if priority == -500:
                    lines.append('ip id %d counter name "fence" drop' % _FENCE)
                lines.append("}")
        return "\n".join([*lines, "}"])

    def _start_sender(self, number: int, stream: Stream) -> HostProcess:
        first = stream.packets[0]
        inward = first.direction == "ingress"
        octets = [frames.internet_packet(packet, number) for packet in stream.packets]
        if inward:
            header = self._frame_header(first.interface, first.family)
            octets = [header + packet for packet in octets]
        specification = {
            "device": self._interfaces[first.interface] if inward else first.interface,
            "frames": inward,
            "family": first.family,
            "processor": self._processors[number % len(self._processors)],
            "packets": [packet.hex() for packet in octets],
            "fresh": stream.fresh,
        }
        where = t.cast("Host", self._wire) if inward else self._host
        pipes = {"stdin": -1, "stdout": -1, "stderr": -1}  # subprocess.PIPE
        sender = where.popen([sys.executable, "-I", "-S", str(_SENDER)], text=True, **pipes)
        stdin = t.cast("t.IO[str]", sender.stdin)
        stdin.write(json.dumps(specification) + "\n")
        stdin.flush()
        return sender

    def _frame_header(self, interface: str, family: int) -> bytes:
        return (
            self._hardware_address(interface) + b"\x02\0\0\0\1\0" + struct.pack("!H", 0x0800 if family == 4 else 0x86DD)
        )

    def _hardware_address(self, interface: str) -> bytes:
        def ask() -> bytes:
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as asking:
                asking.bind((interface, 0))
                return t.cast("bytes", asking.getsockname()[4])

        return self._host.call(ask)

    def _await_queues(self) -> None:
        """Waits until the kernel has handled every frame that was sent: each processor has a queue of its own,
        behind whose content a fence is put.
        """
        inward = {one.packets[0].interface for one in self._streams.values() if one.packets[0].direction == "ingress"}
        expected = 0
        for interface in inward:
            header = self._frame_header(interface, 4)
            wire = t.cast("Host", self._wire)
            with wire.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as opened:
                wire.call(opened.bind, (self._interfaces[interface], 0))
                for processor in self._processors:
                    with on_processor(processor):
                        expected += 1
                        opened.send(header + frames.fence(4, _FENCE))
                        self._await_counter("fence", expected, "the kernel handles no frames")

    def _await_counter(self, name: str, least: int, problem: str) -> None:
        deadline = time.monotonic() + _SECONDS
        while self._counters()[name][0] < least:
            for sender in self._senders.values():
                if sender.poll():
                    raise LabError("a sender failed: %s" % t.cast("t.IO[str]", sender.stderr).read().strip())
            if time.monotonic() > deadline:
                raise LabError(problem)
            time.sleep(0.001)

    def _counters(self) -> t.Dict[str, t.Tuple[int, int]]:
        found = nftables.counters(t.cast("Netlink", self._netlink), _TABLE)
        if "fence" not in found:
            raise LabError("the table %s is gone: something flushed the whole ruleset" % _TABLE)
        return found

    def close(self) -> None:
        """Ends the senders, and removes what counted."""
        for sender in self._senders.values():
            sender.kill()
            sender.wait()
            for stream in (sender.stdin, sender.stdout, sender.stderr):
                if stream is not None:
                    stream.close()
        self._senders = {}
        if self._netlink is not None:
            if self._has_flows:
                self._netlink.send([conntrack.flush()])
            self._netlink.close()
            self._netlink = None
            # Where the host went first, nothing is left to remove.
            with contextlib.suppress(LabError):
                self._host.run(["nft", "delete", "table", "inet", _TABLE], check=False)
