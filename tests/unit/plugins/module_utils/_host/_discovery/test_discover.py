# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole discovery: real combinations, junk of every kind, and what it costs."""

from __future__ import annotations

import os
import random
import subprocess
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host._discovery.discover import discover
from ansible_collections.palisade.nftables.plugins.module_utils._policy.hostfacts import HostFacts, Server

if t.TYPE_CHECKING:
    from .conftest import Host

#: Every file that is read by name somewhere; discovery has to survive each of them as junk.
FILES = (
    "/etc/resolv.conf",
    "/run/systemd/resolve/resolv.conf",
    "/run/systemd/resolve/netif/2",
    "/etc/systemd/resolved.conf",
    "/etc/systemd/resolved.conf.d/x.conf",
    "/etc/systemd/timesyncd.conf",
    "/etc/systemd/network/x.network",
    "/run/systemd/netif/links/2",
    "/run/systemd/netif/leases/2",
    "/etc/NetworkManager/system-connections/x.nmconnection",
    "/etc/sysconfig/network-scripts/ifcfg-eth0",
    "/etc/network/interfaces",
    "/etc/network/interfaces.d/x",
    "/etc/netplan/x.yaml",
    "/etc/dhcp/dhclient.conf",
    "/etc/dhcpcd.conf",
    "/var/lib/dhcp/dhclient.eth0.leases",
    "/run/resolvconf/interface/eth0.dhclient",
    "/run/dhclient.pid",
    "/proc/net/if_inet6",
    "/proc/net/fib_trie",
    "/etc/chrony/chrony.conf",
    "/etc/chrony/conf.d/x.conf",
    "/etc/ntpsec/ntp.conf",
    "/etc/default/ntpsec",
    "/etc/unbound/unbound.conf",
    "/etc/dnsmasq.conf",
    "/etc/dnsmasq.d/x",
    "/etc/bind/named.conf",
    "/etc/stubby/stubby.yml",
    "/etc/NetworkManager/NetworkManager.conf",
    "/etc/NetworkManager/conf.d/x.conf",
    "/etc/resolvconf.conf",
    "/etc/sysconfig/network/config",
    "/etc/systemd/dns-delegate.d/x.dns-delegate",
    "/etc/udhcpc/udhcpc.conf",
    "/run/udhcpc.eth0.pid",
    "/etc/conf.d/ntpd",
    "/etc/conf.d/chronyd",
    "/etc/openntpd/ntpd.conf",
    "/var/lib/dhclient/chrony.servers.eth0",
    "/etc/cloud/cloud.cfg",
    "/etc/cloud/cloud.cfg.d/x.cfg",
    "/etc/cloud/ds-identify.cfg",
    "/run/cloud-init/cloud.cfg",
    "/run/cloud-init/result.json",
    "/run/cloud-init/instance-data.json",
)

UNITS = (
    "NetworkManager.service",
    "chrony.service",
    "dhcpcd.service",
    "dnsmasq.service",
    "named.service",
    "ntpsec.service",
    "openntpd.service",
    "stubby.service",
    "systemd-networkd.service",
    "systemd-timesyncd.service",
    "unbound.service",
)

#: Words that mean something to one of the readers, to be put together at random.
WORDS = (
    *("nameserver", "127.0.0.1", "192.0.2.53", "2001:db8::53", "fe80::1%eth0", "::", "[::1]:53", "[", "%", "#", ":"),
    *("[Network]", "[Resolve]", "[Time]", "[ipv4]", "DHCP=yes", "DNS=192.0.2.53:99999", "NTP=", "DNSOverTLS=yes"),
    *("lease {", "}", "expire 4 2026/02/30 25:61:61;", "expire epoch 999999999999;", "option domain-name-servers ,;"),
    *("server", "pool", "nts", "port", "ntsport", "include", "confdir", "sourcedir", "/", "/etc/*", "../..", "\0"),
    *("iface", "inet", "dhcp", "source", "source-directory", "include:", "forward-zone:", "forward-addr:", "name:"),
    *("options", "{", ";", '"', "forwarders", "forward", "only", "/*", "//", "conf-dir=/etc", "server=/x/", "\\"),
    *("NTPD_OPTS=-p", "-Np", "keyno:1:", "ask", "servers", "constraints", "from", "primaries", "listen-on", "port:"),
    *("auth-zone:", "primary:", "- address_data:", "tls_port:", "[global-dns-domain-*]", "servers=dns+tls://[", "://"),
    *("BOOTPROTO='", "dhcp4: true", "99999999999999999999999", "\u0665", "\ufffd", "=", "\n", "\n", "\n", " ", "\t"),
)


def test_an_empty_host(host: Host) -> None:
    assert host.facts() == HostFacts()
    assert host.facts().notes == (
        "dns: no resolver is configured",
        "ntp: no time daemon is enabled or running",
        "dhcp: no interface is configured to lease its address",
    )


def test_a_cloud_image_of_ubuntu(host: Host) -> None:
    """netplan, systemd-networkd, systemd-resolved and systemd-timesyncd, all leased."""
    host.boot_systemd()
    host.link("/lib", "usr/lib")
    for unit in ("systemd-networkd.service", "systemd-resolved.service"):
        host.enable(unit)
    host.enable("systemd-timesyncd.service", "sysinit.target")
    host.write("/etc/netplan/50-cloud-init.yaml", "network:\n  ethernets:\n    ens3:\n      dhcp4: true\n")
    host.write(
        "/run/systemd/network/10-netplan-ens3.network",
        "[Match]\nName=ens3\n\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=ipv6\n\n[DHCP]\nRouteMetric=100\n",
    )
    host.write(
        "/run/systemd/netif/links/2",
        "NETWORK_FILE=/run/systemd/network/10-netplan-ens3.network\nDNS=192.0.2.1\nNTP=192.0.2.1\n"
        "DHCP_LEASE=/run/systemd/netif/leases/2\n",
    )
    host.write("/run/systemd/netif/leases/2", "ADDRESS=192.0.2.10\nDNS=192.0.2.1\nNTP=192.0.2.1\n")
    host.write("/run/systemd/resolve/stub-resolv.conf", "nameserver 127.0.0.53\n")
    host.write("/run/systemd/resolve/resolv.conf", "nameserver 192.0.2.1\n")
    host.link("/etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf")
    host.write("/etc/systemd/timesyncd.conf", "[Time]\n#NTP=\n")
    assert host.facts() == HostFacts(
        dns_servers=(Server(None, 53, ("udp", "tcp")),), ntp_servers=(Server(None, 123, ("udp",)),), dhcp4=True
    )


def test_a_debian_server_with_fixed_addresses(host: Host) -> None:
    host.boot_systemd()
    host.enable("networking.service")
    host.enable("chrony.service")
    host.write(
        "/etc/network/interfaces",
        "auto eth0\niface eth0 inet static\n    address 192.0.2.10/24\n    dns-nameservers 192.0.2.53\n"
        "iface eth0 inet6 static\n    address 2001:db8::10/64\n",
    )
    host.write("/etc/resolv.conf", "nameserver 192.0.2.53\nnameserver 2001:db8::53\n")
    host.write("/etc/chrony/chrony.conf", "server 192.0.2.123 iburst nts\n")
    assert host.facts() == HostFacts(
        dns_servers=(Server("192.0.2.53", 53, ("udp", "tcp")), Server("2001:db8::53", 53, ("udp", "tcp"))),
        ntp_servers=(Server("192.0.2.123", 123, ("udp",)), Server("192.0.2.123", 4460, ("tcp",))),
    )


def test_another_lease_changes_nothing(host: Host) -> None:
    """The rules of a host that leases stay as they are when the lease brings other servers."""
    results = []
    for last in (1, 2):
        host.write("/etc/network/interfaces", "auto eth0\niface eth0 inet dhcp\n")
        host.write(
            "/var/lib/dhcp/dhclient.eth0.leases",
            "lease {\n  option domain-name-servers 192.0.2.%d;\n  expire never;\n}\n" % last,
        )
        host.write("/etc/resolv.conf", "nameserver 192.0.2.%d\n" % last)
        results.append(host.facts())
    assert results[0] == results[1]
    assert results[0].notes == results[1].notes


@pytest.mark.parametrize("seed", range(40))
def test_junk_is_survived(host: Host, seed: int) -> None:
    choose = random.Random(seed)
    for unit in UNITS:
        host.enable(unit)
    for path in FILES:
        kind = choose.randrange(6)
        if kind == 0:
            host.write(path, choose.getrandbits(8 * 4096).to_bytes(4096, "big"))
        elif kind == 1:
            (host.path / path.lstrip("/")).mkdir(parents=True)
        elif kind == 2:
            host.link(path, choose.choice((path, "/etc", "/dev/null", "../" * 50, "missing")))
        else:
            host.write(path, " ".join(choose.choice(WORDS) for _word in range(2000)).encode("utf-8"))
    facts = host.facts()
    assert facts == host.facts()
    assert all(note.isprintable() for note in facts.notes)


@pytest.mark.parametrize(
    "filler",
    [
        b"\n",
        b" ",
        b"lease {\n",
        b"iaaddr x {\n starts 1;",
        b"nameserver 1\n",
        b'"',
        b"/*",
        b"server x\n",
        b"# generated by ",
        b"{",
        b"[",
        b"datasource_list: [",
        b"-N",
        b'NTPD_OPTS="' + b" -p" * 50_000,
    ],
)
def test_huge_files_cost_their_length(host: Host, filler: bytes) -> None:
    """A reader whose work grew with the square of a file's length would not come back from this."""
    for unit in UNITS:
        host.enable(unit)
    for path in FILES:
        host.write(path, filler * (600_000 // len(filler)))
    host.facts()


def test_what_cannot_be_read_is_absent(host: Host) -> None:
    for path in FILES:
        target = host.path / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(target)
    assert host.facts().dns_servers == ()


def test_no_process_is_started(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_options: object) -> t.NoReturn:
        pytest.fail("a process was started")

    for name in ("fork", "posix_spawn", "posix_spawnp", "execv", "execve", "system"):
        monkeypatch.setattr(os, name, refuse)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    host.enable("chrony.service")
    host.write("/etc/resolv.conf", "nameserver 192.0.2.53\n")
    host.facts()


def test_the_machine_that_runs_the_tests() -> None:
    facts = discover()
    assert facts == discover("/")
    assert facts.notes
