# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""The time sources of ntpd: of NTPsec, of the NTP reference implementation (ntp.conf(5)), and of busybox."""

from __future__ import annotations

import posixpath
import re
import typing as t

from .includes import read_with_includes
from .network_manager import read_shell_assignments
from .server_text import parse_port
from .time_source import NTS_PORT, TimeSource, option
from .tree import Tree

_SOURCES = frozenset(("server", "pool", "peer"))

#: Copies of the configuration that DHCP hooks wrote, and that the start scripts of Debian prefer.
_NTPSEC_FROM_LEASE = ("/run/ntpsec/ntp.conf.dhcp",)
_NTP_FROM_LEASE = ("/run/ntp.conf.dhcp", "/var/lib/ntp/ntp.conf.dhcp")

_NTPSEC = "/etc/ntpsec/ntp.conf"
_NTP = "/etc/ntp.conf"

#: What start scripts hand to the daemon: of Debian, of Red Hat's family, of SUSE, of OpenRC.
_NTPSEC_SETTINGS = ("/etc/default/ntpsec", "/etc/sysconfig/ntpd")
_NTP_SETTINGS = ("/etc/default/ntp", "/etc/sysconfig/ntpd", "/etc/sysconfig/ntp", "/etc/conf.d/ntpd")
_OPTIONS = ("NTPD_OPTS", "OPTIONS", "NTPD_OPTIONS")

#: A server on the command line of busybox, alone or behind its switches. For others -p is a file.
_BUSYBOX_PEER = re.compile(r"(?<!\S)-[46Ndlnqw]{0,8}p(?:\s+|(?=\S))(?:keyno:[0-9]{1,9}:)?([^\s/]\S{0,300})", re.ASCII)
_BRACKETED = re.compile(r"\[([^\]]*)\](?::(.*))?", re.ASCII)


def read_ntpd(tree: Tree) -> t.List[TimeSource]:
    """The servers, pools and peers of whichever implementation is configured."""
    if tree.exists(_NTPSEC):
        settings = _settings(tree, _NTPSEC_SETTINGS)
        return _read(tree, _chosen(tree, settings, _NTPSEC_FROM_LEASE, _NTPSEC, "/etc/ntpsec/ntp.d/*.conf"))
    on_command_line = _of_busybox(tree)
    if on_command_line:
        # busybox reads its file only without them.
        return on_command_line
    settings = _settings(tree, _NTP_SETTINGS)
    return _read(tree, _chosen(tree, settings, _NTP_FROM_LEASE, _NTP, "/etc/ntp.d/*.conf"))


def _settings(tree: Tree, paths: t.Sequence[str]) -> t.Dict[str, str]:
    found: t.Dict[str, str] = {}
    for path in paths:
        found.update(read_shell_assignments(tree.read(path) or ""))
    return found


def _chosen(
    tree: Tree, settings: t.Mapping[str, str], from_lease: t.Sequence[str], configuration: str, drop_ins: str
) -> t.List[str]:
    """The file that the daemon begins with, and the drop-ins."""
    start = configuration
    for name in _OPTIONS:
        told = option(settings.get(name, "").split(), "-c")
        start = told if told and tree.exists(told) else start
    if settings.get("IGNORE_DHCP") != "yes":
        start = next((path for path in from_lease if tree.exists(path)), start)
    return [start, *tree.glob(drop_ins)]


def _of_busybox(tree: Tree) -> t.List[TimeSource]:
    path = "/etc/conf.d/ntpd"
    values = read_shell_assignments(tree.read(path) or "")
    return [TimeSource(host, path) for host in _BUSYBOX_PEER.findall(values.get("NTPD_OPTS", ""))]


def _read(tree: Tree, paths: t.Sequence[str]) -> t.List[TimeSource]:
    def included(line: str) -> t.List[str]:
        words = line.split()
        if words[0].lower() != "includefile" or len(words) < 2:
            return []
        path = posixpath.join(posixpath.dirname(paths[0]), words[1].strip('"'))
        # NTPsec takes a folder as well.
        return [path, *tree.glob(posixpath.join(path, "*.conf"))]

    found = []
    for line, path in read_with_includes(tree, paths, included):
        words = [word for word in line.partition("#")[0].split() if word not in ("-4", "-6")]
        if len(words) < 2 or words[0].lower() not in _SOURCES:
            continue
        options = [word.lower() for word in words[2:]]
        host, nts_port, nts_host = words[1], None, ""
        if "nts" in options:
            host, nts_port = _with_keys(words[1])
            asked = option(options, "ask") or option(options, "require")
            if asked:
                nts_host, nts_port = _with_keys(asked)
        found.append(
            TimeSource(
                host,
                path,
                port=parse_port(option(options, "port")),
                nts_port=nts_port,
                nts_host=nts_host,
                is_leased=path.endswith(".dhcp"),
            )
        )
    return found


def _with_keys(text: str) -> t.Tuple[str, int]:
    """The host and the port of the key exchange, which NTPsec takes together: ``HOST:PORT``, ``[IPV6]:PORT``."""
    host, port = text, ""
    bracketed = _BRACKETED.fullmatch(text)
    if bracketed:
        host, port = bracketed.group(1), bracketed.group(2) or ""
    elif text.count(":") == 1:
        host, port = text.split(":")
    return host, parse_port(port) or NTS_PORT
