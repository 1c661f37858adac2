# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Published ports: real connections to a container, next to the rules of Docker and of Podman.

The rules are written as those daemons write them; the daemons themselves are in ``test_published_docker``.
"""

from __future__ import annotations

import socket
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Layout
from lab import reexec
from lab.connections import ANSWERED, CONNECTED, FILTERED, REFUSED, Server
from lab.namespaces import Lab

from .published import CONTAINER, HOST, HOST_TOO, POLICY, STRANGER, ContainerScene, docker_rules, netavark_rules

PUBLISHED = (8080, 8443, 9090, 5353)
WRITERS: t.Mapping[str, t.Callable[[t.Sequence[int]], str]] = {"docker": docker_rules, "netavark": netavark_rules}


@pytest.fixture(scope="module", params=WRITERS)
def scene(request: pytest.FixtureRequest) -> t.Iterator[ContainerScene]:
    reason = reexec.why_unavailable()
    if reason is not None:
        pytest.skip("no lab can be built: %s" % reason)
    reexec.ensure_privileges()
    with Lab() as lab:
        made = ContainerScene(lab)
        made.host.nft(WRITERS[request.param](PUBLISHED))
        with made.serve():
            yield made
        made.close()


@pytest.fixture(name="layout", params=Layout)
def fixture_layout(request: pytest.FixtureRequest) -> Layout:
    return t.cast("Layout", request.param)


@pytest.fixture(name="family", params=[4, 6])
def fixture_family(request: pytest.FixtureRequest) -> int:
    return t.cast("int", request.param)


def test_without_a_policy_the_port_is_open_to_everybody(scene: ContainerScene, family: int) -> None:
    scene.load({})
    assert scene.probe(scene.stranger, "tcp", HOST[family], 9090) == CONNECTED


def test_the_port_that_was_sent_to_is_what_counts(scene: ContainerScene, family: int, layout: Layout) -> None:
    scene.load(POLICY, layout)
    seen = [
        scene.probe(client, protocol, address[family], port)
        for client, protocol, address, port in (
            (scene.stranger, "tcp", HOST, 8080),
            (scene.stranger, "tcp", HOST, 8443),
            (scene.office, "tcp", HOST, 8443),
            (scene.office, "tcp", HOST, 9090),
            (scene.stranger, "udp", HOST, 5353),
            (scene.stranger, "udp", HOST_TOO, 5353),
            (scene.stranger, "udp", HOST, 8080),
        )
    ]
    assert seen == [CONNECTED, FILTERED, CONNECTED, FILTERED, ANSWERED, FILTERED, FILTERED]


def test_the_containers_own_port_in_a_policy_opens_nothing(scene: ContainerScene, family: int, layout: Layout) -> None:
    rule = {"direction": "ingress", "protocol": "tcp", "destination_ports": 80, "action": "accept"}
    scene.load({"firewall_policies": {"a": {"rules": [rule]}}, "firewall_assigned": ["a"]}, layout)
    assert scene.probe(scene.stranger, "tcp", HOST[family], 8080) == FILTERED


def test_a_packet_is_counted_once_by_the_rule_that_decides(scene: ContainerScene, family: int, layout: Layout) -> None:
    scene.load(POLICY, layout)
    names = ["policy/shop/0", "policy/shop/1", "policy/shop/2", "ingress/default"]
    assert scene.probe(scene.stranger, "tcp", HOST[family], 8080) == CONNECTED
    assert scene.probe(scene.office, "tcp", HOST[family], 8443) == CONNECTED
    assert scene.probe(scene.office, "udp", HOST[family], 5353) == ANSWERED
    assert [scene.packets(name) for name in names] == [1, 1, 1, 0]


def test_a_reject_is_answered_from_the_address_and_port_that_was_sent_to(
    scene: ContainerScene, family: int, layout: Layout
) -> None:
    scene.load({**POLICY, "firewall_default_ingress": "reject", "firewall_default_egress": "drop"}, layout)
    # Answers of another address would not reach the sockets that ask.
    assert scene.probe(scene.stranger, "tcp", HOST[family], 9090) == REFUSED
    assert scene.probe(scene.stranger, "udp", HOST[family], 8080) == REFUSED
    assert scene.probe(scene.stranger, "tcp", HOST[family], 8080) == CONNECTED


def test_what_is_only_routed_is_left_alone(scene: ContainerScene, family: int, layout: Layout) -> None:
    scene.load({"firewall_default_ingress": "drop", "firewall_default_policies": []}, layout)
    # Docker 20.10 lets its neighbours on the network pass to the port of the container.
    assert scene.probe(scene.stranger, "tcp", CONTAINER[family], 80) == CONNECTED
    with Server(scene.stranger, tcp=[7000], udp=[7000]):
        assert scene.probe(scene.container, "tcp", STRANGER[family], 7000) == CONNECTED
        assert scene.probe(scene.container, "udp", STRANGER[family], 7000) == ANSWERED


def test_the_host_and_its_proxies_meet_the_policy_as_ever(scene: ContainerScene, family: int, layout: Layout) -> None:
    scene.load(POLICY, layout)
    # What the proxy listens on is a port of the host: nothing is translated, and it is input.
    with Server(scene.host, tcp=[81, 83]):
        assert scene.probe(scene.stranger, "tcp", HOST[family], 81) == CONNECTED
        assert scene.probe(scene.stranger, "tcp", HOST[family], 83) == FILTERED
        assert scene.packets("policy/shop/3") == 1
    assert scene.probe(scene.host, "tcp", HOST[family], 9090) == CONNECTED


def test_leave_exempts_published_ports_and_nothing_else(scene: ContainerScene, family: int, layout: Layout) -> None:
    scene.load({**POLICY, "firewall_published": "leave"}, layout)
    assert scene.probe(scene.stranger, "tcp", HOST[family], 9090) == CONNECTED
    with Server(scene.host, tcp=[83]):
        assert scene.probe(scene.stranger, "tcp", HOST[family], 83) == FILTERED


def test_other_interfaces_are_left_alone(scene: ContainerScene, family: int, layout: Layout) -> None:
    scene.load({**POLICY, "firewall_interfaces": ["eth1"]}, layout)
    assert scene.probe(scene.stranger, "tcp", HOST[family], 9090) == CONNECTED
    scene.load({**POLICY, "firewall_interfaces": ["eth*"]}, layout)
    assert scene.probe(scene.stranger, "tcp", HOST[family], 9090) == FILTERED


@pytest.mark.parametrize("profile", ["host", "netcup"])
def test_an_open_connection_goes_on_when_its_port_is_closed_but_where_each_packet_needs_a_rule(
    scene: ContainerScene, family: int, layout: Layout, profile: str
) -> None:
    policy = {
        "firewall_policies": {
            "a": {
                "rules": [{"direction": "ingress", "protocol": "tcp", "destination_ports": "8080", "action": "accept"}]
            }
        },
        "firewall_assigned": ["a"],
        "firewall_profile": profile,
    }
    closed = {**policy, "firewall_assigned": [], "firewall_default_ingress": "drop"}
    scene.load(policy, layout)
    kind = socket.AF_INET if family == 4 else socket.AF_INET6
    with scene.stranger.socket(kind, socket.SOCK_STREAM) as connection:
        connection.settimeout(2)
        connection.connect((HOST[family], 8080))
        connection.sendall(b"one")
        assert connection.recv(3) == b"one"
        scene.load(closed, layout)
        connection.settimeout(2 if profile == "host" else 0.5)
        connection.sendall(b"two")
        if profile == "host":
            assert connection.recv(3) == b"two"
        else:
            with pytest.raises(socket.timeout):
                connection.recv(3)
    assert scene.probe(scene.stranger, "tcp", HOST[family], 8080) == FILTERED


def test_answers_of_a_container_need_no_rule_in_any_profile(scene: ContainerScene, family: int, layout: Layout) -> None:
    rules = [
        {"direction": "ingress", "protocol": protocol, "destination_ports": "5353", "action": "accept"}
        for protocol in ("udp", "tcp")
    ]
    scene.load(
        {
            "firewall_policies": {"a": {"rules": rules}},
            "firewall_assigned": ["a"],
            "firewall_profile": "netcup",
            "firewall_default_egress": "drop",
        },
        layout,
    )
    assert scene.probe(scene.stranger, "udp", HOST[family], 5353) == ANSWERED
    assert scene.probe(scene.stranger, "tcp", HOST[family], 5353) == CONNECTED
