# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where this process runs, and before whom."""

from __future__ import annotations

import contextlib
import os
import typing as t


@contextlib.contextmanager
def on_processor(number: int) -> t.Iterator[None]:
    """On this processor alone: packets that are sent inside are handled on it, and in the order of sending."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {number})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


@contextlib.contextmanager
def before_others() -> t.Iterator[None]:
    """Before all ordinary programs, which would disturb what is measured inside; where that is permitted.

    The kernel keeps a twentieth of the time for those (``kernel.sched_rt_runtime_us``).
    """
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(os.sched_get_priority_min(os.SCHED_FIFO)))
    except PermissionError:
        yield
        return
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)
