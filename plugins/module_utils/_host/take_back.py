# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Takes an unconfirmed change back. A program of its own: the host runs it when no confirmation came.

It is copied to the host beside the change that it is about, and has to do its work when nothing else of the
collection is there any more; so it imports nothing but the standard library.

    take_back.py FOLDER LOCK TOKEN [SECONDS]    after so many seconds, if the change TOKEN still waits then
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
import sys
import time
import typing as t

#: What waits for a confirmation, and what is left when it was taken back, in the folder.
PENDING = "pending.json"
TAKEN_BACK = "taken-back.json"

_BEFORE, _SAFEGUARD = "before", "safeguard"

#: Why most changes are taken back; the number of seconds follows.
UNHEARD = "no confirmation came within"

#: How often a text is tried: something else may have changed the ruleset at the same moment.
_ATTEMPTS = 5
_PAUSE_SECONDS = 0.5
#: How often all of them are, by the program: nft may be missing for a while, in the midst of an update.
_ROUNDS = 60
_ROUND_SECONDS = 2.0
_NFT_SECONDS = 120.0
_SHOWN_CHARACTERS = 2000


def take_back(
    folder: str, token: t.Optional[str] = None, reason: str = "", rounds: int = 1
) -> t.Optional[t.Dict[str, t.Any]]:
    """Loads what was in force before, and says so in ``taken-back.json``. The caller holds the lock.

    Args:
        folder: Holds ``pending.json``: ``nft``, the path of the program; ``undo``, texts to load in order, of
            which the first puts the old rules in force and the others tidy up; ``fallback``, the ruleset that is
            saved, and ``safeguard``, what lets in to sshd alone: texts to load where those before are refused, or
            empty ones.
        token: Of the change that is meant; None: whichever waits.
        reason: Why, for the report.
        rounds: How often all of it is tried.

    Returns:
        What ``taken-back.json`` says; None where nothing waits, or another change than is meant.
    """
    try:
        with open(os.path.join(folder, PENDING), encoding="utf-8") as stream:
            pending = json.load(stream)
    except FileNotFoundError:
        return None
    if token is not None and pending["token"] != token:
        return None
    in_force = ""
    complaints: t.List[str] = []
    for number in range(rounds):
        if number:
            time.sleep(_ROUND_SECONDS)
        complaints = []
        in_force = _restore(pending, complaints)
        if in_force:
            break
    report = {
        "token": pending["token"],
        "begun": pending["begun"],
        "taken_back": time.time(),
        "restored": in_force == _BEFORE,
        "safeguard": in_force == _SAFEGUARD,
        "reason": reason or "%s %d seconds" % (UNHEARD, pending["timeout"]),
        "complaints": complaints,
    }
    try:
        _write(folder, TAKEN_BACK, json.dumps(report))
    except OSError:
        # The folder is full; now there is the room of the other file.
        os.unlink(os.path.join(folder, PENDING))
        with contextlib.suppress(OSError):
            _write(folder, TAKEN_BACK, json.dumps(report))
        return report
    os.unlink(os.path.join(folder, PENDING))
    return report


def _restore(pending: t.Mapping[str, t.Any], complaints: t.List[str]) -> str:
    """What is in force then; empty where nft took nothing."""
    first, *others = pending["undo"]
    if _load(pending["nft"], first, complaints):
        for text in others:
            # What is left unused does not matter: the next run removes it.
            _load(pending["nft"], text, [])
        return _BEFORE
    for text, in_force in ((pending["fallback"], _BEFORE), (pending.get("safeguard", ""), _SAFEGUARD)):
        if text and _load(pending["nft"], text, complaints):
            return in_force
    return ""


def _load(nft: str, text: str, complaints: t.List[str]) -> bool:
    complaint = ""
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_PAUSE_SECONDS)
        try:
            done = subprocess.run(
                [nft, "-f", "-"],
                input=text.encode("utf-8"),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                check=False,
                timeout=_NFT_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as exc:
            complaint = str(exc)
        else:
            if done.returncode == 0:
                return True
            complaint = done.stderr.decode("utf-8", "replace")
    complaints.append(complaint[:_SHOWN_CHARACTERS])
    return False


def _write(folder: str, name: str, text: str) -> None:
    """Into a folder that only root can write to. The next run removes what a killed one leaves, as of its own files."""
    temporary = os.path.join(folder, ".%s.%s.new" % (name, os.urandom(8).hex()))
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.rename(temporary, os.path.join(folder, name))
    except OSError:
        os.unlink(temporary)
        raise


def main(arguments: t.Sequence[str]) -> int:
    """The program."""
    folder, lock, token = arguments[:3]
    if len(arguments) > 3:
        time.sleep(float(arguments[3]))
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    # A run that confirms at this moment holds it, and is done within seconds; what it confirmed waits no longer.
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    report = take_back(folder, token, rounds=_ROUNDS)
    if report is None:
        sys.stdout.write("palisade: nothing waits for a confirmation\n")
        return 0
    outcome = "the rules from before are in force"
    if not report["restored"]:
        outcome = "the rules from before COULD NOT be loaded"
        outcome += ", and the safeguard set is in force" if report["safeguard"] else ""
    sys.stdout.write("palisade: %s; %s. %s\n" % (report["reason"], outcome, " ".join(report["complaints"])))
    return 0 if report["restored"] else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
