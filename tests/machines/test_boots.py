# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian 11, 12 and 13 with their own kernels and systemd: deploy, reboot, packets."""

from __future__ import annotations

import pathlib
import time

import pytest

from lab.machines.controller import Controller
from lab.machines.disk import Disk
from lab.machines.machine import ADDRESSES, Machine, copy_disk
from lab.machines.prober import Prober
from lab.namespaces import Host

from .policies import ALLOWED, OLD, REFUSED
from .states import faults, left_over, state

_ALLOWED = {(family, ALLOWED) for family in ADDRESSES}
_BOTH = {(family, port) for family in ADDRESSES for port in (ALLOWED, REFUSED)}
_NETWORK = "network-pre.target"
_SECONDS = 120.0


def _await_answers(prober: Prober, count: int, since: float) -> float:
    """Waits until so many ports have answered since then; when the last one did."""
    deadline = time.monotonic() + _SECONDS
    while len(prober.answered(since)) < count:
        assert time.monotonic() < deadline, prober.answered(since)
        time.sleep(0.02)
    return max(prober.answered(since).values())


@pytest.mark.slow
def test_a_machine_is_deployed_to_and_comes_up_with_its_ruleset_before_its_network(
    disk: Disk, outside: Host, controller: Controller, tmp_path: pathlib.Path
) -> None:
    image = copy_disk(disk, tmp_path / "disk")
    with Prober(outside, [ALLOWED, REFUSED]) as prober:
        with Machine(disk, outside, tmp_path, image) as machine:
            assert not machine.await_report().table
            # Both answer as long as there is no ruleset, so that silence means something.
            _await_answers(prober, len(_BOTH), 0.0)
            controller.await_ssh()
            assert controller.ssh("uname -r").strip() == disk.kernel.release
            controller.deploy(OLD)
            after = state(controller)
            # Whatever was on its way when the rules changed has arrived.
            settled = _await_answers(prober, len(_ALLOWED), prober.seconds)
            controller.ssh("systemctl --no-block reboot")
            machine.await_end()
        with Machine(disk, outside, tmp_path, image) as machine:
            switched_on = prober.seconds
            report = machine.await_report()
            back = _await_answers(prober, len(_ALLOWED), switched_on)
            controller.await_ssh()
            unchanged = controller.deploy(OLD)
            healed = state(controller)
        # While it went down, while it came up and since: one port only, over both families.
        assert set(prober.answered(settled)) == _ALLOWED
        sent = prober.sent
    problems = faults(report, [after])
    assert not problems
    assert "changed=0 " in unchanged
    assert (healed.table, left_over(healed)) == (after.table, [])
    own, network = (report.units[name]["ActiveEnterTimestampMonotonic"] for name in ("palisade.service", _NETWORK))
    assert 0 < int(own) <= int(network)
    print(
        "%s, Linux %s: ruleset after %.1f s, network allowed after %.1f s, first answer %.1f s after the power, "
        "%d packets sent, none of them answered that should not be"
        % (disk.kernel.suite, disk.kernel.release, int(own) / 1e6, int(network) / 1e6, back - switched_on, sent)
    )
