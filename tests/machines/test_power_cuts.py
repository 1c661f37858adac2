# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The power is cut during a run, or after it: the machine boots with the old ruleset or the new one.

One machine is deployed to over ssh, and everything that it writes to its disk is written down. A cut is a place in
that log: a disk that has done what stands before it, with what was not flushed kept, lost, or kept in part. The
release's own kernel and systemd boot from that disk, ext4's journal and all, until the network may come up.
After the run has reported, only the new ruleset is right.

Besides, the emulator is killed in the midst of a run. That machine boots, too, and is deployed to again.

``PALISADE_POWER_CUTS`` says how many cuts there are for each release, ``PALISADE_SEED`` which.
"""

from __future__ import annotations

import os
import pathlib
import random
import time
import typing as t

import pytest

from lab.machines.controller import Controller
from lab.machines.disk import Disk
from lab.machines.machine import Machine, copy_disk
from lab.machines.report import Report
from lab.machines.write_log import Kept, WriteLog
from lab.namespaces import Host

from .policies import ABSENT, NEW, OLD
from .states import faults, left_over, state, without_history

_CUTS = int(os.environ.get("PALISADE_POWER_CUTS", "5"))
#: Of them, those where the emulator is killed.
_KILLS = max(1, _CUTS // 10)
_SEED = int(os.environ.get("PALISADE_SEED") or time.time_ns() % 1_000_000)

#: Longer than ext4 leaves anything unwritten of its own accord (ext4(5), "commit").
_COMMIT_SECONDS = 6.0


class Run(t.NamedTuple):
    """A run on a machine whose writes were written down.

    Attributes:
        name: What was done.
        begin: How many requests there were before it,
        reported: when the controller had its result,
        end: and when nothing of it was left to be written.
        before: What a boot led to before it.
        after: What a boot leads to after it.
    """

    name: str
    begin: int
    reported: int
    end: int
    before: Report
    after: Report


class Interrupted(t.NamedTuple):
    """A run during which the emulator was killed.

    Attributes:
        variables: What was to be deployed.
        before: What a boot led to before it.
        seconds: After so many.
        has_reported: The run was over by then.
    """

    variables: t.Mapping[str, t.Any]
    before: Report
    seconds: float
    has_reported: bool


class Recording(t.NamedTuple):
    """Everything that a machine wrote, and the runs in it.

    Attributes:
        disk: When the emulator was killed,
        interrupted: during this run, the last one.
        seconds: How long a run takes.
    """

    log: WriteLog
    runs: t.Sequence[Run]
    disk: pathlib.Path
    interrupted: Interrupted
    seconds: float


@pytest.fixture(name="recording", scope="module")
def fixture_recording(
    disk: Disk, outside: Host, controller: Controller, tmp_path_factory: pytest.TempPathFactory
) -> Recording:
    folder = tmp_path_factory.mktemp("recording")
    path = folder / "log"
    runs = []
    plan = [("first deploy", OLD), ("change", NEW)]
    if _CUTS > 10:
        plan += [("absent", ABSENT), ("deploy again", NEW)]
    with Machine(disk, outside, folder, copy_disk(disk, folder / "disk"), write_log=path) as machine:
        machine.await_report()
        controller.await_ssh()
        before = state(controller)
        seconds = 0.0
        for name, variables in plan:
            begin = len(WriteLog(path))
            started = time.monotonic()
            controller.deploy(variables)
            seconds = time.monotonic() - started
            reported = len(WriteLog(path))
            after = state(controller)
            time.sleep(_COMMIT_SECONDS)
            runs.append(Run(name, begin, reported, len(WriteLog(path)), before, after))
            before = after
        interrupted = _interrupt(machine, controller, OLD, before, random.Random(_SEED).uniform(0.2, 1.1) * seconds)
    assert all(one.reported > one.begin for one in runs)
    assert [bool(one.after.table) for one in runs] == [name != "absent" for name, _variables in plan]
    return Recording(WriteLog(path), runs, folder / "disk", interrupted, seconds)


def _interrupt(
    machine: Machine, controller: Controller, variables: t.Mapping[str, t.Any], before: Report, seconds: float
) -> Interrupted:
    """Starts a run, and kills the emulator after so many seconds, or when the run has ended."""
    with controller.start_deploy(variables) as process:
        deadline = time.monotonic() + seconds
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        has_reported = process.poll() == 0
        machine.close()
        process.kill()
    return Interrupted(variables, before, seconds, has_reported)


class Cut(t.NamedTuple):
    """Where the power is cut, and what the disk keeps of what was not flushed."""

    run: Run
    length: int
    kept: Kept

    def __str__(self) -> str:
        place = "after the report" if self.length >= self.run.reported else "during the run"
        return "%s, %s, %d of %d..%d, %s kept" % (
            self.run.name,
            place,
            self.length,
            self.run.begin,
            self.run.end,
            self.kept.value,
        )


def _cuts(recording: Recording, count: int, chance: random.Random) -> t.List[Cut]:
    """At random; but the instant of each run's report is always among them, with everything lost that can be."""
    cuts = [Cut(run, run.reported, Kept.NONE) for run in recording.runs[:count]]
    while len(cuts) < count:
        run = recording.runs[len(cuts) % len(recording.runs)]
        cuts.append(Cut(run, chance.randint(run.begin, run.end), chance.choice(list(Kept))))
    return cuts


@pytest.mark.slow
def test_a_disk_that_lost_power_boots_with_the_old_ruleset_or_the_new_one(
    disk: Disk, outside: Host, recording: Recording, tmp_path: pathlib.Path
) -> None:
    chance = random.Random(_SEED)
    image = tmp_path / "disk"
    wrong = []
    counted = {"old": 0, "new": 0}
    cuts = _cuts(recording, _CUTS - _KILLS, chance)
    for number, cut in enumerate(cuts):
        copy_disk(disk, image)
        lost = recording.log.cut(image, cut.length, cut.kept, chance)
        with Machine(disk, outside, tmp_path, image, is_connected=False) as machine:
            report = machine.await_report()
        allowed = [cut.run.after] if cut.length >= cut.run.reported else [cut.run.before, cut.run.after]
        problems = faults(report, allowed)
        counted["new" if report.table == cut.run.after.table else "old"] += 1
        told = "cut %d of %d: %s: %d sectors lost, %d files left over, up after %.1f s" % (
            number + 1,
            len(cuts),
            str(cut),
            lost,
            len(left_over(report)),
            report.seconds,
        )
        print(told + "".join("\n    " + problem for problem in problems), flush=True)
        wrong += [(told, problems)] if problems else []
    print(
        "%s: %d cuts (PALISADE_SEED=%d): %d booted with the old ruleset, %d with the new one, %d with something else"
        % (disk.kernel.suite, len(cuts), _SEED, counted["old"], counted["new"], len(wrong))
    )
    assert not wrong


@pytest.mark.slow
def test_a_killed_machine_boots_with_the_old_ruleset_or_the_new_one_and_is_deployed_to(
    disk: Disk, outside: Host, controller: Controller, recording: Recording, tmp_path: pathlib.Path
) -> None:
    chance = random.Random(_SEED)
    interrupted = recording.interrupted
    wrong = []
    for number in range(_KILLS):
        with Machine(disk, outside, tmp_path, recording.disk) as machine:
            report = machine.await_report()
            controller.await_ssh()
            controller.deploy(interrupted.variables)
            healed = state(controller)
            wanted = [healed] if interrupted.has_reported else [interrupted.before, healed]
            problems = faults(without_history(report), [without_history(one) for one in wanted])
            problems += ["%s was left by the next run" % path for path in left_over(healed)]
            told = "killed %.1f s into a run of about %.1f: %d files left over" % (
                interrupted.seconds,
                recording.seconds,
                len(left_over(report)),
            )
            print(told + "".join("\n    " + problem for problem in problems), flush=True)
            wrong += [(told, problems)] if problems else []
            if number + 1 < _KILLS:
                other = NEW if interrupted.variables is OLD else OLD
                seconds = chance.uniform(0.2, 1.1) * recording.seconds
                interrupted = _interrupt(machine, controller, other, healed, seconds)
    print("%s: the emulator was killed %d times (PALISADE_SEED=%d)" % (disk.kernel.suite, _KILLS, _SEED))
    assert not wrong
