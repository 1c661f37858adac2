# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Reading the host's files, robustly: nothing here raises, blocks or reads without a bound."""

from __future__ import annotations

import fnmatch
import os
import re
import stat
import typing as t

#: Bytes read of one file. Configuration of real daemons is some kilobytes; what is larger is cut at
#: a line end, so that no half address is ever taken for a whole one.
_READ_BYTES = 256 * 1024

#: Names taken from one folder, and files from one pattern, in sorted order.
_LISTED_NAMES = 1000

#: Symbolic links followed for one path; the kernel's own bound (path_resolution(7)).
_FOLLOWED_LINKS = 40

_NULL = "/dev/null"
_WILDCARDS = frozenset("*?[")


class Tree:
    """The file system below ``root``: "/" on a host, any folder in a test.

    All paths are absolute as the host sees them. A symbolic link inside ``root``, absolute ones
    included, leads to where it would lead on that host, never out of ``root``.
    """

    def __init__(self, root: str = "/") -> None:
        self._root = root.rstrip("/")

    def read(self, path: str, tail: bool = False) -> t.Optional[str]:
        """The text of a regular file, or None: missing, unreadable, no regular file.

        Undecodable bytes become U+FFFD. Of a file past the bound the beginning is read, or with
        ``tail`` the end.
        """
        located = self._locate(path)
        if located is None:
            return None
        try:
            # Without O_NONBLOCK the open of a FIFO would wait for a writer.
            descriptor = os.open(located, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        except (OSError, ValueError):
            return None
        try:
            # Of a folder no stream can be made, and what could not be made closes nothing.
            with open(descriptor, "rb", closefd=False) as stream:
                status = os.fstat(stream.fileno())
                if not stat.S_ISREG(status.st_mode):
                    return None
                skipped = tail and status.st_size > _READ_BYTES
                if skipped:
                    stream.seek(-_READ_BYTES, os.SEEK_END)
                data = stream.read(_READ_BYTES + 1)
        except OSError:
            return None
        finally:
            os.close(descriptor)
        if skipped:
            data = data.partition(b"\n")[2]
        if len(data) > _READ_BYTES:
            data = data[:_READ_BYTES].rpartition(b"\n")[0]
        return data.decode("utf-8", "replace")

    def lines(self, path: str) -> t.List[str]:
        """The lines of a file without the white space around them; none where it cannot be read."""
        return [line.strip() for line in (self.read(path) or "").split("\n")]

    def names(self, folder: str) -> t.List[str]:
        """The sorted names in a folder; none where it cannot be listed."""
        located = self._locate(folder)
        if located is None:
            return []
        try:
            return sorted(os.listdir(located))[:_LISTED_NAMES]
        except (OSError, ValueError):
            return []

    def exists(self, path: str) -> bool:
        """Whether something is there, behind the links."""
        located = self._locate(path)
        try:
            return located is not None and os.path.exists(located)
        except ValueError:
            return False

    def link(self, path: str) -> t.Optional[str]:
        """What a symbolic link says, unresolved; None where the path is no link."""
        folder, _slash, name = path.rstrip("/").rpartition("/")
        located = self._locate(folder or "/")
        if located is None:
            return None
        try:
            return os.readlink(os.path.join(located, name))
        except (OSError, ValueError):
            return None

    def is_masked(self, path: str) -> bool:
        """Whether the file was switched off the way systemd does: a link to /dev/null."""
        return self.link(path) == _NULL

    def glob(self, pattern: str) -> t.List[str]:
        """The existing paths that an absolute shell pattern means, sorted; ``**`` is as ``*``."""
        found = [""]
        for part in pattern.split("/"):
            if part in ("", "."):
                continue
            if _WILDCARDS.isdisjoint(part):
                found = ["%s/%s" % (folder, part) for folder in found]
            else:
                found = [
                    "%s/%s" % (folder, name)
                    for folder in found
                    for name in self.names(folder or "/")
                    if _matches(name, part)
                ][:_LISTED_NAMES]
        return [path for path in found if self.exists(path)]

    def _locate(self, path: str) -> t.Optional[str]:
        """The path as this process reaches it; None past the bound of links."""
        if not self._root:
            return path
        done: t.List[str] = []
        ahead = path.split("/")[::-1]
        links = 0
        while ahead:
            part = ahead.pop()
            if part in ("", "."):
                continue
            if part == "..":
                del done[-1:]
                continue
            try:
                target = os.readlink("/".join((self._root, *done, part)))
            except (OSError, ValueError):
                done.append(part)
                continue
            links += 1
            if links > _FOLLOWED_LINKS:
                return None
            if target.startswith("/"):
                done = []
            ahead.extend(target.split("/")[::-1])
        return "/".join((self._root, *done))


def _matches(name: str, pattern: str) -> bool:
    try:
        return name.startswith(".") == pattern.startswith(".") and fnmatch.fnmatchcase(name, pattern)
    except re.error:
        # Python 3.9 makes no regular expression of a range that runs backwards, [z-a].
        return False
