# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts with neighbours."""

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest

from lab.namespaces import Lab, default_private
from lab.reexec import LabUnavailableError, ensure_privileges, in_user_namespace
from tests.neighbours.scene import Scene, open_scene

if t.TYPE_CHECKING:
    import collections.abc

#: Where daemons write besides what every host of the lab has for itself.
_WRITTEN = {"/var/cache": "empty", "/var/log": "empty"}


@pytest.fixture
def scene(tmp_path: pathlib.Path) -> collections.abc.Iterator[Scene]:
    if os.geteuid() != 0 or in_user_namespace():
        pytest.skip("daemons of others want the machine's root, if only inside namespaces of their own")
    try:
        ensure_privileges()
    except LabUnavailableError as exc:
        pytest.skip(str(exc))
    with Lab() as lab:
        yield open_scene(lab, tmp_path, {**default_private(), **_WRITTEN})
