# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""What the network managers of a host say together: leases, and servers that are fixed or leased."""

from __future__ import annotations

import typing as t

from .server_text import parse_server


class LinkServer(t.NamedTuple):
    """A resolver of one interface, as systemd-networkd or a D-Bus client told systemd-resolved.

    ``dns_over_tls`` is the interface's own setting, empty where the global one holds.
    """

    word: str
    dns_over_tls: str
    path: str


class NetworkState:
    """Filled by the readers of the network managers, one after another.

    Attributes:
        dhcp4: Where a DHCPv4 client is configured or holds a lease; empty where none is.
        dhcp6: The same for DHCPv6.
        fixed_dns: Addresses of resolvers that somebody wrote into a configuration.
        leased_dns: Addresses of resolvers that a lease or a router advertisement brought.
        fixed_ntp: Time servers that somebody wrote into the configuration of an interface.
        leased_ntp: Addresses of time servers that a lease brought.
        link_dns: Resolvers of interfaces, for systemd-resolved.
        link_ntp: Names and addresses of time servers of interfaces, for systemd-timesyncd.
        tls_dns: Address, port and file of resolvers that are asked over TLS.
        unmarked_writer: A DHCP client that writes resolv.conf(5) without saying so in it is in use.
    """

    def __init__(self) -> None:
        self.dhcp4: t.List[str] = []
        self.dhcp6: t.List[str] = []
        self.fixed_dns: t.Set[str] = set()
        self.leased_dns: t.Set[str] = set()
        self.fixed_ntp: t.Set[str] = set()
        self.leased_ntp: t.Set[str] = set()
        self.link_dns: t.List[LinkServer] = []
        self.link_ntp: t.List[t.Tuple[str, str]] = []
        self.tls_dns: t.List[t.Tuple[str, int, str]] = []
        self.unmarked_writer = False

    @property
    def leases(self) -> bool:
        return bool(self.dhcp4 or self.dhcp6)

    def lease4(self, evidence: str) -> None:
        if evidence not in self.dhcp4:
            self.dhcp4.append(evidence)

    def lease6(self, evidence: str) -> None:
        if evidence not in self.dhcp6:
            self.dhcp6.append(evidence)


def server_addresses(words: t.Iterable[str]) -> t.Set[str]:
    """The canonical addresses among the words; names and anything else are passed over."""
    parsed = (parse_server(word) for word in words)
    return {server[0] for server in parsed if server is not None}
