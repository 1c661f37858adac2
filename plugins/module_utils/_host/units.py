# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Units of systemd as they lie in the host's files."""

from __future__ import annotations

import typing as t

from ._discovery.systemd import Assignment, drop_ins, read_assignments
from ._discovery.tree import Tree

#: systemd.unit(5), "Unit File Load Path", most important first.
_FOLDERS = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)


def read_unit(tree: Tree, name: str, *, without: t.Container[str] = ()) -> t.List[Assignment]:
    """A unit and then its drop-ins, in the order in which they apply; nothing where it is masked or missing.

    Args:
        without: Paths of drop-ins that are left out.
    """
    for folder in _FOLDERS:
        path = "%s/%s" % (folder, name)
        if tree.is_masked(path):
            return []
        if tree.exists(path):
            found = read_assignments(tree, path)
            for drop_in in drop_ins(tree, _FOLDERS, name + ".d"):
                if drop_in not in without:
                    found.extend(read_assignments(tree, drop_in))
            return found
    return []
