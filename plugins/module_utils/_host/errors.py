# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""What can go wrong on the host, each with a message for the person at the playbook."""

from __future__ import annotations


class HostError(Exception):
    """The host does not let us do what is asked; the message says why and what to do."""
