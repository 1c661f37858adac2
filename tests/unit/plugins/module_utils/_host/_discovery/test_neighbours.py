# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Other firewalls and published ports, from files and from what real versions of nft list."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host._discovery.neighbours import (
    Finding,
    find_neighbours,
)

if t.TYPE_CHECKING:
    from .conftest import Host

Json = t.Dict[str, t.Any]


def codes(host: Host, listed: object = ()) -> t.List[str]:
    return [finding.code for finding in find_neighbours(host.root, listed)]


def found(host: Host, listed: object) -> t.List[Finding]:
    return list(find_neighbours(host.root, listed))


def table(family: str, name: str) -> Json:
    return {"table": {"family": family, "name": name, "handle": 1}}


def chain(where: str, name: str, hook: str = "", policy: str = "accept") -> Json:
    family, table_name = where.split()
    body: Json = {"family": family, "table": table_name, "name": name, "handle": 1}
    if hook:
        body.update({"type": "filter", "hook": hook, "prio": 0, "policy": policy})
    return {"chain": body}


def rule(where: str, name: str, *statements: object) -> Json:
    family, table_name = where.split()
    return {"rule": {"family": family, "table": table_name, "chain": name, "handle": 2, "expr": list(statements)}}


def match(field: str, right: object, protocol: str = "tcp") -> Json:
    return {"match": {"op": "==", "left": {"payload": {"protocol": protocol, "field": field}}, "right": right}}


COUNTER = {"counter": {"packets": 0, "bytes": 0}}
DROP: Json = {"drop": None}


class TestFiles:
    def test_nothing(self, host: Host) -> None:
        assert codes(host) == []

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("#!/usr/sbin/nft -f\n\nflush ruleset\n\ntable inet filter {\n}\n", ["nftables-service"]),
            ("table inet x\ndelete table inet x; flush  ruleset\n", ["nftables-service"]),
            ("flush ruleset inet\n", ["nftables-service"]),
            ("# flush ruleset\n", []),
            ("flush table inet filter\n", []),
            ('include "/etc/nftables.d/*.nft"\n', ["nftables-service"]),
            ('include "nftables.d/a.nft"\n', ["nftables-service"]),
            ('include "/etc/nftables.conf"\n', []),
        ],
    )
    def test_nftables_service(self, host: Host, text: str, expected: t.List[str]) -> None:
        host.write("/etc/nftables.conf", text)
        host.write("/etc/nftables.d/a.nft", "flush ruleset\n")
        assert codes(host) == []
        host.enable("nftables.service", "sysinit.target")
        assert codes(host) == expected

    def test_nftables_service_of_red_hat(self, host: Host) -> None:
        host.enable("nftables.service")
        host.write("/etc/sysconfig/nftables.conf", 'include "/etc/nftables/main.nft"\n')
        host.write("/etc/nftables/main.nft", "flush ruleset\n")
        (finding,) = found(host, [])
        assert "/etc/nftables/main.nft" in finding.message


class TestForeignChains:
    def test_policy_drop(self, host: Host) -> None:
        (finding,) = found(
            host,
            [
                table("ip", "filter"),
                chain("ip filter", "INPUT", "input", "drop"),
                chain("ip filter", "FORWARD", "forward", "drop"),
                chain("ip filter", "OUTPUT", "output", "drop"),
            ],
        )
        assert finding.code == "foreign-chain"
        assert (
            "'ip filter' refuses packets as well, in its chain 'INPUT' (hook input, policy drop) and "
            "chain 'OUTPUT' (hook output, policy drop)."
        ) in finding.message

    @pytest.mark.parametrize(
        ("own", "expected"),
        [("inet palisade", []), ("ip palisade", ["foreign-chain"]), ("inet other", ["foreign-chain"])],
    )
    def test_the_own_table_is_not_foreign(self, host: Host, own: str, expected: t.List[str]) -> None:
        assert codes(host, [table(*own.split()), chain(own, "ingress", "input", "drop")]) == expected

    def test_another_name_of_the_own_table(self, host: Host) -> None:
        listed = [chain("inet mine", "ingress", "input", "drop")]
        assert find_neighbours(host.root, listed, self_table="mine") == ()

    @pytest.mark.parametrize("family", ["bridge", "arp", "netdev"])
    def test_other_families_do_not_filter_packets_of_the_host(self, host: Host, family: str) -> None:
        assert codes(host, [chain("%s filter" % family, "x", "input", "drop")]) == []

    WHERE = "inet other"

    @pytest.mark.parametrize(
        ("rules", "refuses"),
        [
            ([[COUNTER, DROP]], True),
            ([[{"reject": {"type": "icmpx", "expr": "admin-prohibited"}}]], True),
            ([[{"log": {"prefix": "x"}}, {"reject": None}]], True),
            ([["drop"]], True),
            ([[COUNTER, {"xt": {"type": "target", "name": "REJECT"}}]], True),
            ([[COUNTER, {"xt": {"type": "target", "name": "LOG"}}]], False),
            ([[COUNTER, {"xt": None}]], False),
            ([[match("dport", 22), DROP]], False),
            ([[{"limit": {"rate": 1, "per": "second"}}, DROP]], False),
            ([[match("dport", 22), {"accept": None}], [DROP]], True),
            ([[{"accept": None}], [DROP]], False),
            ([[{"return": None}], [DROP]], False),
            ([[{"jump": {"target": "refuse"}}]], True),
            ([[{"goto": {"target": "refuse"}}]], True),
            ([[{"jump": {"target": "nothing"}}], [DROP]], True),
            ([[{"goto": {"target": "nothing"}}], [DROP]], False),
            ([[{"jump": {"target": "itself"}}]], False),
            ([[{"jump": {"target": "missing"}}]], False),
            ([], False),
        ],
    )
    def test_what_refuses_the_rest(self, host: Host, rules: t.List[t.List[object]], refuses: bool) -> None:
        where = self.WHERE
        listed = [
            chain(where, "input", "input"),
            chain(where, "refuse"),
            chain(where, "nothing"),
            chain(where, "itself"),
            rule(where, "refuse", match("dport", 22), {"return": None}),
            rule(where, "refuse", DROP),
            rule(where, "nothing", COUNTER),
            rule(where, "itself", {"jump": {"target": "itself"}}),
            rule(where, "itself", {"goto": {"target": "itself"}}),
            *(rule(where, "input", *statements) for statements in rules),
        ]
        assert codes(host, listed) == (["foreign-chain"] if refuses else [])


class TestPublishedPorts:
    def test_docker_by_iptables(self, host: Host) -> None:
        """As nft 1.0.6 lists the rules of iptables 1.8.9 that Docker makes for ``-p 8443:443``."""
        where = "ip nat"
        (finding,) = found(
            host,
            [
                {"metainfo": {"version": "1.0.6", "release_name": "Lester Gooch #5", "json_schema_version": 1}},
                table("ip", "nat"),
                chain(where, "DOCKER"),
                chain(where, "PREROUTING", "prerouting"),
                rule(
                    where, "DOCKER", {"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "docker0"}}
                ),
                rule(
                    where,
                    "DOCKER",
                    {"match": {"op": "!=", "left": {"meta": {"key": "iifname"}}, "right": "docker0"}},
                    match("dport", 8443),
                    COUNTER,
                    {"xt": {"type": "target", "name": "DNAT"}},
                ),
                rule(
                    where,
                    "PREROUTING",
                    {"xt": {"type": "match", "name": "addrtype"}},
                    COUNTER,
                    {"jump": {"target": "DOCKER"}},
                ),
            ],
        )
        assert finding.code == "published-ports"
        assert "tcp/8443 (table 'ip nat')" in finding.message
        assert "with firewall_published: leave the ingress policy does not filter" in finding.message

    def test_forms_of_ports(self, host: Host) -> None:
        where = "inet netavark"
        to = {"dnat": {"family": "ip", "addr": "10.88.0.2", "port": 80}}
        (finding,) = found(
            host,
            [
                rule(where, "dn", match("dport", {"set": [81, {"range": [90, 95]}, {"elem": {"val": 99}}]}), to),
                rule(where, "dn", match("dport", {"range": [5000, 5010]}, "udp"), to),
                rule(
                    where,
                    "dn",
                    {"match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": "sctp"}},
                    match("dport", 7, "th"),
                    to,
                ),
                rule(
                    where,
                    "dn",
                    {
                        "dnat": {
                            "family": "ip",
                            "addr": {
                                "map": {
                                    "key": {"payload": {"protocol": "tcp", "field": "dport"}},
                                    "data": {"set": [[100, "10.88.0.9"], [{"elem": {"val": 101}}, "10.88.0.9"]]},
                                }
                            },
                        }
                    },
                ),
            ],
        )
        for text in ("tcp/81", "tcp/90-95", "tcp/99", "udp/5000-5010", "sctp/7", "tcp/100", "tcp/101"):
            assert "%s (table 'inet netavark')" % text in finding.message

    def test_ports_that_are_not_shown(self, host: Host) -> None:
        (finding,) = found(host, [rule("ip nat", "DOCKER", {"xt": {"type": "target", "name": "DNAT"}})])
        assert "rules in table 'ip nat' whose ports nft does not show" in finding.message

    def test_many_ports_are_counted(self, host: Host) -> None:
        (finding,) = found(host, [rule("ip nat", "D", match("dport", port), {"dnat": {}}) for port in range(1, 101)])
        assert "tcp/20 (table 'ip nat'), 80 more" in finding.message
        assert "tcp/21 " not in finding.message

    def test_connections_of_the_host_itself_do_not_count(self, host: Host) -> None:
        listed = [chain("ip nat", "OUTPUT", "output"), rule("ip nat", "OUTPUT", match("dport", 80), {"dnat": {}})]
        assert codes(host, listed) == []


ODD_VALUES: t.Tuple[object, ...] = (
    *(None, True, 0, -1, 1.5, "", "x", "drop", [], {}, [[]], [None], {"": None}, {"set": None}, {"range": [1]}),
    *({"map": {}}, {"payload": {}}, {"match": None}, {"jump": None}, {"jump": "x"}, {"xt": []}, {"elem": []}),
)


def distort(value: t.Any, choose: random.Random) -> t.Any:
    """The value with odd ones in places chosen at random."""
    if choose.random() < 0.08:
        return choose.choice(ODD_VALUES)
    if isinstance(value, dict):
        return {key: distort(item, choose) for key, item in value.items()}
    if isinstance(value, list):
        return [distort(item, choose) for item in value]
    return value


@pytest.mark.parametrize("listed", ODD_VALUES)
def test_odd_lists(host: Host, listed: object) -> None:
    assert codes(host, listed) == []
    assert codes(host, [listed, {"table": listed, "chain": listed, "rule": listed}]) == []


def test_odd_shapes_anywhere(host: Host) -> None:
    where = "inet other"
    listed = [
        table("inet", "other"),
        chain(where, "input", "input", "drop"),
        rule(where, "input", COUNTER, {"jump": {"target": "input"}}),
        rule(
            where, "input", match("dport", {"set": [1, {"range": [2, 3]}, {"elem": {"val": 4}}]}), {"dnat": {"port": 1}}
        ),
        rule(where, "input", {"dnat": {"addr": {"map": {"key": match("dport", 1), "data": {"set": [[1, "x"]]}}}}}),
        rule(where, "input", {"xt": {"type": "target", "name": "REJECT"}}, DROP),
    ]
    for seed in range(1000):
        for finding in found(host, distort(listed, random.Random(seed))):
            assert finding.message.endswith(".")


SETUP = """\
set -e
nft -f - <<'END'
table inet palisade {
    chain ingress { type filter hook input priority 0; policy drop; }
}
table inet netavark {
    chain pre { type nat hook prerouting priority -100; jump dn; }
    chain dn {
        ip daddr 192.0.2.1 tcp dport 8080 dnat ip to 10.88.0.2:80
        udp dport { 81, 90-95 } dnat ip to 10.88.0.3
        dnat ip to tcp dport map { 100 : 10.88.0.9 }
    }
}
table inet strict {
    chain in { type filter hook input priority 10; ct state established accept; counter log jump refuse; }
    chain refuse { tcp dport 22 return; reject with icmpx type admin-prohibited; }
    chain out { type filter hook output priority 10; tcp dport 25 drop; }
}
END
nft -j list ruleset
"""


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("nft"),
    reason="needs root and nft to load rules in a network namespace of its own",
)
def test_what_nft_lists(host: Host) -> None:
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", SETUP], capture_output=True, text=True, check=True, timeout=60
    )
    chains, ports = found(host, json.loads(done.stdout)["nftables"])
    assert chains.code == "foreign-chain"
    assert "'inet strict'" in chains.message
    assert "chain 'in' (hook input, a last rule that refuses the rest)" in chains.message
    assert "'out'" not in chains.message
    assert ports.code == "published-ports"
    for text in ("tcp/100", "tcp/8080", "udp/81", "udp/90-95"):
        assert text in ports.message


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("iptables-nft") or not shutil.which("nft"),
    reason="needs root, nft and iptables-nft to load rules in a network namespace of its own",
)
def test_what_nft_lists_of_iptables(host: Host) -> None:
    script = """\
set -e
iptables-nft -t nat -N DOCKER
iptables-nft -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
iptables-nft -t nat -A DOCKER ! -i docker0 -p tcp -m tcp --dport 8443 -j DNAT --to-destination 172.17.0.2:443
iptables-nft -A INPUT -p tcp --dport 22 -j ACCEPT
iptables-nft -A INPUT -j REJECT
nft -j list ruleset
"""
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    if "xt" not in done.stdout and "dnat" not in done.stdout:
        pytest.skip("this kernel has no extensions of iptables: %s" % done.stderr.strip())
    messages = {finding.code: finding.message for finding in found(host, json.loads(done.stdout)["nftables"])}
    assert set(messages) == {"foreign-chain", "published-ports"}
    assert "'ip filter'" in messages["foreign-chain"]
    assert "'ip nat'" in messages["published-ports"]
