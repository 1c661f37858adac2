# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbooks by their full names, from the collection as users install it."""

from __future__ import annotations

import subprocess
import typing as t

if t.TYPE_CHECKING:
    import pathlib

    from .fleet import Fleet


def install(fleet: Fleet, checkout: pathlib.Path, folder: pathlib.Path) -> None:
    """Builds the collection, installs it below the folder, and lets the fleet use nothing else."""
    collections = str(folder / "collections")
    fleet.environment["ANSIBLE_COLLECTIONS_PATH"] = collections
    galaxy = ("ansible-galaxy", "collection")
    for command in (
        (*galaxy, "build", str(checkout), "--output-path", str(folder / "dist")),
        (*galaxy, "install", str(folder / "dist" / "palisade-nftables-0.1.0.tar.gz"), "-p", collections, "--offline"),
    ):
        subprocess.run(command, env=fleet.environment, cwd=folder, check=True, stdout=subprocess.DEVNULL)


def test_deploys_validates_and_removes(fleet: Fleet, checkout: pathlib.Path, tmp_path: pathlib.Path) -> None:
    install(fleet, checkout, tmp_path)
    fleet.add("web1", "192.0.2.1")
    fleet.write(
        "group_vars/all.yml",
        """
        firewall_assigned: [web]
        firewall_policies:
          web: {rules: [{direction: ingress, service: [https], sources: ["group:all"], action: accept}]}
        """,
    )

    assert fleet.run("palisade.nftables.validate").status == 0
    assert fleet.run("palisade.nftables.plan").changed() == {"web1": 1}
    assert fleet.deploy().changed() == {"web1": 1}
    assert "ip saddr 192.0.2.1 tcp dport 443" in fleet.table("web1")
    assert fleet.deploy().changed() == {"web1": 0}
    assert fleet.run("palisade.nftables.absent").changed() == {"web1": 1}
    assert fleet.table("web1") == ""
