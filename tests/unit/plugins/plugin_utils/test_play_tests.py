# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who judges the policy tests of a play's hosts: each once, however many workers ask, also where one of them dies."""

from __future__ import annotations

import multiprocessing
import os
import signal
import typing as t

from ansible_collections.palisade.nftables.plugins.plugin_utils._play_tests import Verdicts

if t.TYPE_CHECKING:
    import multiprocessing.synchronize
    import pathlib

COUNT = 40
FORKS = multiprocessing.get_context("fork")


def work(folder: pathlib.Path, number: int, barrier: multiprocessing.synchronize.Barrier) -> None:
    """A worker that notes whom it judges and what it is told."""

    def judge(position: int) -> bool:
        with open(folder / "judged", "a", encoding="utf-8") as stream:
            stream.write("%d\n" % position)
        return position != 33

    barrier.wait(60)
    found = Verdicts(str(folder / "verdicts"), judge).first_failing(range(COUNT))
    (folder / ("found-%d" % number)).write_text(str(found), encoding="utf-8")


def test_each_host_is_judged_once_and_everybody_knows(tmp_path: pathlib.Path) -> None:
    barrier = FORKS.Barrier(5)
    workers = [FORKS.Process(target=work, args=(tmp_path, number, barrier)) for number in range(5)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    judged = (tmp_path / "judged").read_text(encoding="utf-8").split()
    assert sorted(map(int, judged)) == list(range(COUNT))
    assert [path.read_text(encoding="utf-8") for path in sorted(tmp_path.glob("found-*"))] == ["33"] * 5


def test_what_failed_before_stops_those_who_do_not_ask_about_it(tmp_path: pathlib.Path) -> None:
    """A host that failed is none of the play's any more, and the next batch must not go on."""
    path = str(tmp_path / "verdicts")
    assert Verdicts(path, lambda position: position != 2).first_failing([0, 1, 2]) == 2
    assert Verdicts(path, lambda _position: True).first_failing([3]) == 2


def test_a_worker_that_dies_leaves_its_host_to_the_others(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "verdicts")

    def die(_position: int) -> bool:
        os.kill(os.getpid(), signal.SIGKILL)
        return True

    worker = FORKS.Process(target=lambda: Verdicts(path, die).first_failing([0]))
    worker.start()
    worker.join(60)
    assert worker.exitcode == -signal.SIGKILL
    assert Verdicts(path, lambda _position: False).first_failing([0]) == 0
