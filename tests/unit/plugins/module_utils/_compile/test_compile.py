# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a compilation does to the process meanwhile, and leaves behind: nothing."""

from __future__ import annotations

import gc
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._compile import compile as compile_module
from ansible_collections.palisade.nftables.plugins.module_utils._compile.compile import compile_program
from tests.packets.wording import program_of


def test_python_looks_for_no_garbage_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> t.NoReturn:
        assert not gc.isenabled()
        raise ZeroDivisionError

    before = gc.isenabled()
    monkeypatch.setattr(compile_module, "lower", lambda _program, counters: fail(counters))
    with pytest.raises(ZeroDivisionError):
        compile_program(program_of({}))
    assert gc.isenabled() is before
