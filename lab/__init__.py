# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A lab of network namespaces: real packets through the real kernel, and nothing left behind.

- :mod:`.namespaces`: hosts (namespaces with their own network, mounts, processes and host name), links, segments.
- :mod:`.reexec`: the same without root, in a user namespace.
- :mod:`.packets`, :mod:`.verdicts`: the kernel's verdict about each of many packets, under a given ruleset.
- :mod:`.ring`: what a ruleset costs a packet, to some ten nanoseconds.
- :mod:`.classbench`: rule sets of ClassBench as policies, and packets for them.
- :mod:`.emulator`: whole machines with other kernels.
- :mod:`.flood`: packets at the highest rate across live changes, and what was lost or let through.
- :mod:`.site`: a controller and hosts with sshd, and ansible-playbook between them.
- :mod:`.connections`: real connections between hosts, and who reaches whom.
"""
