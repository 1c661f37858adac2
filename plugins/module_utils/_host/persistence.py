# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Surviving a reboot: the saved ruleset, and a unit of our own that loads it before the network comes up.

A run that changes nothing only reads files; systemctl is asked when the unit itself changes.
"""

from __future__ import annotations

import enum
import os
import typing as t

from .boot import (
    FOLDER,
    FOLDER_MODE,
    LOADED,
    RULESET,
    RULESET_MODE,
    RUN_FOLDER,
    SAFEGUARD,
    SAFEGUARD_NAME,
    SAFEGUARD_UNIT,
    UNIT,
    UNIT_NAME,
    WANTS,
    BootFile,
    boot_files,
)
from .command import find_program, run_program
from .errors import HostError
from .files import FileError, Files
from .nftables_service import DROP_IN
from .nftables_service import FOLDER as DROP_IN_FOLDER
from .safeguard_set import find_ssh_ports, safeguard_text

#: What was loaded last, where drift cannot be found by listing (see :mod:`.kernel`).
RECORD = FOLDER + "/applied.json"

#: There as long as systemd has not read unit files that a run wrote; gone after a boot, which reads them.
_UNREAD = RUN_FOLDER + "/unread"
_UNITS = (UNIT, SAFEGUARD_UNIT, DROP_IN)

#: sd_booted(3)
_SYSTEMD_RUNS = "/run/systemd/system"

_DROP_IN_FOLDER_MODE = 0o755

_SYSTEMCTL_SECONDS = 60.0


class PersistenceError(HostError):
    """The ruleset cannot be made to survive a reboot as asked."""


class Mode(enum.Enum):
    """What ``firewall_persist`` says."""

    AUTO = "auto"
    TRUE = "true"
    FALSE = "false"


class PersistencePlan(t.NamedTuple):
    """What is to be done, and how it will be.

    Attributes:
        state: ``systemd`` (the unit loads the ruleset at boot) or ``none``.
        note: Why, for a person.
        changes: What will be done, a sentence each; empty where everything is as wanted.
        files: Everything that is to lie on the host; nothing of ours where that is empty.
    """

    state: str
    note: str
    changes: t.Tuple[str, ...] = ()
    files: t.Tuple[BootFile, ...] = ()


def check_possible(files: Files, mode: Mode) -> None:
    """Raises:
    PersistenceError: ``true`` is asked of a host that cannot.
    """
    if mode is Mode.TRUE and not _systemd_runs(files):
        raise PersistenceError(
            "firewall_persist is true, and this host does not run systemd: nothing would load the ruleset at boot. "
            "Write firewall_persist: auto to go on without"
        )


def plan_persistence(
    files: Files, mode: Mode, text: str, nft: str, safeguard: t.Optional[str] = None
) -> PersistencePlan:
    """What makes ``text`` survive a reboot, or removes what did; only reads.

    Args:
        nft: The absolute path of the program that loads it.
        safeguard: What is loaded where ``text`` cannot be (see :func:`.safeguard_set.safeguard_of`); None: a
            set that lets in to sshd.

    Raises:
        PersistenceError: ``true`` is asked of a host that cannot.
        FileError: A file of ours is not ours.
    """
    check_possible(files, mode)
    if mode is Mode.FALSE:
        note = "firewall_persist is false: the ruleset is gone after a reboot"
        return PersistencePlan("none", note, _plan_removal(files))
    if not _systemd_runs(files):
        note = "this host does not run systemd: the ruleset is not loaded at boot, and nothing was saved"
        return PersistencePlan("none", note)
    root = files.locate("/")
    if safeguard is None:
        safeguard = safeguard_text(find_ssh_ports(root))
    wanted = boot_files(root, text, safeguard, nft)
    changes = [file.change for file in wanted.files if not files.is_as(file.path, file.text, file.mode)]
    if _drop_in_is_left(files, wanted.files):
        changes.append("remove %s" % DROP_IN)
    if files.link(LOADED) != RULESET:
        changes.append("let %s say that the ruleset is loaded" % LOADED)
    if files.exists(_UNREAD):
        changes.append("let systemd read the unit files that an earlier run wrote")
    if files.link(WANTS) is None:
        changes.append("enable %s, which loads the ruleset at boot" % UNIT_NAME)
    note = "%s loads %s at boot, before the network comes up" % (UNIT_NAME, RULESET)
    if not wanted.seamless:
        note += (
            "; nftables.service has commands of its own on this host, so when it is started, reloaded or stopped the "
            "table may be gone for an instant, until it is loaded again"
        )
    return PersistencePlan("systemd", note, tuple(changes), wanted.files)


def check_writable(files: Files, plan: PersistencePlan) -> None:
    """Finds a file system that is mounted read-only before anything changes: no file could follow the kernel.

    Raises:
        PersistenceError: There is one.
    """
    if not plan.changes:
        return
    for folder in dict.fromkeys(os.path.dirname(file.path) for file in plan.files):
        try:
            files.check_writable(folder)
        except FileError as exc:
            raise PersistenceError(
                "%s. What is loaded at boot could not follow the kernel, so this run changed nothing" % exc
            ) from exc


def apply_persistence(files: Files, plan: PersistencePlan) -> None:
    """Does what the plan says, once the kernel holds the ruleset.

    Raises:
        FileError, PersistenceError: Something could not be done.
    """
    if not plan.changes:
        return
    if not plan.files:
        _remove(files)
        return
    files.make_folder(FOLDER, FOLDER_MODE)
    files.make_folder(RUN_FOLDER, FOLDER_MODE)
    for file in plan.files:
        if file.path == DROP_IN:
            files.make_folder(DROP_IN_FOLDER, _DROP_IN_FOLDER_MODE)
        if file.path in _UNITS and not files.is_as(file.path, file.text, file.mode):
            files.write(_UNREAD, "", RULESET_MODE)
        files.write(file.path, file.text, file.mode)
        if file.path == RULESET:
            # The drop-in is of use only where this is there.
            files.write_link(LOADED, RULESET)
    if _drop_in_is_left(files, plan.files):
        files.write(_UNREAD, "", RULESET_MODE)
        _remove_drop_in(files)
    if files.exists(_UNREAD):
        _reload(files)
        files.remove(_UNREAD)
    if files.link(WANTS) is None:
        _systemctl(files, "enable", UNIT_NAME)
        # Which flushes neither the link nor the folder that it may have made for it.
        files.flush_folder(WANTS)
        files.flush_folder(os.path.dirname(WANTS))


def write_record(files: Files, text: str) -> None:
    """Keeps what :func:`.kernel.outcome` returned for the next run."""
    files.make_folder(FOLDER, FOLDER_MODE)
    files.write(RECORD, text, RULESET_MODE)


def plan_absence(files: Files) -> t.Tuple[str, ...]:
    """What there is to remove of ours, a sentence each."""
    changes = list(_plan_removal(files))
    if files.exists(RECORD):
        changes.append("remove %s" % RECORD)
    return tuple(changes)


def remove_everything(files: Files) -> None:
    """Removes every file of ours, whichever of them there are; the rules in the kernel stay."""
    files.remove(RECORD)
    _remove(files)


def _remove(files: Files) -> None:
    """Removes the units, and what they load."""
    there = [name for name, path in ((UNIT_NAME, UNIT), (SAFEGUARD_NAME, SAFEGUARD_UNIT)) if files.exists(path)]
    if there and _systemd_runs(files):
        if UNIT_NAME in there:
            _systemctl(files, "disable", UNIT_NAME)
        if not files.root_is_elsewhere:
            # Also stopped, which touches no rule: there is no ExecStop. One that failed is forgotten.
            _systemctl(files, "stop", *there)
            for name in there:
                _forget_failure(name)
    files.remove_link(WANTS)
    removed = [_remove_drop_in(files), files.remove(UNIT), files.remove(SAFEGUARD_UNIT)]
    if any(removed):
        _reload(files)
    files.remove_link(LOADED)
    files.remove(_UNREAD)
    files.remove_folder(RUN_FOLDER)
    files.remove(RULESET)
    files.remove(SAFEGUARD)
    files.remove_folder(FOLDER)


def _remove_drop_in(files: Files) -> bool:
    removed = files.remove(DROP_IN)
    if removed:
        files.remove_folder(DROP_IN_FOLDER)
    return removed


def _drop_in_is_left(files: Files, wanted: t.Sequence[BootFile]) -> bool:
    return DROP_IN not in [file.path for file in wanted] and files.exists(DROP_IN)


def _plan_removal(files: Files) -> t.Tuple[str, ...]:
    changes = []
    if files.link(WANTS) is not None:
        changes.append("disable %s" % UNIT_NAME)
    paths = (DROP_IN, UNIT, SAFEGUARD_UNIT, RULESET, SAFEGUARD)
    changes.extend("remove %s" % path for path in paths if files.exists(path))
    if files.link(LOADED) is not None:
        changes.append("remove %s" % LOADED)
    return tuple(changes)


def _systemd_runs(files: Files) -> bool:
    return files.exists(_SYSTEMD_RUNS)


def _reload(files: Files) -> None:
    if _systemd_runs(files) and not files.root_is_elsewhere:
        _systemctl(files, "daemon-reload")


def _forget_failure(unit: str) -> None:
    """Otherwise systemd goes on naming a unit that is gone. It refuses where there is nothing to forget."""
    path = find_program("systemctl")
    if path is not None:
        run_program([path, "--no-ask-password", "reset-failed", unit], seconds=_SYSTEMCTL_SECONDS)


def _systemctl(files: Files, *arguments: str) -> None:
    path = find_program("systemctl")
    if path is None:
        raise PersistenceError("systemd runs, but there is no systemctl on this host")
    elsewhere = ["--root=%s" % files.locate("/")] if files.root_is_elsewhere else []
    done = run_program([path, "--no-ask-password", *elsewhere, *arguments], seconds=_SYSTEMCTL_SECONDS)
    if done.status != 0:
        raise PersistenceError("systemctl %s failed: %s" % (" ".join(arguments), done.complaint or "no reason given"))
