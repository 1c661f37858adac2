# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Is the kernel's table the wanted one? Decided by what the kernel holds, not by a file.

nft lists a ruleset in its own words, which differ from version to version and from what was loaded. So
the wanted ruleset is loaded into a network namespace of its own, listed there by the same nft on the
same kernel, and the two listings are compared. The namespace belongs to one thread and ends with it.

Where no namespace may be made (a container without CAP_SYS_ADMIN), a record tells what was loaded last
and how the kernel listed it right afterwards: the table is the wanted one if both still hold.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import typing as t

from .._compile.table import MARKER_CHAIN, TABLE_NAME, Table
from .._nft.live import Key, ListingError, LiveTable, parse_listing
from .._nft.text import render_load, render_table
from .errors import HostError
from .nft import Nft, NftError, NftNotPermittedError

_CLONE_NEWNET = 0x40000000  # linux/sched.h

_THREAD_NAMESPACE = "/proc/thread-self/ns/net"


class NotOursError(HostError):
    """There is a table of our name that we did not make."""


class _NoNamespaceError(Exception):
    """No network namespace may be made here; the message says what the kernel answered."""


class Record(t.NamedTuple):
    """What was loaded last, as digests, and how the kernel listed it then, block by block."""

    wanted: str
    listing: t.Mapping[str, str]

    def to_text(self) -> str:
        return json.dumps({"wanted": self.wanted, "listing": dict(self.listing)}, indent=1, sort_keys=True) + "\n"


class Comparison(t.NamedTuple):
    """The kernel's table beside the wanted one.

    Attributes:
        live: None where there is no table.
        wanted: The wanted table as this nft lists it; where ``note`` says why that is not known, as
            we write it.
        altered: See :func:`.._nft.changes.live_change`.
        note: Why the comparison went by the record; empty where it went by a listing.
    """

    live: t.Optional[LiveTable]
    wanted: LiveTable
    altered: t.FrozenSet[Key]
    equal: bool
    note: str = ""


def read_live(nft: Nft) -> t.Optional[LiveTable]:
    """The table in the kernel; None where there is none.

    Raises:
        NotOursError: It does not carry our marker.
        NftError: nft could not list it.
    """
    text = nft.list_table()
    if text is None:
        return None
    try:
        live = parse_listing(text)
    except ListingError as exc:
        raise HostError("the listing of the table inet %s cannot be read: %s" % (TABLE_NAME, exc)) from exc
    if ("chain", MARKER_CHAIN) not in live.blocks:
        raise NotOursError(
            "this host has a table 'inet %s' without the chain '%s': Palisade did not make it and does not touch it. "
            "Rename the table, or delete it ('nft delete table inet %s'), and run again"
            % (TABLE_NAME, MARKER_CHAIN, TABLE_NAME)
        )
    return live


class Comparing:
    """A comparison under way: the scratch namespace is filled in the background from the start."""

    def __init__(self, nft: Nft, wanted: Table) -> None:
        self._nft = nft
        self._wanted = wanted
        self._scratch = _ScratchListing(nft, render_load(wanted))
        self._scratch.start()

    def finish(self, record: t.Callable[[], t.Optional[str]]) -> Comparison:
        """The comparison.

        Args:
            record: Reads the text of the last :class:`Record`; only asked where no namespace can be made.

        Raises:
            NotOursError: As for :func:`read_live`.
            NftError: nft refused the wanted ruleset, or could not list the table.
        """
        try:
            live = read_live(self._nft)
        finally:
            self._scratch.join()
        try:
            normal = parse_listing(self._scratch.result())
        except _NoNamespaceError as exc:
            return _compare_with_record(self._nft, self._wanted, live, _parse_record(record()), str(exc))
        return Comparison(live, normal, _altered(self._wanted, live, normal), live == normal)


def make_record(wanted: Table, live: LiveTable) -> Record:
    """The record to keep after ``wanted`` was loaded and is listed as ``live``."""
    listing = {"%s %s" % key: _digest(block.text()) for key, block in live.blocks.items()}
    if live.declaration:
        listing["table"] = _digest("\n".join(live.declaration))
    return Record(_digest(render_load(wanted)), listing)


def _compare_with_record(
    nft: Nft, wanted: Table, live: t.Optional[LiveTable], record: t.Optional[Record], reason: str
) -> Comparison:
    note = "no network namespace can be made here (%s): drift is found by the record of the last run" % reason
    written = parse_listing(render_table(wanted))
    if live is None:
        nft.check(render_load(wanted))
        return Comparison(None, written, frozenset(), equal=False, note=note)
    now = make_record(wanted, live)
    if record == now:
        return Comparison(live, live, frozenset(), equal=True, note=note)
    nft.check(render_load(wanted))
    known = {} if record is None else record.listing
    altered = {
        ("set", named.name)
        for named in wanted.sets
        if now.listing.get("set %s" % named.name) != known.get("set %s" % named.name, "")
        and ("set", named.name) in live.blocks
    }
    return Comparison(live, written, frozenset(altered | _altered_counters(wanted, live)), equal=False, note=note)


def _altered(wanted: Table, live: t.Optional[LiveTable], normal: LiveTable) -> t.FrozenSet[Key]:
    if live is None:
        return frozenset()
    keys = [("set", named.name) for named in wanted.sets]
    sets = {key for key in keys if key in live.blocks and live.blocks[key] != normal.blocks.get(key)}
    return frozenset(sets | _altered_counters(wanted, live))


def _altered_counters(wanted: Table, live: LiveTable) -> t.Set[Key]:
    """A counter of ours has its values and nothing else."""
    keys = [("counter", name) for name in wanted.counters]
    return {key for key in keys if key in live.blocks and live.blocks[key].lines}


def _parse_record(text: t.Optional[str]) -> t.Optional[Record]:
    """The record; None where there is none, or somebody wrote something else there."""
    try:
        data = json.loads(text) if text else None
    except ValueError:
        return None
    if not isinstance(data, dict):
        return None
    wanted, listing = data.get("wanted"), data.get("listing")
    if not isinstance(wanted, str) or not isinstance(listing, dict):
        return None
    return Record(wanted, {str(key): str(value) for key, value in listing.items()})


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


class _ScratchListing(threading.Thread):
    """How nft lists a ruleset that was just loaded into an empty network namespace."""

    def __init__(self, nft: Nft, text: str) -> None:
        super().__init__(name="palisade-scratch", daemon=True)
        self._nft = nft
        self._text = text
        self._listing = ""
        self._problem: t.Optional[t.Union[NftError, _NoNamespaceError]] = None

    def run(self) -> None:
        try:
            _enter_new_network()
            self._nft.load(self._text)
            self._listing = self._nft.list_table() or ""
        except NftNotPermittedError as exc:
            self._problem = _NoNamespaceError(str(exc))
        except (NftError, _NoNamespaceError) as exc:
            self._problem = exc

    def result(self) -> str:
        if self._problem is not None:
            raise self._problem
        return self._listing


def _enter_new_network() -> None:
    """Moves the calling thread, and what it starts, into a new network namespace.

    Raises:
        _NoNamespaceError: The thread is where it was.
    """
    try:
        before = os.readlink(_THREAD_NAMESPACE)
        _unshare_network()
        after = os.readlink(_THREAD_NAMESPACE)
    except OSError as exc:
        raise _NoNamespaceError(exc.strerror or str(exc)) from exc
    if before == after:
        # A sandbox may answer system calls without doing them; the host's own table is at stake.
        raise _NoNamespaceError("the kernel made none")


def _unshare_network() -> None:
    unshare = getattr(os, "unshare", None)
    if unshare is not None:
        unshare(_CLONE_NEWNET)
        return
    # Python before 3.12 has no os.unshare.
    import ctypes  # noqa: PLC0415 - only loaded where it is needed

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
