# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Rules beside each other: verdicts that contradict where two rules overlap, and rules that could be one."""

from __future__ import annotations

import typing as t

from .._core.intervals import IntervalSet
from .._policy.model import Rule, Traffic
from .._policy.profiles import Profile
from .codes import finding
from .decided import DecidedChain, DecidedRule
from .findings import MOST_OTHERS, Finding
from .first_matches import Undecided
from .region_words import describe_regions
from .regions import Region, intersect, is_within

#: Rules that one finding about a conflict names, and pairs that are looked at for it.
_MOST_CONFLICTS = 3
_MOST_PAIRS = 12

#: Kinds of packets that two rules share which are told.
_MOST_TEXTS = 2


def find_conflicts(chain: DecidedChain, dead: t.AbstractSet[int]) -> t.Iterator[Finding]:
    """Rules that share packets with an earlier one of another verdict, neither of the two holding the other.

    A rule within a wider one of another verdict after it is an exception, and the usual way to write
    one; it is no conflict.
    """
    for rule in chain.written:
        if rule.index in dead:
            continue
        shared: t.Dict[int, t.Tuple[DecidedRule, Region]] = {}
        for region in rule.regions:
            try:
                for other, part in _conflicts(chain, rule, region, _MOST_CONFLICTS - len(shared)):
                    shared.setdefault(other.index, (other, part))
            except Undecided:
                continue
        if shared:
            yield _conflict(chain, rule, [shared[index] for index in sorted(shared)])


def _conflicts(
    chain: DecidedChain, rule: DecidedRule, region: Region, most: int
) -> t.Iterator[t.Tuple[DecidedRule, Region]]:
    """Earlier rules of another verdict with packets of the region that they decide."""
    overlapping = chain.matches.overlapping(region) & rule.before & chain.acting_otherwise(rule.rule.action)
    found = 0
    for other in chain.owners(overlapping & ~chain.matches.holding(region), _MOST_PAIRS):
        if found >= most:
            return
        if not other.is_written or _holds(rule, other) or _holds(other, rule):
            continue
        for theirs in other.regions:
            both = intersect(region, theirs)
            part = chain.find(both, other.bits) if both is not None else None
            if part is not None:
                found += 1
                yield other, part
                break


def _holds(wide: DecidedRule, narrow: DecidedRule) -> bool:
    return all(any(is_within(one, region) for region in wide.regions) for one in narrow.regions)


def _conflict(chain: DecidedChain, rule: DecidedRule, shared: t.Sequence[t.Tuple[DecidedRule, Region]]) -> Finding:
    told = "; ".join(
        "%s %ss %s" % (other.rule.origin, other.rule.action.value, _shared(rule, other)) for other, _part in shared
    )
    return finding(
        "conflict",
        "would %s what it shares with an earlier rule, which decides: %s" % (rule.rule.action.value, told),
        "Nothing to do where the order is meant; otherwise swap them, or narrow one.",
        direction=chain.direction,
        rule=rule.rule.origin,
        others=tuple(other.rule.origin for other, _part in shared),
        witness=chain.witness(shared[0][1]),
    )


def _shared(rule: DecidedRule, other: DecidedRule) -> str:
    """The packets that are both rules', in words."""
    pairs = (intersect(mine, theirs) for mine in rule.regions for theirs in other.regions)
    texts = describe_regions([both for both in pairs if both is not None])
    more = ["and %d more" % (len(texts) - _MOST_TEXTS)] if len(texts) > _MOST_TEXTS else []
    return ", ".join([*texts[:_MOST_TEXTS], *more])


def find_mergeable(chain: DecidedChain, dead: t.AbstractSet[int], profile: Profile) -> t.Iterator[Finding]:
    """Rules of one policy that differ in one condition alone, and could list both values in one rule."""
    groups: t.Dict[t.Tuple[object, ...], t.List[DecidedRule]] = {}
    for rule in chain.written:
        if rule.index not in dead:
            for key in _keys(rule.rule, profile):
                groups.setdefault(key, []).append(rule)
    merged: t.Set[int] = set()
    for key, rules in groups.items():
        left = [rule for rule in rules if rule.index not in merged]
        together = _together(chain, left) if len(left) > 1 else []
        condition = str(key[0])
        if len(together) > 1 and _allowed(condition, [one.rule for one in together], profile):
            merged.update(rule.index for rule in together)
            yield _mergeable(chain, together, condition)


def _keys(rule: Rule, profile: Profile) -> t.Iterator[t.Tuple[object, ...]]:
    """For each condition that may be merged: its name, and all the others."""
    common = (rule.origin.name, rule.action, rule.description)
    if rule.sources is not None and not (profile.one_sided_lists and rule.destinations is not None):
        yield ("sources", *common, rule.traffic, rule.destinations)
    if rule.destinations is not None and not (profile.one_sided_lists and rule.sources is not None):
        yield ("destinations", *common, rule.traffic, rule.sources)
    if len(rule.traffic) == 1:
        yield from _traffic_keys(rule.traffic[0], (*common, rule.sources, rule.destinations))


def _traffic_keys(traffic: Traffic, common: t.Tuple[object, ...]) -> t.Iterator[t.Tuple[object, ...]]:
    if traffic.destination_ports is not None:
        yield ("destination_ports", *common, traffic.protocols, traffic.source_ports)
    if traffic.source_ports is not None:
        yield ("source_ports", *common, traffic.protocols, traffic.destination_ports)
    if traffic.icmp_types is not None:
        yield ("icmp_types", *common, traffic.protocols)
    elif traffic.protocols is not None and traffic.family is None:
        yield ("protocol", *common, traffic.source_ports, traffic.destination_ports)


def _together(chain: DecidedChain, rules: t.Sequence[DecidedRule]) -> t.List[DecidedRule]:
    """Those that can move up to the first without passing a rule of another verdict that they overlap."""
    first = rules[0]
    found = [first]
    for rule in rules[1:]:
        between = rule.before & ~(first.before | first.bits) & chain.acting_otherwise(rule.rule.action)
        if not any(chain.matches.overlapping(region) & between for region in rule.regions):
            found.append(rule)
    return found


def _allowed(condition: str, rules: t.Sequence[Rule], profile: Profile) -> bool:
    if condition == "protocol":
        return not profile.one_protocol
    if condition.endswith("_ports") and profile.most_ports is not None:
        listed = [getattr(rule.traffic[0], condition) for rule in rules]
        together = IntervalSet(interval for ports in listed for interval in ports.intervals)
        return len(together.intervals) <= profile.most_ports
    return True


def _mergeable(chain: DecidedChain, rules: t.Sequence[DecidedRule], condition: str) -> Finding:
    others = tuple(one.rule.origin for one in rules[1:])
    names = ", ".join(str(origin) for origin in others[:MOST_OTHERS])
    more = " and %d more" % (len(others) - MOST_OTHERS) if len(others) > MOST_OTHERS else ""
    return finding(
        "mergeable",
        "and %s%s differ in %s alone" % (names, more, condition),
        "Write one rule that lists all of them under %s, unless each is to have its own counter." % condition,
        direction=chain.direction,
        rule=rules[0].rule.origin,
        others=others[:MOST_OTHERS],
    )
