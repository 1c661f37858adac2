# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small worlds for the optimiser: lists of items that overlap in every way, all their packets, and what decides them.

A world is so small that a list of items and a plan can be asked about each of its packets.
"""

from __future__ import annotations

import functools
import itertools
import random
import typing as t

from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.items import (
    IPV6_OFFSET,
    Intervals,
    Item,
    make_items,
)
from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.plan import (
    Branch,
    Dispatch,
    Node,
    Rule,
    Visit,
)
from ansible_collections.palisade.nftables.plugins.module_utils._compile.lowered import Box, LoweredRule
from ansible_collections.palisade.nftables.plugins.module_utils._core.intervals import Interval, IntervalSet
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Action, Origin, Stage, State

TCP, UDP, GRE = 6, 17, 47

_ADDRESSES = 6
_PORTS = 4
_PROTOCOLS = (TCP, UDP, GRE)


class Numbers(t.NamedTuple):
    """A packet as the optimiser sees it: the five numbers, addresses in the space of both families.

    Packets of protocols without ports have numbers where ports would be, because a lookup reads something
    there, or None, because it cannot where the packet ends before.
    """

    source: int
    destination: int
    protocol: int
    source_port: t.Optional[int]
    destination_port: t.Optional[int]
    state: State = State.NEW


def lowered(index: int, *boxes: Box, action: Action = Action.ACCEPT, counted: bool = True) -> LoweredRule:
    """Rule ``index`` of a policy."""
    counter = "policy/a/%d" % index if counted else ""
    return LoweredRule(action, Stage.ASSIGNED, Origin("a", index), boxes, counter)


def items_of(*boxes: Box, actions: t.Sequence[Action] = (Action.ACCEPT,), counted: bool = True) -> t.List[Item]:
    """One rule for each box, with actions in turn."""
    return make_items(
        lowered(index, box, action=actions[index % len(actions)], counted=counted) for index, box in enumerate(boxes)
    )


def ports(*intervals: Interval) -> IntervalSet:
    return IntervalSet(intervals)


def box(
    sources: t.Optional[Interval] = None,
    destinations: t.Optional[Interval] = None,
    protocol: t.Optional[int] = None,
    source_port: t.Optional[Interval] = None,
    destination_port: t.Optional[Interval] = None,
    *,
    family: t.Optional[int] = None,
) -> Box:
    """A box of at most one interval a side; IPv4 where it has addresses and says nothing else."""
    if family is None and (sources is not None or destinations is not None):
        family = 4
    return Box(
        family=family,
        protocols=None if protocol is None else IntervalSet.single(protocol),
        sources=None if sources is None else IntervalSet((sources,)),
        destinations=None if destinations is None else IntervalSet((destinations,)),
        source_ports=None if source_port is None else IntervalSet((source_port,)),
        destination_ports=None if destination_port is None else IntervalSet((destination_port,)),
    )


def _some(rng: random.Random, values: int) -> IntervalSet:
    """One interval below ``values``, or two of them."""
    found = []
    for _interval in range(rng.choice((1, 1, 1, 2))):
        low = rng.randrange(values)
        found.append((low, min(values - 1, low + rng.choice((0, 0, 1, values)))))
    return IntervalSet(found)


def random_box(rng: random.Random, *, special: bool = True) -> Box:
    """A box of a small world; now and then with a condition besides the five numbers."""
    family = rng.choice((None, 4, 4, 6))
    protocols = rng.choice(
        (None, IntervalSet.single(TCP), ports((TCP, TCP), (UDP, UDP)), ports((TCP, TCP), (GRE, GRE)))
    )
    has_ports = protocols is not None and GRE not in protocols
    return Box(
        family=family,
        protocols=protocols,
        sources=_some(rng, _ADDRESSES) if family is not None and rng.random() < 0.6 else None,
        destinations=_some(rng, _ADDRESSES) if family is not None and rng.random() < 0.6 else None,
        source_ports=_some(rng, _PORTS) if has_ports and rng.random() < 0.3 else None,
        destination_ports=_some(rng, _PORTS) if has_ports and rng.random() < 0.7 else None,
        states=frozenset({State.ESTABLISHED}) if special and rng.random() < 0.1 else None,
    )


def random_items(rng: random.Random, count: int, *, counted: bool = True, special: bool = True) -> t.List[Item]:
    """Rules of one or two boxes each, ``count`` in all; half of them accept."""
    rules: t.List[LoweredRule] = []
    left = count
    while left > 0:
        boxes = [random_box(rng, special=special) for _box in range(min(left, rng.choice((1, 1, 2))))]
        left -= len(boxes)
        rules.append(lowered(len(rules), *boxes, action=rng.choice((Action.ACCEPT, Action.DROP)), counted=counted))
    return make_items(rules)


@functools.cache
def _packets() -> t.Tuple[Numbers, ...]:
    numbers: t.List[t.Tuple[int, t.Optional[int], t.Optional[int]]] = [
        *itertools.product(_PROTOCOLS, range(_PORTS), range(_PORTS)),
        *[(GRE, None, None)] * (_PORTS * _PORTS),
    ]
    return tuple(
        Numbers(source + offset, destination + offset, protocol, source_port, destination_port, state)
        for offset in (0, IPV6_OFFSET)
        for source, destination, (protocol, source_port, destination_port), state in itertools.product(
            range(_ADDRESSES), range(_ADDRESSES), numbers, (State.NEW, State.ESTABLISHED)
        )
    )


def some_packets(rng: random.Random, count: int) -> t.List[Numbers]:
    """So many packets of the small world, of both families."""
    return rng.sample(_packets(), count)


def _within(intervals: t.Optional[Intervals], value: t.Optional[int]) -> bool:
    return intervals is None or (value is not None and any(low <= value <= high for low, high in intervals))


def holds(item: Item, packet: Numbers) -> bool:
    """Whether what is still to be checked of the item holds."""
    states = item.box.states
    return (states is None or packet.state in states) and all(map(_within, item.sets, packet[:5]))


def first_match(items: t.Iterable[Item], packet: Numbers) -> t.Optional[LoweredRule]:
    """The rule that decides a packet, one item after another; None where none does."""
    for item in items:
        if holds(item, packet):
            before = walk(item.before, packet) if isinstance(item.before, Node) else None
            return before if before is not None else item.rule
    return None


def walk(node: Node, packet: Numbers) -> t.Optional[LoweredRule]:
    """The rule that decides a packet in a plan; None where it gets past.

    Raises:
        AssertionError: Two elements of one lookup hold the packet.
    """
    for step in node.steps:
        if isinstance(step, Rule):
            found = first_match([step.item], packet)
        elif isinstance(step, Visit):
            found = walk(step.node, packet)
        elif isinstance(step, Branch):
            found = walk(step.node, packet) if _within(step.protocols, packet.protocol) else None
        else:
            led = [element.node for element in step.elements if _held(element.key, step, packet)]
            assert len(led) <= 1, (step, packet)
            found = walk(led[0], packet) if led else None
        if found is not None:
            return found
    return None


def _held(key: t.Tuple[Interval, ...], dispatch: Dispatch, packet: Numbers) -> bool:
    numbers: t.Tuple[t.Optional[int], ...] = packet[:5]
    return all(_within((part,), numbers[dimension]) for part, dimension in zip(key, dispatch.dimensions))


def nodes_of(node: Node) -> t.Iterator[Node]:
    """The node and all that it leads to."""
    yield node
    for step in node.steps:
        if isinstance(step, (Visit, Branch)):
            yield from nodes_of(step.node)
        elif isinstance(step, Dispatch):
            for element in step.elements:
                yield from nodes_of(element.node)
        elif isinstance(step.item.before, Node):
            yield from nodes_of(step.item.before)


def boxes_meet(one: t.Sequence[Interval], other: t.Sequence[Interval]) -> bool:
    return all(low <= last and first <= high for (low, high), (first, last) in zip(one, other))
