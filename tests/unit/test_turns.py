# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests that want to be alone are, over all processes; the others run side by side."""

from __future__ import annotations

import fcntl
import os
import pathlib
import threading
import typing as t

import pytest

from tests.turns import Turns

_SECONDS = 30.0

MakeTurns = t.Callable[[], Turns]


@pytest.fixture
def turns_of(tmp_path: pathlib.Path) -> t.Iterator[MakeTurns]:
    """Makes the turns of one process after another. Locks belong to descriptors: one process can play them all."""
    folders = tmp_path / "door", tmp_path / "room"
    for folder in folders:
        folder.mkdir()
    made: t.List[Turns] = []

    def make() -> Turns:
        made.append(Turns(*folders))
        return made[-1]

    yield make
    for turns in made:
        turns.end()


class Waiting:
    """A process that wants a turn, on a thread."""

    def __init__(self, turns: Turns, *, alone: bool) -> None:
        self.turns = turns
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._begin, args=(alone,), daemon=True)
        self._thread.start()

    def _begin(self, alone: bool) -> None:
        self.turns.begin(alone=alone)
        self._begun.set()

    @property
    def waits(self) -> bool:
        return not self._begun.is_set()

    def await_begin(self) -> None:
        assert self._begun.wait(_SECONDS)
        self._thread.join()


def _is_taken(folder: pathlib.Path, kind: int) -> bool:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _await_taken(folder: pathlib.Path) -> None:
    """Until somebody stands at the door."""
    finished = threading.Event()
    for _attempt in range(int(_SECONDS / 0.01)):
        if _is_taken(folder, fcntl.LOCK_SH):
            return
        finished.wait(0.01)
    pytest.fail("nobody waits")


def test_others_run_side_by_side(turns_of: MakeTurns) -> None:
    for _process in range(3):
        turns_of().begin(alone=False)


def test_alone_waits_for_the_others_who_then_wait_for_it(turns_of: MakeTurns, tmp_path: pathlib.Path) -> None:
    first = turns_of()
    first.begin(alone=False)
    alone = Waiting(turns_of(), alone=True)
    _await_taken(tmp_path / "door")
    # Nobody overtakes it, although the room is open to those who are not alone.
    behind = Waiting(turns_of(), alone=False)
    assert not _is_taken(tmp_path / "room", fcntl.LOCK_SH)
    assert alone.waits
    first.end()
    alone.await_begin()
    assert _is_taken(tmp_path / "room", fcntl.LOCK_SH)
    assert behind.waits
    alone.turns.end()
    behind.await_begin()


def test_turns_alone_that_follow_each_other_are_one(turns_of: MakeTurns, tmp_path: pathlib.Path) -> None:
    one = turns_of()
    one.begin(alone=True)
    other = Waiting(turns_of(), alone=False)
    _await_taken(tmp_path / "door")
    # The other one has the door, at which it would wait.
    one.begin(alone=True)
    assert other.waits
    one.end()
    other.await_begin()


def test_a_turn_of_another_kind_is_a_new_one(turns_of: MakeTurns) -> None:
    one = turns_of()
    one.begin(alone=True)
    one.begin(alone=False)
    turns_of().begin(alone=False)


def test_without_a_turn_there_is_nothing_to_end(turns_of: MakeTurns) -> None:
    one = turns_of()
    one.end()
    one.begin(alone=True)
    one.end()
    one.end()
    turns_of().begin(alone=True)
