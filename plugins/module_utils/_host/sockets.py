# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""The TCP and UDP sockets of a network namespace, as the kernel lists them (proc_pid_net(5))."""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
import typing as t

#: Of the namespace that the calling thread is in, which need not be that of its process.
PROC = "/proc/thread-self"

TCP, UDP = socket.IPPROTO_TCP, socket.IPPROTO_UDP
_TABLES = (("tcp", TCP), ("tcp6", TCP), ("udp", UDP), ("udp6", UDP))

#: enum tcp state, net/tcp_states.h; a connected UDP socket is ESTABLISHED as well.
ESTABLISHED, FIN_WAIT1, FIN_WAIT2, TIME_WAIT, CLOSE_WAIT, LAST_ACK, LISTEN, CLOSING = 1, 4, 5, 6, 8, 9, 10, 11

_WORD = struct.Struct("=I")

Address = t.Union[ipaddress.IPv4Address, ipaddress.IPv6Address]


class Socket(t.NamedTuple):
    """One socket; an IPv4 address in IPv6's form is one of IPv4."""

    protocol: int
    local: Address
    local_port: int
    remote: Address
    remote_port: int
    state: int

    @property
    def waits(self) -> bool:
        """Whether it is called by others."""
        return self.state == LISTEN if self.protocol == TCP else not self.remote_port


def read_sockets(proc: str = PROC) -> t.List[Socket]:
    """All of them, however many; a table that is not there is empty."""
    found: t.List[Socket] = []
    for name, protocol in _TABLES:
        try:
            with open(os.path.join(proc, "net", name), encoding="ascii", errors="replace") as lines:
                found.extend(_read(lines, protocol))
        except OSError:
            continue
    return found


def _read(lines: t.Iterable[str], protocol: int) -> t.Iterator[Socket]:
    """The lines of a table, without the heading and what else is none."""
    for line in lines:
        fields = line.split()
        try:
            local, local_port = _endpoint(fields[1])
            remote, remote_port = _endpoint(fields[2])
            yield Socket(protocol, local, local_port, remote, remote_port, int(fields[3], 16))
        except (IndexError, ValueError, struct.error):
            continue


def _endpoint(text: str) -> t.Tuple[Address, int]:
    """``0100007F:0016``: words of the address in the byte order of this machine, and the port."""
    digits, _colon, port = text.partition(":")
    packed = b"".join(_WORD.pack(int(digits[at : at + 8], 16)) for at in range(0, len(digits), 8))
    address = ipaddress.ip_address(packed)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address, int(port, 16)
