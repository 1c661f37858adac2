# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading files: robust, bounded, and never out of the tree."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.palisade.nftables.plugins.module_utils._host._discovery.includes import read_with_includes
from ansible_collections.palisade.nftables.plugins.module_utils._host._discovery.tree import Tree

if t.TYPE_CHECKING:
    from .conftest import Host


def test_absolute_links_stay_inside_the_tree(host: Host) -> None:
    host.write("/run/state/real.conf", "inside\n")
    host.link("/etc/link.conf", "/run/state/real.conf")
    host.link("/var/run", "/run")
    assert host.tree.read("/etc/link.conf") == "inside\n"
    assert host.tree.read("/var/run/state/real.conf") == "inside\n"
    host.link("/etc/up", "../../../../../../../etc/passwd")
    assert host.tree.read("/etc/up") is None


def test_a_link_to_itself_is_no_file(host: Host) -> None:
    host.link("/etc/loop", "/etc/loop")
    assert host.tree.read("/etc/loop") is None
    assert not host.tree.exists("/etc/loop")
    assert host.tree.link("/etc/loop") == "/etc/loop"


def test_what_is_no_regular_file_is_not_read(host: Host) -> None:
    host.write("/etc/file", "x")
    os.mkfifo(host.path / "etc/fifo")
    assert host.tree.read("/etc/fifo") is None
    assert host.tree.read("/etc") is None
    assert host.tree.read("/etc/missing") is None
    assert host.tree.read("/etc/nul\0byte") is None
    assert host.tree.names("/etc/file") == []
    assert Tree("/").read("/dev/zero") is None


def test_nothing_stays_open(host: Host) -> None:
    host.write("/etc/file", "x")
    os.mkfifo(host.path / "etc/fifo")
    before = os.listdir("/proc/self/fd")
    for name in ("/etc", "/etc/fifo", "/etc/file", "/nowhere"):
        host.tree.read(name)
    assert os.listdir("/proc/self/fd") == before


def test_binary_junk_is_text_with_replacements(host: Host) -> None:
    host.write("/etc/junk", bytes(range(256)) * 4)
    text = host.tree.read("/etc/junk")
    assert text is not None
    assert "\ufffd" in text


def test_a_huge_file_is_cut_at_the_end_of_a_line(host: Host) -> None:
    host.write("/etc/huge", b"nameserver 192.0.2.53\n" * 100_000)
    begin, end = host.tree.read("/etc/huge"), host.tree.read("/etc/huge", tail=True)
    assert begin is not None
    assert end is not None
    assert len(begin) < 300_000
    assert len(end) < 300_000
    assert set(begin.split("\n")) == {"nameserver 192.0.2.53"}
    assert set(end.strip().split("\n")) == {"nameserver 192.0.2.53"}
    assert end.endswith("53\n")


def test_one_endless_line_is_nothing(host: Host) -> None:
    host.write("/etc/line", b"1" * 1_000_000)
    assert host.tree.read("/etc/line") == ""


def test_glob(host: Host) -> None:
    for name in ("b.conf", "a.conf", ".hidden.conf", "c.txt"):
        host.write("/etc/x.d/%s" % name, "")
    assert host.tree.glob("/etc/*.d/*.conf") == ["/etc/x.d/a.conf", "/etc/x.d/b.conf"]
    assert host.tree.glob("/etc/x.d/c.txt") == ["/etc/x.d/c.txt"]
    assert host.tree.glob("/etc/x.d/missing") == []
    assert host.tree.glob("/missing/*/*") == []


def test_a_pattern_that_is_none_matches_nothing(host: Host) -> None:
    host.write("/etc/a", "")
    assert host.tree.glob("/etc/[z-a]") == []
    assert host.tree.glob("/etc/[") == []


def test_includes_stand_in_the_place_of_their_line_and_circles_end(host: Host) -> None:
    host.write("/etc/a", "one\ninclude /etc/b\nfour\n")
    host.write("/etc/b", "two\ninclude /etc/a\ninclude /etc/b\nthree\n")

    def included(line: str) -> t.List[str]:
        return [line.split()[1]] if line.startswith("include") else []

    lines = [line for line, _path in read_with_includes(host.tree, ["/etc/a"], included)]
    assert lines == ["one", "two", "three", "four"]
