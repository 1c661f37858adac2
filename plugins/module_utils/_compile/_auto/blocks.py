# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.
"""Blocks: a list is cut by the addresses of one side into prefixes of one length, each with the items that overlap it.

Unlike cells (:mod:`.cells`), which are as long or short as what lies in them asks for, blocks of one length are
found by an exact lookup of the first bits of an address. That costs a fraction of a lookup of intervals, and the same
at any size. An item that is wider than a block is in several of them.
"""

from __future__ import annotations

import collections
import typing as t

from ..._core.addresses import BITS
from . import costs
from .cells import Cell
from .items import Intervals, Item, family_of

#: The lengths that are compared, in bits, by family.
_LENGTHS: t.Mapping[int, t.Sequence[int]] = {4: range(4, 33, 2), 6: range(16, 129, 4)}
#: Items in all blocks, beside the items.
_MOST_COPIES = 1.7
#: A longer prefix must save this share of what is behind it: it takes more blocks.
_LEAST_SHARE = 0.04


class Blocks(t.NamedTuple):
    """Prefix lengths, and what comes of them.

    Attributes:
        lengths: By family.
        inside: What a packet of one of the items pays in its block, estimated.
    """

    lengths: t.Mapping[int, int]
    inside: float


def find_blocks(items: t.Sequence[Item], dimension: int, most: int) -> t.Optional[Blocks]:
    """The lengths that leave the cheapest lists in the blocks; None where no length tells the items apart.

    Args:
        items: All of them say something about ``dimension``.
        most: How many blocks there may be.
    """
    families: t.Dict[int, t.Counter[Intervals]] = {}
    for intervals, count in collections.Counter(item.sets[dimension] or () for item in items).items():
        families.setdefault(family_of(intervals[0][0]), collections.Counter())[intervals] = count
    lengths: t.Dict[int, int] = {}
    total = 0.0
    for family, found in families.items():
        best = _best_length(found, family, most)
        if best is None:
            return None
        length, inside = best
        lengths[family] = length
        total += inside * sum(found.values())
    return Blocks(lengths, total / len(items))


def _best_length(found: t.Counter[Intervals], family: int, most: int) -> t.Optional[t.Tuple[int, float]]:
    """A length, and the mean cost inside."""
    best: t.Optional[t.Tuple[int, float]] = None
    items = sum(found.values())
    for length in _LENGTHS[family]:
        shift = BITS[family] - length
        copies = sum(
            ((high >> shift) - (low >> shift) + 1) * count
            for intervals, count in found.items()
            for low, high in intervals
        )
        if copies > items * _MOST_COPIES:
            break
        inside, count = _inside(found, shift)
        if count > most:
            break
        if count > 1 and (best is None or inside < best[1] * (1 - _LEAST_SHARE)):
            best = (length, inside)
    return best


def _inside(found: t.Counter[Intervals], shift: int) -> t.Tuple[float, int]:
    """What a packet pays inside its block, each item having as many packets, and how many blocks there are."""
    blocks = [(_numbers(intervals, shift), count) for intervals, count in found.items()]
    sizes: t.Dict[int, int] = {}
    for numbers, count in blocks:
        for number in numbers:
            sizes[number] = sizes.get(number, 0) + count
    prices = {size: costs.guess(size) for size in set(sizes.values())}
    total = 0.0
    for numbers, count in blocks:
        total += count * sum([prices[sizes[number]] for number in numbers]) / len(numbers)
    return total / sum(found.values()), len(sizes)


def _numbers(intervals: Intervals, shift: int) -> t.Collection[int]:
    if len(intervals) == 1:
        low, high = intervals[0]
        return range(low >> shift, (high >> shift) + 1)
    return {number for low, high in intervals for number in range(low >> shift, (high >> shift) + 1)}


def cut_blocks(items: t.Sequence[Item], dimension: int, lengths: t.Mapping[int, int]) -> t.List[Cell]:
    """The blocks that have items, ascending."""
    held: t.Dict[t.Tuple[int, int], t.List[Item]] = {}
    for item in items:
        intervals = item.sets[dimension] or ()
        shift = _shift(intervals, lengths)
        for number in _numbers(intervals, shift):
            held.setdefault((shift, number), []).append(item)
    cells = [
        Cell((number << shift, ((number + 1) << shift) - 1), tuple(inside)) for (shift, number), inside in held.items()
    ]
    return sorted(cells, key=lambda cell: cell.space)


def _shift(intervals: Intervals, lengths: t.Mapping[int, int]) -> int:
    family = family_of(intervals[0][0])
    return BITS[family] - lengths[family]
