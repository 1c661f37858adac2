# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""The unit that comes with nftables, which flushes the whole ruleset: made to keep our table.

``nftables.service`` of Debian loads a file that begins with ``flush ruleset`` and, when it is stopped, flushes
the ruleset; so do the units of others. A unit of ours that follows it would leave an instant without our table. So
a drop-in gives it the same commands again, each with our ruleset in the same transaction: at no instant is there a
kernel without one.
"""

from __future__ import annotations

import re
import typing as t

from ._discovery.tree import Tree
from .units import read_unit

NAME = "nftables.service"
FOLDER = "/etc/systemd/system/nftables.service.d"

#: Drop-ins apply in the order of their names; what an operator wrote into override.conf comes first.
DROP_IN = FOLDER + "/zz-palisade.conf"

_LOADS = ("ExecStart", "ExecReload", "ExecStop")
_OTHERS = ("ExecStartPre", "ExecStartPost", "ExecStopPost")

_NFT = r"(?P<ignored>-?)(?P<nft>/[A-Za-z0-9/_.-]*/nft) "
_FILE = re.compile(_NFT + r"(?:-f|--file) (?P<file>/[A-Za-z0-9/_.-]+)", re.ASCII)
_WORDS = re.compile(_NFT + r"(?P<text>flush ruleset)", re.ASCII)

#: Red Hat's: 'flush ruleset; include "/etc/sysconfig/nftables.conf";'
_QUOTED = re.compile(_NFT + r"'(?P<text>flush ruleset; include \"/[A-Za-z0-9/_.-]+\");?'", re.ASCII)

_HEAD = """\
# Made by the Ansible collection palisade.nftables. Changes are lost.
#
# What nftables.service loads and flushes is what it was without this file. What Palisade loaded is in the same
# transaction, so that there is no instant without it; /run/palisade holds nothing before that was loaded at boot.
[Service]
"""

_HEAD_AFTERWARDS = """\
# Made by the Ansible collection palisade.nftables. Changes are lost.
#
# nftables.service has commands of its own here, which stay as they are. What Palisade loaded is loaded again after
# them; /run/palisade holds nothing before that was loaded at boot.
[Service]
"""


class DropIn(t.NamedTuple):
    """What is added to the unit.

    Attributes:
        seamless: Whether our table is in the same transaction as every flush; otherwise it is loaded after.
    """

    text: str
    seamless: bool


def drop_in_for(root: str, nft: str, loaded: str) -> t.Optional[DropIn]:
    """What keeps our table there when nftables.service starts, reloads or stops; None where there is no such unit.

    Args:
        root: Where the host's files lie.
        nft: The absolute path of the program.
        loaded: A pattern of files, which nft includes; it may match none.
    """
    found = read_unit(Tree(root), NAME, without=(DROP_IN,))
    commands: t.Dict[str, t.List[str]] = {}
    for item in found:
        if item.section == "Service" and item.key in (*_LOADS, *_OTHERS):
            # An empty assignment clears what came before (systemd.service(5)).
            commands[item.key] = [*commands.get(item.key, ()), item.value] if item.value else []
    if not any(commands.values()):
        return None
    include = 'include "%s"' % loaded
    lines: t.List[str] = []
    for key in _LOADS:
        if not commands.get(key):
            continue
        lines.append("%s=" % key)
        for command in commands[key]:
            with_ours = _with_ours(command, include)
            if with_ours is None:
                return _afterwards(nft, include, reloads=bool(commands.get("ExecReload")))
            lines.append("%s=%s" % (key, with_ours))
    if any(commands.get(key) for key in _OTHERS):
        return _afterwards(nft, include, reloads=bool(commands.get("ExecReload")))
    return DropIn(_HEAD + "\n".join(lines) + "\n", seamless=True)


def _with_ours(command: str, include: str) -> t.Optional[str]:
    """The same command with our ruleset in its transaction; None where it is none that we know."""
    text = " ".join(command.split())
    for pattern in (_FILE, _WORDS, _QUOTED):
        matched = pattern.fullmatch(text)
        if matched is not None:
            parts = matched.groupdict()
            done = parts.get("text") or 'include "%s"' % parts["file"]
            return "%s%s '%s; %s'" % (parts["ignored"], parts["nft"], done, include)
    return None


def _afterwards(nft: str, include: str, *, reloads: bool) -> DropIn:
    keys = ["ExecStartPost", *(["ExecReload"] if reloads else []), "ExecStopPost"]
    return DropIn(_HEAD_AFTERWARDS + "".join("%s=-%s '%s'\n" % (key, nft, include) for key in keys), seamless=False)
