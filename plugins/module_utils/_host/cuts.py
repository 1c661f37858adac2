# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""What a change cuts off: whom this host talks to now, and may not call any more."""

from __future__ import annotations

import typing as t

from .._policy.evaluate import Decision
from .._policy.hostfacts import HostFacts
from .._policy.model import Action
from .._policy.program import Program
from .._policy.protocols import PROTOCOL_NAMES
from .applied import find_applied
from .files import Files
from .peers import decide, find_outgoing, find_peers
from .processes import find_owners
from .socket_list import find_sockets

#: The code of lint that says the same without looking at the host.
_CODE = "egress-cut"

#: Peers that the warning names; the result has all of them.
_MOST_NAMED = 10


def find_cuts(program: Program, files: Files, facts: HostFacts) -> t.List[t.Dict[str, t.Any]]:
    """Peers whose next connection the program refuses, unless the ruleset that was applied last refuses it too."""
    sockets, _notes = find_sockets()
    peers, _total = find_peers(find_outgoing(sockets))
    refused = [(peer, decision) for peer in peers for decision in (decide(program, peer),) if not _accepts(decision)]
    if not refused:
        # As a rule; what was applied last is not even read then.
        return []
    applied = find_applied(files, facts, [])
    before = None if applied is None or applied.policies is None else applied.policies.program
    lost = [(peer, one) for peer, one in refused if before is None or _accepts(decide(before, peer))]
    owners = find_owners({peer.inode for peer, _one in lost})
    return [
        {
            "protocol": PROTOCOL_NAMES.get(peer.protocol, str(peer.protocol)),
            "address": peer.address,
            "port": peer.port,
            "process": owners[peer.inode].name if peer.inode in owners else None,
            "verdict": one.action.value,
            "rule": str(one.origin),
        }
        for peer, one in lost
    ]


def describe_cuts(cuts: t.Sequence[t.Mapping[str, t.Any]]) -> t.List[str]:
    """The warning; none where nothing is cut off."""
    if not cuts:
        return []
    texts = [
        "%s to %s port %d%s, by %s"
        % (
            cut["protocol"],
            cut["address"],
            cut["port"],
            " (%s)" % cut["process"] if cut["process"] else "",
            cut["rule"],
        )
        for cut in cuts[:_MOST_NAMED]
    ]
    if len(cuts) > _MOST_NAMED:
        texts.append("and %d more, in the result of the task" % (len(cuts) - _MOST_NAMED))
    return [
        "%s: this host has connections open that it may not open again, because the new ruleset refuses %s. Add egress "
        "rules for what it needs." % (_CODE, "; ".join(texts))
    ]


def _accepts(decision: Decision) -> bool:
    return decision.action is Action.ACCEPT
