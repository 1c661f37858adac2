# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Files of ours on the host: whole or not at all, and never through somebody else's link.

A file is written under an unpredictable name in its folder, made durable, and renamed over the old
one, so that a crash or a power cut leaves the old or the new content. The folder is opened once and
everything happens relative to it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import typing as t

from .errors import HostError

_TEMPORARY = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{16}\.new", re.ASCII)

#: Larger files are none of ours; reading stops there.
_READ_BYTES = 64 * 1024 * 1024


class FileError(HostError):
    """A file or folder is not as it must be, or the system refused."""


class Files:
    """Files below ``root``: "/" on a host, any folder in a test. Paths are absolute as the host sees them."""

    def __init__(self, root: str = "/") -> None:
        self._root = root.rstrip("/")

    @property
    def root_is_elsewhere(self) -> bool:
        """Whether these are not the files of the running system."""
        return bool(self._root)

    def locate(self, path: str) -> str:
        """The path as this process reaches it."""
        return self._root + path

    def exists(self, path: str) -> bool:
        return os.path.lexists(self.locate(path))

    def names(self, path: str) -> t.List[str]:
        """What is in a folder; nothing where there is none."""
        try:
            return os.listdir(self.locate(path))
        except OSError:
            return []

    def link(self, path: str) -> t.Optional[str]:
        """What a symbolic link says; None where there is none."""
        try:
            return os.readlink(self.locate(path))
        except OSError:
            return None

    def read(self, path: str) -> t.Optional[str]:
        """The text of a file; None where there is none.

        Raises:
            FileError: It is a link, no regular file, somebody else's, or cannot be read.
        """
        with _told(path), self._open_folder(path) as folder:
            if folder is None or _status(folder, path) is None:
                return None
            descriptor = os.open(_name(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            with os.fdopen(descriptor, "rb") as stream:
                return stream.read(_READ_BYTES).decode("utf-8", "replace")

    def is_as(self, path: str, text: str, mode: int) -> bool:
        """Whether the file has this content and this mode already.

        Raises:
            FileError: As for :meth:`read`.
        """
        with _told(path), self._open_folder(path) as folder:
            status = None if folder is None else _status(folder, path)
        return status is not None and stat.S_IMODE(status.st_mode) == mode and self.read(path) == text

    def write(self, path: str, text: str, mode: int) -> bool:
        """Writes a file unless it is as wanted already; whether something was done.

        Raises:
            FileError: The path is a link, no regular file, or somebody else's; or the system refused.
        """
        if self.is_as(path, text, mode):
            return False
        with _told(path), self._open_folder(path) as folder:
            if folder is None:
                raise FileError("%s: the folder does not exist" % path)
            _replace(folder, _name(path), text.encode("utf-8"), mode)
            _remove_abandoned(folder, _name(path))
        return True

    def check_writable(self, path: str) -> None:
        """Whether files can be made in a folder, or in the nearest one above it that exists.

        Raises:
            FileError: The system says that they cannot, such as on a read-only file system.
        """
        while not self.exists(path) and path != "/":
            path = os.path.dirname(path)
        if not os.access(self.locate(path), os.W_OK):
            read_only = os.statvfs(self.locate(path)).f_flag & os.ST_RDONLY
            raise FileError("%s: %s" % (path, os.strerror(errno.EROFS if read_only else errno.EACCES)))

    def remove(self, path: str) -> bool:
        """Removes a file of ours and what interrupted runs left of it; whether there was one.

        Raises:
            FileError: The path is a link, no regular file, or somebody else's; or the system refused.
        """
        with _told(path), self._open_folder(path) as folder:
            if folder is None:
                return False
            _remove_abandoned(folder, _name(path))
            if _status(folder, path) is None:
                return False
            os.unlink(_name(path), dir_fd=folder)
            os.fsync(folder)
        return True

    def write_link(self, path: str, target: str) -> bool:
        """Makes a symbolic link, or lets the one that is there lead elsewhere, in one step; whether something was done.

        Raises:
            FileError: The path is no link; or the system refused.
        """
        if self.link(path) == target:
            return False
        with _told(path), self._open_folder(path) as folder:
            if folder is None:
                raise FileError("%s: the folder does not exist" % path)
            if self.exists(path) and self.link(path) is None:
                raise FileError("%s is no symbolic link. Move it away, and run again" % path)
            temporary = _temporary(path)
            os.symlink(target, temporary, dir_fd=folder)
            os.rename(temporary, _name(path), src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)
            _remove_abandoned(folder, _name(path))
        return True

    def flush_folder(self, path: str) -> None:
        """Makes durable what another program has changed in the folder that holds a path.

        Raises:
            FileError: The system refused.
        """
        with _told(path), self._open_folder(path) as folder:
            if folder is not None:
                os.fsync(folder)

    def remove_abandoned(self, path: str, beginning: str = "") -> None:
        """Removes what killed runs left in a folder, of files whose names begin so. The caller holds the lock.

        Raises:
            FileError: The folder is a link or somebody else's, or the system refused.
        """
        with _told(path), self._open_folder(path + "/") as folder:
            for found in [] if folder is None else os.listdir(folder):
                matched = _TEMPORARY.fullmatch(found)
                if matched is not None and matched["name"].startswith(beginning):
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(found, dir_fd=folder)

    def remove_link(self, path: str) -> bool:
        """Removes a symbolic link; whether there was one. Anything else is left alone."""
        with _told(path), self._open_folder(path) as folder:
            if folder is None or self.link(path) is None:
                return False
            os.unlink(_name(path), dir_fd=folder)
            os.fsync(folder)
        return True

    def make_folder(self, path: str, mode: int) -> bool:
        """Makes a folder unless it is there; whether something was done.

        Raises:
            FileError: Something else is in its place, it is somebody else's, or the system refused.
        """
        with _told(path), self._open_folder(path) as parent:
            if parent is None:
                raise FileError("%s: the folder above does not exist" % path)
            if _status(parent, path, folder_wanted=True) is not None:
                return False
            os.mkdir(_name(path), mode, dir_fd=parent)
            # The umask may have taken bits away.
            os.chmod(_name(path), mode, dir_fd=parent)
            os.fsync(parent)
        return True

    def remove_folder(self, path: str) -> bool:
        """Removes a folder of ours if nothing is in it; whether it is gone now and was there before."""
        with _told(path), self._open_folder(path) as parent:
            if parent is None or _status(parent, path, folder_wanted=True) is None:
                return False
            try:
                os.rmdir(_name(path), dir_fd=parent)
            except OSError:
                # Not empty: what others put there is theirs.
                return False
            os.fsync(parent)
        return True

    @contextlib.contextmanager
    def _open_folder(self, path: str) -> t.Iterator[t.Optional[int]]:
        """The folder that holds the path's last component; None where it does not exist."""
        try:
            descriptor = os.open(self.locate(os.path.dirname(path)) or "/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            yield None
            return
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def _name(path: str) -> str:
    return os.path.basename(path)


def _temporary(path: str) -> str:
    """A name beside the path that nobody can foresee."""
    return ".%s.%s.new" % (_name(path), os.urandom(8).hex())


@contextlib.contextmanager
def _told(path: str) -> t.Iterator[None]:
    """An error of the system, with the path as the operator knows it."""
    try:
        yield
    except OSError as exc:
        raise FileError("%s: %s" % (path, exc.strerror or exc)) from exc


def _status(folder: int, path: str, *, folder_wanted: bool = False) -> t.Optional[os.stat_result]:
    """What is known of the path's last component, if it is one of ours; None where nothing is there.

    Raises:
        FileError: It is a link, of another kind, or somebody else's.
    """
    try:
        status = os.stat(_name(path), dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(status.st_mode):
        raise FileError("%s is a symbolic link; it is not followed. Remove it, and run again" % path)
    if not (stat.S_ISDIR if folder_wanted else stat.S_ISREG)(status.st_mode):
        raise FileError("%s is no %s. Move it away, and run again" % (path, "folder" if folder_wanted else "file"))
    if status.st_uid != os.geteuid():
        raise FileError(
            "%s belongs to another user (%d); it is not touched. Move it away, and run again" % (path, status.st_uid)
        )
    return status


def _replace(folder: int, name: str, content: bytes, mode: int) -> None:
    temporary = _temporary(name)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o600, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            os.fchmod(descriptor, mode)
            stream.write(content)
            stream.flush()
            os.fsync(descriptor)
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise
    os.fsync(folder)


def _remove_abandoned(folder: int, name: str) -> None:
    """Removes what a killed run left. Runs hold the lock, so nobody is writing one now."""
    for found in os.listdir(folder):
        matched = _TEMPORARY.fullmatch(found)
        if matched is not None and matched["name"] == name:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(found, dir_fd=folder)
