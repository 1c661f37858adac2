# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two layers of firewall: a provider's, in a router before the host, and the host's own (R83, R94)."""

from __future__ import annotations

import typing as t

import pytest

from lab.connections import Server, probe_tcp
from lab.namespaces import Host, Lab
from lab.reexec import ensure_privileges, why_unavailable

from .wording import HOST, OTHER, program_of, text_of

if t.TYPE_CHECKING:
    import collections.abc

#: Both let 80 pass; 443 only the host, 8080 only the provider.
POLICY: t.Dict[str, object] = {
    "firewall_policies": {
        "web": {
            "rules": [{"direction": "ingress", "protocol": "tcp", "destination_ports": [80, 443], "action": "accept"}]
        }
    },
    "firewall_assigned": ["web"],
    "firewall_published": "leave",
}
PROVIDER = """
table inet provider {
  chain forward {
    type filter hook forward priority filter; policy drop;
    ct state established accept
    tcp dport { 80, 8080 } accept
  }
}
"""


class Hosts(t.NamedTuple):
    outsider: Host
    host: Host


@pytest.fixture(scope="module")
def hosts() -> collections.abc.Iterator[Hosts]:
    """An outsider, a provider's router, and the host with a server on every port that is asked for."""
    reason = why_unavailable()
    if reason is not None:
        pytest.skip(reason)
    ensure_privileges()
    with Lab() as lab:
        outsider, router, host = lab.hosts_named(["outsider", "router", "host"], private={})
        lab.connect(outsider, router, ("eth0", "outside"), (["%s/24" % OTHER], ["203.0.113.1/24"]))
        lab.connect(router, host, ("inside", "eth0"), (["198.51.100.254/24"], ["%s/24" % HOST]))
        outsider.ip("route add 198.51.100.0/24 via 203.0.113.1")
        host.ip("route add 203.0.113.0/24 via 198.51.100.254")
        router.sysctl("net/ipv4/ip_forward", 1)
        router.nft(PROVIDER)
        host.nft(text_of(program_of(POLICY)))
        with Server(host, tcp=[80, 443, 8080, 9999]):
            yield Hosts(outsider, host)


@pytest.mark.parametrize(
    ("port", "seen"), [(80, "connected"), (443, "filtered"), (8080, "filtered"), (9999, "filtered")]
)
def test_r94_both_layers_have_to_let_it_pass(hosts: Hosts, port: int, seen: str) -> None:
    assert probe_tcp(hosts.outsider, HOST, port) == seen


def test_r83_the_command_line_shows_what_the_variables_say(hosts: Hosts) -> None:
    listed = hosts.host.run(["nft", "list", "table", "inet", "palisade"]).stdout
    rules = [line.split(" counter ")[0].strip() for line in listed.splitlines() if 'comment "web[' in line]
    assert rules == ["tcp dport { 80, 443 }"]
