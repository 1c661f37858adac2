# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""ifupdown: /etc/network/interfaces and what it pulls in (interfaces(5))."""

from __future__ import annotations

import posixpath
import re
import typing as t

from .network_state import NetworkState, server_addresses
from .tree import Tree

_INTERFACES = "/etc/network/interfaces"

#: Files read at most. interfaces(5) lets files source each other in circles.
_READ_FILES = 200

#: source-directory takes file names of these characters only.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)

_STANZAS = frozenset(("auto", "iface", "mapping", "no-auto-down", "no-scripts", "rename", "source", "source-directory"))


def read_ifupdown(tree: Tree, state: NetworkState) -> None:
    """Adds the interfaces that ask a DHCP server."""
    pending = [_INTERFACES]
    seen: t.Set[str] = set()
    while pending and len(seen) < _READ_FILES:
        path = pending.pop()
        if path not in seen:
            seen.add(path)
            pending.extend(reversed(_read_file(tree, path, state)))


def _read_file(tree: Tree, path: str, state: NetworkState) -> t.List[str]:
    """Adds what one file says; returns the files that it sources."""
    sourced: t.List[str] = []
    interface = method = ""
    for line in _logical_lines(tree, path):
        words = line.split()
        if words[0] == "iface":
            interface, family, method = [*words[1:4], "", "", ""][:3]
            method = "%s %s" % (family, method)
            if method == "inet dhcp":
                state.lease4("iface %s inet dhcp in %s" % (interface, path))
                state.unmarked_writer = True
            elif method == "inet6 dhcp":
                state.lease6("iface %s inet6 dhcp in %s" % (interface, path))
                state.unmarked_writer = True
        elif words[0] in ("source", "source-directory"):
            sourced += _sourced(tree, words[0], words[1:], posixpath.dirname(path))
            method = ""
        elif words[0] in _STANZAS or words[0].startswith("allow-"):
            method = ""
        elif words[0] in ("dns-nameservers", "dns-nameserver"):
            state.fixed_dns |= server_addresses(words[1:])
        elif words == ["dhcp", "1"] and method == "inet6 auto":
            state.lease6("iface %s inet6 auto with dhcp 1 in %s" % (interface, path))
            state.unmarked_writer = True
        elif words == ["use", "dhcp"]:
            # The executor of ifupdown-ng.
            state.lease4("use dhcp of iface %s in %s" % (interface, path))
            state.unmarked_writer = True
    return sourced


def _logical_lines(tree: Tree, path: str) -> t.List[str]:
    """Lines without comments and empty ones; a backslash at the end continues a line."""
    found = []
    begun = ""
    for line in tree.lines(path):
        if not begun and line.startswith("#"):
            continue
        text = begun + line
        begun = ""
        if text.endswith("\\"):
            begun = text[:-1] + " "
        elif text.split():
            found.append(text)
    return found


def _sourced(tree: Tree, keyword: str, patterns: t.Sequence[str], folder: str) -> t.List[str]:
    found = []
    for pattern in patterns:
        # A relative name is relative to the file that it stands in.
        for path in tree.glob(posixpath.join(folder, pattern)):
            if keyword == "source":
                found.append(path)
            else:
                found += ["%s/%s" % (path, name) for name in tree.names(path) if _PLAIN_NAME.fullmatch(name)]
    return found
