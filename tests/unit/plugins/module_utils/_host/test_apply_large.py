# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole runs with a policy that is large enough to be compiled into maps: what they send, and what they say."""

from __future__ import annotations

import pathlib
import shutil
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host import report as report_module
from ansible_collections.palisade.nftables.plugins.module_utils._host.apply import run
from ansible_collections.palisade.nftables.plugins.module_utils._host.options import Host, Options, Result

if t.TYPE_CHECKING:
    from lab.namespaces import Host as LabHost

_RULES = 300


def policy(*, changed: bool = False) -> t.Dict[str, t.Any]:
    """Rules for as many customers; a change is another address of one."""
    rules = [
        {
            "direction": "ingress",
            "protocol": "tcp",
            "sources": ["198.18.%d.%d" % (number // 100, number % 100 * 2 + (changed and number == 150))],
            "destination_ports": [1000 + number % 7],
            "action": "drop" if number % 3 else "accept",
        }
        for number in range(_RULES)
    ]
    return {"firewall_policies": {"customers": {"rules": rules}}, "firewall_assigned": ["customers"]}


class Machine:
    """A lab host's network, and an nft that notes what it is asked in that network."""

    def __init__(self, network: LabHost, root: pathlib.Path) -> None:
        self._network = network
        self._root = root / "root"
        for folder in ("etc", "run"):
            (self._root / folder).mkdir(parents=True)
        self._log = root / "log"
        script = root / "bin" / "nft"
        script.parent.mkdir()
        script.write_text(
            "#!/bin/sh\n"
            'echo "$*" >> %(log)s.calls\n'
            'if [ "$1 $2" = "-f -" ]; then\n'
            "    tee -a %(log)s.texts | %(nft)s -f -\n"
            "else\n"
            '    exec %(nft)s "$@"\n'
            "fi\n" % {"log": self._log, "nft": shutil.which("nft")},
            encoding="utf-8",
        )
        script.chmod(0o755)
        self._search_path = str(script.parent)

    def run(self, variables: t.Mapping[str, t.Any], *, diff: bool = False) -> Result:
        options = Options(variables=variables, connection="podman", diff=diff)
        return self._network.call(run, options, Host(str(self._root), self._search_path, {}))

    def calls(self) -> t.List[str]:
        """What nft was asked since this was asked last."""
        return self._taken("calls").splitlines()

    def sent(self) -> str:
        """What nft loaded since this was asked last, in the scratch namespace too."""
        return self._taken("texts")

    def _taken(self, what: str) -> str:
        path = self._log.with_suffix("." + what)
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        path.unlink(missing_ok=True)
        return text

    def nft(self, commands: str) -> None:
        self._network.nft(commands)

    def listing(self) -> str:
        return self._network.run(["nft", "-s", "list", "table", "inet", "palisade"]).stdout


@pytest.fixture
def machine(network: LabHost, tmp_path: pathlib.Path) -> Machine:
    return Machine(network, tmp_path)


def test_a_run_without_change_asks_nft_nothing(machine: Machine) -> None:
    assert machine.run(policy())["changed"]
    assert machine.calls()
    result = machine.run(policy())
    assert not result["changed"]
    assert result["warnings"] == result["notes"] == []
    assert machine.calls() == []


def test_a_changed_address_sends_little(machine: Machine) -> None:
    machine.run(policy())
    whole = len(machine.sent())
    assert " vmap @" in machine.listing()
    result = machine.run(policy(changed=True))
    assert result["changed"]
    assert len(machine.sent()) < whole / 2
    assert not any("list" in call for call in machine.calls())
    assert not machine.run(policy(changed=True))["changed"]
    machine.run(policy())
    machine.sent()
    assert not machine.run(policy())["changed"]
    assert machine.sent() == ""


def test_a_change_that_others_disturb_ends_the_same(machine: Machine) -> None:
    machine.run(policy())
    machine.nft("add table ip other\n")
    machine.run(policy(changed=True))
    machine.nft("delete table ip other\n")
    assert not machine.run(policy(changed=True))["changed"]


def test_constants_that_a_hand_changed_are_named_and_repaired(machine: Machine) -> None:
    machine.run(policy())
    before = sorted(machine.listing().splitlines())
    names = [line.split()[1] for line in before if line.startswith("\tmap ")]
    chains = [line.split()[1] for line in before if line.startswith("\tchain ") and line.split()[1].count("_") > 1]
    machine.nft("flush map inet palisade %s\n" % names[0])
    assert machine.run(policy())["changes"] == ["repair the map %s" % names[0]]
    assert sorted(machine.listing().splitlines()) == before
    chain = next(chain for chain in chains if chain != "managed_by_palisade")
    machine.nft("insert rule inet palisade %s accept\n" % chain)
    assert machine.run(policy())["changes"] == ["repair the chain %s" % chain]
    assert sorted(machine.listing().splitlines()) == before
    assert not machine.run(policy())["changed"]


def test_sentences_about_many_things_are_short(machine: Machine) -> None:
    machine.run({})
    changes = machine.run(policy())["changes"]
    assert any(change.startswith("add the counters ") and change.endswith(" more") for change in changes)
    assert all(len(change) < 400 for change in changes)


def test_the_diff_of_a_large_table_shows_what_differs(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("%s.listings._COMPLETE" % report_module.__package__, 100)
    machine.run(policy())
    diff = machine.run(policy(changed=True), diff=True)["diff"]
    assert "not shown: " in diff["before"]
    assert "not shown: " in diff["after"]
    assert "198.18.1.100" in diff["before"]
    assert "198.18.1.101" in diff["after"]
    assert len(diff["after"]) < len(machine.listing()) / 2
    same = machine.run(policy(changed=True), diff=True)["diff"]
    assert same["before"] == same["after"]
    assert "chain" not in same["after"].partition("not shown")[2].partition("\n")[2]


def test_the_diff_of_a_small_table_shows_all_of_it(machine: Machine) -> None:
    diff = machine.run(policy(), diff=True)["diff"]
    assert diff["before"] == ""
    assert all(line.strip() in diff["after"] for line in machine.listing().splitlines() if "packets" not in line)
    assert machine.run(policy(), diff=True)["diff"]["before"] == diff["after"]
