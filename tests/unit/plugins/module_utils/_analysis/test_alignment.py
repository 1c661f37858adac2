# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two lists beside each other: both in their order, and no longer common part."""

from __future__ import annotations

import itertools
import random
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._analysis.alignment import align
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.meaning import EVERYTHING, Clause, Decided
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Action

_ACTIONS = (Action.ACCEPT, Action.DROP, Action.REJECT)


def _clauses(text: str, name: str) -> t.List[Clause]:
    """A letter says what a clause says."""
    found = []
    for index, letter in enumerate(text):
        number = "abcdef".index(letter)
        found.append(Clause((EVERYTHING[number % 2],), _ACTIONS[number // 2], Decided("%s[%d]" % (name, index))))
    return found


def _common(before: str, after: str) -> int:
    """The length of the longest common subsequence, letters told apart by how often they were there before."""
    one = [(letter, before[:index].count(letter)) for index, letter in enumerate(before)]
    other = [(letter, after[:index].count(letter)) for index, letter in enumerate(after)]
    return max(
        len(chosen)
        for length in range(len(one) + 1)
        for chosen in itertools.combinations(one, length)
        if [key for key in other if key in chosen] == list(chosen)
    )


@pytest.mark.parametrize("seed", range(60))
def test_both_lists_stay_in_their_order_and_no_more_could_be_common(seed: int) -> None:
    rng = random.Random(seed)
    before, after = ("".join(rng.choice("abcdef") for _index in range(rng.randint(0, 7))) for _list in range(2))
    mine, theirs = _clauses(before, "before"), _clauses(after, "after")
    aligned = align(mine, theirs)
    assert [entry.before for entry in aligned if entry.before is not None] == mine
    assert [entry.after for entry in aligned if entry.after is not None] == theirs
    for entry in aligned:
        if entry.before is not None and entry.after is not None:
            assert entry.before.key == entry.after.key
    assert sum(entry.is_common for entry in aligned) == _common(before, after)
