# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Connections that were open before connection tracking was: the first rules must not cut them.

The kernel tracks connections only once a rule asks for their state. A packet of an older connection looks like
the first of a new one then, and to which side the connection belongs depends on who happens to speak first. A
database client whose server speaks next would be cut off. And where the host spoke first, its caller is taken for
the one that was called: the caller's next connection from the same port is invalid (nf_conntrack_proto_tcp.c: a SYN
in the direction of the answers) for as long as that is remembered.

So the kernel is told of the connections that there are, with the side that began each: a port that somebody listens
on was called. It is told after it has begun to track, and before any rule judges a packet: what begins later is seen
from its first packet on.
"""

from __future__ import annotations

import ipaddress
import typing as t

from ._discovery.routes import local_addresses
from ._discovery.tree import Tree
from .socket_tables import LISTEN, PROC, TABLES, TCP, UDP, read_lines, read_rows, unmapped
from .tracking import TRACKED_STATES, Address, Connection, Entry, Tracking

#: How often an entry is made anew that a packet of the connection has made again meanwhile.
_ATTEMPTS = 5


def learn(proc: str = PROC) -> t.Tuple[int, str]:
    """Tells the kernel of the connections that there are; what it has seen from the beginning stays as it is.

    Args:
        proc: Where the tables of the sockets are.

    Returns:
        How many it did not know, and why it could not be told of others; empty where it could.
    """
    found = find_connections(proc)
    told: t.List[Connection] = []
    try:
        with Tracking() as tracking:
            told.extend(connection for connection, state in found.items() if _tell(tracking, connection, state))
            _end_ended(tracking, told, proc)
    except OSError as exc:
        if not found:
            return 0, ""
        return len(told), (
            "of %d open connections %d could be handed to connection tracking (%s); others that only the policies' "
            "established connections let through may have to be opened again"
            % (len(found), len(told), exc.strerror or exc)
        )
    return len(told), ""


class _End(t.NamedTuple):
    """This host's end of a connection, or where it waits for one.

    Attributes:
        ours: As if this host had begun it.
        state: Of the socket.
    """

    ours: Connection
    state: int

    @property
    def waits(self) -> bool:
        """Whether it is called by others."""
        return self.state == LISTEN if self.ours.protocol == TCP else not self.ours.destination_port


def _read_ends(proc: str) -> t.List[_End]:
    """Of all TCP and UDP sockets; an IPv4 address in IPv6's form is one of IPv4."""
    return [
        _End(
            Connection(protocol, _address(row.local[0]), row.local[1], _address(row.remote[0]), row.remote[1]),
            row.state,
        )
        for protocol, names in TABLES.items()
        for name in names
        for row in read_rows(read_lines(proc, name))
    ]


def _address(packed: bytes) -> Address:
    return ipaddress.ip_address(unmapped(packed))


def find_connections(proc: str = PROC) -> t.Dict[Connection, int]:
    """The TCP connections and connected UDP sockets, but for those on loopback, each with the state of its socket."""
    ends = _read_ends(proc)
    called = {(one.ours.protocol, one.ours.source_port, one.ours.source) for one in ends if one.waits}
    return {
        one.ours if called.isdisjoint(_listening(one.ours)) else one.ours.reversed(): one.state
        for one in ends
        if one.state in TRACKED_STATES
        and not one.waits
        and not one.ours.source.is_loopback
        and one.ours.destination_port
    }


def _listening(ours: Connection) -> t.Iterator[t.Tuple[int, int, Address]]:
    """Where somebody would listen who was called for this connection."""
    for address in (ours.source, ipaddress.IPv4Address(0), ipaddress.IPv6Address(0)):
        yield ours.protocol, ours.source_port, address


def _tell(tracking: Tracking, connection: Connection, state: int) -> bool:
    """Whether the kernel did not know the connection, or only guessed at it.

    Raises:
        OSError: It did not take it.
    """
    for _attempt in range(_ATTEMPTS):
        if tracking.add(connection, state):
            return True
        entry = tracking.find(connection)
        if entry is None:
            continue
        if not _is_guess(entry, connection):
            return False
        tracking.remove(connection, entry)
    return False


def _is_translated(entry: Entry) -> bool:
    """Whether somebody changes its addresses or ports, so that they are not those of a socket."""
    return entry.answers != entry.connection.reversed()


def _is_guess(entry: Entry, connection: Connection) -> bool:
    """Whether the kernel saw a connection begin that had begun before."""
    if _is_translated(entry):
        return False
    return not entry.answered or (entry.picked_up and entry.connection != connection)


def _end_ended(tracking: Tracking, told: t.Sequence[Connection], proc: str) -> None:
    """Tells the kernel of connections of this host that are no more, and whose end it did not see.

    Some had ended before it was told of them, some while nothing was tracked: it would wait for their end for days. And
    some that it guessed at ended before anybody looked at the sockets.

    Raises:
        OSError: It did not do it.
    """
    own = local_addresses(Tree(), proc)
    candidates = {
        entry.connection: entry
        for entry in tracking.lasting()
        if not _is_translated(entry) and not own.isdisjoint(map(str, (entry.connection[1], entry.connection[3])))
    }
    for connection in told:
        entry = tracking.find(connection) if connection.protocol == UDP else None
        if entry is not None:
            candidates[entry.connection] = entry
    # A table that changes while it is read may lack a socket that is there; hardly twice.
    for _reading in range(2):
        if candidates:
            there = {one.ours for one in _read_ends(proc)}
            for connection in [one for one in candidates if one in there or one.reversed() in there]:
                del candidates[connection]
    for entry in candidates.values():
        tracking.end(entry)
