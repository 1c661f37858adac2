# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""The time server that systemd-timesyncd asks at present.

Debian and Ubuntu configure none: the daemon asks those compiled into it, whose names stand in no file.
"""

from __future__ import annotations

import typing as t

from ._discovery.server_text import canonical_address
from ._discovery.tree import Tree
from .command import find_program, run_program
from .errors import HostError

#: There while the daemon runs (systemd-timesyncd.service(8)).
_RUNS = "/run/systemd/timesync"
_SECONDS = 5.0


def server_in_use(tree: Tree, search_path: t.Optional[str] = None) -> t.Optional[str]:
    """Its address; None where the daemon does not run, or has not found a server yet."""
    program = find_program("timedatectl", search_path) if tree.exists(_RUNS) else None
    if program is None:
        return None
    try:
        # timedatectl(1); the property is empty where no server was found.
        done = run_program([program, "show-timesync", "--property=ServerAddress", "--value"], seconds=_SECONDS)
    except HostError:
        return None
    return canonical_address(done.output.strip()) if done.status == 0 else None
