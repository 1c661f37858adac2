# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packets for published ports: translated behind connection tracking, forwarded, and noted behind the ruleset."""

from __future__ import annotations

import typing as t

from . import chains

if t.TYPE_CHECKING:
    from .namespaces import Host

#: Where they are sent on to, from ranges that no host may use (RFC 7600, RFC 6666), and the interface that leads there.
_CONTAINER: t.Mapping[int, str] = {4: "192.0.0.9", 6: "100::9"}
_INTERFACE = "container"

_CHAINS = """
table inet %(table)s {
  chain prerouting_translate {
    type nat hook prerouting priority -100; policy accept;
    meta nfproto ipv4 ip id >= %(first)d ip id < %(last)d dnat ip to %(address4)s
    meta nfproto ipv6 @nh,16,16 >= %(first)d @nh,16,16 < %(last)d dnat ip6 to %(address6)s
  }
  chain forward_early {
    type filter hook forward priority -400; policy accept;
    meta mark set 0
  }
  chain forward_late {
    type filter hook forward priority 900; policy accept;
    counter name late
    meta nfproto ipv4 add @late { ip id } drop
    add @late { @nh,16,16 } drop
  }
}
"""


def open_way(host: Host, wire: Host, interfaces: int) -> None:
    """Makes packets of the numbers :data:`.chains.PUBLISHED` ones for a published port, on so many interfaces.

    They end behind the ruleset, so nobody is at the other end.
    """
    host.ip(
        "link add name %s type veth peer name published netns %d" % (_INTERFACE, wire.pid),
        "link set dev %s addrgenmode none arp off" % _INTERFACE,
        "link set %s up" % _INTERFACE,
    )
    wire.ip("link set published up")
    for family, prefix in ((4, "ipv4"), (6, "ipv6")):
        host.sysctl("net/%s/conf/all/forwarding" % prefix, 1)
        tables = [chains.marks(number)[0] for number in range(interfaces)]
        routes = ["route add %s dev %s table %d" % (_CONTAINER[family], _INTERFACE, table) for table in tables]
        host.ip(*routes, family="-%d" % family)
    host.nft(
        _CHAINS
        % {
            "table": chains.TABLE,
            "first": chains.PUBLISHED[0],
            "last": chains.PUBLISHED[1],
            "address4": _CONTAINER[4],
            "address6": _CONTAINER[6],
        }
    )
