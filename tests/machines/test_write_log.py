# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of writes, and what a power cut leaves of a disk."""

from __future__ import annotations

import pathlib
import random
import struct
import typing as t

import pytest

from lab.machines.write_log import SECTOR, Kept, WriteLog, WriteLogError

_FLUSH, _DISCARD = 1, 4


def _log(path: pathlib.Path, requests: t.Sequence[t.Tuple[int, bytes, int]]) -> WriteLog:
    """A log of requests, each the first sector, the data and the flags."""
    octets = struct.pack("<QQQI", 0x6A736677736872, 1, len(requests), SECTOR).ljust(SECTOR, b"\0")
    for sector, data, flags in requests:
        octets += struct.pack("<QQQQ", sector, len(data) // SECTOR, flags, 0).ljust(SECTOR, b"\0") + data
    path.write_bytes(octets)
    return WriteLog(path)


def _sectors(letters: str) -> bytes:
    return b"".join(letter.encode() * SECTOR for letter in letters)


def _letters(disk: pathlib.Path) -> str:
    octets = disk.read_bytes()
    return "".join(chr(octets[position]) for position in range(0, len(octets), SECTOR))


@pytest.fixture(name="disk")
def fixture_disk(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "disk"
    path.write_bytes(_sectors("........"))
    return path


#: Sectors 0 and 1, a flush, sectors 2 to 5, and sector 0 once more.
_REQUESTS = [(0, _sectors("ab"), 0), (0, b"", _FLUSH), (2, _sectors("cdef"), 0), (0, _sectors("A"), 0)]


@pytest.mark.parametrize(
    ("length", "kept", "left", "lost"),
    [
        (0, Kept.ALL, "........", 0),
        (1, Kept.ALL, "ab......", 0),
        (1, Kept.NONE, "........", 2),
        (2, Kept.NONE, "ab......", 0),
        (4, Kept.NONE, "ab......", 5),
        (4, Kept.ALL, "Abcdef..", 0),
    ],
)
def test_a_cut_keeps_what_was_flushed(
    tmp_path: pathlib.Path, disk: pathlib.Path, *, length: int, kept: Kept, left: str, lost: int
) -> None:
    log = _log(tmp_path / "log", _REQUESTS)
    assert log.cut(disk, length, kept, random.Random(0)) == lost
    assert _letters(disk) == left


def test_a_cut_keeps_any_part_of_what_was_not_flushed(tmp_path: pathlib.Path, disk: pathlib.Path) -> None:
    log = _log(tmp_path / "log", _REQUESTS)
    found = set()
    for seed in range(400):
        disk.write_bytes(_sectors("........"))
        lost = log.cut(disk, 4, Kept.SOME, random.Random(seed))
        left = _letters(disk)
        assert left[1] == "b"
        assert left[0] in "aA"
        assert lost == left.count(".") - 2 + (left[0] == "a")
        found.add(left)
    # A later request without the earlier one, and the other way round; a request in part.
    assert {"Ab......", "abcdef..", "ab......", "Abcdef.."} < found
    assert any(0 < left[2:6].count(".") < 4 for left in found)


def test_a_log_is_read_as_far_as_it_was_written(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "log"
    assert len(_log(path, [*_REQUESTS, (1, b"", _DISCARD)])) == 5
    whole = path.read_bytes()
    # In the midst of the last data, of its head, and with a place that is reserved.
    assert len(_log(path, _REQUESTS)) == 4
    path.write_bytes(path.read_bytes()[:-1])
    assert len(WriteLog(path)) == 3
    path.write_bytes(path.read_bytes()[: -SECTOR - 1])
    assert len(WriteLog(path)) == 3
    path.write_bytes(whole[: 4 * SECTOR] + bytes(4 * SECTOR))
    assert len(WriteLog(path)) == 1
    path.write_bytes(b"")
    assert len(WriteLog(path)) == 0


def test_something_else_is_no_log(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * SECTOR)
    with pytest.raises(WriteLogError, match="no log of writes"):
        WriteLog(path)
