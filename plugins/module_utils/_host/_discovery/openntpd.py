# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""OpenNTPD's time sources (its ntpd.conf(5))."""

from __future__ import annotations

import typing as t

from .time_source import TimeSource
from .tree import Tree

#: Debian's place, and that of Alpine and of Red Hat's family.
_CONFIGURATION = ("/etc/openntpd/ntpd.conf", "/etc/ntpd.conf")

_SOURCES = frozenset(("server", "servers"))
_CONSTRAINTS = frozenset(("constraint", "constraints"))


def read_openntpd(tree: Tree) -> t.List[TimeSource]:
    """Its servers, and the sites over HTTPS that have to agree with them."""
    start = next((path for path in _CONFIGURATION if tree.exists(path)), None)
    found = []
    for line in tree.lines(start) if start else ():
        words = [word.strip('"') for word in line.partition("#")[0].split()]
        if len(words) > 1 and words[0] in _SOURCES:
            found.append(TimeSource(words[1], start or ""))
        elif len(words) > 2 and words[0] in _CONSTRAINTS and words[1] == "from":
            found.append(TimeSource(words[2], start or "", is_constraint=True))
    return found
