# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is a difference, what is none, and which layer is named for it."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._analysis.asking import Question
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.expecting import Expectation, expect
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.verification_text import render
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.verifying import (
    Looked,
    Other,
    Row,
    Seen,
    judge,
    look_closer,
)
from ansible_collections.palisade.nftables.plugins.module_utils._core.addresses import parse_address
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Action
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import Program, build_program

HOST, OUTSIDER, ROUTER = "192.0.2.1", "203.0.113.7", "198.51.100.254"
OWN, SOURCE = parse_address(HOST)[1], parse_address(OUTSIDER)[1]
PORTS = {"accept": 80, "reject": 81, "drop": 82}


def program_of(variables: t.Mapping[str, t.Any]) -> Program:
    return build_program(parse_firewall(variables))


def rule(direction: str, action: str, **more: t.Any) -> t.Dict[str, t.Any]:
    return {"direction": direction, "protocol": "tcp", "action": action, **more}


def policy(*rules: t.Mapping[str, t.Any], **variables: t.Any) -> Program:
    return program_of({"firewall_policies": {"p": {"rules": list(rules)}}, "firewall_assigned": ["p"], **variables})


RECEIVER = policy(
    {"direction": "ingress", "protocol": ["tcp", "udp"], "destination_ports": 80, "action": "accept"},
    rule("ingress", "reject", destination_ports=81),
)


def expectation(action: str, protocol: str = "tcp") -> t.Tuple[Question, Expectation]:
    question = Question(protocol, PORTS[action], 4, OWN)
    found = expect(question, SOURCE, 40000, None, RECEIVER)
    assert found.action.value == action
    return question, found


def row_of(expected: str, outcome: str, protocol: str = "tcp", **seen: t.Any) -> Row:
    question, found = expectation(expected, protocol)
    return judge("outsider", question, Seen(outcome, source=OUTSIDER, **seen), found)


@pytest.mark.parametrize(
    ("expected", "outcome", "result"),
    [
        ("accept", "connected", "as expected"),
        # Open, and nobody listens (R103).
        ("accept", "refused", "as expected"),
        ("accept", "filtered", "different"),
        ("accept", "unreachable", "different"),
        ("drop", "filtered", "as expected"),
        ("drop", "connected", "different"),
        # So does an open port without a listener.
        ("drop", "refused", "different"),
        # Refused, if by another.
        ("drop", "unreachable", "as expected"),
        ("reject", "refused", "as expected"),
        ("reject", "unreachable", "as expected"),
        ("reject", "filtered", "as expected"),
        ("reject", "connected", "different"),
        ("accept", "error", "not asked"),
    ],
)
def test_what_is_a_difference(expected: str, outcome: str, result: str) -> None:
    assert row_of(expected, outcome).result.value == result


@pytest.mark.parametrize(
    ("expected", "outcome", "result"),
    [
        ("accept", "answered", "as expected"),
        ("accept", "silent", "cannot be told"),
        ("drop", "silent", "as expected"),
        ("drop", "answered", "different"),
        ("drop", "refused", "different"),
    ],
)
def test_what_is_a_difference_over_udp(expected: str, outcome: str, result: str) -> None:
    assert row_of(expected, outcome, "udp").result.value == result


def test_a_refusal_where_somebody_listens() -> None:
    question, found = expectation("accept")
    row = judge("outsider", question, Seen("refused", source=OUTSIDER), found, is_served=True)
    assert (row.result.value, row.note) == ("different", "somebody listens there")
    closer = look_closer(row, [look("accept", counted=1, behind=(LATER,))])
    assert closer.layer is not None
    assert closer.layer.value == "another table of the host"


def test_without_a_look_a_router_that_says_so_is_known() -> None:
    row = row_of("accept", "unreachable", icmp="admin-prohibited", icmp_sender=ROUTER)
    assert row.layer is not None
    assert row.layer.value == "a provider or router upstream"
    assert row.because == "198.51.100.254, on the way, answers with admin-prohibited"
    here = row_of("accept", "filtered", here=True, detail="the firewall of the asking host does not let the packet out")
    assert here.layer is not None
    assert here.layer.value == "the asking host"


def look(wanted: str, **more: t.Any) -> Looked:
    said = {"live": wanted, "equal": True, "counter": "policy/p/0", **more}
    return Looked("receiver", "web1", wanted, "p[0]", live_origin="p[0]", **said)


LATER, MAYBE = Other("chain input of table inet later"), Other("chain input of table inet odd", is_known=False)


@pytest.mark.parametrize(
    ("looked", "layer", "words"),
    [
        (
            {"counted": 1, "behind": (LATER,)},
            "another table of the host",
            "behind them chain input of table inet later",
        ),
        ({"counted": 1, "before": (LATER,)}, "a provider or router upstream", "the answer got lost on its way back"),
        (
            {"counted": 0, "before": (LATER,)},
            "another table of the host",
            "before them chain input of table inet later",
        ),
        ({"counted": 0, "before": (MAYBE,)}, "another table of the host", "table inet odd may refuse it"),
        ({"counted": 0, "behind": (LATER,)}, "a provider or router upstream", "policy/p/0 moved by 0"),
        ({"counted": 2, "asked": 2}, "unknown", "moved by 2 for 2 questions"),
        ({"counter": ""}, "unknown", "nothing counts it there"),
        ({"counter": "", "behind": (LATER,)}, "another table of the host", "refuses it"),
        ({"equal": False, "live": "drop"}, "host policy", "drop, by p[0]. See the playbook plan"),
        # It differs, but not in what this packet gets.
        ({"equal": False, "counted": 0}, "a provider or router upstream", "moved by 0"),
    ],
)
def test_who_refuses_what_the_policies_accept(looked: t.Mapping[str, t.Any], layer: str, words: str) -> None:
    row = look_closer(row_of("accept", "filtered"), [look("accept", **looked)])
    assert row.layer is not None
    assert row.layer.value == layer
    assert words in row.because


@pytest.mark.parametrize(
    ("looked", "layer", "words"),
    [
        ({"counted": 0}, "a provider or router upstream", "something else answers for the address"),
        ({"counted": 0, "before": (LATER,)}, "another table of the host", "inet later"),
        ({"counted": 3}, "a provider or router upstream", "something else answers"),
        ({"equal": False, "live": "accept"}, "host policy", "accept, by p[0]"),
        ({"counter": ""}, "unknown", "nothing counts it"),
    ],
)
def test_who_answers_what_the_policies_refuse(looked: t.Mapping[str, t.Any], layer: str, words: str) -> None:
    row = look_closer(row_of("drop", "connected"), [look("drop", **looked)])
    assert row.layer is not None
    assert row.layer.value == layer
    assert words in row.because


def test_a_host_that_refuses_itself_is_no_provider() -> None:
    row = row_of("accept", "unreachable", icmp="admin-prohibited", icmp_sender=HOST)
    closer = look_closer(row, [look("accept", counted=0)])
    assert closer.layer is not None
    assert closer.layer.value == "another table of the host"
    assert "a chain that nft does not show" in closer.because


def test_what_a_safeguard_of_the_host_finds_out_counts() -> None:
    """The variables alone refuse it; with what the host knows of its resolvers, they do not."""
    row = look_closer(row_of("drop", "connected"), [look("accept")._replace(wanted_origin="dns")])
    assert (row.result.value, row.expected, row.note) == ("as expected", "accept", "decided by dns on web1")


def test_silence_is_told_by_what_was_counted() -> None:
    silent = row_of("accept", "silent", "udp")
    assert look_closer(silent, [look("accept", counted=2)]).result.value == "as expected"
    assert look_closer(silent, [look("accept", counter="")]).result.value == "cannot be told"
    lost = look_closer(silent, [look("accept", counted=0)])
    assert lost.layer is not None
    assert (lost.result.value, lost.layer.value) == ("different", "a provider or router upstream")


class TestExpectations:
    """Four packets have to pass: out of one host, into the other, and the answer back."""

    question = Question("tcp", 80, 4, OWN)

    def deciding(self, sender: t.Optional[Program], receiver: Program) -> t.Tuple[str, str, Action]:
        found = expect(self.question, SOURCE, 40000, sender, receiver)
        return found.deciding.host, found.deciding.packet.direction.value, found.action

    def test_the_receiver_alone(self) -> None:
        assert self.deciding(None, RECEIVER) == ("receiver", "ingress", Action.ACCEPT)

    def test_the_sender_on_its_way_out(self) -> None:
        sender = policy(rule("egress", "reject", destination_ports=80))
        assert self.deciding(sender, RECEIVER) == ("sender", "egress", Action.REJECT)

    def test_an_answer_that_is_refused_never_comes(self) -> None:
        """Without state for what came in, the answer needs a rule of its own (R7, R53)."""
        receiver = policy(
            rule("ingress", "accept", destination_ports="80"),
            rule("egress", "accept", destination_ports="443"),
            firewall_profile="netcup",
            firewall_default_policies=[],
        )
        assert self.deciding(None, receiver) == ("receiver", "egress", Action.DROP)

    def test_the_answer_at_the_sender(self) -> None:
        sender = policy(rule("ingress", "drop", source_ports="80"), firewall_profile="netcup")
        assert self.deciding(sender, RECEIVER)[2] is Action.ACCEPT


def test_the_text() -> None:
    lost = row_of("accept", "filtered", detail="no answer")
    rows = [row_of("accept", "connected"), look_closer(lost, [look("accept")])]
    because = "it did not reach our rules on web1 (the counter policy/p/0 moved by 0)"
    assert render("web1", rows, 3).splitlines() == [
        "web1: 2 asked: 1 as expected, 1 different",
        "3 more were left out; palisade_most allows more",
        "  from      asked                  expected  by    seen",
        "  outsider  tcp 192.0.2.1 port 80  accept    p[0]  connected",
        "  outsider  tcp 192.0.2.1 port 80  accept    p[0]  filtered: DIFFERENT",
        "tcp 192.0.2.1 port 80 from outsider: accept is expected, and it is filtered (no answer)",
        "  packet: ingress tcp from 203.0.113.7 port 40000 to 192.0.2.1 port 80, new, on eth0",
        "  rule: p[0] of firewall_policies: accept tcp, udp port 80",
        "  probably: a provider or router upstream: %s" % because,
    ]


def test_differences_of_one_cause_are_told_once() -> None:
    """A host without its ruleset differs on every port, for the same reason."""
    rows = []
    for port in (82, 83, 84):
        question = Question("tcp", port, 4, OWN)
        found = expect(question, SOURCE, 40000, None, RECEIVER)
        row = judge("outsider", question, Seen("refused", "connection refused", source=OUTSIDER), found)
        rows.append(look_closer(row, [look("drop", live="accept", equal=False)]))
    rows.append(row_of("accept", "filtered", detail="no answer"))
    told = [line for line in render("web1", rows, 0).splitlines() if not line.startswith("  outsider")]
    assert [line for line in told if line.startswith("tcp")] == [
        "tcp 192.0.2.1 port 82 from outsider: drop is expected, and it is refused (connection refused)",
        "tcp 192.0.2.1 port 80 from outsider: accept is expected, and it is filtered (no answer)",
    ]
    assert "  and so it is with tcp 192.0.2.1 port 83, tcp 192.0.2.1 port 84" in told
