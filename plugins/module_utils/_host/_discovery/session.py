# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Where this run comes from: the SSH connection that carries it, and the interface it arrives on."""

from __future__ import annotations

import os
import re
import typing as t

from .routes import interface_of
from .server_text import canonical_address, parse_port
from .tree import Tree

_VARIABLE = "SSH_CONNECTION"

#: Parents looked at, one after another. A shell below sudo below a login is about six.
_LOOKED_AT_PARENTS = 64

#: Longer values are no four fields.
_LONGEST = 300

_PARENT = re.compile(r"^PPid:\s*([0-9]{1,9})$", re.MULTILINE)


class SshConnection(t.NamedTuple):
    """One TCP connection to sshd; addresses are canonical text without a zone."""

    client_address: str
    client_port: int
    server_address: str
    server_port: int


def find_ssh_connection(
    environ: t.Mapping[str, str], proc: str = "/proc", pid: t.Optional[int] = None
) -> t.Optional[SshConnection]:
    """The SSH connection that this process works for; None where there is none, or it cannot be told.

    sshd(8) names it in the environment of what it starts. sudo(8) drops the variable, so the
    environments of the parent processes are read as well, from ``pid`` (this process) upwards.
    """
    connection = parse_ssh_connection(environ.get(_VARIABLE, ""))
    tree = Tree()
    seen = os.getpid() if pid is None else pid
    for _step in range(_LOOKED_AT_PARENTS):
        if connection is not None or seen < 1:
            break
        connection = _of_environment(tree.read("%s/%d/environ" % (proc, seen)) or "")
        parent = _PARENT.search(tree.read("%s/%d/status" % (proc, seen)) or "")
        seen = int(parent.group(1)) if parent else 0
    return connection


def parse_ssh_connection(text: str) -> t.Optional[SshConnection]:
    """``CLIENT PORT SERVER PORT`` (ssh(1), ENVIRONMENT); None for anything else."""
    fields = text.split(" ")
    if len(text) > _LONGEST or len(fields) != 4:
        return None
    client, server = canonical_address(fields[0]), canonical_address(fields[2])
    client_port, server_port = parse_port(fields[1]), parse_port(fields[3])
    if client is None or server is None or client_port is None or server_port is None:
        return None
    return SshConnection(client, client_port, server, server_port)


def interface_towards(address: str, proc: str = "/proc") -> t.Optional[str]:
    """The interface that the main routing table uses for an address; ``lo`` for the host's own.

    None where the text is no address, no route leads there, or the answer is ambiguous.
    """
    canonical = canonical_address(address)
    return None if canonical is None else interface_of(Tree(), canonical, proc)


def _of_environment(text: str) -> t.Optional[SshConnection]:
    for entry in text.split("\0"):
        name, _equals, value = entry.partition("=")
        if name == _VARIABLE:
            return parse_ssh_connection(value)
    return None
