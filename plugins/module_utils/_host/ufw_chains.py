# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""ufw's rules in the kernel, emptied the way ufw leaves them, but without dropping what they accepted.

ufw shares the table ``filter`` of iptables with others, such as Docker, so only its own chains are touched.
Its own stop empties them one by one and sets the policies to accept at the end.
"""

from __future__ import annotations

import os
import re
import typing as t

from .command import find_program, run_program
from .errors import HostError

#: ufw's chains for packets to and from the host, as its ufw-init-functions name them.
_CHAIN = re.compile(r":(ufw6?-[a-z-]*(?:input|output)) ", re.ASCII)

#: What ufw loads for IPv6 when its IPV6 is no, without any chain of its own.
_CLOSED = (":INPUT DROP ", ":OUTPUT DROP ", "-A INPUT -i lo -j ACCEPT\n", "-A OUTPUT -o lo -j ACCEPT\n")

#: Each with a file that a kernel without that protocol does not have.
_PROGRAMS = (("iptables", "/proc/net/route"), ("ip6tables", "/proc/net/if_inet6"))
_SECONDS = 60.0


class UfwError(HostError):
    """ufw's chains could not be emptied."""


def empty_ufw_chains(search_path: t.Optional[str] = None) -> None:
    """Sets the policies of input and output to accept, and empties ufw's chains for both.

    The programs called iptables are those that ufw itself calls, whichever of the two kinds they are.

    Raises:
        UfwError: It could not be done.
    """
    for name, path in _PROGRAMS:
        if not os.path.exists(path):
            continue
        saved = _run("%s-save" % name, search_path, "-t", "filter")
        if saved is None:
            continue
        for text in compose(saved):
            _run("%s-restore" % name, search_path, "--noflush", text=text)


def compose(saved: str) -> t.Tuple[str, ...]:
    """The transactions for ``iptables-restore --noflush``, in their order; none where ufw loaded nothing.

    Args:
        saved: What ``iptables-save`` printed.
    """
    chains = _CHAIN.findall(saved)
    if not chains and any(line not in saved for line in _CLOSED):
        return ()
    # In one transaction, the kernel would empty the chains some microseconds before it sets the policies.
    opening = _transaction([":INPUT ACCEPT [0:0]", ":OUTPUT ACCEPT [0:0]"])
    # Naming a chain that exists empties it (iptables-restore(8)).
    emptying = [":%s - [0:0]" % chain for chain in chains]
    # "ufw enable" takes itself for running while these exist.
    emptying.extend("-X %s" % chain for chain in chains if chain.endswith("-user-input"))
    return (opening, _transaction(emptying)) if emptying else (opening,)


def _transaction(lines: t.Sequence[str]) -> str:
    return "\n".join(("*filter", *lines, "COMMIT", ""))


def _run(name: str, search_path: t.Optional[str], *arguments: str, text: str = "") -> t.Optional[str]:
    path = find_program(name, search_path)
    if path is None:
        return None
    done = run_program((path, *arguments), text=text, seconds=_SECONDS)
    if done.status != 0:
        raise UfwError("%s failed: %s" % (name, done.complaint or "no reason given"))
    return done.output
