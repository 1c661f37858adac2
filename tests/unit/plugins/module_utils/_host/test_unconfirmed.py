# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What takes a change back brings the kernel to where it was, whatever the change; and its timer."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import re
import time
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host import scratch, unconfirmed, watchdog
from ansible_collections.palisade.nftables.plugins.module_utils._host.apply import run
from ansible_collections.palisade.nftables.plugins.module_utils._host.confirm import Confirm, Phase
from ansible_collections.palisade.nftables.plugins.module_utils._host.options import Host, Options, Result
from ansible_collections.palisade.nftables.plugins.module_utils._host.unconfirmed import UnconfirmedError
from tests.unit.plugins.module_utils.conftest import OFFICE_AND_WEB

if t.TYPE_CHECKING:
    from lab.namespaces import Host as LabHost

_OTHER = {**OFFICE_AND_WEB, "firewall_assigned": ["web"], "firewall_networks": {"office": ["203.0.113.0/25"]}}


@dataclasses.dataclass
class Machine:
    """A lab host's network, and a file system below a folder of the test."""

    network: LabHost
    root: pathlib.Path

    def run(self, variables: t.Mapping[str, t.Any], confirm: Confirm, *, check_mode: bool = False) -> Result:
        options = Options(variables=variables, connection="podman", confirm=confirm, check_mode=check_mode)
        return t.cast("Result", self.network.call(run, options, self.host))

    @property
    def host(self) -> Host:
        return Host(str(self.root), environ={})

    def begin(self, variables: t.Mapping[str, t.Any], timeout: int = 600) -> str:
        result = self.run(variables, Confirm(Phase.BEGIN, timeout))
        return str(result["confirmation"]["token"])

    def withdraw(self) -> bool:
        pending = unconfirmed.find_pending(self.host.files)
        assert pending is not None
        return t.cast("bool", self.network.call(unconfirmed.withdraw, self.host.files, pending, "the test says so"))

    def ruleset(self) -> str:
        return self.network.run(["nft", "-s", "list", "ruleset"]).stdout

    def files(self) -> t.List[str]:
        return sorted(str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_file())


@pytest.fixture(name="machine")
def fixture_machine(network: LabHost, tmp_path: pathlib.Path) -> Machine:
    for folder in ("etc/systemd/system", "run"):
        (tmp_path / folder).mkdir(parents=True)
    return Machine(network, tmp_path)


_HANDS: t.Mapping[str, str] = {
    "untouched": "",
    "a rule added by hand": "add rule inet palisade ingress tcp dport 9999 accept\n",
    "a set altered by hand": "add set inet palisade mine { type ipv4_addr; elements = { 192.0.2.9 } }\n",
    "a base chain altered by hand": "add chain inet palisade input { type filter hook input priority 0; policy drop; "
    "}\n",
}


@pytest.mark.parametrize("hand", _HANDS)
@pytest.mark.parametrize("layout", ["auto", "ordered"])
def test_a_change_is_taken_back_to_what_there_was(machine: Machine, layout: str, hand: str) -> None:
    before, after = ({**one, "firewall_layout": layout} for one in (OFFICE_AND_WEB, _OTHER))
    machine.run(before, Confirm())
    machine.network.nft(_HANDS[hand] or "list tables\n")
    ruleset = machine.ruleset()
    machine.begin(after)
    assert machine.ruleset() != ruleset
    assert machine.withdraw()
    assert machine.ruleset() == ruleset


@pytest.mark.parametrize("layout", ["auto", "ordered"])
def test_a_hook_that_was_not_there_filters_nothing_once_the_change_is_taken_back(machine: Machine, layout: str) -> None:
    variables = {**OFFICE_AND_WEB, "firewall_layout": layout}
    machine.run({**variables, "firewall_published": "leave"}, Confirm())
    # As a version left it that knew nothing of published ports.
    machine.network.nft("delete chain inet palisade forward\n")
    ruleset = machine.ruleset()
    machine.begin(variables)
    pending = machine.root / "run/palisade/pending.json"
    described = json.loads(pending.read_text(encoding="utf-8"))
    # What only tidies up may fail; what decides packets is the first text alone.
    pending.write_text(json.dumps({**described, "undo": described["undo"][:1]}), encoding="utf-8")
    forward = "\tchain forward {\n\t\ttype filter hook forward priority filter; policy accept;\n\t\t"
    assert forward in machine.ruleset()
    assert machine.withdraw()
    assert "hook forward" in machine.ruleset()
    assert forward not in machine.ruleset()
    machine.run({**variables, "firewall_published": "leave"}, Confirm())
    machine.network.nft("delete chain inet palisade forward\n")
    machine.begin(variables)
    assert machine.withdraw()
    assert machine.ruleset() == ruleset


def _spoil_undo(machine: Machine, **values: t.Any) -> None:
    """Has nft refuse the rules from before, and changes what else waits."""
    pending = machine.root / "run/palisade/pending.json"
    described = json.loads(pending.read_text(encoding="utf-8"))
    described["undo"][0] = "flush chain inet palisade there_is_none\n"
    pending.write_text(json.dumps({**described, **values}), encoding="utf-8")


def test_where_the_rules_from_before_are_refused_those_that_are_saved_come_back(machine: Machine) -> None:
    (machine.root / "run/systemd/system").mkdir(parents=True)
    machine.run(OFFICE_AND_WEB, Confirm())
    ruleset = machine.ruleset()
    machine.begin(_OTHER)
    _spoil_undo(machine)
    assert machine.withdraw()
    assert machine.ruleset() == ruleset


def test_where_nothing_from_before_can_be_loaded_there_is_a_way_in(machine: Machine) -> None:
    # Nothing is saved here, as there is no systemd.
    machine.run(OFFICE_AND_WEB, Confirm())
    token = machine.begin({**_OTHER, "firewall_safeguards": {"ssh": {"ports": 2222}}})
    _spoil_undo(machine)
    assert not machine.withdraw()
    ruleset = machine.ruleset()
    assert "tcp dport { 22, 2222 } accept" in ruleset
    assert "policy/web" not in ruleset
    report = machine.run(_OTHER, Confirm(Phase.REPORT, token=token))["confirmation"]
    assert "nft refused the rules from before, so the safeguard set is in force: open connections" in report["message"]
    assert "there_is_none" in report["message"]
    machine.run(OFFICE_AND_WEB, Confirm())
    assert "policy/web" in machine.ruleset()


def test_a_first_load_is_taken_back_to_nothing(machine: Machine) -> None:
    machine.network.nft("table inet other { chain input { type filter hook input priority 5; accept; }\n}\n")
    ruleset = machine.ruleset()
    machine.begin(OFFICE_AND_WEB)
    assert "palisade" in machine.ruleset()
    assert machine.withdraw()
    assert machine.ruleset() == ruleset


def test_a_timer_that_runs_out_takes_the_change_back(machine: Machine) -> None:
    machine.run(OFFICE_AND_WEB, Confirm())
    ruleset, files = machine.ruleset(), machine.files()
    token = machine.begin(_OTHER, timeout=1)
    deadline = time.monotonic() + 20
    while machine.ruleset() != ruleset or "run/palisade/pending.json" in machine.files():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    report = machine.run(_OTHER, Confirm(Phase.REPORT, token=token))["confirmation"]
    assert report["state"] == "taken_back"
    assert "no confirmation came within 1 seconds; the host took it back" in report["message"]
    assert machine.files() == files
    with pytest.raises(UnconfirmedError, match="does not wait any more"):
        machine.run(_OTHER, Confirm(Phase.CONFIRM, token=token))


def test_a_confirmed_change_stays_and_its_timer_ends(machine: Machine) -> None:
    machine.run(OFFICE_AND_WEB, Confirm())
    token = machine.begin(_OTHER)
    pending = unconfirmed.find_pending(machine.host.files)
    assert pending is not None
    assert watchdog.is_armed(pending.timer)
    with pytest.raises(UnconfirmedError, match="waits for its confirmation"):
        machine.run(OFFICE_AND_WEB, Confirm())
    with pytest.raises(UnconfirmedError, match="does not wait any more"):
        machine.run(_OTHER, Confirm(Phase.CONFIRM, token="0" * 32))
    result = machine.run(_OTHER, Confirm(Phase.CONFIRM, token=token))
    assert result["confirmation"].pop("waited") >= 0
    assert result["confirmation"] == {"state": "confirmed"}
    assert not watchdog.is_armed(pending.timer)
    assert "run/palisade/take_back.py" not in machine.files()
    assert not machine.run(_OTHER, Confirm())["changed"]


def test_a_confirmation_whose_end_was_not_heard_is_finished_when_it_comes_again(machine: Machine) -> None:
    machine.run(OFFICE_AND_WEB, Confirm())
    token = machine.begin(_OTHER)
    pending = unconfirmed.find_pending(machine.host.files)
    assert pending is not None
    # As far as an execution got that was killed right then, with its connection.
    machine.network.call(unconfirmed.forget, machine.host.files, pending)
    waiting = machine.ruleset()
    result = machine.run(_OTHER, Confirm(Phase.CONFIRM, token=token))
    assert result["confirmation"]["state"] == "confirmed"
    assert machine.ruleset() != waiting
    assert not machine.run(_OTHER, Confirm())["changed"]
    # All of it was done, and only its answer was lost.
    assert machine.run(_OTHER, Confirm(Phase.CONFIRM, token=token))["confirmation"]["state"] == "confirmed"


def test_a_confirmation_that_cannot_be_made_says_what_becomes_of_the_change(machine: Machine) -> None:
    machine.run(OFFICE_AND_WEB, Confirm())
    ruleset = machine.ruleset()
    token = machine.begin(_OTHER, timeout=3)
    record = machine.root / "etc/palisade/applied.json"
    record.unlink()
    record.symlink_to("elsewhere")
    with pytest.raises(
        UnconfirmedError,
        match=r"symbolic link; (?s:.*)\nSo the change was not confirmed, and the host takes it back by",
    ):
        machine.run(_OTHER, Confirm(Phase.CONFIRM, token=token))
    deadline = time.monotonic() + 20
    while machine.ruleset() != ruleset:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("seconds", [-86400, 86400])
def test_a_clock_that_is_set_makes_no_timer_longer_or_shorter(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    machine.run(OFFICE_AND_WEB, Confirm())
    token = machine.begin(_OTHER)
    pending = unconfirmed.find_pending(machine.host.files)
    assert pending is not None
    now = time.time() + seconds
    monkeypatch.setattr(time, "time", lambda: now)
    assert 500 < unconfirmed.seconds_left(pending) <= 600
    waited = machine.run(_OTHER, Confirm(Phase.CONFIRM, token=token))["confirmation"]["waited"]
    assert 0 <= waited < 100


@pytest.mark.parametrize(
    "command", ["flush ruleset\n", "insert rule inet palisade ingress accept\n"], ids=["all is gone", "another rule"]
)
def test_other_rules_than_those_that_were_made_are_not_confirmed(machine: Machine, command: str) -> None:
    """What was proved would be that they let in, or that none keep anybody out."""
    (machine.root / "run/systemd/system").mkdir(parents=True)
    machine.run(OFFICE_AND_WEB, Confirm())
    ruleset, files = machine.ruleset(), machine.files()
    token = machine.begin(_OTHER)
    machine.network.nft(command)
    with pytest.raises(UnconfirmedError, match="other rules were in force than those that were to be confirmed"):
        machine.run(_OTHER, Confirm(Phase.CONFIRM, token=token))
    assert machine.ruleset() == ruleset
    assert machine.files() == files


def test_without_namespaces_a_change_is_confirmed_as_well(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(scratch, "_unshare_network", refuse)
    for variables in (OFFICE_AND_WEB, _OTHER, OFFICE_AND_WEB):
        token = machine.begin(variables)
        result = machine.run(variables, Confirm(Phase.CONFIRM, token=token))
        assert result["confirmation"]["state"] == "confirmed"
        assert not machine.run(variables, Confirm())["changed"]
    token = machine.begin(_OTHER)
    machine.network.nft("insert rule inet palisade ingress accept\n")
    with pytest.raises(UnconfirmedError, match="other rules were in force"):
        machine.run(_OTHER, Confirm(Phase.CONFIRM, token=token))


def test_a_plan_says_that_what_it_sees_may_not_stay(machine: Machine) -> None:
    machine.run(OFFICE_AND_WEB, Confirm())
    token = machine.begin(_OTHER)
    plan = machine.run(_OTHER, Confirm(), check_mode=True)
    assert any(
        re.fullmatch(r"a change that .* waits for its confirmation, for \d+ seconds .* may be taken back", warning)
        for warning in plan["warnings"]
    )
    machine.run(_OTHER, Confirm(Phase.CONFIRM, token=token))
    assert not any("waits" in warning for warning in machine.run(_OTHER, Confirm(), check_mode=True)["warnings"])


def test_without_a_change_nothing_waits(machine: Machine) -> None:
    machine.run(OFFICE_AND_WEB, Confirm())
    assert "confirmation" not in machine.run(OFFICE_AND_WEB, Confirm(Phase.BEGIN, 600))
    assert unconfirmed.find_pending(machine.host.files) is None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"token": 1}'])
def test_a_note_that_no_run_wrote_stops_a_run_and_is_named(machine: Machine, text: str) -> None:
    folder = machine.root / "run/palisade"
    folder.mkdir(mode=0o700)
    (folder / "pending.json").write_text(text, encoding="utf-8")
    with pytest.raises(
        UnconfirmedError, match=r"/run/palisade/pending\.json is not what a run of Palisade wrote there"
    ):
        machine.run(OFFICE_AND_WEB, Confirm())
    assert machine.ruleset() == ""
