# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines for tests. ``PALISADE_SUITES`` names the releases; without it no machine is booted.

``scripts/machines`` sets it, and installs what they need.
"""

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest

from lab.machines import disk as disks
from lab.machines.controller import Controller
from lab.machines.machine import plug_in
from lab.namespaces import Host, Lab

SUITES = os.environ.get("PALISADE_SUITES", "").split()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "suite" in metafunc.fixturenames:
        reason = "boots whole machines, which takes minutes: run make machines or make power-cuts"
        nothing = [pytest.param("none", marks=pytest.mark.skip(reason=reason))]
        metafunc.parametrize("suite", SUITES or nothing, scope="module")


@pytest.fixture(name="disk", scope="module")
def fixture_disk(suite: str) -> disks.Disk:
    # Who asked for machines is told why there are none.
    reason = disks.why_unavailable(suite)
    assert reason is None, reason
    return disks.disk(suite)


@pytest.fixture(name="outside", scope="module")
def fixture_outside() -> t.Iterator[Host]:
    """The host of the lab that every machine is connected with, one after another."""
    with Lab() as lab:
        host = lab.host("outside", {})
        plug_in(host)
        yield host


@pytest.fixture(name="controller", scope="module")
def fixture_controller(outside: Host, disk: disks.Disk, tmp_path_factory: pytest.TempPathFactory) -> Controller:
    # The names of ssh's sockets have to be short.
    folder: pathlib.Path = tmp_path_factory.mktemp("c")
    return Controller(outside, disk, folder)
