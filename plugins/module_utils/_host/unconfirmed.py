# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""A change that waits for its confirmation: what it takes to take it back, and the timer that does.

Everything lies in /run/palisade: after a boot nothing waits, because the boot loaded what was confirmed last.
"""

from __future__ import annotations

import json
import secrets
import time
import typing as t

from .._compile.table import TABLE_NAME
from .._nft.changes import Change
from . import take_back, watchdog
from .boot import FOLDER, RUN_FOLDER, UNIT
from .errors import HostError
from .files import Files
from .history import HISTORY
from .nft import Nft

LOCK = "/run/palisade.lock"
_PENDING = RUN_FOLDER + "/" + take_back.PENDING
_TAKEN_BACK = RUN_FOLDER + "/" + take_back.TAKEN_BACK
_PROGRAM = RUN_FOLDER + "/take_back.py"

#: Folders that runs write to, and how the names of the files begin that are theirs.
_OURS = ((RUN_FOLDER, ""), (FOLDER, ""), (HISTORY, ""), ("/etc/systemd/system", "palisade"), ("/run", "palisade-"))

_FOLDER_MODE, _FILE_MODE = 0o700, 0o600

_EMPTIED = "table inet {0}\ndelete table inet {0}\n".format(TABLE_NAME)


class UnconfirmedError(HostError):
    """A change waits for its confirmation, or none waits that should."""


class Pending(t.NamedTuple):
    """A change that waits.

    Attributes:
        token: Names it.
        begun: When it was made, seconds since the epoch.
        armed: The same by the monotonic clock, which nobody sets: a time server that is reached at last, or is no
            longer, must not make the timer seem over.
        timeout: Seconds that it waits.
        timer: For :mod:`.watchdog`.
        client: ``ADDRESS PORT`` of the connection that it was made over; empty where that is not known.
        answered: What answered before it was made, see :mod:`.reachability`.
        record: What the kernel held right after it was loaded, see :mod:`.kernel`; empty until then.
    """

    token: str
    begun: float
    armed: float
    timeout: int
    timer: str
    client: str
    answered: t.Mapping[str, bool]
    record: str = ""


def undo_texts(nft: Nft, change: Change, *, exists: bool) -> t.Tuple[str, ...]:
    """Text of nft that brings back what the kernel holds now, once the change was made but for its tidying.

    The first text puts the old rules in force, in one transaction; the others remove what nothing uses then.

    Raises:
        NftError: nft did not list what there is.
    """
    if not exists:
        return (_EMPTIED,)
    if not change.is_plain:
        return (_EMPTIED + (nft.list_table() or ""),)
    texts = [one.hushes for one in change.transactions]
    texts.extend("flush chain inet %s %s\n" % (TABLE_NAME, name) for name in change.refilled)
    texts.extend(nft.list_chain(name) for name in change.refilled)
    return ("".join(texts), *(one.undo for one in change.transactions if one.undo))


def wait(
    files: Files,
    nft: Nft,
    undo: t.Sequence[str],
    *,
    timeout: int,
    client: str,
    answered: t.Mapping[str, bool],
    fallback: str = "",
    safeguard: str = "",
) -> Pending:
    """Sets the timer, before anything is changed.

    Args:
        undo: See :func:`undo_texts`.
        fallback: Loaded where the first of them is refused.
        safeguard: Loaded where that is refused, too, or empty: a way in, at least.

    Raises:
        HostError: It could not be set; nothing waits.
    """
    token = secrets.token_hex(16)
    files.make_folder(RUN_FOLDER, _FOLDER_MODE)
    files.write(_PROGRAM, _program_text(), _FILE_MODE)
    waiting = Pending(
        token, time.time(), time.monotonic(), timeout, watchdog.name_before(files), client, dict(answered)
    )
    described = {**waiting._asdict(), "nft": nft.path, "undo": list(undo)}
    described.update(fallback=fallback, safeguard=safeguard)
    files.write(_PENDING, json.dumps(described), _FILE_MODE)
    try:
        arguments = [files.locate(RUN_FOLDER), files.locate(LOCK), token]
        waiting = waiting._replace(timer=watchdog.arm(files, files.locate(_PROGRAM), arguments, timeout))
        files.write(_PENDING, json.dumps({**described, "timer": waiting.timer}), _FILE_MODE)
    except HostError:
        files.remove(_PENDING)
        clean(files)
        raise
    return waiting


def note_record(files: Files, pending: Pending, record: str) -> None:
    """Keeps what was learned of the kernel when it was loaded: the confirmation compares with that."""
    described = json.loads(files.read(_PENDING) or "{}")
    if described.get("token") == pending.token:
        files.write(_PENDING, json.dumps({**described, "record": record}), _FILE_MODE)


def find_pending(files: Files) -> t.Optional[Pending]:
    """The change that waits; None where none does."""
    text = files.read(_PENDING)
    if text is None:
        return None
    try:
        data = json.loads(text)
        return Pending(**{name: data[name] for name in Pending._fields})
    except (ValueError, KeyError, TypeError) as exc:
        raise UnconfirmedError("%s is not what a run of Palisade wrote there; remove it" % _PENDING) from exc


def seconds_waited(pending: Pending) -> float:
    """Since its timer was set."""
    return time.monotonic() - pending.armed


def seconds_left(pending: Pending) -> float:
    """Until its timer runs out."""
    return pending.timeout - seconds_waited(pending)


def describe_pending(files: Files) -> t.Tuple[str, ...]:
    """For a run that only looks: that what it sees may not stay.

    Raises:
        HostError: What waits cannot be read.
    """
    pending = find_pending(files)
    if pending is None:
        return ()
    return ("%s; what the kernel holds now may be taken back" % _waits(pending),)


def _waits(pending: Pending) -> str:
    return "a change that another run made %d seconds ago waits for its confirmation, for %d seconds at most" % (
        seconds_waited(pending),
        max(1, seconds_left(pending)),
    )


def settle(files: Files) -> None:
    """Before another change: refuses while one waits, and takes one back whose timer is gone.

    Raises:
        UnconfirmedError: One waits.
    """
    for folder, beginning in _OURS:
        files.remove_abandoned(folder, beginning)
    pending = find_pending(files)
    if pending is None:
        # What a run that was killed has prepared.
        clean(files)
        return
    if watchdog.is_armed(pending.timer):
        raise UnconfirmedError("%s; run again after that. Nothing was changed" % _waits(pending))
    withdraw(files, pending, "the timer that should have taken it back is gone")


def withdraw(files: Files, pending: Pending, reason: str) -> bool:
    """Takes a change back at once; whether the rules from before are in force. The caller holds the lock."""
    watchdog.disarm(pending.timer)
    report = take_back.take_back(files.locate(RUN_FOLDER), pending.token, reason)
    return report is not None and bool(report["restored"])


def forget(files: Files, pending: Pending) -> None:
    """The change is to stay: nothing takes it back any more. The caller holds the lock."""
    # What waits no longer is not taken back, whatever becomes of the timer.
    files.remove(_PENDING)
    watchdog.disarm(pending.timer)
    clean(files)


def clean(files: Files) -> None:
    """Removes what a change that waits no longer has left."""
    if find_pending(files) is None:
        files.remove(_PROGRAM)
        # The unit has a folder there as well, and may be about to write into it.
        if not files.exists(UNIT):
            files.remove_folder(RUN_FOLDER)


def report_taken_back(files: Files, token: t.Optional[str] = None) -> t.Optional[str]:
    """What became of the last change that was taken back, a sentence; None where none was, or another than is meant."""
    text = files.read(_TAKEN_BACK)
    if text is None:
        return None
    try:
        report = json.loads(text)
        if token is not None and report["token"] != token:
            return None
        begun = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(report["begun"]))
        outcome = "the host took it back, and the rules from before are in force"
        if not report["restored"]:
            outcome = "the host tried to take it back, and nft refused the rules from before"
            if report.get("safeguard"):
                outcome += (
                    ", so the safeguard set is in force: open connections, neighbour discovery, DHCP and new "
                    "connections to sshd, and nothing else that comes in"
                )
            outcome += ": %s" % " ".join(report["complaints"])
        return "The change of %s did not stay: %s; %s." % (begun, report["reason"], outcome)
    except (ValueError, KeyError, TypeError):
        return None


def forget_taken_back(files: Files) -> None:
    """After it was reported."""
    files.remove(_TAKEN_BACK)
    clean(files)


def _program_text() -> str:
    """The program that takes a change back: this collection may be an archive that is gone by then."""
    loader = t.cast("t.Any", take_back.__spec__).loader
    source: t.Union[str, bytes] = loader.get_source(take_back.__name__)
    # Ansible's own loader, on a controller, has octets.
    return source if isinstance(source, str) else source.decode("utf-8")
