# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs that are run: found, bounded in time, and quoted briefly."""

from __future__ import annotations

import os
import pathlib
import time

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host.command import (
    CommandTimeoutError,
    find_program,
    run_program,
    shorten,
)
from ansible_collections.palisade.nftables.plugins.module_utils._host.errors import HostError


def _program(folder: pathlib.Path, text: str, name: str = "tool") -> str:
    path = folder / name
    path.write_text("#!/bin/sh\n" + text, encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def test_text_goes_in_and_comes_out(tmp_path: pathlib.Path) -> None:
    path = _program(tmp_path, 'cat; echo "$1" >&2; exit 3\n')
    assert run_program([path, "a b; c"], text="in ä\n", seconds=10) == (3, "in ä\n", "a b; c")


def test_more_text_than_a_pipe_holds_goes_through(tmp_path: pathlib.Path) -> None:
    text = "0123456789abcde\n" * 100_000
    assert run_program([_program(tmp_path, "cat\n")], text=text, seconds=60).output == text


def test_messages_come_untranslated(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("LANGUAGE", "de")
    assert run_program([_program(tmp_path, 'echo "$LC_ALL $LANGUAGE"\n')], seconds=10).output == "C \n"


def test_a_program_that_hangs_is_killed(tmp_path: pathlib.Path) -> None:
    begun = time.monotonic()
    with pytest.raises(CommandTimeoutError, match="did not end within 0 seconds"):
        run_program([_program(tmp_path, "exec sleep 600\n")], seconds=0.2)
    assert time.monotonic() - begun < 60


def test_a_program_that_is_not_there_is_said(tmp_path: pathlib.Path) -> None:
    with pytest.raises(HostError, match="nowhere cannot be run: No such file or directory"):
        run_program([str(tmp_path / "nowhere")], seconds=1)


def test_programs_are_found_in_the_path_and_where_system_programs_lie(tmp_path: pathlib.Path) -> None:
    path = _program(tmp_path, "", "some-tool-of-this-test")
    assert find_program("some-tool-of-this-test", str(tmp_path)) == path
    assert find_program("some-tool-of-this-test", "/nowhere") is None
    assert find_program("ip", "/nowhere") in ("/usr/sbin/ip", "/sbin/ip")


def test_programs_are_not_found_in_the_working_directory(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _program(tmp_path, "", "some-tool-of-this-test")
    monkeypatch.chdir(tmp_path)
    assert find_program("some-tool-of-this-test", os.pathsep.join(["", ".", "/nowhere"])) is None


def test_a_long_complaint_is_cut() -> None:
    shown = shorten("Error: x\x1b[1m\n" + "9, " * 1_000_000 + "\n")
    assert shown.startswith("Error: x [1m\n9, 9")
    assert len(shown) < 400
    assert shorten("line\n" * 1000).count("line") == 20
