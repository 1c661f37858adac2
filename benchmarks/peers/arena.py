# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that are alike except for what filters there, and the packets that arrive at each in turn."""

from __future__ import annotations

import os
import statistics
import struct
import typing as t

from ansible_collections.palisade.nftables.plugins.module_utils._policy.packet import Packet
from lab import frames, nftables
from lab.closing import Closing
from lab.namespaces import Host, Lab, LabError, default_private
from lab.netlink import Netlink
from lab.packets import TCP, LabPacket
from lab.processors import before_others
from lab.ring import Ring

_INTERFACE = "eth0"
_HARDWARE_ADDRESS = "02:00:00:00:00:01"
_FRAME_HEADER = bytes.fromhex(_HARDWARE_ADDRESS.replace(":", "") + "020000000002") + struct.pack("!H", 0x0800)
_ADDRESS = "192.0.2.1/24"

_TABLE = "benchmark"

#: The identification of packets that are only counted; others are noted by theirs.
_UNNOTED = 1

#: Around every contender, the empty chain included. Connection tracking is at work in all of them, and what they
#: accept ends here: its flow is never confirmed, so that each packet is new each time it is sent.
_SURROUNDINGS = """\
table inet %s {
  counter arrived { }
  counter accepted { }
  set noted {
    typeof ip id
    size 65535
    flags dynamic
  }
  chain before {
    type filter hook input priority -400; policy accept;
    ct state new counter name arrived
  }
  chain behind {
    type filter hook input priority 900; policy drop;
    counter name accepted
    ip id > %d add @noted { ip id }
  }
}
""" % (_TABLE, _UNNOTED)

#: Packets of a segment, and how long it should take at most: short enough to be left in peace by the scheduler.
_SEGMENT, _FEWEST = 128, 8
_SEGMENT_SECONDS = 0.001

#: What is fast is sent again within a round, up to so many seconds and so many times.
_TURN_SECONDS, _MOST_SENDS = 0.02, 4

#: How often a round is repeated that something else disturbed.
_ATTEMPTS = 5


class Seat:
    """One contender's host. Made by :meth:`Arena.seat`."""

    def __init__(self, host: Host, wire: Host, device: str) -> None:
        self.host = host
        self._wire = wire
        self._device = device
        self._rings: t.List[Ring] = []
        # First of all: not every nft reads what another version has loaded.
        host.nft(_SURROUNDINGS)
        self._netlink = Netlink(host)

    def settle(self) -> None:
        """Some tools set more than rules; what they change about routing is the same for all again."""
        for scope in ("all", _INTERFACE):
            self.host.sysctl("net/ipv4/conf/%s/rp_filter" % scope, 0)
        self.host.sysctl("net/netfilter/nf_conntrack_checksum", 0)

    def accepted(self, given: t.Sequence[Packet]) -> t.List[bool]:
        """Whether each packet is accepted.

        Raises:
            LabError: The packets did not all arrive.
        """
        numbers = range(_UNNOTED + 1, _UNNOTED + 1 + len(given))
        with Ring(self._wire, self._device, [_frame(packet, number) for packet, number in zip(given, numbers)]) as ring:
            self.send(ring, _SEGMENT)
        keys = nftables.elements(self._netlink, _TABLE, "noted", 2)
        noted = {struct.unpack("!H", key)[0] for key in keys}
        return [number in noted for number in numbers]

    def ring(self, given: t.Sequence[Packet]) -> Ring:
        """Packets that lie ready to be sent to this host."""
        made = Ring(self._wire, self._device, [_frame(packet, _UNNOTED) for packet in given])
        self._rings.append(made)
        return made

    def send(self, ring: Ring, segment: int) -> t.Tuple[t.List[float], float]:
        """Sends all packets of the ring: seconds of each segment, and the share that was accepted.

        Raises:
            LabError: Round after round was disturbed.
        """
        arrived = 0
        for _attempt in range(_ATTEMPTS):
            before = nftables.counters(self._netlink, _TABLE)
            seconds = [ring.send(min(segment, ring.size - position)) for position in range(0, ring.size, segment)]
            after = nftables.counters(self._netlink, _TABLE)
            arrived, accepted = (after[name][0] - before[name][0] for name in ("arrived", "accepted"))
            if arrived == ring.size:
                return seconds, accepted / ring.size
        raise LabError("%s: %d packets were sent, and %d new flows arrived" % (self.host.name, ring.size, arrived))

    def close(self) -> None:
        for ring in self._rings:
            ring.close()
        self._rings = []
        self._netlink.close()


class Arena(Closing):
    """The hosts, and the one that sends to all of them. A context manager."""

    def __init__(self) -> None:
        self._lab = Lab()
        self._seats: t.List[Seat] = []
        self._allowed = os.sched_getaffinity(0)
        try:
            self._wire = self._lab.host("wire", {})
            for name in ("all", "default"):
                self._wire.sysctl("net/ipv6/conf/%s/disable_ipv6" % name, 1)
        except BaseException:
            self._lab.close()
            raise
        # What is sent is handled on the same processor, within the call.
        os.sched_setaffinity(0, {max(self._allowed)})

    def close(self) -> None:
        """Removes the hosts, and lets this process run anywhere again."""
        os.sched_setaffinity(0, self._allowed)
        for seat in self._seats:
            seat.close()
        self._lab.close()

    def seat(self, name: str) -> Seat:
        """A host with an interface that packets arrive at."""
        host = self._lab.host(name, {**default_private(), "/var/log": "empty"})
        device = "wire%d" % len(self._seats)
        host.ip(
            "link add name %s address %s type veth peer name %s netns %d"
            % (_INTERFACE, _HARDWARE_ADDRESS, device, self._wire.pid),
            # No link-local address and no neighbours: nobody speaks on this link but the ring.
            "link set dev %s addrgenmode none arp off" % _INTERFACE,
            "link set %s up" % _INTERFACE,
            "address add %s dev %s" % (_ADDRESS, _INTERFACE),
        )
        self._wire.ip("link set %s up" % device)
        host.ip("route add default dev %s" % _INTERFACE, family="-4")
        made = Seat(host, self._wire, device)
        self._seats.append(made)
        return made


class _Turn:
    """The sends of one contender."""

    def __init__(self, seat: Seat, ring: Ring) -> None:
        self._seat = seat
        self._ring = ring
        self.share = 0.0
        self._taken: t.List[t.List[float]] = []
        # This one finds cold caches, and counts for nothing else.
        seconds, _share = seat.send(ring, _SEGMENT)
        wanted = int(_SEGMENT_SECONDS / sum(seconds) * ring.size)
        self._segment = max(_FEWEST, min(_SEGMENT, wanted))
        self._sends = max(1, min(_MOST_SENDS, int(_TURN_SECONDS / sum(seconds))))

    def take(self) -> None:
        for _send in range(self._sends):
            seconds, self.share = self._seat.send(self._ring, self._segment)
            self._taken.append(seconds)

    @property
    def nanoseconds(self) -> float:
        """Of a packet: each segment counts with its median over the sends."""
        segments: t.List[float] = [statistics.median(segment) for segment in zip(*self._taken)]
        return sum(segments) / self._ring.size * 1e9


class Timed(t.NamedTuple):
    """Nanoseconds a packet of the whole path, and the share of the packets that was accepted."""

    nanoseconds: float
    share: float


def take_turns(entries: t.Mapping[str, t.Tuple[Seat, Ring]], rounds: int) -> t.Dict[str, Timed]:
    """What the packets cost at each seat; all take turns, round by round.

    What else the machine does disturbs a segment of the packets here and there, not the figure.
    """
    with before_others():
        turns = {name: _Turn(seat, ring) for name, (seat, ring) in entries.items()}
        for _round in range(rounds):
            for turn in turns.values():
                turn.take()
    return {name: Timed(turn.nanoseconds, turn.share) for name, turn in turns.items()}


def _frame(packet: Packet, number: int) -> bytes:
    given = LabPacket(
        packet.direction.value,
        _INTERFACE,
        packet.family,
        packet.protocol,
        packet.source,
        packet.destination,
        packet.source_port or 0,
        packet.destination_port or 0,
        tcp_flags=frozenset({"syn"}) if packet.protocol == TCP else frozenset(),
    )
    return _FRAME_HEADER + frames.internet_packet(given, number)
