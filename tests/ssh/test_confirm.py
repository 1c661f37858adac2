# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Confirm or take back, over real ssh: a controller and a host in namespaces, and ansible-playbook between them."""

from __future__ import annotations

import socket
import time
import typing as t

import pytest

from lab.namespaces import Host
from lab.site import CONTROLLER, Site, open_site, role_play

from .deploying import (
    ACCEPTED,
    OPEN,
    SHUT,
    TIMEOUT,
    assert_nothing_waits,
    await_table,
    deploy,
    files_of,
    needs_logins,
    table_of,
)

if t.TYPE_CHECKING:
    import collections.abc

_HOST = "web"
_PORT = 4433

pytestmark = needs_logins


@pytest.fixture(name="site")
def fixture_site() -> collections.abc.Iterator[Site]:
    with open_site([_HOST]) as site:
        yield site


def _packets(host: Host) -> int:
    """Of new connections to ssh."""
    listed = host.run(["nft", "list", "counter", "inet", "palisade", "policy/ssh/0"]).stdout
    return int(listed.split("packets ")[1].split()[0])


def _deploy(site: Site, variables: t.Mapping[str, t.Any], *arguments: str) -> t.Tuple[int, str]:
    return deploy(site, variables, *arguments, hosts=_HOST)


def _begun(site: Site, variables: t.Mapping[str, t.Any]) -> None:
    """Starts a deploy, and kills its controller once the host has the new rules and nobody confirmed them."""
    host = site.hosts[_HOST]
    before = table_of(host)
    site.write_inventory(variables)
    process = site.start([role_play(_HOST)])
    try:
        deadline = time.monotonic() + 60
        while table_of(host) == before:
            assert time.monotonic() < deadline, "the rules never changed"
            time.sleep(0.02)
    finally:
        # It and the workers that it has started.
        site.controller.run(["pkill", "-KILL", "-f", "ansible-playbook"])
        process.wait(timeout=10)


def test_a_change_is_confirmed_over_a_new_connection(site: Site) -> None:
    host = site.hosts[_HOST]
    status, output = _deploy(site, OPEN)
    assert status == 0, output
    assert '"state": "confirmed"' in output
    assert "policy/web/0" in table_of(host)
    assert_nothing_waits(host)
    # The shared connection, and another one that only confirmed.
    ports = ACCEPTED.findall(site.log(_HOST))
    assert len(ports) == len(set(ports)) == 2
    # The way back is gone as well: what the last rules used.
    status, output = _deploy(site, {**OPEN, "firewall_assigned": ["ssh"]})
    assert status == 0, output
    assert "policy/web/0" not in table_of(host)
    status, output = _deploy(site, {**OPEN, "firewall_assigned": ["ssh"]})
    assert (status, "changed=0" in output, "confirmation" in output) == (0, True, False), output


@pytest.mark.parametrize("first", [True, False])
def test_a_change_that_shuts_the_way_in_is_taken_back(site: Site, *, first: bool) -> None:
    host = site.hosts[_HOST]
    if not first:
        status, output = _deploy(site, OPEN)
        assert status == 0, output
    before = table_of(host), files_of(host)
    counted = 0 if first else _packets(host)
    assert first or counted
    status, output = _deploy(site, SHUT)
    assert status == 2, output
    # The rules from before go on counting where they were.
    assert first or _packets(host) >= counted
    assert (table_of(host), files_of(host)) == before
    assert "no confirmation came within %d seconds" % TIMEOUT in output
    assert "the rules from before are in force" in output
    # Why, and what to do.
    assert "the first packet (ingress): dropped by the default action" in output
    assert "{direction: ingress, protocol: tcp, destination_ports: 22" in output
    assert_nothing_waits(host)
    status, output = _deploy(site, OPEN)
    assert status == 0, output


def test_a_connection_that_comes_after_the_timer_ran_out_is_told_what_kept_it(site: Site) -> None:
    host = site.hosts[_HOST]
    # TCP goes on asking, and is let in once the change was taken back.
    status, output = _deploy(site, {**SHUT, "ansible_timeout": 6 * TIMEOUT})
    assert status == 2, output
    assert table_of(host) == ""
    assert "no confirmation came within %d seconds" % TIMEOUT in output
    assert "the first packet (ingress): dropped by the default action" in output
    assert "{direction: ingress, protocol: tcp, destination_ports: 22" in output
    assert_nothing_waits(host)


@pytest.mark.carried
def test_a_lost_controller_leaves_the_rules_from_before_and_the_next_run_says_so(site: Site) -> None:
    host = site.hosts[_HOST]
    assert _deploy(site, OPEN)[0] == 0
    before = table_of(host)
    _begun(site, {**OPEN, "firewall_assigned": ["ssh"]})
    # Another run refuses while the first one waits, and changes nothing.
    waiting = table_of(host)
    status, output = _deploy(site, OPEN)
    assert status == 2
    assert "waits for its confirmation" in output
    assert table_of(host) == waiting
    await_table(host, before, TIMEOUT + 10)
    status, output = _deploy(site, OPEN)
    assert status == 0, output
    assert "changed=0" in output
    assert "did not stay" in output
    assert_nothing_waits(host)
    assert "did not stay" not in _deploy(site, OPEN)[1]


@pytest.mark.carried
def test_a_change_whose_timer_was_killed_is_taken_back_by_the_next_run(site: Site) -> None:
    host = site.hosts[_HOST]
    assert _deploy(site, OPEN)[0] == 0
    before = table_of(host)
    _begun(site, {**OPEN, "firewall_assigned": ["ssh"]})
    host.run(["pkill", "-KILL", "-f", "take_back.py /run/palisade"])
    status, output = _deploy(site, OPEN)
    assert status == 0, output
    assert "the timer that should have taken it back is gone" in output
    assert table_of(host) == before
    assert_nothing_waits(host)


def _listen(host: Host, address: str) -> socket.socket:
    """A TCP service that accepts whoever comes."""
    listener = host.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, _PORT))
    listener.listen()
    return listener


@pytest.mark.carried
def test_what_the_host_must_reach_is_asked_before_and_after(site: Site) -> None:
    host = site.hosts[_HOST]
    cut_off = {
        **OPEN,
        "firewall_must_reach": ["%s:%d" % (CONTROLLER, _PORT)],
        "firewall_policies": {
            **OPEN["firewall_policies"],
            "out": {
                "rules": [
                    {"direction": "egress", "protocol": "tcp", "destination_ports": _PORT, "action": "drop"},
                    {"direction": "egress", "action": "accept"},
                ]
            },
        },
        "firewall_assigned": ["ssh", "web", "out"],
    }
    with _listen(site.controller, CONTROLLER):
        assert _deploy(site, OPEN)[0] == 0
        before = table_of(host)
        status, output = _deploy(site, cut_off)
        assert status == 2, output
        assert "no longer reached %s port %d (firewall_must_reach)" % (CONTROLLER, _PORT) in output
        assert table_of(host) == before
        assert_nothing_waits(host)
        assert "did not stay" not in _deploy(site, OPEN)[1]
    # What was not reached before either is said, and does not stand in the way.
    status, output = _deploy(site, cut_off)
    assert status == 0, output
    assert "%s port %d (firewall_must_reach) did not answer before this change either" % (CONTROLLER, _PORT) in output


def test_async_is_refused(site: Site) -> None:
    host = site.hosts[_HOST]
    site.write_inventory(OPEN)
    task = {"palisade.nftables.ruleset": {"from_inventory": True}, "async": 60, "poll": 1}
    done = site.run([{"hosts": _HOST, "gather_facts": False, "tasks": [task]}])
    assert done.returncode == 2
    assert "cannot run with async" in done.stdout
    assert table_of(host) == ""


def test_a_rollback_goes_back_to_the_ruleset_from_before_and_forward_again(site: Site) -> None:
    host = site.hosts[_HOST]
    rulesets = []
    for assigned in (["ssh", "web"], ["ssh"]):
        status, output = _deploy(site, {**OPEN, "firewall_assigned": assigned})
        assert status == 0, output
        rulesets.append(table_of(host))
    for wanted in (rulesets[0], rulesets[1]):
        done = site.run_playbook("palisade.nftables.rollback", "-v")
        assert done.returncode == 0, done.stdout
        assert '"state": "confirmed"' in done.stdout
        assert table_of(host) == wanted
    # By the digest that a file name has: the one before, so that "previous" is the one that was in force.
    digest = host.run(["ls", "/etc/palisade/history"]).stdout.split()[0].partition(".")[0].rpartition("-")[2]
    for name, wanted in ((digest, rulesets[0]), ("previous", rulesets[1])):
        done = site.run_playbook("palisade.nftables.rollback", "-v", "-e", "palisade_ruleset=" + name)
        assert done.returncode == 0, done.stdout
        assert '"state": "confirmed"' in done.stdout
        assert table_of(host) == wanted
    done = site.run_playbook("palisade.nftables.rollback", "-e", "palisade_ruleset=0123456789ab")
    assert done.returncode == 2
    assert "there is no ruleset '0123456789ab' to go back to; this host keeps: " in done.stdout
    assert table_of(host) == rulesets[1]
    assert len(host.run(["ls", "/etc/palisade/history"]).stdout.split()) == 6
    status = site.run_playbook("palisade.nftables.absent").returncode
    assert (status, files_of(host)) == (0, "")


@pytest.mark.carried
def test_an_earlier_ruleset_is_forgotten_after_five_others(site: Site) -> None:
    host = site.hosts[_HOST]
    site.write_inventory({**OPEN, "firewall_assigned": ["ssh", "more"], "firewall_confirm_timeout": 0})
    plays = []
    for port in range(7):
        rule = {"direction": "ingress", "protocol": "tcp", "destination_ports": 8000 + port, "action": "accept"}
        policies = {**OPEN["firewall_policies"], "more": {"rules": [rule]}}
        plays.append({**role_play(_HOST), "vars": {"firewall_policies": policies}})
    done = site.run(plays, "-v")
    assert done.returncode == 0, done.stdout
    assert "changed=7" in done.stdout
    assert len(host.run(["ls", "/etc/palisade/history"]).stdout.split()) == 6


def test_an_sshd_that_answers_and_wants_a_person_proves_the_way_in(site: Site) -> None:
    host = site.hosts[_HOST]
    assert _deploy(site, OPEN)[0] == 0
    # The shared connection stays; a new one is refused by sshd, and not by the firewall.
    site.refuse_logins(_HOST)
    status, output = _deploy(site, {**OPEN, "firewall_assigned": ["ssh"]})
    assert status == 0, output
    assert "sshd answered a new connection" in output
    assert "policy/web/0" not in table_of(host)
    assert_nothing_waits(host)


@pytest.mark.carried
def test_two_runs_at_once_are_one_and_a_refusal(site: Site) -> None:
    host = site.hosts[_HOST]
    assert _deploy(site, OPEN)[0] == 0
    rulesets = {}
    for name, assigned in (("one", ["ssh"]), ("other", ["web", "ssh"])):
        variables = {**OPEN, "firewall_assigned": assigned, "firewall_confirm_timeout": 0}
        assert _deploy(site, variables)[0] == 0
        rulesets[name] = table_of(host)
    site.write_inventory({**OPEN, "firewall_assigned": ["ssh"]})
    runs = [site.start([role_play(_HOST)]) for _run in range(3)]
    statuses = [run.wait(timeout=120) for run in runs]
    assert set(statuses) <= {0, 2}
    assert 0 in statuses
    assert table_of(host) == rulesets["one"]
    assert_nothing_waits(host)


@pytest.mark.parametrize(
    "settings",
    [
        {"ansible_ssh_pipelining": False},
        {"ansible_ssh_args": "-C -o ControlMaster=no -o ControlPath=none"},
        {"ansible_ssh_args": ""},
    ],
    ids=["without pipelining", "nothing shared", "no arguments"],
)
def test_other_ways_to_connect(site: Site, settings: t.Mapping[str, t.Any]) -> None:
    host = site.hosts[_HOST]
    status, output = _deploy(site, {**OPEN, **settings})
    assert status == 0, output
    assert '"state": "confirmed"' in output
    assert_nothing_waits(host)
