# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No gap in large compiled rulesets: a flood runs across live changes of hundreds to thousands of rules.

Every packet of the streams is decided by a rule about its own address, so by an element of a map once
the layout is ``auto``. Where a lookup found nothing for an instant, an allowed packet would meet the
default action and be lost, and a refused one the rule behind, which accepts its port from anybody.
"""

from __future__ import annotations

import ipaddress
import itertools
import pathlib
import random
import typing as t

import pytest

from lab.flood import Flood, Stream
from lab.namespaces import Host
from lab.packets import TCP, LabPacket
from lab.reexec import in_user_namespace

from .test_flood import NETWORKS, Changes, Network, _assert_no_gap, _nth, hosts, network

__all__ = ["hosts", "network"]

pytestmark = pytest.mark.alone

#: Without root the kernel takes no transaction that is larger than a socket's buffer.
_RULES = 60 if in_user_namespace() else 400
_MANY_RULES = 120 if in_user_namespace() else 1500

_CHANGES = 20
_CHANGES_OF_MANY = 6

_PEERS = range(0, 96, 3)

#: Ports of the streams: those that elements accept, and those that elements drop and a later rule accepts.
_ALLOWED = {"ingress": 22, "egress": 5432}
_REFUSED = {"ingress": 23, "egress": 5433}


class LargePolicy:
    """Role variables with hundreds of rules, and the ways in which they change.

    Args:
        count: Rules about nothing that flows, before, between and behind those that decide the streams.
    """

    def __init__(self, network: Network, count: int) -> None:
        self._network = network
        self._random = random.Random(count)
        self._layout = "auto"
        self._counters = True
        self._order = ["before", "streams", "behind"]
        self._rules = {
            "before": [self._filler() for _rule in range(count // 2)],
            "streams": self._streams(),
            "behind": [self._filler() for _rule in range(count - count // 2)],
        }

    def variables(self) -> t.Dict[str, t.Any]:
        return {
            "firewall_layout": self._layout,
            "firewall_counters": self._counters,
            "firewall_policies": {name: {"rules": list(rules)} for name, rules in self._rules.items()},
            "firewall_assigned": [*self._order, "last"],
            "firewall_policies_last": {"last": {"rules": self._last()}},
            "firewall_default_ingress": "drop",
            "firewall_default_egress": "drop",
        }

    def _filler(self) -> t.Dict[str, t.Any]:
        rng = self._random
        width = 32 if self._network.family == 4 else 128
        side = {"ingress": "sources", "egress": "destinations"}
        direction = rng.choice(("ingress", "egress"))
        address = _nth(self._network.range, rng.randrange(1 << 12) << 3)
        rule: t.Dict[str, t.Any] = {
            "direction": direction,
            "action": rng.choice(("accept", "drop")),
            side[direction]: ["%s/%d" % (address, width - rng.choice((0, 0, 0, 3)))],
        }
        if rng.random() < 0.7:
            rule.update(protocol=rng.choice(("tcp", "udp")), destination_ports=[rng.choice((22, 23, 80, "1000-1999"))])
        return rule

    def _streams(self) -> t.List[t.Dict[str, t.Any]]:
        rules = []
        for direction, side in (("ingress", "sources"), ("egress", "destinations")):
            for number in _PEERS:
                for peers, action, ports in (
                    (self._network.office, "accept", _ALLOWED),
                    (self._network.outsiders, "drop", _REFUSED),
                ):
                    conditions = {side: [_nth(peers, number)], "destination_ports": [ports[direction]]}
                    rules.append({"direction": direction, "action": action, "protocol": "tcp", **conditions})
        return rules

    def _last(self) -> t.List[t.Dict[str, t.Any]]:
        return [
            {"direction": direction, "action": "accept", "protocol": "tcp", "destination_ports": [port]}
            for direction, port in _REFUSED.items()
        ]

    # Each changes the variables in one way, and no verdict about the streams.

    def change_an_address(self) -> None:
        self._change(self._rules["behind"])

    def change_an_early_address(self) -> None:
        self._change(self._rules["before"])

    def _change(self, rules: t.List[t.Dict[str, t.Any]]) -> None:
        index = self._random.randrange(len(rules))
        rules[index] = self._filler()

    def turn_a_rule(self) -> None:
        rules = self._rules["before"]
        index = self._random.randrange(len(rules))
        rules[index] = {**rules[index], "action": {"accept": "drop", "drop": "accept"}[rules[index]["action"]]}

    def insert_a_rule(self) -> None:
        """At the top: every rule behind it counts under another name."""
        self._rules["before"].insert(0, self._filler())

    def insert_among_the_streams(self) -> None:
        """Next to the elements that decide the streams, in the same maps."""
        peer = _nth(self._network.office, 200 + len(self._rules["streams"]) % 40)
        self._rules["streams"].insert(
            5,
            {
                "direction": "ingress",
                "action": "accept",
                "protocol": "tcp",
                "sources": [peer],
                "destination_ports": [_ALLOWED["ingress"]],
            },
        )

    def remove_a_rule(self) -> None:
        rules = self._rules["behind"]
        del rules[self._random.randrange(len(rules))]

    def move_the_streams(self) -> None:
        self._order = self._order[1:] + self._order[:1]

    def switch_layout(self) -> None:
        self._layout = "ordered" if self._layout == "auto" else "auto"

    def switch_counters(self) -> None:
        self._counters = not self._counters


def _streams(network: Network) -> t.Dict[str, Stream]:
    def stream(direction: str, peers: str, port: int, *, allowed: bool) -> Stream:
        packets = []
        for number in _PEERS:
            ends = [_number(_nth(peers, number)), _number(network.own)]
            source, destination = ends if direction == "ingress" else ends[::-1]
            packets.append(
                LabPacket(
                    direction=direction,
                    interface="eth0",
                    family=network.family,
                    protocol=TCP,
                    source=source,
                    destination=destination,
                    source_port=40000 + number,
                    destination_port=port,
                    tcp_flags=frozenset({"syn"}),
                )
            )
        return Stream(packets, allowed)

    return {
        "%s, %s" % (direction, "allowed" if allowed else "refused"): stream(
            direction,
            network.office if allowed else network.outsiders,
            (_ALLOWED if allowed else _REFUSED)[direction],
            allowed=allowed,
        )
        for direction in ("ingress", "egress")
        for allowed in (True, False)
    }


def _number(address: str) -> int:
    return int(ipaddress.ip_address(address))


def _flood(
    host_pair: t.Tuple[Host, Host], network: Network, policy: LargePolicy, root: pathlib.Path, most: int
) -> None:
    changes = Changes(host_pair[0], root, policy)
    steps = [
        policy.change_an_address,
        policy.insert_a_rule,
        policy.insert_among_the_streams,
        policy.switch_layout,
        policy.change_an_early_address,
        policy.switch_layout,
        policy.turn_a_rule,
        policy.move_the_streams,
        policy.remove_a_rule,
        policy.switch_counters,
    ]
    changes.apply()
    changes.made = 0
    with Flood(host_pair[0], _streams(network), host_pair[1]) as flood:
        # Rules that no packet of another can meet may move without a change of the table.
        for step in itertools.islice(itertools.cycle(steps), 2 * most):
            step()
            changes.apply()
            if changes.made >= most:
                break
        _assert_no_gap(flood, changes.made)
    assert changes.made == most


@pytest.mark.slow
def test_no_packet_notices_a_change_of_a_compiled_ruleset(
    hosts: t.Tuple[Host, Host], network: Network, tmp_path: pathlib.Path
) -> None:
    _flood(hosts, network, LargePolicy(network, _RULES), tmp_path, _CHANGES)


@pytest.mark.slow
@pytest.mark.parametrize("network", [NETWORKS[4]], ids=["IPv4"])
def test_no_packet_notices_a_change_of_thousands_of_rules(
    hosts: t.Tuple[Host, Host], network: Network, tmp_path: pathlib.Path
) -> None:
    _flood(hosts, network, LargePolicy(network, _MANY_RULES), tmp_path, _CHANGES_OF_MANY)
