# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""What the safeguards need to know about a host, read from its files; no process is started."""

from __future__ import annotations

import typing as t

from ..._policy.hostfacts import HostFacts
from .cloud_init import find_metadata_servers
from .leases import lease_notes, read_network
from .resolvers import find_resolvers
from .systemd import Services
from .time_servers import find_time_servers
from .tree import Tree


def discover(root: str = "/", now: t.Optional[float] = None) -> HostFacts:
    """The resolvers, the time servers, the metadata and the leases of the host whose files are below ``root``.

    Files that are missing, unreadable or nonsense count as absent; nothing is raised. ``now`` (seconds
    since the epoch, the clock if None) tells which DHCP leases are over.
    """
    tree = Tree(root)
    services = Services(tree)
    network = read_network(tree, services, now)
    dns_servers, dns_notes = find_resolvers(tree, services, network)
    ntp_servers, ntp_notes = find_time_servers(tree, services, network)
    metadata_servers, metadata_notes = find_metadata_servers(tree)
    return HostFacts(
        dns_servers=dns_servers,
        ntp_servers=ntp_servers,
        dhcp4=bool(network.dhcp4),
        dhcp6=bool(network.dhcp6),
        metadata_servers=metadata_servers,
        notes=(*dns_notes, *ntp_notes, *lease_notes(network), *metadata_notes),
    )
