# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""What a run is asked for, and the host that it runs on."""

from __future__ import annotations

import typing as t

from .confirm import Confirm
from .files import Files
from .persistence import (
    Mode,
)

Result = t.Dict[str, t.Any]


class Options(t.NamedTuple):
    """What is asked for.

    Attributes:
        variables: Role variables by name, plain data.
        groups: Inventory group name to addresses.
        on_conflict: What to do about another firewall manager: ``fail``, ``disable`` or ``ignore``.
        connection: Name of the connection plugin; empty where it is not known.
        confirm: How a change is confirmed.
        restore: Instead of ``variables``: those of a ruleset that was kept, see :mod:`.history`.
        diff: Whether the result is to show the table before and after.
    """

    state: str = "present"
    variables: t.Optional[t.Mapping[str, object]] = None
    groups: t.Optional[t.Mapping[str, object]] = None
    persist: Mode = Mode.AUTO
    on_conflict: str = "fail"
    connection: str = ""
    check_mode: bool = False
    diff: bool = True
    confirm: Confirm = Confirm()
    restore: str = ""


class Host(t.NamedTuple):
    """The host that this process runs on; tests put its files below another root and choose the PATH."""

    root: str = "/"
    search_path: t.Optional[str] = None
    environ: t.Optional[t.Mapping[str, str]] = None

    @property
    def files(self) -> Files:
        return Files(self.root)
