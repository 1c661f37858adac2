# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""systemd's configuration files and unit links, read the way systemd reads them."""

from __future__ import annotations

import re
import typing as t

from .tree import Tree

#: Where configuration lies, most important first (systemd.unit(5), "Configuration directories and
#: precedence"). /lib is a folder of its own only where /usr is not merged.
_CONFIGURATION = ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib")

_UNITS = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)

_SYSV_LINK = re.compile(r"S[0-9]{2}(.+)", re.ASCII)

_TRUE = frozenset(("1", "yes", "y", "true", "t", "on"))
_FALSE = frozenset(("0", "no", "n", "false", "f", "off"))


class Assignment(t.NamedTuple):
    """``key=value`` in ``[section]`` of the file at ``path``."""

    section: str
    key: str
    value: str
    path: str


def parse_boolean(value: str) -> t.Optional[bool]:
    """A boolean as systemd.syntax(7) defines it; None for anything else."""
    text = value.strip().lower()
    if text in _TRUE:
        return True
    return False if text in _FALSE else None


def read_assignments(tree: Tree, path: str) -> t.List[Assignment]:
    """All assignments of one file in systemd.syntax(7), in order; none where it cannot be read."""
    found = []
    section = ""
    begun = ""
    for line in tree.lines(path):
        if line[:1] in ("#", ";"):
            # A comment in the middle of a continued line does not end it.
            continue
        text = begun + line
        begun = ""
        if text.endswith("\\"):
            begun = text[:-1] + " "
        elif text.startswith("[") and text.endswith("]"):
            section = text[1:-1]
        else:
            key, equals, value = text.partition("=")
            if equals:
                found.append(Assignment(section, key.strip(), value.strip(), path))
    return found


def read_configuration(tree: Tree, name: str) -> t.List[Assignment]:
    """A configuration file such as ``systemd/resolved.conf``, followed by its drop-ins."""
    folders = configuration_folders(tree, "")
    found: t.List[Assignment] = []
    for folder in folders:
        path = "%s/%s" % (folder, name)
        if tree.exists(path) or tree.is_masked(path):
            found.extend(read_assignments(tree, path))
            break
    for path in drop_ins(tree, folders, name + ".d"):
        found.extend(read_assignments(tree, path))
    return found


def configuration_folders(tree: Tree, below: str) -> t.List[str]:
    """The folders of systemd's configuration, most important first, with ``below`` appended."""
    return [folder + below for folder in _CONFIGURATION if folder != "/lib" or tree.link("/lib") is None]


def files_by_name(tree: Tree, folders: t.Sequence[str], suffix: str) -> t.List[str]:
    """The files that count, sorted by name: of equal names the most important, and none if masked."""
    chosen: t.Dict[str, str] = {}
    for folder in folders:
        for name in tree.names(folder):
            if name.endswith(suffix):
                chosen.setdefault(name, "%s/%s" % (folder, name))
    return [path for _name, path in sorted(chosen.items()) if not tree.is_masked(path)]


def drop_ins(tree: Tree, folders: t.Sequence[str], name: str) -> t.List[str]:
    """The ``*.conf`` files of the drop-in folders called ``name``, in the order in which they apply."""
    return files_by_name(tree, ["%s/%s" % (folder, name) for folder in folders], ".conf")


def last_value(assignments: t.Iterable[Assignment], section: str, key: str) -> str:
    """The value that counts of a setting that holds one; empty where it is not set."""
    value = ""
    for item in assignments:
        if item.section == section and item.key == key:
            value = item.value
    return value


def words(assignments: t.Iterable[Assignment], section: str, key: str) -> t.List[t.Tuple[str, str]]:
    """``(word, path)`` of a setting that holds a list: later lines add to it, an empty one clears it."""
    found: t.List[t.Tuple[str, str]] = []
    for item in assignments:
        if item.section == section and item.key == key:
            if not item.value:
                found = []
            found.extend((word, item.path) for word in item.value.split())
    return found


class Services:
    """Which services start at boot or run now, as far as files tell."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._enabled: t.Optional[t.FrozenSet[str]] = None

    def is_enabled(self, *names: str) -> bool:
        """Whether one of the services (without ``.service``) starts at boot."""
        if self._enabled is None:
            self._enabled = frozenset(_systemd_enabled(self._tree) | _other_enabled(self._tree))
        return not self._enabled.isdisjoint(names)

    def is_running(self, *pid_files: str) -> bool:
        """Whether one of the files holds the number of a living process."""
        return any(self._lives(path) for path in pid_files)

    def _lives(self, path: str) -> bool:
        number = (self._tree.read(path) or "").strip()
        return number.isdigit() and len(number) < 10 and self._tree.exists("/proc/%s" % number)


def _systemd_enabled(tree: Tree) -> t.Set[str]:
    found: t.Set[str] = set()
    masked: t.Set[str] = set()
    for folder in _UNITS:
        if folder.startswith("/lib/") and tree.link("/lib") is not None:
            continue
        overrides = folder in _UNITS[:2]
        for name in tree.names(folder):
            if name.endswith((".wants", ".requires")):
                found.update(_service(unit) for unit in tree.names("%s/%s" % (folder, name)))
            elif overrides and tree.is_masked("%s/%s" % (folder, name)):
                masked.add(_service(name))
    return found - masked


def _other_enabled(tree: Tree) -> t.Set[str]:
    """Services of OpenRC and of System V init, which count only where systemd does not run."""
    if tree.exists("/run/systemd/system"):
        return set()
    found = {name for level in tree.names("/etc/runlevels") for name in tree.names("/etc/runlevels/%s" % level)}
    found.update(tree.names("/run/openrc/started"))
    for level in "2345":
        for name in tree.names("/etc/rc%s.d" % level):
            link = _SYSV_LINK.fullmatch(name)
            if link:
                found.add(link.group(1))
    return found


def _service(unit: str) -> str:
    return unit.removesuffix(".service")
