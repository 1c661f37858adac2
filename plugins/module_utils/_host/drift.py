# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""What somebody else did to our table since it was applied: what is missing, what is foreign, what was altered.

Whether anything differs is decided by what the kernel holds. What differs is shown in the words of nft: the text that
was applied is loaded into a network namespace of its own, and both are listed.
"""

from __future__ import annotations

import re
import typing as t
from collections import Counter

from .._compile.table import TABLE_NAME
from .._nft.live import Block, ListingError, LiveTable, parse_listing
from .errors import HostError
from .kernel import is_as_recorded
from .nft import Nft
from .scratch import NoNamespaceError, try_out

if t.TYPE_CHECKING:
    from .._nft.held import HeldTable

_COMMENT = re.compile(r' comment "([^"]*)"$')
_HOOK = "type "


class Drift(t.NamedTuple):
    """See the RETURN of ``palisade.nftables.ruleset_info``."""

    state: str
    missing: t.Tuple[str, ...] = ()
    foreign: t.Tuple[str, ...] = ()
    changed: t.Tuple[str, ...] = ()

    def to_plain(self) -> t.Dict[str, t.Any]:
        return {
            "state": self.state,
            "missing": list(self.missing),
            "foreign": list(self.foreign),
            "changed": list(self.changed),
        }


def is_as_applied(held: HeldTable, record: t.Optional[str], counters: t.AbstractSet[str]) -> bool:
    """Whether the kernel surely holds what was applied; if not, it still may, and :func:`find_drift` tells.

    Args:
        record: What the last run kept, see :mod:`.kernel`.
        counters: Names of the counters that the policies have.
    """
    return is_as_recorded(held, record) and {name for kind, name in held.blocks if kind == "counter"} == counters


def find_drift(nft: Nft, applied: str) -> t.Tuple[Drift, str]:
    """What differs from the text that was applied, and a sentence where that could not be shown.

    Raises:
        HostError: nft does not list a table.
    """
    try:
        wanted = _parse(try_out(nft, applied, nft.list_table))
    except NoNamespaceError as exc:
        note = "the table differs from what was applied; in what cannot be shown, because no network namespace can be "
        return Drift("changed"), "%smade here (%s)" % (note, exc)
    return compare_listings(wanted, _parse(nft.list_table())), ""


def _parse(text: t.Optional[str]) -> LiveTable:
    try:
        return parse_listing(text or "")
    except ListingError as exc:
        raise HostError("the listing of the table cannot be read: %s" % exc) from exc


def compare_listings(wanted: LiveTable, live: LiveTable) -> Drift:
    """How two listings of the same nft differ."""
    missing: t.List[str] = []
    foreign: t.List[str] = []
    changed: t.List[str] = []
    if wanted.declaration != live.declaration:
        changed.append("table inet %s" % TABLE_NAME)
    for key in sorted(wanted.blocks.keys() | live.blocks.keys()):
        expected, there = wanted.blocks.get(key), live.blocks.get(key)
        if there is None:
            missing.append("%s %s" % key)
        elif expected is None:
            foreign.append("%s %s" % key)
        elif expected.lines == there.lines:
            continue
        elif there.kind != "chain":
            changed.append("%s %s" % key)
        else:
            _compare_chains(expected, there, missing, foreign, changed)
    different = missing or foreign or changed
    return Drift("changed" if different else "none", tuple(missing), tuple(foreign), tuple(changed))


def _compare_chains(
    expected: Block, there: Block, missing: t.List[str], foreign: t.List[str], changed: t.List[str]
) -> None:
    """Adds what differs between two chains of one name."""
    wanted, live = Counter(_rules(expected)), Counter(_rules(there))
    lost, added = wanted - live, live - wanted
    missing.extend("%s: %s" % (expected.name, _name_of(rule)) for rule in _rules(expected) if lost[rule])
    foreign.extend("%s: %s" % (there.name, rule) for rule in _rules(there) if added[rule])
    if (not lost and not added) or _heading(expected) != _heading(there):
        changed.append("chain %s" % expected.name)


def _rules(chain: Block) -> t.List[str]:
    return [line for line in chain.lines if not line.startswith(_HOOK)]


def _heading(chain: Block) -> t.List[str]:
    """Where it is hooked in, and its policy."""
    return [line for line in chain.lines if line.startswith(_HOOK)]


def _name_of(rule: str) -> str:
    """What leads to the policy rule; the rule itself where nothing does."""
    comment = _COMMENT.search(rule)
    return comment.group(1) if comment else rule
