# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Leases, in the layouts of every network manager."""

from __future__ import annotations

import typing as t

import pytest

if t.TYPE_CHECKING:
    from .conftest import Host

NEITHER = (False, False)
IPV4 = (True, False)
IPV6 = (False, True)
BOTH = (True, True)


def leases(host: Host) -> t.Tuple[bool, bool]:
    facts = host.facts()
    return facts.dhcp4, facts.dhcp6


def test_nothing_configured(host: Host) -> None:
    assert leases(host) == NEITHER
    assert "dhcp: no interface is configured to lease its address" in host.facts().notes


class TestNetworkd:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("yes", BOTH),
            ("true", BOTH),
            ("both", BOTH),
            ("ipv4", IPV4),
            ("v4", IPV4),
            ("ipv6", IPV6),
            ("v6", IPV6),
            ("no", NEITHER),
            ("none", NEITHER),
            ("", NEITHER),
        ],
    )
    def test_values_of_dhcp(self, host: Host, value: str, expected: t.Tuple[bool, bool]) -> None:
        host.enable("systemd-networkd.service")
        host.write("/etc/systemd/network/lan.network", "[Match]\nName=en*\n\n[Network]\nDHCP=%s\n" % value)
        assert leases(host) == expected

    def test_it_has_to_be_in_use(self, host: Host) -> None:
        host.write("/etc/systemd/network/lan.network", "[Network]\nDHCP=yes\n")
        assert leases(host) == NEITHER
        host.write("/run/systemd/netif/links/2", "ADMIN_STATE=configured\n")
        assert leases(host) == BOTH

    def test_files_that_come_with_systemd_count_only_for_links_that_use_them(self, host: Host) -> None:
        host.enable("systemd-networkd.service")
        host.link("/lib", "usr/lib")
        host.write(
            "/usr/lib/systemd/network/80-container-host0.network",
            "[Match]\nVirtualization=container\nName=host0\n\n[Network]\nDHCP=yes\nLLDP=yes\n",
        )
        host.write("/usr/lib/systemd/network/80-ethernet.network.example", "[Network]\nDHCP=yes\n")
        assert leases(host) == NEITHER
        host.write("/run/systemd/netif/links/2", "NETWORK_FILE=/lib/systemd/network/80-container-host0.network\n")
        assert leases(host) == BOTH

    def test_drop_ins_and_overrides(self, host: Host) -> None:
        host.enable("systemd-networkd.service")
        host.write("/run/systemd/network/10-netplan-ens3.network", "[Network]\nDHCP=ipv4\n")
        host.write("/etc/systemd/network/10-netplan-ens3.network.d/v6.conf", "[Network]\nDHCP=ipv6\n")
        assert leases(host) == IPV6
        host.link("/etc/systemd/network/10-netplan-ens3.network", "/dev/null")
        assert leases(host) == NEITHER

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("[Network]\nIPv6AcceptRA=yes\n", IPV6),
            ("[Network]\nIPv6AcceptRA=yes\n[IPv6AcceptRA]\nDHCPv6Client=no\n", NEITHER),
            ("[Network]\nIPv6AcceptRA=no\n", NEITHER),
            ("[Network]\nAddress=192.0.2.10/24\n", NEITHER),
        ],
    )
    def test_a_router_may_ask_for_dhcpv6(self, host: Host, text: str, expected: t.Tuple[bool, bool]) -> None:
        host.enable("systemd-networkd.service")
        host.write("/etc/systemd/network/lan.network", text)
        assert leases(host) == expected

    def test_a_lease_that_it_holds(self, host: Host) -> None:
        host.write("/run/systemd/netif/links/2", "ADMIN_STATE=configured\nDHCP_LEASE=/run/systemd/netif/leases/2\n")
        host.write("/run/systemd/netif/leases/2", "# This is private data. Do not parse.\nADDRESS=192.0.2.10\n")
        assert leases(host) == IPV4


class TestNetworkManager:
    PROFILE = "/etc/NetworkManager/system-connections/Wired connection 1.nmconnection"

    @pytest.fixture(autouse=True)
    def _enabled(self, host: Host) -> None:
        host.enable("NetworkManager.service")

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("[connection]\ntype=ethernet\n", BOTH),
            ("[connection]\ntype=ethernet\n[ipv4]\nmethod=auto\n[ipv6]\nmethod=disabled\n", IPV4),
            ("[connection]\ntype=ethernet\n[ipv4]\nmethod=manual\n[ipv6]\nmethod=dhcp\n", IPV6),
            ("[connection]\ntype=ethernet\n[ipv4]\nmethod=manual\n[ipv6]\naddr-gen-mode=default\n", IPV6),
            ("[connection]\ntype=ethernet\n[ipv4]\nmethod=disabled\n[ipv6]\nmethod=link-local\n", NEITHER),
            ("[connection]\ntype=ethernet\nmaster=bond0\nslave-type=bond\n", NEITHER),
            ("[connection]\ntype=wireguard\n", NEITHER),
        ],
    )
    def test_profiles(self, host: Host, text: str, expected: t.Tuple[bool, bool]) -> None:
        host.write(self.PROFILE, text)
        assert leases(host) == expected

    def test_it_has_to_be_in_use(self, host: Host) -> None:
        host.write(self.PROFILE, "[connection]\ntype=ethernet\n")
        (host.path / "etc/systemd/system/multi-user.target.wants/NetworkManager.service").unlink()
        assert leases(host) == NEITHER
        host.run(600, "/run/NetworkManager/NetworkManager.pid")
        assert leases(host) == BOTH

    def test_a_lease_without_a_profile(self, host: Host) -> None:
        host.write("/var/lib/NetworkManager/internal-0000-ens3.lease", "ADDRESS=192.0.2.10\n")
        assert leases(host) == IPV4
        host.write(self.PROFILE, "[connection]\ntype=ethernet\n[ipv4]\nmethod=manual\n[ipv6]\nmethod=disabled\n")
        assert leases(host) == NEITHER


class TestIfcfg:
    @pytest.mark.parametrize(
        ("path", "text", "expected"),
        [
            ("/etc/sysconfig/network-scripts/ifcfg-eth0", 'DEVICE="eth0"\nBOOTPROTO="dhcp"\nONBOOT=yes\n', IPV4),
            ("/etc/sysconfig/network-scripts/ifcfg-eth0", "BOOTPROTO=none\nIPV6INIT=yes\nDHCPV6C=yes\n", IPV6),
            ("/etc/sysconfig/network-scripts/ifcfg-eth0", "BOOTPROTO=static\nDNS1=192.0.2.53\n", NEITHER),
            ("/etc/sysconfig/network-scripts/ifcfg-eth0", "BOOTPROTO=none\nIPV6INIT=yes\n", NEITHER),
            ("/etc/sysconfig/network-scripts/ifcfg-lo", "BOOTPROTO=dhcp\n", NEITHER),
            ("/etc/sysconfig/network-scripts/ifcfg-eth0.bak", "BOOTPROTO=dhcp\n", NEITHER),
            ("/etc/sysconfig/network/ifcfg-eth0", "BOOTPROTO='dhcp'\nSTARTMODE='auto'\n", BOTH),
            ("/etc/sysconfig/network/ifcfg-eth0", "BOOTPROTO='dhcp4'\n", IPV4),
            ("/etc/sysconfig/network/ifcfg-eth0", "BOOTPROTO='dhcp6'\n", IPV6),
        ],
    )
    def test_files(self, host: Host, path: str, text: str, expected: t.Tuple[bool, bool]) -> None:
        host.write(path, text)
        assert leases(host) == expected

    def test_network_manager_follows_the_router_with_ipv6init(self, host: Host) -> None:
        host.enable("NetworkManager.service")
        host.write("/etc/sysconfig/network-scripts/ifcfg-eth0", "BOOTPROTO=none\nIPV6INIT=yes\n")
        assert leases(host) == IPV6
        host.write("/etc/sysconfig/network-scripts/ifcfg-eth0", "BOOTPROTO=none\nIPV6INIT=yes\nIPV6_AUTOCONF=no\n")
        assert leases(host) == NEITHER


class TestIfupdown:
    DEBIAN = "source /etc/network/interfaces.d/*\n\nauto lo\niface lo inet loopback\n"

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("", NEITHER),
            ("allow-hotplug ens3\niface ens3 inet dhcp\n", IPV4),
            ("auto ens3\niface ens3 inet6 dhcp\n", IPV6),
            ("iface ens3 inet6 auto\n", NEITHER),
            ("iface ens3 inet6 auto\n    dhcp 1\n", IPV6),
            ("iface ens3 inet6 auto\n    dhcp 0\n", NEITHER),
            ("iface ens3 inet6 static\n    dhcp 1\n", NEITHER),
            ("iface ens3 inet6 auto\nauto ens4\n    dhcp 1\n", NEITHER),
            ("iface ens3 inet \\\n   dhcp\n", IPV4),
            ("#iface ens3 inet dhcp\n", NEITHER),
            ("iface ens3\n    use dhcp\n", IPV4),
            ("iface\niface ens3\niface ens3 inet static\n    address 192.0.2.10/24\n", NEITHER),
        ],
    )
    def test_stanzas(self, host: Host, text: str, expected: t.Tuple[bool, bool]) -> None:
        host.write("/etc/network/interfaces", self.DEBIAN + text)
        assert leases(host) == expected

    def test_sourced_files(self, host: Host) -> None:
        host.write("/etc/network/interfaces", self.DEBIAN + "source-directory more.d\n")
        host.write("/etc/network/interfaces.d/50-cloud-init", "auto eth0\niface eth0 inet dhcp\n")
        assert leases(host) == IPV4
        host.write("/etc/network/more.d/eth1.bak", "iface eth1 inet6 dhcp\n")
        assert leases(host) == IPV4, "source-directory takes plain names only"
        host.write("/etc/network/more.d/eth1", "iface eth1 inet6 dhcp\n")
        assert leases(host) == BOTH

    def test_files_that_source_each_other(self, host: Host) -> None:
        host.write("/etc/network/interfaces", "source /etc/network/*\niface eth0 inet dhcp\n")
        host.write("/etc/network/other", "source interfaces\nsource other\niface eth0 inet6 dhcp\n")
        assert leases(host) == BOTH


class TestNetplan:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("network:\n  ethernets:\n    ens3:\n      dhcp4: true\n      dhcp6: no\n", IPV4),
            ('network:\n  ethernets:\n    ens3: {dhcp4: false, "dhcp6": yes}\n', IPV6),
            (
                "network:\n  ethernets:\n    ens3:\n      # dhcp4: true\n      dhcp4-overrides: {use-dns: true}\n",
                NEITHER,
            ),
        ],
    )
    def test_files(self, host: Host, text: str, expected: t.Tuple[bool, bool]) -> None:
        host.write("/etc/netplan/50-cloud-init.yaml", text)
        assert leases(host) == expected

    def test_what_it_generated_says_more(self, host: Host) -> None:
        host.enable("systemd-networkd.service")
        host.write("/etc/netplan/50-cloud-init.yaml", "dhcp4: true\n")
        host.write("/etc/netplan/60-site.yaml", "dhcp4: false\n")
        host.write("/run/systemd/network/10-netplan-ens3.network", "[Network]\nAddress=192.0.2.10/24\n")
        assert leases(host) == NEITHER


class TestDhclient:
    LEASE4 = """\
        lease {
          interface "eth0";
          fixed-address 192.0.2.10;
          option routers 192.0.2.1;
          expire %s;
        }
        """

    @pytest.mark.parametrize(
        ("expire", "expected"),
        [
            ("4 2025/12/31 23:59:59", NEITHER),
            ("4 2026/01/01 00:00:01", IPV4),
            ("never", IPV4),
            ("epoch 1767225599; # Wed Dec 31 23:59:59 2025", NEITHER),
            ("epoch 1767225601; # Thu Jan  1 00:00:01 2026", IPV4),
            ("4 2026/99/99 99:99:99", IPV4),
        ],
    )
    def test_only_a_lease_that_runs_counts(self, host: Host, expire: str, expected: t.Tuple[bool, bool]) -> None:
        host.write("/var/lib/dhcp/dhclient.eth0.leases", self.LEASE4 % expire)
        assert leases(host) == expected

    def test_the_newest_of_a_long_history(self, host: Host) -> None:
        old, new = self.LEASE4 % "4 2025/01/01 00:00:00", self.LEASE4 % "4 2027/01/01 00:00:00"
        host.write("/var/lib/dhclient/dhclient.leases", old * 3000 + new)
        assert leases(host) == IPV4

    def test_ipv6(self, host: Host) -> None:
        lease = """\
            default-duid "";
            lease6 {
              interface "eth0";
              ia-na 11:22:33:44 {
                starts 1767225000;
                iaaddr 2001:db8::10 {
                  starts 1767225000;
                  preferred-life %d;
                  max-life %d;
                }
              }
              option dhcp6.name-servers 2001:db8::53;
            }
            """
        host.write("/var/lib/dhcp/dhclient6.eth0.leases", lease % (100, 600))
        assert leases(host) == NEITHER
        host.write("/var/lib/dhcp/dhclient6.eth0.leases", lease % (100, 601))
        assert leases(host) == IPV6

    def test_a_running_client(self, host: Host) -> None:
        host.run(400, "/run/dhclient.eth0.pid")
        assert leases(host) == IPV4
        host.run(401, "/run/dhclient6.eth0.pid")
        assert leases(host) == BOTH


class TestDhcpcd:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("duid\npersistent\noption domain_name_servers\nslaac private\n", BOTH),
            ("ipv4only\n", IPV4),
            ("noipv6\n", IPV4),
            ("ipv6only\n", IPV6),
            ("nodhcp\nnodhcp6\n", NEITHER),
            ("interface eth0\nnodhcp6\nstatic ip_address=192.0.2.10/24\n", BOTH),
        ],
    )
    def test_configuration(self, host: Host, text: str, expected: t.Tuple[bool, bool]) -> None:
        host.write("/etc/dhcpcd.conf", text)
        assert leases(host) == NEITHER
        host.enable("dhcpcd.service")
        assert leases(host) == expected

    def test_a_running_one(self, host: Host) -> None:
        host.run(500, "/run/dhcpcd/pid")
        assert leases(host) == BOTH


class TestKernel:
    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ("20010db8000000000000000000000010 02 80 00 00     eth0", IPV6),
            ("20010db8000000000000000000000010 02 80 00 80     eth0", NEITHER),
            ("20010db8000000000000000000000010 02 40 00 00     eth0", NEITHER),
            ("fe800000000000000000000000000001 02 80 20 00     eth0", NEITHER),
            ("00000000000000000000000000000001 01 80 10 80       lo", NEITHER),
            ("nonsense zz yy xx ww eth0", NEITHER),
        ],
    )
    def test_an_ipv6_address_that_ends(self, host: Host, line: str, expected: t.Tuple[bool, bool]) -> None:
        host.write("/proc/net/if_inet6", line + "\n")
        assert leases(host) == expected


def test_the_notes_name_the_first_evidence_and_count_the_rest(host: Host) -> None:
    host.write("/etc/network/interfaces", "iface eth0 inet dhcp\niface eth1 inet dhcp\niface eth1 inet6 dhcp\n")
    assert host.facts().notes[-2:] == (
        "dhcp: DHCPv4, from iface eth0 inet dhcp in /etc/network/interfaces and 1 more",
        "dhcp: DHCPv6, from iface eth1 inet6 dhcp in /etc/network/interfaces",
    )
