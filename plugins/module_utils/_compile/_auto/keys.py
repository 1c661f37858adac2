# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""What the items of a list would be as keys of a map, for every kind of map."""

from __future__ import annotations

import typing as t

from . import costs
from .items import PORTS, PROTOCOL, Intervals, Item, has_ports, item_family

#: Keys that one item may take.
_MOST_KEYS = 32
#: A range of fewer values than this can be single keys.
_MOST_SPELLED = 5

#: What items are in some dimensions.
Box = t.Tuple[t.Optional[Intervals], ...]


class Kind(t.NamedTuple):
    """What to group by.

    Attributes:
        required: Dimensions that an item must have.
        optional: Dimensions that are part of the keys where an item has them.
        family: Of the addresses in the keys; None where there are none.
        exact: Whether keys are single values.
    """

    required: t.Tuple[int, ...]
    optional: t.Tuple[int, ...] = ()
    family: t.Optional[int] = None
    exact: bool = False


class Scope(t.NamedTuple):
    """What is known of every packet that gets to a list of items.

    Attributes:
        family: Its family, if that is known.
        has_ports: Whether its protocol is known to be one with ports.
        is_small: Whether the policies are so few rules that caches hold all of them.
    """

    family: t.Optional[int] = None
    has_ports: bool = False
    is_small: bool = False

    @property
    def lookup(self) -> float:
        """What a lookup costs besides."""
        return 0.0 if self.is_small else costs.COLD


class Keys:
    """The keys of the items of a list. What does not depend on the kind is found once."""

    def __init__(self, items: t.Sequence[Item]) -> None:
        self._sets = [item.sets for item in items]
        self._counts = [tuple([1 if one is None else len(one) for one in item.sets]) for item in items]
        self._exact_counts = [tuple([_count_values(one) for one in item.sets]) for item in items]
        self._families = [item_family(item) for item in items]
        self._has_ports = [has_ports(item) for item in items]

    def boxes(self, kind: Kind, scope: Scope) -> t.Dict[Box, t.List[int]]:
        """Positions by what the items are in the kind's dimensions."""
        found: t.Dict[Box, t.List[int]] = {}
        dimensions = (*kind.required, *kind.optional)
        required = len(kind.required)
        counts = self._exact_counts if kind.exact else self._counts
        for position in self._possible(kind, scope, dimensions):
            sets = self._sets[position]
            box = tuple([sets[dimension] for dimension in dimensions])
            if None in box[:required] or (not required and box.count(None) == len(box)):
                continue
            known = found.get(box)
            if known is not None:
                known.append(position)
            elif 0 < _product(counts[position], dimensions) <= _MOST_KEYS:
                found[box] = [position]
        return found

    def _possible(self, kind: Kind, scope: Scope, dimensions: t.Sequence[int]) -> t.Iterable[int]:
        """The positions of items that a map of the kind can find."""
        possible: t.Iterable[int] = range(len(self._sets))
        if kind.family is not None and scope.family is None:
            possible = [position for position in possible if self._families[position] == kind.family]
        if not scope.has_ports and any(dimension in PORTS for dimension in dimensions):
            # Packets that are too short for ports would not be found.
            possible = [position for position in possible if self._has_ports[position]]
        if PROTOCOL in dimensions:
            # An element of an interval map is about one protocol or any; see :func:`.assemble.by_protocol`.
            possible = [
                position
                for position in possible
                if self._exact_counts[position][PROTOCOL] or self._sets[position][PROTOCOL] is None
            ]
        return possible

    def count(self, position: int, kind: Kind, dimensions: t.Iterable[int]) -> int:
        """How many keys an item has in these dimensions."""
        return _product((self._exact_counts if kind.exact else self._counts)[position], dimensions)


def _product(counts: t.Sequence[int], dimensions: t.Iterable[int]) -> int:
    product = 1
    for dimension in dimensions:
        product *= counts[dimension]
    return product


def _count_values(intervals: t.Optional[Intervals]) -> int:
    """How many single values a side holds; 0 where it holds ranges that are too long to be spelled out."""
    if intervals is None:
        return 0
    values = 0
    for low, high in intervals:
        if high - low >= _MOST_SPELLED:
            return 0
        values += high - low + 1
    return values
