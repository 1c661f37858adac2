# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A kernel that holds our table and the rules of other managers, which are the real ones."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host.conflicts import find_managers
from ansible_collections.palisade.nftables.plugins.module_utils._host.nft import find_nft
from ansible_collections.palisade.nftables.plugins.module_utils._host.take_over import (
    Hands,
    Plan,
    TakeOver,
    plan_take_over,
    take_over,
)
from tests.unit.plugins.module_utils._host.host_services import HostServices

if t.TYPE_CHECKING:
    from lab.namespaces import Host as LabHost

OURS = """\
table inet palisade {
  chain input {
    type filter hook input priority 10; policy accept
    tcp dport 22 accept
  }
}
"""

START_SECONDS = 60.0


class Scene:
    """A host's files and services, and a kernel that holds our table and what others load."""

    def __init__(self, host: HostServices, machine: LabHost, ours: str = OURS) -> None:
        self.host = host
        self.machine = machine
        machine.nft(ours)

    def listed(self) -> t.Any:
        return json.loads(self.machine.run(["nft", "-j", "list", "ruleset"]).stdout)["nftables"]

    def names(self) -> t.List[str]:
        return [conflict.name for conflict in self._find()]

    def plan(self, **options: t.Any) -> Plan:
        return plan_take_over(self.host.files, self._find(), self.listed(), **options)

    def take_over(self, plan: Plan) -> TakeOver:
        hands = Hands(self.host.files, find_nft(), self.host.search_path)
        return self.machine.call(take_over, plan, hands)

    def tables(self) -> t.List[str]:
        lines = self.machine.run(["nft", "list", "tables"]).stdout.splitlines()
        return [line.partition(" ")[2] for line in lines]

    def show(self, table: str) -> str:
        return self.machine.run(["nft", "-s", "list", "table", *table.split()]).stdout

    def iptables(self, *arguments: str) -> t.List[str]:
        return self.machine.run(["iptables", *arguments]).stdout.splitlines()

    def _find(self) -> t.Any:
        return find_managers(self.host.files, self.listed(), search_path=self.host.search_path)


def need(*programs: str) -> None:
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip("%s is not installed here, whose rules are wanted" % program)


def start_firewalld(machine: LabHost) -> subprocess.Popen[t.Any]:
    machine.run(["mkdir", "/run/dbus"])
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    machine.popen(["dbus-daemon", "--system", "--fork", "--nopidfile"], **quiet).wait()
    daemon = machine.popen(["firewalld", "--nofork", "--nopid"], **quiet)
    deadline = time.monotonic() + START_SECONDS
    # It answers before it has loaded its rules.
    while "firewalld" not in machine.run(["nft", "list", "tables"]).stdout or (
        machine.run(["firewall-cmd", "--state"], check=False).returncode != 0
    ):
        if daemon.poll() is not None or time.monotonic() > deadline:
            pytest.skip(
                "firewalld does not start here: %s" % machine.run(["cat", "/var/log/firewalld"], check=False).stdout
            )
        time.sleep(0.05)
    return daemon
