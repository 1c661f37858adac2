# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module ``probe`` as a task, on hosts of the lab."""

from __future__ import annotations

import json
import typing as t

import yaml

from ansible_collections.palisade.nftables.plugins.modules import probe as probe_module
from lab.connections import Server

if t.TYPE_CHECKING:
    from .fleet import Fleet, Run


def run_tasks(fleet: Fleet, *options: t.Mapping[str, t.Any], arguments: t.Sequence[str] = ()) -> Run:
    tasks = [{"palisade.nftables.probe": one, "ignore_errors": True} for one in options]
    fleet.write("probe.yml", json.dumps([{"hosts": "outsider", "gather_facts": False, "tasks": tasks}]))
    return fleet.run("probe.yml", *arguments)


def test_it_asks_in_check_mode_and_refuses_what_it_cannot_do(fleet: Fleet) -> None:
    host = fleet.add("web1", "192.0.2.1")
    fleet.add("outsider", "192.0.2.9")
    here = {"address": "192.0.2.1"}
    with Server(host, tcp=[80], udp=[123]):
        run = run_tasks(
            fleet,
            {"targets": [{**here, "port": 80}, {**here, "protocol": "udp", "port": 123}, {**here, "protocol": "icmp"}]},
            {"targets": [{**here, "port": 0}, {"address": "web1", "port": 1}]},
            {"targets": [], "timeout": 600},
            {"targets": [], "at_once": 0},
            {"targets": [{**here, "port": 80}] * 5000},
            arguments=["--check"],
        )
    asked, wrong, long, none_at_once, many = [data for _word, host_name, data in run.results if host_name == "outsider"]
    assert [answer["outcome"] for answer in asked["answers"]] == ["connected", "answered", "answered"]
    assert asked["counts"] == {"answered": 2, "connected": 1}
    assert asked["changed"] is False
    assert wrong["msg"].splitlines() == [
        "targets[0].port: '0' is not one port (1-65535)",
        "targets[1].address: 'web1' is not an address such as 192.0.2.1 or 2001:db8::1",
    ]
    assert long["msg"] == "timeout: 600.0 is not from 0.1 to 60"
    assert none_at_once["msg"] == "at_once: 0 is not from 1 to 500"
    assert many["msg"] == "targets: 5000 are more than 4096"
    documented = yaml.safe_load(probe_module.RETURN)
    assert set(documented["answers"]["contains"]) == set(asked["answers"][0])
    assert set(documented) <= set(asked)
