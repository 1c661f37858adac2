# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A large ruleset is deployed and changed while new connections arrive, as many as the lab can make.

Where a lookup found nothing for an instant, a connection that is allowed would meet the default action and be
refused, and one that is refused would meet the rule behind and be let through. Every flow is new to the kernel,
and those that are accepted are tracked from then on. ``PALISADE_LOAD_RULES=10000`` (``make load``) is how large.
"""

from __future__ import annotations

import ipaddress
import os
import pathlib
import random
import socket
import time
import typing as t

import pytest

from lab.calls import Called, Calls
from lab.connections import Server
from lab.flood import Flood, Stream
from lab.namespaces import Host, Lab
from lab.packets import UDP, LabPacket
from lab.reexec import LabUnavailableError, ensure_privileges, in_user_namespace

from .test_flood import Changes, Network, _nth, network

__all__ = ["network"]

pytestmark = pytest.mark.alone

#: Without root the kernel takes no transaction that is larger than a socket's buffer.
_RULES = 120 if in_user_namespace() else int(os.environ.get("PALISADE_LOAD_RULES", "1000"))

_CHANGES = 3

_TCP_PORT, _UDP_PORT = 22, 5353

#: Of each stream; a burst has each of them four times, from four ports.
_SOURCES = 256

#: How long the calls go on before anything changes, to compare their pauses with.
_QUIET_SECONDS = 2.0
#: A call that nobody answered is made again after a second (RFC 6298, 2.1); until that one is answered, too.
_UNTIL_ANSWERED = 1.5


class Policy:
    """So many rules about others, before and behind those that decide about the flows.

    The office may come in and outsiders may not; a last rule lets in everybody else.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._random = random.Random(_RULES)
        self._before = [self._filler() for _rule in range(_RULES // 2)]
        self._behind = [self._filler() for _rule in range(_RULES - len(self._before))]
        self._office = [_block(network, network.office)]

    def variables(self) -> t.Dict[str, t.Any]:
        rules = [
            *self._gates("accept", ["office"]),
            *self._gates("drop", [_block(self._network, self._network.outsiders)]),
        ]
        return {
            "firewall_networks": {"office": list(self._office)},
            "firewall_policies": {
                "before": {"rules": list(self._before)},
                "gates": {"rules": rules},
                "behind": {"rules": list(self._behind)},
                "last": {"rules": self._gates("accept", None)},
            },
            "firewall_assigned": ["before", "gates", "behind", "last"],
            "firewall_default_ingress": "drop",
        }

    def change(self) -> None:
        """Rules before and behind, and the network that the office is in: none about the flows themselves."""
        for rules in (self._before, self._behind):
            rules[self._random.randrange(len(rules))] = self._filler()
        # A range, so that it is an element of an interval set, which is made anew.
        first = self._address()
        self._office.append("%s-%s" % (first, _nth(first, 1)))

    def _gates(self, action: str, sources: t.Optional[t.List[str]]) -> t.List[t.Dict[str, t.Any]]:
        return [
            {
                "direction": "ingress",
                "action": action,
                "protocol": protocol,
                "destination_ports": [port],
                **({} if sources is None else {"sources": sources}),
            }
            for protocol, port in (("tcp", _TCP_PORT), ("udp", _UDP_PORT))
        ]

    def _filler(self) -> t.Dict[str, t.Any]:
        rng = self._random
        return {
            "direction": "ingress",
            "action": rng.choice(("accept", "drop")),
            "protocol": rng.choice(("tcp", "udp")),
            "sources": [self._address()],
            "destination_ports": [rng.choice((_TCP_PORT, _UDP_PORT, 80, "1000-1999"))],
        }

    def _address(self) -> str:
        return _nth(self._network.range, self._random.randrange(1 << 13) << 3)


def _block(network: Network, base: str) -> str:
    return "%s/%d" % (base, 24 if network.family == 4 else 48)


class Scene(t.NamedTuple):
    """The host under test, and two that call it, on one segment."""

    host: Host
    office: Host
    outsider: Host


def _own(base: str) -> str:
    return _nth(base, 1)


@pytest.fixture
def scene(network: Network) -> t.Iterator[Scene]:
    try:
        ensure_privileges()
    except LabUnavailableError as exc:
        pytest.skip(str(exc))
    with Lab() as lab:
        hosts = lab.hosts_named(["host", "office", "outsider"], {})
        segment = lab.segment()
        length = 24 if network.family == 4 else 64
        for host, address in zip(hosts, (network.own, _own(network.office), _own(network.outsiders))):
            segment.attach(host, ["%s/%d" % (address, length)])
        # Whoever is elsewhere is on the same segment.
        for host in hosts:
            host.ip("route add default dev eth0", family="-%d" % network.family)
        yield Scene(*hosts)


def _stream(network: Network, base: str, *, allowed: bool) -> Stream:
    own, first = int(ipaddress.ip_address(network.own)), int(ipaddress.ip_address(base))
    packets = [
        LabPacket(
            direction="ingress",
            interface="eth0",
            family=network.family,
            protocol=UDP,
            source=first + number,
            destination=own,
            source_port=1024,
            destination_port=_UDP_PORT,
        )
        for number in range(_SOURCES)
    ]
    return Stream(packets, allowed, fresh=True)


def _sink(host: Host, network: Network) -> socket.socket:
    """What accepted packets end in: nobody answers them."""
    opened = host.socket(socket.AF_INET if network.family == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
    opened.bind((network.own, _UDP_PORT))
    return opened


def test_no_new_flow_meets_anything_but_the_old_rules_or_the_new_ones(
    scene: Scene, network: Network, tmp_path: pathlib.Path
) -> None:
    policy = Policy(network)
    changes = Changes(scene.host, tmp_path, policy)
    office = {"the office": _stream(network, network.office, allowed=True)}
    outsiders = {"outsiders": _stream(network, network.outsiders, allowed=False)}
    with _sink(scene.host, network):
        # Before the first deploy everybody comes in.
        with Flood(scene.host, office, scene.office) as flood:
            changes.apply()
            flood.await_more()
            first = flood.stop()["the office"]
        print("first deploy of %d rules, %.0f new flows a second: %s" % (_RULES, first.rate, first))
        assert (first.lost, changes.made) == (0, 1)
        for streams, wire in ((office, scene.office), (outsiders, scene.outsider)):
            with Flood(scene.host, streams, wire) as flood:
                for _change in range(_CHANGES):
                    policy.change()
                    changes.apply()
                    flood.await_more()
                ((name, count),) = flood.stop().items()
            print(
                "%d changes of %d rules, %s, %.0f new flows a second: %s" % (_CHANGES, _RULES, name, count.rate, count)
            )
            assert (count.lost, count.leaked) == (0, 0)
            assert count.seen > _SOURCES
    assert changes.made == 1 + 2 * _CHANGES


def _show(title: str, called: Called) -> None:
    print(
        "%s: %d new connections, %.0f a second; the longest pause between two %.0f ms, the slowest %.0f ms, "
        "%d segments sent again"
        % (
            title,
            called.connected,
            called.connected / called.seconds,
            called.longest_pause * 1000,
            called.longest_call * 1000,
            called.asked_again,
        )
    )


def _assert_all_accepted(called: Called) -> None:
    assert called.connected > 100
    assert (called.refused, called.unanswered, called.asked_again) == (0, 0, 0), called


def test_no_new_connection_is_refused_or_let_through_by_mistake(
    scene: Scene, network: Network, tmp_path: pathlib.Path
) -> None:
    policy = Policy(network)
    changes = Changes(scene.host, tmp_path, policy)
    with Server(scene.host, tcp=[_TCP_PORT]):

        def call(caller: Host, base: str) -> Calls:
            return Calls(caller, _own(base), network.own, _TCP_PORT)

        with call(scene.office, network.office) as calls:
            time.sleep(_QUIET_SECONDS)
            _show("nothing changes", calls.stop())
        with call(scene.office, network.office) as calls:
            changes.apply()
            time.sleep(_UNTIL_ANSWERED)
            called = calls.stop()
        _show("first deploy of %d rules" % _RULES, called)
        _assert_all_accepted(called)
        with call(scene.office, network.office) as calls, call(scene.outsider, network.outsiders) as others:
            for _change in range(_CHANGES):
                policy.change()
                changes.apply()
            time.sleep(_UNTIL_ANSWERED)
            called, refused = calls.stop(), others.stop()
        _show("%d changes of %d rules" % (_CHANGES, _RULES), called)
        _assert_all_accepted(called)
        assert (refused.connected, refused.refused) == (0, 0), refused
        # They did call: where the changes are quick, nobody has given up before the end, and all have asked again.
        assert refused.asked_again > 0
    assert changes.made == 1 + _CHANGES
