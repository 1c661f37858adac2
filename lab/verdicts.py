# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verdict of the real kernel about each of many packets, under a ruleset of the caller's.

The host under test has its interfaces in one network namespace; their other ends lie in another one.
What arrives is written as a frame to the other end; what leaves is sent by a raw socket, headers and
all. Chains of the lab's own surround the ruleset:

- before everything, a packet's number (see :mod:`.frames`) chooses whether it is tracked, and gives
  it a conntrack zone of its own, in which nothing exists but what the lab made for this packet;
- between connection tracking and the filters, the number is noted together with the connection state
  and interface that the kernel sees: another state than the wanted one is an error of the lab;
- behind all filters it is noted again, and the packet ends there, so that no flow is confirmed, the
  kernel answers nothing of its own accord, and nothing ever leaves;
- what the kernel sends to refuse a packet is noted by the number of the refused packet, and ends
  before the ruleset sees it. Only the reset that is itself the packet in question goes through.

So a ruleset under test cannot itself choose what is tracked: `notrack` and `ct zone set` come too late in it.
"""

from __future__ import annotations

import errno
import os
import pathlib
import socket
import struct
import typing as t

from . import chains, conntrack, frames, nftables, packets, published
from .closing import Closing
from .namespaces import Lab, LabError
from .netlink import Netlink
from .packets import LabPacket
from .processors import on_processor

ACCEPT, DROP, REJECT = "accept", "drop", "reject"

# NF_CT_STATE_BIT and friends, as `ct state` loads them.
_STATE_BITS = {"invalid": 1, "established": 2, "related": 4, "new": 8, "untracked": 64}
_STATE_NAMES = {bits: name for name, bits in _STATE_BITS.items()}

#: How often what did not arrive is sent again: the kernel drops frames when others keep it busy.
_ATTEMPTS = 5
_FENCE_ATTEMPTS = 2000

#: Each attempt has a fence of its own on each interface.
_MOST_INTERFACES = (chains.FENCES[1] - chains.FENCES[0]) // _ATTEMPTS - 1

_SETTINGS: t.Mapping[str, t.Union[int, str]] = {
    # Any source and any destination is fine on any interface.
    "net/ipv4/conf/all/rp_filter": 0,
    "net/ipv4/conf/default/rp_filter": 0,
    "net/ipv4/conf/all/accept_local": 1,
    "net/ipv4/conf/all/route_localnet": 1,
    "net/ipv4/conf/all/log_martians": 0,
    "net/ipv4/ip_default_ttl": 64,
    # The reset of a refused packet leaves by the interface that the packet's mark names.
    "net/ipv4/fwmark_reflect": 1,
    "net/ipv6/fwmark_reflect": 1,
    # Every refused packet is answered: no type counts against a limit (of IPv6, one that is not sent here).
    "net/ipv4/icmp_ratelimit": 0,
    "net/ipv4/icmp_ratemask": 0,
    "net/ipv6/icmp/ratelimit": 0,
    "net/ipv6/icmp/ratemask": "2",
}

#: Exist once connection tracking is loaded.
_TRACKING_SETTINGS: t.Mapping[str, int] = {
    "net/netfilter/nf_conntrack_checksum": 0,
    "net/netfilter/nf_conntrack_tcp_be_liberal": 1,
    "net/netfilter/nf_conntrack_tcp_loose": 1,
}


_KINDS = (chains.TRACKED, chains.PUBLISHED, chains.RESET, chains.UNTRACKED)


class _Sent(t.NamedTuple):
    """A packet of the batch: its place in the caller's list, and its octets from the IP header on."""

    position: int
    packet: LabPacket
    octets: bytes


class VerdictLab(Closing):
    """A host for one ruleset under test. A context manager.

    Args:
        interfaces: Names; ``lo`` is always there.
        publishes: Whether packets can be for published ports.

    Attributes:
        host: The host with the ruleset, to run further commands in.
    """

    def __init__(self, interfaces: t.Sequence[str], *, publishes: bool = False) -> None:
        names = [name for name in interfaces if name != "lo"]
        if len(set(names)) != len(names) or not names or len(names) > _MOST_INTERFACES:
            raise ValueError("1 to %d different interfaces are needed" % _MOST_INTERFACES)
        self._names = [*names, "lo"]
        self._publishes = publishes
        self._lab = Lab()
        self._open: t.List[t.Union[socket.socket, Netlink]] = []
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

    # Construction

    def _build(self) -> None:
        self.host, self._wire = self._lab.hosts_named(["verdicts", "wire"], {})
        self._wire.sysctl("net/ipv6/conf/all/disable_ipv6", 1)
        self._wire.sysctl("net/ipv6/conf/default/disable_ipv6", 1)
        for name, value in _SETTINGS.items():
            self.host.sysctl(name, value)
        self._connect()
        self._route()
        self.host.nft(chains.text(self._names))
        if self._publishes:
            published.open_way(self.host, self._wire, len(self._names))
        for name, value in _TRACKING_SETTINGS.items():
            self.host.sysctl(name, value)
        self._netlink = Netlink(self.host)
        self._open.append(self._netlink)
        self._indexes = {name: self.host.call(socket.if_nametoindex, name) for name in self._names}
        self._open_sockets()
        self._last_tracked = self._host_limit()
        self._choose_zones()

    def _host_limit(self) -> int:
        """The number after the last tracked one of a batch: a small machine tracks few connections."""
        limit = int(self.host.call(pathlib.Path("/proc/sys/net/netfilter/nf_conntrack_max").read_text))
        # A packet has two entries at most, and the table belongs to the whole machine.
        return min(chains.TRACKED[1], 1 + max(1, limit // 4)) if limit else chains.TRACKED[1]

    def _choose_zones(self) -> None:
        """Which zone ``ct zone set`` makes of a packet's number: it depends on whether nft turns it from
        network order, which it has not always done.

        Raises:
            LabError: Neither way does an established flow look like one.
        """
        private = 0xC0000200
        packet = LabPacket("ingress", self._names[0], 4, packets.UDP, private, private + 1, 1, 2, state="established")
        self._zone_of: t.Callable[[int], int] = conntrack.swapped
        try:
            self.verdicts([packet])
        except LabError:
            self._zone_of = int
            self.verdicts([packet])

    def _connect(self) -> None:
        for number, name in enumerate(self._names[:-1]):
            self.host.ip(
                "link add name %s address %s type veth peer name wire%d netns %d"
                % (name, _hardware_address(number), number, self._wire.pid),
                # No link-local address: the kernel has nothing to say on this link.
                "link set dev %s addrgenmode none arp off" % name,
                "link set %s up" % name,
                "address add fe80::c000:8/128 dev %s nodad" % name,
            )
            self._wire.ip("link set wire%d up" % number)
        self.host.ip(
            "address flush dev lo",
            "address add 192.0.0.8/32 dev lo",
            "address add 100::1/128 dev lo nodad",
        )

    def _route(self) -> None:
        """By the marks of the lab's chains: what arrives is local, what leaves goes where it is told."""
        for family in ("-4", "-6"):
            lines = []
            for number, name in enumerate(self._names):
                arrival, answer = chains.marks(number)
                # IPv6 makes other routes by lo unreachable ones.
                departure = "local default" if name == "lo" else "default"
                lines += [
                    "route add local default dev %s table %d" % (name, arrival),
                    "rule add priority 10 fwmark %d lookup %d" % (arrival, arrival),
                    "route add %s dev %s table %d" % (departure, name, answer),
                    "rule add priority 10 fwmark %d lookup %d" % (answer, answer),
                    "route add %s dev %s metric %d" % (departure, name, number + 1),
                ]
            # The local table, asked first, would keep multicast to itself.
            lines += ["rule add priority 20 lookup local", "rule delete priority 0"]
            self.host.ip(*lines, family=family)

    def _open_sockets(self) -> None:
        self._frame_sockets: t.Dict[str, socket.socket] = {}
        self._frame_headers: t.Dict[t.Tuple[str, int], bytes] = {}
        self._raw_sockets: t.Dict[t.Tuple[str, int], socket.socket] = {}
        for number, name in enumerate(self._names):
            host, device = (self.host, "lo") if name == "lo" else (self._wire, "wire%d" % number)
            # Protocol 0: nothing is received.
            frame_socket = host.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self._open.append(frame_socket)
            host.call(frame_socket.bind, (device, 0))
            self._frame_sockets[name] = frame_socket
            hardware = "00:00:00:00:00:00" if name == "lo" else _hardware_address(number)
            target = bytes.fromhex(hardware.replace(":", ""))
            for family, ethertype in ((4, 0x0800), (6, 0x86DD)):
                self._frame_headers[name, family] = target + b"\x02\0\0\0\1\0" + struct.pack("!H", ethertype)
                kind = socket.AF_INET if family == 4 else socket.AF_INET6
                raw = self.host.socket(kind, socket.SOCK_RAW, socket.IPPROTO_RAW)
                self._open.append(raw)
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name.encode() + b"\0")
                if family == 4:
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                    raw.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
                else:
                    raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
                    # Else the kernel looks for an address of the scope of each destination; headers stay as they are.
                    raw.bind((socket.inet_ntop(kind, packets.OWN_ADDRESS[6].to_bytes(16, "big")), 0))
                self._raw_sockets[name, family] = raw

    # Use

    def load(self, text: str) -> None:
        """Loads nft text in the place of what table ``inet palisade`` held before.

        Raises:
            LabError: nft refused it.
        """
        self.host.nft("table inet palisade\ndelete table inet palisade\n" + text)

    def counters(self, table: str = "palisade") -> t.Dict[str, t.Tuple[int, int]]:
        """The named counters of an inet table: name to packets and bytes."""
        return nftables.counters(self._netlink, table)

    def verdicts(self, wanted: t.Iterable[LabPacket]) -> t.List[str]:
        """What the kernel decides about each packet: ``accept``, ``drop`` or ``reject``, in the order of ``wanted``.

        Packets are independent of each other: each has its own connections, also where two are equal.

        Raises:
            ValueError: The kernel never sees such a packet (:func:`.packets.why_impossible` says why).
            LabError: The kernel saw a packet in another connection state or elsewhere than wanted, or
                did not see it at all.
        """
        everything = list(wanted)
        found = [DROP] * len(everything)
        for position, packet in enumerate(everything):
            reason = packets.why_impossible(packet)
            if reason is None and packet.published and not self._publishes:
                reason = "the lab was made without published ports"
            if reason is None and packet.interface not in self._indexes:
                reason = "the lab has no interface %r" % packet.interface
            if reason is not None:
                raise ValueError("packet %d: %s: %r" % (position, reason, packet))
        for batch in self._batches(everything):
            self._decide(batch, found)
        return found

    def _batches(self, everything: t.Sequence[LabPacket]) -> t.Iterator[t.Dict[int, _Sent]]:
        """Packets by number, as many as there are numbers of the kinds that they need."""
        batch: t.Dict[int, _Sent] = {}
        free = {first: first for first, _last in _KINDS}
        for position, packet in enumerate(everything):
            if packet.is_kernel_reset:
                kind = chains.RESET
            elif packet.published:
                kind = chains.PUBLISHED
            else:
                kind = chains.UNTRACKED if packet.state == "untracked" else chains.TRACKED
            number = free[kind[0]]
            if number == min(kind[1], kind[0] - 1 + self._last_tracked):
                yield batch
                batch = {}
                free = {first: first for first in free}
                number = kind[0]
            free[kind[0]] = number + 1
            make = frames.reset_trigger if kind is chains.RESET else frames.internet_packet
            batch[number] = _Sent(position, packet, make(packet, number))
        if batch:
            yield batch

    def _decide(self, batch: t.Mapping[int, _Sent], found: t.List[str]) -> None:
        self._netlink.batch(nftables.SUBSYSTEM, nftables.empty_sets(chains.TABLE, chains.SETS))
        self._netlink.send([conntrack.flush()])
        self._netlink.send(
            [
                request
                for number, sent in batch.items()
                for request in conntrack.entries(sent.packet, number, self._zone_of(number))
            ]
        )
        before = nftables.counters(self._netlink, chains.TABLE)
        early = self._send(batch)
        self._check_early(batch, early)
        after = nftables.counters(self._netlink, chains.TABLE)
        late = self._noted("late", after["late"][0] - before["late"][0])
        answered = self._noted("answered", after["answered"][0] - before["answered"][0])
        both = late & answered
        if both:
            raise LabError("accepted and refused: %r" % batch[min(both)].packet)
        for number in late:
            found[batch[number].position] = ACCEPT
        for number in answered:
            found[batch[number].position] = REJECT
        self._netlink.send([conntrack.flush()])

    def _send(self, batch: t.Mapping[int, _Sent]) -> t.Dict[int, bytes]:
        """Sends the batch, and returns by number in which state and where the kernel saw each packet."""
        missing: t.Mapping[int, _Sent] = batch
        with on_processor(min(os.sched_getaffinity(0))):
            for attempt in range(_ATTEMPTS):
                self._send_once(missing)
                early = self._await_fences(
                    attempt, {self._names[0], *(one.packet.interface for one in missing.values())}
                )
                missing = {number: one for number, one in batch.items() if number not in early}
                if not missing:
                    return early
        raise LabError(
            "the kernel never saw %d packets, such as %r" % (len(missing), next(iter(missing.values())).packet)
        )

    def _send_once(self, batch: t.Mapping[int, _Sent]) -> None:
        frame_sockets, headers, raw_sockets = self._frame_sockets, self._frame_headers, self._raw_sockets
        for one in batch.values():
            packet = one.packet
            family = packet.family
            try:
                if packet.direction == "ingress" or packet.is_kernel_reset:
                    frame_sockets[packet.interface].send(headers[packet.interface, family] + one.octets)
                    continue
                if family == 4:
                    address: t.Any = (socket.inet_ntoa(packet.destination.to_bytes(4, "big")), 0)
                else:
                    text = socket.inet_ntop(socket.AF_INET6, packet.destination.to_bytes(16, "big"))
                    address = (text, 0, 0, self._indexes[packet.interface])
                raw_sockets[packet.interface, family].sendto(one.octets, address)
            except PermissionError:
                # It ended in a chain, the ruleset's or the lab's own.
                pass
            except OSError as exc:
                if exc.errno != errno.ENOBUFS:
                    raise LabError("cannot send %r: %s" % (packet, exc)) from exc

    def _await_fences(self, attempt: int, interfaces: t.Collection[str]) -> t.Dict[int, bytes]:
        """Waits until the kernel has handled everything sent before, and returns what it noted early."""
        fences = {}
        for index, name in enumerate(sorted(interfaces)):
            number = chains.FENCES[0] + attempt * len(interfaces) + index
            fences[number] = name
            self._frame_sockets[name].send(self._frame_headers[name, 4] + frames.fence(4, number))
        for _attempt in range(_FENCE_ATTEMPTS):
            noted = nftables.elements(self._netlink, chains.TABLE, "early", 12)
            early = {key[0] << 8 | key[1]: key[4:] for key in noted}
            if all(number in early for number in fences):
                return {number: seen for number, seen in early.items() if number < chains.FENCES[0]}
        raise LabError("the kernel handles no frames")

    def _check_early(self, batch: t.Mapping[int, _Sent], early: t.Mapping[int, bytes]) -> None:
        noted = nftables.elements(self._netlink, chains.TABLE, "reply", 2)
        reply = {key[0] << 8 | key[1] for key in noted}
        for number, seen in early.items():
            if number not in batch:
                raise LabError("a packet that the lab did not send: number %d" % number)
            packet = batch[number].packet
            bits, index = struct.unpack("=II", seen)
            backwards = packet.is_tracked and packet.ct_direction == "reply"
            if bits != _STATE_BITS[packet.state] or backwards != (number in reply):
                raise LabError(
                    "the kernel saw state %s, %s direction: %r"
                    % (_STATE_NAMES.get(bits, bits), "reply" if number in reply else "original", packet)
                )
            if index != self._indexes[packet.interface]:
                raise LabError("the kernel saw interface %d: %r" % (index, packet))

    def _noted(self, name: str, expected: int) -> t.Set[int]:
        """The numbers in one of the lab's sets, of which the lab counted ``expected``."""
        numbers = {key[0] << 8 | key[1] for key in nftables.elements(self._netlink, chains.TABLE, name, 2)}
        if len(numbers) != expected:
            raise LabError("%d packets were noted as %s, of %d" % (len(numbers), name, expected))
        return numbers


def _hardware_address(number: int) -> str:
    return "02:00:00:00:00:%02x" % (number + 1)
