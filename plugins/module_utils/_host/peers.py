# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Whom this host talks to: connections that it opened itself, and whether it may open them again."""

from __future__ import annotations

import typing as t

from .._core.addresses import parse_address
from .._policy.evaluate import Decision, evaluate
from .._policy.model import Direction
from .._policy.packet import Packet
from .._policy.program import LOOPBACK, Program
from .._policy.protocols import PROTOCOL_NAMES
from ._discovery.routes import interface_of
from ._discovery.tree import Tree
from .processes import Process
from .socket_list import Socket
from .socket_tables import PROC

#: Peers that are looked at; a proxy may have thousands.
_MOST_PEERS = 500

#: In every range of ports that programs send from.
_EPHEMERAL_PORT = 50000


class Peer(t.NamedTuple):
    """The other side of connections, and one of ours.

    Attributes:
        connections: How many there are.
        source: Our address.
        interface: Where they leave.
        inode: Of the socket of one.
    """

    protocol: int
    address: str
    port: int
    connections: int
    source: str
    interface: str
    inode: int


def find_outgoing(sockets: t.Sequence[Socket]) -> t.List[Socket]:
    """Those of connections that this host opened: nobody waits at their own port to be called."""
    called = {(one.protocol, one.port) for one in sockets if one.listens and not one.raw}
    return [one for one in sockets if one.is_connected and (one.protocol, one.port) not in called]


def find_peers(sockets: t.Iterable[Socket]) -> t.Tuple[t.List[Peer], int]:
    """The peers of connected sockets, and how many there are in all; what is on this host itself is left out.

    Args:
        sockets: Of connections that this host opened.
    """
    grouped: t.Dict[t.Tuple[int, str, int], t.List[Socket]] = {}
    for one in sockets:
        grouped.setdefault((one.protocol, one.remote, one.remote_port), []).append(one)
    tree = Tree()
    interfaces: t.Dict[str, t.Optional[str]] = {}
    found = []
    total = 0
    for (protocol, address, port), listed in sorted(grouped.items()):
        total += 1
        if total > _MOST_PEERS:
            continue
        if address not in interfaces:
            interfaces[address] = interface_of(tree, address, PROC)
        interface = interfaces[address]
        if interface != LOOPBACK:
            first = min(listed)
            found.append(
                Peer(protocol, address, port, len(listed), first.address, interface or Packet.interface, first.inode)
            )
    return found, total


def decide(program: Program, peer: Peer) -> Decision:
    """What the policies do with the first packet of another connection there."""
    family, destination = parse_address(peer.address)
    return evaluate(
        program,
        Packet(
            direction=Direction.EGRESS,
            family=family,
            protocol=peer.protocol,
            source=parse_address(peer.source)[1],
            destination=destination,
            interface=peer.interface,
            source_port=_EPHEMERAL_PORT,
            destination_port=peer.port,
        ),
    )


def describe_peers(
    sockets: t.Iterable[Socket],
    owners: t.Mapping[int, Process],
    program: t.Optional[Program],
    notes: t.List[str],
) -> t.List[t.Dict[str, t.Any]]:
    """See ``talks_to`` of the RETURN of ``palisade.nftables.ruleset_info``."""
    peers, total = find_peers(sockets)
    if total > _MOST_PEERS:
        notes.append("this host talks to %d peers; the first %d are listed" % (total, _MOST_PEERS))
    found = []
    for peer in peers:
        owner = owners.get(peer.inode)
        decision = None if program is None else decide(program, peer)
        found.append(
            {
                "protocol": PROTOCOL_NAMES.get(peer.protocol, str(peer.protocol)),
                "address": peer.address,
                "port": peer.port,
                "connections": peer.connections,
                "process": None if owner is None else owner.name,
                "pid": None if owner is None else owner.pid,
                "verdict": "unknown" if decision is None else decision.action.value,
                "rule": "" if decision is None else str(decision.origin),
            }
        )
    return found
