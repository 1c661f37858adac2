# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a change cuts off is said when it begins: real connections of a lab host."""

from __future__ import annotations

import socket
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host.cuts import describe_cuts
from tests.unit.plugins.module_utils.conftest import OFFICE_AND_WEB

from .live_machine import ANY4, CALLER, TCP, Machine

CLOSED: t.Mapping[str, t.Any] = {**OFFICE_AND_WEB, "firewall_default_egress": "drop"}


@pytest.fixture(name="database")
def fixture_database(machine: Machine) -> t.Iterator[None]:
    """A connection that the host opened to port 5432 of the other one, and one that was opened to its own port 80."""
    with machine.caller.socket(socket.AF_INET, TCP) as database:
        database.bind((CALLER, 5432))
        database.listen()
        machine.call(5432, far=machine.network, address=CALLER)
        machine.serve(ANY4, 80)
        machine.call(80)
        yield


@pytest.mark.usefixtures("database")
def test_a_change_that_cuts_a_connection_off_warns_when_it_begins(machine: Machine) -> None:
    opened = machine.apply()
    assert (opened["cuts"], [one for one in opened["warnings"] if "egress-cut" in one]) == ([], [])
    closed = machine.apply(CLOSED)
    (cut,) = closed["cuts"]
    assert (cut["protocol"], cut["address"], cut["port"]) == ("tcp", CALLER, 5432)
    assert (cut["verdict"], cut["rule"]) == ("drop", "default-egress")
    (warning,) = [one for one in closed["warnings"] if "egress-cut" in one]
    assert "tcp to 192.0.2.7 port 5432 (%s), by default-egress" % cut["process"] in warning
    assert machine.apply(CLOSED)["cuts"] == []
    again = machine.apply({**CLOSED, "firewall_assigned": ["web"]})
    assert again["changed"]
    assert again["cuts"] == []


@pytest.mark.usefixtures("database")
def test_the_first_ruleset_of_a_host_can_cut_it_off_and_the_plan_says_so(machine: Machine) -> None:
    assert [cut["port"] for cut in machine.apply(CLOSED, check_mode=True)["cuts"]] == [5432]
    rule = {"direction": "egress", "service": "postgresql", "action": "accept"}
    policies = {**OFFICE_AND_WEB["firewall_policies"], "database": {"rules": [rule]}}
    mended = {**CLOSED, "firewall_policies": policies, "firewall_assigned": ["ssh", "web", "database"]}
    assert machine.apply(mended)["cuts"] == []


def test_many_cuts_are_counted() -> None:
    cut = {"protocol": "tcp", "address": CALLER, "process": None, "verdict": "drop", "rule": "default-egress"}
    (warning,) = describe_cuts([{**cut, "port": port} for port in range(1, 14)])
    assert "port 10, by default-egress; and 3 more, in the result of the task. Add" in warning
