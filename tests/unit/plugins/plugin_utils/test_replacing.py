# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of the controller that are replaced: what becomes of those that are there, and of what is no file."""

from __future__ import annotations

import os
import stat
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.plugin_utils import _replacing
from ansible_collections.palisade.nftables.plugins.plugin_utils._replacing import (
    Existing,
    find_existing,
    replace_file,
)

if t.TYPE_CHECKING:
    import pathlib


def put(path: pathlib.Path, content: bytes) -> None:
    replace_file(str(path), content, 0o600, find_existing(str(path)))


def test_a_new_file_has_the_permissions_asked_for(tmp_path: pathlib.Path) -> None:
    put(tmp_path / "new", b"content")
    assert (tmp_path / "new").read_bytes() == b"content"
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600


def test_a_file_that_is_there_keeps_its_permissions_owner_and_group(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "old"
    path.write_bytes(b"before")
    path.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(path, 12, 34)
    before = path.stat()
    put(path, b"after")
    after = path.stat()
    assert path.read_bytes() == b"after"
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)


def test_a_group_that_cannot_be_kept_reads_nothing(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_handle: int, _owner: int, _group: int) -> None:
        raise PermissionError

    monkeypatch.setattr(_replacing.os, "fchown", refuse)
    existing = Existing(0o664, os.geteuid(), os.getegid() + 1)
    replace_file(str(tmp_path / "file"), b"", 0o600, existing)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o604


def test_a_symbolic_link_is_neither_followed_nor_replaced(tmp_path: pathlib.Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"precious")
    link = tmp_path / "link"
    link.symlink_to(elsewhere)
    with pytest.raises(OSError, match="there is a symbolic link, which is not followed"):
        put(link, b"content")
    assert elsewhere.read_bytes() == b"precious"
    assert link.is_symlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
def test_a_file_that_somebody_else_put_where_everybody_may_is_refused(tmp_path: pathlib.Path) -> None:
    """Whoever owns it would be given what is written."""
    path = tmp_path / "trap"
    path.write_bytes(b"theirs")
    os.chown(path, 65534, 65534)
    assert find_existing(str(path)) is not None
    tmp_path.chmod(0o1777)
    with pytest.raises(OSError, match="of somebody else, in a folder that everybody may write to"):
        find_existing(str(path))
    assert path.read_bytes() == b"theirs"


def test_what_is_no_file_stays(tmp_path: pathlib.Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="there is something that is no file"):
        put(tmp_path / "pipe", b"content")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    with pytest.raises(IsADirectoryError):
        put(tmp_path, b"content")


def test_a_write_that_is_interrupted_leaves_nothing(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"before")

    def interrupt(_source: str, _target: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(_replacing.os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        put(path, b"after")
    assert [one.name for one in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"before"
