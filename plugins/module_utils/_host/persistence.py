# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Surviving a reboot: the saved ruleset, and a unit of our own that loads it before the network comes up.

A run that changes nothing only reads files; systemctl is asked when the unit itself changes.
"""

from __future__ import annotations

import enum
import typing as t

from .command import find_program, run_program
from .errors import HostError
from .files import Files

FOLDER = "/etc/palisade"
RULESET = FOLDER + "/ruleset.nft"

#: What was loaded last, where drift cannot be found by listing (see :mod:`.kernel`).
RECORD = FOLDER + "/applied.json"

UNIT_NAME = "palisade.service"
UNIT = "/etc/systemd/system/" + UNIT_NAME
_WANTS = "/etc/systemd/system/sysinit.target.wants/" + UNIT_NAME

#: sd_booted(3)
_SYSTEMD_RUNS = "/run/systemd/system"

_FOLDER_MODE = 0o700
_RULESET_MODE = 0o600
_UNIT_MODE = 0o644

_SYSTEMCTL_SECONDS = 60.0

# Early, like the unit that comes with Debian's nftables: wanted by sysinit.target, which the rescue
# system has too, and done before anything configures the network. After nftables.service, which may
# begin with "flush ruleset"; when that one is restarted or reloaded, this one follows. There is no ExecStop: a
# host whose firewall is taken away while it shuts down is open. The rules are loaded without what a
# sandbox could fail to set up.
_UNIT_TEXT = """\
# Made by the Ansible collection palisade.nftables. Changes are lost.
[Unit]
Description=Palisade firewall
Documentation=man:nft(8)
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target shutdown.target
Conflicts=shutdown.target
After=local-fs.target systemd-modules-load.service nftables.service
PartOf=nftables.service
ReloadPropagatedFrom=nftables.service
RequiresMountsFor={folder}

[Service]
Type=oneshot
RemainAfterExit=yes
StandardInput=null
ExecStart={nft} -f {ruleset}
ExecReload={nft} -f {ruleset}
CapabilityBoundingSet=CAP_NET_ADMIN
LockPersonality=yes
MemoryDenyWriteExecute=yes
NoNewPrivileges=yes
ProtectHome=yes
ProtectSystem=full
RestrictAddressFamilies=AF_NETLINK AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native

[Install]
WantedBy=sysinit.target
"""


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
        text: The ruleset to save; None where nothing is to be saved.
        unit: The unit to write; None where there is to be none.
    """

    state: str
    note: str
    changes: t.Tuple[str, ...] = ()
    text: t.Optional[str] = None
    unit: t.Optional[str] = None


def check_possible(files: Files, mode: Mode) -> None:
    """Raises:
    PersistenceError: ``true`` is asked of a host that cannot.
    """
    if mode is Mode.TRUE and not _systemd_runs(files):
        raise PersistenceError(
            "firewall_persist is true, and this host does not run systemd: nothing would load the ruleset at boot. "
            "Write firewall_persist: auto to go on without"
        )


def plan_persistence(files: Files, mode: Mode, text: str, nft: str) -> PersistencePlan:
    """What makes ``text`` survive a reboot, or removes what did; only reads.

    Args:
        nft: The absolute path of the program that loads it.

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
    unit = _UNIT_TEXT.format(folder=FOLDER, nft=nft, ruleset=RULESET)
    changes = []
    if not files.is_as(RULESET, text, _RULESET_MODE):
        changes.append("save the ruleset as %s" % RULESET)
    if not files.is_as(UNIT, unit, _UNIT_MODE):
        changes.append("write the unit %s" % UNIT)
    if files.link(_WANTS) is None:
        changes.append("enable %s, which loads the ruleset at boot" % UNIT_NAME)
    note = "%s loads %s at boot, before the network comes up" % (UNIT_NAME, RULESET)
    return PersistencePlan("systemd", note, tuple(changes), text, unit)


def apply_persistence(files: Files, plan: PersistencePlan) -> None:
    """Does what the plan says.

    Raises:
        FileError, PersistenceError: Something could not be done.
    """
    if not plan.changes:
        return
    if plan.unit is None or plan.text is None:
        remove_unit(files)
        files.remove(RULESET)
        files.remove_folder(FOLDER)
        return
    files.make_folder(FOLDER, _FOLDER_MODE)
    files.write(RULESET, plan.text, _RULESET_MODE)
    if files.write(UNIT, plan.unit, _UNIT_MODE):
        _reload(files)
    if files.link(_WANTS) is None:
        _systemctl(files, "enable", UNIT_NAME)


def write_record(files: Files, text: str) -> None:
    """Keeps what :func:`.kernel.outcome` returned for the next run."""
    files.make_folder(FOLDER, _FOLDER_MODE)
    files.write(RECORD, text, _RULESET_MODE)


def plan_absence(files: Files) -> t.Tuple[str, ...]:
    """What there is to remove of ours, a sentence each."""
    changes = list(_plan_removal(files))
    if files.exists(RECORD):
        changes.append("remove %s" % RECORD)
    return tuple(changes)


def remove_everything(files: Files) -> None:
    """Removes every file of ours, whichever of them there are."""
    remove_unit(files)
    files.remove(RULESET)
    files.remove(RECORD)
    files.remove_folder(FOLDER)


def remove_unit(files: Files) -> None:
    """Disables and removes the unit; the rules in the kernel stay."""
    there = files.exists(UNIT)
    if there and _systemd_runs(files):
        # Also stopped, which touches no rule: there is no ExecStop.
        _systemctl(files, "disable", UNIT_NAME)
        if not files.root_is_elsewhere:
            _systemctl(files, "stop", UNIT_NAME)
    files.remove_link(_WANTS)
    if files.remove(UNIT):
        _reload(files)


def _plan_removal(files: Files) -> t.Tuple[str, ...]:
    changes = []
    if files.link(_WANTS) is not None:
        changes.append("disable %s" % UNIT_NAME)
    changes.extend("remove %s" % path for path in (UNIT, RULESET) if files.exists(path))
    return tuple(changes)


def _systemd_runs(files: Files) -> bool:
    return files.exists(_SYSTEMD_RUNS)


def _reload(files: Files) -> None:
    if _systemd_runs(files) and not files.root_is_elsewhere:
        _systemctl(files, "daemon-reload")


def _systemctl(files: Files, *arguments: str) -> None:
    path = find_program("systemctl")
    if path is None:
        raise PersistenceError("systemd runs, but there is no systemctl on this host")
    elsewhere = ["--root=%s" % files.locate("/")] if files.root_is_elsewhere else []
    done = run_program([path, "--no-ask-password", *elsewhere, *arguments], seconds=_SYSTEMCTL_SECONDS)
    if done.status != 0:
        raise PersistenceError("systemctl %s failed: %s" % (" ".join(arguments), done.complaint or "no reason given"))
