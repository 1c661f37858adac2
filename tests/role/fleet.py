# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet of lab hosts behind a real inventory, and real runs of ``ansible-playbook`` over it."""

from __future__ import annotations

import json
import pathlib
import re
import shlex
import subprocess
import textwrap
import typing as t

import yaml

if t.TYPE_CHECKING:
    from lab.namespaces import Host, Lab

#: Longest that a run may take before the test fails; they take a few seconds.
_SECONDS = 300

_RESULT = re.compile(r"^(ok|changed|fatal|failed): \[([^\]]+)\](?:: [A-Z]+!)? => (\{.*\})$", re.MULTILINE)
_RECAP = re.compile(r"^(\S+) +: (ok=.*)$", re.MULTILINE)


class Run(t.NamedTuple):
    """One run of ``ansible-playbook``.

    Attributes:
        status: Exit status.
        output: All that it printed.
        recap: By host, the counters of the last lines.
        results: Task results in order: status word, host, data.
        executions: By host, how many modules ran there.
    """

    status: int
    output: str
    recap: t.Dict[str, t.Dict[str, int]]
    results: t.List[t.Tuple[str, str, t.Dict[str, t.Any]]]
    executions: t.Dict[str, int]

    def changed(self) -> t.Dict[str, int]:
        return {host: counters["changed"] for host, counters in self.recap.items()}

    def failed(self) -> t.Dict[str, int]:
        return {host: counters["failed"] for host, counters in self.recap.items()}

    def result(self, host: str) -> t.Dict[str, t.Any]:
        """The last result of a host."""
        return [data for _word, name, data in self.results if name == host][-1]


class Fleet:
    """Hosts of a lab, an inventory, and a folder for files beside it."""

    def __init__(self, lab: Lab, folder: pathlib.Path, environment: t.Mapping[str, str]) -> None:
        self._lab = lab
        self._segment = lab.segment()
        self.folder = folder
        self.environment = dict(environment)
        self.hosts: t.Dict[str, Host] = {}
        folder.mkdir(exist_ok=True)

    def add(
        self,
        name: str,
        address: str,
        groups: t.Sequence[str] = (),
        *,
        private: t.Optional[t.Mapping[str, str]] = None,
        **variables: t.Any,
    ) -> Host:
        """A host with one address on eth0; all hosts share one segment, and no router.

        Args:
            private: Directories of its own, as :meth:`Lab.host` takes them.
            variables: Inventory variables of the host.
        """
        host = self._lab.host(name, private)
        self._segment.attach(host, [address + "/24"])
        wrapper = host.python_wrapper(self.folder / ("python-%s" % name))
        # Counts what runs on the host: with a local connection, one Python for each module.
        counter = self.folder / ("interpreter-%s" % name)
        counter.write_text(
            '#!/bin/sh\necho >>%s\nexec %s "$@"\n'
            % (shlex.quote(str(self._executed(name))), shlex.quote(str(wrapper))),
            encoding="utf-8",
        )
        counter.chmod(0o755)
        data = {
            "ansible_host": address,
            "ansible_connection": "local",
            "ansible_become": False,
            "ansible_python_interpreter": str(counter),
            **variables,
        }
        inventory = self._inventory()
        inventory.setdefault("all", {}).setdefault("hosts", {})[name] = data
        for group in groups:
            children = inventory["all"].setdefault("children", {})
            children.setdefault(group, {}).setdefault("hosts", {})[name] = {}
        (self.folder / "hosts.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
        self.hosts[name] = host
        return host

    def _inventory(self) -> t.Dict[str, t.Any]:
        path = self.folder / "hosts.yml"
        return yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}

    def _executed(self, name: str) -> pathlib.Path:
        return self.folder / ("executed-%s" % name)

    def write(self, name: str, text: str) -> None:
        """A file beside the inventory, such as ``group_vars/all.yml``."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")

    def run(self, playbook: str, *arguments: str) -> Run:
        """Runs a playbook by its path in the folder or its full name."""
        for name in self.hosts:
            self._executed(name).unlink(missing_ok=True)
        done = subprocess.run(
            ["ansible-playbook", "-v", "-i", "hosts.yml", playbook, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        recap = {
            host: {key: int(value) for key, value in (pair.split("=") for pair in counters.split())}
            for host, counters in _RECAP.findall(done.stdout)
        }
        results = [(word, host, json.loads(data)) for word, host, data in _RESULT.findall(done.stdout)]
        return Run(done.returncode, done.stdout, recap, results, {name: self._count(name) for name in self.hosts})

    def deploy(self, *arguments: str) -> Run:
        return self.run("palisade.nftables.deploy", *arguments)

    def _count(self, name: str) -> int:
        path = self._executed(name)
        return len(path.read_text(encoding="utf-8").splitlines()) if path.exists() else 0

    def table(self, name: str) -> str:
        """What the host's kernel holds, without counters; empty where there is no table."""
        done = self.hosts[name].run(["nft", "-s", "list", "table", "inet", "palisade"], check=False)
        return done.stdout
