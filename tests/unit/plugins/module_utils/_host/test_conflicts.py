# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which managers count as active, and what is said of them; a program stands in for systemd."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host.conflicts import (
    Conflict,
    describe_coexistence,
    describe_refusal,
    find_managers,
)
from tests.unit.plugins.module_utils._host.host_services import HostServices

Json = t.Dict[str, t.Any]

NFTABLES_UNIT = """\
    [Service]
    Type=oneshot
    RemainAfterExit=yes
    ExecStart=/usr/sbin/nft -f /etc/nftables.conf
    ExecStop=/usr/sbin/nft flush ruleset
    """
NFTABLES_CONF = "table inet filter { chain input { type filter hook input priority 0; policy drop; } }\n"
SAVED = "*filter\n:INPUT DROP [0:0]\nCOMMIT\n"

#: What has to be set up for a unit to load anything.
SET_UP: t.Mapping[str, t.Mapping[str, str]] = {
    "firewalld": {},
    "ufw": {"/etc/ufw/ufw.conf": "ENABLED=yes\n"},
    "netfilter-persistent": {"/etc/iptables/rules.v6": SAVED},
    "iptables": {"/etc/sysconfig/iptables": SAVED},
    "ip6tables": {"/etc/iptables/rules6-save": SAVED},
    "shorewall": {"/etc/shorewall/shorewall.conf": "STARTUP_ENABLED=Yes\n"},
    "shorewall6": {"/etc/shorewall6/shorewall6.conf": "STARTUP_ENABLED=Yes\n"},
    "shorewall-lite": {"/var/lib/shorewall-lite/firewall": "#!/bin/sh\n"},
    "ferm": {"/etc/ferm/ferm.conf": "", "/etc/default/ferm": 'ENABLED="yes"\n'},
    "csf": {"/etc/csf/csf.conf": ""},
    "lfd": {"/etc/csf/csf.conf": ""},
    "nftables": {"/etc/nftables.conf": NFTABLES_CONF},
}
NAMES = {
    "ip6tables": "iptables",
    "shorewall6": "shorewall",
    "shorewall-lite": "shorewall",
    "lfd": "csf",
    "nftables": "nftables.service",
}
#: Without one of these, nothing is loaded; firewalld and those of the first kind need none.
NOT_SET_UP: t.Mapping[str, t.Mapping[str, str]] = {
    "ufw": {"/etc/ufw/ufw.conf": "ENABLED=no\n"},
    "netfilter-persistent": {"/etc/iptables/rules.v4": "*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n"},
    "iptables": {},
    "shorewall": {"/etc/shorewall/shorewall.conf": "STARTUP_ENABLED=No\n"},
    "ferm": {"/etc/ferm/ferm.conf": "", "/etc/default/ferm": "ENABLED=no\n"},
    "csf": {"/etc/csf/csf.conf": "", "/etc/csf/csf.disable": ""},
    "nftables": {"/etc/nftables.conf": "flush ruleset\n"},
}


@pytest.fixture
def host(tmp_path: pathlib.Path) -> HostServices:
    return HostServices(tmp_path)


def _table(where: str, *chains: str, rules: bool = True) -> t.List[Json]:
    family, name = where.split()
    listed: t.List[Json] = [{"table": {"family": family, "name": name}}]
    for chain in chains:
        listed.append({"chain": {"family": family, "table": name, "name": chain}})
        if rules:
            listed.append({"rule": {"family": family, "table": name, "chain": chain, "expr": [{"drop": None}]}})
    return listed


def _find(host: HostServices, listed: object = ()) -> t.List[Conflict]:
    return list(find_managers(host.files, listed, search_path=host.search_path))


def _set_up(host: HostServices, texts: t.Mapping[str, str]) -> None:
    for path, text in texts.items():
        host.write(path, text)


@pytest.mark.parametrize("service", sorted(SET_UP))
def test_what_starts_at_boot_is_found(host: HostServices, service: str) -> None:
    host.install(service, enabled=True)
    _set_up(host, SET_UP[service])
    host.boot_systemd()
    (conflict,) = _find(host)
    assert conflict.name == NAMES.get(service, service)
    assert conflict.evidence[0] == "%s.service starts at boot" % service
    assert [it.name for it in conflict.services] == [service]


@pytest.mark.parametrize("service", sorted(SET_UP.keys() - {"nftables"}))
def test_what_is_active_is_found(host: HostServices, service: str) -> None:
    host.install(service, active=True)
    _set_up(host, SET_UP[service])
    host.boot_systemd()
    (conflict,) = _find(host)
    assert conflict.evidence == ("%s.service is active" % service,)


@pytest.mark.parametrize("service", sorted(SET_UP))
def test_what_is_only_installed_is_no_conflict(host: HostServices, service: str) -> None:
    host.install(service)
    _set_up(host, SET_UP[service])
    host.boot_systemd()
    assert _find(host) == []


@pytest.mark.parametrize("service", sorted(NOT_SET_UP))
def test_a_service_that_loads_nothing_is_no_conflict(host: HostServices, service: str) -> None:
    host.install(service, active=True, enabled=True)
    _set_up(host, NOT_SET_UP[service])
    host.boot_systemd()
    assert _find(host) == []


def test_systemd_is_asked_once(host: HostServices) -> None:
    for service, texts in SET_UP.items():
        host.install(service, active=True, enabled=True)
        _set_up(host, texts)
    host.boot_systemd()
    names = [conflict.name for conflict in _find(host, _table("inet filter", "input"))]
    assert names == [
        "firewalld",
        "ufw",
        "netfilter-persistent",
        "iptables",
        "shorewall",
        "ferm",
        "csf",
        "nftables.service",
    ]
    assert host.questions == 1
    assert host.calls == []


@pytest.mark.parametrize(
    ("name", "table", "chain"),
    [
        ("firewalld", "inet firewalld", "filter_INPUT"),
        ("firewalld", "ip6 filter", "INPUT_ZONES"),
        ("ufw", "ip filter", "ufw-before-input"),
        ("ufw", "ip6 filter", "ufw6-before-input"),
        ("shorewall", "ip filter", "shorewall"),
        ("csf", "ip filter", "LOCALINPUT"),
    ],
)
def test_the_kernel_tells_without_a_service(host: HostServices, name: str, table: str, chain: str) -> None:
    (conflict,) = _find(host, _table(table, chain))
    assert conflict == Conflict(name, ("its rules are in the table '%s'" % table,), conflict.advice, (), (table,))


@pytest.mark.parametrize(
    "listed",
    [
        _table("ip filter", "DOCKER", "DOCKER-USER", "FORWARD"),
        _table("ip nat", "KUBE-SERVICES", "PREROUTING"),
        _table("ip filter", "KUBE-FIREWALL", "INPUT"),
        _table("ip libvirt_network", "guest_output"),
        _table("inet f2b-table", "f2b-chain"),
        _table("inet netavark", "INPUT"),
        _table("inet filter", "input"),
        _table("ip filter", "ufw-before-input", "shorewall", "LOCALINPUT", rules=False),
        _table("inet firewalld"),
        None,
        [None, {"table": None}, 3],
    ],
    ids=[
        "docker",
        "kube-nat",
        "kube-filter",
        "libvirt",
        "fail2ban",
        "podman",
        "by hand",
        "emptied",
        "bare",
        "no",
        "odd",
    ],
)
def test_neighbours_are_no_conflict(host: HostServices, listed: object) -> None:
    assert _find(host, listed) == []


def test_what_is_masked_does_not_count(host: HostServices) -> None:
    host.install("ufw", active=True, enabled=True)
    host.write("/etc/ufw/ufw.conf", "ENABLED=yes\n")
    host.boot_systemd()
    conflicts = _find(host)
    assert [conflict.name for conflict in conflicts] == ["ufw"]
    host.install("ufw", active=True)
    host.mask("ufw")
    host.boot_systemd()
    assert _find(host) == []


def test_a_masked_daemon_that_runs_counts(host: HostServices) -> None:
    host.install("firewalld", active=True)
    host.mask("firewalld")
    host.boot_systemd()
    assert [conflict.evidence for conflict in _find(host)] == [("firewalld.service is active",)]


class TestNftablesService:
    def test_evidence(self, host: HostServices) -> None:
        host.install("nftables", active=True, enabled=True, text=NFTABLES_UNIT)
        host.write("/etc/nftables.conf", NFTABLES_CONF)
        host.boot_systemd()
        (conflict,) = _find(host, _table("inet filter", "input"))
        assert conflict.evidence == (
            "nftables.service is active",
            "nftables.service starts at boot",
            "/etc/nftables.conf refuses packets",
            "its table 'inet filter' is in the kernel",
            "its stop action is 'flush ruleset', which deletes the tables of everybody",
        )
        assert (
            "'systemctl disable nftables.service' (without --now) and 'nft delete table inet filter'" in conflict.advice
        )

    def test_a_unit_that_is_active_without_its_tables_does_nothing_more(self, host: HostServices) -> None:
        host.install("nftables", active=True, text=NFTABLES_UNIT)
        host.write("/etc/nftables.conf", NFTABLES_CONF)
        host.boot_systemd()
        assert _find(host) == []
        assert len(_find(host, _table("inet filter", "input"))) == 1

    def test_another_stop_action(self, host: HostServices) -> None:
        host.install("nftables", enabled=True, text="[Service]\nExecStop=/bin/true\n")
        host.write("/etc/nftables.conf", NFTABLES_CONF)
        host.boot_systemd()
        (conflict,) = _find(host)
        assert conflict.evidence == ("nftables.service starts at boot", "/etc/nftables.conf refuses packets")


class TestOpenRc:
    @pytest.fixture(autouse=True)
    def _alpine(self, host: HostServices) -> None:
        for name in ("iptables", "nftables"):
            host.write("/etc/init.d/%s" % name)
        host.write("/etc/iptables/rules-save", SAVED)

    def test_a_runlevel(self, host: HostServices) -> None:
        assert _find(host) == []
        host.link("/etc/runlevels/boot/iptables", "/etc/init.d/iptables")
        (conflict,) = _find(host)
        assert (conflict.name, conflict.evidence) == ("iptables", ("the service iptables starts at boot",))

    def test_awall_writes_the_rules_of_iptables(self, host: HostServices) -> None:
        host.write("/usr/sbin/awall")
        host.link("/run/openrc/started/iptables", "/etc/init.d/iptables")
        (conflict,) = _find(host)
        assert (conflict.name, conflict.evidence) == ("awall", ("the service iptables is active",))

    def test_nftables(self, host: HostServices) -> None:
        host.write("/etc/nftables.nft", NFTABLES_CONF)
        host.link("/etc/runlevels/boot/nftables", "/etc/init.d/nftables")
        (conflict,) = _find(host)
        assert "rc-update --all del nftables" in conflict.advice


class TestMessages:
    def test_fail_names_what_was_found_and_what_to_do(self) -> None:
        two = [
            Conflict("ufw", ("ufw.service is active", "ufw.service starts at boot"), "'ufw disable'"),
            Conflict("csf", ("csf.service is active",), "'csf --disable'"),
        ]
        lines = describe_refusal(two).splitlines()
        assert len(lines) == 4
        assert "Nothing was changed" in lines[0]
        assert lines[1] == (
            "- ufw: ufw.service is active; ufw.service starts at boot. To remove it by hand: 'ufw disable'."
        )
        assert lines[2].startswith("- csf: ")
        assert "firewall_on_conflict: disable" in lines[3]
        assert "firewall_on_conflict: ignore" in lines[3]

    def test_ignore_warns_with_the_consequence(self) -> None:
        (warning,) = describe_coexistence([Conflict("ufw", ("ufw.service is active",), "'ufw disable'")])
        assert "ufw is active beside Palisade (ufw.service is active). Both must accept a packet" in warning
