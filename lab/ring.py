# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a ruleset costs a packet that arrives, to some ten nanoseconds.

Frames lie ready in a ring that is shared with the kernel (PACKET_MMAP, packet_mmap.rst of the kernel's
documentation). One system call sends them over a pair of virtual interfaces, and returns when each has
run through the input hook of the other end and ended there: nothing is sent by the program meanwhile,
nothing waits, and the time that the call took is the packets' own.

Rulesets are tables that are all loaded and asleep but for one (the table flag ``dormant``), so that
they take turns within milliseconds on the same host and the same interface.
"""

from __future__ import annotations

import array
import contextlib
import mmap
import os
import re
import socket
import struct
import time
import typing as t

from . import frames, netlink, nftables, packets
from .closing import Closing
from .namespaces import Host, Lab, LabError
from .netlink import Netlink
from .packets import LabPacket
from .processors import before_others, on_processor

INTERFACE = "eth0"

# linux/socket.h, linux/if_packet.h
_SOL_PACKET = 263
_PACKET_VERSION, _PACKET_TX_RING, _PACKET_QDISC_BYPASS = 10, 13, 20
_TPACKET_V2 = 1
_STATUS, _LENGTH = struct.Struct("=I"), struct.Struct("=I")
_AVAILABLE, _SEND_REQUEST = 0, 1
#: From the beginning of a slot: status, length, and the frame itself (TPACKET2_HDRLEN less a sockaddr_ll).
_LENGTH_OFFSET, _FRAME_OFFSET = 4, 32
_PAGE = mmap.PAGESIZE

_HARDWARE_ADDRESS = "02:00:00:00:00:01"
_ETHERTYPES = {4: 0x0800, 6: 0x86DD}

_TABLE = "lab_ring"
_SURROUNDINGS = """\
table inet %s {
  counter arrived { }
  counter accepted { }
  chain before {
    type filter hook input priority -400; policy accept;
    ct state new counter name arrived
  }
  chain behind {
    type filter hook input priority 900; policy drop;
    counter name accepted
  }
}
""" % (_TABLE,)  # fmt: skip

_NEW_TABLE = 0  # NFT_MSG_NEWTABLE, linux/netfilter/nf_tables.h
_DORMANT = 1
_INET = 1

_TABLE_LINE = re.compile(r"^((?:add |delete )?table inet) \S+", re.MULTILINE)

#: How often a round is repeated that something else disturbed.
_ATTEMPTS = 5
_LATE_SECONDS = 0.5


class Ring(Closing):
    """Frames in a ring of the kernel's, sent in turn. Made by :meth:`RingLab.ring`. A context manager.

    Attributes:
        size: Frames in the ring: those given, and from the beginning again until whole pages are full.
    """

    def __init__(self, host: Host, interface: str, given: t.Sequence[bytes]) -> None:
        if not given:
            raise ValueError("a ring needs frames")
        longest = max(len(frame) for frame in given)
        self._slot = 1 << (_FRAME_OFFSET + longest - 1).bit_length()
        if self._slot > _PAGE:
            raise ValueError("a frame of %d octets does not fit a page" % longest)
        slots = _PAGE // self._slot
        pages = -(-len(given) // slots)
        self.size = pages * slots
        self._next = 0
        self._socket = host.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        try:
            self._socket.setsockopt(_SOL_PACKET, _PACKET_VERSION, _TPACKET_V2)
            self._socket.setsockopt(_SOL_PACKET, _PACKET_QDISC_BYPASS, 1)
            request = struct.pack("=IIII", _PAGE, pages, self._slot, self.size)
            self._socket.setsockopt(_SOL_PACKET, _PACKET_TX_RING, request)
            host.call(self._socket.bind, (interface, 0))
            self._memory = mmap.mmap(self._socket.fileno(), pages * _PAGE)
        except OSError:
            self._socket.close()
            raise
        self._words = memoryview(self._memory).cast("I")
        self._lengths = [len(given[position % len(given)]) for position in range(self.size)]
        for position in range(self.size):
            frame = given[position % len(given)]
            start = position * self._slot
            self._memory[start + _FRAME_OFFSET : start + _FRAME_OFFSET + len(frame)] = frame
            _LENGTH.pack_into(self._memory, start + _LENGTH_OFFSET, len(frame))

    def close(self) -> None:
        """Gives the ring back."""
        self._words.release()
        self._memory.close()
        self._socket.close()

    def send(self, count: int) -> float:
        """Sends the next ``count`` frames, and returns the seconds until the last has ended.

        Raises:
            ValueError: They would go beyond the end of the ring, which the next frame after its last begins again.
            LabError: The kernel did not take all of them.
        """
        first, end = self._next, self._next + count
        if not 0 < count <= self.size - first:
            raise ValueError("%d frames do not fit behind frame %d of %d" % (count, first, self.size))
        stride = self._slot // _STATUS.size
        statuses = self._words[first * stride : end * stride : stride]
        statuses[:] = memoryview(array.array("I", [_SEND_REQUEST]) * count)
        send = self._socket.send
        started = time.perf_counter()
        sent = send(b"")
        seconds = time.perf_counter() - started
        expected = sum(self._lengths[first:end])
        if sent != expected or any(status != _AVAILABLE for status in statuses):
            raise LabError("the kernel took %d octets of frames of %d" % (sent, expected))
        self._next = end % self.size
        return seconds


class Round(t.NamedTuple):
    """How the packets of a ring fared under one ruleset.

    Attributes:
        seconds: For each segment of the ring, what all of its packets took.
        accepted: How many of all packets the ruleset accepted.
    """

    seconds: t.List[float]
    accepted: int


class _Counted(t.NamedTuple):
    """Packets since the lab was made."""

    arrived: int
    accepted: int


class RingLab(Closing):
    """A host that new flows arrive at, and rulesets that take turns on it. A context manager.

    Every packet belongs to a flow of its own that connection tracking sees as new, each time it is sent:
    behind the ruleset the packet ends, so its flow is never confirmed. Every address is the host's own.

    Attributes:
        host: The host with the rulesets.
    """

    def __init__(self) -> None:
        self._lab = Lab()
        self._open: t.List[t.Union[Netlink, Ring]] = []
        self._names: t.List[str] = []
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Removes the host and everything that belongs to it."""
        for one in self._open:
            one.close()
        self._open = []
        self._lab.close()

    def _build(self) -> None:
        self.host, self._wire = self._lab.hosts_named(["ring", "wire"], {})
        for name in ("all", "default"):
            self._wire.sysctl("net/ipv6/conf/%s/disable_ipv6" % name, 1)
        self.host.ip(
            "link add name %s address %s type veth peer name wire netns %d"
            % (INTERFACE, _HARDWARE_ADDRESS, self._wire.pid),
            # No link-local address and no neighbours: nobody speaks on this link but the ring.
            "link set dev %s addrgenmode none arp off" % INTERFACE,
            "link set lo up",
            "link set %s up" % INTERFACE,
        )
        self._wire.ip("link set wire up")
        for name, value in {"accept_local": 1, "route_localnet": 1, "rp_filter": 0, "log_martians": 0}.items():
            for interface in ("all", INTERFACE):
                self.host.sysctl("net/ipv4/conf/%s/%s" % (interface, name), value)
        self.host.ip("route add local default dev %s" % INTERFACE, family="-4")
        self.host.ip("route add local default dev %s" % INTERFACE, family="-6")
        self.host.nft(_SURROUNDINGS)
        # Checksums are the sender's business: here they are right, and nobody has to look.
        self.host.sysctl("net/netfilter/nf_conntrack_checksum", 0)
        self._netlink = Netlink(self.host)
        self._open.append(self._netlink)

    # Rulesets

    def load(self, name: str, text: str) -> None:
        """Loads the nft text of one inet table, whatever its name there, to be woken as ``name``.

        Raises:
            LabError: nft refused it.
        """
        self.host.nft(_TABLE_LINE.sub(r"\1 " + name, text))
        if name not in self._names:
            self._names.append(name)
        self.wake(None)

    def wake(self, name: t.Optional[str]) -> None:
        """Lets one ruleset see the packets, and no other; None puts all of them to sleep."""
        if name is not None and name not in self._names:
            raise ValueError("no ruleset is called %r" % name)
        if self._names:
            self._netlink.batch(nftables.SUBSYSTEM, [_table_request(one, asleep=one != name) for one in self._names])

    # Packets

    def ring(self, given: t.Iterable[LabPacket]) -> Ring:
        """A ring of these packets, as frames that arrive at the host.

        Raises:
            ValueError: The kernel never sees such a packet as the first of a flow.
        """
        octets = []
        for packet in given:
            reason = packets.why_impossible(packet)
            if reason is None and (packet.direction, packet.state, packet.interface) != ("ingress", "new", INTERFACE):
                reason = "only new flows arrive here, at %s" % INTERFACE
            if reason is not None:
                raise ValueError("%s: %r" % (reason, packet))
            octets.append(_frame(packet))
        made = Ring(self._wire, "wire", octets)
        self._open.append(made)
        return made

    @contextlib.contextmanager
    def ring_of(self, given: t.Iterable[LabPacket]) -> t.Iterator[Ring]:
        """As :meth:`ring`, for as long as the context lasts."""
        made = self.ring(given)
        try:
            yield made
        finally:
            self._open.remove(made)
            made.close()

    def measure(self, ring: Ring, segment: int = 256) -> Round:
        """Sends the whole ring once, a segment of so many frames at a time.

        A round in which the ruleset did not see each packet exactly once is repeated.

        Raises:
            LabError: Round after round was disturbed.
        """
        arrived = 0
        with on_processor(min(os.sched_getaffinity(0))), before_others():
            for _attempt in range(_ATTEMPTS):
                before = self._counted()
                seconds = [ring.send(min(segment, ring.size - position)) for position in range(0, ring.size, segment)]
                after = self._counted()
                arrived = after.arrived - before.arrived
                if arrived == ring.size:
                    return Round(seconds, after.accepted - before.accepted)
                # The kernel may have put packets off, and the next round counts without them.
                self._await_arrivals(before.arrived + ring.size)
        raise LabError("%d packets were sent, and %d new flows arrived" % (ring.size, arrived))

    def _counted(self) -> _Counted:
        found = nftables.counters(self._netlink, _TABLE)
        return _Counted(found["arrived"][0], found["accepted"][0])

    def _await_arrivals(self, expected: int) -> None:
        """Waits until so many packets have arrived in all; those that are lost only take time."""
        deadline = time.monotonic() + _LATE_SECONDS
        while self._counted().arrived < expected and time.monotonic() < deadline:
            time.sleep(0.01)


def _table_request(name: str, *, asleep: bool) -> netlink.Request:
    flags = struct.pack("!I", _DORMANT if asleep else 0)
    return netlink.netfilter(
        nftables.SUBSYSTEM,
        _NEW_TABLE,
        netlink.REQUEST,
        _INET,
        netlink.attribute(1, name.encode() + b"\0"),
        netlink.attribute(2, flags),
    )


def _frame(packet: LabPacket) -> bytes:
    target = bytes.fromhex(_HARDWARE_ADDRESS.replace(":", ""))
    header = target + b"\x02\0\0\0\0\x02" + struct.pack("!H", _ETHERTYPES[packet.family])
    return header + frames.internet_packet(packet, 1)
