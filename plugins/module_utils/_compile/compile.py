# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""From a program to a table, by layout."""

from __future__ import annotations

import contextlib
import typing as t

from .._core.collector import garbage_kept
from .._policy.model import Direction, Layout, Published
from .._policy.program import Program
from ._auto.arrange import LIMIT_REACHED
from .auto import layout_auto
from .cost import ChainCost, measure_cost
from .lower import lower
from .lowered import LoweredProgram
from .ordered import count_rules, layout_ordered
from .published import NoRoomError, add_forward
from .table import Table

#: Rules, and elements of maps, for each box of the policies; and what no table is too large with.
_MOST_FOR_BOX = 6
_NEVER_TOO_LARGE = 500
#: What a direction may have where it had too much.
_SMALLER = 0.92


class Compiled(t.NamedTuple):
    """A table and what there is to say about it.

    Attributes:
        costs: For each direction that is restricted: of this table, and how many rules it would have one
            after another.
        notes: What could not be arranged, and why; sentences.
    """

    table: Table
    costs: t.Mapping[Direction, t.Tuple[ChainCost, int]]
    notes: t.Tuple[str, ...] = ()


def compile_program(program: Program, *, layout: Layout = Layout.AUTO, counters: bool = True) -> Table:
    """The table that decides every packet as the program does.

    Args:
        counters: Whether every policy rule, and what happens to the rest, has its own named counter.
    """
    with garbage_kept():
        return _lay_out(lower(program, counters=counters), layout)[0]


def compile_with_cost(program: Program, *, layout: Layout = Layout.AUTO, counters: bool = True) -> Compiled:
    """The same, with what packets will cost."""
    with garbage_kept():
        lowered = lower(program, counters=counters)
        table, notes = _lay_out(lowered, layout)
        costs = {
            chain.direction: (measure_cost(table, chain.direction.value), count_rules(chain, lowered))
            for chain in lowered.chains
            if chain.restricted
        }
    return Compiled(table, costs, notes)


def _lay_out(lowered: LoweredProgram, layout: Layout) -> t.Tuple[Table, t.Tuple[str, ...]]:
    if layout is Layout.ORDERED:
        return add_forward(layout_ordered(lowered), lowered.published), ()
    boxes = sum(len(rule.boxes) for chain in lowered.chains if chain.restricted for rule in chain.rules)
    most = max(_MOST_FOR_BOX * boxes, _NEVER_TOO_LARGE)
    table, notes = layout_auto(lowered)
    with contextlib.suppress(NoRoomError):
        return add_forward(table, lowered.published, most=most), notes
    # Packets for published ports are few beside those for the host, and each connection has one that gets here.
    ordered = layout_ordered(lowered)
    try:
        whole = add_forward(table, lowered.published, source=ordered, most=most)
    except NoRoomError:
        # Plans are not counted to the last rule before they are made.
        table, notes = layout_auto(lowered, share=_SMALLER)
        whole = add_forward(table, lowered.published, source=ordered)
    if lowered.published is Published.FILTER:
        notes = (*notes, "published ports: %s" % LIMIT_REACHED)
    return whole, notes
