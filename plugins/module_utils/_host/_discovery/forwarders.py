# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Resolvers that run on the host itself, unbound, dnsmasq and BIND: whom they ask in turn.

Their configuration is read simply: enough to see forwarding to plain addresses. Whatever else they do
counts as asking servers anywhere, which is what a resolver without forwarders does.
"""

from __future__ import annotations

import posixpath
import re
import typing as t

from ..._policy.hostfacts import DNS_PORT, DNS_PROTOCOLS, Server
from .dhcp_clients import nameservers
from .includes import read_with_includes
from .network_state import NetworkState
from .server_text import canonical_address, is_local, parse_port
from .systemd import Services
from .tree import Tree

_TLS_PORT = 853

#: Configuration files of named read at most.
_READ_FILES = 200

_ANYWHERE = Server(None, DNS_PORT, DNS_PROTOCOLS)

_BIND_TOKEN = re.compile(
    r'"([^"\n]{0,4096})"|(/\*.*?(?:\*/|\Z)|//[^\n]*|#[^\n]*)|([{};])|([^\s{};"]{1,4096})', re.DOTALL
)


class Forwarder(t.NamedTuple):
    """A program that answers DNS on the host; ``read`` returns its upstream servers."""

    name: str
    services: t.Tuple[str, ...]
    pid_files: t.Tuple[str, ...]
    programs: t.Tuple[str, ...]
    read: t.Callable[[Tree, NetworkState], t.List[Server]]


def find_forwarded(
    tree: Tree, services: Services, network: NetworkState, origin: str
) -> t.Tuple[t.List[Server], t.List[str]]:
    """Whom the forwarders on the host ask, for a resolver on the host that ``origin`` names."""
    running = [
        item for item in _FORWARDERS if services.is_enabled(*item.services) or services.is_running(*item.pid_files)
    ]
    chosen = running or [item for item in _FORWARDERS if any(tree.exists(path) for path in item.programs)]
    servers: t.List[Server] = []
    notes = []
    for item in chosen:
        found = item.read(tree, network)
        servers += found
        if any(server.address is None for server in found):
            notes.append(
                "dns: anywhere, because %s names a resolver on this host and %s asks servers anywhere"
                % (origin, item.name)
            )
        else:
            notes += ["dns: %s, which %s on this host forwards to" % (server.address, item.name) for server in found]
    if not servers:
        notes.append("dns: anywhere, because %s names a resolver on this host, and whom that asks is unknown" % origin)
        servers.append(_ANYWHERE)
    return servers, notes


def read_unbound(tree: Tree, _network: NetworkState) -> t.List[Server]:
    """The addresses that the root is forwarded to (unbound.conf(5)), and those of other zones.

    Without a forward zone for the root, or with ``forward-first``, unbound asks servers anywhere.
    """
    servers: t.List[Server] = []
    pinned_root = False
    over_tls = False
    zones: t.List[t.Tuple[str, t.List[t.Tuple[str, str]]]] = []
    for key, value in _unbound_settings(tree):
        if not value and key in ("forward-zone", "stub-zone"):
            zones.append((key, []))
        elif not value:
            zones.append(("", []))
        elif zones and zones[-1][0]:
            zones[-1][1].append((key, value))
        elif key in ("tls-upstream", "ssl-upstream"):
            over_tls = value == "yes"
    for kind, settings in zones:
        values = dict(settings)
        prefix = kind.partition("-")[0]
        zone_tls = over_tls or "yes" in (values.get(prefix + "-tls-upstream"), values.get(prefix + "-ssl-upstream"))
        found = [_unbound_server(value, over_tls=zone_tls) for key, value in settings if key == prefix + "-addr"]
        servers += found
        is_plain = values.get(prefix + "-first") != "yes" and prefix + "-host" not in values
        if not is_plain:
            servers.append(_ANYWHERE)
        pinned_root = pinned_root or (kind == "forward-zone" and values.get("name") == "." and bool(found))
    outside = [server for server in servers if server.address is None or not is_local(server.address)]
    return outside if pinned_root and outside else [*outside, _ANYWHERE]


def _unbound_settings(tree: Tree) -> t.Iterator[t.Tuple[str, str]]:
    """``(key, value)`` of all files in order; a clause such as ``server:`` has an empty value."""

    def included(line: str) -> t.List[str]:
        key, _colon, value = line.partition(":")
        if key.strip() not in ("include", "include-toplevel"):
            return []
        return tree.glob(posixpath.join("/etc/unbound", _unquoted(value)))

    for line, _path in read_with_includes(tree, ["/etc/unbound/unbound.conf"], included):
        key, colon, written = _without_comment(line).partition(":")
        value = _unquoted(written)
        if colon and (value or not written.strip()):
            yield key.strip(), value


def _without_comment(line: str) -> str:
    """A comment begins at a hash after white space: servers hold hashes themselves, ``192.0.2.1#53``."""
    return re.split(r"(?:^|\s)#", line, maxsplit=1)[0]


def _unquoted(text: str) -> str:
    return text.strip().strip("\"'")


def _unbound_server(text: str, *, over_tls: bool) -> Server:
    """``ADDRESS[@PORT][#NAME]``."""
    host, _at, port_text = text.partition("#")[0].partition("@")
    address = canonical_address(host.strip())
    port = parse_port(port_text.strip()) if port_text else (_TLS_PORT if over_tls else DNS_PORT)
    if address is None or port is None:
        return _ANYWHERE
    return Server(address, port, ("tcp",) if over_tls else DNS_PROTOCOLS)


def read_dnsmasq(tree: Tree, network: NetworkState) -> t.List[Server]:
    """The servers of dnsmasq(8): ``server=`` and, unless ``no-resolv``, those of its resolv files."""
    servers: t.List[Server] = []
    resolv_files: t.List[str] = []
    uses_resolv_files = True
    for key, value in _dnsmasq_settings(tree):
        if key in ("server", "rev-server"):
            found = _dnsmasq_server(key, value)
            if found is not None:
                servers.append(found)
        elif key == "no-resolv":
            uses_resolv_files = False
        elif key == "resolv-file":
            resolv_files.append(value)
    if uses_resolv_files:
        # Debian's start script hands over the first where resolvconf is installed.
        for path in resolv_files or ["/run/dnsmasq/resolv.conf", "/run/NetworkManager/no-stub-resolv.conf"]:
            for word in nameservers(tree.read(path) or ""):
                address = canonical_address(word)
                if address is not None:
                    is_fixed = address in network.fixed_dns or not network.leases
                    servers.append(Server(address, DNS_PORT, DNS_PROTOCOLS) if is_fixed else _ANYWHERE)
    outside = [server for server in servers if server.address is None or not is_local(server.address)]
    return outside or [_ANYWHERE]


def _dnsmasq_settings(tree: Tree) -> t.Iterator[t.Tuple[str, str]]:
    def included(line: str) -> t.List[str]:
        key, value = setting(line)
        if key in ("conf-file", "servers-file"):
            return [value.partition(",")[0]]
        return _dnsmasq_folder(tree, value) if key == "conf-dir" else []

    def setting(line: str) -> t.Tuple[str, str]:
        key, _equals, value = _without_comment(line).partition("=")
        return key.strip(), value.strip()

    # Debian passes its folder on the command line (CONFIG_DIR in /etc/default/dnsmasq).
    paths = ["/etc/dnsmasq.conf", *_dnsmasq_folder(tree, "/etc/dnsmasq.d,.dpkg-dist,.dpkg-old,.dpkg-new")]
    for line, _path in read_with_includes(tree, paths, included):
        key, value = setting(line)
        if key:
            yield key, value


def _dnsmasq_folder(tree: Tree, value: str) -> t.List[str]:
    """``FOLDER[,ENDING...]``: endings to leave out, or with an asterisk those to take alone."""
    folder, *endings = value.split(",")
    only = tuple(ending[1:] for ending in endings if ending.startswith("*"))
    without = tuple(ending for ending in endings if ending and not ending.startswith("*"))
    return [
        "%s/%s" % (folder.rstrip("/"), name)
        for name in tree.names(folder)
        if not name.startswith((".", "#")) and not name.endswith(("~", *without)) and (not only or name.endswith(only))
    ]


def _dnsmasq_server(key: str, value: str) -> t.Optional[Server]:
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
    return _ANYWHERE if address is None or port is None else Server(address, port, DNS_PROTOCOLS)


def read_bind(tree: Tree, _network: NetworkState) -> t.List[Server]:
    """The ``forwarders`` of all blocks (BIND 9 Administrator Reference Manual, "Forwarding").

    Unless the options say ``forward only``, named asks servers anywhere when its forwarders fail.
    """
    servers: t.List[Server] = []
    only = False
    words = _bind_words(tree)
    scope: t.List[str] = []
    statement: t.List[str] = []
    for word in words:
        if word == "{":
            scope.append(statement[0] if statement else "")
            if scope[-1] == "forwarders":
                servers += _bind_servers(words, statement[1:])
                scope.pop()
            statement = []
        elif word == "}":
            del scope[-1:]
            statement = []
        elif word == ";":
            if statement == ["forward", "only"] and scope == ["options"]:
                only = True
            statement = []
        else:
            statement.append(word)
    outside = [server for server in servers if server.address is None or not is_local(server.address)]
    return outside if only and outside else [*outside, _ANYWHERE]


def _bind_servers(words: t.Iterator[str], heading: t.Sequence[str]) -> t.List[Server]:
    """``{ ADDRESS [port N] [tls NAME]; ... }`` from after the brace; ports and TLS of all in ``heading``."""
    servers = []
    entry: t.List[str] = []
    for word in words:
        if word not in (";", "}"):
            entry.append(word)
            continue
        if entry:
            settings = dict(zip(heading[::2], heading[1::2]))
            settings.update(zip(entry[1::2], entry[2::2]))
            over_tls = settings.get("tls", "none") != "none"
            address = canonical_address(entry[0])
            port = parse_port(settings.get("port", str(_TLS_PORT if over_tls else DNS_PORT)))
            known = address is not None and port is not None
            servers.append(
                Server(address, port or DNS_PORT, ("tcp",) if over_tls else DNS_PROTOCOLS) if known else _ANYWHERE
            )
            entry = []
        if word == "}":
            break
    return servers


def _bind_words(tree: Tree) -> t.Iterator[str]:
    """The words, braces and semicolons of named.conf and what it includes, in place, without comments."""
    start = next((path for path in ("/etc/bind/named.conf", "/etc/named.conf") if tree.exists(path)), "")
    stack = [iter(_words_of(tree, start))]
    seen = {start}
    previous = ""
    while stack:
        word = next(stack[-1], None)
        if word is None:
            stack.pop()
            continue
        if previous == "include":
            for path in reversed(tree.glob(posixpath.join("/etc/bind", word))):
                if path not in seen and len(seen) < _READ_FILES:
                    seen.add(path)
                    stack.append(iter(_words_of(tree, path)))
        elif word != "include":
            yield word
        previous = word


def _words_of(tree: Tree, path: str) -> t.List[str]:
    return [
        quoted or mark or bare
        for quoted, comment, mark, bare in _BIND_TOKEN.findall(tree.read(path) or "" if path else "")
        if not comment
    ]


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
)
