# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""BIND's named: whom it asks."""

from __future__ import annotations

import posixpath
import re
import typing as t

from ..._policy.hostfacts import DNS_PORT, DNS_PROTOCOLS, Server
from .forwarding import ANYWHERE, TLS_PORT, Forwarding
from .network_state import NetworkState
from .server_text import canonical_address, parse_port
from .tree import Tree

#: Configuration files read at most.
_READ_FILES = 200

#: Blocks that list servers: forwarded to, copied a zone from (in both wordings), asked for a zone.
_LISTS = frozenset(("forwarders", "primaries", "masters", "server-addresses"))

_TOKEN = re.compile(r'"([^"\n]{0,4096})"|(/\*.*?(?:\*/|\Z)|//[^\n]*|#[^\n]*)|([{};])|([^\s{};"]{1,4096})', re.DOTALL)


def read_bind(tree: Tree, _network: NetworkState) -> Forwarding:
    """The ``forwarders`` of all blocks (BIND 9 Administrator Reference Manual, "Forwarding"), and others by address.

    Unless the options say ``forward only``, named asks servers anywhere when its forwarders fail.
    """
    servers: t.List[Server] = []
    ports: t.Set[int] = set()
    only = False
    words = _words(tree)
    scope: t.List[str] = []
    statement: t.List[str] = []
    for word in words:
        if word == "{":
            scope.append(statement[0] if statement else "")
            settings = _settings(statement[1:])
            if scope[-1] in _LISTS:
                # A name among those that a zone is copied from is that of a list, which is read where it stands.
                servers += _servers(words, settings, names_count=scope[-1] == "forwarders")
                scope.pop()
            elif scope[-1] in ("listen-on", "listen-on-v6"):
                ports |= {port for port in (parse_port(settings.get("port", "")),) if port is not None}
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
    is_pinned = only and bool(servers)
    return Forwarding(servers if is_pinned else [*servers, ANYWHERE], frozenset(ports | {DNS_PORT}))


def _settings(words: t.Sequence[str]) -> t.Dict[str, str]:
    """``port N`` and ``tls NAME``, wherever they stand behind an address or the name of a list."""
    return {key: value for key, value in zip(words, words[1:]) if key in ("port", "tls")}


def _servers(words: t.Iterator[str], common: t.Mapping[str, str], *, names_count: bool) -> t.List[Server]:
    """``{ ADDRESS [port N] [tls NAME]; ... }`` from after the brace; ``common`` holds for all of them."""
    servers = []
    entry: t.List[str] = []
    for word in words:
        if word not in (";", "}"):
            entry.append(word)
            continue
        if entry:
            settings = {**common, **_settings(entry[1:])}
            over_tls = settings.get("tls", "none") != "none"
            address = canonical_address(entry[0])
            port = parse_port(settings.get("port", str(TLS_PORT if over_tls else DNS_PORT)))
            if address is not None and port is not None:
                servers.append(Server(address, port, ("tcp",) if over_tls else DNS_PROTOCOLS))
            elif names_count:
                servers.append(ANYWHERE)
            entry = []
        if word == "}":
            break
    return servers


def _words(tree: Tree) -> t.Iterator[str]:
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
            for path in reversed(tree.glob(posixpath.join(posixpath.dirname(start), word))):
                if path not in seen and len(seen) < _READ_FILES:
                    seen.add(path)
                    stack.append(iter(_words_of(tree, path)))
        elif word != "include":
            yield word
        previous = word


def _words_of(tree: Tree, path: str) -> t.List[str]:
    return [
        quoted or mark or bare
        for quoted, comment, mark, bare in _TOKEN.findall(tree.read(path) or "" if path else "")
        if not comment
    ]
