# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The trial that policy tests make of a kernel: its verdicts, in a namespace of its own, and nothing left behind."""

from __future__ import annotations

import json
import os
import pathlib
import socket
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._analysis.assertion_samples import (
    MOST_PACKETS,
    judge_kernel,
    sample_packets,
)
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.assertion_space import Subject
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.policy_tests import (
    Cause,
    Outcome,
    Status,
    run_policy_tests,
)
from ansible_collections.palisade.nftables.plugins.module_utils._compile.compile import compile_program
from ansible_collections.palisade.nftables.plugins.module_utils._core.addresses import AddressSet, parse_range
from ansible_collections.palisade.nftables.plugins.module_utils._host.errors import HostError
from ansible_collections.palisade.nftables.plugins.module_utils._host.trial import (
    NoTrialError,
    packet_from_plain,
    packet_to_plain,
    try_packets,
)
from ansible_collections.palisade.nftables.plugins.module_utils._nft.text import render_load
from ansible_collections.palisade.nftables.plugins.module_utils._policy.evaluate import evaluate
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Direction, Firewall, State
from ansible_collections.palisade.nftables.plugins.module_utils._policy.packet import Packet
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import Program, build_program
from ansible_collections.palisade.nftables.plugins.module_utils._trial_module import run_trial
from lab.reexec import ensure_privileges, why_unavailable
from tests.properties.generate import PacketGenerator, PolicyGenerator

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
_ASKABLE: t.Mapping[int, t.Optional[int]] = {6: None, 17: None, 1: 8, 58: 128}


@pytest.fixture(autouse=True)
def _privileged() -> None:
    reason = why_unavailable()
    if reason is not None:
        pytest.skip(reason)
    ensure_privileges()


def _askable(packet: Packet) -> bool:
    unicast = {4: range(0x01000000, 0xE0000000), 6: range(0x2000 << 112, 0x4000 << 112)}[packet.family]
    return (
        packet.state is State.NEW
        and not packet.tcp_reset
        and packet.protocol in _ASKABLE
        and packet.icmp_type == _ASKABLE[packet.protocol]
        and packet.source in unicast
        and packet.destination in unicast
        and packet.source >> 24 != 127
        and packet.destination >> 24 != 127
    )


def _text(program: Program) -> str:
    return render_load(compile_program(program))


@pytest.mark.parametrize("seed", range(1, 7))
def test_it_agrees_with_the_evaluator(seed: int) -> None:
    program = build_program(parse_firewall(t.cast("t.Dict[str, t.Any]", PolicyGenerator(seed).variables(60))))
    packets = [one for one in PacketGenerator(program, seed).packets(400) if _askable(one)]
    assert len(packets) > 50
    found = try_packets(_text(program), packets)
    assert found == [evaluate(program, packet).action for packet in packets]


def _tested(*tests: t.Dict[str, t.Any]) -> t.Tuple[Firewall, t.List[Outcome]]:
    firewall = parse_firewall({**VARIABLES, "firewall_tests": list(tests)})
    outcomes = run_policy_tests(firewall, HOST)
    assert {outcome.status for outcome in outcomes} == {Status.OK}
    return firewall, outcomes


VARIABLES: t.Dict[str, t.Any] = {
    "firewall_networks": {"office": ["198.51.100.0/24", "203.0.113.7", "2001:db8:1::/48"]},
    "firewall_policies": {
        "web": {
            "rules": [
                {"direction": "ingress", "service": "ssh", "sources": ["office"], "action": "accept"},
                {"direction": "ingress", "protocol": "tcp", "destination_ports": ["8000-8010"], "action": "accept"},
                {"direction": "ingress", "protocol": "udp", "destination_ports": [113], "action": "reject"},
                {"direction": "egress", "protocol": "tcp", "destination_ports": [443], "action": "accept"},
                {"direction": "egress", "protocol": ["tcp", "udp"], "destination_ports": [1], "action": "reject"},
            ]
        }
    },
    "firewall_assigned": ["web"],
    "firewall_default_policies": ["ping"],
}
HOST = Subject("host", AddressSet(one for one in map(parse_range, ("192.0.2.1", "2001:db8::1")) if one is not None))
TESTS: t.Tuple[t.Dict[str, t.Any], ...] = (
    {"from": "office", "service": "ssh", "expect": "accept"},
    {"from": {"outside": "office"}, "service": "ssh", "expect": "refused"},
    {"protocol": "tcp", "port": "8000-8010", "expect": "accept"},
    {"protocol": "tcp", "port": ["1-21", "23-7999", "8011-65535"], "expect": "drop"},
    {"protocol": ["icmp", "icmpv6"], "icmp_types": "echo-request", "expect": "accept"},
    {"protocol": "udp", "port": 113, "expect": "reject"},
    {"from": "self", "protocol": "tcp", "port": 443, "expect": "accept"},
    {"to": "anywhere", "protocol": ["tcp", "udp"], "port": 1, "expect": "reject"},
    {"interface": "docker0", "protocol": "tcp", "expect": "accept"},
    {"interface": "eth7", "to": "self", "protocol": "tcp", "port": 8000, "expect": "accept"},
    {"state": "established", "expect": "accept"},
    {"protocol": "gre", "expect": "drop"},
)


def test_the_kernel_agrees_with_every_test() -> None:
    firewall, outcomes = _tested(*TESTS)
    samples = sample_packets(firewall, HOST, outcomes)
    packets = [packet for listed in samples.values() for packet in listed]
    found = judge_kernel(firewall, outcomes, samples, try_packets(_text(build_program(firewall)), packets))
    assert {outcome.status for outcome in found} == {Status.OK}
    said = [outcome.kernel for outcome in found]
    # Neither another state nor another protocol than those can be made.
    assert said[-2:] == ["the kernel cannot be asked about such packets"] * 2
    for text in said[:-2]:
        assert int(text.split()[4]) >= 2, said


def test_samples_are_of_their_test_and_lie_at_its_corners() -> None:
    firewall, outcomes = _tested(*TESTS)
    samples = sample_packets(firewall, HOST, outcomes)
    inside = {packet.source for packet in samples[0]}
    assert {0xC6336400, 0xC63364FF, 0xCB007107} <= inside
    outside = {packet.source for packet in samples[1]}
    assert {0xC63363FF, 0xC6336500, 0xCB007106, 0xCB007108} <= outside, "the addresses beside those of the office"
    assert {8000, 8010} <= {packet.destination_port for packet in samples[2]}
    assert {21, 23, 7999, 8011} <= {packet.destination_port for packet in samples[3]}
    program = build_program(firewall)
    for index, packets in samples.items():
        assert len(packets) == len(set(packets)) <= MOST_PACKETS
        for packet in packets:
            assert evaluate(program, packet).action in outcomes[index].assertion.expectation.actions


@pytest.mark.parametrize(
    ("right", "broken", "failing"),
    [
        # An edge of a set, a port, a verdict, a family, a direction.
        ("198.51.100.0/24", "198.51.100.0-198.51.100.254", 0),
        ("198.51.100.0/24", "198.51.100.0-198.51.101.0", 1),
        ("8000-8010", "8000-8009", 2),
        ("8000-8010", "8000-8011", 3),
        ("policy/ping", "policy/ping", None),
    ],
)
def test_a_ruleset_that_is_not_what_the_policies_say_is_found(
    right: str, broken: str, failing: t.Optional[int]
) -> None:
    firewall, outcomes = _tested(*TESTS)
    text = _text(build_program(firewall))
    assert right in text
    samples = sample_packets(firewall, HOST, outcomes)
    packets = [packet for listed in samples.values() for packet in listed]
    found = judge_kernel(firewall, outcomes, samples, try_packets(text.replace(right, broken), packets))
    failed = [index for index, outcome in enumerate(found) if outcome.status is Status.FAILED]
    if failing is None:
        assert failed == []
        return
    assert failing in failed
    outcome = found[failing]
    assert outcome.cause is Cause.KERNEL
    assert outcome.reason.startswith("the kernel ")
    assert outcome.packet in samples[failing]


def test_nothing_is_left_and_the_own_network_is_not_touched() -> None:
    firewall, outcomes = _tested(TESTS[0])
    before = (socket.if_nameindex(), _ruleset(), os.sched_getaffinity(0), os.readlink("/proc/self/ns/net"))
    packets = [one for listed in sample_packets(firewall, HOST, outcomes).values() for one in listed]
    try_packets(_text(build_program(firewall)), packets)
    assert (socket.if_nameindex(), _ruleset(), os.sched_getaffinity(0), os.readlink("/proc/self/ns/net")) == before


def _ruleset() -> str:
    return subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout


def test_packets_survive_the_way_to_a_host() -> None:
    firewall, outcomes = _tested(*TESTS)
    for packets in sample_packets(firewall, HOST, outcomes).values():
        plain = json.loads(json.dumps([packet_to_plain(packet) for packet in packets]))
        assert [packet_from_plain(one) for one in plain] == list(packets)


def test_a_ruleset_that_nft_refuses_is_an_error() -> None:
    packet = Packet(Direction.INGRESS, 4, 6, 0xC6336407, 0xC0000201, source_port=1, destination_port=2)
    with pytest.raises(HostError, match="nft refused"):
        try_packets("table inet palisade { nonsense }", [packet])


def test_where_no_namespace_can_be_made_it_says_what_is_needed() -> None:
    """In a user namespace of its own, without the capability to make a network there."""
    script = (
        "import sys; sys.path.insert(0, %r)\n"
        "import tests.conftest\n"
        "from ansible_collections.palisade.nftables.plugins.module_utils._host.trial import NoTrialError, try_packets\n"
        "from tests.packets.test_trial import Packet, Direction\n"
        "try:\n"
        "    try_packets('', [Packet(Direction.INGRESS, 4, 6, 1, 2)])\n"
        "except NoTrialError as exc:\n"
        "    print(exc)\n" % str(CHECKOUT)
    )
    done = subprocess.run(
        ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin", sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "the kernel cannot be asked here: no network namespace can be made" in done.stdout
    assert "root" in done.stdout


def test_where_no_frames_can_be_made_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a sandbox that has namespaces, and no sockets of that kind."""
    monkeypatch.setattr(socket, "AF_PACKET", 999)
    packet = Packet(Direction.INGRESS, 4, 6, 0xC6336407, 0xC0000201, source_port=1, destination_port=2)
    with pytest.raises(NoTrialError, match="the kernel cannot be asked here: Address family not supported"):
        try_packets("table inet palisade { }", [packet])


class _Left(Exception):  # noqa: N818 - it is how the module ends
    """The module has ended, with this result."""


class _Module:
    """What the module's code sees of AnsibleModule."""

    def __init__(self, trial: t.Optional[t.Dict[str, t.Any]]) -> None:
        self.params = {"trial": trial}

    def exit_json(self, **result: object) -> None:
        raise _Left(result)

    def fail_json(self, **result: object) -> None:
        raise _Left({"failed": True, **result})


def _run_module(trial: t.Optional[t.Dict[str, t.Any]]) -> t.Dict[str, t.Any]:
    with pytest.raises(_Left) as left:
        run_trial(t.cast("t.Any", _Module(trial)))
    return t.cast("t.Dict[str, t.Any]", left.value.args[0])


def test_a_host_answers_what_its_kernel_says() -> None:
    firewall, outcomes = _tested(*TESTS)
    program = build_program(firewall)
    packets = [one for listed in sample_packets(firewall, HOST, outcomes).values() for one in listed]
    trial = {"ruleset": _text(program), "packets": [packet_to_plain(one) for one in packets]}
    answer = _run_module(json.loads(json.dumps(trial)))
    assert answer["verdicts"] == [evaluate(program, packet).action.value for packet in packets]
    assert answer["changed"] is False
    refused = _run_module({"ruleset": "nonsense", "packets": trial["packets"]})
    assert refused["failed"] is True
    assert refused["msg"].startswith("nft refused")
    assert "trial is missing" in _run_module(None)["msg"]
