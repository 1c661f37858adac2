# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with a container behind it, clients before it, and the rules with which ports are published."""

from __future__ import annotations

import typing as t

from ansible_collections.palisade.nftables.plugins.module_utils._compile.compile import compile_program
from ansible_collections.palisade.nftables.plugins.module_utils._nft.text import render_load
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Layout
from lab.connections import Probe, Server, probe_all
from lab.netlink import Netlink
from lab.nftables import counters

from .wording import program_of

if t.TYPE_CHECKING:
    from lab.namespaces import Host, Lab

#: Of the host, towards its clients; its second one; of the container.
HOST: t.Mapping[int, str] = {4: "198.51.100.1", 6: "2001:db8::1"}
HOST_TOO: t.Mapping[int, str] = {4: "198.51.100.2", 6: "2001:db8::2"}
CONTAINER: t.Mapping[int, str] = {4: "192.0.2.2", 6: "2001:db8:c::2"}
OFFICE: t.Mapping[int, str] = {4: "198.51.100.10", 6: "2001:db8::10"}
STRANGER: t.Mapping[int, str] = {4: "198.51.100.66", 6: "2001:db8::66"}

#: 8080 is for everybody, 8443 for the office, udp/5353 of one address for everybody; 81 and 82 are the host's own.
POLICY: t.Mapping[str, object] = {
    "firewall_networks": {"office": ["%s/32" % OFFICE[4], "%s/128" % OFFICE[6]]},
    "firewall_policies": {
        "shop": {
            "rules": [
                {"direction": "ingress", "protocol": "tcp", "destination_ports": 8080, "action": "accept"},
                {
                    "direction": "ingress",
                    "protocol": "tcp",
                    "destination_ports": 8443,
                    "sources": ["office"],
                    "action": "accept",
                },
                {
                    "direction": "ingress",
                    "protocol": "udp",
                    "destination_ports": 5353,
                    "destinations": [HOST[4], HOST[6]],
                    "action": "accept",
                },
                {"direction": "ingress", "protocol": "tcp", "destination_ports": [81, 82], "action": "accept"},
            ]
        }
    },
    "firewall_assigned": ["shop"],
}

#: As iptables-nft writes the rules of Docker 20.10: DNAT in the nat table, and a filter table whose chain FORWARD
#: drops, but for what was published.
DOCKER = """
table %(family)s nat {
  chain DOCKER { %(translations)s
  }
  chain PREROUTING {
    type nat hook prerouting priority dstnat; policy accept;
    fib daddr type local counter jump DOCKER
  }
  chain OUTPUT {
    type nat hook output priority -100; policy accept;
    fib daddr type local counter jump DOCKER
  }
  chain POSTROUTING {
    type nat hook postrouting priority srcnat; policy accept;
    oifname != "docker0" %(family)s saddr %(network)s counter masquerade
  }
}
table %(family)s filter {
  chain DOCKER {
    iifname != "docker0" oifname "docker0" %(family)s daddr %(container)s meta l4proto { tcp, udp } th dport 80 accept
  }
  chain FORWARD {
    type filter hook forward priority filter; policy drop;
    oifname "docker0" ct state related,established accept
    oifname "docker0" jump DOCKER
    iifname "docker0" accept
  }
}
"""

#: As netavark writes them for Podman where its firewall driver is nftables: one table for both families.
NETAVARK = """
table inet netavark {
  chain FORWARD {
    type filter hook forward priority filter; policy accept;
    ct state invalid drop
    ip daddr 192.0.2.0/24 ct state established,related accept
    ip6 daddr 2001:db8:c::/64 ct state established,related accept
  }
  chain DNAT { %(translations)s
  }
  chain PREROUTING {
    type nat hook prerouting priority dstnat; policy accept;
    fib daddr type local jump DNAT
  }
  chain OUTPUT {
    type nat hook output priority -100; policy accept;
    fib daddr type local jump DNAT
  }
  chain POSTROUTING {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr 192.0.2.0/24 ip daddr != 224.0.0.0/4 oifname != "docker0" masquerade
    ip6 saddr 2001:db8:c::/64 ip6 daddr != ff00::/8 oifname != "docker0" masquerade
  }
}
"""
_FAMILIES = {4: "ip", 6: "ip6"}
_NETWORKS = {4: "192.0.2.0/24", 6: "2001:db8:c::/64"}


def docker_rules(ports: t.Sequence[int]) -> str:
    """What publishes ``ports`` of the host as port 80 of the container, TCP and UDP."""
    return "".join(
        DOCKER
        % {
            "family": _FAMILIES[family],
            "network": _NETWORKS[family],
            "container": CONTAINER[family],
            "translations": "".join(
                '\n    iifname != "docker0" %s dport %d counter dnat to %s' % (protocol, port, _socket(family))
                for port in ports
                for protocol in ("tcp", "udp")
            ),
        }
        for family in (4, 6)
    )


def netavark_rules(ports: t.Sequence[int]) -> str:
    """Likewise."""
    return NETAVARK % {
        "translations": "".join(
            "\n    meta nfproto ipv%d %s dport %d dnat %s to %s"
            % (family, protocol, port, _FAMILIES[family], _socket(family))
            for port in ports
            for protocol in ("tcp", "udp")
            for family in (4, 6)
        )
    }


def _socket(family: int) -> str:
    return ("[%s]:80" if family == 6 else "%s:80") % CONTAINER[family]


class Scene:
    """The hosts: ``host``, and the ``office`` and a ``stranger`` on the network before it.

    Args:
        private: Directories of the host's own, see :meth:`lab.namespaces.Lab.host`.
        addresses: Of the host.
    """

    def __init__(
        self,
        lab: Lab,
        private: t.Optional[t.Mapping[str, str]] = None,
        addresses: t.Sequence[str] = (*HOST.values(), *HOST_TOO.values()),
    ) -> None:
        self.host = lab.host("host", private or {})
        self.office, self.stranger = lab.hosts_named(["office", "stranger"], {})
        segment = lab.segment()
        for one, its_own in (
            (self.host, addresses),
            (self.office, OFFICE.values()),
            (self.stranger, STRANGER.values()),
        ):
            segment.attach(one, ["%s/%d" % (address, 64 if ":" in address else 24) for address in its_own])
        for prefix in ("ipv4", "ipv6"):
            self.host.sysctl("net/%s/conf/all/forwarding" % prefix, 1)
        for client in (self.office, self.stranger):
            for family, network in _NETWORKS.items():
                client.ip("route add %s via %s" % (network, HOST[family]))
        self._netlink = Netlink(self.host)

    def close(self) -> None:
        self._netlink.close()

    def load(self, variables: t.Mapping[str, object], layout: Layout = Layout.AUTO) -> None:
        """Puts a policy in force, in the place of the one before."""
        self.host.nft(render_load(compile_program(program_of(variables), layout=layout)))

    def probe(self, client: Host, protocol: str, address: str, port: int) -> str:
        return probe_all([Probe(client, protocol, address, port)])[0]

    def packets(self, counter: str) -> int:
        """How many packets a counter has seen."""
        return counters(self._netlink, "palisade")[counter][0]


class ContainerScene(Scene):
    """With a ``container`` behind the host, and a server in it."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab)
        self.container = lab.host("container", {})
        lab.connect(
            self.host,
            self.container,
            ("docker0", "eth0"),
            (["192.0.2.1/24", "2001:db8:c::1/64"], ["%s/24" % CONTAINER[4], "%s/64" % CONTAINER[6]]),
        )
        for gateway in ("192.0.2.1", "2001:db8:c::1"):
            self.container.ip("route add default via %s" % gateway)

    def serve(self) -> Server:
        """The container's server."""
        return Server(self.container, tcp=[80], udp=[80])
