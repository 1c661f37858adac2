# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""What the kernel holds of our table, read from the listing that nft prints.

The listing in text, not in JSON: every nft prints it, also one that was built without JSON, and what
two listings of the same nft say differs exactly where the tables differ. It is split into blocks and
not understood any further.
"""

from __future__ import annotations

import re
import typing as t

from .._compile.table import TABLE_NAME
from .text import Key

#: nft 0.9.8 prints the closing brace on this line.
_COUNTER_VALUES = re.compile(r"\t\tpackets [0-9]+ bytes [0-9]+(\t\})?", re.ASCII)


class ListingError(ValueError):
    """The text is not a listing of our table."""


class Block(t.NamedTuple):
    """One named thing of the table.

    Attributes:
        kind: ``chain``, ``set``, ``map``, ``counter``, ``ct helper``, ...
        name: Its name.
        lines: What stands between its braces, counter values left out; white space around is cut off.
    """

    kind: str
    name: str
    lines: t.Tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        return self.kind, self.name

    def text(self) -> str:
        return "".join(["\t%s %s {\n" % self.key, *("\t\t%s\n" % line for line in self.lines), "\t}\n"])


class LiveTable(t.NamedTuple):
    """The table as one nft on one kernel lists it.

    Attributes:
        blocks: By key. Their order is that of the keys: the kernel lists in order of creation, and
            no packet meets that order.
        declaration: Lines of the table itself (``flags dormant``, a comment).
    """

    blocks: t.Mapping[Key, Block]
    declaration: t.Tuple[str, ...] = ()

    def text(self) -> str:
        """The listing in normal form: no counter values, blocks by kind and name."""
        parts = ["\t%s\n" % line for line in self.declaration]
        parts.extend(block.text() for block in self.blocks.values())
        return "table inet %s {\n%s}\n" % (TABLE_NAME, "\n".join(parts))


def parse_listing(text: str) -> LiveTable:
    """The table of ``nft -s list table inet palisade``.

    What does not read as a block (a comment that holds line breaks can look like anything) is kept as
    part of the declaration, so that no such table ever equals one that we made.

    Raises:
        ListingError: The text is no listing of our table.
    """
    lines = text.split("\n")
    blocks: t.List[Block] = []
    declaration: t.List[str] = []
    index = _table_start(lines) + 1
    while index < len(lines) and lines[index] != "}":
        line = lines[index]
        if line.startswith("\t") and line.endswith(" {") and not line.startswith("\t\t"):
            block, index = _read_block(lines, index)
            blocks.append(block)
            continue
        index += 1
        # Only our own text has comments of this kind; no nft keeps them.
        if line.strip() and not line.lstrip().startswith("#"):
            declaration.append(line.strip())
    declaration.extend(line.strip() for line in lines[index + 1 :] if line.strip())
    return LiveTable({block.key: block for block in sorted(blocks)}, tuple(declaration))


def _table_start(lines: t.Sequence[str]) -> int:
    for index, line in enumerate(lines):
        if line.startswith("table inet %s {" % TABLE_NAME):
            return index
    raise ListingError("nft printed no table inet %s" % TABLE_NAME)


def _read_block(lines: t.Sequence[str], index: int) -> t.Tuple[Block, int]:
    """The block that begins at ``index``, and the index behind it.

    Raises:
        ListingError: It does not end.
    """
    kind, _space, name = lines[index].strip()[: -len(" {")].rpartition(" ")
    kept: t.List[str] = []
    for end in range(index + 1, len(lines)):
        line = lines[end]
        values = _COUNTER_VALUES.fullmatch(line) if kind == "counter" else None
        if line == "\t}" or (values is not None and values.group(1)):
            return Block(kind, name, tuple(kept)), end + 1
        if values is None and line.strip() and not line.lstrip().startswith("#"):
            kept.append(line.strip())
    raise ListingError("the listing of the table ends inside the %s %s" % (kind, name))
