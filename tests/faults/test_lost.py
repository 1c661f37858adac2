# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that lose their network or their controller, and runs that meet: the old rules or the new ones, never a mix.

``PALISADE_EVERY_FAULT=1`` (``make faults``) kills the controller at more moments.
"""

from __future__ import annotations

import concurrent.futures
import json
import os
import time
import typing as t

import pytest

from lab.namespaces import Host
from lab.site import Site, open_site, role_play
from tests.ssh.deploying import (
    OPEN,
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

RecordProperty = t.Callable[[str, object], None]

pytestmark = needs_logins

_HOST = "web"
_OTHER = {**OPEN, "firewall_assigned": ["ssh"]}

#: Between the beginning of a run and its end, at which its controller is killed.
_MOMENTS = 20 if os.environ.get("PALISADE_EVERY_FAULT") else 4

_SECONDS = 60.0


@pytest.fixture(name="site")
def fixture_site() -> collections.abc.Iterator[Site]:
    with open_site([_HOST]) as site:
        yield site


def _deploy(site: Site, variables: t.Mapping[str, t.Any]) -> t.Tuple[int, str]:
    return deploy(site, variables, hosts=_HOST)


def _await_change(host: Host, before: str) -> None:
    deadline = time.monotonic() + _SECONDS
    while table_of(host) == before:
        assert time.monotonic() < deadline, "the rules never changed"
        time.sleep(0.02)


def _await_quiet(site: Site) -> None:
    """Waits until nothing on the host works for a run any more, a timer included."""
    deadline = time.monotonic() + _SECONDS
    while any(
        line.split()[0] == site.python or "take_back.py" in line
        for line in site.hosts[_HOST].run(["ps", "-eo", "args="]).stdout.splitlines()
    ):
        assert time.monotonic() < deadline, "something goes on"
        time.sleep(0.1)


def test_a_host_that_loses_its_network_takes_the_change_back_and_is_well_when_it_returns(site: Site) -> None:
    host = site.hosts[_HOST]
    assert _deploy(site, OPEN)[0] == 0
    before = table_of(host), files_of(host)
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        running = thread.submit(_deploy, site, _OTHER)
        _await_change(host, before[0])
        host.ip("link set eth0 down")
        try:
            await_table(host, before[0], TIMEOUT + _SECONDS)
        finally:
            host.ip("link set eth0 up")
        status, output = running.result()
    assert status != 0, output
    assert table_of(host) == before[0]
    status, output = _deploy(site, OPEN)
    assert (status, "changed=0" in output) == (0, True), output
    assert (table_of(host), files_of(host)) == before
    assert_nothing_waits(host)
    assert _deploy(site, _OTHER)[0] == 0


def test_a_controller_that_is_killed_at_any_moment_leaves_the_old_rules_or_the_new_ones(
    site: Site, record_property: RecordProperty
) -> None:
    host = site.hosts[_HOST]
    assert _deploy(site, _OTHER)[0] == 0
    new = table_of(host)
    started = time.monotonic()
    assert _deploy(site, OPEN)[0] == 0
    seconds = time.monotonic() - started
    old = table_of(host)
    kept = {"old": 0, "new": 0}
    for number in range(1, _MOMENTS + 1):
        record_property("faults", number)
        site.write_inventory(_OTHER)
        process = site.start([role_play(_HOST)])
        # No condition to wait for: that it may be any moment is the point.
        time.sleep(seconds * number / (_MOMENTS + 1))
        site.controller.run(["pkill", "-KILL", "-f", "ansible-playbook"], check=False)
        process.wait(timeout=_SECONDS)
        _await_quiet(site)
        found = table_of(host)
        assert found in (old, new), (number, found)
        kept["old" if found == old else "new"] += 1
        status, output = _deploy(site, OPEN)
        assert status == 0, (number, output)
        assert table_of(host) == old, number
        assert_nothing_waits(host)
    print(
        "killed the controller at %d moments of a run: %d ended with the old rules, %d with the new ones"
        % (_MOMENTS, kept["old"], kept["new"])
    )


def test_two_controllers_that_want_different_rules_never_make_a_mix(site: Site) -> None:
    host = site.hosts[_HOST]
    wanted = []
    for assigned in (["ssh"], ["web", "ssh"]):
        assert _deploy(site, {**OPEN, "firewall_assigned": assigned})[0] == 0
        wanted.append((assigned, table_of(host)))
    assert _deploy(site, OPEN)[0] == 0
    runs = [site.start([role_play(_HOST)], "-e", json.dumps({"firewall_assigned": one})) for one, _table in wanted]
    succeeded = [table for run, (_one, table) in zip(runs, wanted) if run.wait(timeout=120) == 0]
    assert succeeded
    _await_quiet(site)
    assert table_of(host) in succeeded
    assert_nothing_waits(host)
