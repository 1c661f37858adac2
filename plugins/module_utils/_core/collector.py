# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Python's collector of reference cycles, which is to rest while much is made that stays."""

from __future__ import annotations

import contextlib
import gc
import typing as t


@contextlib.contextmanager
def garbage_kept() -> t.Iterator[None]:
    """Python does not look for reference cycles meanwhile.

    A large policy is some hundred thousand tuples that stay, and none of them leads back to itself: looking through
    all of them again and again is a third of the time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
