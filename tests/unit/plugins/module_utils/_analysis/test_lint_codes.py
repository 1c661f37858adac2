# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every published code: its example has it, and what is nearly the same but right has not."""

from __future__ import annotations

import pathlib
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._analysis.codes import CODES
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.findings import Finding, Severity
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.lint import lint_variables
from ansible_collections.palisade.nftables.plugins.module_utils._core.errors import Path, Problems
from ansible_collections.palisade.nftables.plugins.module_utils._policy.hostfacts import hostfacts_from_plain
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall
from tests.packets.wording import assigned, rule, tcp_in

CHECKOUT = pathlib.Path(__file__).resolve().parents[5]

SSH = tcp_in(22, sources=["198.51.100.0/24"])
BUSY = {"firewall_default_egress": "accept"}


def findings_of(variables: t.Mapping[str, object], **options: t.Any) -> t.List[Finding]:
    host = options.pop("host", None)
    problems = Problems()
    facts = None if host is None else hostfacts_from_plain(host, Path("host"), problems)
    problems.raise_if_any()
    return lint_variables(variables, parse_firewall(variables), facts, **options)


def found(variables: t.Mapping[str, object], code: str, **options: t.Any) -> t.List[Finding]:
    return [one for one in findings_of(variables, **options) if one.code == code]


def rules_with(code: str, *rules: t.Dict[str, object], profile: str = "host", **settings: object) -> t.List[str]:
    """The rules of policy ``web`` for which the code was found."""
    return [str(one.rule) for one in found(assigned(profile, *rules, **settings), code)]


@pytest.mark.parametrize("code", [code for code in CODES if CODES[code].example])
def test_the_example_of_a_code_has_it(code: str) -> None:
    described = CODES[code]
    matching = found(described.example, code, providers=described.providers)
    assert matching
    for one in matching:
        assert one.severity is described.severity


@pytest.mark.parametrize("code", [code for code in CODES if CODES[code].example])
def test_the_example_of_a_code_warns_of_nothing_else(code: str) -> None:
    # An unreachable policy is one whose rules are shadowed, so its example cannot be without.
    also = {"unreachable-policy": {"shadowed"}}.get(code, set())
    warned = {one.code for one in findings_of(CODES[code].example) if one.severity is Severity.WARNING}
    assert warned <= {code, *also}


def test_a_finding_as_plain_data() -> None:
    plain = found(assigned("host", SSH, tcp_in(443), tcp_in("443-443")), "duplicate")[0].to_plain()
    text = plain.pop("text")
    assert text.startswith(
        "duplicate: web[2]: says what web[1] says already, and comes after it (for example tcp from "
    )
    assert plain == {
        "code": "duplicate",
        "severity": "warning",
        "direction": "ingress",
        "rule": "web[2]",
        "variable": "firewall_policies",
        "others": ["web[1]"],
        "witness": {
            "direction": "ingress",
            "protocol": "tcp",
            "source": "203.0.113.7",
            "destination": "198.51.100.1",
            "source_port": 40000,
            "destination_port": 443,
            "text": "tcp from 203.0.113.7 port 40000 to 198.51.100.1 port 443",
        },
        "message": "says what web[1] says already, and comes after it",
        "suggestion": "Remove one of them.",
    }


def test_a_union_of_earlier_rules_shadows_and_each_of_them_is_named() -> None:
    halves = [
        tcp_in(80, sources=["0.0.0.0/1"]),
        tcp_in(80, sources=["128.0.0.0/1", "::/1"]),
        tcp_in("70-90", sources=["8000::/1"]),
    ]
    shadowed = found(assigned("host", SSH, *halves, tcp_in(80)), "shadowed")
    assert [str(one.rule) for one in shadowed] == ["web[4]"]
    assert [str(other) for other in shadowed[0].others] == ["web[1]", "web[2]", "web[3]"]
    assert rules_with("shadowed", SSH, *halves[:2], tcp_in(80)) == []


def test_own_rules_shadow_too() -> None:
    """Neighbour discovery is accepted before any policy."""
    solicitation = rule("ingress", "drop", protocol="icmpv6", icmp_types=["nd-neighbor-solicit"])
    assert rules_with("shadowed", SSH, solicitation) == [], "with another hop limit it decides"
    report = rule("ingress", protocol="icmpv6", icmp_types=["mld-listener-report"], sources=["fe80::/10"])
    covered = found(assigned("host", SSH, report), "covered")
    assert [str(other) for other in covered[0].others] == ["multicast-listener"]


@pytest.mark.parametrize(
    ("between", "merged"),
    [
        (rule("ingress", "drop", protocol="udp"), True),
        (rule("ingress", "drop", sources=["203.0.113.0/24"]), False),
        (rule("ingress", sources=["203.0.113.0/24"]), True),
    ],
)
def test_rules_are_merged_only_past_what_does_not_matter(between: t.Dict[str, object], merged: bool) -> None:
    assert rules_with("mergeable", SSH, tcp_in(80), between, tcp_in(443)) == (["web[1]"] if merged else [])


def test_rules_with_descriptions_of_their_own_are_not_merged() -> None:
    described = [tcp_in(80, description="The shop"), tcp_in(8443, description="The administration")]
    assert rules_with("mergeable", SSH, *described) == []


@pytest.mark.parametrize(("second", "merged"), [(81, True), (443, False)])
def test_netcup_takes_one_range(second: int, merged: bool) -> None:
    found_in = rules_with("mergeable", SSH, tcp_in(80), tcp_in(second), profile="netcup")
    assert found_in == (["web[1]"] if merged else [])


def test_a_conflict_tells_what_the_rules_share() -> None:
    office = {"sources": ["198.51.100.0/24", "2001:db8:1::/48"]}
    web = rule("ingress", service=["http", "https"])
    closing = rule("ingress", "drop", protocol=["tcp", "udp"], destination_ports="80-1023", **office)
    refusing = rule("ingress", "reject", protocol="udp", destination_ports="1-100")
    (conflict,) = found(assigned("host", SSH, web, refusing, closing), "conflict")
    assert conflict.message == (
        "would drop what it shares with an earlier rule, which decides: "
        "web[1] accepts tcp port 80, 443 from 198.51.100.0/24, 2001:db8:1::/48; "
        "web[2] rejects udp port 80-100 from 198.51.100.0/24, 2001:db8:1::/48"
    )


def test_an_exception_is_no_conflict() -> None:
    exception = rule("ingress", "drop", sources=["203.0.113.0/25"], protocol="tcp", destination_ports=443)
    assert rules_with("conflict", SSH, exception, tcp_in(443)) == []


def test_one_unreachable_direction_does_not_make_a_policy_unreachable() -> None:
    rules = [rule("egress", protocol="tcp"), tcp_in(80)]
    variables = {
        "firewall_policies": {"all": {"rules": [rule("ingress", protocol="tcp")]}, "web": {"rules": rules}},
        "firewall_assigned": ["all", "web"],
    }
    assert found(variables, "unreachable-policy") == []
    assert [str(one.rule) for one in found(variables, "covered")] == ["web[1]"]


@pytest.mark.parametrize(("action", "code"), [("accept", "covered"), ("drop", "shadowed")])
def test_policies_may_add_up(action: str, code: str) -> None:
    """A host in two groups has the policies of both; only contradictions are worth a warning."""
    every = rule("ingress", action, protocol="tcp")
    variables = {
        "firewall_policies": {"all": {"rules": [SSH, every]}, "web": {"rules": [tcp_in(80)]}},
        "firewall_assigned": ["all", "web"],
    }
    assert [str(one.rule) for one in found(variables, code)] == ["web[0]"]
    assert len(found(variables, "shadowed")) == len(found(variables, "unreachable-policy")) == (code == "shadowed")


def test_a_policy_that_covers_its_own_rule() -> None:
    assert rules_with("shadowed", SSH, tcp_in("1-1000"), tcp_in(80)) == ["web[2]"]


LOSSES = [
    ({"dns": False}, None, "DNS (port 53)"),
    ({"ntp": False}, None, "NTP (port 123)"),
    ({"dns": False}, {"dns_servers": ["192.0.2.53"]}, "DNS (192.0.2.53 port 53 (udp, tcp))"),
    ({"dns": ["192.0.2.54"]}, {"dns_servers": ["192.0.2.53"]}, "DNS (192.0.2.53 port 53 (udp, tcp))"),
    ({"ntp": ["192.0.2.123"]}, {"ntp_servers": ["192.0.2.123", "192.0.2.124"]}, "NTP (192.0.2.124 port 123 (udp))"),
    (
        {"metadata": False},
        {"metadata_servers": [{"address": "192.0.2.254", "port": 8775, "protocols": ["tcp"]}]},
        "metadata service (192.0.2.254 port 8775 (tcp))",
    ),
    ({"dhcp": False}, {"dhcp4": True}, "DHCP (port 67)"),
    ({"dhcp": False}, {"dhcp6": True}, "DHCPv6 (port 547)"),
    ({"dhcp": False}, {"dhcp4": True, "dhcp6": True}, "DHCP (port 67), DHCPv6 (port 547)"),
]


@pytest.mark.parametrize(("safeguards", "host", "lost"), LOSSES)
def test_what_the_first_egress_rule_cuts(
    safeguards: t.Dict[str, object], host: t.Optional[t.Dict[str, object]], lost: str
) -> None:
    web = rule("egress", protocol="tcp", destination_ports=[80, 443])
    variables = assigned("host", SSH, web, firewall_safeguards=safeguards)
    cut = found(variables, "egress-cut", host=host)
    assert [str(one.rule) for one in cut] == ["web[1]"]
    assert cut[0].message.endswith("the host loses " + lost)
    without = assigned("host", SSH, web)
    assert found(without, "egress-cut", host=host) == []
    assert found({**variables, "firewall_default_egress": "drop"}, "egress-cut", host=host) == [], "it was asked for"


def test_ssh_needs_the_way_back_where_connections_are_not_followed() -> None:
    way_out = rule("egress", protocol="tcp", destination_ports=443)
    assert rules_with("ssh-locked-out", SSH, way_out) == []
    assert rules_with("ssh-locked-out", SSH, way_out, profile="netcup") == ["None"]
    answers = rule("egress", protocol="tcp", source_ports=22)
    assert rules_with("ssh-locked-out", SSH, way_out, answers, profile="netcup") == []


@pytest.mark.parametrize("conditions", [{}, {"service": "ssh"}, {"protocol": "tcp", "destination_ports": "1-1023"}])
def test_ssh_is_locked_out_where_the_default_accepts_too(conditions: t.Dict[str, object]) -> None:
    opened = {"firewall_default_ingress": "accept"}
    assert len(found(assigned("host", rule("ingress", "drop", **conditions), **opened), "ssh-locked-out")) == 1
    few = {**conditions, "sources": ["203.0.113.66"]}
    assert found(assigned("host", rule("ingress", "drop", **few), **opened), "ssh-locked-out") == []


def test_ssh_on_another_port() -> None:
    variables = assigned("host", tcp_in(2222))
    assert found(variables, "ssh-locked-out")
    assert found(variables, "ssh-locked-out", ssh_port=2222) == []
    assert found({**variables, "firewall_safeguards": {"ssh": False}}, "ssh-locked-out") == []
    assert found({**variables, "firewall_safeguards": {"ssh": True}}, "ssh-locked-out") == []


def test_udp_with_its_reply_half() -> None:
    request = rule("ingress", protocol="udp", destination_ports=53)
    answer = rule("egress", protocol="udp", source_ports=53)
    closed = {"profile": "netcup", "firewall_default_egress": "drop"}
    assert rules_with("reply-missing", SSH, request, **closed) == ["web[1]"]
    assert rules_with("reply-missing", SSH, request, answer, **closed) == []
    assert rules_with("reply-missing", SSH, request, profile="netcup") == [], "egress is open"
    assert rules_with("reply-missing", SSH, request, firewall_default_egress="drop") == [], "answers are followed"
    client = rule("egress", protocol="udp", destination_ports=123)
    assert rules_with("reply-missing", SSH, client, **closed) == ["web[1]"]
    narrow = rule("ingress", protocol="udp", source_ports=123, sources=["192.0.2.0/25"])
    assert rules_with("reply-missing", SSH, client, narrow, **closed) == ["web[1]"], "half of the servers"


def test_both_families_and_one() -> None:
    assert rules_with("family-forgotten", SSH, tcp_in(443, sources=["0.0.0.0/0", "::/0"])) == []
    assert rules_with("family-forgotten", SSH, tcp_in(443, sources=["203.0.113.0/24"])) == [], "a network, not a family"
    assert rules_with("family-forgotten", SSH, tcp_in(443, sources=["::/0"])) == ["web[1]"]
    both = [tcp_in(443, sources=["0.0.0.0/0"]), tcp_in(443, sources=["::/0"])]
    assert rules_with("family-forgotten", SSH, *both) == []
    closing = rule("ingress", "drop", protocol="tcp", destination_ports=3306, sources=["0.0.0.0/0"])
    opened = {"firewall_default_ingress": "accept"}
    assert rules_with("family-forgotten", closing, **opened) == ["web[0]"]


@pytest.mark.parametrize(
    ("conditions", "exposed"),
    [
        ({"service": "redis"}, True),
        ({"service": "rdp"}, True),
        ({"protocol": "tcp", "destination_ports": "1024-65535"}, True),
        ({}, True),
        ({"protocol": "tcp", "destination_ports": 2375}, True),
        ({"service": "redis", "sources": ["198.51.100.0/24"]}, False),
        ({"service": ["http", "https", "smtp", "domain"]}, False),
        ({"service": "redis", "sources": ["1.0.0.0-223.255.255.255"]}, True),
        ({"service": "redis", "sources": ["2000::/3"]}, True),
        ({"service": "redis", "sources": ["198.18.0.0/15", "fc00::/7", "10.0.0.0/8"]}, False),
        ({"protocol": "tcp", "source_ports": "1024-65535", "destination_ports": 6379}, True),
        ({"protocol": "tcp", "source_ports": 443, "destination_ports": "1024-65535"}, False),
    ],
)
def test_what_is_made_for_few(conditions: t.Dict[str, object], exposed: bool) -> None:
    assert rules_with("exposed", SSH, rule("ingress", **conditions)) == (["web[1]"] if exposed else [])


@pytest.mark.parametrize("code", ["exposed", "exposed-ssh"])
def test_whom_an_earlier_rule_refuses_leaves_the_port_open_to_the_others(code: str) -> None:
    opened = rule("ingress", service="redis" if code == "exposed" else "ssh")
    some = rule("ingress", "drop", sources=["203.0.113.66", "203.0.113.99", "2001:db8:bad::/48"])
    assert rules_with(code, some, opened) == ["web[1]"]
    most = rule("ingress", "drop", sources=["0.0.0.0-239.255.255.255", "::/1", "8000::/2", "c000::/3"])
    assert rules_with(code, most, opened) == ["web[1]"], "a sixteenth is left, and more of IPv6"
    more = rule("ingress", "drop", sources=["0.0.0.0-240.0.0.0", "::/1", "8000::/2", "c000::/3", "e000::/4"])
    assert rules_with(code, more, rule("ingress", "drop", sources=["f000::/8"]), opened) == []


def test_what_an_earlier_rule_refuses_is_not_exposed() -> None:
    refusal = rule("ingress", "drop", service="postgresql")
    assert rules_with("exposed", SSH, refusal, tcp_in("5000-6000", sources=["0.0.0.0/0"])) == ["web[2]"], "couchdb"
    assert rules_with("exposed", SSH, refusal, tcp_in("5400-5500", sources=["0.0.0.0/0"])) == []


def test_source_ports_of_known_servers_are_no_hole() -> None:
    answers = {"protocol": "udp", "source_ports": 53}
    assert rules_with("source-port-hole", SSH, rule("ingress", **answers)) == ["web[1]"]
    assert rules_with("source-port-hole", SSH, rule("ingress", **answers, sources=["192.0.2.53"])) == []
    high = rule("ingress", **answers, destination_ports="1024-65535")
    assert rules_with("source-port-hole", SSH, high) == []
    assert rules_with("source-port-hole", SSH, rule("egress", **answers), **BUSY) == []


def test_providers_are_asked_by_name_alone() -> None:
    variables = assigned("host", SSH, rule("egress", protocol="tcp", destination_ports=443), **BUSY)
    assert found(variables, "provider-refuses") == []
    refused = found(variables, "provider-refuses", providers=["netcup", "contabo"])
    assert len(refused) == 1
    assert "the profile contabo filters incoming traffic only" in refused[0].message


def test_nothing_restricted_is_nothing_to_say() -> None:
    assert findings_of({}) == []


def test_the_page_of_codes_is_current() -> None:
    command = [sys.executable, "-B", str(CHECKOUT / "scripts" / "render_lint.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_code_is_in_the_page() -> None:
    text = (CHECKOUT / "docs" / "lint.md").read_text(encoding="utf-8")
    for code in CODES:
        assert "\n### %s\n" % code in text
