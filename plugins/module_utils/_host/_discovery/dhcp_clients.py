# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""DHCP clients that run on their own or below another manager: dhclient, dhcpcd, udhcpc, resolvconf's records."""

from __future__ import annotations

import calendar
import re
import typing as t

from .network_manager import read_shell_assignments
from .network_state import NetworkState, server_addresses
from .systemd import Services
from .tree import Tree

_DHCLIENT_LEASES = (
    "/var/lib/dhcp/*.lease*",
    "/var/lib/dhclient/*.lease*",
    "/var/lib/NetworkManager/dhclient-*.lease",
)
_DHCLIENT_CONFIGURATION = ("/etc/dhcp/dhclient.conf", "/etc/dhclient.conf", "/etc/dhcp3/dhclient.conf")

# None of these may cross lines by white space: a file of nothing but empty lines has to cost its
# length, not the square of it.
_LEASE = re.compile(r"^[ \t]*lease(6?)[ \t]*\{", re.MULTILINE)
_EXPIRE = re.compile(
    r"^[ \t]*expire[ \t]+(?:(never)|epoch[ \t]+([0-9]{1,12})|"
    r"[0-6][ \t]+([0-9]{4})/([0-9]{1,2})/([0-9]{1,2})[ \t]+([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2}))",
    re.MULTILINE,
)
_IAADDR = re.compile(
    r"iaaddr[ \t]+\S{1,50}[ \t]*\{\s{1,20}starts[ \t]+([0-9]{1,12});[^}]{0,300}?max-life[ \t]+([0-9]{1,12});"
)
_LEASED_DNS = re.compile(
    r"^[ \t]*option[ \t]+(?:domain-name-servers|dhcp6\.name-servers)[ \t]+([^;\n]*);", re.MULTILINE
)
_LEASED_NTP = re.compile(r"^[ \t]*option[ \t]+(?:ntp-servers|dhcp6\.sntp-servers)[ \t]+([^;\n]*);", re.MULTILINE)
_FIXED_DNS = re.compile(
    r"^[ \t]*(?:supersede|prepend|append|default)[ \t]+(?:domain-name-servers|dhcp6\.name-servers)[ \t]+([^;\n]*);",
    re.MULTILINE,
)

_DHCPCD_CONFIGURATION = "/etc/dhcpcd.conf"
_DHCPCD_RUNNING = ("/run/dhcpcd.pid", "/run/dhcpcd/pid")

#: Settings of dhcpcd.conf(5) that switch one family off for all interfaces.
_WITHOUT_DHCPV4 = frozenset(("ipv6only", "nodhcp", "noipv4"))
_WITHOUT_DHCPV6 = frozenset(("ipv4only", "nodhcp6", "noipv6"))
#: What ends the part of dhcpcd.conf(5) that holds for all interfaces.
_DHCPCD_BLOCKS = frozenset(("interface", "profile", "ssid"))

_RESOLVCONF_RECORDS = ("/run/resolvconf/interface", "/run/resolvconf/interfaces", "/run/resolvconf/keys")
_DHCPCD_RECORDS = "/run/dhcpcd/hook-state/resolv.conf"
_RESOLVCONF_FIXED = (
    "/etc/resolvconf/resolv.conf.d/head",
    "/etc/resolvconf/resolv.conf.d/base",
    "/etc/resolv.conf.head",
    "/etc/resolv.conf.tail",
)

#: Settings that fix resolvers: of openresolv, and of SUSE's netconfig.
_RESOLVCONF_SETTINGS = (
    ("/etc/resolvconf.conf", "name_servers"),
    ("/etc/sysconfig/network/config", "NETCONFIG_DNS_STATIC_SERVERS"),
)

#: Where the script of busybox' client is told whether to write resolv.conf(5), in Alpine.
_UDHCPC_CONFIGURATION = "/etc/udhcpc/udhcpc.conf"

#: How records of a lease or a router advertisement end; those of ifupdown end in inet or inet6.
_LEASED_RECORDS = ("dhclient", "dhcp", "dhcp4", "dhcp6", "dhcpcd", "pump", "ra", "udhcpc")
_FIXED_RECORDS = ("inet", "inet6")

_NAMESERVER = re.compile(r"^[ \t]*nameserver[ \t]+(\S+)", re.MULTILINE)


def nameservers(text: str) -> t.List[str]:
    """The words after ``nameserver`` in a file of resolv.conf(5), in order."""
    return _NAMESERVER.findall(text)


def read_dhclient(tree: Tree, services: Services, state: NetworkState, now: float) -> None:
    """Adds the leases of ISC dhclient; an expired one of a client that is gone is history only."""
    for path in tree.glob("/run/dhclient*.pid"):
        if services.is_running(path):
            if "dhclient6" in path or "-6" in path:
                state.lease6("dhclient runs (%s)" % path)
            else:
                state.lease4("dhclient runs (%s)" % path)
            state.unmarked_writer = True
    for pattern in _DHCLIENT_LEASES:
        for path in tree.glob(pattern):
            # Leases are appended, so the newest stand at the end.
            _read_leases(tree.read(path, tail=True) or "", path, state, now)
    for path in _DHCLIENT_CONFIGURATION:
        for listed in _FIXED_DNS.findall(tree.read(path) or ""):
            state.fixed_dns |= server_addresses(listed.replace(",", " ").split())


def _read_leases(text: str, path: str, state: NetworkState, now: float) -> None:
    _before, *parts = _LEASE.split(text)
    for is_ipv6, body in zip(parts[::2], parts[1::2]):
        for listed in _LEASED_DNS.findall(body):
            state.leased_dns |= server_addresses(listed.replace(",", " ").split())
        for listed in _LEASED_NTP.findall(body):
            state.leased_ntp |= server_addresses(listed.replace(",", " ").split())
        if (_ends6(body) if is_ipv6 else _ends4(body)) > now:
            (state.lease6 if is_ipv6 else state.lease4)("the lease in %s" % path)
            state.unmarked_writer = True


def _ends4(body: str) -> float:
    """Seconds since the epoch at which a lease ends (dhclient.leases(5)); times are in UTC."""
    found = _EXPIRE.search(body)
    if not found or found.group(1):
        return float("inf")
    if found.group(2):
        return float(found.group(2))
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[2:])
    if not 1 <= month <= 12:
        return float("inf")
    return float(calendar.timegm((year, month, day, hour, minute, second)))


def _ends6(body: str) -> float:
    ends = [int(starts) + int(life) for starts, life in _IAADDR.findall(body)]
    # Without an address the answer brought only settings, which is no lease.
    return float(max(ends, default=0))


def read_dhcpcd(tree: Tree, services: Services, state: NetworkState) -> None:
    """Adds what dhcpcd does, if it runs or starts at boot: both families unless told otherwise."""
    running = services.is_running(*_DHCPCD_RUNNING, *tree.glob("/run/dhcpcd-*.pid"), *tree.glob("/run/dhcpcd/*.pid"))
    if not running and not services.is_enabled("dhcpcd", "dhcpcd5"):
        return
    settings = set()
    is_global = True
    for line in tree.lines(_DHCPCD_CONFIGURATION):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        is_global = is_global and words[0] not in _DHCPCD_BLOCKS
        if is_global:
            settings.add(words[0])
        if words[0] == "static":
            key, _equals, value = " ".join(words[1:]).partition("=")
            if key.strip() == "domain_name_servers":
                state.fixed_dns |= server_addresses(value.split())
    where = "dhcpcd %s" % ("runs" if running else "starts at boot")
    if _WITHOUT_DHCPV4.isdisjoint(settings):
        state.lease4(where)
    if _WITHOUT_DHCPV6.isdisjoint(settings):
        state.lease6("%s, and a router may ask for DHCPv6" % where)


def read_udhcpc(tree: Tree, services: Services, state: NetworkState) -> None:
    """Adds the clients of busybox that run, and what their script is told; ifupdown has to be read before."""
    settings = read_shell_assignments(tree.read(_UDHCPC_CONFIGURATION) or "")
    if settings.get("RESOLV_CONF", "").lower() in ("no", "-"):
        state.unmarked_writer = False
    else:
        state.unmarked_writer = state.unmarked_writer or services.is_running(*tree.glob("/run/udhcpc.*.pid"))
    for path in tree.glob("/run/udhcpc*.pid"):
        if services.is_running(path):
            (state.lease6 if path.startswith("/run/udhcpc6") else state.lease4)("udhcpc runs (%s)" % path)


def read_resolver_records(tree: Tree, state: NetworkState) -> None:
    """Adds the resolvers that interfaces announced to resolvconf(8) or to dhcpcd, one file each."""
    for folder in (*_RESOLVCONF_RECORDS, _DHCPCD_RECORDS):
        for name in tree.names(folder):
            kind = name.rpartition(".")[2]
            addresses = server_addresses(nameservers(tree.read("%s/%s" % (folder, name)) or ""))
            if kind in _LEASED_RECORDS:
                state.leased_dns |= addresses
            elif kind in _FIXED_RECORDS:
                state.fixed_dns |= addresses
    for path in _RESOLVCONF_FIXED:
        state.fixed_dns |= server_addresses(nameservers(tree.read(path) or ""))
    for path, key in _RESOLVCONF_SETTINGS:
        state.fixed_dns |= server_addresses(read_shell_assignments(tree.read(path) or "").get(key, "").split())
