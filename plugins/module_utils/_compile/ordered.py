# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""The layout ``ordered``: one nft rule after another, as the policies are written."""

from __future__ import annotations

import typing as t

from .lowered import LoweredChain, LoweredProgram
from .rules import HOOKS, default_rules, heading_of, interface_rules, rule_count, rule_rules
from .table import MARKER_CHAIN, NamedSet, Table, TableChain, TableRule


def layout_ordered(program: LoweredProgram) -> Table:
    """The table of a program, readable from top to bottom."""
    sets: t.Dict[str, NamedSet] = {}
    regular = [TableChain(MARKER_CHAIN)]
    base = []
    counters: t.Dict[str, None] = {}
    for chain in program.chains:
        hook, field = HOOKS[chain.direction]
        rules: t.Tuple[TableRule, ...] = ()
        if chain.restricted:
            counters.update(dict.fromkeys(rule.counter for rule in chain.rules if rule.counter))
            if chain.default_counter:
                counters[chain.default_counter] = None
            regular.append(TableChain(chain.direction.value, tuple(_chain_rules(chain, program, sets))))
            rules = tuple(interface_rules(chain, program, field))
        base.append(TableChain(hook, rules, hook=hook))
    return Table(
        counters=tuple(sorted(counters)),
        sets=tuple(sets[name] for name in sorted(sets)),
        chains=(*regular, *base),
    )


def _chain_rules(chain: LoweredChain, program: LoweredProgram, sets: t.Dict[str, NamedSet]) -> t.Iterator[TableRule]:
    last_heading = ""
    for rule in chain.rules:
        heading = heading_of(rule)
        for index, table_rule in enumerate(rule_rules(rule, rule.boxes, sets)):
            shown = heading if index == 0 and heading != last_heading else ""
            yield TableRule(table_rule.matches, table_rule.statements, table_rule.comment, shown)
            last_heading = heading
    yield from default_rules(chain, program)


def count_rules(chain: LoweredChain, program: LoweredProgram) -> int:
    """How many rules a direction has in this layout."""
    return sum(rule_count(rule) for rule in chain.rules) + sum(1 for _rule in default_rules(chain, program))
