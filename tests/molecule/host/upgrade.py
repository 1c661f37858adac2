#!/usr/bin/env python3
# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Installs the package nftables again, a newer one, and the old one again, while transactions are written down.

    upgrade.py TABLE

Prints what became of the table of the family inet as JSON, see transactions.py; ``versions``, which were installed one
after the other; ``not_begun``, how many commands of the service systemd could not begin, see units.py; and
``restarts``, whether the scripts of the package restart the service, whose commands flush the ruleset: Debian 11's do
not. The newer one has the same files under a higher version: there is no other on a host without a way out.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import typing as t

from transactions import watch
from units import act, not_begun_since, now, was_not_begun

SERVICE = "nftables.service"
SCRIPT = "/var/lib/dpkg/info/nftables.postinst"
PACKAGE = "/var/cache/lab/nftables.deb"


def make_newer(folder: str) -> str:
    """The same package as a later version."""
    subprocess.run(["dpkg-deb", "--raw-extract", PACKAGE, folder + "/tree"], check=True)
    control = pathlib.Path(folder, "tree/DEBIAN/control")
    control.write_text(re.sub(r"(?m)^(Version: .*)$", r"\1+lab1", control.read_text()))
    newer = folder + "/newer.deb"
    subprocess.run(["dpkg-deb", "--build", folder + "/tree", newer], check=True, stdout=subprocess.DEVNULL)
    return newer


def install(package: str) -> str:
    """Installs a package from a file, with apt, and returns the version."""
    command = ["apt-get", "install", "--quiet=2", "--yes", "--reinstall", "--allow-downgrades", package]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        raise SystemExit(done.stdout + done.stderr)
    query = ["dpkg-query", "--show", "--showformat=${Version}", "nftables"]
    return subprocess.run(query, check=True, capture_output=True, text=True).stdout


def main() -> None:
    versions: t.List[str] = []
    begin = now()
    with tempfile.TemporaryDirectory() as folder:
        packages = [PACKAGE, make_newer(folder), PACKAGE]

        def upgrade() -> None:
            for package in packages:
                versions.append(install(package))
                # The package's script does not mind.
                if was_not_begun(SERVICE):
                    act("restart", SERVICE)

        result = watch(sys.argv[1], upgrade)
    result["restarts"] = "restart" in pathlib.Path(SCRIPT).read_text()
    print(json.dumps({**result, "versions": versions, "not_begun": not_begun_since(begin, SERVICE)}))


if __name__ == "__main__":
    main()
