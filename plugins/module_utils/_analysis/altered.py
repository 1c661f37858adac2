# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Altered packets: those that may meet, in a kernel, other rules than a table would have for them.

The two are gone through side by side. A packet that meets the same rules in both, and matches none that only one of
them has, gets the same verdict. So every packet whose verdict differs is among those that come to a place where they
differ, and match what is there. Which of these really get another verdict is not asked here.

Rules that say the same in other words count as different; that makes the answer larger, never wrong.
"""

from __future__ import annotations

import typing as t

from .._compile.table import Count, Field, Log, Lookup, MapElement, SetReference, Table, TableRule, Verdict
from .._core.intervals import IntervalSet
from .._nft.read import LiveChain, LiveRule, LiveRuleset
from .._policy.traffic import ICMP, ICMPV6
from .conditions import Conditions
from .interface_classes import InterfaceClasses
from .live_meaning import bases_of, interfaces_of
from .meaning import LANES, Lane
from .regions import DIMENSIONS, Region, family_of, overlap

#: More regions than this are one for each family.
_MOST = 64

#: What tells the family of a packet as well.
_OF_FAMILY = frozenset(
    (
        Field.SOURCE4,
        Field.SOURCE6,
        Field.DESTINATION4,
        Field.DESTINATION6,
        Field.ORIGINAL_DESTINATION4,
        Field.ORIGINAL_DESTINATION6,
    )
)

#: The protocols that listings do not tell the family of, see :mod:`.live_meaning`.
_OF_ONE_FAMILY = {IntervalSet.single(ICMP): ("ipv4",), IntervalSet.single(ICMPV6): ("ipv6",)}


def ruleset_of(table: Table) -> LiveRuleset:
    """A table as it would be read from a kernel."""
    return LiveRuleset(
        {
            chain.name: LiveChain(chain.name, tuple(LiveRule(rule) for rule in chain.rules), chain.hook)
            for chain in table.chains
        },
        {named.name: named.members for named in table.sets},
        {named.name: named for named in table.maps},
    )


def find_altered(live: LiveRuleset, wanted: LiveRuleset) -> t.Tuple[Region, ...]:
    """The packets, and maybe others, in disjoint regions of one family each."""
    alike = _Alike(live, wanted)
    classes = InterfaceClasses((*interfaces_of(live), *interfaces_of(wanted)))
    found: t.Dict[Region, None] = {}
    for lane in LANES:
        for one in classes.listed:
            _SideBySide(alike, lane, one.name, found).run()
    return _disjoint(found)


class _Said(t.NamedTuple):
    """What a rule says, in one way of several.

    Attributes:
        matches: By field.
        acts: Its lookups and verdicts.
    """

    matches: t.Mapping[Field, object]
    acts: t.Tuple[t.Union[Lookup, Verdict], ...]


class _Alike:
    """What says the same in both rulesets."""

    def __init__(self, live: LiveRuleset, wanted: LiveRuleset) -> None:
        self.live = live
        self.wanted = wanted
        self._chains: t.Dict[t.Tuple[str, str], bool] = {}
        self._maps: t.Dict[t.Tuple[str, str], bool] = {}

    def chains(self, mine: str, theirs: str) -> bool:
        """Whether the rules of two chains, and all that they lead to, say the same."""
        key = (mine, theirs)
        if key not in self._chains:
            one, other = self.live.chains.get(mine), self.wanted.chains.get(theirs)
            # A chain that leads to itself, which no kernel takes, is like no other.
            self._chains[key] = False
            self._chains[key] = (
                one is not None
                and other is not None
                and len(one.rules) == len(other.rules)
                and all(self.rules(*pair) for pair in zip(one.rules, other.rules))
            )
        return self._chains[key]

    def rules(self, mine: LiveRule, theirs: LiveRule) -> bool:
        """Whether two rules, and all that they lead to, say the same."""
        if mine.unread or theirs.unread:
            return False
        one, other = said(mine.rule, self.live), said(theirs.rule, self.wanted)
        return (
            one.matches == other.matches
            and len(one.acts) == len(other.acts)
            and all(self._acts(*pair) for pair in zip(one.acts, other.acts))
        )

    def _acts(self, mine: t.Union[Lookup, Verdict], theirs: t.Union[Lookup, Verdict]) -> bool:
        if isinstance(mine, Verdict) and isinstance(theirs, Verdict):
            return self.verdicts(mine, theirs)
        return (
            isinstance(mine, Lookup)
            and isinstance(theirs, Lookup)
            and (mine.fields, mine.prefix) == (theirs.fields, theirs.prefix)
            and self._same_maps(mine.map_name, theirs.map_name)
        )

    def _same_maps(self, mine: str, theirs: str) -> bool:
        key = (mine, theirs)
        if key not in self._maps:
            one, other = elements_of(self.live, mine), elements_of(self.wanted, theirs)
            self._maps[key] = (
                one is not None
                and other is not None
                and one.keys() == other.keys()
                and all(self.verdicts(element.verdict, other[key].verdict) for key, element in one.items())
            )
        return self._maps[key]

    def verdicts(self, mine: Verdict, theirs: Verdict) -> bool:
        """Whether two verdicts, and all that they lead to, say the same."""
        if mine.kind is not theirs.kind:
            return False
        return not mine.chain or self.chains(mine.chain, theirs.chain)


_Elements = t.Dict[t.Tuple[t.Tuple[int, int], ...], MapElement]


def elements_of(ruleset: LiveRuleset, name: str) -> t.Optional[_Elements]:
    """The elements of a map by their keys; None where it is not there."""
    named = ruleset.maps.get(name)
    return None if named is None else {element.key: element for element in named.elements}


def said(rule: TableRule, ruleset: LiveRuleset) -> _Said:
    """What a rule says, however nft lists it."""
    found: t.Dict[Field, object] = {}
    for match in rule.matches:
        value: object = match.value
        if isinstance(value, SetReference):
            value = ruleset.sets.get(value.name, value)
        elif isinstance(value, tuple):
            value = tuple(sorted(value))
        known = found.get(match.field)
        if isinstance(known, IntervalSet) and isinstance(value, IntervalSet):
            value = known & value
        elif known is not None and known != value:
            value = (known, value)
        found[match.field] = value
    family = found.get(Field.FAMILY)
    protocol = found.get(Field.PROTOCOL)
    implied = isinstance(protocol, IntervalSet) and _OF_ONE_FAMILY.get(protocol) == family
    if family is not None and (implied or not _OF_FAMILY.isdisjoint(found)):
        del found[Field.FAMILY]
    return _Said(found, tuple(one for one in rule.statements if not isinstance(one, (Count, Log))))


class _SideBySide:
    """The ways of the packets of a lane on one interface, through both rulesets."""

    def __init__(self, alike: _Alike, lane: Lane, interface: str, found: t.Dict[Region, None]) -> None:
        self._alike = alike
        self._lane = lane
        self._mine = Conditions(alike.live, lane, interface)
        self._theirs = Conditions(alike.wanted, lane, interface)
        self._found = found
        self._seen: t.Set[t.Tuple[str, str, Region]] = set()

    def run(self) -> None:
        mine, theirs = (bases_of(one, self._lane) for one in (self._alike.live, self._alike.wanted))
        if [(one.priority, one.policy) for one in mine] != [(one.priority, one.policy) for one in theirs]:
            self._add(self._lane.space)
            return
        for one, other in zip(mine, theirs):
            for region in self._lane.space:
                self._chains(one, other, region)

    def _add(self, regions: t.Iterable[Region]) -> None:
        self._found.update(dict.fromkeys(regions))

    def _chains(self, mine: LiveChain, theirs: LiveChain, region: Region) -> None:
        key = (mine.name, theirs.name, region)
        if key in self._seen or self._alike.chains(mine.name, theirs.name):
            return
        self._seen.add(key)
        ours, others = _acting(mine), _acting(theirs)
        while ours and others and self._alike.rules(ours[-1], others[-1]):
            del ours[-1], others[-1]
        first = 0
        while first < min(len(ours), len(others)) and self._alike.rules(ours[first], others[first]):
            first += 1
        ours, others = ours[first:], others[first:]
        if len(ours) == len(others):
            for pair in zip(ours, others):
                if not self._alike.rules(*pair):
                    self._rules(*pair, region)
            return
        for one in ours:
            self._add(self._matching(self._mine, one, region))
        for one in others:
            self._add(self._matching(self._theirs, one, region))

    @staticmethod
    def _matching(conditions: Conditions, rule: LiveRule, region: Region) -> t.List[Region]:
        """The packets that a rule may do something with. Where a condition is not known, all may meet it."""
        return conditions.narrow(region, rule.rule.matches)[0]

    def _rules(self, mine: LiveRule, theirs: LiveRule, region: Region) -> None:
        """Two rules at the same place that do not say the same."""
        one, other = said(mine.rule, self._alike.live), said(theirs.rule, self._alike.wanted)
        parts = self._matching(self._mine, mine, region)
        if (
            not (mine.unread or theirs.unread)
            and one.matches == other.matches
            and len(one.acts) == len(other.acts) == 1
        ):
            for part in parts:
                self._acts(one.acts[0], other.acts[0], part)
            return
        self._add(parts)
        self._add(self._matching(self._theirs, theirs, region))

    def _acts(self, mine: t.Union[Lookup, Verdict], theirs: t.Union[Lookup, Verdict], region: Region) -> None:
        if isinstance(mine, Verdict) and isinstance(theirs, Verdict):
            self._verdicts(mine, theirs, region)
            return
        if isinstance(mine, Lookup) and isinstance(theirs, Lookup):
            one = elements_of(self._alike.live, mine.map_name)
            other = elements_of(self._alike.wanted, theirs.map_name)
            alike = (mine.fields, mine.prefix) == (theirs.fields, theirs.prefix)
            if alike and one is not None and other is not None and not self._mine.why_unsaid(mine):
                self._maps(mine, one, other, region)
                return
        self._add((region,))

    def _maps(self, lookup: Lookup, mine: _Elements, theirs: _Elements, region: Region) -> None:
        for key in {**mine, **theirs}:
            one, other = mine.get(key), theirs.get(key)
            if one is not None and other is not None:
                if not self._alike.verdicts(one.verdict, other.verdict):
                    for part in self._mine.element(region, lookup, one):
                        self._verdicts(one.verdict, other.verdict, part)
            else:
                only = one or other
                if only is not None:
                    self._add(self._mine.element(region, lookup, only))

    def _verdicts(self, mine: Verdict, theirs: Verdict, region: Region) -> None:
        one, other = self._alike.live.chains.get(mine.chain), self._alike.wanted.chains.get(theirs.chain)
        if mine.kind is theirs.kind and one is not None and other is not None:
            self._chains(one, other, region)
        else:
            self._add((region,))


def _acting(chain: LiveChain) -> t.List[LiveRule]:
    """Without rules that only count or log."""
    return [
        one
        for one in chain.rules
        if one.unread or any(isinstance(statement, (Lookup, Verdict)) for statement in one.rule.statements)
    ]


def _disjoint(regions: t.Iterable[Region]) -> t.Tuple[Region, ...]:
    """Disjoint regions that hold all of these: those that share a packet are one, which may hold more."""
    found: t.List[Region] = []
    for region in regions:
        whole = region
        while True:
            sharing = [one for one in found if overlap(one, whole)]
            if not sharing:
                break
            found = [one for one in found if one not in sharing]
            whole = _hull((whole, *sharing))
        found.append(whole)
    if len(found) > _MOST:
        families = {family_of(region) for region in found}
        found = [_hull([one for one in found if family_of(one) == family]) for family in sorted(families)]
    return tuple(found)


def _hull(regions: t.Sequence[Region]) -> Region:
    """In each dimension, what any of them holds."""
    return tuple(
        IntervalSet(interval for region in regions for interval in region[dimension]).intervals
        for dimension in DIMENSIONS
    )
