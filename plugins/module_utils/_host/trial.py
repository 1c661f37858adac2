# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""The kernel's verdict about packets under a ruleset, in a network namespace made for it.

The namespace has the ruleset, one pair of interfaces for each name that is needed, and chains around those of the
ruleset. What arrives is written as a frame to the other end of its interface; what leaves is sent by a raw socket,
headers and all. One packet at a time: the chain before the ruleset counts that it came, the one behind counts that it
passed and ends it there, and what the kernel sends to refuse it is counted on its way out, where that ends too. So
nothing is answered, no connection begins, and nothing leaves the namespace, which goes with the thread that made it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time
import typing as t

from .._core.addresses import format_address, parse_address
from .._policy.model import Action, Direction
from .._policy.packet import Packet
from .errors import HostError
from .netlink import INET, OBJECTS, Netlink, read_attributes, read_name
from .nft import Nft, NftMissingError, find_nft
from .packet_octets import ipv4_header, octets_of
from .rtnetlink import Rtnetlink
from .scratch import NoNamespaceError, try_out

_TABLE = "palisade_trial"

#: SO_MARK of what is sent, so that what the kernel sends by itself is told apart.
_MARK = 4242
#: A packet of this identification marks a place in the order of arrival; 253 is a protocol for experiments (RFC 3692).
_FENCE = 65535
_FENCE_PROTOCOL = 253

_CHAINS = """
table inet {table} {{
  counter arrived {{ }}
  counter passed {{ }}
  counter refused {{ }}
  counter fence {{ }}
  chain fences {{
    type filter hook prerouting priority -400; policy accept;
    ip protocol {protocol} ip id {fence} counter name fence drop
  }}
  chain before_input {{
    type filter hook input priority -400; policy accept;
    counter name arrived
  }}
  chain behind_input {{
    type filter hook input priority 400; policy accept;
    counter name passed drop
  }}
  chain before_output {{
    type filter hook output priority -400; policy accept;
    meta mark {mark} counter name arrived accept
    icmp type destination-unreachable counter name refused drop
    icmpv6 type destination-unreachable counter name refused drop
    tcp flags rst counter name refused drop
    drop
  }}
  chain behind_output {{
    type filter hook output priority 400; policy accept;
    counter name passed drop
  }}
}}
""".format(table=_TABLE, mark=_MARK, fence=_FENCE, protocol=_FENCE_PROTOCOL)

#: Addresses of the namespace's own, from ranges that no host may use (RFC 7600, RFC 6666): errors are sent from them.
_OWN: t.Mapping[int, int] = {4: 0xC0000008, 6: 0x0100 << 112 | 1}
_OWN_LINK = 0xFE80 << 112 | 0xC0000008

#: Below /proc/sys/net: every source is fine, every refusal is answered, the kernel says nothing by itself.
_SETTINGS: t.Mapping[int, t.Mapping[str, str]] = {
    4: {
        "ipv4/conf/all/rp_filter": "0",
        "ipv4/conf/default/rp_filter": "0",
        "ipv4/conf/all/accept_local": "1",
        "ipv4/icmp_ratelimit": "0",
        "ipv4/icmp_ratemask": "0",
    },
    6: {
        "ipv6/conf/default/addr_gen_mode": "1",
        "ipv6/icmp/ratelimit": "0",
    },
}
_SYSTEM_SETTINGS = "/proc/sys/net"

#: The first of the tables by which what arrives is local.
_TABLES = 1000
_MOST_INTERFACES = 16

_ETHERNET = {4: b"\x08\x00", 6: b"\x86\xdd"}
_SENDER = b"\x02\0\0\0\1\0"

#: Bounds a kernel that handles no frames.
_SECONDS = 5.0
_PAUSE = 0.0005

# enum nft_object_attributes, enum nft_counter_attributes
_OBJECT_NAME, _OBJECT_DATA, _COUNTER_PACKETS = 2, 4, 2


class NoTrialError(HostError):
    """Nothing can be tried out here; the message says why."""


def try_packets(text: str, packets: t.Sequence[Packet], nft: t.Optional[Nft] = None) -> t.List[t.Optional[Action]]:
    """What the kernel does with each packet under the ruleset ``text``; None: it never came to the hooks.

    Args:
        packets: They open a connection, and :mod:`.packet_octets` can make them.

    Raises:
        NoTrialError: There is no namespace, no nft, or not what is needed inside.
        HostError: nft refused the text, or the kernel handles nothing.
    """
    names = sorted({packet.interface for packet in packets})
    if len(names) > _MOST_INTERFACES:
        raise NoTrialError("packets of %d interfaces are too many for one trial" % len(names))
    try:
        return try_out(nft or find_nft(), text + _CHAINS, lambda: _decide(names, packets))
    except NoNamespaceError as exc:
        raise NoTrialError(
            "the kernel cannot be asked here: no network namespace can be made (%s); that needs root, or "
            "CAP_SYS_ADMIN in a container" % exc
        ) from exc
    except NftMissingError as exc:
        raise NoTrialError(str(exc)) from exc


def _decide(names: t.Sequence[str], packets: t.Sequence[Packet]) -> t.List[t.Optional[Action]]:
    try:
        allowed = os.sched_getaffinity(0)
        # On one processor frames are handled in the order in which they were sent. This thread ends with the trial.
        os.sched_setaffinity(0, {min(allowed)})
        with contextlib.ExitStack() as stack:
            site = _Site(names, stack)
            return [site.verdict(packet) for packet in packets]
    except OSError as exc:
        raise NoTrialError("the kernel cannot be asked here: %s" % (exc.strerror or exc)) from exc


class _Site:
    """The namespace of the calling thread, as a host with these interfaces."""

    def __init__(self, names: t.Sequence[str], stack: contextlib.ExitStack) -> None:
        families = [family for family in (4, 6) if os.path.isdir("%s/ipv%d" % (_SYSTEM_SETTINGS, family))]
        self._families = frozenset(families)
        self._stack = stack
        self._wires: t.Dict[str, socket.socket] = {}
        self._indexes: t.Dict[str, int] = {}
        self._raw: t.Dict[t.Tuple[str, int], socket.socket] = {}
        for family in families:
            for name, value in _SETTINGS[family].items():
                _set(name, value)
        with Rtnetlink() as links:
            loopback = socket.if_nametoindex("lo")
            links.set_up(loopback)
            for family in families:
                links.add_address(loopback, family, _OWN[family])
            if 4 in families:
                links.claim_ipv4(loopback)
            for number, name in enumerate(names):
                self._connect(links, number, name, families)
        self._netlink = stack.enter_context(Netlink())
        self._fences = 0

    def _connect(self, links: Rtnetlink, number: int, name: str, families: t.Sequence[int]) -> None:
        wire = "trial%d" % number
        links.add_pair(name, _hardware_address(number), wire)
        index = self._indexes[name] = socket.if_nametoindex(name)
        for one in (index, socket.if_nametoindex(wire)):
            links.set_up(one)
        if 6 in families:
            links.add_address(index, 6, _OWN_LINK)
            links.receive_ipv6(index, name, _TABLES + number)
        for family in families:
            links.add_default(index, family, number + 1)
        # Protocol 0: nothing is received.
        frames = self._stack.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
        frames.bind((wire, 0))
        self._wires[name] = frames
        for family in families:
            self._raw[name, family] = self._open_raw(name, family)

    def _open_raw(self, name: str, family: int) -> socket.socket:
        kind = socket.AF_INET if family == 4 else socket.AF_INET6
        raw = self._stack.enter_context(socket.socket(kind, socket.SOCK_RAW, socket.IPPROTO_RAW))
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name.encode() + b"\0")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, _MARK)
        if family == 6:
            # Else the kernel looks for a source of the scope of each destination; the headers stay as they are.
            raw.bind((format_address(6, _OWN[6]), 0))
        return raw

    def verdict(self, packet: Packet) -> t.Optional[Action]:
        """Raises:
        HostError: The kernel handles nothing.
        """
        if packet.family not in self._families:
            return None
        before = self._counters()
        if packet.direction is Direction.INGRESS:
            self._arrive(packet)
        else:
            self._leave(packet)
        after = self._counters()
        if after["passed"] > before["passed"]:
            return Action.ACCEPT
        if after["refused"] > before["refused"]:
            return Action.REJECT
        return Action.DROP if after["arrived"] > before["arrived"] else None

    def _arrive(self, packet: Packet) -> None:
        """Sends a frame, and waits until the kernel is through with it: what was sent later has been handled."""
        number = list(self._wires).index(packet.interface)
        target = _hardware_address(number) + _SENDER
        wire = self._wires[packet.interface]
        fence = Packet(Direction.INGRESS, 4, _FENCE_PROTOCOL, _OWN[4], _OWN[4])
        wire.send(target + _ETHERNET[packet.family] + octets_of(packet))
        wire.send(target + _ETHERNET[4] + ipv4_header(fence, 8, _FENCE) + b"\0" * 8)
        self._fences += 1
        deadline = time.monotonic() + _SECONDS
        while self._counters()["fence"] < self._fences:
            if time.monotonic() > deadline:
                raise HostError("the kernel handles no frames in the namespace of the trial")
            time.sleep(_PAUSE)

    def _leave(self, packet: Packet) -> None:
        """Sends it from here; the call returns when its verdict is known."""
        text = format_address(packet.family, packet.destination)
        address: t.Any = (text, 0) if packet.family == 4 else (text, 0, 0, self._indexes[packet.interface])
        try:
            self._raw[packet.interface, packet.family].sendto(octets_of(packet), address)
        except PermissionError:
            # It ended in a chain, the ruleset's or the last of ours.
            pass
        except OSError as exc:
            raise HostError("the packet to %s cannot be sent: %s" % (text, exc.strerror or exc)) from exc

    def _counters(self) -> t.Dict[str, int]:
        found = {}
        for data in self._netlink.dump(OBJECTS, INET, _TABLE):
            attributes = read_attributes(data)
            counter = read_attributes(attributes.get(_OBJECT_DATA, b""))
            if _COUNTER_PACKETS in counter:
                found[read_name(attributes[_OBJECT_NAME])] = int.from_bytes(counter[_COUNTER_PACKETS], "big")
        return found


def _hardware_address(number: int) -> bytes:
    return struct.pack("!HI", 0x0200, number + 1)


def _set(name: str, value: str) -> None:
    path = "%s/%s" % (_SYSTEM_SETTINGS, name)
    try:
        with open(path, "w", encoding="ascii") as stream:
            stream.write(value)
    except FileNotFoundError:
        # An old kernel has no such setting for a namespace.
        return
    except OSError as exc:
        raise NoTrialError("the kernel cannot be asked here: %s cannot be set (%s)" % (path, exc.strerror)) from exc


def packet_to_plain(packet: Packet) -> t.Dict[str, t.Any]:
    """What a packet that opens a connection is told from."""
    return {
        "direction": packet.direction.value,
        "interface": packet.interface,
        "protocol": packet.protocol,
        "source": format_address(packet.family, packet.source),
        "destination": format_address(packet.family, packet.destination),
        "source_port": packet.source_port,
        "destination_port": packet.destination_port,
        "icmp_type": packet.icmp_type,
        "hop_limit": packet.hop_limit,
    }


def packet_from_plain(plain: t.Mapping[str, t.Any]) -> Packet:
    """The packet of :func:`packet_to_plain`."""
    family, source = parse_address(plain["source"])
    _family, destination = parse_address(plain["destination"])
    return Packet(
        direction=Direction(plain["direction"]),
        family=family,
        protocol=plain["protocol"],
        source=source,
        destination=destination,
        interface=plain["interface"],
        source_port=plain["source_port"],
        destination_port=plain["destination_port"],
        icmp_type=plain["icmp_type"],
        hop_limit=plain["hop_limit"],
    )
