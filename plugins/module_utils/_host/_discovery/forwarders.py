# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Resolvers that run on the host itself, unbound, dnsmasq, BIND and Stubby: whom they ask in turn.

Their configuration is read simply: enough to see forwarding to plain addresses. Whatever else they do
counts as asking servers anywhere, which is what a resolver without forwarders does.
"""

from __future__ import annotations

import typing as t

from ..._policy.hostfacts import Server
from .bind import read_bind
from .dnsmasq import read_dnsmasq
from .forwarding import ANYWHERE, Forwarding
from .network_state import NetworkState
from .server_text import is_local
from .stubby import read_stubby
from .systemd import Services
from .tree import Tree
from .unbound import read_unbound

#: Where systemd-resolved answers on the host, and what tells that it runs. Whom it asks is found elsewhere.
_RESOLVED = frozenset(("127.0.0.53", "127.0.0.54"))
_RESOLVED_RUNS = "/run/systemd/resolve/resolv.conf"


class Forwarder(t.NamedTuple):
    """A program that answers DNS on the host; ``read`` returns whom it asks."""

    name: str
    services: t.Tuple[str, ...]
    pid_files: t.Tuple[str, ...]
    programs: t.Tuple[str, ...]
    read: t.Callable[[Tree, NetworkState], Forwarding]


def find_forwarded(
    tree: Tree, services: Services, network: NetworkState, origin: str
) -> t.Tuple[t.List[Server], t.List[str]]:
    """Whom the forwarders on the host ask, for a resolver on the host that ``origin`` names.

    One that asks another on the host is followed to that one, by the port on which it answers.
    """
    running = [
        item for item in _FORWARDERS if services.is_enabled(*item.services) or services.is_running(*item.pid_files)
    ]
    chosen = running or [item for item in _FORWARDERS if any(tree.exists(path) for path in item.programs)]
    answering = {item.name: item.read(tree, network) for item in chosen}
    servers: t.List[Server] = []
    notes = []
    for name, forwarding in answering.items():
        others = {port for other, one in answering.items() if other != name for port in one.ports}
        found = [server for server in forwarding.servers if server.address is None or not is_local(server.address)]
        if any(_leads_nowhere(server, others, tree) for server in forwarding.servers):
            found.append(ANYWHERE)
        servers += found
        if any(server.address is None for server in found):
            notes.append(
                "dns: anywhere, because %s names a resolver on this host and %s asks servers anywhere" % (origin, name)
            )
        elif not found:
            notes.append("dns: %s on this host asks another on this host" % name)
        for server in found:
            if server.address is not None:
                over_tls = " over TLS" if server.protocols == ("tcp",) else ""
                notes.append("dns: %s, which %s on this host forwards to%s" % (server.address, name, over_tls))
    asked = {server.address for forwarding in answering.values() for server in forwarding.servers}
    if not servers and not asked & _RESOLVED:
        notes.append("dns: anywhere, because %s names a resolver on this host, and whom that asks is unknown" % origin)
        servers.append(ANYWHERE)
    return servers, notes


def _leads_nowhere(server: Server, others: t.Set[int], tree: Tree) -> bool:
    """Whether a server is on the host, and neither another forwarder nor systemd-resolved answers there."""
    if server.address is None or not is_local(server.address) or server.port in others:
        return False
    return server.address not in _RESOLVED or not tree.exists(_RESOLVED_RUNS)


_FORWARDERS = (
    Forwarder(
        "unbound",
        ("unbound",),
        ("/run/unbound.pid", "/run/unbound/unbound.pid"),
        ("/usr/sbin/unbound",),
        read_unbound,
    ),
    Forwarder(
        "dnsmasq",
        ("dnsmasq",),
        ("/run/dnsmasq/dnsmasq.pid", "/run/dnsmasq.pid", "/run/NetworkManager/dnsmasq.pid"),
        ("/usr/sbin/dnsmasq",),
        read_dnsmasq,
    ),
    Forwarder(
        "named",
        ("named", "bind9", "named-chroot"),
        ("/run/named/named.pid", "/run/named.pid"),
        ("/usr/sbin/named",),
        read_bind,
    ),
    Forwarder(
        "stubby",
        ("stubby",),
        ("/run/stubby.pid",),
        ("/usr/bin/stubby",),
        read_stubby,
    ),
)
