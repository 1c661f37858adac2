# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A network namespace to go wrong in, and how many faults were tried.

A test is one fault, unless it records the property ``faults``: the number of the one that it tries.
"""

from __future__ import annotations

import pytest

from tests.unit.plugins.module_utils.conftest import network

__all__ = ["network"]

_tally = {"tried": 0, "well": 0}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" and not report.skipped:
        tried = int(str(dict(report.user_properties).get("faults", 1)))
        _tally["tried"] += tried
        # The fault at which a test fails is its last one.
        _tally["well"] += tried if report.passed else tried - 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _tally["tried"]:
        terminalreporter.write_line("faults: %(tried)d were tried, %(well)d ended well" % _tally)
