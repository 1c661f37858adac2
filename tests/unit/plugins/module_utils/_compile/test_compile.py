# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a compilation leaves behind in the process: nothing."""

from __future__ import annotations

import gc
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._compile import compile as compile_module
from ansible_collections.palisade.nftables.plugins.module_utils._compile.compile import compile_program
from tests.packets.wording import program_of


@pytest.fixture(params=[True, False], ids=["collecting", "not collecting"])
def collecting(request: pytest.FixtureRequest) -> t.Iterator[bool]:
    was_enabled = gc.isenabled()
    (gc.enable if request.param else gc.disable)()
    yield request.param
    (gc.enable if was_enabled else gc.disable)()


def test_python_looks_for_garbage_as_before(collecting: bool) -> None:
    compile_program(program_of({}))
    assert gc.isenabled() is collecting


def test_also_after_an_error(collecting: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> t.NoReturn:
        assert not gc.isenabled()
        raise ZeroDivisionError

    monkeypatch.setattr(compile_module, "lower", lambda _program, counters: fail(counters))
    with pytest.raises(ZeroDivisionError):
        compile_program(program_of({}))
    assert gc.isenabled() is collecting
