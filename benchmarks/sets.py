# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ClassBench sets as the benchmarks use them: verdicts, program and nft text. What was made once is kept."""

from __future__ import annotations

import functools
import typing as t

from ansible_collections.palisade.nftables.plugins.module_utils._compile.compile import compile_program
from ansible_collections.palisade.nftables.plugins.module_utils._compile.cost import measure_size
from ansible_collections.palisade.nftables.plugins.module_utils._nft.text import render_load
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Layout
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import Program, build_program
from lab import classbench

#: Half of the rules drop; the seed chooses which.
DROPS = 0.5
SEED = 1


def variables_of(name: str) -> t.Dict[str, t.Any]:
    """The role variables of a set."""
    return classbench.variables(name, drops=DROPS, seed=SEED)


@functools.lru_cache(maxsize=1)
def program_of(name: str) -> Program:
    """The program of a set."""
    return build_program(parse_firewall(variables_of(name)))


class Compiled(t.NamedTuple):
    """What is loaded for a set, several megabytes for a large one, and how many rules and elements that makes."""

    text: str
    objects: int


@functools.cache
def compiled(name: str, layout: Layout, *, counters: bool = True) -> Compiled:
    """A set in a layout. A range or a prefix is one element."""
    table = compile_program(program_of(name), layout=layout, counters=counters)
    size = measure_size(table)
    return Compiled(render_load(table), size.rules + size.elements)


def why_not_measured() -> t.List[str]:
    """A line of Markdown that says why there are no sets; none where there are."""
    absent = classbench.why_absent()
    return [] if absent is None else ["Not measured: %s." % absent]
