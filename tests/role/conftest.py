# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures of the tests that run the role."""

from __future__ import annotations

import typing as t

import pytest

from lab.reexec import ensure_privileges, why_unavailable

from .fleet import Fleet

if t.TYPE_CHECKING:
    import collections.abc
    import pathlib


@pytest.fixture
def fleet(tmp_path: pathlib.Path, ansible_environment: t.Dict[str, str]) -> collections.abc.Iterator[Fleet]:
    """An empty fleet; its hosts are gone after the test."""
    from lab.namespaces import Lab

    reason = why_unavailable()
    if reason is not None:
        pytest.skip(reason)
    ensure_privileges()
    with Lab() as lab:
        yield Fleet(lab, tmp_path / "fleet", ansible_environment)
