# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The matrix of random fleets, put to the evaluators of both hosts, packet by packet."""

from __future__ import annotations

import random
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._analysis.decided import DecidedChain
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.matrix import Matrix
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.places import FleetHost, places_of
from ansible_collections.palisade.nftables.plugins.module_utils._compile.lower import lower
from ansible_collections.palisade.nftables.plugins.module_utils._core.addresses import AddressRange, AddressSet
from ansible_collections.palisade.nftables.plugins.module_utils._core.ports import parse_ports
from ansible_collections.palisade.nftables.plugins.module_utils._policy.evaluate import Decision, evaluate
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Action, Direction, Rule, Stage
from ansible_collections.palisade.nftables.plugins.module_utils._policy.packet import Packet
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import Program, build_program
from ansible_collections.palisade.nftables.plugins.module_utils._policy.protocols import (
    ICMP_TYPES,
    ICMPV6_TYPES,
    PROTOCOL_NAMES,
)

from .generate import PolicyGenerator

_HOSTS = 8
_PROGRAMS = 3
_PACKETS = 3000
_WITH_PORTS = (6, 17, 132)


class Fleet(t.NamedTuple):
    programs: t.List[Program]
    hosts: t.List[FleetHost]
    networks: t.Dict[str, t.List[AddressSet]]
    matrix: Matrix


def _rules(program: Program) -> t.List[Rule]:
    return [step.rule for direction in Direction for step in program.chain(direction).steps]


def _addresses(rng: random.Random, programs: t.Sequence[Program]) -> t.Tuple[AddressRange, ...]:
    """One or two addresses that rules know, so that the rules tell hosts apart."""
    sides = [side for one in programs for rule in _rules(one) for side in (rule.sources, rule.destinations) if side]
    found = []
    for family in rng.choice(((4,), (6,), (4, 6), (4, 4))):
        known = [interval for side in sides for interval in side[family].intervals]
        low, high = rng.choice(known)
        one = rng.choice((low, high, rng.randint(low, high)))
        found.append(AddressRange(family, one, one))
    return tuple(found)


def _chosen_networks(rng: random.Random, programs: t.Sequence[Program]) -> t.Dict[str, t.List[AddressSet]]:
    sides = [rule.sources for one in programs for rule in _rules(one) if rule.sources]
    return {"net%d" % number: [rng.choice(sides)] for number in range(3)}


@pytest.fixture(params=range(1, 13), scope="module")
def fleet(request: pytest.FixtureRequest) -> Fleet:
    rng = random.Random(request.param)
    made = []
    for number in range(_PROGRAMS):
        variables = PolicyGenerator(request.param * 100 + number).variables(25)
        variables.pop("firewall_interfaces", None)
        made.append(build_program(parse_firewall(variables)))
    chains = [{one.direction: DecidedChain(program, one) for one in lower(program).chains} for program in made]
    programs, hosts = [], []
    for number in range(_HOSTS):
        which = rng.randrange(_PROGRAMS)
        programs.append(made[which])
        hosts.append(
            FleetHost(
                "host%d" % number,
                tuple(sorted({"group%d" % rng.randrange(3), "group%d" % rng.randrange(3)})),
                _addresses(rng, made),
                chains[which][Direction.INGRESS],
                chains[which][Direction.EGRESS],
            )
        )
    networks = _chosen_networks(rng, made)
    return Fleet(programs, hosts, networks, Matrix(hosts, places_of(hosts, networks)))


def _packet(rng: random.Random, programs: t.Sequence[Program], family: int) -> t.Dict[str, t.Any]:
    """The fields of a packet that opens a connection, from the edges of what rules are about."""
    traffic = rng.choice([one for program in programs for rule in _rules(program) for one in rule.traffic])
    protocol = rng.choice((6, 17, 132, 47, 1 if family == 4 else 58))
    if traffic.protocols is not None and rng.random() < 0.8:
        protocol = rng.choice(traffic.protocols.intervals)[0]
    # Nobody speaks the ICMP of the other family.
    protocol = {(1, 6): 58, (58, 4): 1}.get((protocol, family), protocol)
    fields: t.Dict[str, t.Any] = {"family": family, "protocol": protocol}
    if protocol in _WITH_PORTS:
        for name, ports in (("source_port", traffic.source_ports), ("destination_port", traffic.destination_ports)):
            low, high = (0, 65535) if ports is None else rng.choice(ports.intervals)
            fields[name] = min(65535, max(0, rng.choice((low, high, low - 1, high + 1, rng.randint(low, high)))))
    if protocol in {1, 58}:
        known = traffic.icmp_types
        fields["icmp_type"] = rng.choice(known.intervals)[0] if known is not None else rng.choice((0, 8, 13, 128, 200))
    return fields


def _entries(cell: t.Mapping[str, t.Any], packet: t.Mapping[str, t.Any]) -> t.List[t.Mapping[str, t.Any]]:
    """Those entries of a cell that are about a packet."""
    return [one for one in cell["entries"] if one["family"] in {None, packet["family"]} and _is_about(one, packet)]


def _is_about(entry: t.Mapping[str, t.Any], packet: t.Mapping[str, t.Any]) -> bool:
    protocol, has_ports, has_types = packet["protocol"], "source_port" in packet, "icmp_type" in packet
    if entry["protocol"] == "other protocols":
        return not has_ports and not has_types and protocol not in {33, 136}
    if entry["protocol"] not in {"any", PROTOCOL_NAMES.get(protocol, "protocol %d" % protocol)}:
        return False
    if entry["ports"] is not None:
        return any(low <= packet["destination_port"] <= high for low, high in map(parse_ports, entry["ports"]))
    if entry["types"] is not None:
        names = ICMP_TYPES if packet["family"] == 4 else ICMPV6_TYPES
        return any(_is_type(text, names, packet["icmp_type"]) for text in entry["types"])
    return True


def _is_type(text: str, names: t.Mapping[str, int], number: int) -> bool:
    if text in names:
        return names[text] == number
    low, _dash, high = text.partition("-")
    return int(low) <= number <= int(high or low)


def _decide(program: Program, direction: Direction, fields: t.Mapping[str, t.Any]) -> Decision:
    return evaluate(program, Packet(direction=direction, **fields))


def _named(decision: Decision) -> str:
    if decision.stage is Stage.UNRESTRICTED:
        return "unrestricted %s" % decision.origin.name.rpartition("-")[2]
    return str(decision.origin)


def test_what_passes_is_told_and_what_is_told_to_pass_does(fleet: Fleet) -> None:
    """By group and host: a packet that both evaluators accept is in an entry that names both rules.

    One that either of them refuses is in none of scope ``all``.
    """
    rng = random.Random(0)
    passed = refused = 0
    for _number in range(_PACKETS):
        place = rng.choice([one for one in fleet.matrix.places if one.kind == "group"])
        member, target = rng.choice(place.members), rng.randrange(_HOSTS)
        source, destination = rng.choice(fleet.hosts[member].ranges), rng.choice(fleet.hosts[target].ranges)
        if member == target or source.family != destination.family:
            continue
        fields = _packet(rng, fleet.programs, source.family)
        fields.update(source=source.low, destination=destination.low)
        out = _decide(fleet.programs[member], Direction.EGRESS, fields)
        into = _decide(fleet.programs[target], Direction.INGRESS, fields)
        number = fleet.matrix.reaching(target)[fleet.matrix.places.index(place)]
        assert number is not None
        found = _entries(fleet.matrix.cells[number], fields)
        if out.action is into.action is Action.ACCEPT:
            passed += 1
            assert (_named(out), _named(into)) in {(one["egress"], one["rule"]) for one in found}, (fields, found)
        else:
            refused += 1
            assert not [one for one in found if one["scope"] == "all"], (fields, found)
    assert passed + refused > _PACKETS // 10


def test_networks_and_the_outside(fleet: Fleet) -> None:
    rng = random.Random(1)
    for _number in range(_PACKETS):
        index = rng.randrange(len(fleet.matrix.places))
        place, target = fleet.matrix.places[index], rng.randrange(_HOSTS)
        if place.kind == "group" or not place.addresses:
            continue
        family = rng.choice(list(place.addresses))
        choices = [one for one in fleet.hosts[target].ranges if one.family == family]
        if not choices:
            continue
        low, high = rng.choice(place.addresses[family])
        source = rng.choice((low, high, rng.randint(low, high))) & ((1 << 128) - 1)
        fields = _packet(rng, fleet.programs, family)
        fields.update(source=source, destination=rng.choice(choices).low)
        decision = _decide(fleet.programs[target], Direction.INGRESS, fields)
        number = fleet.matrix.reaching(target)[index]
        assert number is not None
        found = _entries(fleet.matrix.cells[number], fields)
        if decision.action is Action.ACCEPT:
            assert _named(decision) in {one["rule"] for one in found}, (fields, found)
        else:
            assert not [one for one in found if one["scope"] == "all"], (fields, found)
