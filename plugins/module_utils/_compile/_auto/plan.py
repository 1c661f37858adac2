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
        prefix: Where all keys are prefixes of one length in the only dimension: that length, which is all
            that is looked up of an address. None: the keys are intervals.
    """

    dimensions: t.Tuple[int, ...]
    family: t.Optional[int]
    elements: t.Tuple[Element, ...]
    purpose: str
    prefix: t.Optional[int] = None


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


def height(node: Node, known: t.Optional[t.Dict[int, int]] = None) -> int:
    """The most chains that follow each other below a node, by jump or goto.

    The kernel counts both when it looks for loops (``nft_chain_validate`` of nf_tables_api.c), and
    refuses more than 15.
    """
    heights: t.Dict[int, int] = {} if known is None else known
    found = heights.get(id(node))
    if found is None:
        found = heights[id(node)] = max((_step_height(step, heights) for step in node.steps), default=0)
    return found


def _step_height(step: Step, heights: t.Dict[int, int]) -> int:
    if isinstance(step, (Visit, Branch)):
        return 1 + height(step.node, heights)
    if isinstance(step, Dispatch):
        return 1 + max(height(element.node, heights) for element in step.elements)
    before = step.item.before
    return 1 + height(before, heights) if isinstance(before, Node) else 0


def ways(node: Node, known: t.Optional[t.Dict[int, int]] = None) -> int:
    """How many ways there are from a node to the chains below it, each chain on each way counted."""
    counts: t.Dict[int, int] = {} if known is None else known
    found = counts.get(id(node))
    if found is None:
        found = counts[id(node)] = 1 + sum(_step_ways(step, counts) for step in node.steps)
    return found


def _step_ways(step: Step, counts: t.Dict[int, int]) -> int:
    if isinstance(step, (Visit, Branch)):
        return ways(step.node, counts)
    if isinstance(step, Dispatch):
        return sum(ways(element.node, counts) for element in step.elements)
    before = step.item.before
    return 1 + ways(before, counts) if isinstance(before, Node) else 0
