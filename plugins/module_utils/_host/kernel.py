# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Is the kernel's table the wanted one? Decided by what the kernel holds, not by a file.

What nft makes of a text differs from version to version. So it is learned: what of the wanted table may
be there already is loaded into a network namespace of its own, and what the kernel holds there is
compared with what it holds in earnest, block by block. A record tells what was learned before, so that
only new texts are loaded for that. It decides nothing: where the kernel holds something else than the
record says, the block is learned again.

What a run loads in earnest is learned from there, if nothing but the run changed the ruleset meanwhile.

Where no namespace may be made (a container without CAP_SYS_ADMIN), a block that the record does not know
counts as different.
"""

from __future__ import annotations

import hashlib
import json
import typing as t

from .._compile.table import TABLE_NAME, Table
from .._nft.held import HeldTable
from .._nft.parts import keys_of, render_additions
from .._nft.text import Key, block_texts, join_blocks
from .holding import Holding, check_ours, read_holding
from .nft import Nft
from .scratch import NoNamespaceError, try_out

#: 128 bits, in hexadecimal digits.
_DIGEST_LENGTH = 32

#: What is known: the digest of a block's text, and the digest of what the kernel holds of it.
Known = t.Mapping[str, str]


class Comparison(t.NamedTuple):
    """The kernel's table beside the wanted one.

    Attributes:
        holding: What the kernel holds.
        differing: See :func:`.._nft.changes.live_change`.
        expected: What the kernel is to hold of each set, map and chain, as far as it is known.
        note: Why no namespace could be made; empty where one could, and where none was needed.
    """

    holding: Holding
    differing: t.FrozenSet[Key]
    equal: bool
    expected: t.Mapping[Key, str]
    note: str = ""

    @property
    def held(self) -> t.Optional[HeldTable]:
        """The table; None where there is none."""
        return self.holding.table


class WantedTable:
    """The wanted table and its text."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.texts = block_texts(table)
        self.keys = keys_of(table)
        self._digests = {key: _digest(text) for key, text in self.texts.items()}

    @property
    def load_text(self) -> str:
        """As :func:`.._nft.text.render_load`."""
        return "table inet {0}\ndelete table inet {0}\n{1}".format(
            TABLE_NAME, join_blocks(self.table.counters, self.texts)
        )

    def expect(self, known: Known) -> t.Dict[Key, str]:
        """What the kernel is to hold of each block, as far as that is known."""
        return {key: known[digest] for key, digest in self._digests.items() if digest in known}

    def record(self, expected: t.Mapping[Key, str]) -> str:
        """The text to keep for the next run."""
        known = {self._digests[key]: held for key, held in sorted(expected.items())}
        return json.dumps({"blocks": known}, indent=0) + "\n"

    def differing(self, held: t.Optional[HeldTable], expected: t.Mapping[Key, str]) -> t.Set[Key]:
        """What is there by name, and is not as expected."""
        if held is None:
            return set()
        return {
            key
            for key, block in held.blocks.items()
            # A counter of ours has no digest.
            if key in self.keys and block.digest != (expected.get(key) if key in self.texts else "")
        }

    def equals(self, held: t.Optional[HeldTable], differing: t.AbstractSet[Key]) -> bool:
        return held is not None and not differing and not held.oddity and held.blocks.keys() == self.keys


def read_live() -> Holding:
    """What the kernel holds.

    Raises:
        NotOursError: There is a table of our name that does not carry our marker.
        HostError: The kernel did not tell.
    """
    holding = read_holding()
    check_ours(holding)
    return holding


def is_as_recorded(held: HeldTable, record: t.Optional[str]) -> bool:
    """Whether the kernel holds what the last run kept a record of, by the digests of all sets, maps and chains.

    Another nft or kernel than the one that the record was made with may hold the same in another form.
    """
    digests = sorted(block.digest for (kind, _name), block in held.blocks.items() if kind != "counter" or block.digest)
    return not held.oddity and digests == sorted(_parse_record(record).values())


def compare(nft: Nft, wanted: WantedTable, record: t.Optional[str], *, trial: bool = False) -> Comparison:
    """The kernel's table beside the wanted one.

    Args:
        record: What the last run kept.
        trial: Whether nft is to be asked if it takes what it has not loaded before. A run that goes on to
            load it sees that then, before any rule changes.

    Raises:
        NotOursError: As for :func:`read_live`.
        HostError: nft refused the wanted ruleset, or the kernel did not tell what it holds.
    """
    holding = read_live()
    held = holding.table
    expected = wanted.expect(_parse_record(record))
    unknown = {key for key in wanted.texts if key not in expected}
    note = ""
    if not trial:
        unknown = {key for key in unknown if held is not None and key in held.blocks}
    try:
        expected.update(_learn(nft, wanted, unknown))
        # Another nft or kernel than the one that the record was made with may hold it in another form.
        doubtful = {key for key in wanted.differing(held, expected) if key in wanted.texts and key not in unknown}
        expected.update(_learn(nft, wanted, doubtful))
    except NoNamespaceError as exc:
        note = "no network namespace can be made here (%s): drift is found by the record of the last run" % exc
    differing = wanted.differing(held, expected)
    equal = wanted.equals(held, differing)
    if note and trial and not equal:
        nft.check(wanted.load_text)
    return Comparison(holding, frozenset(differing), equal, expected, note)


class Outcome(t.NamedTuple):
    """What the kernel holds after a change.

    Attributes:
        as_wanted: Whether it is the wanted table.
        record: What to keep for the next run.
        held: The table.
    """

    as_wanted: bool
    record: str
    held: t.Optional[HeldTable]


def outcome(nft: Nft, wanted: WantedTable, comparison: Comparison, loads: int) -> Outcome:
    """What the kernel holds after ``loads`` transactions.

    Raises:
        NotOursError, HostError: As for :func:`compare`.
    """
    holding = read_live()
    held = {} if holding.table is None else holding.table.blocks
    expected = dict(comparison.expected)
    unknown = {key for key in wanted.texts if key not in expected}
    if comparison.note:
        unknown |= comparison.differing & wanted.texts.keys()
    if holding.generation == (comparison.holding.generation + loads) % (1 << 32):
        expected.update((key, held[key].digest) for key in unknown if key in held)
    else:
        try:
            expected.update(_learn(nft, wanted, unknown))
        except NoNamespaceError:
            expected.update((key, held[key].digest) for key in unknown if key in held)
    as_wanted = wanted.equals(holding.table, wanted.differing(holding.table, expected))
    return Outcome(as_wanted, wanted.record(expected), holding.table)


def _learn(nft: Nft, wanted: WantedTable, keys: t.AbstractSet[Key]) -> t.Dict[Key, str]:
    """What the kernel holds of these right after they were loaded.

    Raises:
        NoNamespaceError: There is no namespace to do it in.
        HostError: nft refused them.
    """
    if not keys:
        return {}
    whole = len(keys) == len(wanted.texts)
    text = wanted.load_text if whole else render_additions(wanted.table, keys)
    table = try_out(nft, text, read_holding).table
    return {} if table is None else {key: table.blocks[key].digest for key in keys}


def _parse_record(text: t.Optional[str]) -> Known:
    """The record; empty where there is none, or somebody wrote something else there."""
    try:
        data = json.loads(text) if text else None
    except ValueError:
        return {}
    blocks = data.get("blocks") if isinstance(data, dict) else None
    return {str(key): str(value) for key, value in blocks.items()} if isinstance(blocks, dict) else {}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:_DIGEST_LENGTH]
