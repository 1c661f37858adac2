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

from .sockets import FOLDER, TCP, Address, Socket, read_sockets
from .tracking import TRACKED_STATES, Connection, Entry, Tracking

#: How often an entry is made anew that a packet of the connection has made again meanwhile.
_ATTEMPTS = 5


def learn(folder: str = FOLDER) -> t.Tuple[int, str]:
    """Tells the kernel of the connections that there are; what it has seen from the beginning stays as it is.

    Args:
        folder: The tables of the sockets.

    Returns:
        How many it did not know, and why it could not be told of others; empty where it could.
    """
    found = find_connections(folder)
    told: t.List[Connection] = []
    if not found:
        return 0, ""
    try:
        with Tracking() as tracking:
            told.extend(connection for connection, state in found.items() if _tell(tracking, connection, state))
            for connection in _ended(told, folder):
                entry = tracking.find(connection)
                if entry is not None and _is_as_told(entry, found[connection]):
                    tracking.remove(connection, entry)
    except OSError as exc:
        return len(told), (
            "of %d open connections %d could be handed to connection tracking (%s); others that only the policies' "
            "established connections let through may have to be opened again"
            % (len(found), len(told), exc.strerror or exc)
        )
    return len(told), ""


def find_connections(folder: str = FOLDER) -> t.Dict[Connection, int]:
    """The TCP connections and connected UDP sockets, but for those on loopback, each with the state of its socket."""
    sockets = read_sockets(folder)
    called = {(one.protocol, one.local_port, one.local) for one in sockets if one.waits}
    return {
        _connection(one, called=not called.isdisjoint(_listening(one))): one.state
        for one in sockets
        if one.state in TRACKED_STATES and not one.waits and not one.local.is_loopback and one.remote_port
    }


def _listening(one: Socket) -> t.Iterator[t.Tuple[int, int, Address]]:
    """Where somebody would listen who was called for this socket."""
    for address in (one.local, ipaddress.IPv4Address(0), ipaddress.IPv6Address(0)):
        yield one.protocol, one.local_port, address


def _connection(one: Socket, *, called: bool) -> Connection:
    ours = Connection(one.protocol, one.local, one.local_port, one.remote, one.remote_port)
    return ours.reversed() if called else ours


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


def _is_guess(entry: Entry, connection: Connection) -> bool:
    """Whether the kernel saw a connection begin that had begun before."""
    if entry.answers != entry.connection.reversed():
        # Somebody translates its addresses.
        return False
    return not entry.answered or (entry.picked_up and entry.connection != connection)


def _is_as_told(entry: Entry, state: int) -> bool:
    """Whether nothing has become of it; one that has gone on, or was begun again, is the kernel's own by now."""
    return (entry.picked_up or entry.connection.protocol != TCP) and entry.state == TRACKED_STATES[state].number


def _ended(told: t.Sequence[Connection], folder: str) -> t.List[Connection]:
    """Those that ended before the kernel was told: it would wait for their end for days.

    A table that changes while it is read may lack a socket that is there; hardly twice.
    """
    ended = list(told)
    for _reading in range(2):
        if ended:
            there = find_connections(folder)
            ended = [one for one in ended if one not in there and one.reversed() not in there]
    return ended
