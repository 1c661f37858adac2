# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Time servers, in the layouts of chrony, systemd-timesyncd, ntpsec and ntp."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._policy.hostfacts import Server

if t.TYPE_CHECKING:
    from .conftest import Host

UDP = ("udp",)
ANYWHERE = (Server(None, 123, UDP),)

#: The directives of Debian's packaged /etc/chrony/chrony.conf.
CHRONY_DEBIAN = """\
# Welcome to the chrony configuration file. See chrony.conf(5) for more
# information about usable directives.
confdir /etc/chrony/conf.d
pool 2.debian.pool.ntp.org iburst
sourcedir /run/chrony-dhcp
sourcedir /etc/chrony/sources.d
keyfile /etc/chrony/chrony.keys
driftfile /var/lib/chrony/chrony.drift
makestep 1 3
leapsectz right/UTC
"""

CHRONY_FIXED = CHRONY_DEBIAN.replace("pool 2.debian.pool.ntp.org iburst", "server 192.0.2.123 iburst")

TIMESYNCD_DEBIAN = """\
#  This file is part of systemd.
[Time]
#NTP=
#FallbackNTP=0.debian.pool.ntp.org 1.debian.pool.ntp.org
#RootDistanceMaxSec=5
"""

#: The directives of Debian's packaged /etc/ntpsec/ntp.conf.
NTPSEC_DEBIAN = """\
driftfile /var/lib/ntpsec/ntp.drift
leapfile /usr/share/zoneinfo/leap-seconds.list
tos maxclock 11
pool 0.debian.pool.ntp.org iburst
pool 1.debian.pool.ntp.org iburst
restrict default kod nomodify nopeer noquery limited
restrict 127.0.0.1
"""


def at(address: str, port: int = 123) -> Server:
    return Server(address, port, UDP)


def keys(address: t.Optional[str], port: int = 4460) -> Server:
    return Server(address, port, ("tcp",))


def test_no_daemon(host: Host) -> None:
    assert host.facts().ntp_servers == ()
    assert "ntp: no time daemon is enabled or running" in host.facts().notes


class TestChrony:
    @pytest.fixture(autouse=True)
    def _enabled(self, host: Host) -> None:
        host.enable("chrony.service")

    def test_as_packaged(self, host: Host) -> None:
        host.write("/etc/chrony/chrony.conf", CHRONY_DEBIAN)
        host.write("/etc/chrony/conf.d/README", "server 192.0.2.99\n")
        host.write("/etc/chrony/sources.d/README", "server 192.0.2.99\n")
        facts = host.facts()
        assert facts.ntp_servers == ANYWHERE
        assert (
            "ntp: anywhere, because of the name 2.debian.pool.ntp.org (chrony, from /etc/chrony/chrony.conf)"
            in facts.notes
        )

    def test_addresses_are_pinned(self, host: Host) -> None:
        host.write(
            "/etc/chrony/chrony.conf",
            """\
            ! comment
            % comment
            server 192.0.2.123 iburst
            Peer 2001:DB8::123 key 5 port 1123
            SERVER 192.0.2.124 minpoll 4 PORT 10123
            server 127.0.0.1
            server
            refclock PHC /dev/ptp0
            # server 192.0.2.99
            """,
        )
        assert host.facts().ntp_servers == (
            at("192.0.2.123"),
            at("192.0.2.124", 10123),
            at("2001:db8::123", 1123),
        )

    def test_red_hats_path(self, host: Host) -> None:
        host.write("/etc/chrony.conf", "server 192.0.2.123\n")
        assert host.facts().ntp_servers == (at("192.0.2.123"),)

    def test_nts(self, host: Host) -> None:
        host.write("/etc/chrony/chrony.conf", "server 192.0.2.123 iburst nts\nserver 192.0.2.124 nts ntsport 14460\n")
        assert host.facts().ntp_servers == (
            at("192.0.2.123"),
            keys("192.0.2.123"),
            at("192.0.2.124"),
            keys("192.0.2.124", 14460),
        )

    def test_nts_of_a_name_is_needed_anywhere(self, host: Host) -> None:
        host.write("/etc/chrony/chrony.conf", "server time.example iburst nts\nserver time2.example port 1123\n")
        assert host.facts().ntp_servers == (*ANYWHERE, Server(None, 1123, UDP), keys(None))

    def test_folders_and_includes(self, host: Host) -> None:
        host.write("/etc/chrony/chrony.conf", CHRONY_FIXED + "include /etc/chrony/extra*.conf\ninclude /missing\n")
        host.write("/etc/chrony/conf.d/site.conf", "server 192.0.2.1\n")
        host.write("/etc/chrony/sources.d/site.sources", "server 192.0.2.2\n")
        host.write("/etc/chrony/sources.d/site.conf", "server 192.0.2.99\n")
        host.write("/etc/chrony/extra1.conf", "server 192.0.2.3\ninclude /etc/chrony/extra1.conf\n")
        host.write("/etc/chrony/extra2.conf", "server 192.0.2.4\ninclude /etc/chrony/chrony.conf\n")
        found = [server.address for server in host.facts().ntp_servers]
        assert found == ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.123"]

    def test_of_one_name_in_two_folders_the_first_counts(self, host: Host) -> None:
        host.write("/etc/chrony/chrony.conf", "confdir /etc/chrony/a /etc/chrony/b\n")
        host.write("/etc/chrony/a/x.conf", "server 192.0.2.1\n")
        host.write("/etc/chrony/b/x.conf", "server 192.0.2.2\n")
        host.write("/etc/chrony/b/y.conf", "server 192.0.2.3\n")
        assert [server.address for server in host.facts().ntp_servers] == ["192.0.2.1", "192.0.2.3"]

    def test_servers_of_a_lease_are_needed_anywhere(self, host: Host) -> None:
        host.write("/etc/chrony/chrony.conf", CHRONY_FIXED)
        host.write("/run/chrony-dhcp/eth0.sources", "server 192.0.2.7 iburst\n")
        assert host.facts().ntp_servers == ANYWHERE
        assert any("a lease brings servers" in note for note in host.facts().notes)

    def test_nothing_configured(self, host: Host) -> None:
        host.write("/etc/chrony/chrony.conf", "driftfile /var/lib/chrony/chrony.drift\n")
        assert host.facts().ntp_servers == ()
        assert "ntp: chrony has no server configured" in host.facts().notes


class TestTimesyncd:
    @pytest.fixture(autouse=True)
    def _enabled(self, host: Host) -> None:
        host.enable("systemd-timesyncd.service", "sysinit.target")
        host.write("/etc/systemd/timesyncd.conf", TIMESYNCD_DEBIAN)

    def test_as_packaged_it_asks_the_names_compiled_in(self, host: Host) -> None:
        facts = host.facts()
        assert facts.ntp_servers == ANYWHERE
        assert (
            "ntp: anywhere, because no server is configured and systemd-timesyncd asks those compiled into it"
            in facts.notes
        )

    def test_addresses_are_pinned(self, host: Host) -> None:
        host.write("/etc/systemd/timesyncd.conf", "[Time]\nNTP=192.0.2.123 2001:db8::123\nFallbackNTP=time.example\n")
        assert host.facts().ntp_servers == (at("192.0.2.123"), at("2001:db8::123"))

    def test_fallback_without_another(self, host: Host) -> None:
        host.write("/etc/systemd/timesyncd.conf", "[Time]\nFallbackNTP=192.0.2.123\n")
        assert host.facts().ntp_servers == (at("192.0.2.123"),)

    def test_drop_ins_in_systemds_order(self, host: Host) -> None:
        host.write("/etc/systemd/timesyncd.conf", "[Time]\nNTP=192.0.2.1\n")
        host.write("/usr/lib/systemd/timesyncd.conf.d/10-vendor.conf", "[Time]\nNTP=192.0.2.2\n")
        host.write("/usr/local/lib/systemd/timesyncd.conf.d/20-local.conf", "[Time]\nNTP=\n[Other]\nNTP=192.0.2.99\n")
        host.write("/etc/systemd/timesyncd.conf.d/30-site.conf", "[Time]\nNTP=192.0.2.3\n")
        host.write("/usr/lib/systemd/timesyncd.conf.d/30-site.conf", "[Time]\nNTP=192.0.2.4\n")
        assert host.facts().ntp_servers == (at("192.0.2.3"),)

    def test_the_drop_in_that_dhclient_writes_is_leased(self, host: Host) -> None:
        host.write(
            "/run/systemd/timesyncd.conf.d/01-dhclient.conf",
            "# NTP server entries received from DHCP server\n[Time]\nNTP=192.0.2.7\n",
        )
        assert host.facts().ntp_servers == ANYWHERE

    def test_servers_of_links(self, host: Host) -> None:
        host.write("/etc/systemd/network/10-lan.network", "[Network]\nNTP=192.0.2.123\n")
        link = "/run/systemd/netif/links/2"
        host.write(link, "NETWORK_FILE=/etc/systemd/network/10-lan.network\nNTP=192.0.2.123\n")
        assert host.facts().ntp_servers == (at("192.0.2.123"),)
        host.write(link, "NETWORK_FILE=/etc/systemd/network/10-lan.network\nNTP=192.0.2.123 192.0.2.7\n")
        assert host.facts().ntp_servers == ANYWHERE


class TestNtpd:
    @pytest.mark.parametrize("unit", ["ntpsec.service", "ntp.service", "ntpd.service"])
    def test_as_packaged(self, host: Host, unit: str) -> None:
        host.enable(unit)
        host.write("/etc/ntpsec/ntp.conf", NTPSEC_DEBIAN)
        assert host.facts().ntp_servers == ANYWHERE

    def test_addresses_are_pinned(self, host: Host) -> None:
        host.enable("ntpsec.service")
        host.write(
            "/etc/ntpsec/ntp.conf",
            """\
            server 192.0.2.123 iburst # ours
            server -6 2001:db8::123 nts
            peer 192.0.2.124
            server 192.0.2.125:14460 nts
            server 127.127.1.0
            includefile site.conf
            restrict 192.0.2.99
            """,
        )
        host.write("/etc/ntpsec/site.conf", "server 192.0.2.126\nincludefile ntp.conf\n")
        host.write("/etc/ntpsec/ntp.d/more.conf", "server 192.0.2.127\n")
        assert host.facts().ntp_servers == (
            at("192.0.2.123"),
            at("192.0.2.124"),
            at("192.0.2.125"),
            keys("192.0.2.125", 14460),
            at("192.0.2.126"),
            at("192.0.2.127"),
            at("2001:db8::123"),
            keys("2001:db8::123"),
        )

    def test_the_copy_of_the_dhcp_hook_replaces_the_configuration(self, host: Host) -> None:
        host.enable("ntpsec.service")
        host.write("/etc/ntpsec/ntp.conf", "server 192.0.2.123\n")
        host.write("/run/ntpsec/ntp.conf.dhcp", "server 192.0.2.7 iburst\n")
        assert host.facts().ntp_servers == ANYWHERE
        host.write("/etc/default/ntpsec", 'NTPD_OPTS="-g -N"\nIGNORE_DHCP="yes"\n')
        assert host.facts().ntp_servers == (at("192.0.2.123"),)

    def test_the_reference_implementation(self, host: Host) -> None:
        host.enable("ntp.service")
        host.write("/etc/ntp.conf", "server 192.0.2.123\n")
        assert host.facts().ntp_servers == (at("192.0.2.123"),)
        host.write("/run/ntp.conf.dhcp", "server 192.0.2.7\n")
        assert host.facts().ntp_servers == ANYWHERE


class TestWhichDaemonCounts:
    @pytest.fixture(autouse=True)
    def _several(self, host: Host) -> None:
        host.write("/etc/chrony/chrony.conf", "server 192.0.2.1\n")
        host.write("/etc/systemd/timesyncd.conf", "[Time]\nNTP=192.0.2.2\n")
        host.write("/etc/ntp.conf", "server 192.0.2.3\n")

    @pytest.mark.parametrize(
        ("unit", "address"),
        [
            ("chrony.service", "192.0.2.1"),
            ("chronyd.service", "192.0.2.1"),
            ("systemd-timesyncd.service", "192.0.2.2"),
            ("ntp.service", "192.0.2.3"),
        ],
    )
    def test_the_enabled_one(self, host: Host, unit: str, address: str) -> None:
        host.enable(unit)
        assert host.facts().ntp_servers == (at(address),)

    def test_all_that_are_enabled(self, host: Host) -> None:
        host.enable("chrony.service")
        host.enable("ntp.service")
        assert host.facts().ntp_servers == (at("192.0.2.1"), at("192.0.2.3"))

    def test_a_masked_unit_is_not_enabled(self, host: Host) -> None:
        host.boot_systemd()
        host.enable("chrony.service")
        host.link("/etc/systemd/system/chrony.service", "/dev/null")
        assert host.facts().ntp_servers == ()

    def test_a_unit_that_the_vendor_enables(self, host: Host) -> None:
        host.boot_systemd()
        host.link("/lib", "usr/lib")
        host.link("/usr/lib/systemd/system/multi-user.target.wants/chronyd.service", "../chronyd.service")
        assert host.facts().ntp_servers == (at("192.0.2.1"),)

    def test_one_that_runs_without_being_enabled(self, host: Host) -> None:
        host.boot_systemd()
        host.run(77, "/run/chrony/chronyd.pid")
        assert host.facts().ntp_servers == (at("192.0.2.1"),)
        (host.path / "run/systemd/timesync").mkdir(parents=True)
        assert host.facts().ntp_servers == (at("192.0.2.1"), at("192.0.2.2"))

    def test_a_stale_pid_file_is_not_running(self, host: Host) -> None:
        host.boot_systemd()
        host.write("/run/chrony/chronyd.pid", "77\n")
        assert host.facts().ntp_servers == ()

    def test_without_systemd_the_configured_ones(self, host: Host) -> None:
        assert host.facts().ntp_servers == (at("192.0.2.1"), at("192.0.2.2"), at("192.0.2.3"))

    @pytest.mark.parametrize("link", ["/etc/runlevels/default/chronyd", "/etc/rc2.d/S01chrony"])
    def test_other_init_systems(self, host: Host, link: str) -> None:
        host.link(link, "/etc/init.d/x")
        assert host.facts().ntp_servers == (at("192.0.2.1"),)
        host.boot_systemd()
        assert host.facts().ntp_servers == ()
