# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole machines in an emulator: the lab, and any test that uses it, on the kernels of other Debian releases.

A machine boots one kernel with one processor model, runs one command, and ends. Its root file system is an
archive in memory, made for each run from what is installed here: this Python, pytest, the checkout, and
the tools that the lab calls; nft is that of the kernel's release. So a test runs there as it stands.

- :mod:`.kernels`: the kernels that ``scripts/fetch-kernels`` unpacked.
- :mod:`.archive`, :mod:`.image`: the root file system.
- :mod:`.boot`: the first process inside.
- :mod:`.machine`: the emulator, with hardware help where this machine gives it.

As a command: ``python -m lab.emulator --kernel bullseye -- python3 -m pytest tests/packets/test_flood.py``.
"""
