# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""What the rules in a kernel mean: every way through the chains, as ordered clauses.

Where :mod:`.walk` takes one packet through the rules, this takes all packets of a lane and an interface at once. Each
rule narrows the region of packets that come to it; a verdict makes a clause. Packets of a jump that come back
meet the next rules, because their clauses come behind. After a goto they do not, so what they meet instead
follows at once. What could not be read makes a clause without a verdict.

The listing of nft does not tell whether a rule for the protocol icmp is for IPv4 alone: the condition ``meta nfproto
ipv4`` before it is left out (``meta_may_dependency_kill`` of src/netlink_delinearize.c), and so it is with icmpv6.
Nothing is said about such packets of the other family, which nobody sends.

Chains that many rules lead to are gone through as often, so the work has a bound.
"""

from __future__ import annotations

import typing as t

from .._compile.table import Count, Lookup, Verdict, VerdictKind
from .._core.intervals import IntervalSet
from .._nft.read import LiveChain, LiveRule, LiveRuleset
from .._policy.model import Action, Route
from .._policy.traffic import ICMP, ICMPV6
from .conditions import Conditions
from .meaning import EVERYTHING, Clause, Decided, Decider, Lane, Meaning
from .regions import PROTOCOL, Region, family_of, intersect
from .walk import ACTIONS, HOOKS, origin_of

#: Rules and elements that are looked at, for all lanes and interfaces together.
DEFAULT_BUDGET = 400_000

#: The kernel allows jumps no deeper than this (NFT_JUMP_STACK_SIZE of net/netfilter/nf_tables_core.c).
_DEEPEST = 16

_INTERFACE_FIELDS = frozenset(field for _hook, field in HOOKS.values())


def _told(family: int, region: Region) -> Region:
    foreign = IntervalSet.single(ICMPV6 if family == 4 else ICMP)
    changed = list(region)
    changed[PROTOCOL] = (IntervalSet(region[PROTOCOL]) - foreign).intervals
    return tuple(changed)


#: The packets that a listing tells of, a region for each family.
_TOLD = tuple(_told(family_of(region), region) for region in EVERYTHING)


class TooLargeError(Exception):
    """The ways through the rules are more than are looked at."""


class LiveMeaning(Meaning):
    """What our table in a kernel means."""

    def __init__(
        self,
        ruleset: LiveRuleset,
        variables: t.Optional[t.Mapping[str, str]] = None,
        budget: int = DEFAULT_BUDGET,
        *,
        space: t.Iterable[Region] = EVERYTHING,
    ) -> None:
        """What the ruleset means.

        Args:
            variables: The role variable behind each policy rule, by the rule's name, as far as it is known.
            budget: Rules and elements that are looked at.
            space: The packets that it is to tell of, disjoint regions of one family each.
        """
        asked = (intersect(region, known) for region in space for known in _TOLD)
        self.told = tuple(one for one in asked if one is not None)
        self._ruleset = ruleset
        self._variables = variables or {}
        self._left = budget
        self._known: t.Dict[t.Tuple[Lane, str], Decider] = {}
        self.interfaces = interfaces_of(ruleset)

    def decider(self, lane: Lane, interface: str) -> Decider:
        """What the base chains of the lane's hook decide.

        Raises:
            TooLargeError: It takes more than the budget.
        """
        key = (lane, interface)
        if key not in self._known:
            paths = _Paths(self, Conditions(self._ruleset, lane, interface), bases_of(self._ruleset, lane))
            space = (intersect(region, told) for region in lane.space for told in self.told)
            self._known[key] = Decider(tuple(paths.clauses(one for one in space if one is not None)))
        return self._known[key]

    def spend(self) -> None:
        """Takes one off the budget."""
        self._left -= 1
        if self._left < 0:
            raise TooLargeError

    def chain(self, name: str) -> t.Optional[LiveChain]:
        return self._ruleset.chains.get(name)

    @property
    def ruleset(self) -> LiveRuleset:
        return self._ruleset

    def decided(self, counter: str, comment: str, chain: str) -> Decided:
        """What a verdict was given by: the rule that was counted, or else what a comment says."""
        name = origin_of(counter) if counter else comment
        if not name:
            return Decided("a rule of the chain %s" % chain)
        return Decided(name, self._variables.get(name, ""))


def interfaces_of(ruleset: LiveRuleset) -> t.Tuple[str, ...]:
    """The patterns of interface names that its rules ask for."""
    rules = (rule for chain in ruleset.chains.values() for rule in chain.rules)
    return tuple(sorted({word for rule in rules for word in _interfaces_of(rule)}))


def _interfaces_of(rule: LiveRule) -> t.Iterator[str]:
    for match in rule.rule.matches:
        if match.field in _INTERFACE_FIELDS and isinstance(match.value, tuple):
            yield from (word for word in match.value if word)


def bases_of(ruleset: LiveRuleset, lane: Lane) -> t.Tuple[LiveChain, ...]:
    """The base chains that the packets of a lane meet, in order."""
    hook = HOOKS[lane.direction][0] if lane.route is Route.LOCAL else "forward"
    found = (chain for chain in ruleset.chains.values() if chain.hook == hook)
    return tuple(sorted(found, key=lambda chain: (chain.priority, chain.name)))


class _Met(t.NamedTuple):
    """What packets have met on their way.

    Attributes:
        back: Where they go on when a chain ends: chains and positions, the last one first to come back to.
        bases: The base chains that are still to come.
    """

    base: LiveChain
    bases: t.Tuple[LiveChain, ...]
    back: t.Tuple[t.Tuple[LiveChain, int], ...] = ()
    counter: str = ""
    comment: str = ""


class _Paths:
    def __init__(self, meaning: LiveMeaning, conditions: Conditions, bases: t.Tuple[LiveChain, ...]) -> None:
        self._meaning = meaning
        self._conditions = conditions
        self._bases = bases
        self._found: t.List[Clause] = []

    def clauses(self, space: t.Iterable[Region]) -> t.List[Clause]:
        """What is decided, for disjoint regions of one family each."""
        for region in space:
            self._enter(region, self._bases)
        # The kernel has an answer for every packet; this is for the form.
        self._found.append(Clause(EVERYTHING, Action.ACCEPT, Decided("no rule", is_rule=False)))
        return self._found

    def _enter(self, region: Region, bases: t.Tuple[LiveChain, ...]) -> None:
        """Decides all of the region: each base chain has to accept."""
        if not bases:
            self._add(region, Action.ACCEPT, Decided("no rule", is_rule=False))
            return
        met = _Met(bases[0], bases[1:])
        if not self._run(bases[0], 0, region, met):
            self._end(region, met)

    def _end(self, region: Region, met: _Met) -> None:
        """The policy of the base chain."""
        if met.base.policy == "accept":
            self._enter(region, met.bases)
        else:
            self._add(region, Action.DROP, Decided("policy of the chain %s" % met.base.name, is_rule=False))

    def _add(self, region: Region, action: t.Optional[Action], by: Decided) -> None:
        self._found.append(Clause((region,), action, by))

    def _run(self, chain: LiveChain, position: int, region: Region, met: _Met) -> bool:
        """The rules from a position on. Whether every packet of the region is decided; else some fall out."""
        return any(self._rule(chain, index, region, met) for index in range(position, len(chain.rules)))

    def _rule(self, chain: LiveChain, index: int, region: Region, met: _Met) -> bool:
        self._meaning.spend()
        live = chain.rules[index]
        parts, reason = self._conditions.narrow(region, live.rule.matches)
        if not parts:
            return False
        whole = parts == [region]
        reason = reason or live.unread
        if reason:
            self._add_unread(chain, index, parts, reason)
            return whole
        if live.rule.statements:
            met = met._replace(comment=live.rule.comment)
        for statement in live.rule.statements:
            if isinstance(statement, Count):
                met = met._replace(counter=statement.counter)
            elif isinstance(statement, Verdict):
                decided = [self._follow(chain, index, part, statement, met) for part in parts]
                return whole and all(decided)
            elif isinstance(statement, Lookup):
                for part in parts:
                    self._look_up(chain, index, part, statement, met)
                return False
        return False

    def _look_up(self, chain: LiveChain, index: int, region: Region, lookup: Lookup, met: _Met) -> None:
        named = self._meaning.ruleset.maps.get(lookup.map_name)
        reason = self._conditions.why_unsaid(lookup)
        if named is None or reason:
            self._add_unread(chain, index, [region], reason or "the map %s" % lookup.map_name)
            return
        for element in named.elements:
            self._meaning.spend()
            for part in self._conditions.element(region, lookup, element):
                self._follow(chain, index, part, element.verdict, met._replace(comment=element.comment))

    def _add_unread(self, chain: LiveChain, index: int, regions: t.Iterable[Region], reason: str) -> None:
        by = Decided("rule %d of the chain %s, not understood: %s" % (index + 1, chain.name, reason), is_rule=False)
        for region in regions:
            self._add(region, None, by)

    def _follow(self, chain: LiveChain, index: int, region: Region, verdict: Verdict, met: _Met) -> bool:
        """What a verdict does to the packets of a region. Whether it decides all of them."""
        if verdict.kind in ACTIONS:
            action = Action(ACTIONS[verdict.kind])
            if action is Action.ACCEPT and any(one.rules or one.policy != "accept" for one in met.bases):
                self._enter(region, met.bases)
            else:
                self._add(region, action, self._meaning.decided(met.counter, met.comment, chain.name))
            return True
        target = self._meaning.chain(verdict.chain)
        if target is None or len(met.back) > _DEEPEST:
            self._add(region, None, Decided("the chain %s is not in the listing" % verdict.chain, is_rule=False))
            return True
        if verdict.kind is VerdictKind.JUMP:
            return self._run(target, 0, region, met._replace(back=(*met.back, (chain, index + 1))))
        if not self._run(target, 0, region, met):
            self._come_back(region, met)
        return True

    def _come_back(self, region: Region, met: _Met) -> None:
        """Decides all of the region, from where the last jump came from."""
        back = met.back
        while back:
            (chain, position), back = back[-1], back[:-1]
            if self._run(chain, position, region, met._replace(back=back)):
                return
        self._end(region, met)
