# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Resolvers on the host that ask each other, that copy zones, and that speak TLS."""

from __future__ import annotations

import typing as t

import pytest

from .resolver_files import ANYWHERE, at, over_tls

if t.TYPE_CHECKING:
    from .conftest import Host

#: The part of Debian's packaged /etc/stubby/stubby.yml that says anything, with addresses for documentation.
STUBBY = """\
# Listed here
resolution_type: GETDNS_RESOLUTION_STUB
dns_transport_list:
#  - GETDNS_TRANSPORT_UDP
  - GETDNS_TRANSPORT_TLS
tls_authentication: GETDNS_AUTHENTICATION_REQUIRED
idle_timeout: 10000
listen_addresses:
  - 127.0.0.1@5453
  - 0::1@5453
round_robin_upstreams: 1
upstream_recursive_servers:
####### IPv4 addresses ######
# - address_data: 192.0.2.99
  - address_data: 192.0.2.53
    tls_auth_name: "dns.example"
    tls_pubkey_pinset:
      - digest: "sha256"
        value: foxZRnIh9gZpWnl+zEiKa0EJ2rdCGroMWm02gaxSc9S=
  - address_data: 2001:db8::53
    tls_port: 8853
    tls_auth_name: "dns.example"
#  - address_data: 192.0.2.98
"""


@pytest.fixture(autouse=True)
def _loopback(host: Host) -> None:
    host.write("/etc/resolv.conf", "nameserver 127.0.0.1\n")


class TestChains:
    DNSMASQ = "no-resolv\nserver=127.0.0.1#%d\n"
    UNBOUND = "server:\n  %s\nforward-zone:\n  name: .\n  forward-addr: 192.0.2.53\n"

    @pytest.mark.parametrize("listens", ["port: 5335", "interface: 127.0.0.1@5335"])
    def test_dnsmasq_that_asks_unbound(self, host: Host, listens: str) -> None:
        host.enable("dnsmasq.service")
        host.enable("unbound.service")
        host.write("/etc/dnsmasq.conf", self.DNSMASQ % 5335)
        host.write("/etc/unbound/unbound.conf", self.UNBOUND % listens)
        facts = host.facts()
        assert facts.dns_servers == (at("192.0.2.53"),)
        assert "dns: dnsmasq on this host asks another on this host" in facts.notes
        assert "dns: 192.0.2.53, which unbound on this host forwards to" in facts.notes

    def test_nobody_known_answers_on_that_port(self, host: Host) -> None:
        host.enable("dnsmasq.service")
        host.enable("unbound.service")
        host.write("/etc/dnsmasq.conf", self.DNSMASQ % 5354)
        host.write("/etc/unbound/unbound.conf", self.UNBOUND % "port: 5335")
        assert host.facts().dns_servers == ANYWHERE

    def test_unbound_that_asks_dnsmasq(self, host: Host) -> None:
        host.enable("dnsmasq.service")
        host.enable("unbound.service")
        host.write("/etc/dnsmasq.conf", "no-resolv\nport=5353\nserver=192.0.2.53\n")
        host.write("/etc/unbound/unbound.conf", "forward-zone:\n  name: .\n  forward-addr: 127.0.0.1@5353\n")
        assert host.facts().dns_servers == (at("192.0.2.53"),)

    def test_unbound_that_asks_named(self, host: Host) -> None:
        host.enable("named.service")
        host.enable("unbound.service")
        host.write(
            "/etc/named.conf",
            "options { listen-on port 5300 { 127.0.0.1; }; forward only; forwarders { 192.0.2.53; }; };\n",
        )
        host.write("/etc/unbound/unbound.conf", "forward-zone:\n  name: .\n  forward-addr: 127.0.0.1@5300\n")
        assert host.facts().dns_servers == (at("192.0.2.53"),)

    def test_two_that_ask_each_other_and_nobody_else(self, host: Host) -> None:
        host.enable("dnsmasq.service")
        host.enable("unbound.service")
        host.write("/etc/dnsmasq.conf", self.DNSMASQ % 5335)
        host.write(
            "/etc/unbound/unbound.conf", "server:\n port: 5335\nforward-zone:\n name: .\n forward-addr: 127.0.0.1\n"
        )
        assert host.facts().dns_servers == ANYWHERE

    def test_one_that_asks_itself(self, host: Host) -> None:
        host.enable("unbound.service")
        host.write("/etc/unbound/unbound.conf", "forward-zone:\n  name: .\n  forward-addr: 127.0.0.1\n")
        assert host.facts().dns_servers == ANYWHERE

    def test_dnsmasq_that_asks_resolved(self, host: Host) -> None:
        host.enable("dnsmasq.service")
        host.write("/etc/dnsmasq.conf", "no-resolv\nserver=127.0.0.53\n")
        assert host.facts().dns_servers == ANYWHERE, "systemd-resolved does not run"
        host.write("/run/systemd/resolve/resolv.conf", "nameserver 192.0.2.53\n")
        assert host.facts().dns_servers == (at("192.0.2.53"),)

    def test_dnsmasq_in_front_of_stubby(self, host: Host) -> None:
        host.enable("dnsmasq.service")
        host.enable("stubby.service")
        host.write("/etc/dnsmasq.conf", self.DNSMASQ % 5453)
        host.write("/etc/stubby/stubby.yml", STUBBY)
        facts = host.facts()
        assert facts.dns_servers == (over_tls("192.0.2.53"), over_tls("2001:db8::53", 8853))
        assert "dns: 192.0.2.53, which stubby on this host forwards to over TLS" in facts.notes


class TestStubby:
    @pytest.fixture(autouse=True)
    def _enabled(self, host: Host) -> None:
        host.enable("stubby.service")

    def test_with_another_transport(self, host: Host) -> None:
        host.write("/etc/stubby/stubby.yml", STUBBY.replace("#  - GETDNS_TRANSPORT_UDP", "  - GETDNS_TRANSPORT_UDP"))
        assert host.facts().dns_servers == (
            at("192.0.2.53"),
            over_tls("192.0.2.53"),
            at("2001:db8::53"),
            over_tls("2001:db8::53", 8853),
        )

    def test_without_a_server(self, host: Host) -> None:
        assert host.facts().dns_servers == (*ANYWHERE, over_tls(None))


class TestZones:
    def test_unbound_copies_one(self, host: Host) -> None:
        host.enable("unbound.service")
        host.write(
            "/etc/unbound/unbound.conf",
            """\
            forward-zone:
                name: "."
                forward-addr: 192.0.2.53
            auth-zone:
                name: "internal.example"
                primary: 198.51.100.53
                master: 198.51.100.54@5353
                zonefile: "internal.zone"
            """,
        )
        assert host.facts().dns_servers == (at("192.0.2.53"), at("198.51.100.53"), at("198.51.100.54", 5353))

    def test_named_copies_some(self, host: Host) -> None:
        host.enable("named.service")
        host.write(
            "/etc/bind/named.conf",
            """\
            options { forward only; forwarders { 192.0.2.53; }; };
            primaries ours port 5353 { 198.51.100.1; 198.51.100.2 port 54 key k; };
            zone "a.example" { type secondary; primaries { ours; 198.51.100.3; }; file "a"; };
            zone "b.example" { type slave; masters port 55 { 198.51.100.4; }; also-notify { 198.51.100.99; }; };
            zone "c.example" { type static-stub; server-addresses { 198.51.100.5; }; };
            """,
        )
        assert host.facts().dns_servers == (
            at("192.0.2.53"),
            at("198.51.100.1", 5353),
            at("198.51.100.2", 54),
            at("198.51.100.3"),
            at("198.51.100.4", 55),
            at("198.51.100.5"),
        )

    def test_a_forwarder_by_name_may_be_anywhere(self, host: Host) -> None:
        host.enable("named.service")
        host.write("/etc/bind/named.conf", "options { forward only; forwarders { dns.example; }; };\n")
        assert host.facts().dns_servers == ANYWHERE


class TestNetworkManager:
    @pytest.fixture(autouse=True)
    def _enabled(self, host: Host) -> None:
        host.enable("NetworkManager.service")

    def test_the_dnsmasq_that_it_runs(self, host: Host) -> None:
        host.run(700, "/run/NetworkManager/dnsmasq.pid")
        host.write("/run/NetworkManager/no-stub-resolv.conf", "# Generated by NetworkManager\nnameserver 192.0.2.53\n")
        host.write("/etc/NetworkManager/dnsmasq.d/site.conf", "server=/internal.example/198.51.100.53\n")
        assert host.facts().dns_servers == (at("192.0.2.53"), at("198.51.100.53"))

    def test_servers_over_tls(self, host: Host) -> None:
        """As dnsconfd hands them to unbound, which says nothing of them in a file."""
        host.write(
            "/etc/NetworkManager/system-connections/ens3.nmconnection",
            "[connection]\ntype=ethernet\n[ipv4]\nmethod=manual\ndns=dns+tls://192.0.2.53#dns.example;\n"
            "[ipv6]\nmethod=manual\ndns=dns+tls://[2001:db8::53]:8853#dns.example;dns+tls://;nonsense://192.0.2.54;\n",
        )
        host.write("/usr/sbin/unbound", "")
        facts = host.facts()
        assert facts.dns_servers == (*ANYWHERE, over_tls("192.0.2.53"), over_tls("2001:db8::53", 8853))
        assert any(note.startswith("dns: 192.0.2.53 over TLS from /etc/NetworkManager/") for note in facts.notes)

    @pytest.mark.parametrize("path", ["/etc/NetworkManager/NetworkManager.conf", "/etc/NetworkManager/conf.d/dns.conf"])
    def test_servers_for_all_profiles(self, host: Host, path: str) -> None:
        host.write(path, "[global-dns-domain-*]\nservers=dns+tls://192.0.2.53,192.0.2.54\n")
        host.write("/etc/NetworkManager/system-connections/x", "[connection]\ntype=ethernet\n[ipv4]\nmethod=auto\n")
        host.write("/etc/resolv.conf", "# Generated by NetworkManager\nnameserver 192.0.2.54\n")
        assert host.facts().dns_servers == (over_tls("192.0.2.53"), at("192.0.2.54"))


class TestResolved:
    def test_servers_of_some_domains(self, host: Host) -> None:
        host.write("/run/systemd/resolve/resolv.conf", "nameserver 192.0.2.53\n")
        host.link("/run/systemd/resolve/stub-resolv.conf", "resolv.conf")
        (host.path / "etc/resolv.conf").unlink()
        host.link("/etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf")
        host.write(
            "/etc/systemd/dns-delegate.d/x.dns-delegate", "[Delegate]\nDNS=198.51.100.53\nDomains=internal.example\n"
        )
        host.write("/run/systemd/dns-delegate.d/x.dns-delegate.d/more.conf", "[Delegate]\nDNS=198.51.100.54:5353\n")
        assert host.facts().dns_servers == (at("192.0.2.53"), at("198.51.100.53"), at("198.51.100.54", 5353))
