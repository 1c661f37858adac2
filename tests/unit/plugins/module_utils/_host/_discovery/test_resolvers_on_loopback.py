# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Resolvers behind a forwarder on the host itself, which resolv.conf names by its loopback address."""

from __future__ import annotations

import typing as t

import pytest

from .resolver_files import ANYWHERE, at, boot_resolved, over_tls

if t.TYPE_CHECKING:
    from .conftest import Host


class TestForwarders:
    @pytest.fixture(autouse=True)
    def _loopback(self, host: Host) -> None:
        host.write("/etc/resolv.conf", "nameserver 127.0.0.1\nnameserver ::1\n")

    def test_nobody_known(self, host: Host) -> None:
        assert host.facts().dns_servers == ANYWHERE
        assert any("whom that asks is unknown" in note for note in host.facts().notes)

    UNBOUND = """\
        # Unbound configuration file for Debian.
        include-toplevel: "/etc/unbound/unbound.conf.d/*.conf"
        """

    def test_unbound_that_recurses(self, host: Host) -> None:
        host.enable("unbound.service")
        host.write("/etc/unbound/unbound.conf", self.UNBOUND)
        host.write(
            "/etc/unbound/unbound.conf.d/root-auto-trust-anchor-file.conf",
            'server:\n    auto-trust-anchor-file: "/var/lib/unbound/root.key"\n',
        )
        assert host.facts().dns_servers == ANYWHERE

    def test_unbound_that_forwards(self, host: Host) -> None:
        host.enable("unbound.service")
        host.write("/etc/unbound/unbound.conf", self.UNBOUND)
        host.write(
            "/etc/unbound/unbound.conf.d/forward.conf",
            """\
            server:
                local-zone: "example." static
            forward-zone:
                name: "."
                forward-addr: 192.0.2.53   # ours
                forward-addr: 2001:db8::53@5353
            stub-zone:
                name: "internal.example"
                stub-addr: 198.51.100.53
            """,
        )
        assert host.facts().dns_servers == (at("192.0.2.53"), at("198.51.100.53"), at("2001:db8::53", 5353))
        assert "dns: 192.0.2.53, which unbound on this host forwards to" in host.facts().notes

    @pytest.mark.parametrize("option", ["forward-tls-upstream: yes", "forward-ssl-upstream: yes"])
    def test_unbound_over_tls(self, host: Host, option: str) -> None:
        host.enable("unbound.service")
        host.write(
            "/etc/unbound/unbound.conf",
            """\
            forward-zone:
              name: .
              %s
              forward-addr: 192.0.2.53@853#dns.example
              forward-addr: 192.0.2.54#dns.example
            """
            % option,
        )
        assert host.facts().dns_servers == (over_tls("192.0.2.53"), over_tls("192.0.2.54"))

    @pytest.mark.parametrize("option", ["forward-first: yes", "forward-host: dns.example"])
    def test_unbound_that_may_ask_others(self, host: Host, option: str) -> None:
        host.enable("unbound.service")
        host.write(
            "/etc/unbound/unbound.conf", 'forward-zone:\n  name: "."\n  forward-addr: 192.0.2.53\n  %s\n' % option
        )
        assert host.facts().dns_servers == ANYWHERE

    def test_unbound_that_forwards_one_zone_only(self, host: Host) -> None:
        host.enable("unbound.service")
        host.write("/etc/unbound/unbound.conf", 'forward-zone:\n name: "example"\n forward-addr: 192.0.2.53@54\n')
        assert host.facts().dns_servers == (*ANYWHERE, at("192.0.2.53", 54))

    def test_dnsmasq_that_forwards(self, host: Host) -> None:
        host.enable("dnsmasq.service")
        host.write("/etc/dnsmasq.conf", "# Configuration file for dnsmasq.\nno-resolv\nserver=192.0.2.53#5353\n")
        host.write(
            "/etc/dnsmasq.d/site.conf",
            "server=/internal.example/198.51.100.53@eth1 # comment\nserver=/local.example/\nserver=/a.example/#\n"
            "rev-server=198.51.100.0/24,198.51.100.54\n",
        )
        host.write("/etc/dnsmasq.d/site.conf.dpkg-old", "server=192.0.2.99\n")
        assert host.facts().dns_servers == (at("192.0.2.53", 5353), at("198.51.100.53"), at("198.51.100.54"))

    def test_dnsmasq_with_a_resolv_file(self, host: Host) -> None:
        host.enable("dnsmasq.service")
        host.write("/etc/dnsmasq.conf", "resolv-file=/etc/resolv.upstream\nconf-dir=/etc/dns.d,*.conf\n")
        host.write("/etc/dns.d/x.conf", "cache-size=10\n")
        host.write("/etc/dns.d/x.txt", "server=192.0.2.99\n")
        host.write("/etc/resolv.upstream", "nameserver 192.0.2.53\n")
        assert host.facts().dns_servers == (at("192.0.2.53"),)
        host.write("/etc/network/interfaces", "iface eth0 inet dhcp\n")
        assert host.facts().dns_servers == ANYWHERE

    def test_dnsmasq_without_a_word(self, host: Host) -> None:
        host.enable("dnsmasq.service")
        host.write("/etc/dnsmasq.conf", "#server=/localnet/192.0.2.99\n")
        assert host.facts().dns_servers == ANYWHERE

    BIND = 'include "/etc/bind/named.conf.options";\ninclude "/etc/bind/named.conf.local";\n'

    def test_bind_as_packaged(self, host: Host) -> None:
        host.enable("named.service")
        host.write("/etc/bind/named.conf", self.BIND)
        host.write(
            "/etc/bind/named.conf.options",
            """\
            options {
                directory "/var/cache/bind";
                // forwarders {
                //     192.0.2.99;
                // };
                /* forward only; */
                dnssec-validation auto;
                listen-on-v6 { any; };
            };
            """,
        )
        assert host.facts().dns_servers == ANYWHERE

    def test_bind_that_only_forwards(self, host: Host) -> None:
        host.enable("named.service")
        host.write("/etc/bind/named.conf", self.BIND)
        host.write(
            "/etc/bind/named.conf.options",
            """\
            options {
                forward only;
                forwarders { 192.0.2.53; 2001:db8::53 port 5353; 192.0.2.54 tls dot; };
                listen-on { 127.0.0.1; };
            };
            """,
        )
        host.write(
            "/etc/bind/named.conf.local",
            'zone "internal.example" { type forward; forwarders port 54 { 198.51.100.53; }; };\n',
        )
        assert host.facts().dns_servers == (
            at("192.0.2.53"),
            over_tls("192.0.2.54"),
            at("198.51.100.53", 54),
            at("2001:db8::53", 5353),
        )

    def test_bind_asks_anybody_when_its_forwarders_fail(self, host: Host) -> None:
        host.enable("named.service")
        host.write("/etc/named.conf", "options { forwarders { 192.0.2.53 port 54; }; };\n")
        assert host.facts().dns_servers == (*ANYWHERE, at("192.0.2.53", 54))

    @pytest.mark.parametrize("path", ["/etc/bind/named.conf", "/etc/unbound/unbound.conf", "/etc/dnsmasq.conf"])
    def test_files_that_include_themselves(self, host: Host, path: str) -> None:
        for unit in ("named.service", "unbound.service", "dnsmasq.service"):
            host.enable(unit)
        host.write(path, 'include "%s";\ninclude: "%s"\nconf-file=%s\n' % (path, path, path))
        assert host.facts().dns_servers == ANYWHERE

    def test_a_running_forwarder_without_a_unit(self, host: Host) -> None:
        host.run(321, "/run/unbound.pid")
        host.write("/etc/unbound/unbound.conf", 'forward-zone:\n  name: "."\n  forward-addr: 192.0.2.53\n')
        host.write("/etc/dnsmasq.conf", "no-resolv\nserver=192.0.2.99\n")
        assert host.facts().dns_servers == (at("192.0.2.53"),)

    def test_an_installed_forwarder_answers_where_none_is_enabled(self, host: Host) -> None:
        host.write("/usr/sbin/unbound", "")
        host.write("/etc/unbound/unbound.conf", 'forward-zone:\n  name: "."\n  forward-addr: 192.0.2.53\n')
        assert host.facts().dns_servers == (at("192.0.2.53"),)

    def test_a_resolver_on_an_address_of_the_host_itself(self, host: Host) -> None:
        host.write("/etc/resolv.conf", "nameserver 192.0.2.10\n")
        host.write(
            "/proc/net/fib_trie",
            "Main:\n  +-- 192.0.2.0/24 2 0 2\n     |-- 192.0.2.10\n        /32 host LOCAL\n",
        )
        host.enable("unbound.service")
        host.write("/etc/unbound/unbound.conf", 'forward-zone:\n  name: "."\n  forward-addr: 198.51.100.53\n')
        assert host.facts().dns_servers == (at("198.51.100.53"),)

    def test_resolved_that_asks_unbound(self, host: Host) -> None:
        (host.path / "etc/resolv.conf").unlink()
        boot_resolved(host, "127.0.0.1")
        host.enable("unbound.service")
        host.write("/etc/unbound/unbound.conf", 'forward-zone:\n  name: "."\n  forward-addr: 192.0.2.53\n')
        assert host.facts().dns_servers == (at("192.0.2.53"),)
