# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Units are read from where systemd would load them, with what was dropped in."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host._discovery.tree import Tree
from ansible_collections.palisade.nftables.plugins.module_utils._host.units import read_unit

if t.TYPE_CHECKING:
    import pathlib

NAME = "some.service"


@pytest.fixture
def write(tmp_path: pathlib.Path) -> t.Callable[[str, str], None]:
    def to(path: str, value: str) -> None:
        located = tmp_path / path.lstrip("/")
        located.parent.mkdir(parents=True, exist_ok=True)
        located.write_text("[Service]\nExecStart=%s\n" % value, encoding="utf-8")

    return to


def _values(root: pathlib.Path, **options: t.Any) -> t.List[str]:
    return [item.value for item in read_unit(Tree(str(root)), NAME, **options)]


def test_the_first_place_counts(tmp_path: pathlib.Path, write: t.Callable[[str, str], None]) -> None:
    assert _values(tmp_path) == []
    for place, folder in reversed(
        list(enumerate(["/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system"]))
    ):
        write("%s/%s" % (folder, NAME), "/%d" % place)
        assert _values(tmp_path) == ["/%d" % place]


def test_drop_ins_of_all_places_follow_by_name(tmp_path: pathlib.Path, write: t.Callable[[str, str], None]) -> None:
    write("/usr/lib/systemd/system/%s" % NAME, "/unit")
    write("/etc/systemd/system/%s.d/20.conf" % NAME, "/second")
    write("/usr/lib/systemd/system/%s.d/10.conf" % NAME, "/first")
    write("/run/systemd/system/%s.d/20.conf" % NAME, "/hidden by the one in etc")
    write("/run/systemd/system/%s.d/note.txt" % NAME, "/no drop-in")
    assert _values(tmp_path) == ["/unit", "/first", "/second"]
    assert _values(tmp_path, without=("/etc/systemd/system/%s.d/20.conf" % NAME,)) == ["/unit", "/first"]


def test_a_masked_unit_has_nothing(tmp_path: pathlib.Path, write: t.Callable[[str, str], None]) -> None:
    write("/usr/lib/systemd/system/%s" % NAME, "/unit")
    folder = tmp_path / "etc/systemd/system"
    folder.mkdir(parents=True)
    (folder / NAME).symlink_to("/dev/null")
    assert _values(tmp_path) == []
