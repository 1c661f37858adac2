# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""The table before and after a change, as nft lists it: for people, who look at the difference.

The wanted table is listed from a network namespace of its own, so that both are in the words of the same
nft. Of a large table only what differs is shown.
"""

from __future__ import annotations

import typing as t

from .._nft.live import ListingError, LiveTable, parse_listing
from .._nft.parts import render_additions
from .._nft.text import Key, render_table
from .errors import HostError
from .kernel import Comparison, WantedTable
from .nft import Nft
from .scratch import NoNamespaceError, try_out

#: The most blocks that are shown where they are the same before and after, and the most that are shown.
_COMPLETE = 1000
_SHOWN = 1000


class Listings(t.NamedTuple):
    """The table before and after; empty where there is none."""

    before: str
    after: str


def list_both(nft: Nft, wanted: WantedTable, comparison: Comparison) -> Listings:
    """What is to be shown.

    Raises:
        HostError: nft does not list a table.
    """
    held = comparison.held
    present = frozenset() if held is None else frozenset(held.blocks)
    everything = wanted.keys | present
    shown: t.AbstractSet[Key] = everything
    if len(everything) > _COMPLETE:
        shown = (wanted.keys ^ present) | comparison.differing
        entries = {("chain", chain.name) for chain in wanted.table.chains if not chain.constant}
        shown = set(sorted(shown, key=lambda key: (key not in entries, key))[:_SHOWN])
    if comparison.equal:
        after = _list_held(nft) if shown else None
        text = _show(after, shown, everything)
        return Listings(text, text)
    before = None if held is None else _list_held(nft)
    after = _list_wanted(nft, wanted, shown & wanted.keys)
    return Listings(_show(before, shown, present) if held else "", _show(after, shown, wanted.keys))


def list_held(nft: Nft) -> str:
    """The table in the kernel; empty where there is none.

    Raises:
        HostError: nft does not list it.
    """
    listed = _list_held(nft)
    return "" if listed is None else listed.text()


def _show(listed: t.Optional[LiveTable], shown: t.AbstractSet[Key], there: t.AbstractSet[Key]) -> str:
    hidden = len(there - shown)
    note = "# not shown: %d of %d sets, maps, chains and counters\n" % (hidden, len(there)) if hidden else ""
    if listed is None:
        return note
    blocks = {key: block for key, block in listed.blocks.items() if key in shown}
    return note + listed._replace(blocks=blocks).text()


def _list_held(nft: Nft) -> t.Optional[LiveTable]:
    text = nft.list_table()
    return None if text is None else _parse(text)


def _list_wanted(nft: Nft, wanted: WantedTable, keys: t.AbstractSet[Key]) -> LiveTable:
    whole = keys >= wanted.keys
    try:
        text = wanted.load_text if whole else render_additions(wanted.table, keys)
        return _parse(try_out(nft, text, nft.list_table) or "")
    except NoNamespaceError:
        # In our words, then, which differ from those of nft.
        return _parse(render_table(wanted.table))


def _parse(text: str) -> LiveTable:
    try:
        return parse_listing(text)
    except ListingError as exc:
        raise HostError("the listing of the table cannot be read: %s" % exc) from exc
