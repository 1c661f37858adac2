# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""The kernel's tables of the sockets of a network namespace (proc_pid_net(5))."""

from __future__ import annotations

import os
import struct
import typing as t

#: Of the namespace that the calling thread is in, which need not be that of its process.
PROC = "/proc/thread-self"

TCP, UDP = 6, 17

#: By protocol, the tables of both families.
TABLES: t.Mapping[int, t.Sequence[str]] = {TCP: ("tcp", "tcp6"), UDP: ("udp", "udp6")}

#: enum tcp state, net/tcp_states.h; a connected UDP socket is ESTABLISHED as well, one that is only bound CLOSE.
ESTABLISHED, FIN_WAIT1, FIN_WAIT2, TIME_WAIT, CLOSE, CLOSE_WAIT, LAST_ACK, LISTEN, CLOSING = 1, 4, 5, 6, 7, 8, 9, 10, 11

_WORD = struct.Struct("=I")
_MAPPED_PREFIX = bytes(10) + b"\xff\xff"


class Row(t.NamedTuple):
    """One line of a table.

    Attributes:
        local, remote: Address in the order of the wire, 4 or 16 octets, and port.
        fields: All of the line, as texts.
    """

    local: t.Tuple[bytes, int]
    remote: t.Tuple[bytes, int]
    state: int
    fields: t.Sequence[str]


def read_lines(proc: str, name: str) -> t.Iterator[str]:
    """The lines of a file below ``net``, however many; one that is not there has none."""
    try:
        with open(os.path.join(proc, "net", name), encoding="ascii", errors="replace") as stream:
            yield from stream
    except OSError:
        # The protocol is not in this kernel, or not in this container.
        return


def read_rows(lines: t.Iterable[str]) -> t.Iterator[Row]:
    """The rows of a table, without the heading and what else is none."""
    for line in lines:
        fields = line.split()
        try:
            yield Row(_endpoint(fields[1]), _endpoint(fields[2]), int(fields[3], 16), fields)
        except (IndexError, ValueError):
            continue


def unmapped(packed: bytes) -> bytes:
    """An IPv4 address in IPv6's form as what it is on the wire; any other as it is."""
    return packed[12:] if is_mapped(packed) else packed


def is_mapped(packed: bytes) -> bool:
    """Whether it is an IPv4 address in IPv6's form (RFC 4291, section 2.5.5.2)."""
    return packed[:12] == _MAPPED_PREFIX


def _endpoint(text: str) -> t.Tuple[bytes, int]:
    """``0100007F:0016``: words of the address in the byte order of this machine, and the port."""
    digits, _colon, port = text.partition(":")
    if len(digits) not in (8, 32):
        raise ValueError(text)
    packed = b"".join(_WORD.pack(int(digits[at : at + 8], 16)) for at in range(0, len(digits), 8))
    return packed, int(port, 16)
