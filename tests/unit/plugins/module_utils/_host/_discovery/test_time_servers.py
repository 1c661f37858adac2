# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Time servers, in the layouts of chrony, systemd-timesyncd, ntpsec, ntp, OpenNTPD and busybox."""

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

    @pytest.mark.parametrize(
        ("path", "text"),
        [
            ("/etc/default/chrony", 'DAEMON_OPTS="-F 1 -f /etc/site.conf"\n'),
            ("/etc/sysconfig/chronyd", 'OPTIONS="-f /etc/site.conf"\n'),
            ("/etc/conf.d/chronyd", 'CFGFILE="/etc/site.conf"\nFAST_STARTUP=no\n'),
        ],
    )
    def test_a_file_that_the_start_script_names(self, host: Host, path: str, text: str) -> None:
        host.write("/etc/chrony/chrony.conf", CHRONY_FIXED)
        host.write(path, text)
        assert host.facts().ntp_servers == (at("192.0.2.123"),), "the file is not there"
        host.write("/etc/site.conf", "server 192.0.2.1\n")
        assert host.facts().ntp_servers == (at("192.0.2.1"),)

    @pytest.mark.parametrize("folder", ["/var/lib/dhclient", "/var/lib/dhcp"])
    def test_servers_that_a_helper_tells_it(self, host: Host, folder: str) -> None:
        host.write("/etc/chrony.conf", "server 192.0.2.123 iburst\n")
        host.write(folder + "/chrony.servers.eth0", "192.0.2.7 iburst\n")
        assert host.facts().ntp_servers == ANYWHERE


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

    def test_the_reference_implementation_told_to_ignore_leases(self, host: Host) -> None:
        host.enable("ntp.service")
        host.write("/etc/ntp.conf", "server 192.0.2.123\n")
        host.write("/run/ntp.conf.dhcp", "server 192.0.2.7\n")
        host.write("/etc/default/ntp", "NTPD_OPTS='-g'\nIGNORE_DHCP=yes\n")
        assert host.facts().ntp_servers == (at("192.0.2.123"),)

    def test_drop_ins_beside_the_copy_of_the_dhcp_hook(self, host: Host) -> None:
        host.enable("ntpsec.service")
        host.write("/etc/ntpsec/ntp.conf", "server 192.0.2.123\n")
        host.write("/run/ntpsec/ntp.conf.dhcp", "server 192.0.2.7 iburst\n")
        host.write("/etc/ntpsec/ntp.d/nts.conf", "server 192.0.2.1 nts\n")
        assert host.facts().ntp_servers == (*ANYWHERE, keys("192.0.2.1"))

    @pytest.mark.parametrize(
        ("path", "text"),
        [
            ("/etc/default/ntp", "NTPD_OPTS='-g -c /etc/site.conf'\n"),
            ("/etc/sysconfig/ntpd", 'OPTIONS="-g -c /etc/site.conf"\n'),
        ],
    )
    def test_a_file_that_the_start_script_names(self, host: Host, path: str, text: str) -> None:
        host.enable("ntpd.service")
        host.write("/etc/ntp.conf", "server 192.0.2.123\n")
        host.write("/etc/site.conf", "server 192.0.2.1\n")
        host.write(path, text)
        assert host.facts().ntp_servers == (at("192.0.2.1"),)

    def test_an_included_folder(self, host: Host) -> None:
        host.enable("ntpsec.service")
        host.write("/etc/ntpsec/ntp.conf", "includefile site\nincludefile missing\nincludefile\n")
        host.write("/etc/ntpsec/site/a.conf", "server 192.0.2.1\nincludefile site\n")
        host.write("/etc/ntpsec/site/b.txt", "server 192.0.2.2\n")
        assert host.facts().ntp_servers == (at("192.0.2.1"),)

    def test_keys_from_elsewhere(self, host: Host) -> None:
        host.enable("ntpsec.service")
        host.write(
            "/etc/ntpsec/ntp.conf",
            """\
            server [2001:db8::123]:14460 nts
            server 192.0.2.123 nts ask 192.0.2.44:24460
            server 192.0.2.124 iburst nts require keys.example
            """,
        )
        assert host.facts().ntp_servers == (
            keys(None),
            keys("192.0.2.44", 24460),
            at("192.0.2.123"),
            at("192.0.2.124"),
            at("2001:db8::123"),
            keys("2001:db8::123", 14460),
        )


class TestAlpine:
    """OpenRC starts what /etc/runlevels links; its ntpd is the one of busybox."""

    def test_busybox_as_packaged(self, host: Host) -> None:
        host.write("/etc/conf.d/ntpd", 'NTPD_OPTS="-N -p pool.ntp.org"\n')
        host.link("/usr/sbin/ntpd", "/bin/busybox")
        host.write("/bin/busybox", "")
        host.link("/etc/runlevels/default/crond", "/etc/init.d/crond")
        assert host.facts().ntp_servers == (), "it is there, but nothing starts it"
        host.link("/etc/runlevels/default/ntpd", "/etc/init.d/ntpd")
        facts = host.facts()
        assert facts.ntp_servers == ANYWHERE
        assert "ntp: anywhere, because of the name pool.ntp.org (ntpd, from /etc/conf.d/ntpd)" in facts.notes

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ("-N -p 192.0.2.1 -p 2001:db8::1", (at("192.0.2.1"), at("2001:db8::1"))),
            ("-Np 192.0.2.1", (at("192.0.2.1"),)),
            ("-N -p192.0.2.1", (at("192.0.2.1"),)),
            ("-k /etc/keys -p keyno:7:192.0.2.1", (at("192.0.2.1"),)),
            ("-N", (at("192.0.2.123"),)),
            ("-g -p /run/ntpd.pid -u ntp:ntp", (at("192.0.2.123"),)),
        ],
    )
    def test_busybox_reads_its_file_without_a_server_in_its_options(
        self, host: Host, options: str, expected: t.Tuple[Server, ...]
    ) -> None:
        host.link("/etc/runlevels/default/ntpd", "/etc/init.d/ntpd")
        host.write("/etc/ntp.conf", "server 192.0.2.123\n")
        host.write("/etc/conf.d/ntpd", 'NTPD_OPTS="%s"\n' % options)
        assert host.facts().ntp_servers == expected

    def test_chrony(self, host: Host) -> None:
        host.link("/etc/runlevels/default/chronyd", "/etc/init.d/chronyd")
        host.write("/etc/chrony/chrony.conf", "server 192.0.2.123 iburst nts\ninitstepslew 10 192.0.2.124\n")
        assert host.facts().ntp_servers == (at("192.0.2.123"), keys("192.0.2.123"), at("192.0.2.124"))

    def test_one_that_was_started_by_hand(self, host: Host) -> None:
        host.write("/etc/chrony/chrony.conf", "server 192.0.2.123\n")
        host.link("/etc/runlevels/boot/networking", "/etc/init.d/networking")
        assert host.facts().ntp_servers == ()
        host.link("/run/openrc/started/chronyd", "/etc/init.d/chronyd")
        assert host.facts().ntp_servers == (at("192.0.2.123"),)


class TestOpenntpd:
    @pytest.mark.parametrize("path", ["/etc/openntpd/ntpd.conf", "/etc/ntpd.conf"])
    def test_servers(self, host: Host, path: str) -> None:
        host.enable("openntpd.service")
        host.write(path, '#server 192.0.2.99\nlisten on *\nserver 192.0.2.1 weight 5\nserver "2001:db8::1"\nserver\n')
        assert host.facts().ntp_servers == (at("192.0.2.1"), at("2001:db8::1"))
        host.write(path, "servers 0.debian.pool.ntp.org\n")
        assert host.facts().ntp_servers == ANYWHERE

    def test_what_it_asks_over_https_is_said(self, host: Host) -> None:
        host.enable("openntpd.service")
        host.write("/etc/ntpd.conf", 'server 192.0.2.1\nconstraints from "https://www.example/"\n')
        facts = host.facts()
        assert facts.ntp_servers == (at("192.0.2.1"),)
        assert (
            "ntp: https://www.example/ over HTTPS is for a policy to allow (openntpd, from /etc/ntpd.conf)"
            in facts.notes
        )


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
            ("chronyd-restricted.service", "192.0.2.1"),
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
