# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as data: what it takes of policies and hosts, and that it is a function of them."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.plugin_utils._report.document import HostInput, build_document
from tests.report.fleets import HOSTILE, TIME, large, live, live_rule, small, variables


@pytest.fixture(scope="module")
def document() -> t.Dict[str, t.Any]:
    return build_document(small(), TIME)


def named(document: t.Mapping[str, t.Any], name: str) -> t.Dict[str, t.Any]:
    return t.cast("t.Dict[str, t.Any]", next(one for one in document["hosts"] if one["name"] == name))


def rules(document: t.Mapping[str, t.Any], name: str) -> t.List[t.Dict[str, t.Any]]:
    return [document["rules"][number] for number in document["rule_lists"][named(document, name)["rules"]]]


def test_it_is_plain_and_the_same_every_time(document: t.Dict[str, t.Any]) -> None:
    assert json.loads(json.dumps(document)) == document
    assert build_document(small(), TIME) == document


def test_the_summary_counts_what_is_there(document: t.Dict[str, t.Any]) -> None:
    assert document["summary"] == {
        "hosts": 7,
        "protected": 5,
        "without_firewall": 1,
        "invalid": 1,
        "asked": 2,
        "unreachable": 2,
        "drifted": 1,
        "behind": 1,
        "warnings": 0,
        "notes": 6,
        "never_hit": 2,
        "exposed": 1,
    }


@pytest.mark.parametrize(
    ("name", "state", "read", "message"),
    [
        ("web1", "present", "read", ""),
        ("db1", "present", "unreachable", "No route to host"),
        ("db2", "present", "failed", "nft: not found"),
        ("cache1", "present", "not asked", ""),
        ("old1", "absent", "not asked", ""),
        ("bad1", "invalid", "not asked", ""),
    ],
)
def test_every_host_is_told_of(document: t.Dict[str, t.Any], name: str, state: str, read: str, message: str) -> None:
    host = named(document, name)
    assert (host["state"], host["live"]["state"], host["live"]["message"]) == (state, read, message)


def test_the_rules_of_a_host_that_was_read_are_those_of_its_kernel(document: t.Dict[str, t.Any]) -> None:
    host = named(document, "web1")
    assert [rule["name"] for rule in rules(document, "web1")] == ["block[0]", "web[0]", "ssh[0]", "default-ingress"]
    assert host["rules_from"] == "kernel"
    assert host["packets"] == [31, 1234567, 0, 998]
    assert host["bytes"] == [packets * 60 for packets in host["packets"]]
    assert host["never_hit"] == [2]
    assert host["counting_since"] == {"2": "2026-02-20T20:20:20Z"}
    # What the policy knows besides: whom it is about, and why.
    assert rules(document, "web1")[1]["ports"] == [["tcp", 80, 80], ["tcp", 443, 443], ["udp", 443, 443]]
    assert rules(document, "web1")[1]["description"] == HOSTILE


def test_the_rules_of_another_host_are_those_of_its_policies(document: t.Dict[str, t.Any]) -> None:
    host = named(document, "db1")
    assert (host["rules_from"], host["packets"]) == ("policies", None)
    assert "postgres[0]" in [rule["name"] for rule in rules(document, "db1")]
    assert rules(document, "db1")[-1]["text"] == "drop what no rule decides"
    assert rules(document, "old1") == []
    assert rules(document, "bad1") == []


def test_hosts_that_share_rules_name_the_same_list(document: t.Dict[str, t.Any]) -> None:
    assert named(document, "web1")["rules"] == named(document, "web2")["rules"]
    assert named(document, "db1")["rules"] == named(document, "db2")["rules"]
    thousand = build_document(large(), TIME)
    assert len(thousand["hosts"]) == 1000
    assert len(thousand["rule_lists"]) < 10
    assert len(thousand["cells"]) < 100


def test_the_groups_have_the_cells_of_their_hosts(document: t.Dict[str, t.Any]) -> None:
    group = next(one for one in document["groups"] if one["name"] == "databases")
    assert [document["hosts"][index]["name"] for index in group["hosts"]] == ["db1", "db2"]
    assert group["reaching"] == named(document, "db1")["reaching"] == named(document, "db2")["reaching"]
    source = next(index for index, place in enumerate(document["places"]) if place["name"] == "webservers")
    entries = document["cells"][group["reaching"][source]]["entries"]
    assert [(one["protocol"], one["ports"], one["egress"], one["rule"]) for one in entries][:1] == [
        ("tcp", ["5432"], "server-egress[1]", "postgres[0]")
    ]


def test_a_host_that_is_not_judged_does_not_hide_behind_its_group(document: t.Dict[str, t.Any]) -> None:
    """``old1`` has no firewall, and ``bad1`` nobody knows: the group is open on one of two hosts."""
    group = next(one for one in document["groups"] if one["name"] == "legacy")
    assert [(one["protocol"], one["hosts"]) for one in document["cells"][group["reaching"][0]]["entries"]] == [
        ("any", 1)
    ]
    assert set(named(document, "bad1")["reaching"]) == {None}


def test_policies_that_do_not_parse_are_a_state_and_no_error() -> None:
    wrong = HostInput("web1", variables={**variables(()), "firewall_assigned": ["shh"]}, live=live([]))
    host = build_document([wrong], TIME)["hosts"][0]
    assert (host["state"], host["problems"][0]["place"]) == ("invalid", "firewall_assigned[0]")


@pytest.mark.parametrize(
    "result",
    [
        {"ruleset": None},
        {"ruleset": [1]},
        {"ruleset": {"present": True, "rules": "all", "listeners": {"a": 1}, "drift": "none", "notes": [{}]}},
        {
            "ruleset": {
                "present": True,
                "rules": [None, {"name": ["x"], "packets": -5, "never_hit": "yes", "index": True}],
            }
        },
        {"ruleset": {"present": 1, "listeners": [{"port": "22", "networks": [], "process": {"a": 1}}]}},
    ],
)
def test_what_a_host_says_may_be_anything(result: t.Dict[str, t.Any]) -> None:
    """A host that somebody took over cannot break the report of the others."""
    host = HostInput("web1", variables=variables(()), live=result)
    document = build_document([host], TIME)
    assert document["hosts"][0]["never_hit"] == []
    assert all(isinstance(rule["name"], str) for rule in document["rules"])


def test_a_rule_that_the_kernel_has_otherwise_is_not_given_the_ports_of_the_policy() -> None:
    host = HostInput("web1", variables=variables(()), live=live([live_rule("ssh[0]", 1, text="drop tcp port 22")]))
    assert build_document([host], TIME)["rules"][0]["ports"] is None


@pytest.mark.parametrize("word", ["constructor", "__proto__", "toString"])
def test_words_that_a_page_looks_up_are_those_that_there_are(word: str) -> None:
    said = live([], drift={"state": word}, listeners=[{"protocol": "tcp", "port": 22, "finding": word}])
    about = build_document([HostInput("web1", variables=variables(()), live=said)], TIME)["hosts"][0]["live"]
    assert (about["drift"]["state"], about["listeners"][0]["finding"]) == ("unknown", None)
