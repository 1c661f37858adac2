# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection and can change without notice.

"""Files of the controller, replaced in one step: whoever reads finds the old one or the new one."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
import typing as t

_ALL = 0o7777


class Existing(t.NamedTuple):
    """What a file that is there keeps when its content is replaced."""

    mode: int
    owner: int
    group: int


def find_existing(path: str) -> t.Optional[Existing]:
    """Of a file that may be replaced; None where there is none.

    Raises:
        OSError: There is something else, such as a folder, a device, or a symbolic link. Following a link would let
            whoever may write in the folder choose a file anywhere that is overwritten, and replacing one such as
            ``/dev/stdout`` would take it from everybody else. Or a file that somebody else put where everybody may,
            who would be given what is written.
    """
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(status.st_mode):
        raise OSError(errno.ELOOP, "there is a symbolic link, which is not followed", path)
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EEXIST, "there is something that is no file", path)
    folder = os.stat(os.path.dirname(path))
    if status.st_uid != os.geteuid() and folder.st_mode & stat.S_IWOTH:
        raise OSError(errno.EACCES, "there is a file of somebody else, in a folder that everybody may write to", path)
    return Existing(stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)


def replace_file(path: str, content: bytes, mode: int, existing: t.Optional[Existing] = None) -> None:
    """Puts a file there, as a whole.

    Args:
        mode: Permissions of a new file.
        existing: What it takes over from the one that is there. Who may not give a file to that owner and that group
            keeps it from both: what they could read would not be what they were meant to.

    Raises:
        OSError: It cannot be written. Nothing is left behind.
    """
    handle, partial = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".palisade-")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            os.fchmod(stream.fileno(), mode if existing is None else _take_over(stream.fileno(), existing))
        os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(partial)
        raise


def _take_over(handle: int, existing: Existing) -> int:
    """Gives an open file the owner and group of another one; the permissions that it may have then."""
    try:
        os.fchown(handle, existing.owner, existing.group)
    except PermissionError:
        status = os.fstat(handle)
        return existing.mode & (_ALL if status.st_gid == existing.group else ~stat.S_IRWXG)
    return existing.mode
