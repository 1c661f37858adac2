# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real runs of ansible-core whose hosts cannot be reached: whoever tries fails."""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
import typing as t

import pytest

#: A connection that fails at once, and says that it was tried.
_UNREACHABLE = {
    "ansible_connection": "ssh",
    "ansible_ssh_executable": "/bin/false",
    "ansible_python_interpreter": "/usr/bin/python3",
}

_RESULT = re.compile(r"^(\S+) \| ([A-Z]+!?) => (\{.*?^\}|.*?)$", re.MULTILINE | re.DOTALL)


class Answer(t.NamedTuple):
    """The result of an action on a host, and what was printed beside it."""

    word: str
    data: t.Dict[str, t.Any]
    output: str


class Act(t.Protocol):
    """Runs an action of the collection on ``web1``; ``prefix`` begins the command line."""

    def __call__(
        self,
        action: str,
        arguments: t.Mapping[str, object],
        variables: t.Mapping[str, object],
        prefix: t.Sequence[str] = (),
    ) -> Answer: ...


@pytest.fixture
def act(tmp_path: pathlib.Path, ansible_environment: t.Dict[str, str]) -> Act:
    def run(
        action: str,
        arguments: t.Mapping[str, object],
        variables: t.Mapping[str, object],
        prefix: t.Sequence[str] = (),
    ) -> Answer:
        hosts = {"web1": {"ansible_host": "192.0.2.1"}, "db1": {"ansible_host": "db.example.org"}}
        inventory = {"all": {"hosts": hosts, "vars": {**_UNREACHABLE, **variables}}}
        (tmp_path / "hosts.yml").write_text(json.dumps(inventory), encoding="utf-8")
        done = subprocess.run(
            [
                *prefix,
                "ansible",
                "web1",
                "-i",
                "hosts.yml",
                "-m",
                "palisade.nftables." + action,
                "-a",
                json.dumps(arguments) if arguments else "",
            ],
            cwd=tmp_path,
            env=ansible_environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        found = _RESULT.search(done.stdout)
        assert found is not None, done.stdout
        return Answer(found.group(2).rstrip("!"), json.loads(found.group(3)), done.stdout)

    return run
