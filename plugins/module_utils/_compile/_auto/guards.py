# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.
"""Guards: what lets a rule be found before rules that precede it.

Of a list that is split in two, the first part is looked up first. An item of it that has been found
decides only if no item of the second part precedes it and matches as well. Those that could are its
guard: a few are asked for one by one; many are looked up in an arrangement of their own, which holds
all of the second part up to some place in the order. More than needed does no harm there: what
precedes the item and matches its packet decides rightly.
"""

from __future__ import annotations

import typing as t

from . import costs
from .items import Item, relative
from .merge import differing
from .overlap import Bits, Overlaps, bits_of, count_bits, positions
from .plan import Node, Rule, Visit

#: Guards that an item may ask for one by one, beside an arrangement or without one; an item that needs more is
#: moved to the second part. Where there is less room, fewer.
_MOST_INLINE = 12
_FEWER_INLINE = (9, 6, 4, 2)
_SAMPLE = 160
_PLACES = 24

Arrange = t.Callable[[t.Sequence[Item]], Node]


class Split(t.NamedTuple):
    """Positions of the items that are looked up first, and their guards."""

    first: t.Tuple[int, ...]
    guards: t.Mapping[int, Bits]
    places: t.Tuple[int, ...]
    shared: Bits
    most_inline: int

    def place(self, position: int) -> int:
        """Up to where the guards of an item are arranged; 0 where it asks for each by itself."""
        return _place(self.places, position) if count_bits(self.guards[position]) > self.most_inline else 0


def split(items: t.Sequence[Item], overlaps: Overlaps, first: t.Sequence[int], most_places: int) -> Split:
    """Decides which of the items meant for the first part stay there, and on which arrangements guards rest.

    Args:
        most_places: How many arrangements there may be.
    """
    return _split(items, overlaps, _preceding(items, overlaps, first), most_places, _MOST_INLINE)


def split_within(
    items: t.Sequence[Item], overlaps: Overlaps, first: t.Sequence[int], most_places: int, room: float
) -> t.Optional[Split]:
    """As :func:`split`, with so few guards asked one by one that there is room; None where there never is.

    Args:
        room: Rules that guards may take, if all items stay in the first part; of fewer items, their share.
    """
    preceding = _preceding(items, overlaps, first)
    for most_inline in (_MOST_INLINE, *_FEWER_INLINE):
        found = _split(items, overlaps, preceding, most_places, most_inline)
        if size_of_guards(items, found) <= room * len(found.first) / len(items):
            return found
    return None


def _preceding(items: t.Sequence[Item], overlaps: Overlaps, first: t.Sequence[int]) -> t.Dict[int, Bits]:
    """What of the second part precedes each item of the first and overlaps it."""
    second = ((1 << len(items)) - 1) & ~bits_of(first)
    return {position: overlaps.of(position) & second & _below(position) for position in first}


def _guards(items: t.Sequence[Item], preceding: t.Mapping[int, Bits]) -> t.Dict[int, Bits]:
    """What precedes an item, unless all of that decides as the item does and nobody counts which of them did."""
    guards = dict(preceding)
    if any(item.is_uncounted for item in items):
        others = differing(items)
        for position, bits in preceding.items():
            item = items[position]
            if item.is_uncounted and not bits & others[item.rule.action]:
                guards[position] = 0
    return guards


def _split(
    items: t.Sequence[Item],
    overlaps: Overlaps,
    preceding: t.Mapping[int, Bits],
    most_places: int,
    most_inline: int,
) -> Split:
    guards = _guards(items, preceding)
    many = [position for position, bits in guards.items() if count_bits(bits) > most_inline]
    places = _choose_places(many, guards, most_places) if many else ()
    moved = [
        position for position in many if count_bits(guards[position] & ~_below(_place(places, position))) > most_inline
    ]
    if moved:
        # Among what precedes an item there is now what may decide otherwise, though nothing did before.
        moved_bits = bits_of(moved)
        kept = {
            position: bits | overlaps.of(position) & moved_bits & _below(position)
            for position, bits in preceding.items()
            if not moved_bits >> position & 1
        }
        guards = _guards(items, kept)
    shared: Bits = 0
    for bits in guards.values():
        if count_bits(bits) > most_inline:
            shared |= bits
    return Split(tuple(guards), guards, places, shared, most_inline)


def _below(position: int) -> Bits:
    return (1 << position) - 1


def _place(places: t.Sequence[int], position: int) -> int:
    """The last place that is not behind the position; 0 where there is none."""
    return max((place for place in places if place <= position), default=0)


def _choose_places(many: t.Sequence[int], guards: t.Mapping[int, Bits], most: int) -> t.Tuple[int, ...]:
    """Places in the order up to which guards are arranged: those that leave the least to be asked one by one.

    Places and sample depend on positions alone, so that one changed item does not move them.
    """
    step = 1 << max(0, (many[-1] // _PLACES).bit_length() - 1)
    candidates = sorted({position // step * step for position in many} - {0})
    sparse = 1 << max(0, (len(many) // _SAMPLE).bit_length() - 1)
    # Scattered: Knuth's multiplicative hash, of which the upper bits are the good ones.
    sample = [position for position in many if (position * 2654435761 >> 16) % sparse == 0]
    left = {
        (place, position): count_bits(guards[position] & ~_below(place))
        for place in candidates
        for position in sample
        if place <= position
    }
    best = {position: count_bits(guards[position]) for position in sample}
    chosen: t.List[int] = []
    while len(chosen) < most:
        gains = {
            place: sum(
                max(0, best[position] - left[place, position]) for position in sample if (place, position) in left
            )
            for place in candidates
            if place not in chosen
        }
        place = max(gains, key=lambda candidate: (gains[candidate], candidate), default=None)
        if place is None or gains[place] * costs.RULE < len(sample) * costs.RULE:
            break
        chosen.append(place)
        for position in sample:
            if (place, position) in left:
                best[position] = min(best[position], left[place, position])
    return tuple(sorted(chosen))


def size_of_guards(items: t.Sequence[Item], found: Split) -> int:
    """How many rules it takes to ask for guards one by one, and to get to those that are arranged.

    Guards that an item has already are there once more behind the new ones.
    """
    size = 0
    for position in found.first:
        guard = found.guards[position]
        if guard:
            before = items[position].before
            place = found.place(position)
            size += 1 + (1 if place else 0) + count_bits(guard & ~(found.shared & _below(place)))
            size += len(before.steps) if isinstance(before, Node) else 0
    return size


def arranged_items(found: Split) -> int:
    """How many items the arrangements for guards hold in all, each on its own."""
    return sum(count_bits(found.shared & _below(place)) for place in found.places)


def guarded(items: t.Sequence[Item], found: Split, arrange: Arrange, *, chained: bool) -> t.List[Item]:
    """The items of the first part, each with the node that goes before it.

    Args:
        chained: An arrangement holds only what those before it do not, and is visited after them. That
            takes more lookups, and less room.
    """
    arranged = _arranged(items, found, arrange, chained=chained)
    nodes: t.Dict[t.Tuple[int, Bits, t.Tuple[t.Any, ...]], Node] = {}
    made = []
    for position in found.first:
        item = items[position]
        guard = found.guards[position]
        if not guard:
            made.append(item)
            continue
        place = found.place(position)
        beside = guard & ~(found.shared & _below(place))
        key = (place, beside, item.sets if beside else ())
        node = nodes.get(key)
        if node is None:
            node = nodes[key] = Node()
            node.steps.extend(Visit(one) for one in arranged.get(place, ()))
            node.steps.extend(Rule(relative(items[one], item.sets)) for one in positions(beside))
        made.append(item._replace(before=_followed(node, item.before)))
    return made


def _arranged(
    items: t.Sequence[Item], found: Split, arrange: Arrange, *, chained: bool
) -> t.Dict[int, t.Tuple[Node, ...]]:
    """For each place the arrangements of what comes before it, to be visited in turn."""
    nodes: t.Dict[int, t.Tuple[Node, ...]] = {}
    used = {found.place(position) for position in found.first}
    begin = 0
    before: t.Tuple[Node, ...] = ()
    for place in found.places:
        if place not in used:
            continue
        chosen = [items[one] for one in positions(found.shared & _below(place) & ~_below(begin))]
        nodes[place] = (*before, arrange(chosen)) if chosen else before
        if chained:
            begin, before = place, nodes[place]
    return nodes


def _followed(node: Node, before: t.Optional[object]) -> Node:
    """Two guards, one after the other."""
    if not isinstance(before, Node):
        return node
    return Node([*node.steps, *before.steps])
