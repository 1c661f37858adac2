# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole machines: Debian releases with their own kernel, systemd and a disk, in the emulator.

Unlike those of :mod:`lab.emulator`, which run one command of this machine on another kernel, these boot what a
server boots, keep their disk over a reboot and a power cut, and are reached over a network.

- :mod:`.disk`: the disk that ``scripts/disk-image`` made, and the first file system in memory that leads to it.
- :mod:`.machine`: a machine that runs, with a network card into a host of the lab.
- :mod:`.report`: what a machine says of itself before its network comes up.
- :mod:`.controller`: ansible-playbook and ssh from that host.
- :mod:`.write_log`: everything that a machine wrote to its disk, and the disk as a power cut leaves it.
"""
