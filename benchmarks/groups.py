#!/usr/bin/env python3
# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``group:NAME`` costs on the controller: every host's policy names a group of all hosts.

Runs ``check_policy``, which contacts no host, three times over one inventory: with a policy that names
one address, with one that names the group, and with the template that one would write without
``group:``. The difference to the first run is what the name costs.

    .venv/bin/python benchmarks/groups.py [HOSTS]
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import tempfile
import time
import typing as t

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent

VARIANTS = {
    "one address": "[192.0.2.1]",
    "group:all": "['group:all']",
    "a template": "\"{{ groups.all | map('extract', hostvars, 'ansible_host') | list }}\"",
}


def inventory(hosts: int, sources: str) -> str:
    lines = ["all:", "  hosts:"]
    lines.extend(
        "    host%d: {ansible_host: 198.18.%d.%d}" % (number, number // 250, number % 250 + 1) for number in range(hosts)
    )
    lines += [
        "  vars:",
        "    firewall_assigned: [ssh]",
        "    firewall_policies:",
        "      ssh: {rules: [{direction: ingress, service: ssh, sources: %s, action: accept}]}" % sources,
    ]
    return "\n".join(lines) + "\n"


def seconds(folder: pathlib.Path, hosts: int, sources: str) -> float:
    (folder / "hosts.yml").write_text(inventory(hosts, sources), encoding="utf-8")
    link = folder / "ansible_collections" / "palisade" / "nftables"
    if not link.is_symlink():
        link.parent.mkdir(parents=True)
        link.symlink_to(CHECKOUT, target_is_directory=True)
    playbook = folder / "check.yml"
    playbook.write_text(
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - palisade.nftables.check_policy:\n", encoding="utf-8"
    )
    command = [os.path.join(os.path.dirname(sys.executable), "ansible-playbook"), "-i", "hosts.yml", "-f", "10"]
    environment: t.Dict[str, str] = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(folder),
        "ANSIBLE_CONFIG": str(CHECKOUT / "tests" / "ansible.cfg"),
        "ANSIBLE_HOME": str(folder / "home"),
    }
    started = time.monotonic()
    subprocess.run([*command, str(playbook)], cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - started


def main() -> None:
    hosts = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    print("%d hosts, each with a policy that names all of them as sources:" % hosts)
    with tempfile.TemporaryDirectory(prefix="palisade-groups-") as folder:
        base: t.Optional[float] = None
        for name, sources in VARIANTS.items():
            # The best of two tells the cost; what else the machine does only adds to it.
            repeat = 1 if "{{" in sources else 2
            took = min(seconds(pathlib.Path(folder), hosts, sources) for _ in range(repeat))
            base = took if base is None else base
            print("  %-12s %6.1f s  (%+.1f s)" % (name, took, took - base), flush=True)


if __name__ == "__main__":
    main()
