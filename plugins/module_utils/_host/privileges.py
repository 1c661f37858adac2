# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Whether this process may change the ruleset, found out before anything is touched."""

from __future__ import annotations

import os
import re
import typing as t

from .errors import HostError

_CAP_NET_ADMIN = 12  # linux/capability.h

_EFFECTIVE = re.compile(r"^CapEff:\s*([0-9a-fA-F]+)$", re.MULTILINE)


class PrivilegeError(HostError):
    """This process may neither read nor change the ruleset."""


def check_privileges(status_path: str = "/proc/self/status", user: t.Optional[int] = None) -> None:
    """CAP_NET_ADMIN has to be in effect: as root, or inside a user namespace that owns the network.

    Args:
        status_path: The status file of this process (proc_pid_status(5)).
        user: Effective user id; this process's own if None.

    Raises:
        PrivilegeError: It is not; the message says what to do.
    """
    is_root = (os.geteuid() if user is None else user) == 0
    capable = _has_net_admin(status_path)
    if capable or (capable is None and is_root):
        return
    if is_root:
        raise PrivilegeError(
            "this process is root, but without the capability CAP_NET_ADMIN, which a container has to be given "
            "(podman and docker: --cap-add NET_ADMIN). Nothing was changed"
        )
    raise PrivilegeError(
        "reading and changing the ruleset needs root: write 'become: true' in the play. Nothing was changed"
    )


def _has_net_admin(status_path: str) -> t.Optional[bool]:
    """Whether the capability is in effect; None where the kernel does not tell."""
    try:
        with open(status_path, encoding="ascii", errors="replace") as stream:
            found = _EFFECTIVE.search(stream.read())
    except OSError:
        return None
    return None if found is None else bool(int(found.group(1), 16) >> _CAP_NET_ADMIN & 1)
