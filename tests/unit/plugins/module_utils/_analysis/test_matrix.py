# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The matrix of a fleet: every cell tells what the evaluator says of packets between the two places."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._analysis.decided import DecidedChain
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.matrix import Matrix
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.places import FleetHost, places_of
from ansible_collections.palisade.nftables.plugins.module_utils._compile.lower import lower
from ansible_collections.palisade.nftables.plugins.module_utils._core.addresses import AddressSet, parse_range
from ansible_collections.palisade.nftables.plugins.module_utils._policy.evaluate import evaluate
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Action, Direction
from ansible_collections.palisade.nftables.plugins.module_utils._policy.packet import Packet
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import Program, build_program

OFFICE = "198.51.100.0/24"
ADDRESSES = {
    "web1": ["192.0.2.11", "2001:db8::11"],
    "web2": ["192.0.2.12"],
    "db1": ["192.0.2.21", "2001:db8::21"],
    "db2": ["192.0.2.22"],
    "bare": ["192.0.2.31"],
}
GROUPS = {"web1": ("web",), "web2": ("web",), "db1": ("db",), "db2": ("db",), "bare": ()}


def rule(**keys: t.Any) -> t.Dict[str, t.Any]:
    return {"direction": "ingress", "action": "accept", **keys}


WEB = [
    rule(sources=["203.0.113.128/25"], action="drop"),
    rule(protocol="tcp", destination_ports=[80, "443-444"]),
    rule(protocol="tcp", destination_ports=[22], sources=["office"]),
    rule(protocol="udp", destination_ports=[443]),
    rule(direction="egress", protocol="tcp", destination_ports=[5432], destinations=["192.0.2.21"]),
    rule(direction="egress", protocol="icmp"),
    rule(direction="egress", action="reject"),
]
DATABASE = [
    rule(protocol="tcp", destination_ports=[5432, 5433], sources=["192.0.2.11", "192.0.2.12", "192.0.2.22"]),
    rule(protocol="tcp", destination_ports=[22], sources=["office"]),
    rule(protocol="esp", destinations=["192.0.2.21"]),
    rule(protocol="udp", source_ports=[53]),
]
RULES = {"web1": WEB, "web2": WEB, "db1": DATABASE, "db2": DATABASE, "bare": None}


def program(rules: t.Optional[t.List[t.Dict[str, t.Any]]]) -> t.Optional[Program]:
    if rules is None:
        return None
    variables = {
        "firewall_policies": {"own": {"rules": rules}},
        "firewall_assigned": ["own"],
        "firewall_networks": {"office": [OFFICE]},
    }
    return build_program(parse_firewall(variables))


def ranges(texts: t.Iterable[str]) -> t.Tuple[t.Any, ...]:
    return tuple(one for one in map(parse_range, texts) if one is not None)


class Fleet(t.NamedTuple):
    programs: t.List[t.Optional[Program]]
    matrix: Matrix

    def cell(self, place: str, host: str, *, way: str = "reaching") -> t.Optional[t.Dict[str, t.Any]]:
        number = next(index for index, one in enumerate(self.matrix.places) if one.name == place)
        found = getattr(self.matrix, way)(list(ADDRESSES).index(host))[number]
        return None if found is None else self.matrix.cells[found]


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    programs: t.List[t.Optional[Program]] = []
    hosts = []
    known: t.Dict[int, t.Tuple[t.Optional[Program], t.Optional[DecidedChain], t.Optional[DecidedChain]]] = {}
    for name, rules in RULES.items():
        if id(rules) not in known:
            made = program(rules)
            chains = {} if made is None else {one.direction: DecidedChain(made, one) for one in lower(made).chains}
            known[id(rules)] = (made, chains.get(Direction.INGRESS), chains.get(Direction.EGRESS))
        made, ingress, egress = known[id(rules)]
        programs.append(made)
        hosts.append(FleetHost(name, GROUPS[name], ranges(ADDRESSES[name]), ingress, egress))
    office = AddressSet(ranges([OFFICE]), label="office")
    return Fleet(programs, Matrix(hosts, places_of(hosts, {"office": [office]})))


def entries(cell: t.Optional[t.Dict[str, t.Any]]) -> t.List[str]:
    assert cell is not None
    found = []
    for one in cell["entries"]:
        words = [one["protocol"], ",".join(one["ports"] or one["types"] or ["*"]), one["scope"]]
        words.extend(str(one[key]) for key in ("family", "egress", "rule") if one[key])
        found.append(" ".join(words))
    return found


def test_the_outside_reaches_what_rules_say_and_some_of_it_where_they_tell_its_parts_apart(fleet: Fleet) -> None:
    cell = fleet.cell("outside", "web1")
    assert entries(cell) == [
        "tcp 80,443-444 some 4 own[1]",
        "tcp 80,443-444 all 6 own[1]",
        "udp 443 some 4 own[3]",
        "udp 443 all 6 own[3]",
        "icmp echo-request all ping[0]",
        "icmpv6 echo-request all ping[0]",
    ]
    assert cell is not None
    assert {"direction": "ingress", "rule": "own[0]"} in cell["refusing"]
    assert {"direction": "ingress", "rule": "default-ingress"} in cell["refusing"]


def sample(family: int, protocol: int, port: int, source: int, destination: int) -> t.Dict[str, t.Any]:
    has_ports = protocol in (6, 17)
    return {
        "family": family,
        "protocol": protocol,
        "source": source,
        "destination": destination,
        "source_port": 40000 if has_ports else None,
        "destination_port": port if has_ports else None,
        "icmp_type": {1: 8, 58: 128}.get(protocol),
    }


_NUMBERS = {"tcp": 6, "udp": 17, "esp": 50, "icmp": 1, "icmpv6": 58}


def says(cell: t.Optional[t.Dict[str, t.Any]], family: int, protocol: int, port: int) -> t.Set[str]:
    """The scopes of a cell's entries that are about such a packet."""
    found = set()
    for one in (cell or {"entries": []})["entries"]:
        if one["family"] not in (None, family):
            continue
        if one["protocol"] == "any" or (one["protocol"] == "other protocols" and protocol not in (1, 6, 17, 58)):
            found.add(one["scope"])
        elif _NUMBERS.get(one["protocol"]) == protocol:
            if one["ports"] is not None and not any(_holds(text, port) for text in one["ports"]):
                continue
            if one["types"] is not None and "echo-request" not in one["types"]:
                continue
            found.add(one["scope"])
    return found


def _holds(text: str, port: int) -> bool:
    low, _dash, high = text.partition("-")
    return int(low) <= port <= int(high or low)


@pytest.mark.parametrize("target", ADDRESSES)
@pytest.mark.parametrize("group", ["web", "db"])
def test_a_group_reaches_what_both_evaluators_accept(fleet: Fleet, group: str, target: str) -> None:
    """Host by host and packet by packet: ``all`` where every member gets through, ``some`` where not all do."""
    cell = fleet.cell(group, target)
    names = list(ADDRESSES)
    members = [name for name in names if group in GROUPS[name] and name != target]
    for protocol in (1, 6, 17, 50, 58):
        for port in (22, 53, 80, 443, 444, 445, 5432, 5433):
            for family in (4, 6):
                verdicts = []
                for member in members:
                    for source in ranges(ADDRESSES[member]):
                        for destination in ranges(ADDRESSES[target]):
                            if source.family == family == destination.family and (family, protocol) not in (
                                (4, 58),
                                (6, 1),
                            ):
                                fields = sample(family, protocol, port, source.low, destination.low)
                                verdicts.append(passes(fleet, names.index(member), names.index(target), fields))
                wanted = {"all"} if verdicts and all(verdicts) else {"some"} if any(verdicts) else set()
                got = says(cell, family, protocol, port)
                if protocol == 17 and target.startswith("db"):
                    # A rule of a source port: it depends on that.
                    assert got <= {"some"}
                elif verdicts:
                    assert got == wanted, (protocol, port, family, cell)


def passes(fleet: Fleet, sender: int, target: int, fields: t.Dict[str, t.Any]) -> bool:
    sides = ((sender, Direction.EGRESS), (target, Direction.INGRESS))
    for index, direction in sides:
        chosen = fleet.programs[index]
        if chosen is not None and evaluate(chosen, Packet(direction=direction, **fields)).action is not Action.ACCEPT:
            return False
    return True


def test_what_a_source_port_decides_is_reached_by_some(fleet: Fleet) -> None:
    assert says(fleet.cell("office", "db1"), 4, 17, 4000) == {"some"}


def test_the_rules_on_both_sides_are_named(fleet: Fleet) -> None:
    assert "tcp 5432 all 4 own[4] own[0]" in entries(fleet.cell("web", "db1"))
    assert entries(fleet.cell("web", "db2")) == ["icmp echo-request all ping[1] ping[0]"]


def test_a_host_is_not_told_to_reach_itself(fleet: Fleet) -> None:
    alone = FleetHost("one", ("only",), ranges(["192.0.2.1"]))
    matrix = Matrix([alone], places_of([alone], {}))
    assert matrix.reaching(0)[1] is None


def test_a_host_without_a_firewall_is_open_and_one_that_is_not_judged_is_not_told_of(fleet: Fleet) -> None:
    assert entries(fleet.cell("outside", "bare")) == ["any * all"]
    wrong = FleetHost("wrong", ("web",), ranges(["192.0.2.1"]), judged=False)
    matrix = Matrix([wrong], places_of([wrong], {}))
    assert matrix.reaching(0) == [None, None]
    assert matrix.reached(0) == [None, None]


def test_what_a_host_reaches(fleet: Fleet) -> None:
    assert entries(fleet.cell("outside", "web2", way="reached")) == [
        "icmp echo-reply,1,2,destination-unreachable,source-quench,redirect,6,7,9-255 all own[5]",
        "icmp echo-request all ping[1]",
    ]
    assert entries(fleet.cell("outside", "db1", way="reached")) == ["any * all unrestricted egress"]


def test_hosts_together_count_who_has_what(fleet: Fleet) -> None:
    numbers = [fleet.matrix.reaching(index)[0] for index in range(4)]
    found = fleet.matrix.of_hosts(numbers)
    assert found is not None
    merged = fleet.matrix.cells[found]
    counted = {(one["protocol"], one.get("hosts")) for one in merged["entries"]}
    assert ("esp", 1) in counted
    assert ("icmp", None) in counted
    assert fleet.matrix.of_hosts([None, None]) is None
    assert fleet.matrix.of_hosts(numbers[:1] * 2) == numbers[0]
