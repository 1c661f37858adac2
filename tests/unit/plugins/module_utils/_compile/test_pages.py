# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A long chain as pages: the same rules in the same order, and little that changes with one of them."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._compile.pages import paged
from ansible_collections.palisade.nftables.plugins.module_utils._compile.table import (
    Count,
    Lookup,
    Statement,
    TableChain,
    TableRule,
    Verdict,
    VerdictKind,
)


def _rules(count: int) -> t.List[TableRule]:
    return [TableRule((), (Count("policy/a/%d" % number),)) for number in range(count)]


def _read(rules: t.Sequence[TableRule]) -> t.Tuple[t.List[TableRule], t.Dict[str, TableChain]]:
    """The rules in the order in which packets meet them, and the pages."""
    chain, pages = paged(TableChain("published", tuple(rules)))
    assert chain.name == "published"
    assert not chain.constant
    named = {page.name: page for page in pages}
    assert all(page.constant for page in pages)
    return list(_met(chain.rules, named)), named


def _met(rules: t.Iterable[TableRule], pages: t.Mapping[str, TableChain]) -> t.Iterator[TableRule]:
    for rule in rules:
        (only,) = rule.statements
        if isinstance(only, Verdict) and only.chain in pages:
            assert only.kind is VerdictKind.JUMP
            yield from _met(pages[only.chain].rules, pages)
        else:
            yield rule


@pytest.mark.parametrize("count", [400, 1000, 9000])
def test_packets_meet_the_same_rules_in_the_same_order(count: int) -> None:
    rules = _rules(count)
    found, pages = _read(rules)
    assert found == rules
    assert max(len(page.rules) for page in pages.values()) <= 64
    assert len(pages) < count / 16


def test_equal_pages_are_one() -> None:
    rules = _rules(1) * 1000
    found, pages = _read(rules)
    assert found == rules
    assert len(pages) <= 2


def test_a_short_chain_stays_as_it_is() -> None:
    chain = TableChain("published", tuple(_rules(100)))
    assert paged(chain) == (chain, ())


@pytest.mark.parametrize(
    "statement", [Verdict(VerdictKind.GOTO, "elsewhere"), Lookup((), "a_map")], ids=["goto", "map"]
)
def test_rules_that_go_elsewhere_for_good_stay_in_the_chain(statement: Statement) -> None:
    """From a page their packets would come back to the next one."""
    leaving = TableRule((), (statement,))
    rules = [leaving, *_rules(1000), leaving, leaving, *_rules(500), leaving, *_rules(3)]
    chain, pages = paged(TableChain("published", tuple(rules)))
    assert all(leaving not in page.rules for page in pages)
    assert list(_met(chain.rules, {page.name: page for page in pages})) == rules
    assert len(chain.rules) < 100


@pytest.mark.parametrize("change", ["one other", "one more", "one less"])
@pytest.mark.parametrize("place", [0, 1500, 2999])
def test_a_changed_rule_changes_few_pages(change: str, place: int) -> None:
    before = _rules(3000)
    after = list(before)
    new = [] if change == "one less" else [TableRule((), (Count("policy/b/0"),))]
    after[place : place + (0 if change == "one more" else 1)] = new
    found, pages = _read(after)
    assert found == after
    changed = set(pages) - set(_read(before)[1])
    # The one that has the rule, the one that leads to it, and more where the next pages end elsewhere.
    assert 2 <= len(changed) <= 5
    assert sum(len(pages[name].rules) for name in changed) <= 160
