# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The emulator itself: what comes back of a command, and that nothing stays behind. ``make emulate`` installs it."""

from __future__ import annotations

import io
import os
import pathlib
import subprocess
import sys
import time
import typing as t

import pytest

from lab.emulator import machine
from lab.emulator.archive import Archive
from lab.emulator.kernels import SUITES, Kernel, kernel


@pytest.fixture(scope="module")
def booted() -> Kernel:
    """A kernel that can be booted here: the first that there is."""
    reason = machine.why_unavailable()
    if reason is not None:
        pytest.skip(reason)
    found = [kernel(suite) for suite in SUITES]
    for one in found:
        if isinstance(one, Kernel):
            return one
    pytest.skip(str(found[0]))


def _members(octets: bytes) -> t.Dict[str, t.Tuple[int, bytes]]:
    """Name to mode and content, read as cpio(5) describes the format."""
    found: t.Dict[str, t.Tuple[int, bytes]] = {}
    offset = 0
    while True:
        assert octets[offset : offset + 6] == b"070701"
        fields = [int(octets[offset + 6 + 8 * number : offset + 14 + 8 * number], 16) for number in range(13)]
        size, length = fields[6], fields[11]
        name = octets[offset + 110 : offset + 110 + length - 1].decode()
        start = offset + 110 + length + -(110 + length) % 4
        if name == "TRAILER!!!":
            return found
        found[name] = (fields[1], octets[start : start + size])
        offset = start + size + -size % 4


def test_an_archive_holds_files_folders_and_links(tmp_path: pathlib.Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "tool").write_bytes(b"abc")
    (tmp_path / "real" / "tool").chmod(0o755)
    (tmp_path / "short").symlink_to("real")
    archive = Archive()
    archive.add_text("/etc/name", "five\n", 0o600)
    archive.add_same(str(tmp_path / "short" / "tool"))
    written = io.BytesIO()
    archive.write(written)
    members = _members(written.getvalue())
    below = str(tmp_path).lstrip("/")
    assert members["etc"] == (0o040755, b"")
    assert members["etc/name"] == (0o100600, b"five\n")
    assert members[below + "/short"] == (0o120777, b"real")
    assert members[below + "/real/tool"] == (0o100755, b"abc")
    # A folder comes before what is in it.
    assert list(members) == sorted(members)


def test_an_archive_refuses_a_circle_of_links(tmp_path: pathlib.Path) -> None:
    (tmp_path / "one").symlink_to("other")
    (tmp_path / "other").symlink_to("one")
    with pytest.raises(OSError, match="too many symbolic links"):
        Archive().add_same(str(tmp_path / "one"))


@pytest.mark.slow
def test_a_command_brings_back_its_output_and_its_status(booted: Kernel) -> None:
    text = (
        "import os, sys; print(os.uname().release); sys.stdout.buffer.write(bytes(range(32, 127)) * 100); sys.exit(3)"
    )
    shown: t.List[str] = []
    outcome = machine.run(booted, ["python3", "-c", text], show=shown.append)
    assert outcome.status == 3
    assert outcome.output == booted.release + "\n" + bytes(range(32, 127)).decode() * 100
    assert "".join(shown) == outcome.output
    assert not outcome.has_warned


@pytest.mark.slow
def test_a_command_that_takes_too_long_is_ended_inside(booted: Kernel) -> None:
    outcome = machine.run(booted, ["sh", "-c", "echo begun; sleep 1000"], seconds=2)
    assert (outcome.status, outcome.output) == (124, "begun\n")


@pytest.mark.slow
def test_a_kernel_that_stops_is_an_error_that_shows_its_last_words(booted: Kernel) -> None:
    with pytest.raises(machine.MachineError, match="sysrq triggered crash"):
        machine.run(booted, ["sh", "-c", "echo c >/proc/sysrq-trigger"], seconds=20)


@pytest.mark.slow
def test_a_killed_caller_leaves_no_machine_behind(booted: Kernel, tmp_path: pathlib.Path) -> None:
    command = [sys.executable, "-m", "lab.emulator", "--kernel", booted.suite, "--accel", "tcg"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen([*command, "--", "sleep", "1000"], env=environment) as caller:
        emulator = _await(lambda: _emulator_below(tmp_path))
        caller.kill()
    _await(lambda: not pathlib.Path("/proc/%s" % emulator).exists())


def _emulator_below(folder: pathlib.Path) -> str:
    """The process number of the emulator whose files lie there, empty while there is none."""
    for found in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = found.read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if words[0].decode() == machine.EMULATOR and any(str(folder).encode() in word for word in words):
            return found.parent.name
    return ""


_T = t.TypeVar("_T")


def _await(question: t.Callable[[], _T]) -> _T:
    """What the question answers once that is true, within a minute."""
    deadline = time.monotonic() + 60
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < deadline, question
        time.sleep(0.05)
