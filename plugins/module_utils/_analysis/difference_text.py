# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""A difference in plain data, and as the lines that a person reads."""

from __future__ import annotations

import typing as t

from .._policy.model import Action, Route
from .._policy.packet import Packet
from .changed_packets import Change
from .difference import Difference, Group
from .findings import packet_to_plain
from .interface_classes import OTHERS
from .meaning import PUBLISHED, PUBLISHED_REPLIES, Decided, Lane
from .region_words import describe_regions, states_of
from .regions import STATES
from .wording import describe_packet

#: Groups that a text and a result have; the others are counted.
LISTED_GROUPS = 20

#: Texts of regions that a line has; the others are counted.
_LISTED_REGIONS = 3

#: What fits a terminal, with the name of a host before it.
_LONGEST_LINE = 110

#: Rules that a line names, of those that were not decided.
_LISTED_RULES = 5

_PARTICIPLES = {Action.ACCEPT: "accepted", Action.DROP: "dropped", Action.REJECT: "rejected"}

SAME = "no change in meaning"


def difference_to_plain(difference: Difference, note: str = "") -> t.Dict[str, t.Any]:
    """Lists, mappings and texts, with all of it as lines under ``text``.

    Args:
        note: What has to be known about the comparison, as one sentence; empty where there is nothing.
    """
    return {
        "same": difference.same,
        "groups": [_group_to_plain(group) for group in difference.groups[:LISTED_GROUPS]],
        "more": max(0, len(difference.groups) - LISTED_GROUPS),
        "undecided": [str(by) for by in difference.undecided],
        "note": note,
        "text": "\n".join(_lines(difference, note)),
    }


def _group_to_plain(group: Group) -> t.Dict[str, t.Any]:
    change = group.change
    others = [_decided_to_plain(by) for by in change.others]
    return {
        "change": _PARTICIPLES[group.after],
        "direction": group.direction.value,
        "before": {"verdict": group.before.value, **_decided_to_plain(change.before.by)},
        "after": {"verdict": group.after.value, **_decided_to_plain(change.after.by)},
        "others_before": others if change.others_are_before else [],
        "others_after": [] if change.others_are_before else others,
        "more_rules": change.more,
        "packets": "; ".join(_packets(change)),
        "exact": change.exact,
        "states": [state.value for state in STATES if state in states_of(change.regions or change.within)],
        "places": [
            {"route": _route(place.lane), "interfaces": [one or OTHERS for one in place.interfaces]}
            for place in group.places
        ],
        "witness": _witness_to_plain(group.witness),
        "text": "\n".join(_lines_of_group(group)),
    }


def _decided_to_plain(by: Decided) -> t.Dict[str, str]:
    return {"rule": by.name, "variable": by.variable}


def _route(lane: Lane) -> str:
    if lane == PUBLISHED_REPLIES:
        return "answers of published ports"
    return {Route.LOCAL: "local", Route.PUBLISHED: "published ports", Route.FORWARDED: "forwarded"}[lane.route]


def _witness_to_plain(packet: Packet) -> t.Dict[str, t.Any]:
    extra = {"interface": packet.interface}
    if packet.route is not Route.LOCAL:
        extra["route"] = packet.route.value
    return {**packet_to_plain(packet), **extra, "text": describe_packet(packet)}


def _lines(difference: Difference, note: str) -> t.Iterator[str]:
    groups = difference.groups
    if groups:
        yield "meaning: %s" % _count(len(groups))
    elif difference.undecided:
        yield "meaning: no change was found, but not everything could be decided"
    else:
        yield "meaning: %s" % SAME
    if note:
        yield "  note: %s" % note
    for group in groups[:LISTED_GROUPS]:
        yield from ("  " + line for line in _lines_of_group(group))
    if len(groups) > LISTED_GROUPS:
        yield "  and %d more groups of packets" % (len(groups) - LISTED_GROUPS)
    if difference.undecided:
        names = ", ".join(str(by) for by in difference.undecided[:_LISTED_RULES])
        rest = len(difference.undecided) - _LISTED_RULES
        yield "  undecided, so there may be more changes by: %s%s" % (names, " and %d more" % rest if rest > 0 else "")


def _count(groups: int) -> str:
    return "one group of packets changes" if groups == 1 else "%d groups of packets change" % groups


def _lines_of_group(group: Group) -> t.Iterator[str]:
    change = group.change
    said = "newly %s: %s" % (_PARTICIPLES[group.after], group.direction.value)
    packets, where = _packets(change), _where(group)
    line = "%s %s%s" % (said, "; ".join(packets), where)
    if len(line) <= _LONGEST_LINE:
        yield line
    else:
        yield said + where
        yield from ("    " + one for one in packets)
    yield "  before: %s" % _decision(change, before=True)
    yield "  after: %s" % _decision(change, before=False)
    yield "  for example: %s" % describe_packet(group.witness)


def _packets(change: Change) -> t.List[str]:
    """What they are, or what they are some of where they were not spelled out; each text stands by itself."""
    texts = describe_regions(change.regions if change.exact else change.within)
    listed = texts[:_LISTED_REGIONS]
    if len(texts) > _LISTED_REGIONS:
        listed.append("and %d more" % (len(texts) - _LISTED_REGIONS))
    if not change.exact:
        listed[0] = "some of %s" % listed[0]
    return listed


def _decision(change: Change, *, before: bool) -> str:
    clause = change.before if before else change.after
    verdict = clause.action.value if clause.action is not None else ""
    if not clause.by.is_rule:
        return "%s (%s)" % (verdict, clause.by)
    names = [str(clause.by)]
    if before is change.others_are_before:
        names.extend(str(by) for by in change.others)
        names.extend(["others"] if change.more else [])
    return "%s by %s" % (verdict, names[0] if len(names) == 1 else "%s and %s" % (", ".join(names[:-1]), names[-1]))


def _where(group: Group) -> str:
    """Nothing where it is about every interface that is filtered, and about the host itself."""
    parts = []
    routes = {place.lane.route for place in group.places}
    for place in group.places:
        if place.lane == PUBLISHED and Route.LOCAL in routes:
            continue
        words = [] if place.lane.route is Route.LOCAL else ["for %s" % _PLACES[place.lane.route]]
        if "" not in place.interfaces:
            words.append("on %s" % ", ".join(place.interfaces))
        parts.append(" ".join(words))
    text = ", and ".join(part for part in parts if part)
    return ", %s" % text if text else ""


_PLACES = {Route.PUBLISHED: "published ports", Route.FORWARDED: "other forwarded packets"}
