# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Files of rules that services of others load at boot: whether they refuse packets to or from this host.

What only translates addresses or filters forwarded packets does not get in the way of the policies.
"""

from __future__ import annotations

import re
import typing as t

from .includes import read_with_includes
from .tree import Tree

#: What nftables.service loads: Debian's, Red Hat's and Alpine's file.
_NFTABLES_FILES = ("/etc/nftables.conf", "/etc/sysconfig/nftables.conf", "/etc/nftables.nft")

#: Never somebody else's.
_OWN_FOLDER = "/etc/palisade/"

_INCLUDE = re.compile(r"include\s+[\"']([^\"']{1,4096})[\"']")
_FILTERING_HOOK = re.compile(r"\bhook\s+(?:input|output)\b")
_REFUSAL = re.compile(r"\b(?:drop|reject)\b")
_TABLE = re.compile(r"(?:\b(delete|destroy|flush)\s+)?\btable\s+(?:(inet|ip6|ip)\s+)?([\w./-]+)\s*(\{?)", re.ASCII)
_CHAIN = re.compile(r"\bchain\s+([\w./-]+)\s*\{", re.ASCII)
_BRACE = re.compile(r"[{}]")

_FILTERING_CHAINS = ("INPUT", "OUTPUT")
_REFUSING_TARGETS = frozenset(("DROP", "REJECT"))


class NftablesRules(t.NamedTuple):
    """What nftables.service loads.

    Attributes:
        paths: The files that exist, without what they include.
        refuses: Whether packets are refused, and a chain hooks input or output.
        tables: Each table, such as "inet filter", with the chains that a block of the file gives it.
    """

    paths: t.Tuple[str, ...]
    refuses: bool
    tables: t.Mapping[str, t.FrozenSet[str]]


def read_nftables_rules(tree: Tree, own_table: str) -> NftablesRules:
    """What the files of nftables.service hold, ``inet`` ``own_table`` left out."""

    def included(line: str) -> t.List[str]:
        match = _INCLUDE.match(line)
        if match is None:
            return []
        name = match.group(1)
        found = tree.glob(name if name.startswith("/") else "/etc/%s" % name)
        return [path for path in found if not path.startswith(_OWN_FOLDER)]

    paths = tuple(path for path in _NFTABLES_FILES if tree.exists(path))
    lines = (line.partition("#")[0] for line, _path in read_with_includes(tree, paths, included))
    text = "\n".join(lines)
    tables: t.Dict[str, t.FrozenSet[str]] = {}
    others = []
    at = 0
    for match in _TABLE.finditer(text):
        undone, family, name, brace = match.groups()
        if undone or match.start() < at:
            continue
        title = "%s %s" % (family or "ip", name)
        end = _end_of_block(text, match.end()) if brace else match.end()
        if title == "inet %s" % own_table:
            others.append(text[at : match.start()])
            at = end
        else:
            chains = frozenset(_CHAIN.findall(text, match.end(), end))
            tables[title] = tables.get(title, frozenset()) | chains
    others.append(text[at:])
    foreign = "".join(others)
    refuses = bool(tables) and bool(_FILTERING_HOOK.search(foreign)) and bool(_REFUSAL.search(foreign))
    return NftablesRules(paths, refuses, tables)


def saved_rules_refuse(tree: Tree, path: str) -> bool:
    """Whether a file of iptables-save(8) refuses packets to or from this host.

    Chains of others, such as Docker's for forwarded packets, are often saved along and do not count.
    """
    targets: t.Dict[str, t.Set[str]] = {}
    table = ""
    for line in tree.lines(path):
        words = line.split()
        if line.startswith("*"):
            table = line[1:]
        elif table == "filter" and line.startswith((":", "-A ")) and len(words) > 1:
            # The policy of a built-in chain is where its packets end.
            chain, target = (words[0][1:], words[1]) if line.startswith(":") else (words[1], _target(words))
            targets.setdefault(chain, set()).add(target)
    reached = set(_FILTERING_CHAINS)
    ahead = list(_FILTERING_CHAINS)
    while ahead:
        more = targets.get(ahead.pop(), set()) - reached
        reached |= more
        ahead.extend(more)
    return not reached.isdisjoint(_REFUSING_TARGETS)


def _target(words: t.Sequence[str]) -> str:
    for option in ("-j", "--jump", "-g", "--goto"):
        if option in words[:-1]:
            return words[words.index(option) + 1]
    return ""


def _end_of_block(text: str, start: int) -> int:
    """Where the block ends whose opening brace is right before ``start``."""
    depth = 1
    for brace in _BRACE.finditer(text, start):
        depth += 1 if brace.group() == "{" else -1
        if depth == 0:
            return brace.end()
    return len(text)
