# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.
"""Arranging: from a list of items to a plan in which few lookups decide.

At each list the candidates are compared by estimated cost, and the cheapest is taken: one rule after
another; one lookup of groups; or cells of addresses for what is narrow, before what is wide.
"""

from __future__ import annotations

import typing as t

from ..pages import LEVELS as PAGE_LEVELS
from . import costs
from .cells import CELL_ITEMS
from .cuts import Cuts, find_cuts
from .groups import Candidate, Grouping, find_grouping
from .guards import Split, arranged_items, guarded, size_of_guards, split_within
from .items import (
    ADDRESSES,
    DESTINATION,
    DESTINATION_PORT,
    FAMILY_SPACE,
    PORTED,
    PORTLESS,
    PROTOCOL,
    SOURCE,
    SOURCE_PORT,
    Item,
    clip,
    family_of,
    has_ports,
    within_protocols,
)
from .keys import Keys, Kind, Scope
from .overlap import Overlaps
from .plan import Branch, Dispatch, Element, Node, Rule, Step, height, ways
from .port_blocks import in_port_blocks

#: Lists up to this long are never looked up: the rules themselves are as fast, and easier to read.
_SHORT = 6
#: A policy of so many boxes is arranged by ports or not at all, so that it stays easy to read.
_SMALL = 48
#: A lookup must save this much, in nanoseconds, and this share of the cost.
_LEAST_GAIN = 20.0
_LEAST_SHARE = 0.1
#: Chains that may follow each other, from the chain of the direction on. The kernel refuses 16 from the base
#: chain on (NFT_JUMP_STACK_SIZE), and a long list for published ports has pages of its own in between.
_HIGHEST = 14 - PAGE_LEVELS
#: What a plan may take of its budget.
_OVERSPENT = 1.01
#: Why something stays one rule after another.
LIMIT_REACHED = "the limit of rules and elements is reached"
#: Before a transaction the kernel goes all ways from the base chains, and visits a chain once for each.
_MOST_WAYS = 20_000_000
#: How deep lists may be arranged within arrangements, and on how many arrangements guards may rest; where that
#: makes too many chains in a row or too many ways, less.
_ATTEMPTS = ((12, 4), (6, 2), (5, 1), (4, 0), (2, 0), (1, 0))
#: A list longer than this is not compared item by item: the overlaps would take too much memory.
MOST_ITEMS = 24000
#: So many items about packets without ports are not worth telling those packets apart.
_FEW_APART = 8
#: Where cells are possible, no map is larger: a changed element takes a new map.
_LARGEST_MAP = 2 * CELL_ITEMS
#: Lists within lists have guards that are asked one by one: the chains would follow each other too deep.
_DEEPEST_GUARDS = 1
#: Steps and elements that an item takes in all, about; and the share of what is left that guards may take.
_SIZE_OF_ITEM = 2
_SHARE_FOR_GUARDS = 0.15
#: What guards that are asked one by one may take of what is left, of as many items as stay.
_SHARE_FOR_INLINE = 0.8

_ADDRESS_WORDS = {SOURCE: "sources", DESTINATION: "destinations"}


class Spread(t.NamedTuple):
    """A proposal to cut by the addresses of one side."""

    cuts: Cuts
    found: Split
    cost: float


def arrange_all(items: t.Sequence[Item], budget: int) -> t.Tuple[Node, t.Tuple[str, ...]]:
    """The plan of one direction.

    Args:
        budget: How many steps and elements the plan may have in all.

    Returns:
        The plan, and what was left one by one although a lookup would have been faster, and why.
    """
    why = ""
    for deepest, most_places in _ATTEMPTS:
        arranger = Arranger(budget, deepest, most_places)
        node = arranger.arrange_all(items)
        if budget - arranger.left > budget * _OVERSPENT:
            why = LIMIT_REACHED
        elif height(node) > _HIGHEST or ways(node) > _MOST_WAYS:
            why = "the chains would follow each other too deep"
        else:
            return node, tuple(arranger.notes)
    return Node([Rule(item) for item in items]), (why,)


class Arranger:
    """Makes the nodes of one direction.

    Attributes:
        left: What is left of the budget; less than nothing where the last lists took more than was foreseen.
        notes: What was left one by one although a lookup would have been faster, and why.
    """

    def __init__(self, budget: int, deepest: int, most_places: int) -> None:
        self._deepest = deepest
        self._most_places = most_places
        self.left = budget
        self._numbered = 0
        self.notes: t.List[str] = []

    def arrange(self, items: t.Sequence[Item], scope: Scope, depth: int = 0) -> Node:
        """The node that decides as the items do in their order, and nothing where none of them matches."""
        node = Node()
        remaining = _reachable(items)
        while remaining:
            steps, rest = self._next(remaining, scope, depth)
            node.steps.extend(steps)
            remaining = rest
        return node

    def arrange_all(self, items: t.Sequence[Item]) -> Node:
        """The node for all packets: those whose protocol has ports are told apart from the others first, if many
        items are about both, because a lookup of ports finds nothing for a packet without ports.
        """
        everything = Scope(is_small=len(items) <= _SMALL)
        apart = [item for item in items if not has_ports(item)]
        if len(apart) <= _FEW_APART or len(apart) == len(items):
            return self.arrange(items, everything)
        with_ports = [found for found in (within_protocols(item, PORTED) for item in items) if found is not None]
        without = [found for found in (within_protocols(item, PORTLESS) for item in items) if found is not None]
        # What those without ports leave of their share serves the others, which are harder to tell apart.
        kept = self.left * len(with_ports) // (len(with_ports) + len(without))
        self.left -= kept
        rest = self.arrange(without, everything)
        self.left += kept
        branch = Branch(PORTED, self.arrange(with_ports, everything._replace(has_ports=True), 1))
        return Node([branch, *rest.steps])

    def _next(self, items: t.List[Item], scope: Scope, depth: int) -> t.Tuple[t.List[Step], t.List[Item]]:
        """The steps that come first, and the items that are to follow them."""
        one_by_one: t.List[Step] = [Rule(item) for item in items]
        if len(items) <= _SHORT or depth >= self._deepest:
            self.left -= len(items)
            return one_by_one, []
        if len(items) > MOST_ITEMS:
            self._note("%d boxes are more than are compared with each other" % len(items))
            self.left -= len(items)
            return one_by_one, []
        overlaps = Overlaps(items)
        plain = costs.linear([costs.rule(item) for item in items], costs.MISSED_SHARE)
        grouping = self._best_grouping(items, overlaps, scope)
        spread = self._best_spread(items, overlaps, scope, depth)
        if spread is not None and grouping is not None and grouping.elements > _LARGEST_MAP:
            # A changed element takes a new map, so cells are worth some time.
            grouping = None if spread.cost < 2 * grouping.cost else grouping
        cheapest = min([one.cost for one in (grouping, spread) if one is not None], default=plain)
        if cheapest > plain - max(_LEAST_GAIN, plain * _LEAST_SHARE):
            self.left -= len(items)
            return one_by_one, []
        if self.left < 2 * len(items):
            self._note(LIMIT_REACHED)
            self.left -= len(items)
            return one_by_one, []
        if spread is not None and spread.cost == cheapest:
            return self._spread(items, spread, scope, depth)
        if grouping is None:
            return one_by_one, []
        return self._group(grouping.make(), scope, depth)

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)

    # One lookup of groups

    def _best_grouping(self, items: t.Sequence[Item], overlaps: Overlaps, scope: Scope) -> t.Optional[Candidate]:
        best: t.Optional[Candidate] = None
        keys = Keys(items)
        for kind in _plain_kinds(items) if scope.is_small else _kinds(items, scope):
            found = find_grouping(items, overlaps, keys, kind, scope)
            if found is not None and (best is None or found.cost < best.cost):
                best = found
        return best

    def _group(self, grouping: Grouping, scope: Scope, depth: int) -> t.Tuple[t.List[Step], t.List[Item]]:
        within = scope._replace(
            family=grouping.family or scope.family,
            has_ports=scope.has_ports
            or any(dimension in (SOURCE_PORT, DESTINATION_PORT) for dimension in grouping.dimensions),
        )
        elements: t.List[Element] = []
        for group in grouping.groups:
            node = self.arrange(group.items, within, depth + 1)
            elements.extend(Element(key, node) for key in group.keys)
        self.left -= len(elements) + len(grouping.ahead)
        steps: t.List[Step] = [Rule(item) for item in grouping.ahead]
        purpose = _purpose(grouping.dimensions)
        whole = Dispatch(grouping.dimensions, grouping.family, tuple(elements), purpose, grouping.prefix)
        step, more = in_port_blocks(whole)
        self.left -= more
        steps.append(step)
        return steps, list(grouping.rest)

    # Cells of addresses

    def _best_spread(self, items: t.Sequence[Item], overlaps: Overlaps, scope: Scope, depth: int) -> t.Optional[Spread]:
        best: t.Optional[Spread] = None
        for cuts in () if scope.is_small else find_cuts(items, overlaps, scope):
            found = split_within(
                items, overlaps, cuts.first, self._places(len(items), depth), self.left * _SHARE_FOR_INLINE
            )
            if found is None or len(found.first) <= _SHORT:
                continue
            cost = costs.layered(len(items), cuts.lookup, len(found.first), cuts.inside)
            if best is None or cost < best.cost:
                best = Spread(cuts, found, cost)
        return best

    def _spread(
        self, items: t.List[Item], spread: Spread, scope: Scope, depth: int
    ) -> t.Tuple[t.List[Step], t.List[Item]]:
        found = spread.found
        chained = arranged_items(found) * _SIZE_OF_ITEM > self.left * _SHARE_FOR_GUARDS

        def arrange_guards(chosen: t.Sequence[Item]) -> Node:
            node = self.arrange(chosen, scope, depth + 1)
            self._numbered += 1
            return Node(node.steps, self._numbered)

        first = guarded(items, found, arrange_guards, chained=chained)
        self.left -= size_of_guards(items, found)
        chosen = set(found.first)
        rest = [item for position, item in enumerate(items) if position not in chosen]
        elements: t.Dict[int, t.List[Element]] = {}
        dimension = spread.cuts.dimension
        for cell in spread.cuts.cells(first):
            family = family_of(cell.space[0])
            clipped = [clip(item, dimension, cell.space) for item in cell.items]
            node = self.arrange(clipped, scope._replace(family=family), depth + 1)
            elements.setdefault(family, []).append(Element((cell.space,), node))
        steps: t.List[Step] = []
        for family in sorted(elements):
            self.left -= len(elements[family])
            purpose = _ADDRESS_WORDS[dimension]
            steps.append(Dispatch((dimension,), family, tuple(elements[family]), purpose, spread.cuts.prefix(family)))
        return steps, rest

    def _places(self, count: int, depth: int) -> int:
        if depth > _DEEPEST_GUARDS:
            return 0
        return min(self._most_places, max(0, self.left // max(1, _SIZE_OF_ITEM * count)))


def _reachable(items: t.Sequence[Item]) -> t.List[Item]:
    found = []
    for item in items:
        found.append(item)
        if item.is_certain:
            break
    return found


def _plain_kinds(items: t.Sequence[Item]) -> t.Iterator[Kind]:
    """The groupings that an administrator would have made: by port."""
    for port in (DESTINATION_PORT, SOURCE_PORT):
        if any(item.sets[port] is not None for item in items):
            yield Kind((PROTOCOL, port), exact=True)


def _kinds(items: t.Sequence[Item], scope: Scope) -> t.Iterator[Kind]:
    """The groupings worth comparing."""
    used = [any(item.sets[dimension] is not None for item in items) for dimension in range(5)]
    if used[PROTOCOL]:
        yield Kind((PROTOCOL,), exact=True)
        for port in (DESTINATION_PORT, SOURCE_PORT):
            if used[port]:
                yield Kind((PROTOCOL, port), exact=True)
                yield Kind((PROTOCOL, port))
    for port in (DESTINATION_PORT, SOURCE_PORT):
        if used[port] and scope.has_ports:
            yield Kind((port,), exact=True)
            yield Kind((port,))
    ports = tuple(port for port in (SOURCE_PORT, DESTINATION_PORT) if used[port])
    if len(ports) == 2:
        yield Kind((PROTOCOL,) if not scope.has_ports else (), (PROTOCOL, *ports) if scope.has_ports else ports)
    for family in FAMILY_SPACE:
        if scope.family in (None, family):
            for first in ADDRESSES:
                if used[first]:
                    other = SOURCE if first == DESTINATION else DESTINATION
                    yield Kind((first,), family=family)
                    yield Kind((first,), (other, PROTOCOL, *ports), family=family)
            if scope.family is not None:
                yield Kind((), (SOURCE, DESTINATION, PROTOCOL, *ports), family=family)


def _purpose(dimensions: t.Sequence[int]) -> str:
    if len(dimensions) == 1:
        return {**_ADDRESS_WORDS, PROTOCOL: "protocols"}.get(dimensions[0], "ports")
    if any(dimension in ADDRESSES for dimension in dimensions):
        return "flows"
    return "ports"
