# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Two lists of clauses beside each other: what both have in the same order, and what only one has.

The common clauses are a longest common subsequence. Equal clauses of one list are told apart by their number, so that
each has one partner at most, and the subsequence is a longest increasing one: a list of ten thousand takes
milliseconds, however it was changed. What is aligned differently than a person would align it still means the same.
"""

from __future__ import annotations

import bisect
import typing as t

from .meaning import Clause


class Aligned(t.NamedTuple):
    """A clause of one list, or of both; None where a list does not have it."""

    before: t.Optional[Clause]
    after: t.Optional[Clause]

    @property
    def clause(self) -> Clause:
        """What it says, whichever list it is in."""
        found = self.before if self.before is not None else self.after
        if found is None:
            raise ValueError("a clause of neither list")
        return found

    @property
    def is_common(self) -> bool:
        return self.before is not None and self.after is not None


def align(before: t.Sequence[Clause], after: t.Sequence[Clause]) -> t.List[Aligned]:
    """Both lists in one, each in its order; where they differ, what was before comes first."""
    found: t.List[Aligned] = []
    at_before = at_after = 0
    for mine, theirs in (*_common(before, after), (len(before), len(after))):
        found.extend(Aligned(clause, None) for clause in before[at_before:mine])
        found.extend(Aligned(None, clause) for clause in after[at_after:theirs])
        if mine < len(before):
            found.append(Aligned(before[mine], after[theirs]))
        at_before, at_after = mine + 1, theirs + 1
    return found


def _common(before: t.Sequence[Clause], after: t.Sequence[Clause]) -> t.List[t.Tuple[int, int]]:
    """The indexes of the common clauses, ascending in both lists."""
    partners = {key: index for index, key in enumerate(_numbered(after))}
    pairs = [(index, partners[key]) for index, key in enumerate(_numbered(before)) if key in partners]
    # Patience sorting: by length of the subsequence, the least index that one ends with.
    ends: t.List[int] = []
    last: t.List[int] = []
    previous: t.List[int] = []
    for number, (_index, partner) in enumerate(pairs):
        length = bisect.bisect_left(ends, partner)
        previous.append(last[length - 1] if length else -1)
        if length == len(ends):
            ends.append(partner)
            last.append(number)
        else:
            ends[length], last[length] = partner, number
    found = []
    number = last[-1] if last else -1
    while number >= 0:
        found.append(pairs[number])
        number = previous[number]
    return found[::-1]


def _numbered(clauses: t.Sequence[Clause]) -> t.Iterator[t.Tuple[object, int]]:
    seen: t.Dict[object, int] = {}
    for clause in clauses:
        key = clause.key
        number = seen.get(key, 0)
        seen[key] = number + 1
        yield key, number
