# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""What the kernel holds of our table, without understanding its rules."""

from __future__ import annotations

import hashlib
import typing as t

from .text import Key

_DIGEST_LENGTH = 32


class HeldBlock(t.NamedTuple):
    """One named thing of the table.

    Attributes:
        digest: Of everything that nft made of its text: equal where the text was equal, whatever it
            counted since. Empty for a counter that has its values and nothing else.
        size: The rules of a chain, the elements of a set or map; ranges and prefixes count once.
        declaration: Of a chain, what cannot be changed in place: where it is hooked in, as
            :func:`hook_of` says it, and what is odd. Empty for a regular chain.
    """

    digest: str = ""
    size: int = 0
    declaration: str = ""


class HeldTable(t.NamedTuple):
    """The table in the kernel.

    Attributes:
        blocks: By kind and name, in nft's words: ``chain``, ``set``, ``map``, ``counter``, ``ct helper``, ...
        oddity: What was said of the table itself, which we never do: flags, a comment.
    """

    blocks: t.Mapping[Key, HeldBlock]
    oddity: str = ""

    def digest(self) -> str:
        """Equal for tables that hold the same under the same names."""
        parts = [repr((key, block.digest, block.declaration)) for key, block in sorted(self.blocks.items())]
        return hashlib.sha256("\n".join([self.oddity, *parts]).encode("utf-8", "replace")).hexdigest()[:_DIGEST_LENGTH]

    def names(self, kind: str) -> t.List[str]:
        return sorted(name for one, name in self.blocks if one == kind)


def hook_of(chain_type: str, hook: str, priority: int) -> str:
    """The declaration of a base chain, its policy left out: that can be changed in place."""
    return "type %s hook %s priority %d" % (chain_type, hook, priority)
