# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Parts of a table as single commands, so that a change sends what it changes and no more.

Inside a block for the whole table, nft 0.9.8 does not find the sets that the kernel has already, and
1.0.6 first reads every chain and counter of the kernel. The command that adds a single thing reads the
tables only. So a set or map that the kernel has and a rule uses is declared again, without elements,
which tells nft its type and changes nothing.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .._compile.table import TABLE_NAME, Count, Lookup, NamedMap, SetReference, Table, TableChain, Verdict
from .text import Key, chain_body, map_body, set_body

CHAIN, SET, MAP, COUNTER = "chain", "set", "map", "counter"


def keys_of(table: Table) -> t.FrozenSet[Key]:
    """Everything of the table."""
    return frozenset(
        [
            *((COUNTER, name) for name in table.counters),
            *((SET, named.name) for named in table.sets),
            *((MAP, named.name) for named in table.maps),
            *((CHAIN, chain.name) for chain in table.chains),
        ]
    )


def references_of(item: t.Union[TableChain, NamedMap]) -> t.Iterator[Key]:
    """What must be there for this to be loaded; with repetitions."""
    if isinstance(item, NamedMap):
        for element in item.elements:
            if element.verdict.chain:
                yield CHAIN, element.verdict.chain
        return
    for rule in item.rules:
        for match in rule.matches:
            if isinstance(match.value, SetReference):
                yield SET, match.value.name
        for statement in rule.statements:
            if isinstance(statement, Count):
                yield COUNTER, statement.counter
            elif isinstance(statement, Lookup):
                yield MAP, statement.map_name
            elif isinstance(statement, Verdict) and statement.chain:
                yield CHAIN, statement.chain


def render_additions(table: Table, keys: t.AbstractSet[Key], present: t.AbstractSet[Key] = frozenset()) -> str:
    """The commands that add the things of ``keys`` to a kernel that has those of ``present``.

    What they refer to and the kernel does not have is added as well, without contents.
    """
    chains = [chain for chain in table.chains if (CHAIN, chain.name) in keys]
    maps = [named for named in table.maps if (MAP, named.name) in keys]
    used = {key for chain in chains for key in references_of(chain)}
    used.update(key for named in maps for key in references_of(named))
    declared = (used - present) | keys
    return "".join(
        [
            "" if present else "add table inet %s\n" % TABLE_NAME,
            *(_add(COUNTER, name) for name in table.counters if (COUNTER, name) in declared),
            # First the names, because maps and chains may lead to each other.
            *(_add(CHAIN, chain.name) for chain in table.chains if (CHAIN, chain.name) in declared and not chain.hook),
            *_collections(table, keys, used),
            *(_add(CHAIN, chain.name, chain_body(chain)) for chain in chains if chain.hook or chain.rules),
        ]
    )


def render_refill(table: Table, names: t.AbstractSet[str]) -> str:
    """The commands that give the chains of these names their rules; what the rules use is there."""
    chains = [chain for chain in table.chains if chain.name in names]
    used = {key for chain in chains for key in references_of(chain)}
    return "".join(
        [
            *_collections(table, frozenset(), used),
            *("flush chain inet %s %s\n" % (TABLE_NAME, chain.name) for chain in chains),
            # With the declaration, because the policy may have been turned by hand.
            *(_add(CHAIN, chain.name, chain_body(chain)) for chain in chains if chain.hook or chain.rules),
        ]
    )


def render_emptied(chain: TableChain) -> str:
    """The commands after which a base chain is there and has no rules."""
    bare = dataclasses.replace(chain, rules=())
    return "%sflush chain inet %s %s\n" % (_add(CHAIN, chain.name, chain_body(bare)), TABLE_NAME, chain.name)


def _collections(table: Table, full: t.AbstractSet[Key], used: t.AbstractSet[Key]) -> t.Iterator[str]:
    for named in table.sets:
        key = (SET, named.name)
        if key in full or key in used:
            yield _add(*key, set_body(named, elements=key in full))
    for verdicts in table.maps:
        key = (MAP, verdicts.name)
        if key in full or key in used:
            yield _add(*key, map_body(verdicts, elements=key in full))


def _add(kind: str, name: str, body: t.Sequence[str] = ()) -> str:
    command = "add %s inet %s %s" % (kind, TABLE_NAME, name)
    return "%s {\n%s\n}\n" % (command, "\n".join(body)) if body else "%s\n" % command
