# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collector of reference cycles rests meanwhile, and is afterwards what it was before."""

from __future__ import annotations

import gc
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._core.collector import garbage_kept


@pytest.fixture(params=[True, False], ids=["collecting", "resting"])
def before(request: pytest.FixtureRequest) -> t.Iterator[bool]:
    was_enabled = gc.isenabled()
    (gc.enable if request.param else gc.disable)()
    yield request.param
    (gc.enable if was_enabled else gc.disable)()


def test_it_rests_inside(before: bool) -> None:
    with garbage_kept():
        assert not gc.isenabled()
        with garbage_kept():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled() is before


def test_it_goes_on_after_an_error(before: bool) -> None:
    @garbage_kept()
    def fail() -> None:
        assert not gc.isenabled()
        raise ZeroDivisionError

    for _call in range(2):
        with pytest.raises(ZeroDivisionError):
            fail()
        assert gc.isenabled() is before
