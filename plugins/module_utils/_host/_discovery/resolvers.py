# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""The resolvers that the host asks: of systemd-resolved, of resolv.conf, and of a forwarder on the host."""

from __future__ import annotations

import re
import typing as t

from ..._policy.hostfacts import DNS_PORT, DNS_PROTOCOLS, Server, canonical_servers
from .dhcp_clients import nameservers
from .network_state import LinkServer, NetworkState
from .routes import local_addresses
from .server_text import canonical_address, is_local, parse_server
from .systemd import (
    Services,
    configuration_folders,
    drop_ins,
    files_by_name,
    last_value,
    parse_boolean,
    read_assignments,
    read_configuration,
    words,
)
from .tree import Tree

_RESOLV_CONF = "/etc/resolv.conf"

#: systemd-resolved(8): the servers that it asks, which is what programs bypassing it would ask too.
_UPLINKS = "/run/systemd/resolve/resolv.conf"
_LINK_SETTINGS = "/run/systemd/resolve/netif"
_STUBS = frozenset(("127.0.0.53", "127.0.0.54"))

#: DNS over TLS, RFC 7858.
_TLS_PORT = 853

#: How programs that follow leases sign resolv.conf(5). What configuration management signs stays.
_MARK = re.compile(
    r"^[#;].{0,200}?(?:generated|managed) by (?:man:|/\S{0,100}/)?"
    r"(NetworkManager|resolvconf|dhclient|dhcpcd|systemd-networkd|systemd-resolved|netconfig|connman|udhcpc|rdnssd)\b",
    re.MULTILINE | re.IGNORECASE,
)


class _Asked(t.NamedTuple):
    """A resolver that is asked.

    Attributes:
        port: None where none is configured.
        dns_over_tls: ``no``, ``yes`` or ``opportunistic``.
        origin: The file that names it.
        written_by: Which program wrote that file; empty for a person, or an unknown program.
        is_configured: A person wrote it, so it stays.
    """

    address: str
    port: t.Optional[int]
    dns_over_tls: str
    origin: str
    written_by: str = ""
    is_configured: bool = False


def find_resolvers(
    tree: Tree, services: Services, network: NetworkState
) -> t.Tuple[t.Tuple[Server, ...], t.Tuple[str, ...]]:
    """The resolvers that the host needs to reach, and sentences that say where each was found.

    A resolver that is configured is returned by its address. One that a lease brought is returned as
    its port anywhere, because the next lease may bring another.
    """
    return _Search(tree, services, network).run()


class _Search:
    def __init__(self, tree: Tree, services: Services, network: NetworkState) -> None:
        self._tree = tree
        self._services = services
        self._network = network
        self._servers: t.List[Server] = []
        self._notes: t.List[str] = []
        self._on_this_host: t.Optional[t.FrozenSet[str]] = None

    def run(self) -> t.Tuple[t.Tuple[Server, ...], t.Tuple[str, ...]]:
        asked, uses_resolved = self._of_resolv_conf()
        if uses_resolved or self._tree.exists(_UPLINKS):
            asked = self._of_resolved({server.address for server in asked if not server.written_by}) + asked
            if uses_resolved and not asked:
                self._servers.append(Server(None, DNS_PORT, DNS_PROTOCOLS))
                self._note_anywhere("systemd-resolved answers on this host, and knows no server yet")
        for address, port, path in self._network.tls_dns:
            if self._answers_here(address):
                continue
            self._servers.append(Server(address, port, ("tcp",)))
            self._notes.append("dns: %s over TLS from %s" % (address, path))
        forwarders = []
        for server in asked:
            if self._answers_here(server.address):
                forwarders.append(server)
            else:
                self._add(server)
        if forwarders:
            # Most hosts run no resolver of their own, and every file that is imported costs each run time.
            from .forwarders import find_forwarded  # noqa: PLC0415 - see above

            servers, notes = find_forwarded(self._tree, self._services, self._network, forwarders[0].origin)
            self._servers += servers
            self._notes += notes
        if not self._servers:
            self._notes.append("dns: no resolver is configured")
        # A note may come up twice: one resolver in two files is two notes, in one file it is one.
        return canonical_servers(self._servers), tuple(dict.fromkeys(self._notes))

    def _of_resolv_conf(self) -> t.Tuple[t.List[_Asked], bool]:
        """What /etc/resolv.conf names, and whether that is systemd-resolved."""
        text = self._tree.read(_RESOLV_CONF)
        link = self._tree.link(_RESOLV_CONF) or ""
        uses_resolved = "systemd/resolv" in link
        mark = _MARK.search(text or "")
        written_by = mark.group(1) if mark else ""
        asked = []
        for word in nameservers(text or ""):
            address = canonical_address(word)
            if address is None:
                self._notes.append("dns: a nameserver in %s is no address, and left out" % _RESOLV_CONF)
            elif address in _STUBS:
                uses_resolved = True
            else:
                asked.append(_Asked(address, None, "no", _RESOLV_CONF, written_by))
        return asked, uses_resolved

    def _of_resolved(self, written_by_hand: t.Set[str]) -> t.List[_Asked]:
        """Whom systemd-resolved asks; it asks the resolvers of a foreign /etc/resolv.conf as well."""
        configuration = read_configuration(self._tree, "systemd/resolved.conf")
        everywhere = _mode(last_value(configuration, "Resolve", "DNSOverTLS"), "no")
        asked = []
        for word, path in words(configuration, "Resolve", "DNS"):
            parsed = parse_server(word)
            if parsed is not None:
                asked.append(_Asked(*parsed, everywhere, path, is_configured=True))
        for server in self._network.link_dns + self._link_settings():
            parsed = parse_server(server.word)
            if parsed is not None:
                mode = _mode(server.dns_over_tls, everywhere)
                asked.append(_Asked(*parsed, mode, server.path, "systemd-networkd"))
        named = {server.address for server in asked} | (written_by_hand if everywhere == "no" else set())
        for word in nameservers(self._tree.read(_UPLINKS) or ""):
            address = canonical_address(word)
            if address is not None and address not in named and address not in _STUBS:
                asked.append(_Asked(address, None, everywhere, _UPLINKS, "systemd-resolved"))
        fallback = [] if asked else words(configuration, "Resolve", "FallbackDNS")
        for word, path in fallback + self._delegated():
            parsed = parse_server(word)
            if parsed is not None:
                asked.append(_Asked(*parsed, everywhere, path, is_configured=True))
        return asked

    def _delegated(self) -> t.List[t.Tuple[str, str]]:
        """The servers of some domains (systemd.dns-delegate(5)), asked beside all others."""
        folders = configuration_folders(self._tree, "/systemd/dns-delegate.d")
        found = []
        for path in files_by_name(self._tree, folders, ".dns-delegate"):
            assignments = read_assignments(self._tree, path)
            for drop_in in drop_ins(self._tree, folders, path.rpartition("/")[2] + ".d"):
                assignments += read_assignments(self._tree, drop_in)
            found += words(assignments, "Delegate", "DNS")
        return found

    def _link_settings(self) -> t.List[LinkServer]:
        """What NetworkManager, ifupdown or ``resolvectl dns`` told systemd-resolved about interfaces."""
        found = []
        for name in self._tree.names(_LINK_SETTINGS):
            path = "%s/%s" % (_LINK_SETTINGS, name)
            values = {item.key: item.value for item in read_assignments(self._tree, path)}
            mode = values.get("DNSOVERTLS", "")
            found += [LinkServer(word, mode, path) for word in values.get("SERVERS", "").split()]
        return found

    def _answers_here(self, address: str) -> bool:
        """Whether the resolver is a program on this host, on loopback or on an address of its own."""
        if is_local(address):
            return True
        if self._on_this_host is None:
            self._on_this_host = local_addresses(self._tree)
        return address in self._on_this_host

    def _add(self, server: _Asked) -> None:
        is_leased = self._is_leased(server)
        address = None if is_leased else server.address
        if server.dns_over_tls != "no":
            self._servers.append(Server(address, server.port or _TLS_PORT, ("tcp",)))
        if server.dns_over_tls != "yes":
            self._servers.append(Server(address, server.port or DNS_PORT, DNS_PROTOCOLS))
        over_tls = "" if server.dns_over_tls == "no" else ", DNS over TLS: %s" % server.dns_over_tls
        if is_leased:
            self._note_anywhere("a lease brings the resolvers in %s%s" % (server.origin, over_tls))
        else:
            self._notes.append("dns: %s from %s%s" % (server.address, server.origin, over_tls))

    def _is_leased(self, server: _Asked) -> bool:
        network = self._network
        if server.is_configured or server.address in network.fixed_dns:
            return False
        if server.address in network.leased_dns:
            return True
        if server.written_by:
            return network.leases
        # Some DHCP clients leave no mark in resolv.conf. Where a lease can be read and does not name
        # this resolver, a person wrote it.
        return network.unmarked_writer and not network.leased_dns

    def _note_anywhere(self, reason: str) -> None:
        self._notes.append("dns: anywhere, because %s" % reason)


def _mode(text: str, default: str) -> str:
    if text.strip().lower() == "opportunistic":
        return "opportunistic"
    switched = parse_boolean(text)
    if switched is None:
        return default
    return "yes" if switched else "no"
