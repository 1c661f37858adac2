# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What resolvers leave on a host, and the servers that are read of it."""

from __future__ import annotations

import typing as t

from ansible_collections.palisade.nftables.plugins.module_utils._policy.hostfacts import Server

if t.TYPE_CHECKING:
    from .conftest import Host

BOTH = ("udp", "tcp")
ANYWHERE = (Server(None, 53, BOTH),)

STUB = """\
# This is /run/systemd/resolve/stub-resolv.conf managed by man:systemd-resolved(8).
# Do not edit.
nameserver 127.0.0.53
options edns0 trust-ad
search .
"""

UPLINKS = """\
# This is /run/systemd/resolve/resolv.conf managed by man:systemd-resolved(8).
# Do not edit.
%s
search .
"""

RESOLVED_DEFAULT = """\
#  This file is part of systemd.
[Resolve]
# Google:     192.0.2.8#dns.example
#DNS=
#FallbackDNS=
#DNSOverTLS=no
"""


def at(address: str, port: int = 53) -> Server:
    return Server(address, port, BOTH)


def over_tls(address: t.Optional[str], port: int = 853) -> Server:
    return Server(address, port, ("tcp",))


def boot_resolved(host: Host, *uplinks: str) -> None:
    """The files of a running systemd-resolved in stub mode."""
    host.write("/run/systemd/resolve/stub-resolv.conf", STUB)
    host.write("/run/systemd/resolve/resolv.conf", UPLINKS % "\n".join("nameserver %s" % word for word in uplinks))
    host.link("/etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf")
    host.write("/etc/systemd/resolved.conf", RESOLVED_DEFAULT)


def lease_by_networkd(host: Host, *servers: str) -> None:
    host.write("/etc/systemd/network/10-lan.network", "[Match]\nName=en*\n[Network]\nDHCP=ipv4\n")
    host.write(
        "/run/systemd/netif/links/2",
        "# This is private data. Do not parse.\nADMIN_STATE=configured\n"
        "NETWORK_FILE=/etc/systemd/network/10-lan.network\nDNS=%s\n" % " ".join(servers),
    )
    host.write("/run/systemd/netif/leases/2", "ADDRESS=192.0.2.10\nDNS=%s\n" % " ".join(servers))
