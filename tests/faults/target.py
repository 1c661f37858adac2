# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that runs go wrong on, and whether it is in a good state afterwards."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import time
import typing as t

from lab.namespaces import Host
from tests.unit.plugins.module_utils.conftest import OFFICE_AND_WEB

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent.parent

#: Longer than a run that waits for nothing, shorter than the patience of a test.
TIMEOUT = 3

#: Where a confirmation is to come in time, on however slow a machine.
LONG_TIMEOUT = 60

_SECONDS = 60.0
_RULE = {"direction": "ingress", "protocol": "tcp", "destination_ports": 8443, "action": "accept"}

OLD: t.Mapping[str, t.Any] = OFFICE_AND_WEB
#: Another rule, another set, and one rule less.
NEW: t.Mapping[str, t.Any] = {
    **OFFICE_AND_WEB,
    "firewall_networks": {"office": ["198.51.100.0/25", "203.0.113.9", "2001:db8:2::/48"]},
    "firewall_policies": {**OFFICE_AND_WEB["firewall_policies"], "more": {"rules": [_RULE]}},
    "firewall_assigned": ["ssh", "more"],
}


class State(t.NamedTuple):
    """What the kernel holds, and what is loaded at boot."""

    kernel: str
    boot: str


class Target:
    """A lab host's network, and a file system below a folder of the test."""

    def __init__(self, network: Host, root: pathlib.Path) -> None:
        self.network = network
        self.root = root
        #: The same folder, as the runs are told.
        self.inside = str(root)
        for folder in ("etc/systemd/system", "run/systemd/system"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        self.environment = {**os.environ, "PYTHONPATH": "%s:%s" % (CHECKOUT / ".cache" / "collections", CHECKOUT)}

    def run(
        self,
        variables: t.Mapping[str, t.Any],
        *,
        state: str = "present",
        phase: str = "at_once",
        token: str = "",
        timeout: int = TIMEOUT,
        before: t.Sequence[str] = (),
        path: str = "",
        seconds: float = 0,
        patience: float = 0,
    ) -> subprocess.CompletedProcess[str]:
        """A run of its own process.

        Args:
            timeout: Seconds until a change that waits is taken back.
            before: Words that come before its command.
            path: PATH of the run, where it is another one.
            seconds: What a program that the run starts may take; 0: as long as always.
            patience: How long it waits for another run; 0: as long as always.
        """
        asked = {
            "variables": variables,
            "state": state,
            "phase": phase,
            "timeout": timeout,
            "token": token,
            "seconds": seconds,
            "patience": patience,
        }
        program = str(CHECKOUT / "tests" / "faults" / "one_run.py")
        command = [*before, sys.executable, program, self.inside, json.dumps(asked)]
        environment = {**self.environment, "PATH": path} if path else self.environment
        return self.network.run(command, check=False, env=environment, timeout=_SECONDS)

    def begin(self, variables: t.Mapping[str, t.Any], *, path: str = "", timeout: int = TIMEOUT) -> str:
        """Makes a change that waits, and returns its token."""
        done = self.run(variables, phase="begin", path=path, timeout=timeout)
        assert done.returncode == 0, done.stderr
        return str(json.loads(done.stdout)["confirmation"]["token"])

    def take_back(self, token: str, *, before: t.Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        """Runs what the timer would run, and at once."""
        folder, lock = "%s/run/palisade" % self.inside, "%s/run/palisade.lock" % self.inside
        command = [*before, sys.executable, "-I", "%s/take_back.py" % folder, folder, lock, token]
        return self.network.run(command, check=False, timeout=_SECONDS)

    def kill_timer(self) -> None:
        """Ends the process that waits for the timer."""
        pending = json.loads((self.root / "run/palisade/pending.json").read_text(encoding="utf-8"))
        # As it is numbered there.
        self.network.run(["kill", "-KILL", pending["timer"].split()[0]])

    def state(self) -> State:
        """As it is now."""
        kernel = self.network.run(["nft", "-s", "list", "table", "inet", "palisade"], check=False).stdout
        saved = self.root / "etc/palisade/ruleset.nft"
        return State(_without_unused(kernel), saved.read_text(encoding="utf-8") if saved.exists() else "")

    def waits(self) -> bool:
        """Whether a change waits for its confirmation, and has a timer."""
        path = self.root / "run/palisade/pending.json"
        return path.exists() and bool(json.loads(path.read_text(encoding="utf-8"))["timer"])

    def await_timer(self) -> None:
        """Waits until the change that waits was taken back."""
        deadline = time.monotonic() + TIMEOUT + 10
        while self.waits():
            assert time.monotonic() < deadline, "nothing took the change back"
            time.sleep(0.05)

    def await_no_strays(self) -> None:
        """A timer whose run was killed before it noted it down runs out, and finds nothing to do."""
        deadline = time.monotonic() + TIMEOUT + 5
        while self.strays():
            assert time.monotonic() < deadline, self.strays()
            time.sleep(0.1)

    def strays(self) -> t.List[str]:
        """Files that no run keeps, and processes that nothing waits for."""
        known = ("etc/palisade/ruleset.nft", "etc/palisade/applied.json", "run/palisade.lock")
        found = [
            str(path.relative_to(self.root))
            for path in sorted(self.root.rglob("*"))
            if (path.is_file() or path.is_symlink())
            and (".new" in path.name or "run/palisade/" in str(path))
            and "loaded" not in path.name
        ]
        found = [name for name in found if name not in known]
        running = self.network.run(["ps", "-eo", "args"]).stdout
        return found + [line for line in running.splitlines() if str(self.root) in line and "ps -eo" not in line]


def _without_unused(listing: str) -> str:
    """The chains that packets go through: what nothing leads to may stay until the next run."""
    kept = []
    inside = False
    for line in listing.splitlines():
        if line.startswith("\tchain "):
            inside = line.split()[1] in ("ingress", "published", "egress", "input", "forward", "output")
        if inside:
            kept.append(line)
        if line == "\t}":
            inside = False
    return "\n".join(kept)
