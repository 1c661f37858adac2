# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Differences in words: what people read of each kind of change."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._analysis.changed_packets import Limits
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.difference import find_difference
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.difference_text import difference_to_plain
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.meaning import ProgramMeaning
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import build_program

_Variables = t.Dict[str, t.Any]


def _rule(**conditions: object) -> _Variables:
    return {"direction": "ingress", "action": "accept", **conditions}


_SSH = _rule(service="ssh", sources=["198.51.100.0/24", "2001:db8:1::/48"])


def _meaning(*rules: _Variables, **settings: object) -> ProgramMeaning:
    variables = {
        "firewall_policies": {"web": {"rules": list(rules)}},
        "firewall_assigned": ["web"],
        **{"firewall_" + name: value for name, value in settings.items()},
    }
    return ProgramMeaning(build_program(parse_firewall(variables)))


def _plain(before: ProgramMeaning, after: ProgramMeaning, limits: t.Optional[Limits] = None) -> _Variables:
    return difference_to_plain(find_difference(before, after, limits or Limits()))


@pytest.mark.parametrize(
    ("rule", "packets"),
    [
        (_rule(protocol="tcp", destination_ports=[443]), "tcp port 443"),
        (_rule(protocol="tcp", destination_ports=[443], sources=["0.0.0.0/0"]), "IPv4 tcp port 443"),
        (
            _rule(protocol="udp", source_ports=[53], sources=["192.0.2.0/24", "2001:db8::1"]),
            "udp source port 53 from 192.0.2.0/24, 2001:db8::1",
        ),
        (
            _rule(protocol="tcp", destination_ports=["8000-8010"], destinations=["192.0.2.1"]),
            "tcp port 8000-8010 to 192.0.2.1",
        ),
        (_rule(protocol="icmp", icmp_types=["timestamp-request"]), "icmp type timestamp-request"),
        (_rule(protocol=["gre", "esp"]), "gre, esp"),
        (
            _rule(protocol="tcp", destination_ports=[443], sources=["192.0.2.1-192.0.2.2"]),
            "tcp port 443 from 192.0.2.1, 192.0.2.2",
        ),
    ],
)
def test_what_a_rule_accepts_newly(rule: _Variables, packets: str) -> None:
    (group,) = _plain(_meaning(_SSH), _meaning(_SSH, rule))["groups"]
    assert (group["change"], group["packets"], group["exact"]) == ("accepted", packets, True)
    assert group["places"][0]["route"] == "local"
    assert group["text"].splitlines()[0] == "newly accepted: ingress %s" % packets


def test_a_group_has_both_verdicts_rules_and_variables() -> None:
    (group,) = _plain(_meaning(_SSH), _meaning(_SSH, _rule(service="https")))["groups"]
    assert group["before"] == {"verdict": "drop", "rule": "default-ingress", "variable": ""}
    assert group["after"] == {"verdict": "accept", "rule": "web[1]", "variable": "firewall_policies"}
    assert (group["others_before"], group["others_after"], group["more_rules"]) == ([], [], False)
    assert group["witness"]["destination_port"] == 443
    assert group["witness"]["interface"] == "eth0"
    assert "established" not in group["states"]
    assert group["states"][0] == "new"


def test_packets_of_one_state_are_told_with_it() -> None:
    """What changes for open connections alone, where the profile follows none."""
    before = _meaning(_rule(protocol="tcp", destination_ports=22), default_egress="drop", profile="netcup")
    after = _meaning(_rule(protocol="tcp", destination_ports=22), default_egress="drop", profile="host")
    texts = [group["packets"] for group in _plain(before, after)["groups"]]
    assert any("in state established" in text for text in texts), texts


def test_another_interface() -> None:
    plain = _plain(_meaning(_SSH, interfaces=["eth0"]), _meaning(_SSH, interfaces=["eth0", "eth1"]))
    (group,) = plain["groups"]
    assert group["text"].splitlines()[0] == "newly dropped: ingress, on eth1"
    assert group["before"]["rule"] == "interface not filtered"
    assert group["witness"]["interface"] == "eth1"
    assert {place["route"]: place["interfaces"] for place in group["places"]} == {
        "local": ["eth1"],
        "published ports": ["eth1"],
    }


def test_published_ports_alone() -> None:
    (group,) = _plain(_meaning(_SSH), _meaning(_SSH, published="leave"))["groups"]
    assert group["text"].splitlines()[0] == "newly accepted: ingress, for published ports"
    assert group["witness"]["route"] == "published"
    assert [place["route"] for place in group["places"]] == ["published ports"]


def test_several_rules_that_decide_parts() -> None:
    rules = [_rule(protocol="tcp", destination_ports=port) for port in range(1000, 1012)]
    block = _rule(action="drop", sources=["203.0.113.0/24"])
    (group,) = _plain(_meaning(*rules), _meaning(block, *rules))["groups"]
    assert group["after"]["rule"] == "web[0]"
    assert len(group["others_before"]) == 8
    assert group["more_rules"]
    assert group["text"].splitlines()[1].endswith(" and others")


def test_what_was_not_spelled_out_says_so() -> None:
    (group,) = _plain(_meaning(_SSH), _meaning(_SSH, _rule(protocol="tcp")), Limits(regions=0))["groups"]
    assert (group["packets"], group["exact"]) == ("some of tcp", False)
    assert group["states"] == ["new", "established", "related", "invalid", "untracked"]


def test_what_was_not_decided_says_so() -> None:
    plain = _plain(_meaning(_SSH), _meaning(_SSH, _rule(service="https")), Limits(total=0))
    assert (plain["same"], plain["groups"]) == (False, [])
    assert plain["undecided"] == ["web[1] of firewall_policies"]
    assert plain["text"].splitlines() == [
        "meaning: no change was found, but not everything could be decided",
        "  undecided, so there may be more changes by: web[1] of firewall_policies",
    ]
