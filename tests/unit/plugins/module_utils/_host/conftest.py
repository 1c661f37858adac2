# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host of the tests of what is live."""

from __future__ import annotations

import contextlib
import pathlib
import typing as t

import pytest

from lab.namespaces import Lab
from lab.reexec import LabUnavailableError, ensure_privileges

from .live_machine import Machine


@pytest.fixture(name="machine")
def fixture_machine(tmp_path: pathlib.Path) -> t.Iterator[Machine]:
    try:
        ensure_privileges()
    except LabUnavailableError as exc:
        pytest.skip(str(exc))
    with contextlib.ExitStack() as sockets, Lab() as lab:
        yield Machine(lab, tmp_path / "root", sockets)
