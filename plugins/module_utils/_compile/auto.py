# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.
"""The layout ``auto``: few lookups decide, in the order of the policies.

What comes first in every direction, connection state and neighbour discovery, is in :mod:`.prologue`; the
rest is arranged by :mod:`._auto.arrange`.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .._policy.model import Direction, Published, Stage
from ._auto.arrange import arrange_all
from ._auto.assemble import Assembler
from ._auto.items import make_items
from ._auto.merge import merge_equals
from ._auto.plan import Rule
from .lowered import LoweredChain, LoweredProgram
from .prologue import base_rules, state_rules
from .rules import HOOKS, STAGE_HEADINGS, default_rules, heading_of
from .table import MARKER_CHAIN, NamedMap, NamedSet, Table, TableChain, TableRule

#: Rules and elements for each box of a policy, and for each direction besides.
_BUDGET = 5.6
#: The same where the rules come once more at least, for published ports.
_BUDGET_WITH_PUBLISHED = 5.0
_BUDGET_BASE = 64
#: Longer lists are not merged where nothing is counted: what is merged of two addresses is no prefix any more, and a
#: lookup of prefixes is cheaper than what fewer items save.
_MOST_MERGED = 48

_LOOKUP_HEADING = "Policies, by lookup; the first rule in their order decides"


def layout_auto(program: LoweredProgram, *, share: float = 1.0) -> t.Tuple[Table, t.Tuple[str, ...]]:
    """The table of a program, and what of it could not be arranged, and why.

    Args:
        share: Of the rules and elements that it usually may have.
    """
    sets: t.Dict[str, NamedSet] = {}
    maps: t.Dict[str, NamedMap] = {}
    regular = [TableChain(MARKER_CHAIN)]
    constant: t.Dict[str, TableChain] = {}
    base = []
    counters: t.Dict[str, None] = {}
    notes: t.List[str] = []
    for chain in program.chains:
        hook, field = HOOKS[chain.direction]
        rules: t.Tuple[TableRule, ...] = ()
        if chain.restricted:
            counters.update(dict.fromkeys(rule.counter for rule in chain.rules if rule.counter))
            if chain.default_counter:
                counters[chain.default_counter] = None
            assembler = Assembler(chain.direction.value, sets)
            regular.append(
                TableChain(chain.direction.value, tuple(_chain_rules(chain, program, assembler, notes, share)))
            )
            constant.update(assembler.chains)
            maps.update(assembler.maps)
            rules = tuple(base_rules(chain, program, field))
        base.append(TableChain(hook, rules, hook=hook))
    table = Table(
        counters=tuple(sorted(counters)),
        sets=tuple(sets[name] for name in sorted(sets)),
        chains=(*regular, *(constant[name] for name in sorted(constant)), *base),
        maps=tuple(maps[name] for name in sorted(maps)),
    )
    return table, tuple(notes)


def _chain_rules(
    chain: LoweredChain,
    program: LoweredProgram,
    assembler: Assembler,
    notes: t.List[str],
    share: float,
) -> t.Iterator[TableRule]:
    shown = ""
    for table_rule in state_rules(chain, assembler.add_chain):
        heading = STAGE_HEADINGS[Stage.STATE]
        yield dataclasses.replace(table_rule, heading=heading if heading != shown else "")
        shown = heading
    items = make_items(rule for rule in chain.rules if rule.stage is not Stage.STATE)
    if not chain.default_counter and len(items) <= _MOST_MERGED:
        items = merge_equals(items)
    comes_again = chain.direction is Direction.INGRESS and program.published is Published.FILTER
    budget = _BUDGET_WITH_PUBLISHED if comes_again else _BUDGET
    node, why = arrange_all(items, int(share * budget * len(items)) + _BUDGET_BASE)
    notes.extend("%s: %s" % (chain.direction.value, note) for note in why)
    for step in node.steps:
        heading = heading_of(step.item.rule) if isinstance(step, Rule) else _LOOKUP_HEADING
        for table_rule in assembler.step(step):
            yield dataclasses.replace(table_rule, heading=heading if heading != shown else "")
            shown = heading
    yield from default_rules(chain, program)
