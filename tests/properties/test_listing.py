# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Large compiled rulesets, loaded, listed and loaded again with every nft: nothing is lost, nothing is altered."""

from __future__ import annotations

import functools
import ipaddress
import json
import pathlib
import random
import shlex
import subprocess
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._compile.compile import compile_program
from ansible_collections.palisade.nftables.plugins.module_utils._compile.table import Field, Table, Verdict, VerdictKind
from ansible_collections.palisade.nftables.plugins.module_utils._nft.text import render_load, safe_text
from ansible_collections.palisade.nftables.plugins.module_utils._policy.protocols import ICMP_TYPES
from lab import classbench
from lab.reexec import in_user_namespace
from tests.nft_batch import in_namespace, list_loaded
from tests.nft_versions import NftVersion, nft_parameters, nft_versions
from tests.packets.wording import program_of

from .adversarial import SHAPES, variables

Key = t.Tuple[t.Tuple[int, int], ...]

_RULES = 60 if in_user_namespace() else 120

Things = t.Dict[str, t.List[t.Dict[str, t.Any]]]

#: NFPROTO_IPV4 and NFPROTO_IPV6 of linux/netfilter.h, as nft lists them.
_FAMILIES = {"ipv4": 2, "ipv6": 10}

#: Lists IPv6 prefixes shorter than this, in keys of several fields, as prefixes of this length.
_MISLISTED_LENGTH = 64
_MISLISTING_NFT = "0.9.8"

_SECONDS = 120


@functools.cache
def _classbench(name: str) -> Table:
    return compile_program(program_of(classbench.variables(name)))


@functools.cache
def _shape(name: str) -> Table:
    rng = random.Random("listing of %s" % name)
    return compile_program(program_of(variables(SHAPES[name](rng, _RULES), rng)))


def _assert_kept(
    tables: t.Mapping[str, Table], nft: NftVersion, folder: pathlib.Path, *, look_again: bool = False
) -> None:
    """What nft lists of them loads, as the same; ``look_again`` looks into the kernel once more to see that."""
    texts = {name: render_load(table) for name, table in tables.items()}
    listed = list_loaded(nft, texts, folder / "written", times=2)
    again = list_loaded(nft, listed, folder / "listed")
    assert [name for name in texts if listed[name] != again[name]] == []
    for name, table in tables.items():
        _assert_same(table, _loaded(nft, texts[name]))
        if look_again and (nft.version != _MISLISTING_NFT or not _has_short_prefixes(table)):
            _assert_same(table, _loaded(nft, listed[name]))


def _loaded(nft: NftVersion, text: str) -> Things:
    """What is in the kernel once an nft has loaded the text, as the newest nft here lists it."""
    script = "%s -f - && %s --json --numeric list ruleset" % (
        shlex.join(nft.argv),
        shlex.join(nft_versions()[-1].argv),
    )
    done = subprocess.run(
        in_namespace(["sh", "-c", script]),
        input=text,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=_SECONDS,
    )
    assert (done.returncode, done.stderr) == (0, "")
    things: Things = {}
    for entry in json.loads(done.stdout)["nftables"]:
        for kind, value in entry.items():
            things.setdefault(kind, []).append(value)
    return things


def _has_short_prefixes(table: Table) -> bool:
    return any(
        field in (Field.SOURCE6, Field.DESTINATION6) and _is_prefix(low, high) and high - low >= 1 << _MISLISTED_LENGTH
        for named in table.maps
        if len(named.fields) > 1
        for element in named.elements
        for field, (low, high) in zip(named.fields, element.key)
    )


def _is_prefix(low: int, high: int) -> bool:
    size = high - low + 1
    return size & (size - 1) == 0 and low & (size - 1) == 0


def _assert_same(table: Table, things: Things) -> None:
    """The kernel has every element of every map and set, every rule, and nothing besides."""
    maps = {named.name: {element.key: element.verdict for element in named.elements} for named in table.maps}
    assert {one["name"]: dict(map(_element, one["elem"])) for one in things.get("map", [])} == maps
    sets = {named.name: {(interval,) for interval in named.members.intervals} for named in table.sets}
    assert {one["name"]: {_key(elem) for elem in one["elem"]} for one in things.get("set", [])} == sets
    rules = {chain.name: [safe_text(rule.comment, 120) for rule in chain.rules] for chain in table.chains}
    listed: t.Dict[str, t.List[str]] = {one["name"]: [] for one in things["chain"]}
    for one in things["rule"]:
        listed[one["chain"]].append(one.get("comment", ""))
    assert listed == rules
    assert {one["name"] for one in things.get("counter", [])} == set(table.counters)


def _element(listed: t.Sequence[t.Any]) -> t.Tuple[Key, Verdict]:
    ((kind, target),) = listed[1].items()
    return _key(listed[0]), Verdict(VerdictKind(kind), target["target"] if target else "")


def _key(listed: t.Any) -> Key:
    if isinstance(listed, dict) and "elem" in listed:
        listed = listed["elem"]["val"]
    if isinstance(listed, dict) and "concat" in listed:
        return tuple(_interval(one) for one in listed["concat"])
    return (_interval(listed),)


def _interval(listed: t.Any) -> t.Tuple[int, int]:
    if isinstance(listed, dict) and "range" in listed:
        low, high = listed["range"]
        return _number(low), _number(high)
    if isinstance(listed, dict) and "prefix" in listed:
        network = ipaddress.ip_network("%s/%d" % (listed["prefix"]["addr"], listed["prefix"]["len"]))
        return int(network.network_address), int(network.broadcast_address)
    return _number(listed), _number(listed)


def _number(listed: t.Any) -> int:
    if isinstance(listed, int):
        return listed
    found = {**_FAMILIES, **ICMP_TYPES}.get(listed)
    return found if found is not None else int(ipaddress.ip_address(listed))


@pytest.mark.parametrize("nft", nft_parameters())
def test_hard_policies_are_listed_as_they_were_written(nft: NftVersion, tmp_path: pathlib.Path) -> None:
    _assert_kept({name: _shape(name) for name in SHAPES}, nft, tmp_path, look_again=True)


@pytest.mark.parametrize("nft", nft_parameters())
def test_classbench_sets_are_listed_as_they_were_written(nft: NftVersion, tmp_path: pathlib.Path) -> None:
    reason = classbench.why_absent()
    if reason is None and in_user_namespace():
        reason = "without root the kernel takes no transaction as large as these sets"
    if reason is not None:
        pytest.skip(reason)
    _assert_kept({name: _classbench(name) for name in classbench.names("1k")}, nft, tmp_path)
