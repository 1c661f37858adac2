# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""What is live on this host: the rules with what they counted, drift, who listens, and whom it talks to."""

from __future__ import annotations

import time
import typing as t

from .._analysis.live_text import render_live
from .._analysis.rule_list import list_rules
from ._discovery.discover import discover
from .applied import Applied, Policies, find_applied
from .counters import Counters, read_counters
from .counting import Since, counting_since
from .drift import Drift, find_drift, is_as_applied
from .holding import Holding, NotOursError
from .kernel import compare, read_live
from .listeners import describe_traffic, look_around
from .nft import Nft, find_nft
from .options import Host, Result
from .persistence import RECORD
from .published_ports import list_published_ports
from .report import DELETION, describe_changes
from .socket_list import find_sockets


class Asked(t.NamedTuple):
    """What is asked for: whether what is live is what these variables want; None: only what is live.

    Attributes:
        state: With ``absent``, whether nothing is left of what a run made, whatever the variables say.
    """

    variables: t.Optional[t.Mapping[str, object]] = None
    groups: t.Optional[t.Mapping[str, object]] = None
    state: str = "present"


def find_live(asked: Asked, host: t.Optional[Host] = None) -> Result:
    """See the RETURN of ``palisade.nftables.ruleset_info``. Nothing is changed.

    Raises:
        PolicyError: The variables are wrong, with every problem.
        HostError: The host does not tell what it has.
    """
    where = host if host is not None else Host()
    nft = find_nft(where.search_path)
    facts = discover(where.root)
    notes: t.List[str] = []
    absent = asked.state == "absent"
    wanted = None if asked.variables is None or absent else Policies(asked.variables, asked.groups, facts)
    applied = find_applied(where.files, facts, notes)
    try:
        holding: t.Optional[Holding] = read_live()
    except NotOursError as exc:
        notes.append(str(exc))
        holding = None
    present = holding is not None and holding.table is not None
    counters = read_counters() if present else Counters(0, {})
    since = counting_since(where.files, counters) if present else Since(None, {})
    drift = _find_drift(nft, where, holding, applied, notes)
    policies = wanted if applied is None or applied.policies is None else applied.policies
    if holding is None:
        # Nobody knows what a table decides that we did not make.
        policies = None
    elif not present:
        notes.append("there is no ruleset of Palisade: nothing of it refuses what the listeners are asked for")
        policies = Policies({}, None, facts)
    sockets, told = find_sockets()
    notes.extend(told)
    published = [] if holding is None else list_published_ports(nft, holding, notes)
    if since.note and counters.by_name:
        notes.append(since.note)
    if drift.state == "changed":
        notes.append(
            "the table was changed since it was applied, and the kernel may decide otherwise than is said here"
        )
    ruleset: Result = {
        "present": present,
        "digest": None if applied is None else applied.entry.digest,
        "layout": None if policies is None or not present else policies.firewall.layout.value,
        "changed_at": None if applied is None else applied.changed_at,
        "counting_since": _iso(since.table) if counters.by_name else None,
        "rules": [] if policies is None or not present else _describe_rules(policies, counters, since),
        "drift": drift.to_plain(),
        "wanted": _compare(nft, where, holding, wanted)
        if wanted is not None
        else _compare_absent(holding, absent=absent),
        **describe_traffic(look_around(sockets, published), policies, notes),
        "notes": notes,
    }
    return {"ruleset": ruleset, "text": render_live(ruleset)}


def _find_drift(
    nft: Nft, host: Host, holding: t.Optional[Holding], applied: t.Optional[Applied], notes: t.List[str]
) -> Drift:
    if holding is None:
        return Drift("foreign")
    if holding.table is None:
        return Drift("none" if applied is None else "absent")
    policies = None if applied is None else applied.policies
    if policies is not None and is_as_applied(holding.table, host.files.read(RECORD), policies.counters):
        return Drift("none")
    text = None if applied is None else applied.text(host.files)
    if text is None:
        notes.append(
            "what was applied last is not known any more, so drift cannot be found; the next deploy finds it"
            if applied is not None
            else "this host has no record of what was applied, so drift cannot be found"
        )
        return Drift("unknown")
    drift, note = find_drift(nft, text)
    notes.extend([note] if note else [])
    return drift


def _compare(nft: Nft, host: Host, holding: t.Optional[Holding], wanted: Policies) -> t.Dict[str, t.Any]:
    if holding is None:
        return {"equal": False, "changes": []}
    table = wanted.table()
    comparison = compare(nft, table, host.files.read(RECORD))
    return {"equal": comparison.equal, "changes": describe_changes(table.table, comparison, "")}


def _compare_absent(holding: t.Optional[Holding], *, absent: bool) -> t.Optional[t.Dict[str, t.Any]]:
    """Whether nothing of ours is there, where that is wanted; None where nothing is. Somebody else's table may stay."""
    if not absent:
        return None
    gone = holding is None or holding.table is None
    return {"equal": gone, "changes": [] if gone else [DELETION]}


def _describe_rules(policies: Policies, counters: Counters, since: Since) -> t.List[t.Dict[str, t.Any]]:
    found = []
    for rule in list_rules(policies.program, policies.lowered):
        counter = counters.by_name.get(rule.counter)
        begun = since.by_name.get(rule.counter)
        counted = {
            "packets": None if counter is None else counter.packets,
            "bytes": None if counter is None else counter.bytes,
            "never_hit": counter is not None and counter.packets == 0,
            "counting_since": _iso(begun) if counter is not None else None,
        }
        found.append({**rule.plain, **counted})
    return found


def _iso(seconds: t.Optional[float]) -> t.Optional[str]:
    return None if seconds is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
