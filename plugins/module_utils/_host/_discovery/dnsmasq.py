# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""dnsmasq, on its own or below NetworkManager: whom it asks (dnsmasq(8))."""

from __future__ import annotations

import typing as t

from ..._policy.hostfacts import DNS_PORT, DNS_PROTOCOLS, Server
from .dhcp_clients import nameservers
from .forwarding import ANYWHERE, Forwarding, without_comment
from .includes import read_with_includes
from .network_state import NetworkState
from .server_text import canonical_address, parse_port
from .tree import Tree

#: Folders that start scripts pass on the command line: Debian's (CONFIG_DIR in /etc/default/dnsmasq), and
#: NetworkManager's for the dnsmasq that it runs.
_FOLDERS = ("/etc/dnsmasq.d,.dpkg-dist,.dpkg-old,.dpkg-new", "/etc/NetworkManager/dnsmasq.d")


def read_dnsmasq(tree: Tree, network: NetworkState) -> Forwarding:
    """The servers of dnsmasq(8): ``server=`` and, unless ``no-resolv``, those of its resolv files."""
    servers: t.List[Server] = []
    resolv_files: t.List[str] = []
    port: t.Optional[int] = DNS_PORT
    uses_resolv_files = True
    for key, value in _settings(tree):
        if key in ("server", "rev-server"):
            found = _server(key, value)
            if found is not None:
                servers.append(found)
        elif key == "no-resolv":
            uses_resolv_files = False
        elif key == "port":
            port = parse_port(value)
        elif key == "resolv-file":
            resolv_files.append(value)
    if uses_resolv_files:
        # Debian's start script hands over the first where resolvconf is installed.
        for path in resolv_files or ["/run/dnsmasq/resolv.conf", "/run/NetworkManager/no-stub-resolv.conf"]:
            for word in nameservers(tree.read(path) or ""):
                address = canonical_address(word)
                if address is not None:
                    is_fixed = address in network.fixed_dns or not network.leases
                    servers.append(Server(address, DNS_PORT, DNS_PROTOCOLS) if is_fixed else ANYWHERE)
    return Forwarding(servers or [ANYWHERE], frozenset(() if port is None else (port,)))


def _settings(tree: Tree) -> t.Iterator[t.Tuple[str, str]]:
    def included(line: str) -> t.List[str]:
        key, value = setting(line)
        if key in ("conf-file", "servers-file"):
            return [value.partition(",")[0]]
        return _folder(tree, value) if key == "conf-dir" else []

    def setting(line: str) -> t.Tuple[str, str]:
        key, _equals, value = without_comment(line).partition("=")
        return key.strip(), value.strip()

    paths = ["/etc/dnsmasq.conf", *(path for folder in _FOLDERS for path in _folder(tree, folder))]
    for line, _path in read_with_includes(tree, paths, included):
        key, value = setting(line)
        if key:
            yield key, value


def _folder(tree: Tree, value: str) -> t.List[str]:
    """``FOLDER[,ENDING...]``: endings to leave out, or with an asterisk those to take alone."""
    folder, *endings = value.split(",")
    only = tuple(ending[1:] for ending in endings if ending.startswith("*"))
    without = tuple(ending for ending in endings if ending and not ending.startswith("*"))
    return [
        "%s/%s" % (folder.rstrip("/"), name)
        for name in tree.names(folder)
        if not name.startswith((".", "#")) and not name.endswith(("~", *without)) and (not only or name.endswith(only))
    ]


def _server(key: str, value: str) -> t.Optional[Server]:
    """``[/DOMAIN/...]ADDRESS[#PORT][@INTERFACE]``, or ``NETWORK,ADDRESS...`` of ``rev-server``.

    None where the line sends nothing anywhere else: a local domain, or one that uses the others.
    """
    text = value.rpartition("/")[2] if value.startswith("/") else value
    if key == "rev-server":
        text = value.partition(",")[2]
    text = text.partition("@")[0].strip()
    if text in ("", "#"):
        return None
    host, _hash, port_text = text.partition("#")
    address = canonical_address(host)
    port = parse_port(port_text) if port_text else DNS_PORT
    return ANYWHERE if address is None or port is None else Server(address, port, DNS_PROTOCOLS)
