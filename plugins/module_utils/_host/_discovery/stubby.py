# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Stubby, which hands queries on over TLS: whom it asks (its stubby.yml)."""

from __future__ import annotations

import typing as t

from ..._policy.hostfacts import DNS_PORT, DNS_PROTOCOLS, Server
from .forwarding import ANYWHERE, TLS_PORT, Forwarding, without_comment
from .network_state import NetworkState
from .server_text import canonical_address, parse_port
from .tree import Tree

_CONFIGURATION = "/etc/stubby/stubby.yml"

_TRANSPORT = "GETDNS_TRANSPORT_"
_OVER_TLS = "GETDNS_TRANSPORT_TLS"


def read_stubby(tree: Tree, _network: NetworkState) -> Forwarding:
    """The servers of its list, over TLS, and without where another transport is allowed too."""
    listed: t.List[t.Dict[str, str]] = []
    transports: t.Set[str] = set()
    ports: t.Set[int] = set()
    section = ""
    for line in tree.lines(_CONFIGURATION):
        text = without_comment(line).strip()
        key, colon, value = (part.strip(" \"'") for part in text.lstrip("- ").partition(":"))
        if key == "address_data":
            # What else is said of a server comes after its address, and may be a list itself.
            listed.append({})
        elif text.startswith("-") and section == "listen_addresses":
            ports |= {port for port in (parse_port(text.rpartition("@")[2]),) if port is not None}
        elif text.startswith("-") and section == "dns_transport_list":
            transports.add(key)
        elif colon and not value:
            section = key
        if colon and value and listed:
            listed[-1].setdefault(key, value)
    servers = [_server(entry) for entry in listed if "address_data" in entry]
    if not servers:
        servers = [Server(None, TLS_PORT, ("tcp",)), ANYWHERE]
    elif any(name.startswith(_TRANSPORT) and name != _OVER_TLS for name in transports):
        servers += [Server(server.address, DNS_PORT, DNS_PROTOCOLS) for server in servers]
    return Forwarding(servers, frozenset(ports or (DNS_PORT,)))


def _server(entry: t.Mapping[str, str]) -> Server:
    port = parse_port(entry.get("tls_port", "")) or TLS_PORT
    return Server(canonical_address(entry["address_data"]), port, ("tcp",))
