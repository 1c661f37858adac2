# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Configuration files that pull in others, as one run of lines."""

from __future__ import annotations

import typing as t

from .tree import Tree

#: Files read at most for one daemon. A file is read once, so that includes in a circle come to an end.
_READ_FILES = 200


def read_with_includes(
    tree: Tree, paths: t.Sequence[str], included: t.Callable[[str], t.Sequence[str]]
) -> t.Iterator[t.Tuple[str, str]]:
    """``(line, path)`` of the files, with what a line includes in the place of that line.

    ``included`` returns the files that a line includes; none for an ordinary line. Such a line itself
    is not returned, nor are empty ones.
    """
    stack = [(path, iter(tree.lines(path))) for path in reversed(paths)]
    seen = set(paths)
    while stack:
        path, lines = stack[-1]
        line = next(lines, None)
        if line is None:
            stack.pop()
        elif line:
            more = included(line)
            if not more:
                yield line, path
            for name in reversed(more):
                if name not in seen and len(seen) < _READ_FILES:
                    seen.add(name)
                    stack.append((name, iter(tree.lines(name))))
