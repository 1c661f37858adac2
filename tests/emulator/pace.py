# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plugin of pytest for runs in the emulator: the same tests, with fewer repetitions.

An emulator that translates each instruction is some twenty times slower than the processor it runs on.
"""

from __future__ import annotations

import typing as t

import pytest

#: Constants of test files, and what they are in an emulator.
_SIZES: t.Mapping[str, t.Mapping[str, int]] = {
    "tests/emulator/test_kernel.py": {"_CHANGES": 8, "_MAPS": 60},
    "tests/packets/test_flood.py": {"_CHANGES": 8, "_MANY": 300},
    "tests/packets/test_flood_of_maps.py": {"_CHANGES": 6, "_RULES": 200},
}


def pytest_collection_modifyitems(config: pytest.Config, items: t.List[pytest.Item]) -> None:
    files = {
        item.path.relative_to(config.rootpath).as_posix(): item.module
        for item in items
        if isinstance(item, pytest.Function)
    }
    for file, module in files.items():
        for name, value in _SIZES.get(file, {}).items():
            if not hasattr(module, name):
                raise pytest.UsageError("%s has no %s any more: tests/emulator/pace.py" % (file, name))
            setattr(module, name, value)
