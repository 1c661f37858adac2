# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""From the table in the kernel to the wanted one, in steps that no packet notices.

One nft transaction is not atomic for packets: an interval set or map that is created in the transaction
that starts using it reads as empty until the commit ends, and one that is emptied is empty at once for
packets that are still on their way through the old rules. So there are three transactions:

1. Add what is missing: sets, maps, constant chains with their rules. Nothing leads there yet. Before the first
   rules of all, one that no packet meets has the kernel track connections from here on.
2. Switch: refill the chains that differ. Each packet runs through either the old rules or the new ones.
3. Remove what nothing leads to any more.

The names of sets, maps and constant chains carry a digest of what they hold, so what did not change is
there under its name and is not sent again.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._compile.table import (
    TABLE_NAME,
    Field,
    Lookup,
    MapElement,
    Match,
    NamedMap,
    SetReference,
    Statement,
    Table,
    TableChain,
    TableRule,
    Verdict,
)
from .held import HeldTable, hook_of
from .parts import CHAIN, COUNTER, MAP, SET, keys_of, references_of, render_additions, render_emptied, render_refill
from .text import Key, render_load, render_table

#: Names that nft takes without quotes (the token "string" of its scanner).
_PLAIN_NAME = re.compile(r"[A-Za-z_.][A-Za-z0-9/_.-]*", re.ASCII)

#: What can be deleted by name, in an order in which it can be: what refers to others goes first. The
#: rules, which may refer to anything, are gone by then.
_DELETION_ORDER = (
    MAP,
    CHAIN,
    SET,
    "flowtable",
    COUNTER,
    "ct expectation",
    "ct helper",
    "ct timeout",
    "limit",
    "quota",
    "secmark",
    "synproxy",
)


#: nf_conntrack hooks itself in once a rule of any chain looks at what it knows.
_ASKING = TableRule((Match(Field.STATE, ("new",)),), ())


class Transaction(t.NamedTuple):
    """nft text that takes effect as a whole or not at all.

    Attributes:
        undo: Text that takes it back, if nothing uses yet what it made; empty where it is not to be
            taken back.
        tidies: It only removes what the rules no longer use.
        refills: The chains whose rules it replaces, which are there already.
        hushes: Text that empties the base chains which it gave their first rules; of any kernel, whether they are
            there or not.
        enforces: It puts the first rules in force: until then no packet met one, but the kernel tracks connections
            already, if the rules ask for their states.
    """

    text: str
    undo: str = ""
    tidies: bool = False
    refills: t.Tuple[str, ...] = ()
    hushes: str = ""
    enforces: bool = False


class Change(t.NamedTuple):
    """Transactions, to be run in order until one fails.

    Attributes:
        replaces: Why the table is replaced as a whole, which packets can notice and which sets the
            counters to zero; empty for a live change.
    """

    transactions: t.Tuple[Transaction, ...]
    replaces: str = ""

    @property
    def is_plain(self) -> bool:
        """Whether only its last step removes anything, so that refilling chains takes it back until then."""
        return not self.replaces and not any(one.tidies for one in self.transactions[:-1])

    @property
    def is_tidying(self) -> bool:
        """Whether it changes nothing for any packet."""
        return all(one.tidies for one in self.transactions)

    @property
    def refilled(self) -> t.Tuple[str, ...]:
        """The chains whose rules it replaces, and that are there before it."""
        return tuple(name for one in self.transactions for name in one.refills)


def live_change(wanted: Table, held: t.Optional[HeldTable], differing: t.AbstractSet[Key] = frozenset()) -> Change:
    """What makes the kernel's table the wanted one.

    Args:
        held: The table as it is; None where there is none.
        differing: What is there under a name of the wanted table, but with other contents. The names
            of sets, maps and constant chains are those of their contents, so a hand did it to them.
    """
    present = frozenset() if held is None else frozenset(held.blocks)
    obstacle = "" if held is None else _obstacle(wanted, held, differing)
    enforces = _has_base_rules(wanted) and not _is_in_force(held)
    if obstacle:
        return Change((Transaction(render_load(wanted), enforces=enforces),), obstacle)
    stale = {chain.name for chain in wanted.chains if not chain.constant and _is_stale(chain, present, differing)}
    damaged = _damaged(wanted, present, differing)
    if not damaged:
        return Change(tuple(_steps(wanted, present, stale, enforces=enforces)))
    # The rules move to copies with the right contents under other names, the damaged ones go, and the
    # rules move back, so that the table ends as a function of the policy alone.
    names = _free_names(_leading_to(wanted, damaged), present | keys_of(wanted))
    detour = _renamed(wanted, names)
    moved = {before.name for before, after in zip(wanted.chains, detour.chains) if before != after}
    return Change((*_steps(detour, present, stale | moved, enforces=enforces), *_steps(wanted, keys_of(detour), moved)))


def deletion(held: t.Optional[HeldTable]) -> t.Tuple[Transaction, ...]:
    """What removes the table, if there is one."""
    return () if held is None else (Transaction("delete table inet %s\n" % TABLE_NAME),)


def _has_base_rules(wanted: Table) -> bool:
    return any(chain.hook and chain.rules for chain in wanted.chains)


def _is_in_force(held: t.Optional[HeldTable]) -> bool:
    """Whether packets meet a rule of the table."""
    return held is not None and any(
        block.size for (kind, _name), block in held.blocks.items() if kind == CHAIN and " hook " in block.declaration
    )


def _steps(
    wanted: Table, present: t.AbstractSet[Key], stale: t.AbstractSet[str], *, enforces: bool = False
) -> t.Iterator[Transaction]:
    """Add what is missing, refill the ``stale`` chains that are not constant, remove what is not wanted."""
    keys = keys_of(wanted)
    missing = keys - present
    inert = dataclasses.replace(
        wanted,
        chains=tuple(chain if chain.constant else _inert(chain, tracks=enforces) for chain in wanted.chains),
    )
    if not present:
        yield Transaction(render_table(inert), "delete table inet %s\n" % TABLE_NAME)
    elif missing:
        yield Transaction(render_additions(inert, missing, present), _removal(missing))
    switched = {chain.name for chain in wanted.chains if not chain.constant and chain.name in stale}
    if switched:
        yield Transaction(
            render_refill(wanted, switched),
            refills=tuple(sorted(name for name in switched if (CHAIN, name) in present)),
            hushes="".join(
                render_emptied(chain)
                for chain in wanted.chains
                if chain.hook and chain.name in switched and (CHAIN, chain.name) not in present
            ),
            enforces=enforces,
        )
    unwanted = present - keys
    if unwanted:
        yield Transaction(_removal(unwanted), tidies=True)


def _inert(chain: TableChain, *, tracks: bool) -> TableChain:
    """The chain without what it does. With ``tracks``, a rule that has no effect lets the kernel track connections."""
    asks = (
        tracks and not chain.hook and any(match.field is Field.STATE for rule in chain.rules for match in rule.matches)
    )
    return TableChain(chain.name, hook=chain.hook, rules=(_ASKING,) if asks else ())


def _removal(keys: t.AbstractSet[Key]) -> str:
    """Removes things to which nothing else leads."""

    def order(key: Key) -> t.Tuple[int, Key]:
        return _DELETION_ORDER.index(key[0]), key

    ordered = sorted(keys, key=order)
    commands = ["flush chain inet %s %s" % (TABLE_NAME, name) for kind, name in ordered if kind == CHAIN]
    # A kernel before 6.5 counts the elements of a deleted map as uses of their chains until it is idle.
    commands.extend("flush map inet %s %s" % (TABLE_NAME, name) for kind, name in ordered if kind == MAP)
    commands.extend("delete %s inet %s %s" % (kind, TABLE_NAME, name) for kind, name in ordered)
    return "".join("%s\n" % command for command in commands)


def _is_stale(chain: TableChain, present: t.AbstractSet[Key], differing: t.AbstractSet[Key]) -> bool:
    key = (CHAIN, chain.name)
    return key in differing or (key not in present and bool(chain.rules))


def _obstacle(wanted: Table, held: HeldTable, differing: t.AbstractSet[Key]) -> str:
    """Why the table cannot become the wanted one in place; empty where it can."""
    if held.oddity:
        return "the table itself was altered: %s" % held.oddity
    for kind, name in sorted(held.blocks):
        if kind not in _DELETION_ORDER or not _PLAIN_NAME.fullmatch(name):
            return "the table holds a %s that cannot be named in nft text" % kind
    for kind, name in sorted(differing):
        if kind == COUNTER:
            return "the counter %s was altered" % name
    for chain in wanted.chains:
        block = held.blocks.get((CHAIN, chain.name))
        declared = hook_of("filter", chain.hook, 0) if chain.hook else ""
        if block is not None and block.declaration != declared:
            return "the chain %s is declared otherwise: %s" % (chain.name, block.declaration or "no hook")
    return ""


def _damaged(wanted: Table, present: t.AbstractSet[Key], differing: t.AbstractSet[Key]) -> t.Set[Key]:
    """The sets, maps and constant chains whose names are taken by something else."""
    chains = ((CHAIN, chain.name) for chain in wanted.chains if chain.constant)
    damaged = {key for key in chains if key in differing}
    for kind, other, names in (
        (SET, MAP, [named.name for named in wanted.sets]),
        (MAP, SET, [named.name for named in wanted.maps]),
    ):
        damaged.update((kind, name) for name in names if (kind, name) in differing or (other, name) in present)
    return damaged


def _leading_to(wanted: Table, damaged: t.AbstractSet[Key]) -> t.Set[Key]:
    """These, and the maps and constant chains from which one comes to them: their contents hold their names."""
    items: t.List[t.Tuple[Key, t.Union[TableChain, NamedMap]]] = []
    items.extend(((MAP, named.name), named) for named in wanted.maps)
    items.extend(((CHAIN, chain.name), chain) for chain in wanted.chains if chain.constant)
    leading: t.Dict[Key, t.List[Key]] = {}
    for key, item in items:
        for reference in references_of(item):
            leading.setdefault(reference, []).append(key)
    found = set(damaged)
    waiting = list(damaged)
    while waiting:
        for key in leading.get(waiting.pop(), ()):
            if key not in found:
                found.add(key)
                waiting.append(key)
    return found


def _free_names(keys: t.AbstractSet[Key], taken: t.AbstractSet[Key]) -> t.Dict[Key, str]:
    names = {name for _kind, name in taken}
    free: t.Dict[Key, str] = {}
    for key in sorted(keys):
        candidate = "%s_again" % key[1]
        while candidate in names:
            candidate += "_"
        names.add(candidate)
        free[key] = candidate
    return free


def _renamed(table: Table, names: t.Mapping[Key, str]) -> Table:
    """The same under other names, wherever they are used."""

    def name_of(kind: str, name: str) -> str:
        return names.get((kind, name), name)

    def verdict(before: Verdict) -> Verdict:
        return dataclasses.replace(before, chain=name_of(CHAIN, before.chain)) if before.chain else before

    def statement(before: Statement) -> Statement:
        if isinstance(before, Verdict):
            return verdict(before)
        if isinstance(before, Lookup):
            return dataclasses.replace(before, map_name=name_of(MAP, before.map_name))
        return before

    def rule(before: TableRule) -> TableRule:
        matches = tuple(
            dataclasses.replace(match, value=SetReference(name_of(SET, match.value.name)))
            if isinstance(match.value, SetReference)
            else match
            for match in before.matches
        )
        return dataclasses.replace(before, matches=matches, statements=tuple(map(statement, before.statements)))

    def element(before: MapElement) -> MapElement:
        return dataclasses.replace(before, verdict=verdict(before.verdict))

    return Table(
        counters=table.counters,
        sets=tuple(dataclasses.replace(named, name=name_of(SET, named.name)) for named in table.sets),
        chains=tuple(
            dataclasses.replace(chain, name=name_of(CHAIN, chain.name), rules=tuple(map(rule, chain.rules)))
            for chain in table.chains
        ),
        maps=tuple(
            dataclasses.replace(named, name=name_of(MAP, named.name), elements=tuple(map(element, named.elements)))
            for named in table.maps
        ),
    )
