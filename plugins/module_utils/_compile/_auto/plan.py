# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.
"""A plan: the tree of steps that the optimiser decides on, before there are chains and maps.

A node becomes a chain. Its steps are tried in order; a step that finds nothing goes on to the next. A
node that ends without a decision goes back to where it was entered.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..._core.intervals import Interval
from .items import Intervals, Item


@dataclass(frozen=True)
class Rule:
    """One item as a rule: the packets of the item meet its guard and are decided."""

    item: Item


@dataclass(frozen=True)
class Visit:
    """Goes through another node, and on behind it if that decides nothing."""

    node: Node


@dataclass(frozen=True)
class Branch:
    """Packets of these protocols go through another node, and on behind it if that decides nothing."""

    protocols: Intervals
    node: Node


@dataclass(frozen=True)
class Element:
    """A box of key space, and where it leads."""

    key: t.Tuple[Interval, ...]
    node: Node


@dataclass(frozen=True)
class Dispatch:
    """One lookup.

    Attributes:
        dimensions: Of the keys, in the order of the map's fields.
        family: Of the addresses in the keys; None where there are none.
        purpose: One word for the map's name.
    """

    dimensions: t.Tuple[int, ...]
    family: t.Optional[int]
    elements: t.Tuple[Element, ...]
    purpose: str


Step = t.Union[Rule, Visit, Branch, Dispatch]


@dataclass
class Node:
    """Steps in order.

    Attributes:
        number: Of a node that many others visit: its chain has a name of its own and is refilled when it
            changes, so that those others stay as they are.
    """

    steps: t.List[Step] = field(default_factory=list)
    number: t.Optional[int] = None

    @property
    def decides(self) -> bool:
        """Whether no packet gets past it."""
        last = self.steps[-1] if self.steps else None
        return isinstance(last, Rule) and last.item.is_certain
