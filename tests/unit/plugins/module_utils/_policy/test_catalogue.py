# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The built-in services are well formed, and agree with facts that were written down elsewhere."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._core.ports import format_ports, parse_ports
from ansible_collections.palisade.nftables.plugins.module_utils._policy import catalogue, protocols

SERVICES = catalogue.SERVICES
ETC_SERVICES = pathlib.Path("/etc/services")

NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}", re.ASCII)

Ports = t.Set[t.Tuple[str, str]]

#: Written from the RFCs and the daemons' documentation, not from the catalogue.
WELL_KNOWN = {
    "ssh": "tcp/22",
    "telnet": "tcp/23",
    "smtp": "tcp/25",
    "dns": "tcp/53 udp/53",
    "http": "tcp/80",
    "kerberos": "tcp/88 udp/88",
    "pop3": "tcp/110",
    "ntp": "udp/123",
    "imap": "tcp/143",
    "snmp": "udp/161",
    "bgp": "tcp/179",
    "ldap": "tcp/389",
    "https": "tcp/443",
    "http3": "udp/443",
    "smb": "tcp/445",
    "submissions": "tcp/465",
    "ipsec": "udp/500 udp/4500 esp ah",
    "syslog": "udp/514",
    "submission": "tcp/587",
    "ldaps": "tcp/636",
    "dns-over-tls": "tcp/853",
    "rsync": "tcp/873",
    "imaps": "tcp/993",
    "pop3s": "tcp/995",
    "openvpn": "udp/1194",
    "mssql": "tcp/1433",
    "l2tp": "udp/1701",
    "pptp": "tcp/1723 gre",
    "radius": "udp/1812",
    "mqtt": "tcp/1883",
    "nfs": "tcp/2049",
    "zookeeper": "tcp/2181",
    "docker-tls": "tcp/2376",
    "etcd-client": "tcp/2379",
    "etcd-server": "tcp/2380",
    "iscsi": "tcp/3260",
    "mysql": "tcp/3306",
    "rdp": "tcp/3389 udp/3389",
    "stun": "tcp/3478 udp/3478",
    "sieve": "tcp/4190",
    "nts": "tcp/4460",
    "salt-master": "tcp/4505-4506",
    "vxlan": "udp/4789",
    "xmpp-client": "tcp/5222",
    "mdns": "udp/5353",
    "postgresql": "tcp/5432",
    "amqp": "tcp/5672",
    "redis": "tcp/6379",
    "kube-apiserver": "tcp/6443",
    "syslog-tls": "tcp/6514",
    "proxmox-web": "tcp/8006",
    "vault": "tcp/8200",
    "consul-serf-lan": "tcp/8301 udp/8301",
    "consul-http": "tcp/8500",
    "mqtts": "tcp/8883",
    "kafka": "tcp/9092",
    "prometheus": "tcp/9090",
    "node-exporter": "tcp/9100",
    "elasticsearch": "tcp/9200",
    "git": "tcp/9418",
    "zabbix-agent": "tcp/10050",
    "kubelet": "tcp/10250",
    "memcached": "tcp/11211",
    "rabbitmq-management": "tcp/15672",
    "minecraft": "tcp/25565",
    "mongodb": "tcp/27017",
    "wireguard": "udp/51820",
    "mosh": "udp/60000-61000",
    "ospf": "ospf",
    "ping": "icmp:echo-request icmpv6:echo-request",
    "vrrp": "vrrp",
}

#: What /etc/services lists and the catalogue deliberately does not, and why.
LEFT_OUT: t.Mapping[str, t.Tuple[str, str]] = {
    "amqp": ("sctp/5672", "no broker in use listens on SCTP"),
    "dns-over-tls": ("udp/853", "DNS over DTLS is not deployed; DNS over QUIC is the service dns-over-quic"),
    "https": ("udp/443", "HTTP/3 is the service http3"),
    "ldap": ("udp/389", "connectionless LDAP is Active Directory's, and an amplifier"),
    "ldaps": ("udp/636", "never defined for UDP"),
    "nfs": ("udp/2049", "NFS version 4 has no UDP (RFC 7530), and Linux serves none by default"),
    "nut": ("udp/3493", "upsd listens on TCP only"),
    "openvpn": ("tcp/1194", "the service openvpn-tcp"),
    "radius": ("tcp/1812", "RADIUS runs over UDP (RFC 2865)"),
    "radius-acct": ("tcp/1813", "RADIUS accounting runs over UDP (RFC 2866)"),
    "rtmp": ("ddp/1", "AppleTalk's protocol of that name"),
    "rtsp": ("udp/554", "removed in RTSP 2.0 (RFC 7826)"),
    "sips": ("udp/5061", "SIP over TLS is TCP (RFC 3261)"),
    "snmp": ("tcp/161", "agents listen on UDP by default"),
    "snmptrap": ("tcp/162", "receivers listen on UDP by default"),
    "syslog": ("tcp/514", "the service syslog-tcp; the registered name of TCP 514 is shell"),
    "tacacs": ("udp/49", "TACACS+ is TCP (RFC 8907)"),
}

#: What the catalogue has and an entry of that name in /etc/services has not, and why.
ADDED: t.Mapping[str, t.Tuple[str, str]] = {
    "rdp": ("udp/3389", "registered with IANA too, and used by every current server"),
    "rtmp": ("tcp/1935", "Adobe's protocol; the other one is AppleTalk's"),
}


def written(service: catalogue.Service) -> str:
    """A service in the notation of the tables above."""
    entries = []
    for entry in service.entries:
        ports = "".join("/%s" % port for port in entry.destination_ports)
        types = "".join(":%s" % name for name in entry.icmp_types)
        entries.append(entry.protocol + ports + types)
    return " ".join(entries)


def test_there_are_many() -> None:
    assert len(SERVICES) - len(catalogue.SERVICE_ALIASES) >= 100


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_well_formed(name: str) -> None:
    service = SERVICES[name]
    assert NAME.fullmatch(name)
    assert service.entries
    assert len(set(service.entries)) == len(service.entries)
    for entry in service.entries:
        number = protocols.PROTOCOLS[entry.protocol]
        assert protocols.PROTOCOL_NAMES[number] == entry.protocol
        # A rule of netcup takes one port string, and ports only where the protocol has some.
        assert len(entry.destination_ports) == (1 if number in protocols.PORT_PROTOCOLS else 0)
        for port in entry.destination_ports:
            low, high = parse_ports(port)
            assert 0 < low <= high
            assert isinstance(port, int) == (low == high)
            assert format_ports((low, high)) == str(port)
        types = {1: protocols.ICMP_TYPES, 58: protocols.ICMPV6_TYPES}.get(number, {})
        assert set(entry.icmp_types) <= set(types)


def test_titles_are_one_line_that_a_table_can_hold() -> None:
    for name, service in SERVICES.items():
        assert 0 < len(service.title) <= 80, name
        assert service.title.isprintable(), name
        assert "|" not in service.title, name
        assert not service.title.endswith("."), name


def test_entries_of_a_service_do_not_overlap() -> None:
    for name, service in SERVICES.items():
        intervals = sorted(
            (entry.protocol, *parse_ports(port)) for entry in service.entries for port in entry.destination_ports
        )
        for (protocol, _, high), (next_protocol, next_low, _) in zip(intervals, intervals[1:]):
            # Neighbours would be one range, and cost a provider's limit one rule less.
            assert protocol != next_protocol or high + 1 < next_low, name


def test_names_are_sorted_so_that_a_diff_shows_one_line() -> None:
    aliases = list(catalogue.SERVICE_ALIASES)
    services = [name for name in SERVICES if name not in catalogue.SERVICE_ALIASES]
    assert services == sorted(services)
    assert aliases == sorted(aliases)
    assert list(SERVICES) == services + aliases


def test_an_alias_means_its_service() -> None:
    for alias, name in catalogue.SERVICE_ALIASES.items():
        assert name not in catalogue.SERVICE_ALIASES
        assert SERVICES[alias] is SERVICES[name]


def test_the_source_names_nothing_twice() -> None:
    # A dict literal keeps the last of two equal keys without a word.
    source = pathlib.Path(catalogue.__file__).read_text(encoding="utf-8")
    names = re.findall(r'^    "([^"]+)": (?:_service\(|")', source, re.MULTILINE)
    assert sorted(names) == sorted(SERVICES)


@pytest.mark.parametrize("name", WELL_KNOWN)
def test_a_well_known_service_is_what_it_is(name: str) -> None:
    assert written(SERVICES[name]) == WELL_KNOWN[name]


def read_etc_services() -> t.Dict[str, Ports]:
    found: t.Dict[str, Ports] = {}
    for line in ETC_SERVICES.read_text(encoding="utf-8", errors="replace").splitlines():
        fields = line.partition("#")[0].split()
        if len(fields) < 2:
            continue
        port, _, protocol = fields[1].partition("/")
        for name in (fields[0], *fields[2:]):
            found.setdefault(name, set()).add((protocol, port))
    return found


def pairs(text: str) -> Ports:
    return {(protocol, port) for protocol, _, port in (item.partition("/") for item in text.split())}


def test_names_of_etc_services_mean_the_same_here() -> None:
    if not ETC_SERVICES.is_file():
        pytest.skip("this machine has no /etc/services to compare with")
    system = read_etc_services()
    compared = 0
    for name, service in SERVICES.items():
        if name not in system:
            continue
        compared += 1
        canonical = catalogue.SERVICE_ALIASES.get(name, name)
        here = pairs(written(service))
        left_out = pairs(LEFT_OUT[canonical][0]) if canonical in LEFT_OUT else set()
        added = pairs(ADDED[canonical][0]) if canonical in ADDED else set()
        assert here - added <= system[name], name
        # Some distributions list TCP and UDP for every name, as IANA did until RFC 6335.
        other_half = {("udp" if protocol == "tcp" else "tcp", port) for protocol, port in here}
        debian = pathlib.Path("/etc/debian_version").is_file()
        assert system[name] - here <= (left_out if debian else left_out | other_half), name
    assert compared > 30


@pytest.mark.parametrize("table", [LEFT_OUT, ADDED], ids=["left-out", "added"])
def test_every_listed_difference_is_one(table: t.Mapping[str, t.Tuple[str, str]]) -> None:
    for name, (ports, reason) in table.items():
        assert reason
        here = pairs(written(SERVICES[name]))
        assert pairs(ports) <= here if table is ADDED else not pairs(ports) & here


def render(checkout: pathlib.Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-B", str(checkout / "scripts" / "render_services.py"), *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_page_of_services_is_current(checkout: pathlib.Path) -> None:
    run = render(checkout, "--check")
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_a_stale_page_is_found_and_left_alone_by_check(checkout: pathlib.Path, tmp_path: pathlib.Path) -> None:
    page = tmp_path / "services.md"
    page.write_text("old\n", encoding="utf-8")
    run = render(checkout, "--check", str(page))
    assert run.returncode == 1
    assert "render_services.py" in run.stderr
    assert page.read_text(encoding="utf-8") == "old\n"


def test_rendering_writes_a_row_for_each_service(checkout: pathlib.Path, tmp_path: pathlib.Path) -> None:
    page = tmp_path / "docs" / "services.md"
    assert render(checkout, str(page)).returncode == 0
    assert render(checkout, "--check", str(page)).returncode == 0
    text = page.read_text(encoding="utf-8")
    assert "\n| `ipsec` | udp 500, udp 4500, esp, ah | " in text
    assert "\n| `ping` | icmp echo-request, icmpv6 echo-request | " in text
    assert "\n| `dns` | tcp 53, udp 53 | Domain Name System | `domain` |\n" in text
    rows = re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)
    assert rows == [name for name in SERVICES if name not in catalogue.SERVICE_ALIASES]
