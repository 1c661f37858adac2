# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policy tests are exact: over spaces small enough to try every packet, they end as trying every packet ends."""

from __future__ import annotations

import ipaddress
import itertools
import random
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._analysis.assertion_space import Subject
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.policy_tests import Status, run_policy_tests
from ansible_collections.palisade.nftables.plugins.module_utils._core.addresses import AddressSet, parse_range
from ansible_collections.palisade.nftables.plugins.module_utils._policy.assertions import Assertion, Quantifier
from ansible_collections.palisade.nftables.plugins.module_utils._policy.evaluate import evaluate
from ansible_collections.palisade.nftables.plugins.module_utils._policy.hostfacts import HostFacts
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import (
    Direction,
    Firewall,
    FlowDirection,
    State,
)
from ansible_collections.palisade.nftables.plugins.module_utils._policy.packet import Packet
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import Program, build_program

#: Eight peers and eight ports: whatever the rules cut them into, there are no more packets than these.
_PEERS = [str(ipaddress.IPv4Address("198.51.100.0") + number) for number in range(8)]
_PORTS = range(1000, 1008)
_OWN = "192.0.2.1"
_HOST = Subject("host", AddressSet(found for found in (parse_range(_OWN),) if found is not None))
_TESTS = 12

Plain = t.Dict[str, t.Any]


def _some(rng: random.Random, values: t.Sequence[t.Any]) -> t.List[t.Any]:
    return sorted(rng.sample(list(values), rng.randint(1, len(values))))


def _range(rng: random.Random) -> str:
    low = rng.choice(_PORTS)
    return "%d-%d" % (low, rng.randint(low, _PORTS[-1]))


def _rule(rng: random.Random) -> Plain:
    direction = rng.choice(("ingress", "ingress", "egress"))
    rule: Plain = {"direction": direction, "action": rng.choice(("accept", "drop", "reject"))}
    if rng.random() < 0.8:
        rule["sources" if direction == "ingress" else "destinations"] = _some(rng, _PEERS)
    if rng.random() < 0.8:
        rule["protocol"] = rng.choice(("tcp", "udp", ["tcp", "udp"]))
        if rng.random() < 0.8:
            rule["destination_ports"] = [_range(rng)]
        if rng.random() < 0.3:
            rule["source_ports"] = [_range(rng)]
    return rule


def _test(rng: random.Random) -> Plain:
    """A test about nothing but the packets of :func:`_packets`."""
    outwards = rng.random() < 0.4
    peers = _some(rng, _PEERS)
    test: Plain = {
        "from": "self" if outwards else peers,
        "to": peers if outwards else "self",
        "protocol": rng.choice(("tcp", "udp", ["tcp", "udp"])),
        "port": _range(rng),
        "source_ports": _range(rng),
        "quantifier": rng.choice(("every", "any")),
        "expect": rng.choice(("accept", "drop", "reject", "refused")),
    }
    if rng.random() < 0.2:
        test["state"] = rng.choice((["new", "invalid"], ["established"], ["related", "untracked"]))
    return test


def _packets(plain: Plain, assertion: Assertion) -> t.Iterator[Packet]:
    """Every packet that the test is about, told from what was written."""
    outwards = plain["from"] == "self"
    names = plain["protocol"] if isinstance(plain["protocol"], list) else [plain["protocol"]]
    low, high = map(int, plain["port"].split("-"))
    first, last = map(int, plain["source_ports"].split("-"))
    own = int(ipaddress.IPv4Address(_OWN))
    for name, peer, port, source_port, state, reset in itertools.product(
        names,
        plain["to"] if outwards else plain["from"],
        range(low, high + 1),
        range(first, last + 1),
        sorted(assertion.states, key=lambda one: one.value),
        (False, True) if assertion.states != {State.NEW} else (False,),
    ):
        there = int(ipaddress.IPv4Address(peer))
        ways = FlowDirection if state in (State.ESTABLISHED, State.RELATED) else (FlowDirection.ORIGINAL,)
        for way in ways:
            yield Packet(
                direction=Direction.EGRESS if outwards else Direction.INGRESS,
                family=4,
                protocol={"tcp": 6, "udp": 17}[name],
                source=own if outwards else there,
                destination=there if outwards else own,
                source_port=source_port,
                destination_port=port,
                state=state,
                flow_direction=way,
                tcp_reset=reset and name == "tcp",
            )


def _firewall(rng: random.Random) -> t.Tuple[t.List[Plain], Firewall, Program]:
    tests = [_test(rng) for _number in range(_TESTS)]
    firewall = parse_firewall(
        {
            "firewall_policies": {"random": {"rules": [_rule(rng) for _number in range(rng.randint(1, 14))]}},
            "firewall_assigned": ["random"],
            "firewall_profile": "host",
            "firewall_tests": tests,
        }
    )
    return tests, firewall, build_program(firewall, HostFacts())


@pytest.mark.parametrize("seed", range(40))
def test_they_end_as_trying_every_packet_ends(seed: int) -> None:
    tests, firewall, program = _firewall(random.Random(seed))
    for plain, outcome in zip(tests, run_policy_tests(firewall, _HOST, HostFacts())):
        assertion = outcome.assertion
        expected = assertion.expectation.actions
        as_expected = [evaluate(program, packet).action in expected for packet in _packets(plain, assertion)]
        every = assertion.quantifier is Quantifier.EVERY
        good = all(as_expected) if every else any(as_expected)
        assert outcome.status is (Status.OK if good else Status.FAILED), plain


@pytest.mark.parametrize("seed", range(40))
def test_packets_that_are_shown_are_of_the_test_and_behave_as_said(seed: int) -> None:
    tests, firewall, program = _firewall(random.Random(seed))
    shown = 0
    for plain, outcome in zip(tests, run_policy_tests(firewall, _HOST, HostFacts())):
        packet, decision = outcome.packet, outcome.decision
        if packet is None:
            # Nothing has to be shown of what holds for every packet.
            assert outcome.status is Status.OK
            continue
        shown += 1
        assert packet in set(_packets(plain, outcome.assertion))
        assert decision == evaluate(program, packet)
        as_expected = decision is not None and decision.action in outcome.assertion.expectation.actions
        assert as_expected is (outcome.status is Status.OK)
    assert shown


def test_of_both_kinds_there_are_many() -> None:
    """So that the two tests above say something."""
    outcomes = [
        outcome
        for seed in range(40)
        for outcome in run_policy_tests(_firewall(random.Random(seed))[1], _HOST, HostFacts())
    ]
    failed = sum(outcome.status is Status.FAILED for outcome in outcomes)
    assert len(outcomes) // 5 < failed < 4 * len(outcomes) // 5
