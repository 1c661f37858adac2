# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An archive in the format that the kernel unpacks as its first root file system.

The format is ``newc`` of cpio(5), described in Documentation/driver-api/early-userspace/buffer-format.rst
of the kernel: headers of hexadecimal numbers, names and contents padded to four octets.
"""

from __future__ import annotations

import os
import posixpath
import stat
import typing as t
from dataclasses import dataclass

_TRAILER = "TRAILER!!!"

#: Longest chain of symbolic links that is followed, as in the kernel (MAXSYMLINKS).
_MOST_LINKS = 40


@dataclass(frozen=True)
class _Entry:
    """A directory, a file or a symbolic link; ``content`` is a link's target.

    Attributes:
        source: The file that the content is read from when the archive is written, instead of ``content``.
        modified: Seconds since 1970. Python takes a compiled file only with the time of its source.
    """

    mode: int
    content: bytes = b""
    source: str = ""
    modified: int = 0


class Archive:
    """Files by their absolute paths. What needs a directory makes it; a path that is added again is replaced."""

    def __init__(self) -> None:
        self._entries: t.Dict[str, _Entry] = {}

    def __contains__(self, path: str) -> bool:
        return path in self._entries

    def add_directory(self, path: str, mode: int = 0o755) -> None:
        if path != "/":
            self._add_parents(path)
            self._entries[path] = _Entry(stat.S_IFDIR | mode)

    def add_text(self, path: str, text: str, mode: int = 0o644) -> None:
        self.add_octets(path, text.encode(), mode)

    def add_octets(self, path: str, content: bytes, mode: int = 0o644) -> None:
        self._add_parents(path)
        self._entries[path] = _Entry(stat.S_IFREG | mode, content=content)

    def add_link(self, path: str, target: str) -> None:
        self._add_parents(path)
        self._entries[path] = _Entry(stat.S_IFLNK | 0o777, content=target.encode())

    def add_file(self, path: str, source: str) -> None:
        """Puts this machine's file ``source`` at ``path``, with its mode and time; a link's file, not the link."""
        found = os.stat(source)
        self._add_parents(path)
        self._entries[path] = _Entry(
            stat.S_IFREG | stat.S_IMODE(found.st_mode), source=source, modified=int(found.st_mtime)
        )

    def add_same(self, path: str) -> None:
        """Puts a file of this machine where it is here, with the links on the way to it.

        Raises:
            OSError: There is no such file, or a circle of links.
        """
        for _step in range(_MOST_LINKS):
            link = _first_link(path)
            if link is None:
                self.add_file(path, path)
                return
            target = os.readlink(link)
            self.add_link(link, target)
            path = posixpath.normpath(posixpath.join(posixpath.dirname(link), target) + path[len(link) :])
        raise OSError("too many symbolic links on the way to %s" % path)

    def add_tree(self, path: str, source: str, wanted: t.Callable[[str], bool] = lambda _name: True) -> None:
        """Puts the files below a folder of this machine below ``path``, links as they are.

        Args:
            wanted: Whether a file or folder is taken, by its path relative to ``source``.
        """
        for folder, folders, files in os.walk(source):
            relative = os.path.relpath(folder, source)
            inside = path if relative == "." else posixpath.join(path, relative)

            def is_wanted(name: str, relative: str = relative) -> bool:
                return wanted(os.path.normpath(os.path.join(relative, name)))

            self.add_directory(inside)
            folders[:] = sorted(filter(is_wanted, folders))
            for name in sorted([*filter(is_wanted, files), *folders]):
                found = os.path.join(folder, name)
                if os.path.islink(found):
                    self.add_link(posixpath.join(inside, name), os.readlink(found))
                elif os.path.isfile(found):
                    self.add_file(posixpath.join(inside, name), found)

    def write(self, handle: t.IO[bytes]) -> None:
        # A directory sorts before what is in it, as the kernel wants them.
        for number, (path, entry) in enumerate(sorted(self._entries.items()), 1):
            content = entry.content
            if entry.source:
                with open(entry.source, "rb") as opened:
                    content = opened.read()
            _write_member(handle, number, path.lstrip("/"), entry, content)
        _write_member(handle, 0, _TRAILER, _Entry(0), b"")

    def _add_parents(self, path: str) -> None:
        if not path.startswith("/"):
            raise ValueError("not an absolute path: %r" % path)
        parent = posixpath.dirname(path)
        if parent != "/" and parent not in self._entries:
            self._add_parents(parent)
            self._entries[parent] = _Entry(stat.S_IFDIR | 0o755)


def _first_link(path: str) -> t.Optional[str]:
    """The first symbolic link among a path and the folders above it, from the root on."""
    parts = path.strip("/").split("/")
    for length in range(1, len(parts) + 1):
        candidate = "/" + "/".join(parts[:length])
        if os.path.islink(candidate):
            return candidate
    return None


def _write_member(handle: t.IO[bytes], number: int, name: str, entry: _Entry, content: bytes) -> None:
    encoded = name.encode() + b"\0"
    fields = (
        number,
        entry.mode,
        0,  # user
        0,  # group
        1,  # links
        entry.modified,
        len(content),
        0,
        0,  # device of the file
        0,
        0,  # device that the file is
        len(encoded),
        0,  # checksum
    )
    header = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
    handle.write(header + bytes(-len(header) % 4))
    handle.write(content + bytes(-len(content) % 4))
