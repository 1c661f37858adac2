# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Traffic, services and profiles: what a rule is about, and what a provider would make of it."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._core.errors import Path, PolicyError, Problems
from ansible_collections.palisade.nftables.plugins.module_utils._policy.catalogue import SERVICES
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall
from ansible_collections.palisade.nftables.plugins.module_utils._policy.services import Services
from ansible_collections.palisade.nftables.plugins.module_utils._policy.traffic import WrittenTraffic, read_traffic

PLACE = Path("rule")


def read(**keys: object) -> t.Tuple[t.Optional[WrittenTraffic], t.List[str]]:
    problems = Problems()
    return read_traffic(dict(keys), PLACE, problems), [problem.code for problem in problems.errors]


def kinds(written: t.Optional[WrittenTraffic]) -> t.List[t.Tuple[t.Optional[int], t.Any]]:
    assert written is not None
    return [(one.family, None if one.protocols is None else one.protocols.intervals) for one in written.traffic]


def test_nothing_is_any() -> None:
    written, codes = read()
    assert codes == []
    assert kinds(written) == [(None, None)]
    assert written is not None
    assert written.protocols is None


@pytest.mark.parametrize(
    ("protocol", "wanted"),
    [
        ("tcp", [(None, ((6, 6),))]),
        ("TCP", [(None, ((6, 6),))]),
        (6, [(None, ((6, 6),))]),
        ("6", [(None, ((6, 6),))]),
        (["tcp", "udp"], [(None, ((6, 6), (17, 17)))]),
        (["tcp", 6, "TCP"], [(None, ((6, 6),))]),
        ("icmp", [(4, ((1, 1),))]),
        (58, [(6, ((58, 58),))]),
        (["icmpv6", "icmp"], [(4, ((1, 1),)), (6, ((58, 58),))]),
        (["gre", "icmp"], [(None, ((47, 47),)), (4, ((1, 1),))]),
        ("any", [(None, None)]),
        (["Any"], [(None, None)]),
        (0, [(None, ((0, 0),))]),
        (255, [(None, ((255, 255),))]),
    ],
)
def test_protocols(protocol: object, wanted: t.List[t.Tuple[t.Optional[int], t.Any]]) -> None:
    written, codes = read(protocol=protocol)
    assert codes == []
    assert kinds(written) == wanted


@pytest.mark.parametrize(
    "protocol", ["tpc", "", "256", "00", "06", -1, 256, True, 6.0, None, ["tcp", "any"], [[6]], [None]]
)
def test_what_is_no_protocol(protocol: object) -> None:
    _written, codes = read(protocol=protocol)
    assert codes == ([] if protocol is None else ["protocol"])


def test_counts_are_those_of_what_was_written() -> None:
    written, _codes = read(protocol="tcp", source_ports=[1, 1], destination_ports=["1-10", 5, 7])
    assert written is not None
    assert (written.source_ports, written.destination_ports, written.protocols) == (2, 3, (6,))


def test_every_built_in_service_can_be_read() -> None:
    problems = Problems()
    services = Services({}, problems)
    assert [name for name in SERVICES if not services.read_services(name, PLACE)] == []
    assert problems.errors == []


@pytest.mark.parametrize("profile", ["host", "netcup", "contabo"])
def test_a_built_in_service_is_taken_or_refused_for_reasons_of_the_profile(profile: str) -> None:
    for name, service in SERVICES.items():
        rule = {"direction": "ingress", "action": "accept", "service": name}
        variables = {
            "firewall_profile": profile,
            "firewall_policies": {"a": {"rules": [rule]}},
            "firewall_assigned": ["a"],
        }
        problems: t.Set[t.Tuple[str, str]] = set()
        try:
            assert parse_firewall(variables).effective_rules == len(service.entries)
        except PolicyError as exc:
            problems = {(problem.code, problem.place) for problem in exc.problems}
        assert problems <= {("profile", "firewall_policies.a.rules[0].service")}
        assert profile != "host" or not problems


@pytest.mark.parametrize(
    ("sources", "destinations", "service", "count"),
    [
        (None, None, None, 1),
        (["198.51.100.1", "198.51.100.3"], None, None, 2),
        (["198.51.100.1", "2001:db8::1"], None, None, 2),
        (["198.51.100.1"], ["192.0.2.1", "192.0.2.3", "192.0.2.5"], None, 3),
        (["198.51.100.1", "198.51.100.3"], None, "dns", 4),
        (["nobody"], None, None, 1),
        (["pair"], None, None, 2),
        (["198.51.100.1", "198.51.100.1"], None, None, 1),
    ],
)
def test_effective_rules(sources: object, destinations: object, service: object, count: int) -> None:
    rule: t.Dict[str, object] = {"direction": "ingress", "action": "accept"}
    rule.update({"service": service} if service else {"protocol": "tcp"})
    rule.update({"sources": sources, "destinations": destinations})
    variables = {
        "firewall_profile": "netcup",
        "firewall_networks": {"nobody": [], "pair": ["203.0.113.1", "203.0.113.3"]},
        "firewall_policies": {"a": {"rules": [rule, {**rule, "enabled": False}]}},
        "firewall_assigned": ["a"],
    }
    assert parse_firewall(variables).effective_rules == count
