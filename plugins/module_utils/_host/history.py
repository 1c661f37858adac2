# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""What was in force before: the variables of the last rulesets that were kept, on the host itself.

The variables, and not the nft text: going back is a change like any other, without a gap and confirmed, and what a
safeguard finds out on the host is found out again.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
import typing as t

from .._core.errors import Path, Problems
from .._policy.hostfacts import HostFacts, hostfacts_from_plain, hostfacts_to_plain
from .boot import FOLDER
from .errors import HostError
from .files import Files

HISTORY = FOLDER + "/history"
PREVIOUS = "previous"

#: Besides the one in force.
_KEPT = 5
_FOLDER_MODE, _FILE_MODE = 0o700, 0o600
_DIGEST_LENGTH = 12
_NAME = re.compile(r"(?P<time>[0-9]{8}T[0-9]{6}Z)-(?P<number>[0-9]{4,9})-(?P<digest>[0-9a-f]{12})\.json", re.ASCII)


class HistoryError(HostError):
    """There is no such ruleset to go back to."""


class InForce(t.NamedTuple):
    """What tells a later run whether the variables that were kept are what the kernel means.

    Attributes:
        held: The digest of the table that the kernel held; empty where it was not known.
        facts: What was found out on the host.
    """

    held: str
    facts: HostFacts


class Kept(t.NamedTuple):
    """What the ruleset in force was made of.

    Attributes:
        digest: Of its nft text.
    """

    digest: str
    variables: t.Dict[str, t.Any]
    groups: t.Optional[t.Dict[str, t.Any]]
    in_force: InForce


class Entry(t.NamedTuple):
    """One ruleset that was kept.

    Attributes:
        name: Of its file.
        time: When it was confirmed, UTC, ``20261122T201500Z``.
        number: Counts what was kept on this host. It alone tells their order: the clock of a host may go back.
        digest: Of its nft text.
    """

    name: str
    time: str
    number: int
    digest: str

    def __str__(self) -> str:
        return "%s of %s" % (self.digest, self.time)


def digest_of(text: str) -> str:
    """The digest of a ruleset's nft text, as the history names it."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:_DIGEST_LENGTH]


def entries(files: Files) -> t.List[Entry]:
    """What is kept, the one in force last."""
    matched = (_NAME.fullmatch(name) for name in files.names(HISTORY))
    found = [Entry(one.group(), one["time"], int(one["number"]), one["digest"]) for one in matched if one]
    return sorted(found, key=lambda entry: (entry.number, entry.name))


def remember(
    files: Files,
    text: str,
    variables: t.Mapping[str, object],
    groups: t.Optional[t.Mapping[str, object]],
    in_force: t.Optional[InForce] = None,
) -> None:
    """Keeps the ruleset that is in force from now on, unless it is the last one kept; forgets the oldest.

    Raises:
        FileError: It could not be kept.
    """
    kept = entries(files)
    digest = digest_of(text)
    data: t.Dict[str, object] = {"variables": variables, "groups": groups}
    if in_force is not None:
        data.update(held=in_force.held, facts=hostfacts_to_plain(in_force.facts))
    if kept and kept[-1].digest == digest:
        path = "%s/%s" % (HISTORY, kept[-1].name)
        known = recall_last(files)
        if in_force is not None and (known is None or known.in_force.held != in_force.held):
            # Another nft or kernel holds the same rules in another form.
            files.write(path, json.dumps(data), _FILE_MODE)
        return
    files.make_folder(FOLDER, _FOLDER_MODE)
    files.make_folder(HISTORY, _FOLDER_MODE)
    number = kept[-1].number + 1 if kept else 0
    name = "%s-%04d-%s.json" % (time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()), number, digest)
    files.write("%s/%s" % (HISTORY, name), json.dumps(data), _FILE_MODE)
    for old in kept[: max(0, len(kept) - _KEPT)]:
        files.remove("%s/%s" % (HISTORY, old.name))


def recall(files: Files, wanted: str) -> t.Tuple[Entry, t.Dict[str, t.Any], t.Optional[t.Dict[str, t.Any]]]:
    """The variables and groups of a ruleset that was kept.

    Args:
        wanted: Its digest, or ``previous``: the last one that is another than that in force.

    Raises:
        HistoryError: There is none.
    """
    kept = entries(files)
    if wanted == PREVIOUS:
        # The last one is in force.
        fitting = [one for one in kept[:-1] if one.digest != kept[-1].digest]
    else:
        fitting = [one for one in kept if one.digest == wanted]
    if not fitting:
        there = ", ".join(str(one) for one in kept) or "none"
        raise HistoryError(
            "there is no ruleset %r to go back to; this host keeps: %s. Nothing was changed" % (wanted, there)
        )
    path = "%s/%s" % (HISTORY, fitting[-1].name)
    try:
        data = json.loads(files.read(path) or "")
        return fitting[-1], dict(data["variables"]), data["groups"]
    except (ValueError, KeyError, TypeError) as exc:
        raise HistoryError("%s is not what a run of Palisade wrote there. Nothing was changed" % path) from exc


def recall_last(files: Files) -> t.Optional[Kept]:
    """What the ruleset that was last in force was made of; None where that is not known."""
    kept = entries(files)
    if not kept:
        return None
    try:
        data = json.loads(files.read("%s/%s" % (HISTORY, kept[-1].name)) or "")
        problems = Problems()
        facts = hostfacts_from_plain(data.get("facts"), Path("facts"), problems)
        held = str(data.get("held", "")) if "facts" in data and not problems.errors else ""
        return Kept(kept[-1].digest, dict(data["variables"]), data["groups"], InForce(held, facts))
    except (AttributeError, ValueError, KeyError, TypeError):
        return None


def remove_history(files: Files) -> None:
    """Removes all of it."""
    for name in files.names(HISTORY):
        if _NAME.fullmatch(name):
            files.remove("%s/%s" % (HISTORY, name))
    files.remove_folder(HISTORY)
