# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is live on a lab host: packets that are counted, and tables that somebody edited."""

from __future__ import annotations

import datetime
import json
import pathlib

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host.persistence import Mode
from tests.unit.plugins.module_utils.conftest import OFFICE_AND_WEB

from .live_machine import ANY4, Machine, accept, by_name, by_port

# Rules and counters


def test_r102_rules_are_reviewed_with_what_they_counted(machine: Machine) -> None:
    machine.apply()
    machine.serve(ANY4, 80)
    machine.call(80).close()
    ruleset = machine.ask()
    names = [rule["name"] for rule in ruleset["rules"]]
    assert names[-4:] == ["ping[0]", "ssh[0]", "web[0]", "default-ingress"]
    web, ssh = by_name(ruleset)["web[0]"], by_name(ruleset)["ssh[0]"]
    assert (web["policy"], web["index"], web["variable"], web["stage"]) == ("web", 0, "firewall_policies", "assigned")
    assert (web["direction"], web["action"], web["text"]) == (
        "ingress",
        "accept",
        "accept tcp port 80, 443, 8000-8100",
    )
    assert web["packets"] == 1
    assert web["bytes"] >= 40
    assert not web["never_hit"]
    assert (ssh["packets"], ssh["bytes"], ssh["never_hit"]) == (0, 0, True)
    established = by_name(ruleset)["established"]
    assert (established["packets"], established["never_hit"]) == (None, False)
    assert (ruleset["present"], ruleset["layout"]) == (True, "auto")


def test_without_counters_no_rule_was_never_hit(machine: Machine) -> None:
    machine.apply({**OFFICE_AND_WEB, "firewall_counters": False})
    ruleset = machine.ask()
    assert {(rule["packets"], rule["never_hit"]) for rule in ruleset["rules"]} == {(None, False)}
    assert ruleset["counting_since"] is None
    assert not [note for note in ruleset["notes"] if "count" in note]
    assert machine.text().splitlines()[0].endswith(", counting nothing")


def test_since_when_is_counted(machine: Machine) -> None:
    """A change keeps the counters, and a rule that is added counts from then on; a table made anew starts again."""
    machine.apply()
    first = machine.ask()
    assert first["counting_since"] is not None
    assert by_name(first)["web[0]"]["counting_since"] == first["counting_since"] == first["changed_at"]
    _shift_notes(machine.root, -3600)
    hour_before = machine.ask()["counting_since"]
    assert _seconds(first["counting_since"]) - _seconds(hour_before) == pytest.approx(3600, abs=1)

    rules = [*OFFICE_AND_WEB["firewall_policies"]["web"]["rules"], accept(8443)]
    policies = {**OFFICE_AND_WEB["firewall_policies"], "web": {"rules": rules}}
    machine.apply({**OFFICE_AND_WEB, "firewall_policies": policies})
    changed = machine.ask()
    assert changed["counting_since"] == hour_before
    assert by_name(changed)["web[0]"]["counting_since"] == hour_before
    assert _seconds(by_name(changed)["web[1]"]["counting_since"]) > _seconds(hour_before) + 3000

    machine.nft("delete table inet palisade")
    machine.apply({**OFFICE_AND_WEB, "firewall_policies": policies})
    again = machine.ask()
    assert _seconds(again["counting_since"]) > _seconds(hour_before) + 3000
    assert {rule["counting_since"] for rule in again["rules"] if rule["packets"] is not None} == {
        again["counting_since"]
    }


def test_a_table_that_something_else_loaded_counts_since_nobody_knows_when(machine: Machine) -> None:
    machine.apply()
    listed = machine.network.run(["nft", "list", "table", "inet", "palisade"]).stdout
    machine.nft("delete table inet palisade\n" + listed)
    ruleset = machine.ask()
    assert ruleset["drift"]["state"] == "none"
    assert ruleset["counting_since"] is None
    assert any("something else than a run loaded the table anew" in note for note in ruleset["notes"])
    assert by_name(ruleset)["ssh[0]"]["never_hit"]


def test_after_a_boot_the_saved_ruleset_counts_since_the_boot(machine: Machine) -> None:
    machine.apply(persist=Mode.AUTO)
    (machine.root / "etc/palisade").mkdir(exist_ok=True)
    saved = machine.network.run(["nft", "-s", "list", "table", "inet", "palisade"]).stdout
    (machine.root / "etc/palisade/ruleset.nft").write_text(saved, encoding="utf-8")
    (machine.root / "run/palisade-counting.json").unlink()
    since = machine.ask()["counting_since"]
    with open("/proc/stat", encoding="ascii") as stream:
        boot = next(int(line.split()[1]) for line in stream if line.startswith("btime "))
    assert since is not None
    assert boot - 1 <= _seconds(since) <= datetime.datetime.now(datetime.timezone.utc).timestamp()


def _seconds(text: str) -> float:
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z").timestamp()


def _shift_notes(root: pathlib.Path, seconds: float) -> None:
    """As if what was noted had been noted at another time."""
    path = root / "run/palisade-counting.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    data["notes"] = [(at + seconds, newest) for at, newest in data["notes"]]
    path.write_text(json.dumps(data), encoding="utf-8")


# Drift


def test_nothing_drifted(machine: Machine) -> None:
    machine.apply()
    drift = machine.ask()["drift"]
    assert drift == {"state": "none", "missing": [], "foreign": [], "changed": []}


def test_a_rule_by_hand_is_named(machine: Machine) -> None:
    machine.apply()
    machine.nft('insert rule inet palisade input ip saddr 198.51.100.7 tcp dport 22 drop comment "byhand"')
    ruleset = machine.ask()
    assert ruleset["drift"] == {
        "state": "changed",
        "missing": [],
        "foreign": ['input: ip saddr 198.51.100.7 tcp dport 22 drop comment "byhand"'],
        "changed": [],
    }
    assert any("the kernel may decide otherwise" in note for note in ruleset["notes"])


def test_a_rule_that_is_gone_is_named(machine: Machine) -> None:
    machine.apply({**OFFICE_AND_WEB, "firewall_layout": "ordered"})
    listed = machine.network.run(["nft", "-a", "list", "chain", "inet", "palisade", "ingress"]).stdout
    handle = next(line.rpartition(" ")[2] for line in listed.splitlines() if 'comment "web[0]' in line)
    machine.nft("delete rule inet palisade ingress handle %s" % handle)
    drift = machine.ask()["drift"]
    assert (drift["state"], drift["missing"], drift["foreign"]) == ("changed", ["ingress: web[0]"], [])


def test_sets_chains_counters_and_the_order(machine: Machine) -> None:
    machine.apply({**OFFICE_AND_WEB, "firewall_layout": "ordered"})
    listed = machine.network.run(["nft", "list", "table", "inet", "palisade"]).stdout
    name = next(line.split()[1] for line in listed.splitlines() if line.startswith("\tset ip_office"))
    machine.nft("delete element inet palisade %s { 203.0.113.7 }" % name)
    machine.nft("add chain inet palisade mine")
    machine.nft("add counter inet palisade mine")
    drift = machine.ask()["drift"]
    assert drift["changed"] == ["set %s" % name]
    assert drift["foreign"] == ["chain mine", "counter mine"]
    assert drift["missing"] == []


def test_a_counter_alone(machine: Machine) -> None:
    machine.apply()
    machine.nft("add counter inet palisade mine")
    assert machine.ask()["drift"] == {"state": "changed", "missing": [], "foreign": ["counter mine"], "changed": []}


def test_a_table_that_is_gone(machine: Machine) -> None:
    machine.apply()
    machine.nft("delete table inet palisade")
    ruleset = machine.ask(OFFICE_AND_WEB)
    assert (ruleset["present"], ruleset["drift"]["state"], ruleset["rules"]) == (False, "absent", [])
    assert ruleset["wanted"] == {"equal": False, "changes": ["create the table inet palisade"]}
    assert ruleset["digest"] is not None


def test_a_table_that_is_not_ours(machine: Machine) -> None:
    machine.serve(ANY4, 80)
    machine.nft("add table inet palisade")
    ruleset = machine.ask()
    assert (ruleset["present"], ruleset["drift"]["state"]) == (False, "foreign")
    assert any("Palisade did not make it" in note for note in ruleset["notes"])
    web = by_port(ruleset)["tcp", ANY4, 80]
    assert (web["outside"], web["rule"], web["finding"]) == ("unknown", "", None)


def test_a_host_that_never_had_a_ruleset(machine: Machine) -> None:
    machine.serve(ANY4, 6379)
    ruleset = machine.ask()
    assert (ruleset["present"], ruleset["drift"]["state"], ruleset["digest"]) == (False, "none", None)
    redis = by_port(ruleset)["tcp", ANY4, 6379]
    assert (redis["outside"], redis["finding"]) == ("accept", "exposed")
    assert any("there is no ruleset of Palisade" in note for note in ruleset["notes"])


def test_a_ruleset_without_a_record(machine: Machine) -> None:
    machine.apply()
    for path in (machine.root / "etc/palisade/history").iterdir():
        path.unlink()
    unknown = machine.ask()
    assert (unknown["present"], unknown["drift"]["state"], unknown["rules"]) == (True, "unknown", [])
    told = machine.ask(OFFICE_AND_WEB)
    assert told["wanted"] == {"equal": True, "changes": []}
    assert "web[0]" in by_name(told)


def test_a_record_that_cannot_be_read(machine: Machine) -> None:
    machine.apply()
    (path,) = (machine.root / "etc/palisade/history").iterdir()
    path.write_text("{", encoding="utf-8")
    ruleset = machine.ask()
    assert ruleset["drift"]["state"] == "unknown"
    assert any("is not what a run of Palisade wrote there" in note for note in ruleset["notes"])


def test_what_is_live_and_what_is_wanted(machine: Machine) -> None:
    machine.apply()
    assert machine.ask()["wanted"] is None
    assert machine.ask(OFFICE_AND_WEB)["wanted"] == {"equal": True, "changes": []}
    other = machine.ask({**OFFICE_AND_WEB, "firewall_assigned": ["ssh"]})
    assert not other["wanted"]["equal"]
    assert "change the chains ingress, published" in other["wanted"]["changes"]
    assert other["drift"]["state"] == "none"
    assert "web[0]" in by_name(other)


def test_whether_nothing_is_left_where_nothing_is_wanted(machine: Machine) -> None:
    machine.apply()
    assert machine.ask(state="absent")["wanted"] == {"equal": False, "changes": ["delete the table inet palisade"]}
    machine.remove()
    assert machine.ask(state="absent")["wanted"] == {"equal": True, "changes": []}


def test_what_was_removed_left_nothing(machine: Machine) -> None:
    machine.apply()
    machine.remove()
    assert machine.ask()["drift"]["state"] == "none"
    assert [path.name for path in (machine.root / "run").iterdir()] == ["palisade.lock"]


def test_the_text_has_all_of_it(machine: Machine) -> None:
    machine.apply()
    machine.serve(ANY4, 22)
    text = machine.text()
    for words in (
        "drift: none",
        "ssh[0]",
        "never since",
        "0.0.0.0:22",
        "outside drop (default-ingress); office accept",
    ):
        assert words in text
    assert "open, and nobody listens:\n  tcp  80" in text


def test_a_long_ruleset_is_cut_in_the_text_alone(machine: Machine) -> None:
    rules = [accept(port) for port in range(10000, 10300, 2)]
    machine.apply({"firewall_policies": {"many": {"rules": [*rules, *rules]}}, "firewall_assigned": ["many"]})
    text = machine.text()
    assert len(machine.ask()["rules"]) == 307
    assert "many[193]" in text
    assert "many[194]" not in text
    assert "  and 107 more, in the result of the task\n" in text
