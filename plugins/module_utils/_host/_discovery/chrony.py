# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""chrony's time sources (chrony.conf(5))."""

from __future__ import annotations

import posixpath
import typing as t

from .includes import read_with_includes
from .network_manager import read_shell_assignments
from .server_text import parse_port
from .systemd import files_by_name
from .time_source import NTS_PORT, TimeSource, option
from .tree import Tree

_CONFIGURATION = ("/etc/chrony/chrony.conf", "/etc/chrony.conf")

#: What start scripts hand to the daemon: of Debian, of Red Hat's family, of OpenRC.
_SETTINGS = ("/etc/default/chrony", "/etc/sysconfig/chronyd", "/etc/conf.d/chronyd")
_OPTIONS = ("DAEMON_OPTS", "OPTIONS", "ARGS")

#: Servers of leases that a helper script tells the daemon while it runs, one on a line.
_TOLD = ("/var/lib/dhclient/chrony.servers.*", "/var/lib/dhcp/chrony.servers.*", "/run/chrony-helper/dhclient/*")

#: Folders that DHCP clients write sources to.
_FROM_LEASES = ("/run/", "/var/run/", "/var/lib/dhcp/", "/var/lib/dhclient/")

_COMMENTS = ("!", ";", "#", "%")
_SOURCES = frozenset(("server", "pool", "peer"))


def read_chrony(tree: Tree) -> t.List[TimeSource]:
    """The servers, pools and peers of the configuration and of all folders that it names."""
    start = next((path for path in (*_named(tree), *_CONFIGURATION) if path and tree.exists(path)), None)
    if start is None:
        return []
    source_folders: t.List[str] = []

    def included(line: str) -> t.List[str]:
        words = line.split()
        keyword = words[0].lower()
        if keyword == "include":
            return [path for word in words[1:2] for path in tree.glob(posixpath.join("/", word))]
        if keyword == "confdir":
            # Of files with one name, that of the folder named first counts.
            return files_by_name(tree, words[1:], ".conf")
        return []

    found = []
    for line, path in read_with_includes(tree, [start], included):
        words = line.split()
        keyword = words[0].lower()
        if keyword == "sourcedir":
            source_folders += words[1:]
        elif keyword == "initstepslew":
            found += [TimeSource(word, path) for word in words[2:]]
        else:
            found += _source(line, path)
    source_files = files_by_name(tree, source_folders, ".sources")
    for path in source_files:
        for line in tree.lines(path):
            found += _source(line, path)
    for pattern in _TOLD:
        for path in tree.glob(pattern):
            for line in tree.lines(path):
                found += _source("server " + line, path)
    return found


def _named(tree: Tree) -> t.Iterator[str]:
    """The configuration files that start scripts name instead of the compiled in one."""
    for path in _SETTINGS:
        values = read_shell_assignments(tree.read(path) or "")
        for name in _OPTIONS:
            yield option(values.get(name, "").split(), "-f")
        yield values.get("CFGFILE", "")


def _source(line: str, path: str) -> t.List[TimeSource]:
    """``server|pool|peer NAME [port N] [nts] [ntsport N] ...``, where options stand in any order."""
    words = line.split()
    if len(words) < 2 or line.startswith(_COMMENTS) or words[0].lower() not in _SOURCES:
        return []
    options = [word.lower() for word in words[2:]]
    nts_port = None
    if "nts" in options:
        nts_port = parse_port(option(options, "ntsport")) or NTS_PORT
    return [
        TimeSource(
            words[1],
            path,
            port=parse_port(option(options, "port")),
            nts_port=nts_port,
            is_leased=path.startswith(_FROM_LEASES),
        )
    ]
