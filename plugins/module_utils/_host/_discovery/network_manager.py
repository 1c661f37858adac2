# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""NetworkManager's connection profiles, and the ifcfg files that it and older tools read."""

from __future__ import annotations

import re
import typing as t

from .network_state import NetworkState, server_addresses
from .server_text import parse_server
from .systemd import Assignment, Services, files_by_name, last_value, parse_boolean, read_assignments
from .tree import Tree

#: NetworkManager.conf(5), "keyfile": where profiles lie.
_PROFILES = (
    "/etc/NetworkManager/system-connections",
    "/run/NetworkManager/system-connections",
    "/usr/lib/NetworkManager/system-connections",
)

#: NetworkManager.conf(5): itself, and the folders that add to it, most important first.
_SETTINGS = "/etc/NetworkManager/NetworkManager.conf"
_SETTINGS_FOLDERS = ("/etc/NetworkManager/conf.d", "/run/NetworkManager/conf.d", "/usr/lib/NetworkManager/conf.d")
_GLOBAL_DNS = "global-dns-domain-"

#: DNS over TLS, RFC 7858, as NetworkManager writes it in front of a resolver.
_OVER_TLS = "dns+tls"
_TLS_PORT = 853

#: Profiles that never ask a DHCP server.
_WITHOUT_DHCP = frozenset(("loopback", "vpn", "wireguard"))

_IPV6_BY_DHCP = frozenset(("auto", "dhcp"))

_IFCFG = ("/etc/sysconfig/network-scripts", "/etc/sysconfig/network")
_IFCFG_BACKUPS = ("~", ".bak", ".orig", ".old", ".rpmnew", ".rpmorig", ".rpmsave", ".swp")
_SHELL_ASSIGNMENT = re.compile(
    r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(?:\"([^\"]*)\"|'([^']*)'|([^\s#\"']*))", re.ASCII
)
_NAMESERVER_KEY = re.compile(r"DNS[0-9]+", re.ASCII)


def read_network_manager(tree: Tree, services: Services, state: NetworkState) -> None:
    """Adds what the profiles ask for, if NetworkManager runs or starts at boot."""
    active = services.is_enabled("NetworkManager") or services.is_running("/run/NetworkManager/NetworkManager.pid")
    if active or tree.names("/run/NetworkManager/devices"):
        active = True
        _read_profiles(tree, state)
        _read_global_dns(tree, state)
    for folder in _IFCFG:
        for name in tree.names(folder):
            if name.startswith("ifcfg-") and name != "ifcfg-lo" and not name.endswith(_IFCFG_BACKUPS):
                _read_ifcfg(tree, "%s/%s" % (folder, name), state, by_network_manager=active)


def _read_profiles(tree: Tree, state: NetworkState) -> None:
    found = False
    for folder in _PROFILES:
        for name in tree.names(folder):
            if name.startswith(".") or name.endswith("~"):
                continue
            path = "%s/%s" % (folder, name)
            assignments = read_assignments(tree, path)
            if assignments:
                found = True
                _read_profile(assignments, path, state)
    if found:
        return
    # Profiles can live in NetworkManager's memory alone; its leases still show in files.
    for path in tree.glob("/var/lib/NetworkManager/internal-*.lease"):
        state.lease4("the lease in %s" % path)


def _read_profile(assignments: t.Sequence[Assignment], path: str, state: NetworkState) -> None:
    connection = {item.key: item.value for item in assignments if item.section == "connection"}
    if connection.get("type") in _WITHOUT_DHCP:
        return
    for section in ("ipv4", "ipv6"):
        _add_resolvers(last_value(assignments, section, "dns"), path, state)
    if connection.get("master") or connection.get("controller"):
        # A port of a bond, team or bridge has no addresses of its own.
        return
    ipv4 = last_value(assignments, "ipv4", "method") or "auto"
    ipv6 = last_value(assignments, "ipv6", "method") or "auto"
    if ipv4 == "auto":
        state.lease4("ipv4.method=auto in %s" % path)
    if ipv6 == "auto":
        state.lease6("ipv6.method=auto in %s, as a router may ask for DHCPv6" % path)
    elif ipv6 in _IPV6_BY_DHCP:
        state.lease6("ipv6.method=%s in %s" % (ipv6, path))


def _read_global_dns(tree: Tree, state: NetworkState) -> None:
    """Resolvers that hold for all profiles."""
    for path in (_SETTINGS, *files_by_name(tree, _SETTINGS_FOLDERS, ".conf")):
        for item in read_assignments(tree, path):
            if item.section.startswith(_GLOBAL_DNS) and item.key == "servers":
                _add_resolvers(item.value, path, state)


def _add_resolvers(text: str, path: str, state: NetworkState) -> None:
    """A list with semicolons or commas of ``[SCHEME://]ADDRESS[:PORT][#NAME]``."""
    for word in text.replace(",", ";").split(";"):
        scheme, mark, rest = word.strip().rpartition("://")
        parsed = parse_server(rest)
        if parsed is None:
            continue
        address, port = parsed
        state.fixed_dns.add(address)
        if mark and scheme == _OVER_TLS:
            state.tls_dns.append((address, port or _TLS_PORT, path))


def read_shell_assignments(text: str) -> t.Dict[str, str]:
    """``KEY=value`` lines as sysconfig and /etc/default files hold them; the last of a key counts."""
    found = {}
    for line in text.split("\n"):
        match = _SHELL_ASSIGNMENT.match(line.strip())
        if match:
            key, double, single, bare = match.groups()
            found[key] = double or single or bare or ""
    return found


def _read_ifcfg(tree: Tree, path: str, state: NetworkState, *, by_network_manager: bool) -> None:
    """Red Hat's variables (sysconfig.txt of initscripts) and SUSE's (ifcfg(5) of wicked)."""
    values = read_shell_assignments(tree.read(path) or "")
    state.fixed_dns |= server_addresses(value for key, value in values.items() if _NAMESERVER_KEY.fullmatch(key))
    protocol = values.get("BOOTPROTO", "").lower()
    is_suse = path.startswith("/etc/sysconfig/network/")
    if protocol in ("dhcp", "bootp", "dhcp4", "dhcp+autoip"):
        state.lease4("BOOTPROTO=%s in %s" % (protocol, path))
    if protocol == "dhcp6" or (is_suse and protocol == "dhcp"):
        state.lease6("BOOTPROTO=%s in %s" % (protocol, path))
    if parse_boolean(values.get("DHCPV6C", "")):
        state.lease6("DHCPV6C=yes in %s" % path)
    elif (
        by_network_manager
        and parse_boolean(values.get("IPV6INIT", ""))
        and parse_boolean(values.get("IPV6_AUTOCONF", "yes")) is not False
    ):
        state.lease6("IPV6INIT=yes in %s, as a router may ask for DHCPv6" % path)
