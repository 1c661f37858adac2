# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which rule decides and why: one example of each stage, and the text."""

from __future__ import annotations

import textwrap
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._analysis.answer import answer
from ansible_collections.palisade.nftables.plugins.module_utils._core.errors import PolicyError
from tests.packets.wording import program_of

VARIABLES: t.Dict[str, t.Any] = {
    "firewall_networks": {"office": ["198.51.100.0/24", "2001:db8:1::/48"], "many": "198.18.0.0/24"},
    "firewall_policies": {
        "ssh": {"rules": [{"direction": "ingress", "service": "ssh", "sources": ["office"], "action": "accept"}]},
    },
    "firewall_policies_web": {
        "web": {
            "rules": [
                {"direction": "ingress", "protocol": "tcp", "destination_ports": [80, 443], "action": "accept"},
                {
                    "description": "Only from\n  the office",
                    "direction": "ingress",
                    "protocol": "tcp",
                    "destination_ports": ["8000-8100"],
                    "destinations": ["192.0.2.10"],
                    "sources": ["office"],
                    "action": "reject",
                },
            ]
        },
    },
    "firewall_assigned": [{"policy": "ssh", "order": 60}],
    "firewall_assigned_web": ["web"],
}


def ask(packet: object, host: t.Optional[t.Mapping[str, object]] = None, **variables: t.Any) -> t.Dict[str, t.Any]:
    merged = {**VARIABLES, **variables}
    return answer(packet, program_of(merged, host=host), merged)


EGRESS = {"firewall_default_egress": "drop"}
STAGES = [
    ("tcp port 22 on lo", "accept", "interface", "lo", {}),
    ("out tcp port 22", "accept", "unrestricted", "default-egress", {}),
    ("forwarded tcp port 22", "accept", "forwarded", "forwarded", {}),
    ("published tcp from 198.51.100.9 to port 22", "accept", "assigned", "ssh[0]", {}),
    ("published tcp from 203.0.113.7 to port 22", "drop", "default-action", "default-ingress", {}),
    ("published tcp port 22", "accept", "forwarded", "published", {"firewall_published": "leave"}),
    ("tcp port 22 established", "accept", "state", "established", {}),
    ("tcp port 22 invalid", "drop", "state", "invalid", {}),
    ("out udp to 46.38.225.230 port 53", "accept", "fixed", "netcup-dns", {**EGRESS, "firewall_profile": "netcup"}),
    ("out udp port 123", "accept", "safeguard", "ntp", EGRESS),
    ("ping", "accept", "default-policy", "ping[0]", {}),
    ("tcp from 198.51.100.9 to port 22", "accept", "assigned", "ssh[0]", {}),
    ("tcp from 198.51.100.9 to 192.0.2.10 port 8001", "reject", "assigned", "web[1]", {}),
    ("tcp from 203.0.113.7 to port 22", "drop", "default-action", "default-ingress", {}),
]


@pytest.mark.parametrize(("packet", "verdict", "stage", "origin", "variables"), STAGES)
def test_stages(packet: str, verdict: str, stage: str, origin: str, variables: t.Dict[str, t.Any]) -> None:
    if variables.get("firewall_profile") == "netcup":
        variables = {**variables, "firewall_policies": {}, "firewall_policies_web": {}}
        variables.update(firewall_assigned=[], firewall_assigned_web=[])
    found = ask(packet, {"ntp_servers": ["any"]}, **variables)
    assert (found["verdict"], found["stage"], found["origin"]) == (verdict, stage, origin)
    assert found["text"].startswith(verdict + ": ")


def test_where_the_deciding_rule_comes_from() -> None:
    found = ask("tcp from 203.0.113.7 to port 443")
    assert {key: found[key] for key in ("policy", "index", "variable", "assigned_at", "rule", "description")} == {
        "policy": "web",
        "index": 0,
        "variable": "firewall_policies_web",
        "assigned_at": "firewall_assigned_web[0]",
        "rule": "accept tcp port 80, 443",
        "description": "",
    }


def test_what_is_no_policys_has_no_policy() -> None:
    found = ask("tcp port 1 established")
    assert (found["policy"], found["index"], found["variable"], found["assigned_at"]) == ("", None, "", "")


def test_near_misses() -> None:
    found = ask("tcp from 203.0.113.7 to port 22")
    assert [(one["origin"], one["condition"], one["has"], one["wants"]) for one in found["near_misses"]] == [
        ("web[0]", "destination_ports", "22", "80, 443"),
        ("ssh[0]", "sources", "203.0.113.7", "office (198.51.100.0/24, 2001:db8:1::/48)"),
    ]
    assert found["near_misses"][1] == {
        "stage": "assigned",
        "origin": "ssh[0]",
        "policy": "ssh",
        "index": 0,
        "variable": "firewall_policies",
        "defined_by": "",
        "rule": "accept tcp port 22 from office",
        "action": "accept",
        "condition": "sources",
        "has": "203.0.113.7",
        "wants": "office (198.51.100.0/24, 2001:db8:1::/48)",
    }


def test_later_rules_are_no_near_misses() -> None:
    found = ask("tcp from 203.0.113.7 to port 443")
    assert found["near_misses"] == []


def test_the_answer_says_what_it_hangs_on() -> None:
    assert ask("tcp from 198.51.100.9 to port 8001")["depends_on"] == ["destination"]
    # Two fields that were not said, and only together they make the rule match.
    assert ask("tcp to port 8001")["depends_on"] == ["destination", "source"]
    assert ask("tcp from 203.0.113.9 to port 8001")["depends_on"] == []
    assert ask("tcp to port 80")["depends_on"] == []
    # The deciding rule asks for what was assumed.
    by_type = ask("icmp")
    assert (by_type["origin"], by_type["depends_on"]) == ("ping[0]", ["icmp_type"])


def test_the_text() -> None:
    assert ask("tcp from 198.51.100.9 to port 8001")["text"] == textwrap.dedent("""\
        drop: ingress tcp from 198.51.100.9 to port 8001, new, on eth0
          because: no rule matches, and the default action of ingress is drop
          not said, and the answer depends on it: destination
          earlier rules that it failed in one condition only:
            web[0] of firewall_policies_web: accept tcp port 80, 443
              destination_ports: it has 8001, the rule wants 80, 443
            web[1] of firewall_policies_web: reject tcp port 8000-8100 from office to 192.0.2.10
              destinations: it has an unnamed address, the rule wants 192.0.2.10
            ssh[0] of firewall_policies: accept tcp port 22 from office
              destination_ports: it has 8001, the rule wants 22""")
    assert ask("tcp from 198.51.100.9 to 192.0.2.10 port 8001")["text"] == textwrap.dedent("""\
        reject: ingress tcp from 198.51.100.9 to 192.0.2.10 port 8001, new, on eth0
          because: web[1] of firewall_policies_web, assigned at firewall_assigned_web[0]
            reject tcp port 8000-8100 from office to 192.0.2.10
            # Only from the office
          earlier rules that it failed in one condition only:
            web[0] of firewall_policies_web: accept tcp port 80, 443
              destination_ports: it has 8001, the rule wants 80, 443""")


def test_the_text_stays_short() -> None:
    rules = [
        {"direction": "ingress", "protocol": "tcp", "destination_ports": [port], "action": "accept"}
        for port in range(1000, 1040)
    ]
    found = ask("tcp port 22", firewall_policies_many={"many": {"rules": rules}}, firewall_assigned=["many"])
    assert len(found["near_misses"]) == 41
    assert len(found["text"].splitlines()) == 24
    assert found["text"].endswith("and 31 more")


def test_near_misses_that_would_change_the_verdict_come_first_in_the_text() -> None:
    rules = [
        {"direction": "ingress", "protocol": "tcp", "destination_ports": [1], "action": "drop"},
        {"direction": "ingress", "protocol": "tcp", "destination_ports": [2], "action": "accept"},
    ]
    found = ask(
        "tcp port 22",
        firewall_policies={"two": {"rules": rules}},
        firewall_assigned=["two"],
        firewall_assigned_web=[],
    )
    assert [one["origin"] for one in found["near_misses"]] == ["two[0]", "two[1]"]
    assert found["text"].index("two[1]") < found["text"].index("two[0]")


def test_a_packet_that_is_none() -> None:
    with pytest.raises(PolicyError, match="the protocol is missing"):
        ask("from 198.51.100.9")
