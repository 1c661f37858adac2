# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever the variables hold, there is a ruleset that means it, or located errors, and nothing else."""

from __future__ import annotations

import json
import pathlib
import signal
import types
import typing as t

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.palisade.nftables.plugins.module_utils._compile.compile import compile_program
from ansible_collections.palisade.nftables.plugins.module_utils._compile.table import Table
from ansible_collections.palisade.nftables.plugins.module_utils._core.errors import PolicyError
from ansible_collections.palisade.nftables.plugins.module_utils._nft.text import render_load, safe_text
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import build_program
from tests.nft_batch import list_loaded
from tests.nft_versions import NftVersion, nft_versions
from tests.properties.strategies import DETERMINISTIC, NASTY, any_variables, anything, valid_variables

#: A test that takes longer hangs: each of them takes seconds.
_HANGS_AFTER_SECONDS = 120

_GROUPS = {"servers": ["198.51.100.20", "2001:db8::20"]}
_LONG = "x" * 10_000_000


@pytest.fixture(autouse=True)
def _no_hang() -> t.Iterator[None]:
    def stop(_number: int, _frame: t.Optional[types.FrameType]) -> None:
        raise TimeoutError("it hangs")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(_HANGS_AFTER_SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def attempt(variables: t.Mapping[str, t.Any], groups: t.Optional[t.Mapping[str, t.Any]] = None) -> t.Optional[Table]:
    """The table of the variables, or None where they were refused in the proper way."""
    try:
        firewall = parse_firewall(variables, groups=_GROUPS if groups is None else groups, everything=True)
    except PolicyError as exc:
        assert_readable(exc)
        return None
    return compile_program(build_program(firewall), layout=firewall.layout, counters=firewall.counters)


def assert_readable(refusal: PolicyError) -> None:
    """Every problem has a place, and is one line that a terminal can show."""
    assert refusal.problems
    for problem in refusal.problems:
        line = str(problem)
        assert len(line) < 2000
        assert line.isprintable()
        assert problem.place.startswith("firewall_") or problem.place.split(".")[0] in ("ping", "mail-block")
    assert len(str(refusal).splitlines()) <= 51


def assert_listed_as_meant(table: Table, listing: str) -> None:
    """The kernel holds the table of the layout, rule by rule, and nothing beside it."""
    objects = [next(iter(entry.items())) for entry in json.loads(listing)["nftables"]]
    found: t.Dict[str, t.List[t.Dict[str, t.Any]]] = {}
    for kind, value in objects:
        found.setdefault(kind, []).append(value)
    assert [(one["family"], one["name"]) for one in found["table"]] == [("inet", "palisade")]
    assert {one["name"] for one in found["chain"]} == {chain.name for chain in table.chains}
    assert {one["name"] for one in found.get("map", [])} == {named.name for named in table.maps}
    assert {one["name"] for one in found.get("counter", [])} == set(table.counters)
    assert {one["name"]: len(one["elem"]) for one in found.get("set", [])} == {
        one.name: len(one.members.intervals) for one in table.sets
    }
    for chain in table.chains:
        listed = [one for one in found.get("rule", []) if one["chain"] == chain.name]
        assert [one.get("comment", "") for one in listed] == [safe_text(rule.comment, 120) for rule in chain.rules]
        assert [len([part for part in one["expr"] if "counter" in part]) for one in listed] == [
            len([part for part in rule.statements if hasattr(part, "counter")]) for rule in chain.rules
        ]
    assert set(found) <= {"metainfo", "table", "chain", "counter", "set", "map", "rule"}


def load_and_compare(tables: t.Sequence[Table], nft: NftVersion, folder: pathlib.Path) -> None:
    texts = {"%04d" % index: render_load(table) for index, table in enumerate(tables)}
    listed = list_loaded(nft, texts, folder, json=True)
    for table, listing in zip(tables, listed.values()):
        assert_listed_as_meant(table, listing)


def _newest() -> NftVersion:
    return nft_versions()[-1]


def test_any_value_anywhere(tmp_path: pathlib.Path) -> None:
    accepted: t.List[Table] = []

    @settings(max_examples=600, suppress_health_check=list(HealthCheck), **DETERMINISTIC)
    @given(variables=any_variables())
    def attempt_one(variables: t.Dict[str, t.Any]) -> None:
        table = attempt(variables)
        if table is not None:
            accepted.append(table)

    attempt_one()
    assert len(accepted) > 50, "the strategy has to reach past the parser"
    load_and_compare(accepted[:100], _newest(), tmp_path)


def test_right_variables_with_any_text(tmp_path: pathlib.Path) -> None:
    accepted: t.List[Table] = []

    @settings(max_examples=150, suppress_health_check=list(HealthCheck), **DETERMINISTIC)
    @given(variables=valid_variables())
    def attempt_one(variables: t.Dict[str, t.Any]) -> None:
        table = attempt(variables)
        if table is not None:
            accepted.append(table)

    attempt_one()
    assert len(accepted) > 50
    for nft in nft_versions():
        load_and_compare(accepted[:100], nft, tmp_path / nft.version)


@settings(max_examples=200, suppress_health_check=list(HealthCheck), **DETERMINISTIC)
@given(groups=st.dictionaries(st.sampled_from(["servers", "a", "b c"]), anything(), max_size=3), name=anything())
def test_any_group(groups: t.Dict[str, t.Any], name: t.Any) -> None:
    rules = [
        {"direction": "ingress", "action": "accept", "sources": one} for one in ("group:servers", "group:%s" % (name,))
    ]
    attempt({"firewall_policies": {"a": {"rules": rules}}, "firewall_assigned": ["a"]}, groups)


@pytest.mark.parametrize("text", [*NASTY, _LONG])
def test_a_text_in_a_description_is_a_comment_and_nothing_else(text: str, tmp_path: pathlib.Path) -> None:
    rules = [{"direction": "ingress", "action": "accept", "description": text}]
    table = attempt({"firewall_policies": {"a": {"description": text, "rules": rules}}, "firewall_assigned": ["a"]})
    assert table is not None
    load_and_compare([table], _newest(), tmp_path)


def _everywhere(value: t.Any) -> t.Iterator[t.Dict[str, t.Any]]:
    """Variables with the value at every place where one can stand."""
    rule = {"direction": "ingress", "action": "accept"}
    keys = ("direction", "action", "protocol", "service", "sources", "destinations", "description", "enabled")
    for key in keys:
        yield {"firewall_policies": {"a": {"rules": [{**rule, key: value}]}}, "firewall_assigned": ["a"]}
    for key in ("source_ports", "destination_ports"):
        yield {"firewall_policies": {"a": {"rules": [{**rule, "protocol": "tcp", key: value}]}}}
    yield {"firewall_policies": {"a": {"rules": [{**rule, "protocol": "icmp", "icmp_types": value}]}}}
    yield {"firewall_policies": {"a": {"rules": value}}}
    yield {"firewall_policies": {"a": value}}
    yield {"firewall_networks": {"a": value}}
    yield {"firewall_networks": {"a": [value]}}
    yield {"firewall_services": {"a": value}}
    yield {"firewall_services": {"a": [value]}}
    yield {"firewall_assigned": [{"policy": value, "order": value}]}
    for key in ("dns", "ntp", "dhcp", "metadata", "ssh"):
        yield {"firewall_safeguards": {key: value}}
    yield {"firewall_safeguards": {"ssh": {"ports": value, "sources": value}}}
    yield {"firewall_log_dropped": {"limit": value, "prefix": value, "group": value}}
    for name in (
        "firewall_policies",
        "firewall_assigned",
        "firewall_networks",
        "firewall_services",
        "firewall_profile",
        "firewall_default_ingress",
        "firewall_default_policies",
        "firewall_interfaces",
        "firewall_interfaces_ignored",
        "firewall_published",
        "firewall_safeguards",
        "firewall_log_dropped",
        "firewall_layout",
        "firewall_counters",
    ):
        yield {name: value}
        yield {name: [value]}
    if isinstance(value, (str, int, float, bool, type(None))):
        yield {"firewall_policies": {value: {"rules": []}}}
        yield {"firewall_policies": {"a": {"rules": [{**rule, value: 1}]}}}
        yield {"firewall_networks": {value: []}}
        yield {"firewall_services": {value: []}}


def _deep(kind: t.Callable[[t.Any], t.Any]) -> t.Any:
    value: t.Any = 1
    for _level in range(5000):
        value = kind(value)
    return value


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(_LONG, id="text-of-10-MB"),
        pytest.param("9" * 10_000_000, id="digits-of-10-MB"),
        pytest.param("::" + "0:" * 5_000_000, id="colons-of-10-MB"),
        pytest.param(10**5000, id="number-of-5000-digits"),
        pytest.param(-(10**5000), id="negative-number-of-5000-digits"),
        pytest.param(float("nan"), id="nan"),
        pytest.param(float("inf"), id="inf"),
        pytest.param(_deep(lambda inner: [inner]), id="deep-lists"),
        pytest.param(_deep(lambda inner: {"a": inner}), id="deep-mappings"),
        pytest.param([[]] * 2000, id="many-empty-lists"),
        pytest.param(["-"] * 2000, id="many-wrong-texts"),
        pytest.param(["x%d" % index for index in range(2000)], id="many-undefined-names"),
        pytest.param(b"bytes", id="bytes"),
        *(pytest.param(text, id="nasty-%02d" % index) for index, text in enumerate(NASTY)),
    ],
)
def test_an_extreme_value_at_every_place(value: t.Any) -> None:
    for variables in _everywhere(value):
        attempt(variables)


def test_networks_that_double_at_every_level_stay_small() -> None:
    networks = {"n%d" % level: ["n%d" % (level - 1)] * 2 for level in range(1, 31)}
    networks["n0"] = ["198.51.100.7"]
    rules = [{"direction": "ingress", "action": "accept", "sources": ["n30", "n29"]}]
    table = attempt(
        {"firewall_networks": networks, "firewall_policies": {"a": {"rules": rules}}, "firewall_assigned": ["a"]}
    )
    assert table is not None
    assert table.sets == ()


def test_many_misspelt_names_among_many_networks_do_not_take_forever() -> None:
    networks = {"network-%d" % index: ["198.51.100.7"] for index in range(3000)}
    rules = [{"direction": "ingress", "action": "accept", "sources": ["netwrok-%d" % index for index in range(3000)]}]
    assert attempt({"firewall_networks": networks, "firewall_policies": {"a": {"rules": rules}}}) is None
