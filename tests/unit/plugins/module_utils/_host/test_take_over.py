# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Taking over from services that load rules, with real tables in a kernel; a program stands in for systemd."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host.boot import LOADED
from ansible_collections.palisade.nftables.plugins.module_utils._host.nftables_service import DROP_IN, drop_in_for
from ansible_collections.palisade.nftables.plugins.module_utils._host.take_over import (
    Plan,
    TakeOver,
    TakeOverError,
)
from tests.unit.plugins.module_utils._host.host_services import HostServices
from tests.unit.plugins.module_utils._host.manager_scene import Scene

if t.TYPE_CHECKING:
    from lab.namespaces import Host as LabHost

NFTABLES_UNIT = "[Service]\nExecStop=/usr/sbin/nft flush ruleset\n"
FILTER = """\
table inet filter {
  chain input {
    type filter hook input priority 0; policy drop
    tcp dport 22 jump trusted
  }
  chain trusted {
    accept
  }
  chain forward {
    type filter hook forward priority 0
  }
}
"""
SAVED = "*filter\n:INPUT DROP [0:0]\n-A INPUT -p tcp --dport 22 -j ACCEPT\nCOMMIT\n"


@pytest.fixture
def host(tmp_path: pathlib.Path) -> HostServices:
    return HostServices(tmp_path)


@pytest.fixture
def scene(host: HostServices, network: LabHost) -> Scene:
    return Scene(host, network)


class TestNftablesService:
    @pytest.fixture(autouse=True)
    def _service(self, host: HostServices) -> None:
        host.install("nftables", active=True, enabled=True, text=NFTABLES_UNIT)
        host.write("/etc/nftables.conf", "flush ruleset\n" + FILTER)
        host.boot_systemd()

    def test_its_table_goes_and_its_stop_action_is_not_run(self, scene: Scene) -> None:
        scene.machine.nft(FILTER + "table inet by_hand {\n}\n")
        before = scene.show("inet palisade")
        plan = scene.plan()
        assert plan.changes == (
            "disable nftables.service, without stopping it (back: systemctl enable nftables.service)",
            "delete the table 'inet filter' of nftables.service (back: systemctl enable nftables.service, and reboot)",
        )
        assert scene.tables() == ["inet palisade", "inet filter", "inet by_hand"], "a plan changes nothing"
        assert scene.host.calls == []
        assert scene.take_over(plan) == TakeOver(plan.changes, ())
        assert scene.tables() == ["inet palisade", "inet by_hand"]
        assert scene.show("inet palisade") == before
        assert scene.host.calls == ["disable nftables.service"], "a mask would hide it from the units that follow it"
        assert scene.names() == []
        (sentence,) = plan.remains
        assert "do not stop it, because that deletes the tables of everybody but Palisade, or reload" in sentence

    @pytest.mark.parametrize(
        ("override", "words"),
        [
            ("ExecStop=\n", "do not reload or restart it"),
            (
                "ExecStop=\nExecStop=/usr/sbin/nft delete table inet filter\n",
                "do not reload or restart it",
            ),
            (
                "ExecStop=\nExecStop=/usr/sbin/nft  flush ruleset\n",
                "do not stop it, because that deletes the tables of everybody but Palisade, or reload or restart it",
            ),
            (
                "ExecStopPost=/usr/bin/logger stopped\n",
                "do not stop it, because that deletes the tables of everybody, for an instant also of Palisade, or",
            ),
        ],
    )
    def test_what_not_to_do_to_the_service_is_what_its_commands_do(
        self, scene: Scene, override: str, words: str
    ) -> None:
        scene.machine.nft(FILTER)
        scene.host.write("/etc/systemd/system/nftables.service.d/override.conf", "[Service]\n" + override)
        (sentence,) = scene.plan().remains
        assert "Until then %s" % words in sentence

    def test_what_our_drop_in_does_about_it_is_not_what_the_service_does(self, scene: Scene) -> None:
        scene.machine.nft(FILTER)
        before = scene.plan().remains
        made = drop_in_for(str(scene.host.root), "/usr/sbin/nft", LOADED)
        assert made is not None
        scene.host.write(DROP_IN, made.text)
        assert scene.plan().remains == before

    @pytest.mark.parametrize(
        "more",
        [
            "add chain inet filter of_others",
            "add rule inet filter forward drop",
            "delete rule inet filter input handle 4; delete chain inet filter trusted",
        ],
        ids=["more than its file says", "forwarded packets", "less than its file says"],
    )
    def test_a_table_that_may_be_of_others_stays_and_is_named(self, scene: Scene, more: str) -> None:
        scene.machine.nft(FILTER + "table ip filter {\n}\n")
        if "handle" in more:
            listed = scene.machine.run(["nft", "-a", "list", "table", "inet", "filter"]).stdout
            handle = next(line.split()[-1] for line in listed.splitlines() if "jump trusted" in line)
            more = more.replace("handle 4", "handle " + handle)
        scene.machine.nft(more.replace("; ", "\n") + "\n")
        plan = scene.plan()
        assert len(plan.changes) == 1
        assert any("'nft delete table inet filter' removes it" in sentence for sentence in plan.remains)
        scene.take_over(plan)
        assert "inet filter" in scene.tables()
        assert scene.names() == ["nftables.service"]
        assert scene.plan().changes == (), "nothing is done twice"

    def test_a_table_that_is_gone_already_is_no_problem(self, scene: Scene) -> None:
        scene.machine.nft(FILTER)
        plan = scene.plan()
        scene.machine.nft("delete table inet filter\n")
        assert scene.take_over(plan).problems == ()


class TestManagersOfIptables:
    @pytest.mark.parametrize(
        ("service", "files", "command"),
        [
            ("netfilter-persistent", {"/etc/iptables/rules.v4": SAVED}, "iptables -P INPUT ACCEPT"),
            ("iptables", {"/etc/sysconfig/iptables": SAVED}, "iptables -P INPUT ACCEPT"),
            ("ferm", {"/etc/ferm/ferm.conf": ""}, "iptables -P INPUT ACCEPT"),
            ("shorewall", {"/etc/shorewall/shorewall.conf": "STARTUP_ENABLED=Yes\n"}, "shorewall clear"),
        ],
    )
    def test_rules_in_shared_tables_stay_and_are_named(
        self, scene: Scene, service: str, files: t.Mapping[str, str], command: str
    ) -> None:
        scene.host.install(service, active=True, enabled=True)
        for path, text in files.items():
            scene.host.write(path, text)
        scene.host.boot_systemd()
        plan = scene.plan()
        assert plan.changes == (
            "disable and mask %(name)s.service, without stopping it (back: systemctl unmask %(name)s.service; "
            "systemctl enable %(name)s.service)" % {"name": service},
        )
        (sentence,) = plan.remains
        assert sentence.startswith("rules of %s stay in the tables of iptables until the next boot" % service)
        assert command in sentence
        assert scene.take_over(plan).problems == ()
        assert scene.host.calls == ["disable %s.service" % service, "mask %s.service" % service]
        assert scene.names() == []

    def test_what_loaded_nothing_leaves_nothing(self, scene: Scene) -> None:
        scene.host.install("netfilter-persistent", enabled=True)
        scene.host.write("/etc/iptables/rules.v4", SAVED)
        scene.host.boot_systemd()
        assert scene.plan().remains == ()

    def test_the_daemon_of_csf_ends(self, scene: Scene) -> None:
        for service in ("csf", "lfd"):
            scene.host.install(service, active=True, enabled=True)
        scene.host.write("/etc/csf/csf.conf")
        scene.host.boot_systemd()
        plan = scene.plan()
        assert [sentence.partition(",")[0] for sentence in plan.changes] == [
            "disable and mask csf.service",
            "disable and mask lfd.service",
            "end the process of lfd.service",
        ]
        assert scene.take_over(plan).problems == ()
        assert scene.names() == []

    def test_a_unit_that_the_operator_wrote_is_disabled_only(self, scene: Scene) -> None:
        scene.host.install("ferm", enabled=True)
        scene.host.write("/etc/ferm/ferm.conf")
        scene.host.write("/etc/systemd/system/ferm.service", "[Service]\n")
        scene.host.boot_systemd()
        plan = scene.plan()
        assert plan.changes == ("disable ferm.service, without stopping it (back: systemctl enable ferm.service)",)
        scene.take_over(plan)
        assert scene.host.calls == ["disable ferm.service"]

    def test_openrc(self, scene: Scene) -> None:
        scene.host.write("/etc/init.d/iptables")
        scene.host.write("/etc/iptables/rules-save", SAVED)
        scene.host.link("/etc/runlevels/boot/iptables", "/etc/init.d/iptables")
        scene.host.program(
            "rc-update", '#!/bin/sh\n# Stands in for OpenRC.\nrm "%s/etc/runlevels/boot/$3"\n' % scene.host.root
        )
        plan = scene.plan()
        assert plan.changes == (
            "take iptables out of the runlevels, without stopping it (back: rc-update add iptables boot)",
        )
        assert scene.take_over(plan).problems == ()
        assert scene.names() == []


def test_a_host_that_would_be_open_after_a_reboot_is_refused(scene: Scene) -> None:
    assert scene.plan(survives_reboot=False) == Plan((), ())
    scene.host.install("firewalld", enabled=True)
    scene.host.boot_systemd()
    with pytest.raises(TakeOverError, match="without firewalld it would be open then"):
        scene.plan(survives_reboot=False)


def test_a_step_that_fails_is_told_and_the_next_run_goes_on(scene: Scene) -> None:
    scene.host.install("firewalld", active=True, enabled=True)
    scene.host.install("ferm", enabled=True)
    scene.host.write("/etc/ferm/ferm.conf")
    scene.host.boot_systemd("mask")
    plan = scene.plan()
    result = scene.take_over(plan)
    assert result.done == ()
    assert [problem.partition(":")[0] for problem in result.problems] == [
        "taking over from firewalld is not complete",
        "taking over from ferm is not complete",
    ]
    assert "kill --signal=SIGKILL firewalld.service" not in scene.host.calls, "what follows waits"
    scene.host.boot_systemd()
    assert scene.take_over(scene.plan()).problems == ()
    assert scene.names() == []
