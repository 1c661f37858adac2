# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module as Ansible runs it, on a lab host with a network, /etc and /run of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import typing as t

import pytest
import yaml

from ansible_collections.palisade.nftables.plugins.modules import ruleset
from lab.namespaces import Lab
from lab.reexec import LabUnavailableError, ensure_privileges
from tests.unit.plugins.module_utils.conftest import OFFICE_AND_WEB

if t.TYPE_CHECKING:
    from lab.namespaces import Host


@pytest.fixture
def host() -> t.Iterator[Host]:
    try:
        ensure_privileges()
    except LabUnavailableError as exc:
        pytest.skip(str(exc))
    with Lab() as lab:
        yield lab.host("host")


class Outcome(t.NamedTuple):
    """How ``ansible`` reports one run of a module: a word such as ``CHANGED``, the result, and the diff before both."""

    word: str
    result: t.Dict[str, t.Any]
    diff: str


class Ansible:
    """Runs a module by ``ansible``, on the host itself."""

    module = "palisade.nftables.ruleset"

    def __init__(self, host: Host, environment: t.Mapping[str, str]) -> None:
        self._host = host
        self._environment = environment

    def run(self, *arguments: str, **options: t.Any) -> Outcome:
        options.setdefault("variables", OFFICE_AND_WEB)
        command = [os.path.join(os.path.dirname(sys.executable), "ansible"), "localhost", "--connection=local"]
        command += ["-m", self.module, "-a", json.dumps(options), *arguments]
        done = subprocess.run(
            self._host.command([*command, "-e", "ansible_python_interpreter=" + sys.executable]),
            env={**os.environ, **self._environment},
            capture_output=True,
            text=True,
            check=False,
        )
        # Failures are printed to the standard error.
        found = re.search(r"^localhost \| ([A-Z]+)!? => ", done.stdout + done.stderr, re.MULTILINE)
        assert found is not None, done.stdout + done.stderr
        text = found.string[found.end() :]
        return Outcome(found.group(1), json.JSONDecoder().raw_decode(text)[0], found.string[: found.start()])


@pytest.fixture
def ansible(host: Host, ansible_environment: t.Dict[str, str]) -> Ansible:
    return Ansible(host, ansible_environment)


@pytest.mark.slow
def test_the_module_applies_reports_and_repeats_without_change(ansible: Ansible, host: Host) -> None:
    planned = ansible.run("--check", "--diff")
    assert planned.word == "CHANGED"
    assert "+\t\ttcp dport @ports_" in planned.diff
    assert host.run(["nft", "list", "ruleset"]).stdout == ""
    first = ansible.run()
    assert first.word == "CHANGED"
    assert first.result["changes"][0] == "create the table inet palisade"
    assert first.result["policies"] == ["ping", "ssh", "web"]
    assert "diff" not in first.result
    assert 'comment "web[0]"' in host.run(["nft", "list", "ruleset"]).stdout
    second = ansible.run()
    assert (second.word, second.result["changes"]) == ("SUCCESS", [])
    assert ansible.run(state="absent", variables=None).word == "CHANGED"
    assert host.run(["nft", "list", "ruleset"]).stdout == ""


@pytest.mark.slow
def test_failures_are_messages(ansible: Ansible, host: Host) -> None:
    wrong = ansible.run(variables={**OFFICE_AND_WEB, "firewall_assigned": ["nothing"]})
    assert wrong.word == "FAILED"
    assert wrong.result["msg"].startswith("firewall_assigned[0]: the policy 'nothing' is not in firewall_policies")
    host.nft("table inet palisade {\n}\n")
    refused = ansible.run()
    assert refused.word == "FAILED"
    assert "Palisade did not make it" in refused.result["msg"]
    missing = ansible.run(variables=None)
    assert missing.word == "FAILED"
    assert "variables" in missing.result["msg"]


def test_the_examples_use_documented_options_only() -> None:
    options = yaml.safe_load(ruleset.DOCUMENTATION)["options"]
    for task in yaml.safe_load(ruleset.EXAMPLES):
        assert set(task["palisade.nftables.ruleset"]) <= set(options)
