# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Services of the host as systemd or OpenRC runs them, and switching them off without their stop action.

What a service does when it is stopped is its own: nftables.service flushes the whole ruleset, firewalld the
iptables rules of others. So nothing here stops a service. It is kept from starting again, and a daemon is
ended by a signal that it cannot answer with rules.
"""

from __future__ import annotations

import shutil
import time
import typing as t

from ._discovery.systemd import Services
from ._discovery.tree import Tree
from .command import find_program, run_program
from .errors import HostError
from .files import Files

#: sd_booted(3)
_SYSTEMD_RUNS = "/run/systemd/system"

_OPENRC_STARTED = "/run/openrc/started"

_OVERRIDES = "/etc/systemd/system"

_UNIT_FILES = (
    "/etc/systemd/system/%s.service",
    "/run/systemd/system/%s.service",
    "/usr/local/lib/systemd/system/%s.service",
    "/usr/lib/systemd/system/%s.service",
    "/lib/systemd/system/%s.service",
)
_SCRIPT = "/etc/init.d/%s"

#: org.freedesktop.systemd1(5), "Properties"
_ACTIVE = frozenset(("active", "activating", "reloading", "refreshing"))
_ENABLED = frozenset(("enabled", "enabled-runtime"))

_PROPERTIES = "Id,LoadState,ActiveState,UnitFileState,FragmentPath"

_SECONDS = 60.0

#: A killed process is gone at once, unless it hangs in the kernel.
_END_SECONDS = 10.0
_POLL_SECONDS = 0.05


class ServiceError(HostError):
    """A service could not be switched off."""


class Service(t.NamedTuple):
    """One installed service.

    Attributes:
        name: Without ``.service``.
        active: It runs, or was started and counts as active; False where that cannot be known.
        enabled: It starts at boot.
        masked: systemd starts it for nobody.
        path: Its unit file; empty where it has none.
        under_systemd: systemd runs here; otherwise the service is OpenRC's or System V's.
    """

    name: str
    active: bool = False
    enabled: bool = False
    masked: bool = False
    path: str = ""
    under_systemd: bool = True

    @property
    def title(self) -> str:
        """The service as messages call it."""
        return "%s.service" % self.name if self.under_systemd else "the service %s" % self.name


def read_services(files: Files, names: t.Sequence[str], search_path: t.Optional[str] = None) -> t.Dict[str, Service]:
    """The state of those services that are installed, by name.

    systemctl is called once, and not at all where none of them is installed. Where it does not answer, the
    host's files tell what starts at boot.
    """
    tree = Tree(files.locate("/"))
    installed = [name for name in names if any(_is_there(tree, path % name) for path in (*_UNIT_FILES, _SCRIPT))]
    if not installed:
        return {}
    under_systemd = tree.exists(_SYSTEMD_RUNS)
    if under_systemd:
        blocks = _show(files, installed, search_path)
        if blocks is not None:
            return {
                name: _decode(name, block, tree)
                for name, block in zip(installed, blocks)
                # An alias is another service under this name.
                if block.get("LoadState") != "not-found" and block.get("Id") == "%s.service" % name
            }
    enabled = Services(tree)
    started = frozenset(tree.names(_OPENRC_STARTED))
    return {
        name: Service(
            name,
            active=name in started,
            enabled=enabled.is_enabled(name) if under_systemd else _is_in_runlevel(tree, name),
            masked=under_systemd and tree.is_masked("%s/%s.service" % (_OVERRIDES, name)),
            path=next((path % name for path in _UNIT_FILES if tree.exists(path % name)), ""),
            under_systemd=under_systemd,
        )
        for name in installed
    }


def keep_from_starting(files: Files, service: Service, *, mask: bool, search_path: t.Optional[str] = None) -> None:
    """Neither a boot nor, with ``mask``, anything else starts the service from now on. It is not stopped.

    Raises:
        ServiceError: It could not be done.
    """
    if not service.under_systemd:
        path = find_program("rc-update", search_path)
        if path is None:
            raise ServiceError("%s: there is no rc-update that would take it out of the runlevels" % service.title)
        _demand((path, "--all", "del", service.name))
        return
    unit = "%s.service" % service.name
    if not service.masked:
        # An "enabled" that is left behind a mask would be in force again when the mask is taken off.
        _demand(_systemctl(files, search_path, "disable", unit))
    if mask:
        _demand(_systemctl(files, search_path, "mask", unit))
    # systemctl flushes nothing: after a power cut, the other manager would be back. Of links in the folders below,
    # a file system with a journal keeps what was done before.
    files.flush_folder("/etc/systemd/system/%s" % unit)


def can_be_masked(files: Files, service: Service) -> bool:
    """Whether systemctl can make the link; not where the operator wrote a unit file in its place."""
    path = "%s/%s.service" % (_OVERRIDES, service.name)
    return service.under_systemd and (not files.exists(path) or files.link(path) is not None)


def end_daemon(files: Files, service: Service, search_path: t.Optional[str] = None) -> None:
    """Ends the service's processes without its stop action, and without stopping what belongs to it.

    Units that are ``PartOf=`` it, as that of fail2ban is of firewalld's, go on.

    Raises:
        ServiceError: It could not be done, or something still runs.
    """
    unit = "%s.service" % service.name
    _demand(_systemctl(files, search_path, "kill", "--signal=SIGKILL", unit))
    deadline = time.monotonic() + _END_SECONDS
    while _state(files, service, search_path) in _ACTIVE:
        if time.monotonic() > deadline:
            raise ServiceError("%s was killed, and still counts as active after %d seconds" % (unit, _END_SECONDS))
        time.sleep(_POLL_SECONDS)
    # A killed unit counts as failed, and a host with one as degraded; where it does not, there is nothing to reset.
    run_program(_systemctl(files, search_path, "reset-failed", unit), seconds=_SECONDS)


def _state(files: Files, service: Service, search_path: t.Optional[str]) -> str:
    blocks = _show(files, [service.name], search_path)
    if blocks is None:
        raise ServiceError("systemctl does not say whether %s still runs" % service.title)
    return blocks[0].get("ActiveState", "")


def _is_there(tree: Tree, path: str) -> bool:
    # A mask is a link to a file that another root need not have.
    return tree.exists(path) or tree.link(path) is not None


def _is_in_runlevel(tree: Tree, name: str) -> bool:
    """Whether OpenRC or System V init starts a service at boot."""
    return any(tree.glob(pattern % name) for pattern in ("/etc/runlevels/*/%s", "/etc/rc[2-5].d/S[0-9][0-9]%s"))


def _decode(name: str, block: t.Mapping[str, str], tree: Tree) -> Service:
    state = block.get("UnitFileState", "")
    return Service(
        name,
        active=block.get("ActiveState") in _ACTIVE,
        # Of a unit made from a script of System V, systemd says no more than that.
        enabled=state in _ENABLED or (state == "generated" and _is_in_runlevel(tree, name)),
        masked=block.get("LoadState") == "masked" or state in ("masked", "masked-runtime"),
        path=block.get("FragmentPath", ""),
    )


def _show(
    files: Files, names: t.Sequence[str], search_path: t.Optional[str]
) -> t.Optional[t.Sequence[t.Dict[str, str]]]:
    """The properties of the units, in their order; None where systemctl does not tell."""
    units = ["%s.service" % name for name in names]
    try:
        command = _systemctl(files, search_path, "show", "--property=%s" % _PROPERTIES, "--", *units)
        done = run_program(command, seconds=_SECONDS)
    except HostError:
        return None
    # One block for each unit, with an empty line between them (systemctl(1), "show").
    texts = done.output.strip("\n").split("\n\n")
    blocks = [dict(line.split("=", 1) for line in text.splitlines() if "=" in line) for text in texts]
    complete = len(blocks) == len(names) and all("Id" in block for block in blocks)
    return blocks if done.status == 0 and complete else None


def _systemctl(files: Files, search_path: t.Optional[str], *arguments: str) -> t.Tuple[str, ...]:
    if files.root_is_elsewhere:
        # The machine's own systemctl knows nothing of files below another root.
        path = shutil.which("systemctl", path=search_path) if search_path else None
    else:
        path = find_program("systemctl", search_path)
    if path is None:
        raise ServiceError("there is no systemctl on this host")
    return (path, "--no-ask-password", "--no-pager", *arguments)


def _demand(command: t.Sequence[str]) -> None:
    done = run_program(command, seconds=_SECONDS)
    if done.status != 0:
        shown = " ".join(word for word in command[1:] if not word.startswith("--no-"))
        name = command[0].rpartition("/")[2]
        raise ServiceError("%s %s failed: %s" % (name, shown, done.complaint or "no reason given"))
