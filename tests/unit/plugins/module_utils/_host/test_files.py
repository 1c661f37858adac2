# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files written whole or not at all, and never through somebody else's link."""

from __future__ import annotations

import os
import pathlib
import stat
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host import files as files_module
from ansible_collections.palisade.nftables.plugins.module_utils._host.files import FileError, Files

PATH = "/etc/palisade/ruleset.nft"


@pytest.fixture
def files(tmp_path: pathlib.Path) -> Files:
    (tmp_path / "etc/palisade").mkdir(parents=True)
    return Files(str(tmp_path))


def _names(files: Files) -> t.List[str]:
    return sorted(os.listdir(files.locate("/etc/palisade")))


def test_writes_content_and_mode_whatever_the_umask(files: Files) -> None:
    previous = os.umask(0o077)
    try:
        assert files.write(PATH, "table ä\n", 0o644)
    finally:
        os.umask(previous)
    path = pathlib.Path(files.locate(PATH))
    assert path.read_bytes() == "table ä\n".encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert files.read(PATH) == "table ä\n"
    assert _names(files) == ["ruleset.nft"]


def test_equal_content_and_mode_are_not_written(files: Files) -> None:
    files.write(PATH, "x\n", 0o600)
    before = os.stat(files.locate(PATH))
    assert not files.write(PATH, "x\n", 0o600)
    after = os.stat(files.locate(PATH))
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_another_mode_alone_is_repaired(files: Files) -> None:
    files.write(PATH, "x\n", 0o600)
    os.chmod(files.locate(PATH), 0o640)
    assert not files.is_as(PATH, "x\n", 0o600)
    assert files.write(PATH, "x\n", 0o600)
    assert stat.S_IMODE(os.stat(files.locate(PATH)).st_mode) == 0o600


def test_a_new_content_comes_as_a_new_file(files: Files) -> None:
    files.write(PATH, "old\n", 0o600)
    with open(files.locate(PATH), encoding="utf-8") as reader:
        assert files.write(PATH, "new, and longer\n", 0o600)
        # Who had the old one open still reads it, whole.
        assert reader.read() == "old\n"


@pytest.mark.parametrize("act", ["read", "write", "remove"])
@pytest.mark.parametrize("target", ["there", "nowhere"])
def test_links_are_not_followed(files: Files, tmp_path: pathlib.Path, act: str, target: str) -> None:
    (tmp_path / "there").write_text("theirs\n", encoding="utf-8")
    os.symlink(tmp_path / target, files.locate(PATH))
    with pytest.raises(FileError, match=r"ruleset\.nft is a symbolic link"):
        files.write(PATH, "ours\n", 0o600) if act == "write" else getattr(files, act)(PATH)
    assert (tmp_path / "there").read_text(encoding="utf-8") == "theirs\n"
    assert not (tmp_path / "nowhere").exists()
    assert os.path.islink(files.locate(PATH))


def test_what_is_no_file_is_left_alone(files: Files) -> None:
    os.mkfifo(files.locate(PATH))
    with pytest.raises(FileError, match="is no file"):
        files.read(PATH)
    with pytest.raises(FileError, match="is no file"):
        files.write(PATH, "x", 0o600)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_left_alone(files: Files) -> None:
    files.write(PATH, "theirs\n", 0o644)
    os.chown(files.locate(PATH), 65534, 65534)
    for act in (lambda: files.read(PATH), lambda: files.write(PATH, "ours\n", 0o644), lambda: files.remove(PATH)):
        with pytest.raises(FileError, match=r"belongs to another user \(65534\)"):
            act()
    assert pathlib.Path(files.locate(PATH)).read_text(encoding="utf-8") == "theirs\n"


def test_a_missing_folder_is_said(tmp_path: pathlib.Path) -> None:
    files = Files(str(tmp_path))
    assert files.read(PATH) is None
    assert not files.remove(PATH)
    with pytest.raises(FileError, match="the folder does not exist"):
        files.write(PATH, "x", 0o600)


def test_removes_its_file_and_what_a_killed_run_left(files: Files) -> None:
    files.write(PATH, "x\n", 0o600)
    left = ".ruleset.nft.0123456789abcdef.new"
    for name in (left, ".other.nft.0123456789abcdef.new", ".ruleset.nft.new"):
        pathlib.Path(files.locate("/etc/palisade/" + name)).write_text("half", encoding="utf-8")
    assert files.remove(PATH)
    assert _names(files) == [".other.nft.0123456789abcdef.new", ".ruleset.nft.new"]
    assert not files.remove(PATH)


def test_folders_are_made_and_removed_when_empty(tmp_path: pathlib.Path) -> None:
    files = Files(str(tmp_path))
    os.mkdir(files.locate("/etc"))
    assert files.make_folder("/etc/palisade", 0o700)
    assert stat.S_IMODE(os.stat(files.locate("/etc/palisade")).st_mode) == 0o700
    assert not files.make_folder("/etc/palisade", 0o700)
    pathlib.Path(files.locate("/etc/palisade/theirs")).write_text("", encoding="utf-8")
    assert not files.remove_folder("/etc/palisade")
    os.unlink(files.locate("/etc/palisade/theirs"))
    assert files.remove_folder("/etc/palisade")
    assert not files.remove_folder("/etc/palisade")


def test_a_link_in_place_of_the_folder_is_refused(tmp_path: pathlib.Path) -> None:
    files = Files(str(tmp_path))
    os.mkdir(files.locate("/etc"))
    os.symlink("/tmp", files.locate("/etc/palisade"))
    with pytest.raises(FileError, match="symbolic link"):
        files.make_folder("/etc/palisade", 0o700)
    with pytest.raises(FileError, match="symbolic link"):
        files.remove_folder("/etc/palisade")


def test_only_links_are_removed_as_links(files: Files) -> None:
    assert not files.remove_link(PATH)
    files.write(PATH, "x\n", 0o600)
    assert not files.remove_link(PATH)
    os.symlink("nowhere", files.locate("/etc/palisade/link"))
    assert files.remove_link("/etc/palisade/link")
    assert _names(files) == ["ruleset.nft"]


def test_a_link_is_made_and_turned_in_one_step(files: Files) -> None:
    link = "/etc/palisade/link"
    assert files.write_link(link, "/etc/palisade/first")
    assert not files.write_link(link, "/etc/palisade/first")
    # What a killed run left beside it goes as well.
    os.symlink("/etc/palisade/first", files.locate("/etc/palisade/.link.0123456789abcdef.new"))
    assert files.write_link(link, "/etc/palisade/second")
    assert files.link(link) == "/etc/palisade/second"
    assert _names(files) == ["link"]


def test_a_link_never_takes_the_place_of_a_file(files: Files) -> None:
    files.write(PATH, "theirs\n", 0o600)
    with pytest.raises(FileError, match="no symbolic link"):
        files.write_link(PATH, "/etc/passwd")
    assert files.read(PATH) == "theirs\n"
    with pytest.raises(FileError, match="the folder does not exist"):
        files.write_link("/etc/nowhere/link", "/etc/passwd")


#: Writes short and long contents in turn, until it is killed.
_WRITER = """
import sys
sys.path.insert(0, {path!r})
from ansible_collections.palisade.nftables.plugins.module_utils._host.files import Files
files = Files({root!r})
files.write({target!r}, "begun\\n", 0o600)
print("begun", flush=True)
for number in range(1_000_000):
    files.write({target!r}, "%d\\n" % number * (1 if number % 2 else 50_000), 0o600)
"""


def test_a_kill_at_any_time_leaves_a_whole_file(files: Files, collections_path: pathlib.Path) -> None:
    script = _WRITER.format(path=str(collections_path), root=files.locate(""), target=PATH)
    for _round in range(5):
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"begun\n"
            for _look in range(20):
                lines = set((files.read(PATH) or "").splitlines())
                assert len(lines) <= 1
            writer.kill()
        text = files.read(PATH) or ""
        assert text.endswith("\n")
        assert text.count("\n") in (1, 50_000)
        assert len(set(text.splitlines())) == 1
    files.write(PATH, "last\n", 0o600)
    assert _names(files) == ["ruleset.nft"]


def test_reading_stops_somewhere(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files_module, "_READ_BYTES", 10)
    files.write(PATH, "0123456789abcdef", 0o600)
    assert files.read(PATH) == "0123456789"
