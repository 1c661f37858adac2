# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A network namespace to go wrong in."""

from __future__ import annotations

from tests.unit.plugins.module_utils.conftest import network

__all__ = ["network"]
