# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Networks: names resolved once, at their own place, and no further than somebody refers to them."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._core.errors import Path, Problems
from ansible_collections.palisade.nftables.plugins.module_utils._policy.networks import Networks

PLACE = Path("rule") / "sources"


def read(
    value: object, networks: t.Mapping[str, object], groups: t.Optional[t.Mapping[str, object]] = None
) -> t.Tuple[t.List[str], Problems]:
    problems = Problems()
    found = Networks({"firewall_networks": networks}, groups or {}, problems).read_addresses(value, PLACE)
    return ([] if found is None else found.texts()), problems


def test_every_form_is_resolved() -> None:
    networks = {"office": ["198.51.100.0/24", "lab"], "lab": "2001:db8::1"}
    texts, problems = read(["office", "203.0.113.5-203.0.113.6", "group:web"], networks, {"web": ["192.0.2.7"]})
    assert texts == ["192.0.2.7", "198.51.100.0/24", "203.0.113.5-203.0.113.6", "2001:db8::1"]
    assert problems.errors == problems.warnings == []


def test_entries_are_counted_once_each_after_names_are_replaced() -> None:
    problems = Problems()
    definitions = {"two": ["198.51.100.1", "198.51.100.2"], "three": ["two", "two", "198.51.100.3"]}
    networks = Networks({"firewall_networks": definitions}, {}, problems)
    found = networks.read_addresses(["three", "two", "198.51.100.1"], PLACE)
    assert found is not None
    assert found.entries == 3


def test_an_error_of_a_definition_is_said_once_however_often_it_is_used() -> None:
    problems = Problems()
    networks = Networks({"firewall_networks": {"office": ["198.51.100.1/24"]}}, {}, problems)
    for number in range(5):
        networks.read_addresses(["office"], Path("rule") / number)
    assert [problem.place for problem in problems.errors] == ["firewall_networks.office[0]"]


def test_an_undefined_name_is_said_at_each_place() -> None:
    problems = Problems()
    networks = Networks({}, {}, problems)
    for number in range(2):
        networks.read_addresses(["office"], Path("rule") / number)
    assert [problem.place for problem in problems.errors] == ["rule[0][0]", "rule[1][0]"]


@pytest.mark.parametrize(
    ("networks", "cycle"),
    [
        ({"a": ["a"]}, "a -> a"),
        ({"a": ["b"], "b": ["a"]}, "a -> b -> a"),
        ({"a": ["b"], "b": ["c", "198.51.100.7"], "c": ["b"]}, "b -> c -> b"),
    ],
)
def test_a_cycle_is_named(networks: t.Dict[str, object], cycle: str) -> None:
    _texts, problems = read(["a"], networks)
    assert [problem.code for problem in problems.errors] == ["cycle"]
    assert problems.errors[0].message.endswith(": " + cycle)


def test_a_diamond_is_no_cycle() -> None:
    texts, problems = read("top", {"top": ["l", "r"], "l": ["end"], "r": ["end"], "end": ["198.51.100.7"]})
    assert (texts, problems.errors) == (["198.51.100.7"], [])


@pytest.mark.parametrize(("levels", "refused"), [(32, False), (33, True), (5000, True)])
def test_depth_is_bounded(levels: int, refused: bool) -> None:
    networks: t.Dict[str, object] = {"n%d" % level: ["n%d" % (level + 1)] for level in range(levels - 1)}
    networks["n%d" % (levels - 1)] = ["198.51.100.7"]
    _texts, problems = read("n0", networks)
    assert [problem.code for problem in problems.errors] == (["depth"] if refused else [])


def test_an_empty_network_is_empty_and_warns_once() -> None:
    problems = Problems()
    networks = Networks({"firewall_networks": {"nobody": []}}, {}, problems)
    found = [networks.read_addresses(value, PLACE) for value in ("nobody", ["nobody"], ["nobody", "198.51.100.7"])]
    assert [one is not None and bool(one) for one in found] == [False, False, True]
    assert [problem.code for problem in problems.warnings] == ["empty-network"]


@pytest.mark.parametrize(
    ("group", "codes", "warnings"),
    [
        (["192.0.2.7"], [], []),
        ("192.0.2.7", [], []),
        ([], [], ["empty-network"]),
        ({"addresses": ["192.0.2.7"], "missing": ["web2"]}, [], ["no-address"]),
        ({"addresses": [], "missing": ["web1"]}, [], ["no-address", "empty-network"]),
        ({}, [], ["empty-network"]),
        (["web1.example.org"], ["group"], ["empty-network"]),
        ([7, None], ["group", "group"], ["empty-network"]),
        (7, ["group"], []),
        ({"addresses": {}}, ["group"], []),
    ],
)
def test_groups(group: object, codes: t.List[str], warnings: t.List[str]) -> None:
    _texts, problems = read("group:web", {}, {"web": group})
    assert [problem.code for problem in problems.errors] == codes
    assert [problem.code for problem in problems.warnings] == warnings


def test_the_label_is_the_only_name() -> None:
    networks = Networks({"firewall_networks": {"office": ["198.51.100.7"]}}, {"web": ["192.0.2.7"]}, Problems())
    labels = {}
    for value in ("office", "group:web", "198.51.100.7", ["office", "198.51.100.8"]):
        found = networks.read_addresses(value, PLACE)
        assert found is not None
        labels[str(value)] = found.label
    assert list(labels.values()) == ["office", "web", None, None]


def test_what_nobody_refers_to_is_not_looked_at() -> None:
    class Untouchable(list):  # type: ignore[type-arg] - any use of its content fails
        def __iter__(self) -> t.Iterator[t.Any]:
            raise AssertionError("it was looked at")

    networks = {"office": ["198.51.100.7"], "other": Untouchable(["x"])}
    assert read(["office"], networks)[0] == ["198.51.100.7"]
