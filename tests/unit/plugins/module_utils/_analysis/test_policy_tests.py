# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Policy tests: which packets an assertion is about on a host, how it ends there, and what is said of it."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._analysis.assertion_space import Subject
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.assertion_text import (
    outcome_to_plain,
    render_outcomes,
)
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.policy_tests import (
    Cause,
    Outcome,
    Status,
    run_policy_tests,
)
from ansible_collections.palisade.nftables.plugins.module_utils._core.addresses import AddressSet, parse_range
from ansible_collections.palisade.nftables.plugins.module_utils._policy.hostfacts import HostFacts
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Action, Direction
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall

VARIABLES: t.Dict[str, t.Any] = {
    "firewall_networks": {"office": ["198.51.100.0/24", "2001:db8:1::/48"], "nobody": []},
    "firewall_policies": {
        "web": {
            "rules": [
                {"direction": "ingress", "protocol": "tcp", "destination_ports": [80, 443], "action": "accept"},
                {"direction": "ingress", "service": "ssh", "sources": ["office"], "action": "accept"},
                {"direction": "ingress", "protocol": "tcp", "destination_ports": [113], "action": "reject"},
                {"direction": "egress", "protocol": "tcp", "destination_ports": [443], "action": "accept"},
            ]
        }
    },
    "firewall_assigned": ["web"],
}
GROUPS = {"webservers": ["192.0.2.11", "192.0.2.12"], "databases": ["192.0.2.21"], "nameless": {"addresses": []}}


def addresses(*texts: str) -> AddressSet:
    return AddressSet(found for found in map(parse_range, texts) if found is not None)


WEB1 = Subject("web1", addresses("192.0.2.11", "2001:db8:0:11::1"), frozenset(("webservers", "all", "nameless")))
UNKNOWN = Subject("web9", groups=frozenset(("webservers",)))


def run(
    *tests: t.Dict[str, t.Any],
    subject: Subject = WEB1,
    facts: t.Optional[HostFacts] = None,
    budget: int = 200_000,
    **variables: object,
) -> t.List[Outcome]:
    firewall = parse_firewall({**VARIABLES, **variables, "firewall_tests": list(tests)}, groups=GROUPS)
    return run_policy_tests(firewall, subject, facts, budget=budget)


def one(subject: Subject = WEB1, facts: t.Optional[HostFacts] = None, **test: object) -> Outcome:
    (outcome,) = run(dict(test), subject=subject, facts=facts)
    return outcome


OFFICE_ONLY = {"from": {"outside": "office"}, "service": "ssh", "expect": "refused"}


@pytest.mark.parametrize(
    ("test", "status"),
    [
        ({"from": "office", "port": 443, "protocol": "tcp", "expect": "accept"}, "ok"),
        ({"from": "office", "to": "self", "port": [80, 443], "protocol": "tcp", "expect": "accept"}, "ok"),
        ({"from": "office", "port": "80-443", "protocol": "tcp", "expect": "accept"}, "FAILED"),
        ({"from": "office", "port": "80-443", "protocol": "tcp", "quantifier": "any", "expect": "accept"}, "ok"),
        ({"from": "office", "port": "81-442", "protocol": "tcp", "quantifier": "any", "expect": "accept"}, "FAILED"),
        (OFFICE_ONLY, "ok"),
        ({"from": "anywhere", "service": "ssh", "expect": "refused"}, "FAILED"),
        ({"port": 113, "protocol": "tcp", "expect": "reject"}, "ok"),
        ({"port": 113, "protocol": "tcp", "expect": "refused"}, "ok"),
        ({"port": 113, "protocol": "tcp", "expect": "drop"}, "FAILED"),
        ({"port": 114, "protocol": "tcp", "expect": "drop"}, "ok"),
        # The way out: told by the end that the host is.
        ({"to": "anywhere", "port": 443, "protocol": "tcp", "expect": "accept"}, "ok"),
        ({"to": {"outside": "office"}, "port": 25, "protocol": "tcp", "expect": "refused"}, "ok"),
        ({"direction": "egress", "to": "office", "port": 25, "protocol": "tcp", "expect": "refused"}, "ok"),
        ({"direction": "ingress", "to": "anywhere", "port": 25, "protocol": "tcp", "expect": "refused"}, "ok"),
        ({"from": "self", "port": 443, "protocol": "tcp", "expect": "accept"}, "ok"),
        ({"direction": "egress", "port": 80, "protocol": "tcp", "expect": "refused"}, "FAILED"),
        ({"direction": "egress", "port": 81, "protocol": "tcp", "expect": "refused"}, "ok"),
        # States, and the ways of a connection.
        ({"state": "established", "expect": "accept"}, "ok"),
        ({"state": ["established", "invalid"], "expect": "accept"}, "FAILED"),
        ({"state": "invalid", "protocol": "tcp", "expect": "drop"}, "ok"),
        # What is not filtered is accepted.
        ({"interface": "docker0", "expect": "accept"}, "ok"),
        ({"interface": "docker0", "protocol": "tcp", "port": 1, "expect": "drop"}, "FAILED"),
        ({"interface": "eth7", "protocol": "tcp", "port": 1, "expect": "drop"}, "ok"),
    ],
)
def test_how_a_test_ends(test: t.Dict[str, t.Any], status: str) -> None:
    (outcome,) = run(test)
    assert outcome.status.value == status, outcome


def test_a_failed_one_shows_a_packet_and_the_rule_that_decides_it() -> None:
    outcome = one(
        **{"from": {"outside": ["198.51.100.0/25", "2001:db8:1::/48"]}, "service": "ssh", "expect": "refused"}
    )
    assert outcome.status is Status.FAILED
    assert outcome.cause is Cause.VERDICT
    packet, decision = outcome.packet, outcome.decision
    assert packet is not None
    assert decision is not None
    assert packet.source in addresses("198.51.100.128/25")[4]
    assert packet.destination_port == 22
    assert decision.action is Action.ACCEPT
    assert (str(decision.origin), decision.origin.variable) == ("web[1]", "firewall_policies")


def test_forgetting_a_family_is_found() -> None:
    outcome = one(**{"from": {"outside": "198.51.100.0/24"}, "service": "ssh", "expect": "refused"})
    assert outcome.packet is not None
    assert outcome.packet.family == 6


def test_the_host_may_be_both_ends_or_one_of_many() -> None:
    both = {"from": "group:webservers", "to": "group:webservers", "port": 443, "protocol": "tcp", "expect": "accept"}
    assert one(**both).status is Status.OK
    inwards = {**both, "port": 80}
    outwards = one(**inwards).packet
    assert outwards is not None
    assert outwards.direction is Direction.EGRESS
    assert one(**inwards, direction="ingress").status is Status.OK
    assert one(**{**inwards, "to": "self"}).status is Status.OK


def test_both_ends_have_to_accept_and_the_one_that_is_asked_to_refuse() -> None:
    test = {"from": "group:webservers", "to": "group:databases", "port": 5432, "protocol": "tcp"}
    database = Subject("db1", addresses("192.0.2.21"), frozenset(("databases",)))
    assert one(**test, expect="accept").status is Status.FAILED, "it may not send"
    assert one(database, **test, expect="refused").status is Status.OK
    outcome = one(**test, expect="refused")
    assert outcome.reason == (
        "what is refused is told by the hosts of group:databases; with direction: egress it is told here"
    )
    assert one(**test, expect="refused", direction="egress").status is Status.OK
    assert one(**{**test, "from": "self"}, expect="refused").status is Status.OK


@pytest.mark.parametrize(
    ("test", "reason"),
    [
        ({"to": "group:databases", "from": "office"}, "web1 is not in group:databases nor in office"),
        ({"from": "anywhere", "to": "group:databases"}, "web1 is not in group:databases"),
        ({"direction": "ingress", "to": "group:databases"}, "web1 is not in group:databases"),
        (
            {"to": "group:databases"},
            "web1 is not in group:databases; packets from this host are said with from: self",
        ),
        ({"direction": "egress", "from": "192.0.2.12", "to": "group:webservers"}, "web1 is not in 192.0.2.12"),
        ({"from": "nobody"}, "there is no address in nobody"),
    ],
)
def test_what_is_not_about_the_host_is_skipped_and_says_why(test: t.Dict[str, t.Any], reason: str) -> None:
    outcome = one(**{**test, "expect": "accept"})
    assert (outcome.status, outcome.reason) == (Status.SKIPPED, reason)


def test_a_host_with_one_family_has_no_packets_of_the_other() -> None:
    subject = Subject("web2", addresses("192.0.2.12"), frozenset(("webservers",)))
    outcome = one(subject, **{"from": "2001:db8:1::7", "to": "self", "expect": "accept"})
    assert (outcome.status, outcome.reason) == (Status.SKIPPED, "its addresses here have no family in common")


def test_a_host_without_a_known_address_is_its_groups() -> None:
    test = {"to": "group:webservers", "port": 443, "protocol": "tcp", "expect": "accept"}
    assert one(UNKNOWN, **test).status is Status.OK
    outcome = one(UNKNOWN, **{**test, "to": "192.0.2.11", "from": "office"})
    assert outcome.reason.startswith("web9 is not in 192.0.2.11 nor in office, as far as is known: it has no address")


@pytest.mark.parametrize("expect", ["accept", "refused"])
def test_what_a_safeguard_may_find_is_proven_neither_way(expect: str) -> None:
    test = {"from": "self", "to": "192.0.2.53", "port": 53, "protocol": "udp", "expect": expect}
    outcome = one(**test)
    assert (outcome.status, outcome.cause, outcome.safeguard) == (Status.FAILED, Cause.SAFEGUARD, "dns")
    assert outcome.reason.startswith("undecided")
    assert one(facts=HostFacts(), **test).status is (Status.OK if expect == "refused" else Status.FAILED)
    for value in (False, ["192.0.2.54"]):
        (said,) = run(test, firewall_safeguards={"dns": value})
        assert said.cause is (Cause.NONE if expect == "refused" else Cause.VERDICT)


def test_dhcp_is_a_safeguard_of_both_ways() -> None:
    outcome = one(**{"from": "anywhere", "protocol": "udp", "expect": "refused"})
    assert (outcome.cause, outcome.safeguard) == (Cause.SAFEGUARD, "dhcp")


def test_too_much_work_is_a_failure_that_says_so() -> None:
    rules = [
        {
            "direction": "ingress",
            "protocol": "tcp",
            "sources": ["192.0.2.%d-192.0.2.%d" % (number, 200 - number)],
            "destination_ports": ["%d-%d" % (100 + number, 60000 - 7 * number)],
            "action": ("accept", "drop")[number % 2],
        }
        for number in range(60)
    ]
    policies = {"wild": {"rules": rules}}
    test = {"from": "192.0.2.0/24", "protocol": "tcp", "port": "300-50000", "expect": "accept", "quantifier": "every"}
    (outcome,) = run(
        {**test, "expect": "reject", "quantifier": "any"},
        firewall_policies=policies,
        firewall_assigned=["wild"],
        firewall_default_ingress="reject",
        budget=3,
    )
    assert (outcome.status, outcome.cause) == (Status.FAILED, Cause.UNDECIDED)
    assert outcome.reason.startswith("undecided")


def test_it_reads_like_a_test_run() -> None:
    outcomes = run(
        {"name": "Nobody else reaches ssh", **OFFICE_ONLY},
        {"from": "office", "port": 8080, "protocol": "tcp", "expect": "accept"},
        {"name": "No web", "from": "anywhere", "port": 443, "protocol": "tcp", "expect": "refused"},
        {"to": "group:databases", "expect": "refused"},
        {"to": "anywhere", "protocol": "udp", "port": 53, "expect": "refused"},
    )
    unless = "; or change the test, if this is meant"
    skipped = "web1 is not in group:databases; packets from this host are said with from: self"
    assert render_outcomes("web1", outcomes) == [
        "ok      firewall_tests[0]: Nobody else reaches ssh",
        "FAILED  firewall_tests[1]: every packet of tcp port 8080 from office is accepted",
        "         because:  a packet is not as expected",
        "         packet:   ingress tcp from 198.51.100.7 port 40000 to 192.0.2.11 port 8080, new, on eth0",
        "         verdict:  drop, by the default action",
        "         to do:    add a rule that accepts such packets to a policy that is assigned here" + unless,
        "FAILED  firewall_tests[2]: No web",
        "         meant:    every packet of tcp port 443 from anywhere is refused",
        "         because:  a packet is not as expected",
        "         packet:   ingress tcp from 203.0.113.7 port 40000 to 192.0.2.11 port 443, new, on eth0",
        "         verdict:  accept, by web[0] of firewall_policies",
        "         rule:     accept tcp port 80, 443",
        "         to do:    narrow web[0] of firewall_policies, or let a rule that drops such packets come before it"
        + unless,
        "skipped firewall_tests[3]: every packet to group:databases is refused (%s)" % skipped,
        "FAILED  firewall_tests[4]: every packet of udp port 53 to anywhere is refused",
        "         because:  undecided: what the safeguard dns finds on the host decides",
        "         packet:   egress udp from 192.0.2.11 port 40000 to 203.0.113.7 port 53, new, on eth0",
        "         to do:    say in firewall_safeguards.dns what passes, instead of auto, or test something else",
        "web1: 5 tests: 1 ok, 3 FAILED, 1 skipped",
    ]


def test_plain_data_has_no_objects_of_ours() -> None:
    (failed,) = run({"name": "No web", "port": 443, "protocol": "tcp", "expect": "refused"})
    plain = outcome_to_plain(failed)
    assert {type(value) for value in plain.values()} <= {str, dict, type(None)}
    assert plain["status"] == "failed"
    assert (plain["verdict"], plain["rule"], plain["variable"]) == ("accept", "web[0]", "firewall_policies")
    assert plain["packet"]["destination_port"] == 443
