# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The change in meaning that a run reports: against what the last run left, and against rules altered by hand."""

from __future__ import annotations

import json
import pathlib
import shutil
import typing as t

import pytest

from tests.unit.plugins.module_utils.conftest import OFFICE_AND_WEB

from . import running_machine

if t.TYPE_CHECKING:
    from lab.namespaces import Host as LabHost

_READ = "the table is not as the last run left it; its rules were read back from the kernel"


class Machine(running_machine.Machine):
    """One whose plans are asked for what they mean."""

    def plan(self, variables: t.Mapping[str, t.Any] = OFFICE_AND_WEB) -> t.Dict[str, t.Any]:
        """What a run would change in meaning."""
        result = self.run(variables, check_mode=True)
        assert result["diff"]["prepared"] == result["meaning"]["text"] + "\n"
        return t.cast("t.Dict[str, t.Any]", result["meaning"])

    def history(self) -> t.List[pathlib.Path]:
        return sorted((self.root / "etc/palisade/history").iterdir())


@pytest.fixture
def machine(network: LabHost, tmp_path: pathlib.Path) -> Machine:
    return Machine(network, tmp_path / "root")


def _with_rules(*rules: t.Mapping[str, object]) -> t.Dict[str, t.Any]:
    policies = {**OFFICE_AND_WEB["firewall_policies"], "web": {"rules": list(rules)}}
    return {**OFFICE_AND_WEB, "firewall_policies": policies}


def _tcp(*ports: object) -> t.Dict[str, t.Any]:
    return {"direction": "ingress", "protocol": "tcp", "destination_ports": list(ports), "action": "accept"}


_FEWER = _with_rules(_tcp(80))


def _changes(meaning: t.Mapping[str, t.Any]) -> t.List[t.Tuple[str, str]]:
    return [(group["change"], group["packets"]) for group in meaning["groups"]]


def test_before_the_first_run_everything_is_accepted(machine: Machine) -> None:
    meaning = machine.plan()
    assert not meaning["same"]
    assert (meaning["note"], meaning["undecided"]) == ("", [])
    (group,) = meaning["groups"]
    assert (group["change"], group["before"]["rule"]) == ("dropped", "no ruleset")
    assert group["before"]["verdict"] == "accept"
    assert group["after"] == {"verdict": "drop", "rule": "default-ingress", "variable": ""}


def test_a_change_is_told_against_what_the_last_run_left(machine: Machine) -> None:
    machine.run()
    meaning = machine.plan(_with_rules(_tcp(80, 443, 9000)))
    assert meaning["note"] == ""
    assert _changes(meaning) == [
        ("accepted", "tcp port 9000"),
        ("dropped", "tcp port 8000-8100"),
    ]
    assert meaning["text"].splitlines()[:4] == [
        "meaning: 2 groups of packets change",
        "  newly accepted: ingress tcp port 9000",
        "    before: drop by default-ingress",
        "    after: accept by web[0] of firewall_policies",
    ]


def test_where_nothing_changes_it_says_so(machine: Machine) -> None:
    machine.run()
    assert machine.plan()["text"] == "meaning: no change in meaning"


def test_only_the_form_changes(machine: Machine) -> None:
    machine.run()
    result = machine.run(_with_rules(_tcp("8000-8100"), _tcp(443), _tcp(80)))
    assert result["changed"]
    assert result["meaning"]["same"]
    assert result["diff"]["prepared"] == "meaning: no change in meaning\n"


def test_a_rule_added_by_hand_is_part_of_what_is_live(machine: Machine) -> None:
    machine.run()
    machine.network.nft("insert rule inet palisade ingress ip saddr 192.0.2.7 tcp dport 443 drop comment byhand")
    meaning = machine.plan()
    assert meaning["note"] == _READ
    (group,) = meaning["groups"]
    assert (group["change"], group["packets"]) == ("accepted", "tcp port 443 from 192.0.2.7")
    assert group["before"]["rule"] == "byhand"
    assert group["after"] == {"verdict": "accept", "rule": "web[0]", "variable": "firewall_policies"}
    machine.run()
    assert machine.plan()["same"]


def test_a_rule_removed_by_hand_is_missed(machine: Machine) -> None:
    machine.run(_FEWER)
    machine.network.nft("flush chain inet palisade input")
    meaning = machine.plan(_FEWER)
    assert meaning["note"] == _READ
    assert [group["change"] for group in meaning["groups"]] == ["dropped"]
    assert "tcp from" in meaning["groups"][0]["witness"]["text"]


def test_what_cannot_be_read_is_not_guessed(machine: Machine) -> None:
    machine.run()
    machine.network.nft("insert rule inet palisade input meta mark 1 drop")
    meaning = machine.plan()
    assert (meaning["same"], meaning["groups"]) == (False, [])
    assert meaning["undecided"] == ["rule 1 of the chain input, not understood: the expression 'meta mark'"]
    assert "undecided, so there may be more changes by: rule 1 of the chain input" in meaning["text"]


def _without_json(machine: Machine, folder: pathlib.Path) -> None:
    real = shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin:/bin")
    program = folder / "nft"
    program.write_text('#!/bin/sh\n[ "$1" = -j ] && exit 1\nexec %s "$@"\n' % real, encoding="utf-8")
    program.chmod(0o755)
    machine.search_path = str(folder)


def test_an_nft_without_json_and_a_table_altered_by_hand(machine: Machine, tmp_path: pathlib.Path) -> None:
    machine.run()
    machine.network.nft("insert rule inet palisade input tcp dport 443 drop")
    _without_json(machine, tmp_path)
    meaning = machine.plan(_FEWER)
    assert not meaning["same"]
    assert "could not be read back (nft on this host lists nothing as JSON)" in meaning["note"]
    assert _changes(meaning) == [("dropped", "tcp port 443, 8000-8100")]


def test_an_nft_without_json_and_no_history(machine: Machine, tmp_path: pathlib.Path) -> None:
    machine.run()
    shutil.rmtree(machine.root / "etc/palisade/history")
    _without_json(machine, tmp_path)
    meaning = machine.plan(_FEWER)
    assert (meaning["same"], meaning["groups"]) == (False, [])
    assert meaning["note"].startswith("what is live could not be found out: ")


@pytest.mark.parametrize("damage", ["gone", "no JSON", "of an earlier version", "of another ruleset"])
def test_without_what_the_last_run_kept_the_kernel_is_read(machine: Machine, damage: str) -> None:
    machine.run()
    (kept,) = machine.history()
    if damage == "gone":
        kept.unlink()
    elif damage == "no JSON":
        kept.write_text("[", encoding="utf-8")
    else:
        data = json.loads(kept.read_text("utf-8"))
        if damage == "of an earlier version":
            del data["held"], data["facts"]
        else:
            data["variables"] = _FEWER
        kept.write_text(json.dumps(data), encoding="utf-8")
    meaning = machine.plan(_FEWER)
    assert meaning["note"] == _READ
    assert _changes(meaning) == [("dropped", "tcp port 443, 8000-8100")]


def test_what_was_found_out_on_the_host_counts(machine: Machine) -> None:
    """A safeguard that finds something else than in the last run changes the meaning of the same variables."""
    variables = {**OFFICE_AND_WEB, "firewall_default_egress": "drop"}
    (machine.root / "etc/resolv.conf").write_text("nameserver 192.0.2.53\n", encoding="utf-8")
    machine.run(variables)
    (machine.root / "etc/resolv.conf").write_text("nameserver 192.0.2.54\n", encoding="utf-8")
    meaning = machine.plan(variables)
    assert meaning["note"] == ""
    assert _changes(meaning) == [
        ("accepted", "tcp, udp port 53 to 192.0.2.54"),
        ("dropped", "tcp, udp port 53 to 192.0.2.53"),
    ]
    assert [group["direction"] for group in meaning["groups"]] == ["egress", "egress"]


def test_removing_everything_accepts_everything(machine: Machine) -> None:
    machine.run()
    meaning = machine.run(state="absent", check_mode=True)["meaning"]
    assert [group["change"] for group in meaning["groups"]] == ["accepted"]
    assert meaning["groups"][0]["after"]["rule"] == "no ruleset"
    machine.run(state="absent")
    assert machine.run(state="absent", check_mode=True)["meaning"]["same"]


def test_it_is_worked_out_in_diff_mode_alone(machine: Machine) -> None:
    assert "meaning" not in machine.run(diff=False)
    assert "meaning" in machine.run(_FEWER, diff=True)


def test_going_back_is_told_like_any_other_change(machine: Machine) -> None:
    machine.run()
    machine.run(_FEWER)
    meaning = machine.run(check_mode=True, restore="previous")["meaning"]
    assert _changes(meaning) == [("accepted", "tcp port 443, 8000-8100")]


def test_of_many_groups_the_rest_is_counted(machine: Machine) -> None:
    machine.run(_with_rules(*(_tcp(port) for port in range(1000, 1060, 2))))
    meaning = machine.plan(_with_rules(*(_tcp(port) for port in range(2000, 2060, 2))))
    assert (len(meaning["groups"]), meaning["more"]) == (20, 40)
    assert meaning["text"].splitlines()[-1] == "  and 40 more groups of packets"
