# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Since when the counters of our table count.

The kernel keeps no time, but numbers everything of a table in the order in which it is made. A run that loads
something notes the number of the newest counter and the time. A counter began to count between the last note with a
lower number and the first with none, and is said to do so since the latter. Changes keep counters. A table that is
made anew has another number, and its counters start at nothing; so do those of a boot.

The notes end with the boot, and say which network they are about.
"""

from __future__ import annotations

import json
import os
import time
import typing as t

from ._discovery.tree import Tree
from .boot import RULESET
from .counters import Counters, read_counters
from .files import Files

COUNTING = "/run/palisade-counting.json"

_FILE_MODE = 0o600
_BOOT = "/proc/sys/kernel/random/boot_id"
_NETWORK = "/proc/thread-self/ns/net"
#: Notes kept; past them, the oldest but the first are dropped, and counters of their time count as newer ones.
_MOST_NOTES = 64

#: Seconds since the epoch, and the number of the newest counter at that time.
_Note = t.Tuple[float, int]


class Since(t.NamedTuple):
    """Since when counters count, in seconds since the epoch; None where that is not known.

    Attributes:
        table: The table.
        by_name: Each counter.
        note: Why it is not known; empty where it is.
    """

    table: t.Optional[float]
    by_name: t.Mapping[str, t.Optional[float]]
    note: str = ""


def note_load(files: Files, before: Counters) -> None:
    """Notes what a run just loaded; ``before``: what there was.

    Raises:
        FileError: It could not be written.
        NetlinkError: The kernel did not tell what there is.
    """
    after = read_counters()
    notes = _read(files, after)
    if not notes and before.table and before.table == after.table:
        begun = _start_of(files)
        notes = [] if begun is None else [(begun, before.newest)]
    if not notes or after.newest > notes[-1][1]:
        notes.append((time.time(), after.newest))
    if len(notes) > _MOST_NOTES:
        del notes[1 : len(notes) - _MOST_NOTES + 1]
    files.write(COUNTING, json.dumps({**_identity(after), "notes": notes}), _FILE_MODE)


def forget_counting(files: Files) -> None:
    files.remove(COUNTING)


def counting_since(files: Files, counters: Counters) -> Since:
    """Since when the counters that there are count."""
    notes = _read(files, counters)
    if notes:
        begins = {name: _begin_of(counter.handle, notes) for name, counter in counters.by_name.items()}
        return Since(notes[0][0], begins)
    if _identity_is_known(files):
        note = "since when the counters count is not known: something else than a run loaded the table anew"
        return Since(None, {}, note)
    begun = _start_of(files)
    if begun is None:
        return Since(None, {}, "since when the counters count is not known: no run noted it")
    return Since(begun, dict.fromkeys(counters.by_name, begun))


def _begin_of(handle: int, notes: t.Sequence[_Note]) -> t.Optional[float]:
    return next((at for at, newest in notes if handle <= newest), None)


def _identity(counters: Counters) -> t.Dict[str, t.Any]:
    """What the notes are about: another boot, another network or another table, and they say nothing."""
    return {**_place(), "table": counters.table}


def _place() -> t.Dict[str, t.Any]:
    try:
        network = os.stat(_NETWORK).st_ino
    except OSError:
        network = 0
    return {"boot": (Tree().read(_BOOT) or "").strip(), "network": network}


def _load(files: Files) -> t.Dict[str, t.Any]:
    try:
        data = json.loads(files.read(COUNTING) or "")
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def _read(files: Files, counters: Counters) -> t.List[_Note]:
    """The notes about this table; none where there are none."""
    data = _load(files)
    if {name: data.get(name) for name in ("boot", "network", "table")} != _identity(counters):
        return []
    try:
        return [(float(at), int(newest)) for at, newest in data["notes"]]
    except (KeyError, TypeError, ValueError):
        return []


def _identity_is_known(files: Files) -> bool:
    """Whether a run noted something in this boot, about another table."""
    data = _load(files)
    return bool(data) and {name: data.get(name) for name in ("boot", "network")} == _place()


def _start_of(files: Files) -> t.Optional[float]:
    """When this system came up, with the ruleset that was saved; None where none was, or nobody knows.

    The start of its first process, because a container is younger than its kernel (proc_pid_stat(5)).
    """
    if not files.exists(RULESET):
        return None
    tree = Tree()
    boot = next((line.split()[1] for line in tree.lines("/proc/stat") if line.startswith("btime ")), "")
    # Behind the name, which may hold anything, in brackets.
    fields = (tree.read("/proc/1/stat") or "").rpartition(")")[2].split()
    if not boot.isdecimal() or len(fields) < 20 or not fields[19].isdecimal():
        return None
    return int(boot) + int(fields[19]) / os.sysconf("SC_CLK_TCK")
