# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names tell what constant things hold: nothing that makes a difference may leave a digest as it was."""

from __future__ import annotations

import copy
import itertools
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._compile.digest import (
    digest_of,
    digest_of_elements,
    digest_of_rules,
)
from ansible_collections.palisade.nftables.plugins.module_utils._compile.table import (
    Count,
    Field,
    Log,
    Lookup,
    MapElement,
    Match,
    SetReference,
    Statement,
    TableRule,
    Verdict,
    VerdictKind,
)
from ansible_collections.palisade.nftables.plugins.module_utils._core.intervals import IntervalSet

_STATEMENTS: t.Sequence[Statement] = [
    Count("a"),
    Count("b"),
    Verdict(VerdictKind.ACCEPT),
    Verdict(VerdictKind.DROP),
    Verdict(VerdictKind.GOTO, "a"),
    Verdict(VerdictKind.JUMP, "a"),
    Verdict(VerdictKind.JUMP, "b"),
    Lookup((Field.SOURCE4,), "a"),
    Lookup((Field.SOURCE4,), "b"),
    Lookup((Field.DESTINATION4,), "a"),
    Lookup((Field.SOURCE4,), "a", 24),
    Log("a", 1, "second"),
    Log("b", 1, "second"),
    Log("a", 2, "second"),
    Log("a", 1, "minute"),
    Log("a", 1, "second", 0),
]
_MATCHES = [
    Match(Field.SOURCE_PORT, IntervalSet([(1, 2)])),
    Match(Field.SOURCE_PORT, IntervalSet([(1, 3)])),
    Match(Field.DESTINATION_PORT, IntervalSet([(1, 2)])),
    Match(Field.STATE, ("new",)),
    Match(Field.STATE, SetReference("new")),
    Match(Field.STATE, ("new", "related")),
]
_RULES = [
    *(TableRule((), (statement,)) for statement in _STATEMENTS),
    *(TableRule((match,), ()) for match in _MATCHES),
    TableRule(tuple(_MATCHES[:2]), ()),
    TableRule((), tuple(_STATEMENTS[:2])),
    TableRule((), (), "a"),
    TableRule((), (), "", "a"),
    TableRule((), ()),
]


def _keys() -> t.Iterator[t.Tuple[t.Sequence[Field], t.Sequence[MapElement]]]:
    accept, drop = Verdict(VerdictKind.ACCEPT), Verdict(VerdictKind.DROP)
    first = MapElement(((1, 2),), accept, "a")
    yield (Field.SOURCE4,), ()
    yield (Field.SOURCE4,), (first,)
    yield (Field.DESTINATION4,), (first,)
    yield (Field.SOURCE4,), (first, MapElement(((3, 3),), accept, "a"))
    for other in (MapElement(((1, 3),), accept, "a"), MapElement(((1, 2),), drop, "a"), MapElement(((1, 2),), accept)):
        yield (Field.SOURCE4,), (other,)


def test_every_difference_shows() -> None:
    chains = [(), *((rule,) for rule in _RULES), *itertools.permutations(_RULES[:3])]
    found = [digest_of_rules(rules) for rules in chains]
    found += [digest_of_elements(*contents) for contents in _keys()]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("rule", _RULES, ids=str)
def test_equal_rules_have_one_digest(rule: TableRule) -> None:
    assert digest_of_rules((copy.deepcopy(rule),)) == digest_of_rules([rule])


def test_a_digest_can_stand_in_a_name() -> None:
    assert digest_of(("port", ((22, 22),), 'a "b"\n')) == digest_of(("port", ((22, 22),), 'a "b"\n'))
    assert all(digit in "0123456789abcdef" for digit in digest_of(""))
    assert len(digest_of("")) == 12
