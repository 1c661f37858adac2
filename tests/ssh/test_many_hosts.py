# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several hosts in one run, in every order that Ansible knows: each is confirmed or taken back by itself."""

from __future__ import annotations

import re
import typing as t

import pytest

from lab.namespaces import Host
from lab.site import CONTROLLER, open_site, play_of

from .deploying import OPEN, SHUT, assert_nothing_waits, needs_logins, table_of

pytestmark = needs_logins

_ORDERS: t.Mapping[str, t.Mapping[str, t.Any]] = {
    "serial": {"serial": 1},
    "throttle": {"throttle": 1},
    "free": {"strategy": "free"},
}

#: Nobody has it. A host that is to reach it asks for three seconds before a change, and not again after such silence.
_NOBODY = "%s99" % CONTROLLER.rstrip("1")
_ASKING_SECONDS = 3

_WAITED = re.compile(r'"waited": ([0-9.]+)')


def _play(order: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    return play_of("all", roles=["palisade.nftables.firewall"], **order)


@pytest.mark.parametrize("name", _ORDERS)
def test_a_host_that_is_shut_is_taken_back_alone(name: str) -> None:
    # The last batch of a serial play: one in which every host fails would end the play.
    good, shut = ["one", "other"], "shut"
    with open_site([*good, shut]) as site:
        site.write_inventory(OPEN, {shut: SHUT})
        done = site.run([_play(_ORDERS[name])], "-v")
        assert done.returncode == 2, done.stdout
        assert done.stdout.count('"state": "confirmed"') == len(good)
        assert done.stdout.count('"state": "taken_back"') == 1
        for each in good:
            assert 'counter name "policy/ssh/0"' in table_of(site.hosts[each]), done.stdout
        assert table_of(site.hosts[shut]) == ""
        for host in site.hosts.values():
            assert_nothing_waits(host)


def _confirmed_at(host: Host) -> float:
    """When the ruleset was kept to go back to, which comes right after its confirmation."""
    return float(host.run(["sh", "-c", "stat -c %.3Y /etc/palisade/history/*"]).stdout)


@pytest.mark.slow
def test_no_host_waits_for_the_hosts_behind_it() -> None:
    """If all were armed before the first is confirmed, the first would have been taken back meanwhile."""
    timeout = 12
    names = ["host%d" % number for number in range(timeout // _ASKING_SECONDS + 2)]
    with open_site(names, forks=1) as site:
        variables = {"firewall_confirm_timeout": timeout, "firewall_must_reach": ["%s:443" % _NOBODY]}
        site.write_inventory({**OPEN, **variables})
        done = site.run([_play({})], "-v")
        assert done.returncode == 0, done.stdout
        assert done.stdout.count('"state": "confirmed"') == len(names)
        waited = [float(seconds) for seconds in _WAITED.findall(done.stdout)]
        assert len(waited) == len(names)
        assert all(seconds < timeout for seconds in waited), waited
        times = sorted(_confirmed_at(host) for host in site.hosts.values())
        # What the others ask before their changes alone is longer than any timer.
        assert times[-1] - times[0] > _ASKING_SECONDS * (len(names) - 1) - 1 > timeout
        for host in site.hosts.values():
            assert_nothing_waits(host)
