# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""From the table in the kernel to the wanted one, in steps that no packet notices.

One nft transaction is not atomic for packets: an interval set that is created in the transaction that
starts using it reads as empty until the commit ends. So new sets are loaded first, used by nothing, and
the rules are switched in a transaction of their own.

What the switch does is seen at once: each packet runs through either the old rules or the new ones.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._compile.table import TABLE_NAME, NamedSet, SetReference, Table, TableChain, TableRule
from .live import BaseChain, Key, LiveTable
from .text import render_load, render_rule, render_table

#: Names that nft takes without quotes (the token "string" of its scanner).
_PLAIN_NAME = re.compile(r"[A-Za-z_.][A-Za-z0-9/_.-]*", re.ASCII)

_CHAIN, _SET, _MAP, _COUNTER = "chain", "set", "map", "counter"

#: Things of a table in an order in which they can be deleted: what refers to others goes first. The
#: rules, which may refer to anything, are gone by then.
_DELETION_ORDER = (_MAP, _CHAIN, _SET, "meter", "flowtable")

#: nft lists a set that a rule fills as "meter" and deletes it as "set".
_DELETED_AS = {"meter": _SET}


class Transaction(t.NamedTuple):
    """nft text that takes effect as a whole or not at all.

    Attributes:
        undo: Text that takes it back, if nothing uses yet what it made; empty where it is not to be
            taken back.
    """

    text: str
    undo: str = ""


class Change(t.NamedTuple):
    """Transactions, to be run in order until one fails.

    Attributes:
        replaces: Why the table is replaced as a whole, which packets can notice and which sets the
            counters to zero; empty for a live change.
    """

    transactions: t.Tuple[Transaction, ...]
    replaces: str = ""


def live_change(wanted: Table, live: t.Optional[LiveTable], altered: t.AbstractSet[Key] = frozenset()) -> Change:
    """What makes the kernel's table the wanted one.

    Args:
        live: The table as it is; None where there is none.
        altered: Of the things other than chains that the wanted table has: those that are there under
            their names, but with other contents. Sets of ours never change, so a hand did it.
    """
    present = frozenset() if live is None else frozenset(live.blocks)
    obstacle = "" if live is None else _obstacle(wanted, live, altered)
    if obstacle:
        return Change((Transaction(render_load(wanted)),), obstacle)
    damaged = [named.name for named in wanted.sets if (_SET, named.name) in altered or (_MAP, named.name) in present]
    if not damaged:
        return Change(tuple(_steps(wanted, present)))
    # The rules move to sets with the right contents under other names, the damaged ones go, and the
    # rules move back, so that the table ends as a function of the policy alone.
    detour = _rename_sets(wanted, _free_names(damaged, present))
    return Change((*_steps(detour, present), *_steps(wanted, _keys(detour))))


def deletion(live: t.Optional[LiveTable]) -> t.Tuple[Transaction, ...]:
    """What removes the table, if there is one."""
    return () if live is None else (Transaction("delete table inet %s\n" % TABLE_NAME),)


def _steps(wanted: Table, present: t.AbstractSet[Key]) -> t.Iterator[Transaction]:
    """What is missing, used by nothing; then the rules, and off with what is not wanted."""
    missing = _missing(wanted, present)
    added = _keys(missing)
    if added:
        undo = _deletions(added) if present else ["delete table inet %s" % TABLE_NAME]
        yield Transaction(render_table(missing), _lines(undo))
    base_chains = tuple(TableChain(chain.name, hook=chain.hook) for chain in wanted.chains if chain.hook)
    yield Transaction(
        _lines(
            [
                *("flush chain inet %s %s" % (TABLE_NAME, name) for kind, name in sorted(present) if kind == _CHAIN),
                *_deletions(present - _keys(wanted)),
            ]
        )
        # Declared again because their policy may have been turned by hand.
        + render_table(Table(counters=(), sets=(), chains=base_chains))
        # One command a rule: inside a block, nft 0.9.8 does not find the sets that the kernel has already.
        + _lines(
            "add rule inet %s %s %s" % (TABLE_NAME, chain.name, render_rule(rule))
            for chain in wanted.chains
            for rule in chain.rules
        )
    )


def _missing(wanted: Table, present: t.AbstractSet[Key]) -> Table:
    return Table(
        counters=tuple(name for name in wanted.counters if (_COUNTER, name) not in present),
        sets=tuple(named for named in wanted.sets if (_SET, named.name) not in present),
        chains=tuple(
            TableChain(chain.name, hook=chain.hook) for chain in wanted.chains if (_CHAIN, chain.name) not in present
        ),
    )


def _keys(table: Table) -> t.FrozenSet[Key]:
    return frozenset(
        [
            *((_COUNTER, name) for name in table.counters),
            *((_SET, named.name) for named in table.sets),
            *((_CHAIN, chain.name) for chain in table.chains),
        ]
    )


def _deletions(keys: t.AbstractSet[Key]) -> t.List[str]:
    def order(key: Key) -> t.Tuple[int, Key]:
        kind = key[0]
        return (_DELETION_ORDER.index(kind) if kind in _DELETION_ORDER else len(_DELETION_ORDER)), key

    return [
        "delete %s inet %s %s" % (_DELETED_AS.get(kind, kind), TABLE_NAME, name)
        for kind, name in sorted(keys, key=order)
    ]


def _lines(commands: t.Iterable[str]) -> str:
    return "".join("%s\n" % command for command in commands)


def _obstacle(wanted: Table, live: LiveTable, altered: t.AbstractSet[Key]) -> str:
    """Why the table cannot become the wanted one in place; empty where it can."""
    if live.declaration:
        return "the table itself was altered: %s" % live.declaration[0]
    for kind, name in live.blocks:
        if not _PLAIN_NAME.fullmatch(name):
            return "the table holds a %s that cannot be named in nft text" % kind
    for kind, name in sorted(altered):
        if kind not in (_SET, _MAP):
            return "the %s %s was altered" % (kind, name)
    for chain in wanted.chains:
        block = live.blocks.get((_CHAIN, chain.name))
        if block is not None and (block.base_chain, len(block.declaration)) != _declared(chain):
            return "the chain %s is declared otherwise: %s" % (chain.name, " ".join(block.declaration) or "no hook")
    return ""


def _declared(chain: TableChain) -> t.Tuple[t.Optional[BaseChain], int]:
    """Where a chain of ours is hooked in, and how many lines say so. Its policy can be changed in place."""
    return (BaseChain("filter", chain.hook, "filter"), 1) if chain.hook else (None, 0)


def _free_names(names: t.Iterable[str], present: t.AbstractSet[Key]) -> t.Dict[str, str]:
    taken = {name for _kind, name in present}
    free: t.Dict[str, str] = {}
    for name in names:
        candidate = "%s_again" % name
        while candidate in taken:
            candidate += "_"
        taken.add(candidate)
        free[name] = candidate
    return free


def _rename_sets(table: Table, names: t.Mapping[str, str]) -> Table:
    def renamed_rule(rule: TableRule) -> TableRule:
        matches = tuple(
            dataclasses.replace(match, value=SetReference(names.get(match.value.name, match.value.name)))
            if isinstance(match.value, SetReference)
            else match
            for match in rule.matches
        )
        return dataclasses.replace(rule, matches=matches)

    def renamed_set(named: NamedSet) -> NamedSet:
        return dataclasses.replace(named, name=names.get(named.name, named.name))

    return Table(
        counters=table.counters,
        sets=tuple(renamed_set(named) for named in table.sets),
        chains=tuple(
            dataclasses.replace(chain, rules=tuple(renamed_rule(rule) for rule in chain.rules))
            for chain in table.chains
        ),
    )
