# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""unbound: whom it asks (unbound.conf(5))."""

from __future__ import annotations

import posixpath
import typing as t

from ..._policy.hostfacts import DNS_PORT, DNS_PROTOCOLS, Server
from .forwarding import ANYWHERE, TLS_PORT, Forwarding, without_comment
from .includes import read_with_includes
from .network_state import NetworkState
from .server_text import canonical_address, parse_port
from .tree import Tree

#: Clauses that name servers, and under which keys: forwarded to, asked for a zone, copied a zone from.
_ZONES: t.Mapping[str, t.Tuple[str, ...]] = {
    "forward-zone": ("forward-addr",),
    "stub-zone": ("stub-addr",),
    "auth-zone": ("primary", "master"),
}


def read_unbound(tree: Tree, _network: NetworkState) -> Forwarding:
    """The addresses that the root is forwarded to (unbound.conf(5)), and those of other zones.

    Without a forward zone for the root, or with ``forward-first``, unbound asks servers anywhere.
    """
    servers: t.List[Server] = []
    ports: t.Set[int] = set()
    pinned_root = False
    over_tls = False
    zones: t.List[t.Tuple[str, t.List[t.Tuple[str, str]]]] = []
    for key, value in _settings(tree):
        if not value:
            zones.append((key if key in _ZONES else "", []))
        elif zones and zones[-1][0]:
            zones[-1][1].append((key, value))
        elif key in ("tls-upstream", "ssl-upstream"):
            over_tls = value == "yes"
        elif key in ("port", "interface"):
            ports |= {port for port in (parse_port(value.rpartition("@")[2]),) if port is not None}
    for kind, settings in zones:
        values = dict(settings)
        prefix = kind.partition("-")[0]
        zone_tls = over_tls or "yes" in (values.get(prefix + "-tls-upstream"), values.get(prefix + "-ssl-upstream"))
        addresses = _ZONES.get(kind, ())
        found = [_server(value, over_tls=zone_tls) for key, value in settings if key in addresses]
        servers += found
        is_plain = values.get(prefix + "-first") != "yes" and prefix + "-host" not in values
        if not is_plain:
            servers.append(ANYWHERE)
        pinned_root = pinned_root or (kind == "forward-zone" and values.get("name") == "." and bool(found))
    return Forwarding(servers if pinned_root else [*servers, ANYWHERE], frozenset(ports or (DNS_PORT,)))


def _settings(tree: Tree) -> t.Iterator[t.Tuple[str, str]]:
    """``(key, value)`` of all files in order; a clause such as ``server:`` has an empty value."""

    def included(line: str) -> t.List[str]:
        key, _colon, value = line.partition(":")
        if key.strip() not in ("include", "include-toplevel"):
            return []
        return tree.glob(posixpath.join("/etc/unbound", _unquoted(value)))

    for line, _path in read_with_includes(tree, ["/etc/unbound/unbound.conf"], included):
        key, colon, written = without_comment(line).partition(":")
        value = _unquoted(written)
        if colon and (value or not written.strip()):
            yield key.strip(), value


def _unquoted(text: str) -> str:
    return text.strip().strip("\"'")


def _server(text: str, *, over_tls: bool) -> Server:
    """``ADDRESS[@PORT][#NAME]``."""
    host, _at, port_text = text.partition("#")[0].partition("@")
    address = canonical_address(host.strip())
    port = parse_port(port_text.strip()) if port_text else (TLS_PORT if over_tls else DNS_PORT)
    if address is None or port is None:
        return ANYWHERE
    return Server(address, port, ("tcp",) if over_tls else DNS_PROTOCOLS)
