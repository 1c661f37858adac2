# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No gap: a flood runs across live changes, and no allowed packet is lost, no refused one let through.

Each change is a whole run as the module makes it. Four streams flow at the highest rate that the
machine makes, two each way: one that every ruleset of the test accepts, whether by a set or by a rule,
and one that every ruleset refuses.
"""

from __future__ import annotations

import ipaddress
import itertools
import os
import pathlib
import re
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host.apply import run
from ansible_collections.palisade.nftables.plugins.module_utils._host.options import Host as Target
from ansible_collections.palisade.nftables.plugins.module_utils._host.options import Options
from lab.flood import Flood, Stream
from lab.namespaces import Host, Lab
from lab.packets import TCP, LabPacket
from lab.reexec import LabUnavailableError, ensure_privileges, in_user_namespace

pytestmark = pytest.mark.alone

#: Of each family.
_CHANGES = 100

#: Elements of the largest set: enough that loading it takes the kernel many times as long as one packet.
#: Without root the kernel takes no transaction that is larger than a socket's buffer.
_MANY = 500 if in_user_namespace() else 2000

#: Packets of a stream, each with other addresses and ports.
_PACKETS = 64


class Network(t.NamedTuple):
    """The addresses of one family: those of the host, of the peers it talks to, of others, and of a big range."""

    family: int
    own: str
    office: str
    outsiders: str
    range: str


NETWORKS = {
    4: Network(4, "192.0.2.10", "198.51.100.0", "203.0.113.0", "198.18.0.0"),
    6: Network(6, "2001:db8::10", "2001:db8:1::", "2001:db8:2::", "2001:db8:3::"),
}


def _peers() -> t.Iterable[int]:
    """Numbers of the peers within their network."""
    return range(0, 3 * _PACKETS, 3)


def _nth(base: str, number: int) -> str:
    return str(ipaddress.ip_address(int(ipaddress.ip_address(base)) + number))


class Policy:
    """The role variables of the test, and the ways in which they change.

    The office reaches port 22 of the host, and the host reaches the office's port 5432: by a set of
    addresses. Everybody reaches the ports of ``web``. Outsiders reach no other port, and the host
    reaches none of theirs, in every version.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        # No two of them touch, so that each is an element of its own, of an interval set.
        self._office = {
            "%s-%s" % (_nth(network.office, number), _nth(network.office, number + 1)) for number in _peers()
        }
        self._many: t.Set[str] = set()
        self._extra_ports: t.List[int] = []
        self._order = ["office", "web", "outsiders"]
        self._default = "drop"
        self._web = "web"
        # Not adjacent, so that they stand in the rule as an exact set, which is made anew with the rule.
        self._more_ports: t.List[int] = [7000, 7002]

    def variables(self) -> t.Dict[str, t.Any]:
        return {
            "firewall_networks": {"office": sorted(self._office | self._many), "outsiders": [self._outsiders()]},
            "firewall_policies": {
                "office": {
                    "rules": [
                        _rule("ingress", "accept", destination_ports=[22, *self._more_ports], sources=["office"]),
                        _rule("egress", "accept", destination_ports=[5432, *self._more_ports], destinations=["office"]),
                    ]
                },
                "web": {"rules": [_rule("ingress", "accept", destination_ports=[80, 443])]},
                "web-wide": {"rules": [_rule("ingress", "accept", destination_ports=[80, "443-446", 8080])]},
                "outsiders": {
                    "rules": [
                        _rule("ingress", "drop", destination_ports=[22, *self._more_ports], sources=["outsiders"]),
                        _rule(
                            "egress", "drop", destination_ports=[5432, *self._more_ports], destinations=["outsiders"]
                        ),
                    ]
                },
                "extra": {
                    "rules": [_rule("ingress", "accept", destination_ports=[port]) for port in self._extra_ports or [9]]
                },
            },
            "firewall_assigned": [*(self._web if name == "web" else name for name in self._order), "extra"],
            "firewall_default_ingress": self._default,
            "firewall_default_egress": self._default,
        }

    def _outsiders(self) -> str:
        return "%s/%d" % (self._network.outsiders, 24 if self._network.family == 4 else 48)

    # Each changes the variables in one way, and no verdict about the streams.

    def add_rule(self) -> None:
        self._extra_ports.append(9000 + len(self._extra_ports))

    def remove_rules(self) -> None:
        self._extra_ports = []

    def reorder_policies(self) -> None:
        self._order = self._order[1:] + self._order[:1]

    def switch_policy(self) -> None:
        self._web = "web-wide" if self._web == "web" else "web"

    def change_ports(self) -> None:
        self._more_ports = [7000, 7002] if len(self._more_ports) > 10 else [*self._more_ports, self._more_ports[-1] + 2]

    def add_address(self) -> None:
        self._many.add(_nth(self._network.range, 2 * len(self._many)))

    def remove_addresses(self) -> None:
        self._many = set()

    def grow_the_set(self) -> None:
        self._many = {_nth(self._network.range, 2 * number) for number in range(_MANY)}

    def flip_the_default(self) -> None:
        # What is refused is refused by a rule as well.
        self._default = "accept" if self._default == "drop" else "drop"


def _rule(direction: str, action: str, **conditions: t.Any) -> t.Dict[str, t.Any]:
    return {"direction": direction, "protocol": "tcp", "action": action, **conditions}


def _streams(network: Network) -> t.Dict[str, Stream]:
    def stream(direction: str, peers: str, port: int, *, allowed: bool) -> Stream:
        own = int(ipaddress.ip_address(network.own))
        packets = []
        for number in _peers():
            peer = int(ipaddress.ip_address(peers)) + number
            source, destination = (peer, own) if direction == "ingress" else (own, peer)
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
        "the office comes in": stream("ingress", network.office, 22, allowed=True),
        "outsiders come in": stream("ingress", network.outsiders, 22, allowed=False),
        "the host goes to the office": stream("egress", network.office, 5432, allowed=True),
        "the host goes to outsiders": stream("egress", network.outsiders, 5432, allowed=False),
    }


@pytest.fixture(params=NETWORKS, ids=["IPv4", "IPv6"])
def network(request: pytest.FixtureRequest) -> Network:
    return NETWORKS[request.param]


@pytest.fixture
def hosts(network: Network) -> t.Iterator[t.Tuple[Host, Host]]:
    """The host under test and the wire that its packets come from."""
    try:
        ensure_privileges()
    except LabUnavailableError as exc:
        pytest.skip(str(exc))
    with Lab() as lab:
        host, wire = lab.hosts_named(["host", "wire"], {})
        length = 24 if network.family == 4 else 64
        lab.connect(host, wire, addresses=(["%s/%d" % (network.own, length)], []))
        host.ip("route add default dev eth0", family="-%d" % network.family)
        host.sysctl("net/ipv4/conf/all/rp_filter", 0)
        host.sysctl("net/ipv4/conf/eth0/rp_filter", 0)
        yield host, wire


class Changing(t.Protocol):
    """Role variables that are others from time to time."""

    def variables(self) -> t.Dict[str, t.Any]:
        """As they are now."""


class Changes:
    """Brings the host to one version of the policy after another, as the module does."""

    def __init__(self, host: Host, root: pathlib.Path, policy: Changing, warned_of: t.Sequence[str] = ()) -> None:
        """Args:
        warned_of: The codes of the warnings that every run is to give.
        """
        for folder in ("etc", "run"):
            os.makedirs(root / folder, exist_ok=True)
        self._warned_of = list(warned_of)
        self._host = host
        self._target = Target(root=str(root), environ={})
        self._policy = policy
        self.made = 0

    def apply(self) -> t.List[str]:
        """One run; what it changed."""
        options = Options(variables=self._policy.variables(), connection="local")
        result = self._host.call(run, options, self._target)
        assert [warning.partition(":")[0] for warning in result["warnings"]] == self._warned_of, result["warnings"]
        self.made += result["changed"]
        return t.cast("t.List[str]", result["changes"])

    def edit_by_hand(self) -> None:
        """Somebody takes the office out of the set and lets port 23 in; the streams' own elements stay."""
        listing = self._host.run(["nft", "list", "table", "inet", "palisade"]).stdout
        found = re.search(r"set (ip6?_office_[0-9a-f]+) ", listing)
        assert found is not None
        stray = {"ip_office": "192.0.2.200", "ip6_office": "2001:db8:9::1"}[found.group(1).rpartition("_")[0]]
        self._host.nft(
            "add element inet palisade %s { %s }\ninsert rule inet palisade input tcp dport 23 accept\n"
            % (found.group(1), stray)
        )


def _assert_no_gap(flood: Flood, made: int) -> None:
    counts = flood.stop()
    shown = "\n".join("%s: %s" % (name, count) for name, count in counts.items())
    print("%d live changes\n%s" % (made, shown))
    assert {name: (count.lost, count.leaked) for name, count in counts.items()} == dict.fromkeys(counts, (0, 0)), shown
    assert all(count.seen > 1000 for count in counts.values()), shown


@pytest.mark.slow
def test_no_packet_notices_a_change(hosts: t.Tuple[Host, Host], network: Network, tmp_path: pathlib.Path) -> None:
    policy = Policy(network)
    changes = Changes(hosts[0], tmp_path, policy)
    steps: t.List[t.Callable[[], None]] = [
        policy.add_rule,
        policy.add_address,
        policy.reorder_policies,
        policy.switch_policy,
        policy.grow_the_set,
        policy.flip_the_default,
        policy.change_ports,
        changes.edit_by_hand,
        policy.change_ports,
        policy.remove_addresses,
        policy.flip_the_default,
        changes.edit_by_hand,
        policy.add_address,
        policy.remove_rules,
    ]
    changes.apply()
    changes.made = 0
    with Flood(hosts[0], _streams(network), hosts[1]) as flood:
        for step in itertools.cycle(steps):
            step()
            assert changes.apply(), step
            if changes.made >= _CHANGES:
                break
        _assert_no_gap(flood, changes.made)


def test_no_packet_notices_a_run_without_change(
    hosts: t.Tuple[Host, Host], network: Network, tmp_path: pathlib.Path
) -> None:
    changes = Changes(hosts[0], tmp_path, Policy(network))
    changes.apply()
    with Flood(hosts[0], _streams(network), hosts[1]) as flood:
        for _run in range(20):
            assert changes.apply() == []
        _assert_no_gap(flood, 0)


def test_the_flood_sees_a_gap(hosts: t.Tuple[Host, Host], network: Network, tmp_path: pathlib.Path) -> None:
    """The measuring instrument: for an instant nothing is refused, then for an instant everything is."""
    changes = Changes(hosts[0], tmp_path, Policy(network))
    changes.apply()
    streams = _streams(network)
    with Flood(hosts[0], streams, hosts[1]) as flood:
        hosts[0].nft("flush chain inet palisade input\nflush chain inet palisade output\n")
        flood.await_more()
        changes.apply()
        hosts[0].nft("insert rule inet palisade input drop\ninsert rule inet palisade output drop\n")
        flood.await_more()
        changes.apply()
        counts = flood.stop()
    assert all(count.lost if streams[name].allowed else count.leaked for name, count in counts.items()), counts
