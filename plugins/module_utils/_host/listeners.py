# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Who listens on this host and who gets in there; what is open for nobody; and whom the host talks to."""

from __future__ import annotations

import socket
import typing as t

from .._analysis.entrance import EVERYBODY, SOME, UNKNOWN, Answer, Door, Entrance, Sources, outside_of
from .._analysis.unused_ports import find_unused_ports
from .._core.addresses import FAMILIES, parse_address
from .._core.intervals import IntervalSet
from .._policy.model import Action, Direction, Published
from .._policy.program import LOOPBACK, Program, interface_matches
from .._policy.protocols import PROTOCOL_NAMES
from ._discovery.routes import local_addresses
from ._discovery.server_text import is_local
from ._discovery.tree import Tree
from .applied import Policies
from .peers import describe_peers, find_outgoing
from .processes import Process, find_owners, user_name
from .published_ports import PublishedPort
from .socket_list import UDPLITE, Socket
from .socket_tables import PROC, UDP

#: Raw sockets of protocols that the kernel speaks by itself, and of programs that only send.
_NO_LISTENERS = (1, 58, 255)

_LINK_LOCAL = IntervalSet(((0xFE80 << 112, (0xFEC0 << 112) - 1),))
_WILDCARDS = ("0.0.0.0", "::")  # noqa: S104 - nothing is bound here
_PORTS_OF_CLIENTS = "/proc/sys/net/ipv4/ip_local_port_range"


class Scene(t.NamedTuple):
    """What there is on the host.

    Attributes:
        addresses: Of the host by family, without loopback and link-local ones.
        clients: Ports from which programs send where they do not care.
    """

    sockets: t.Tuple[Socket, ...]
    owners: t.Mapping[int, Process]
    published: t.Tuple[PublishedPort, ...]
    addresses: Sources
    clients: t.Tuple[int, int]


def look_around(sockets: t.Iterable[Socket], published: t.Iterable[PublishedPort]) -> Scene:
    """What is to be known besides the sockets."""
    listed = tuple(sockets)
    tree = Tree()
    wanted = {one.inode for one in listed if one.inode and (one.listens or one.is_connected)}
    low, _tab, high = " ".join((tree.read(_PORTS_OF_CLIENTS) or "").split()).partition(" ")
    clients = (int(low), int(high)) if low.isdecimal() and high.isdecimal() else (32768, 60999)
    return Scene(listed, find_owners(wanted), tuple(published), _own_addresses(tree), clients)


def _own_addresses(tree: Tree) -> Sources:
    found: t.Dict[int, IntervalSet] = {family: IntervalSet() for family in FAMILIES}
    for text in local_addresses(tree, PROC):
        if not is_local(text):
            family, value = parse_address(text)
            found[family] |= IntervalSet.single(value)
    found[6] -= _LINK_LOCAL
    return found


class Listeners:
    """The listeners of a host before its policies; without policies nothing is known of what they decide."""

    def __init__(self, scene: Scene, policies: t.Optional[Policies]) -> None:
        self._scene = scene
        self._policies = policies
        self._networks = {} if policies is None else policies.networks
        self._outside = outside_of(self._networks.values())
        self._ingress = None if policies is None else policies.chain(Direction.INGRESS)
        self._entrance = (
            None if policies is None or self._ingress is None else Entrance(policies.program, self._ingress)
        )
        self._published = {(port.protocol, port.port) for port in scene.published}

    def describe(self) -> t.List[t.Dict[str, t.Any]]:
        """See ``listeners`` of the RETURN of ``palisade.nftables.ruleset_info``."""
        found: t.Dict[t.Tuple[t.Any, ...], t.Dict[str, t.Any]] = {}
        for one in sorted(self._listening(), key=self._order):
            key = (one.raw, one.protocol, one.port, one.address, one.families, one.interface)
            if key not in found:
                found[key] = self._describe(one)
        return list(found.values())

    def unused_ports(self) -> t.List[t.Dict[str, str]]:
        """See ``open_without_listener``."""
        if self._ingress is None:
            return []
        listened: t.Dict[int, IntervalSet] = {}
        for one in self._listening():
            if one.port and not _is_loopback(one.address):
                known = listened.get(one.protocol, IntervalSet())
                listened[one.protocol] = known | IntervalSet.single(one.port)
        return list(find_unused_ports(self._ingress, listened))

    def _listening(self) -> t.Iterator[Socket]:
        taken = set()
        for one in self._scene.sockets:
            if one.listens and not (one.raw and one.protocol in _NO_LISTENERS):
                taken.add((one.protocol, one.port))
                yield one
        for port in self._scene.published:
            if (port.protocol, port.port) not in taken:
                yield Socket(port.protocol, _WILDCARDS[6 in port.families], port.port, port.families)

    def _order(self, one: Socket) -> t.Tuple[t.Any, ...]:
        owner = self._scene.owners.get(one.inode)
        return (one.raw, one.protocol, one.port, one.address, one.interface, owner.pid if owner else 0)

    def _describe(self, one: Socket) -> t.Dict[str, t.Any]:
        owner = self._scene.owners.get(one.inode)
        published = not one.raw and (one.protocol, one.port) in self._published
        interface = _interface_name(one.interface)
        return {
            "protocol": PROTOCOL_NAMES.get(one.protocol, str(one.protocol)),
            "address": one.address,
            "families": list(one.families),
            "port": None if one.raw else one.port,
            "interface": interface,
            "process": None if owner is None else owner.name,
            "pid": None if owner is None else owner.pid,
            "user": None if one.user is None else user_name(one.user),
            "published": published,
            **self._judge(one, interface, is_owned=owner is not None, published=published),
        }

    def _judge(self, one: Socket, interface: t.Optional[str], *, is_owned: bool, published: bool) -> t.Dict[str, t.Any]:
        names = list(self._networks)
        if not published and (_is_loopback(one.address) or interface == LOOPBACK):
            return _same(Action.DROP.value, "loopback", names, "local")
        if self._policies is None or self._entrance is None:
            return _same(UNKNOWN, "", names, None)
        program = self._policies.program
        if interface is not None and not program.filters(interface):
            return _same(Action.ACCEPT.value, interface, names, None)
        if published and program.published is Published.LEAVE:
            return _same(Action.ACCEPT.value, "published", names, "exposed")
        door = self._door(one)
        outside = self._entrance.ask(door, self._outside)
        verdicts = {name: self._entrance.ask(door, network.by_family) for name, network in self._networks.items()}
        return {
            "outside": Action.DROP.value if outside is None else outside.verdict,
            "networks": {name: found.verdict for name, found in verdicts.items() if found is not None},
            "rule": "" if outside is None else outside.rule,
            "finding": self._find(one, door, outside, is_owned=is_owned),
        }

    def _door(self, one: Socket) -> Door:
        own = {family: self._scene.addresses[family] for family in one.families if self._scene.addresses[family]}
        # Where the host has no address of the family, what matters is what one would meet.
        addresses = own or {family: EVERYBODY[family] for family in one.families}
        if one.address not in _WILDCARDS:
            family, value = parse_address(one.address)
            addresses = {family: IntervalSet.single(value)}
        return Door(one.protocol, None if one.raw else one.port, addresses)

    def _find(self, one: Socket, door: Door, outside: t.Optional[Answer], *, is_owned: bool) -> t.Optional[str]:
        entrance = self._entrance
        if entrance is None:
            return None
        if outside is not None and outside.verdict in (Action.ACCEPT.value, SOME) and entrance.is_exposed(door):
            return "exposed"
        if entrance.lets_in(door) is not False:
            return None
        low, high = self._scene.clients
        # A program that asks others from a port that the kernel chose waits for nobody but them.
        asks = is_owned and one.protocol in (UDP, UDPLITE) and low <= one.port <= high
        return None if asks else "blocked"


def _unfiltered_interfaces(program: Program) -> t.List[str]:
    """Interfaces that the policies leave alone because they name others; none that they ignore by default."""
    if not program.interfaces:
        return []
    return sorted(
        name
        for _index, name in socket.if_nameindex()
        if name != LOOPBACK
        and not program.filters(name)
        and not any(interface_matches(pattern, name) for pattern in program.interfaces_ignored)
    )


def _is_loopback(address: str) -> bool:
    return address not in _WILDCARDS and is_local(address)


def _same(verdict: str, rule: str, networks: t.Iterable[str], finding: t.Optional[str]) -> t.Dict[str, t.Any]:
    return {"outside": verdict, "networks": dict.fromkeys(networks, verdict), "rule": rule, "finding": finding}


def _interface_name(index: int) -> t.Optional[str]:
    if not index:
        return None
    try:
        return socket.if_indextoname(index)
    except OSError:
        return None


def describe_traffic(scene: Scene, policies: t.Optional[Policies], notes: t.List[str]) -> t.Dict[str, t.Any]:
    """``listeners``, ``open_without_listener`` and ``talks_to`` of the RETURN of ``palisade.nftables.ruleset_info``."""
    listeners = Listeners(scene, policies)
    left_alone = [] if policies is None else _unfiltered_interfaces(policies.program)
    if left_alone:
        notes.append(
            "firewall_interfaces leaves out %s: what arrives there reaches every listener" % ", ".join(left_alone)
        )
    return {
        "listeners": listeners.describe(),
        "open_without_listener": listeners.unused_ports(),
        "talks_to": describe_peers(
            find_outgoing(scene.sockets),
            scene.owners,
            None if policies is None else policies.program,
            notes,
        ),
    }
