# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Connections that were open before connection tracking was: the first ruleset must not cut them.

The kernel tracks connections only once a rule asks for their state. A packet of an older connection looks like
the first of a new one then, and to which side the connection belongs depends on who happens to speak first: a
database client whose server speaks next would be cut off. So the kernel is told of the sockets that there are,
before the first rules are loaded, with the side that began each: a port that somebody listens on was called.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import struct
import sys
import typing as t

from ._discovery.tree import Tree

_TCP, _UDP = socket.IPPROTO_TCP, socket.IPPROTO_UDP
_TABLES = (("tcp", _TCP), ("tcp6", _TCP), ("udp", _UDP), ("udp6", _UDP))
#: enum tcp state, net/tcp_states.h; a connected UDP socket is ESTABLISHED as well.
_ESTABLISHED, _LISTEN = 1, 10

_NETLINK_NETFILTER = 12
_NEW = 1 << 8  # NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_NEW
_FLAGS = 0x1 | 0x4 | 0x200 | 0x400  # NLM_F_REQUEST, NLM_F_ACK, NLM_F_EXCL, NLM_F_CREATE
_NESTED = 1 << 15
_ERROR = 2

# enum ctattr_type and its parts, linux/netfilter/nfnetlink_conntrack.h
_ORIGINAL, _REPLY, _STATUS, _PROTOINFO, _TIMEOUT = 1, 2, 3, 4, 7
_TUPLE_IP, _TUPLE_PROTOCOL = 1, 2
_SOURCE_DESTINATION = {4: (1, 2), 6: (3, 4)}
_NUMBER, _SOURCE_PORT, _DESTINATION_PORT = 1, 2, 3
_PROTOINFO_TCP, _TCP_STATE, _TCP_FLAGS_ORIGINAL, _TCP_FLAGS_REPLY = 1, 1, 4, 5

#: linux/netfilter/nf_conntrack_common.h: IPS_SEEN_REPLY, IPS_ASSURED, IPS_CONFIRMED.
_LIVES = 0x02 | 0x04 | 0x08
_TCP_CONNTRACK_ESTABLISHED = 3
#: linux/netfilter/nf_conntrack_tcp.h: IP_CT_TCP_FLAG_BE_LIBERAL. Nobody knows the windows of these connections.
_LIBERAL = 0x08
#: Seconds, the kernel's own defaults (nf_conntrack-sysctl.rst).
_LASTS = {_TCP: 432000, _UDP: 120}

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_WORD = struct.Struct("=I")
_SECONDS = 10.0

Address = t.Union[ipaddress.IPv4Address, ipaddress.IPv6Address]


class Connection(t.NamedTuple):
    """A connection of this host, from the side that began it."""

    protocol: int
    source: Address
    source_port: int
    destination: Address
    destination_port: int


class _Socket(t.NamedTuple):
    protocol: int
    local: Address
    local_port: int
    remote: Address
    remote_port: int
    state: int


def learn(root: str = "/") -> t.Tuple[int, str]:
    """Tells the kernel of the connections that there are; those that it tracks already stay as they are.

    Returns:
        How many it did not know, and why it could not be told of others; empty where it could.
    """
    known = 0
    found = find_connections(Tree(root))
    if not found:
        return 0, ""
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER) as kernel:
            kernel.settimeout(_SECONDS)
            kernel.bind((0, 0))
            for connection in found:
                known += _tell(kernel, connection)
    except OSError as exc:
        return known, (
            "of %d open connections %d could be handed to connection tracking (%s); others that only the policies' "
            "established connections let through may have to be opened again" % (len(found), known, exc.strerror or exc)
        )
    return known, ""


def find_connections(tree: Tree, proc: str = "/proc") -> t.List[Connection]:
    """The TCP connections and connected UDP sockets of this network namespace, but for those on loopback."""
    sockets = [one for name, protocol in _TABLES for one in _read(tree.lines("%s/net/%s" % (proc, name)), protocol)]
    called = {(one.protocol, one.local_port) for one in sockets if _waits(one)}
    return [
        Connection(one.protocol, one.remote, one.remote_port, one.local, one.local_port)
        if (one.protocol, one.local_port) in called
        else Connection(one.protocol, one.local, one.local_port, one.remote, one.remote_port)
        for one in sockets
        if one.state == _ESTABLISHED and not one.local.is_loopback and one.remote_port
    ]


def _waits(one: _Socket) -> bool:
    """Whether the socket is called by others."""
    return one.state == _LISTEN if one.protocol == _TCP else not one.remote_port


def _read(lines: t.Iterable[str], protocol: int) -> t.Iterator[_Socket]:
    """The lines of a table of sockets (proc_pid_net(5)), without the heading and what else is none."""
    for line in lines:
        fields = line.split()
        try:
            local, local_port = _endpoint(fields[1])
            remote, remote_port = _endpoint(fields[2])
            yield _Socket(protocol, local, local_port, remote, remote_port, int(fields[3], 16))
        except (IndexError, ValueError, struct.error):
            continue


def _endpoint(text: str) -> t.Tuple[Address, int]:
    """``0100007F:0016``: words of the address in the byte order of this machine, and the port."""
    digits, _colon, port = text.partition(":")
    packed = b"".join(_WORD.pack(int(digits[at : at + 8], 16)) for at in range(0, len(digits), 8))
    address = ipaddress.ip_address(packed)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address, int(port, 16)


def _tell(kernel: socket.socket, connection: Connection) -> int:
    """1 if the kernel did not know the connection, 0 if it did.

    Raises:
        OSError: It did not take it.
    """
    content = struct.pack("=BBH", socket.AF_INET if connection.source.version == 4 else socket.AF_INET6, 0, 0)
    content += _entry(connection)
    kernel.send(_HEADER.pack(_HEADER.size + len(content), _NEW, _FLAGS, 0, 0) + content)
    answer = kernel.recv(4096)
    kind = _HEADER.unpack_from(answer)[1]
    number = -int.from_bytes(answer[16:20], sys.byteorder, signed=True) if kind == _ERROR else errno.EPROTO
    if number not in (0, errno.EEXIST):
        raise OSError(number, "connection tracking: error %d" % number)
    return int(number == 0)


def _entry(connection: Connection) -> bytes:
    there = _tuple(connection)
    protocol, source, source_port, destination, destination_port = connection
    back = _tuple(Connection(protocol, destination, destination_port, source, source_port))
    parts = [
        _nest(_ORIGINAL, there),
        _nest(_REPLY, back),
        _plain(_STATUS, struct.pack("!I", _LIVES)),
        _plain(_TIMEOUT, struct.pack("!I", _LASTS[protocol])),
    ]
    if protocol == _TCP:
        liberal = struct.pack("BB", _LIBERAL, _LIBERAL)
        state = _plain(_TCP_STATE, bytes([_TCP_CONNTRACK_ESTABLISHED]))
        flags = _plain(_TCP_FLAGS_ORIGINAL, liberal) + _plain(_TCP_FLAGS_REPLY, liberal)
        parts.append(_nest(_PROTOINFO, _nest(_PROTOINFO_TCP, state + flags)))
    return b"".join(parts)


def _tuple(connection: Connection) -> bytes:
    source, destination = _SOURCE_DESTINATION[connection.source.version]
    addresses = _plain(source, connection.source.packed) + _plain(destination, connection.destination.packed)
    ports = _plain(_SOURCE_PORT, struct.pack("!H", connection.source_port))
    ports += _plain(_DESTINATION_PORT, struct.pack("!H", connection.destination_port))
    number = _plain(_NUMBER, bytes([connection.protocol]))
    return _nest(_TUPLE_IP, addresses) + _nest(_TUPLE_PROTOCOL, number + ports)


def _plain(number: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), number) + value + b"\0" * (-len(value) % 4)


def _nest(number: int, content: bytes) -> bytes:
    return _plain(number | _NESTED, content)
