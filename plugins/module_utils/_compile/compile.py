# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""From a program to a table, by layout."""

from __future__ import annotations

from .._policy.model import Layout
from .._policy.program import Program
from .auto import layout_auto
from .lower import lower
from .ordered import layout_ordered
from .table import Table


def compile_program(program: Program, *, layout: Layout = Layout.AUTO, counters: bool = True) -> Table:
    """The table that decides every packet as the program does.

    Args:
        counters: Whether every policy rule, and what happens to the rest, has its own named counter.
    """
    lowered = lower(program, counters=counters)
    if layout is Layout.ORDERED:
        return layout_ordered(lowered)
    table, _notes = layout_auto(lowered)
    return table
