# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.
"""From a plan to chains and maps.

All of them are constant: the name of each ends in a digest of what it holds, the names that it leads to
included. Equal nodes become one chain, whatever the place they were planned for.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ..._core.intervals import IntervalSet
from ..._policy.model import Action
from ..digest import digest_of_elements, digest_of_rules
from ..lowered import Box, LoweredRule
from ..rules import FAMILY_WORDS, box_matches, comment_of, quick_first, rule_rules
from ..table import (
    Field,
    Lookup,
    MapElement,
    Match,
    NamedMap,
    NamedSet,
    TableChain,
    TableRule,
    Verdict,
    VerdictKind,
)
from .items import (
    DESTINATION,
    DESTINATION_PORT,
    FAMILY_SPACE,
    PORTS,
    PROTOCOL,
    SOURCE,
    SOURCE_PORT,
    Intervals,
    Item,
    family_of,
)
from .plan import Branch, Dispatch, Element, Node, Rule, Step, Visit

_FIELDS: t.Mapping[int, t.Mapping[int, Field]] = {
    4: {SOURCE: Field.SOURCE4, DESTINATION: Field.DESTINATION4},
    6: {SOURCE: Field.SOURCE6, DESTINATION: Field.DESTINATION6},
}
_COMMON_FIELDS: t.Mapping[int, Field] = {
    PROTOCOL: Field.PROTOCOL,
    SOURCE_PORT: Field.SOURCE_PORT,
    DESTINATION_PORT: Field.DESTINATION_PORT,
}
#: Up to so many elements are compared one by one, by the number of fields in their keys.
_FEW_IN_ONE, _FEW_IN_SEVERAL = 2, 4
_ALL_PORTS = 65535
#: TCP and UDP.
_COMMON_PROTOCOLS = (6, 17)
#: Behind all protocols.
_ANY_PROTOCOL = 256
_DIRECT = {Action.ACCEPT: VerdictKind.ACCEPT, Action.DROP: VerdictKind.DROP}
_NO_LABEL = re.compile(r"[^A-Za-z0-9]+", re.ASCII)
_LONGEST_LABEL = 40
#: Rules named in the comment of an element; the rest is counted.
_NAMED = 3
#: Elements of a larger map that lead to a chain have no comment: the chain is named for its first rule, and all are
#: sent again when one of them changes.
_MOST_COMMENTED = 64


class Assembler:
    """Collects the chains, maps and sets of one direction.

    Args:
        prefix: Of the names of chains and maps: the direction.
    """

    def __init__(self, prefix: str, sets: t.Dict[str, NamedSet]) -> None:
        self._prefix = prefix
        self._sets = sets
        self.chains: t.Dict[str, TableChain] = {}
        self.maps: t.Dict[str, NamedMap] = {}
        self._known: t.Dict[int, t.Tuple[Node, str]] = {}
        self._singles: t.Dict[
            t.Tuple[int, int, t.Tuple[t.Optional[Intervals], ...]], t.Tuple[Item, t.List[TableRule]]
        ] = {}
        self._rule_chains: t.Dict[t.Tuple[int, t.Optional[IntervalSet]], str] = {}

    def rules(self, node: Node) -> t.List[TableRule]:
        """The rules of a node."""
        return [rule for step in node.steps for rule in self.step(step)]

    def step(self, step: Step) -> t.Iterator[TableRule]:
        """The rules of a step."""
        if isinstance(step, Rule):
            yield from self._item(step.item)
        elif isinstance(step, Visit):
            yield TableRule((), (Verdict(VerdictKind.JUMP, self._chain(step.node)),))
        elif isinstance(step, Branch):
            jump = (Verdict(VerdictKind.JUMP, self._chain(step.node)),)
            for protocols in _common_first(IntervalSet(step.protocols)):
                yield TableRule((Match(Field.PROTOCOL, protocols),), jump)
        else:
            for protocol, part in by_protocol(step):
                matches = () if protocol is None else (Match(Field.PROTOCOL, IntervalSet.single(protocol)),)
                if is_few(part):
                    for element in part.elements:
                        yield from self._compared(matches, part, element)
                else:
                    made = self._map(part)
                    yield TableRule(matches, (Lookup(made.fields, made.name, step.prefix),))

    def _compared(self, matches: t.Tuple[Match, ...], step: Dispatch, element: Element) -> t.Iterator[TableRule]:
        """The rules of one element that has no map."""
        matches = quick_first((*matches, *_element_matches(step, element)))
        only = _only_item(element.node)
        if only is not None and only.rule.action in _DIRECT:
            for rule in rule_rules(only.rule, (Box(),), self._sets):
                yield dataclasses.replace(rule, matches=matches)
            return
        verdict, comment = self._target(element.node)
        yield TableRule(matches, (verdict,), comment)

    def _item(self, item: Item) -> t.Iterator[TableRule]:
        before = item.before
        if not isinstance(before, Node):
            yield from self._single(item)
            return
        certain = item._replace(sets=(None,) * len(item.sets), box=_answered(item), before=None)
        if item.is_certain:
            yield from self.rules(before)
            yield from self._item(certain)
            return
        target = self._chain(Node([*before.steps, Rule(certain)]))
        matches = box_matches(item.rule, _box(item), self._sets)
        yield TableRule(matches, (Verdict(VerdictKind.GOTO, target),), comment_of(item.rule))

    def _single(self, item: Item) -> t.Sequence[TableRule]:
        """The rules of an item that nothing is asked before. It may stand in the lists of many places."""
        key = (id(item.rule), id(item.box), item.sets)
        known = self._singles.get(key)
        if known is None:
            rules = list(rule_rules(item.rule, (_box(item),), self._sets))
            # With the item, because an identity is given anew once its owner is gone.
            known = self._singles[key] = (item, rules)
        return known[1]

    def _chain(self, node: Node) -> str:
        """The name of the chain of a node."""
        known = self._known.get(id(node))
        if known is None:
            rules = tuple(self.rules(node))
            if node.number is None:
                name = self.add_chain(_label(node), rules)
            else:
                name = "%s_before_%d" % (self._prefix, node.number)
                self.chains[name] = TableChain(name, rules)
            # With the node, because an identity is given anew once its owner is gone.
            known = self._known[id(node)] = (node, name)
        return known[1]

    def add_chain(self, label: str, rules: t.Tuple[TableRule, ...]) -> str:
        """The name of a constant chain with these rules."""
        name = "%s_%s_%s" % (self._prefix, label, digest_of_rules(rules))
        self.chains.setdefault(name, TableChain(name, rules, constant=True))
        return name

    def _rule_chain(self, item: Item) -> str:
        """The chain that does what the rule of an item does, whatever the packet."""
        box = _answered(item)
        key = (id(item.rule), box.protocols)
        known = self._rule_chains.get(key)
        if known is None:
            rules = tuple(rule_rules(item.rule, (box,), self._sets))
            known = self._rule_chains[key] = self.add_chain(_origin(item.rule), rules)
        return known

    def _map(self, step: Dispatch) -> NamedMap:
        fields = _fields(step)
        offsets = [_offset(dimension, step.family) for dimension in step.dimensions]
        verdicts: t.Dict[int, t.Tuple[Verdict, str]] = {}
        elements = []
        for element in sorted(step.elements, key=lambda one: one.key):
            found = verdicts.get(id(element.node))
            if found is None:
                found = verdicts[id(element.node)] = self._target(element.node)
            key = tuple((low - offset, high - offset) for (low, high), offset in zip(element.key, offsets))
            if step.prefix is not None:
                key = tuple((low, low) for low, _high in key)
            verdict, comment = found
            speaks = not verdict.chain or len(step.elements) <= _MOST_COMMENTED
            elements.append(MapElement(key, verdict, comment if speaks else ""))
        name = "%s_%s_%s" % (self._prefix, step.purpose, digest_of_elements(fields, elements))
        return self.maps.setdefault(name, NamedMap(name, fields, tuple(elements)))

    def _target(self, node: Node) -> t.Tuple[Verdict, str]:
        """Where an element of a map leads, and its comment."""
        comment = _comment(node)
        only = _only_item(node)
        if only is not None:
            if not only.rule.counter and only.rule.action in _DIRECT:
                return Verdict(_DIRECT[only.rule.action]), comment
            return Verdict(VerdictKind.GOTO, self._rule_chain(only)), comment
        kind = VerdictKind.GOTO if node.decides else VerdictKind.JUMP
        return Verdict(kind, self._chain(node)), comment


def _common_first(protocols: IntervalSet) -> t.Iterator[IntervalSet]:
    """Those that most packets have by themselves: one comparison each, instead of a lookup in a set."""
    for number in _COMMON_PROTOCOLS:
        common = IntervalSet.single(number)
        if common <= protocols:
            yield common
            protocols = protocols - common
    if protocols:
        yield protocols


def by_protocol(step: Dispatch) -> t.List[t.Tuple[t.Optional[int], Dispatch]]:
    """The lookups of a step, each for one protocol, and for any (None) at last.

    nft before 1.1 turns the octets of a protocol in the key of an interval map, and kernels from 6.12.117 on
    refuse that ("Operation not supported"). The boxes of a step are disjoint, so what one lookup does not
    find another may.
    """
    if PROTOCOL not in step.dimensions or all(low == high for one in step.elements for low, high in one.key):
        return [(None, step)]
    at = step.dimensions.index(PROTOCOL)
    rest = (*step.dimensions[:at], *step.dimensions[at + 1 :])
    parts: t.Dict[int, t.List[Element]] = {}
    for element in step.elements:
        low, high = element.key[at]
        key = (*element.key[:at], *element.key[at + 1 :])
        numbers = [_ANY_PROTOCOL] if (low, high) == (0, 255) else range(low, high + 1)
        for number in numbers:
            parts.setdefault(number, []).append(Element(key, element.node))
    return [
        (None if number == _ANY_PROTOCOL else number, Dispatch(rest, step.family, tuple(parts[number]), step.purpose))
        for number in sorted(parts)
    ]


def _fields(step: Dispatch) -> t.Tuple[Field, ...]:
    return tuple(
        _COMMON_FIELDS[dimension] if dimension in _COMMON_FIELDS else _FIELDS[step.family or 4][dimension]
        for dimension in step.dimensions
    )


def _only_item(node: Node) -> t.Optional[Item]:
    """The item that decides all packets of a node, if nothing else is asked."""
    only = node.steps[0] if len(node.steps) == 1 else None
    if isinstance(only, Rule) and only.item.is_certain and only.item.before is None:
        return only.item
    return None


def is_few(step: Dispatch) -> bool:
    """Whether comparing a packet with each element costs less than a lookup.

    All ports are not compared: that is no condition to nft, and a packet without ports must not get by.
    """
    return len(step.elements) <= (_FEW_IN_ONE if len(step.dimensions) == 1 else _FEW_IN_SEVERAL) and all(
        high - low < _ALL_PORTS
        for element in step.elements
        for dimension, (low, high) in zip(step.dimensions, element.key)
        if dimension in PORTS
    )


def _element_matches(step: Dispatch, element: Element) -> t.List[Match]:
    """What a packet of the element has; both sides of a family's addresses whole are the family."""
    found = []
    for field, dimension, key in zip(_fields(step), step.dimensions, element.key):
        if step.family is None or key != FAMILY_SPACE[step.family]:
            offset = _offset(dimension, step.family)
            found.append(Match(field, IntervalSet([(key[0] - offset, key[1] - offset)])))
    if step.family is not None and not any(match.field in _FIELDS[step.family].values() for match in found):
        found.insert(0, Match(Field.FAMILY, (FAMILY_WORDS[step.family],)))
    return found


def _offset(dimension: int, family: t.Optional[int]) -> int:
    return FAMILY_SPACE[family][0] if family is not None and dimension in (SOURCE, DESTINATION) else 0


def _answered(item: Item) -> Box:
    """Any packet that gets to the item; of one that is rejected the protocol decides the answer."""
    return Box(protocols=item.box.protocols if item.rule.action is Action.REJECT else None)


def _box(item: Item) -> Box:
    """What is still to be checked, as a box."""
    source, destination, protocol, source_port, destination_port = item.sets
    whole = {(space,) for space in FAMILY_SPACE.values()}
    known = source if source is not None else destination
    family = family_of(known[0][0]) if known is not None else None
    box = item.box
    protocols = _answered(item).protocols if protocol is None else IntervalSet(protocol)
    if item.is_special:
        # Its other conditions mean something for this family and protocol alone.
        family, protocols = box.family, box.protocols
    return Box(
        family=family,
        protocols=protocols,
        sources=None if source in whole else _side(source, box.sources),
        destinations=None if destination in whole else _side(destination, box.destinations),
        source_ports=_numbers(source_port, box.source_ports),
        destination_ports=_numbers(destination_port, box.destination_ports),
        icmp_types=box.icmp_types,
        states=box.states,
        flow_direction=box.flow_direction,
        hop_limit=box.hop_limit,
        tcp_reset=box.tcp_reset,
    )


def _side(found: t.Optional[Intervals], written: t.Optional[IntervalSet]) -> t.Optional[IntervalSet]:
    """One interval as it is; of several, all that were written: the set of a network is shared by its rules."""
    if found is None:
        return None
    if len(found) == 1 or written is None:
        offset = FAMILY_SPACE[family_of(found[0][0])][0]
        return IntervalSet((low - offset, high - offset) for low, high in found)
    return written


def _numbers(found: t.Optional[Intervals], written: t.Optional[IntervalSet]) -> t.Optional[IntervalSet]:
    if found is None:
        return None
    return IntervalSet(found) if len(found) == 1 or written is None else written


def _items(node: Node) -> t.Iterator[Item]:
    """The items that are rules of the node itself."""
    for step in node.steps:
        if isinstance(step, Rule):
            yield step.item


def _label(node: Node) -> str:
    first = next(_items(node), None)
    return "part" if first is None else "from_%s" % _origin(first.rule)


def _origin(rule: LoweredRule) -> str:
    return _NO_LABEL.sub("_", str(rule.origin)).strip("_")[:_LONGEST_LABEL]


def _comment(node: Node) -> str:
    origins = list(dict.fromkeys(str(item.rule.origin) for item in _items(node)))
    if len(origins) <= _NAMED:
        return ", ".join(origins)
    return "%s and %d more" % (", ".join(origins[:_NAMED]), len(origins) - _NAMED)
