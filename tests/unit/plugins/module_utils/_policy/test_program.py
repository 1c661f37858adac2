# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From variables to a program: only what is needed is read, nothing is changed, and stages keep their order."""

from __future__ import annotations

import copy
import typing as t

import pytest
from hypothesis import HealthCheck, given, settings

from ansible_collections.palisade.nftables.plugins.module_utils._core.errors import PolicyError
from ansible_collections.palisade.nftables.plugins.module_utils._policy.hostfacts import HostFacts, Server
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Action, Direction, Stage
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import (
    build_program,
    interface_matches,
)
from tests.properties.generate import PolicyGenerator
from tests.properties.strategies import DETERMINISTIC, mutated_variables

FACTS = HostFacts(
    dns_servers=(Server("198.51.100.53", 53, ("udp",)),),
    dhcp4=True,
    metadata_servers=(Server("198.51.100.80", 80, ("tcp",)),),
)
GROUPS = {"servers": ["198.51.100.20"]}


class Untouchable:
    """A value that must not be looked at: a template that is undefined on this host would raise."""

    def __getattribute__(self, name: str) -> t.Any:
        raise AssertionError("%s was asked for" % name)


def test_only_what_is_assigned_is_looked_at() -> None:
    variables = {
        "firewall_policies": {"a": {"rules": []}, "b": Untouchable()},
        "firewall_networks": {"office": Untouchable()},
        "firewall_services": {"game": Untouchable()},
        "firewall_assigned": ["a"],
    }
    assert [policy.name for policy in parse_firewall(variables).assigned] == ["a"]


@settings(max_examples=60, suppress_health_check=list(HealthCheck), **DETERMINISTIC)
@given(variables=mutated_variables())
def test_parsing_changes_nothing_and_repeats_itself(variables: t.Dict[str, t.Any]) -> None:
    before = copy.deepcopy(variables)
    outcomes = []
    for _run in range(2):
        try:
            outcomes.append(("accepted", parse_firewall(variables, groups=GROUPS)))
        except PolicyError as exc:
            outcomes.append(("refused", exc.problems))
    assert outcomes[0] == outcomes[1]
    assert repr(variables) == repr(before)


@pytest.mark.parametrize("seed", range(1, 9))
def test_stages_keep_their_order(seed: int) -> None:
    program = build_program(parse_firewall(PolicyGenerator(seed).variables(40)), FACTS)
    order = list(Stage)
    for direction in Direction:
        chain = program.chain(direction)
        stages = [order.index(step.stage) for step in chain.steps]
        assert stages == sorted(stages)
        assert all(step.rule.direction is direction for step in chain.steps)
        assert chain.restricted or (chain.steps == () and chain.default is Action.ACCEPT)


@pytest.mark.parametrize("default", ["accept", "drop", "reject"])
@pytest.mark.parametrize("profile", ["host", "netcup"])
def test_safeguards_and_invalid_only_where_the_default_is_not_accept(profile: str, default: str) -> None:
    if (profile, default) == ("netcup", "reject"):
        default = "drop"
    variables = {
        "firewall_profile": profile,
        "firewall_default_ingress": default,
        "firewall_default_egress": default,
        "firewall_safeguards": {"dns": True, "ntp": True, "dhcp": True, "ssh": True},
        "firewall_policies": {
            "a": {"rules": [{"direction": one, "protocol": "tcp", "action": "drop"} for one in ("ingress", "egress")]}
        },
        "firewall_assigned": ["a"],
    }
    program = build_program(parse_firewall(variables), FACTS)
    for direction in Direction:
        steps = program.chain(direction).steps
        assert any(step.stage is Stage.SAFEGUARD for step in steps) == (default != "accept")
        invalid = any(str(step.rule.origin) == "invalid" for step in steps)
        assert invalid == (default != "accept" and direction is Direction.INGRESS)


def test_no_answer_of_a_safeguard_passes_by_its_source_port_alone() -> None:
    variables = {
        "firewall_profile": "netcup",
        "firewall_default_ingress": "drop",
        "firewall_default_egress": "drop",
        "firewall_safeguards": {"dns": True, "ntp": ["198.51.100.123"], "ssh": {"ports": [22, 2222]}},
    }
    program = build_program(parse_firewall(variables), FACTS)
    for direction in Direction:
        for step in program.chain(direction).steps:
            if step.stage in (Stage.SAFEGUARD, Stage.FIXED) and str(step.rule.origin) not in ("dhcp", "dhcpv6"):
                by_source = any(one.source_ports is not None for one in step.rule.traffic)
                assert by_source == (step.rule.states is not None and step.rule.flow_direction is not None)


@pytest.mark.parametrize(
    ("pattern", "interface", "wanted"),
    [
        ("eth0", "eth0", True),
        ("eth0", "eth01", False),
        ("eth*", "eth0", True),
        ("eth*", "eth", True),
        ("eth*", "xeth0", False),
        ("br-*", "br-lan", True),
        ("br-*", "br0", False),
    ],
)
def test_interfaces(pattern: str, interface: str, wanted: bool) -> None:
    assert interface_matches(pattern, interface) == wanted
    assert build_program(parse_firewall({"firewall_interfaces": [pattern]})).filters(interface) == wanted
    ignored = build_program(parse_firewall({"firewall_interfaces_ignored": [pattern]}))
    assert ignored.filters(interface) != wanted
    assert not ignored.filters("lo")
