# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""The time sources of ntpd, of NTPsec and of the NTP reference implementation (ntp.conf(5))."""

from __future__ import annotations

import posixpath
import typing as t

from .includes import read_with_includes
from .network_manager import read_shell_assignments
from .server_text import parse_port
from .time_source import NTS_PORT, TimeSource, option
from .tree import Tree

_SOURCES = frozenset(("server", "pool", "peer"))


#: Copies of the configuration that DHCP hooks wrote, and that the start scripts of Debian prefer.
_NTPSEC_FROM_LEASE = "/run/ntpsec/ntp.conf.dhcp"
_NTP_FROM_LEASE = ("/run/ntp.conf.dhcp", "/var/lib/ntp/ntp.conf.dhcp")

_NTPSEC = "/etc/ntpsec/ntp.conf"
_NTP = "/etc/ntp.conf"


def read_ntpd(tree: Tree) -> t.List[TimeSource]:
    """The servers, pools and peers of whichever implementation is configured."""
    if tree.exists(_NTPSEC):
        defaults = read_shell_assignments(tree.read("/etc/default/ntpsec") or "")
        if defaults.get("IGNORE_DHCP") != "yes" and tree.exists(_NTPSEC_FROM_LEASE):
            return _read(tree, [_NTPSEC_FROM_LEASE])
        return _read(tree, [_NTPSEC, *tree.glob("/etc/ntpsec/ntp.d/*.conf")])
    for path in _NTP_FROM_LEASE:
        if tree.exists(path):
            return _read(tree, [path])
    return _read(tree, [_NTP, *tree.glob("/etc/ntp.d/*.conf")])


def _read(tree: Tree, paths: t.Sequence[str]) -> t.List[TimeSource]:
    def included(line: str) -> t.List[str]:
        words = line.split()
        if words[0].lower() != "includefile" or len(words) < 2:
            return []
        return [posixpath.join(posixpath.dirname(paths[0]), words[1].strip('"'))]

    found = []
    for line, path in read_with_includes(tree, paths, included):
        words = [word for word in line.partition("#")[0].split() if word not in ("-4", "-6")]
        if len(words) < 2 or words[0].lower() not in _SOURCES:
            continue
        options = [word.lower() for word in words[2:]]
        host, nts_port = _with_keys(words[1]) if "nts" in options else (words[1], None)
        found.append(
            TimeSource(
                host,
                path,
                port=parse_port(option(options, "port")),
                nts_port=nts_port,
                is_leased=path.endswith(".dhcp"),
            )
        )
    return found


def _with_keys(text: str) -> t.Tuple[str, int]:
    """The host and the port of the key exchange, which NTPsec takes together: ``HOST:PORT``."""
    host, _colon, port = text.partition(":")
    if text.count(":") != 1:
        host, port = text, ""
    return host, parse_port(port) or NTS_PORT
