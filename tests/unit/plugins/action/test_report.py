# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the files of a report are written."""

from __future__ import annotations

import pathlib

import pytest

from ansible_collections.palisade.nftables.plugins.action.report import put


def _mode(path: pathlib.Path) -> int:
    return path.lstat().st_mode & 0o777


def test_only_its_owner_reads_a_new_file_and_one_that_is_there_keeps_its_permissions(tmp_path: pathlib.Path) -> None:
    page = tmp_path / "report.html"
    assert put(str(page), "one", check=False)
    assert (page.read_text(encoding="utf-8"), _mode(page)) == ("one", 0o600)
    page.chmod(0o644)
    assert not put(str(page), "one", check=False)
    assert put(str(page), "two", check=True)
    assert put(str(page), "three", check=False)
    assert (page.read_text(encoding="utf-8"), _mode(page)) == ("three", 0o644)
    assert list(tmp_path.iterdir()) == [page]


def test_a_link_is_refused_and_what_it_leads_to_stays_as_it_is(tmp_path: pathlib.Path) -> None:
    other, page = tmp_path / "other", tmp_path / "report.html"
    other.write_text("one", encoding="utf-8")
    page.symlink_to(other)
    for content in ("one", "another"):
        with pytest.raises(OSError, match="a symbolic link, which is not followed"):
            put(str(page), content, check=False)
    assert page.is_symlink()
    assert other.read_text(encoding="utf-8") == "one"


def test_a_host_that_says_what_no_encoding_has_does_not_keep_the_report_from_the_others(tmp_path: pathlib.Path) -> None:
    page = tmp_path / "report.html"
    assert put(str(page), "process \ud800", check=False)
    assert page.read_text(encoding="utf-8") == "process ?"
