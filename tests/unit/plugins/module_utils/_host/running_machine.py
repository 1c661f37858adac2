# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host whose network is real, and whose files lie below a folder of the test."""

from __future__ import annotations

import os
import pathlib
import typing as t

from ansible_collections.palisade.nftables.plugins.module_utils._host.apply import run
from ansible_collections.palisade.nftables.plugins.module_utils._host.options import Host, Options, Result
from tests.unit.plugins.module_utils.conftest import OFFICE_AND_WEB

if t.TYPE_CHECKING:
    from lab.namespaces import Host as LabHost


class Machine:
    """A lab host's network, and a file system below a folder of the test."""

    def __init__(self, network: LabHost, root: pathlib.Path) -> None:
        self.network = network
        self.root = root
        self.search_path: t.Optional[str] = None
        self.environ: t.Dict[str, str] = {}
        for folder in ("etc/systemd/system", "run"):
            (root / folder).mkdir(parents=True)

    def boot_systemd(self) -> None:
        (self.root / "run/systemd/system").mkdir(parents=True)

    def run(self, variables: t.Mapping[str, t.Any] = OFFICE_AND_WEB, **options: t.Any) -> Result:
        options.setdefault("connection", "podman")
        host = Host(str(self.root), self.search_path, self.environ)
        return self.network.call(run, Options(variables=variables, **options), host)

    def ruleset(self) -> str:
        return self.network.run(["nft", "-s", "list", "ruleset"]).stdout

    def files(self) -> t.Dict[str, str]:
        """Every file and link below the root, with what it holds."""
        return {
            str(path.relative_to(self.root)): os.readlink(path) if path.is_symlink() else path.read_text("utf-8")
            for path in sorted(self.root.rglob("*"))
            if path.is_symlink() or path.is_file()
        }

    def set_name(self) -> str:
        return next(line.split()[1] for line in self.ruleset().splitlines() if line.strip().startswith("set ip_office"))


def changed(**variables: t.Any) -> t.Dict[str, t.Any]:
    return {**OFFICE_AND_WEB, **variables}
