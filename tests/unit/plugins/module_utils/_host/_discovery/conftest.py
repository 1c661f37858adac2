# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Trees of files in the layouts of real daemons, as hosts to discover."""

from __future__ import annotations

import pathlib
import textwrap
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host._discovery.discover import discover
from ansible_collections.palisade.nftables.plugins.module_utils._host._discovery.tree import Tree
from ansible_collections.palisade.nftables.plugins.module_utils._policy.hostfacts import HostFacts

#: When the leases in these tests are looked at: 2026-01-01 00:00:00 UTC.
NOW = 1767225600.0


class Host:
    """The file system of a host below a folder of the test."""

    def __init__(self, root: pathlib.Path) -> None:
        self.path = root
        self.root = str(root)

    def write(self, path: str, text: t.Union[str, bytes]) -> None:
        """Writes a file; the common indentation of a text is taken off."""
        target = self.path / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(text, str):
            text = textwrap.dedent(text).encode()
        target.write_bytes(text)

    def link(self, path: str, target: str) -> None:
        link = self.path / path.lstrip("/")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)

    def enable(self, unit: str, target: str = "multi-user.target") -> None:
        """What ``systemctl enable`` leaves behind."""
        self.link("/etc/systemd/system/%s.wants/%s" % (target, unit), "/lib/systemd/system/%s" % unit)

    def run(self, pid: int, pid_file: str) -> None:
        """A running process and the file that holds its number."""
        self.write(pid_file, "%d\n" % pid)
        self.write("/proc/%d/comm" % pid, "daemon\n")

    def boot_systemd(self) -> None:
        (self.path / "run/systemd/system").mkdir(parents=True)

    @property
    def tree(self) -> Tree:
        return Tree(self.root)

    def facts(self) -> HostFacts:
        return discover(self.root, now=NOW)


@pytest.fixture
def host(tmp_path: pathlib.Path) -> Host:
    return Host(tmp_path / "root")
