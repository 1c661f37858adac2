# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a plan to chains and maps: what becomes of each step, and names that stand for one content."""

from __future__ import annotations

import dataclasses
import re
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.assemble import Assembler
from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.items import (
    DESTINATION,
    DESTINATION_PORT,
    FAMILY_SPACE,
    IPV6_OFFSET,
    PORTED,
    PROTOCOL,
    SOURCE,
    Item,
    clip,
    make_items,
)
from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.plan import (
    Branch,
    Dispatch,
    Element,
    Node,
    Rule,
    Visit,
)
from ansible_collections.palisade.nftables.plugins.module_utils._compile.lowered import Box
from ansible_collections.palisade.nftables.plugins.module_utils._compile.table import (
    Count,
    Field,
    Lookup,
    Match,
    NamedMap,
    NamedSet,
    SetReference,
    TableRule,
    Verdict,
    VerdictKind,
)
from ansible_collections.palisade.nftables.plugins.module_utils._core.intervals import IntervalSet
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Action, Origin, State
from tests.unit.plugins.module_utils._compile._auto.plans import TCP, UDP, box, items_of, lowered, ports

_ANY = (None,) * 5
_OTHERS = 200


def _certain(index: int, *, action: Action = Action.ACCEPT, counted: bool = True, protocols: t.Any = None) -> Item:
    """An item of which a lookup has told everything."""
    (item,) = make_items([lowered(index, Box(protocols=protocols), action=action, counted=counted)])
    return item._replace(sets=_ANY)


def _rules(assembler: Assembler, name: str) -> t.List[TableRule]:
    return list(assembler.chains[name].rules)


def _new() -> t.Tuple[Assembler, t.Dict[str, NamedSet]]:
    sets: t.Dict[str, NamedSet] = {}
    return Assembler("ingress", sets), sets


def _lookup(assembler: Assembler, *elements: t.Tuple[int, Node], dimension: int = PROTOCOL) -> NamedMap:
    """The map of these elements; others join those that are too few for a map, and are left out again."""
    others = [(_OTHERS + number, Node([Visit(Node())])) for number in range(max(0, 3 - len(elements)))]
    made = tuple(Element(((key, key),), node) for key, node in [*elements, *others])
    (rule,) = assembler.step(Dispatch((dimension,), None, made, "protocols"))
    (statement,) = rule.statements
    assert isinstance(statement, Lookup)
    assert rule.matches == ()
    named = assembler.maps[statement.map_name]
    return dataclasses.replace(named, elements=tuple(one for one in named.elements if one.key[0][0] < _OTHERS))


def test_an_item_is_the_rules_of_its_box_and_compares_before_it_looks_up() -> None:
    assembler, sets = _new()
    (item,) = make_items(
        [
            lowered(
                3,
                Box(
                    family=4,
                    sources=ports((1, 3), (9, 11)),
                    protocols=ports((TCP, TCP)),
                    destination_ports=ports((80, 80)),
                ),
            )
        ]
    )
    (rule,) = assembler.step(Rule(item))
    assert [match.field for match in rule.matches] == [Field.PROTOCOL, Field.DESTINATION_PORT, Field.SOURCE4]
    assert isinstance(rule.matches[2].value, SetReference)
    assert list(sets) == [rule.matches[2].value.name]
    assert rule.statements == (Count("policy/a/3"), Verdict(VerdictKind.ACCEPT))
    assert rule.comment == "a[3]"


def test_what_has_been_told_is_not_compared_and_a_set_of_addresses_stays_whole() -> None:
    assembler, sets = _new()
    whole = ports((0, 10), (20, 30), (1000, 2000))
    (item,) = make_items([lowered(0, Box(family=4, sources=whole))])
    inside, partly, one = (
        next(iter(assembler.step(Rule(clip(item, SOURCE, cell))))).matches for cell in ((20, 30), (0, 31), (24, 63))
    )
    assert inside == ()
    assert one == (Match(Field.SOURCE4, ports((24, 30))),)
    (match,) = partly
    assert isinstance(match.value, SetReference)
    assert sets[match.value.name].members == whole


@pytest.mark.parametrize(
    ("counted", "action", "expected"),
    [
        (False, Action.ACCEPT, [VerdictKind.ACCEPT]),
        (False, Action.DROP, [VerdictKind.DROP]),
        (True, Action.ACCEPT, [VerdictKind.GOTO, VerdictKind.ACCEPT]),
        (True, Action.DROP, [VerdictKind.GOTO, VerdictKind.DROP]),
        (False, Action.REJECT, [VerdictKind.GOTO, VerdictKind.RESET, VerdictKind.REJECT]),
        (True, Action.REJECT, [VerdictKind.GOTO, VerdictKind.RESET, VerdictKind.REJECT]),
    ],
)
def test_an_element_decides_itself_or_leads_to_the_chain_of_its_rule(
    action: Action, expected: t.List[VerdictKind], *, counted: bool
) -> None:
    assembler, _sets = _new()
    named = _lookup(assembler, (50, Node([Rule(_certain(7, action=action, counted=counted))])))
    (element,) = named.elements
    assert element.comment == "a[7]"
    found = [element.verdict.kind]
    if element.verdict.chain:
        for rule in _rules(assembler, element.verdict.chain):
            assert isinstance(rule.statements[-1], Verdict)
            assert (Count("policy/a/7") in rule.statements) == counted
            found.append(rule.statements[-1].kind)
    assert found == expected


def test_what_is_rejected_is_answered_by_its_protocol() -> None:
    assembler, _sets = _new()
    for protocols, kinds in (
        (ports((TCP, TCP)), [VerdictKind.RESET]),
        (ports((UDP, UDP)), [VerdictKind.REJECT]),
        (ports((TCP, TCP), (UDP, UDP)), [VerdictKind.RESET, VerdictKind.REJECT]),
    ):
        node = Node([Rule(_certain(0, action=Action.REJECT, protocols=protocols))])
        named = _lookup(assembler, (UDP, node))
        rules = _rules(assembler, named.elements[0].verdict.chain)
        assert [rule.statements[-1] for rule in rules] == [Verdict(kind) for kind in kinds]
        for rule, kind in zip(rules, kinds):
            (match,) = rule.matches
            assert isinstance(match.value, IntervalSet)
            assert (TCP in match.value) == (kind is VerdictKind.RESET)


def test_a_rejected_rule_of_several_protocols_has_a_chain_for_each() -> None:
    assembler, _sets = _new()
    boxes = [box(protocol=protocol, destination_port=(53, 53)) for protocol in (TCP, UDP)]
    items = [item._replace(sets=_ANY) for item in make_items([lowered(0, *boxes, action=Action.REJECT)])]
    named = _lookup(assembler, *[(number, Node([Rule(item)])) for number, item in zip((TCP, UDP), items)])
    verdicts = [
        [rule.statements[-1] for rule in _rules(assembler, element.verdict.chain)] for element in named.elements
    ]
    assert verdicts == [[Verdict(VerdictKind.RESET)], [Verdict(VerdictKind.REJECT)]]


def test_an_element_comes_back_only_from_a_node_that_may_not_decide() -> None:
    assembler, _sets = _new()
    (narrow,) = items_of(box((5, 5)))
    named = _lookup(
        assembler, (1, Node([Rule(narrow)])), (2, Node([Rule(narrow), Rule(_certain(1))])), (3, Node([Visit(Node())]))
    )
    assert [element.verdict.kind for element in named.elements] == [
        VerdictKind.JUMP,
        VerdictKind.GOTO,
        VerdictKind.JUMP,
    ]
    assert [element.comment for element in named.elements] == ["a[0]", "a[0], a[1]", ""]


def test_an_element_of_many_rules_names_three() -> None:
    assembler, _sets = _new()
    items = items_of(*[box((number, number)) for number in range(6)])
    named = _lookup(assembler, (1, Node([Rule(item) for item in [*items, *items]])))
    assert named.elements[0].comment == "a[0], a[1], a[2] and 3 more"


@pytest.mark.parametrize("elements", [64, 65])
def test_elements_of_large_maps_are_named_by_where_they_lead(elements: int) -> None:
    """Where the element itself decides, nothing else would tell the rule."""
    assembler, _sets = _new()
    leading = [(number, Node([Rule(_certain(number))])) for number in range(elements - 1)]
    deciding = (elements, Node([Rule(_certain(elements, counted=False))]))
    named = _lookup(assembler, *leading, deciding)
    comments = [element.comment for element in named.elements]
    assert comments[-1] == "a[%d]" % elements
    assert comments[:-1] == (["a[%d]" % number for number, _node in leading] if elements == 64 else [""] * 64)
    assert all("_a_%d_" % number in one.verdict.chain for (number, _node), one in zip(leading, named.elements))


def _compared(assembler: Assembler, step: Dispatch) -> t.List[TableRule]:
    """The rules of a step that has no map."""
    rules = list(assembler.step(step))
    assert not assembler.maps
    return rules


def test_few_elements_are_compared_instead_of_looked_up() -> None:
    assembler, _sets = _new()
    (narrow,) = items_of(box((5, 5)))
    nodes = [Node([Rule(_certain(7))]), Node([Rule(narrow)])]
    elements = tuple(Element(((key, key),), node) for key, node in zip((TCP, UDP), nodes))
    decided, followed = _compared(assembler, Dispatch((PROTOCOL,), None, elements, "protocols"))
    assert decided.matches == (Match(Field.PROTOCOL, IntervalSet.single(TCP)),)
    # The rule itself: it takes no chain of its own.
    assert decided.statements == (Count("policy/a/7"), Verdict(VerdictKind.ACCEPT))
    assert decided.comment == "a[7]"
    assert followed.matches == (Match(Field.PROTOCOL, IntervalSet.single(UDP)),)
    (verdict,) = followed.statements
    assert isinstance(verdict, Verdict)
    assert (verdict.kind, [*assembler.chains]) == (VerdictKind.JUMP, [verdict.chain])
    assert followed.comment == "a[0]"


def test_a_rejected_element_that_is_compared_answers_by_protocol_in_its_chain() -> None:
    assembler, _sets = _new()
    node = Node([Rule(_certain(0, action=Action.REJECT))])
    step = Dispatch((SOURCE,), 4, (Element(((5, 5),), node),), "sources")
    (rule,) = _compared(assembler, step)
    (verdict,) = rule.statements
    assert isinstance(verdict, Verdict)
    assert [one.statements[-1] for one in _rules(assembler, verdict.chain)] == [
        Verdict(VerdictKind.RESET),
        Verdict(VerdictKind.REJECT),
    ]


@pytest.mark.parametrize("family", [4, 6])
def test_all_addresses_of_a_family_are_compared_as_the_family(family: int) -> None:
    assembler, _sets = _new()
    space = FAMILY_SPACE[family]
    node = Node([Rule(_certain(0))])
    narrow = (space[0] + 5, space[0] + 6)
    elements = (Element((space, space), node), Element((narrow, space), node))
    whole, part = _compared(assembler, Dispatch((SOURCE, DESTINATION), family, elements, "flows"))
    assert whole.matches == (Match(Field.FAMILY, ("ipv%d" % family,)),)
    assert part.matches == (Match(Field.SOURCE4 if family == 4 else Field.SOURCE6, ports((5, 6))),)


def test_an_element_of_all_ports_is_looked_up_because_a_packet_must_have_ports() -> None:
    assembler, _sets = _new()
    node = Node([Rule(_certain(0))])
    (rule,) = assembler.step(Dispatch((DESTINATION_PORT,), None, (Element(((0, 65535),), node),), "ports"))
    assert isinstance(rule.statements[0], Lookup)


def test_keys_of_ipv6_are_addresses_and_fields_those_of_the_family() -> None:
    assembler, _sets = _new()
    for family, fields in ((4, (Field.SOURCE4, Field.DESTINATION_PORT)), (6, (Field.SOURCE6, Field.DESTINATION_PORT))):
        offset = FAMILY_SPACE[family][0]
        bits = 32 if family == 4 else 128
        keys = [((offset + low, offset + high), (0, 65535)) for low, high in ((0, 0), (1, 2**bits - 1))]
        elements = tuple(Element(key, Node([Rule(_certain(0))])) for key in reversed(keys))
        (rule,) = assembler.step(Dispatch((SOURCE, DESTINATION_PORT), family, elements, "flows"))
        (lookup,) = rule.statements
        assert isinstance(lookup, Lookup)
        named = assembler.maps[lookup.map_name]
        assert (named.fields, lookup.fields) == (fields, fields)
        # In the order of the keys, whatever the plan's.
        assert [element.key for element in named.elements] == [((0, 0), (0, 65535)), ((1, 2**bits - 1), (0, 65535))]


def test_a_guard_goes_before_the_verdict_and_behind_the_conditions() -> None:
    assembler, _sets = _new()
    guard, item = items_of(box(protocol=TCP), box((5, 5)), actions=(Action.DROP, Action.ACCEPT))
    before = Node([Rule(guard)])
    (rule,) = assembler.step(Rule(item._replace(before=before)))
    assert rule.matches == (Match(Field.SOURCE4, ports((5, 5))),)
    (verdict,) = rule.statements
    assert isinstance(verdict, Verdict)
    assert verdict.kind is VerdictKind.GOTO
    inside = _rules(assembler, verdict.chain)
    assert [one.statements[-1] for one in inside] == [Verdict(VerdictKind.DROP), Verdict(VerdictKind.ACCEPT)]
    assert inside[1].matches == ()
    # Where nothing is left to be compared the guard stands in place.
    in_place = list(assembler.step(Rule(item._replace(before=before, sets=_ANY))))
    assert [one.statements[-1] for one in in_place] == [Verdict(VerdictKind.DROP), Verdict(VerdictKind.ACCEPT)]


def test_special_conditions_keep_the_family_and_protocol_that_they_are_about() -> None:
    assembler, _sets = _new()
    special = Box(family=6, protocols=IntervalSet.single(58), icmp_types=IntervalSet.single(128))
    (item,) = make_items([lowered(0, special)])
    (rule,) = assembler.step(Rule(item._replace(sets=_ANY)))
    assert [match.field for match in rule.matches] == [Field.FAMILY, Field.PROTOCOL, Field.ICMPV6_TYPE]
    (stateful,) = make_items([lowered(1, Box(protocols=ports((UDP, UDP)), states=frozenset({State.ESTABLISHED})))])
    (rule,) = assembler.step(Rule(stateful._replace(sets=_ANY)))
    assert [match.field for match in rule.matches] == [Field.STATE, Field.PROTOCOL]


def test_a_branch_asks_for_the_protocol_and_a_visit_for_nothing() -> None:
    assembler, _sets = _new()
    node = Node([Rule(_certain(0))])
    branches = list(assembler.step(Branch(PORTED, node)))
    (visit,) = assembler.step(Visit(node))
    # TCP and UDP by themselves, each in one comparison.
    assert [rule.matches for rule in branches] == [
        (Match(Field.PROTOCOL, found),)
        for found in (
            IntervalSet.single(TCP),
            IntervalSet.single(UDP),
            IntervalSet(PORTED) - IntervalSet(((TCP, TCP), (UDP, UDP))),
        )
    ]
    assert visit.matches == ()
    assert all(branch.statements == visit.statements for branch in branches)
    assert [verdict.kind for verdict in visit.statements if isinstance(verdict, Verdict)] == [VerdictKind.JUMP]


def test_equal_nodes_are_one_chain_and_other_contents_another_name() -> None:
    assembler, _sets = _new()
    (item,) = items_of(box((5, 5)))
    others = [item._replace(rule=dataclasses.replace(item.rule, description="other")), items_of(box((6, 6)))[0]]
    names = {
        rule.statements
        for node in [Node([Rule(item)]), Node([Rule(item)]), *[Node([Rule(other)]) for other in others]]
        for rule in assembler.step(Visit(node))
    }
    assert len(names) == len(assembler.chains) == 3
    assert all(chain.constant for chain in assembler.chains.values())


def test_a_name_is_of_all_that_it_leads_to() -> None:
    def built(port: int) -> Assembler:
        assembler, _sets = _new()
        leaf = Node([Rule(items_of(box(protocol=TCP, destination_port=(port, port)))[0])])
        inner = Dispatch((PROTOCOL,), None, (Element(((TCP, TCP),), leaf),), "protocols")
        list(assembler.step(Visit(Node([inner]))))
        return assembler

    one, same, other = built(80), built(80), built(81)
    assert (one.chains, one.maps) == (same.chains, same.maps)
    assert not set(one.chains) & set(other.chains)
    assert not set(one.maps) & set(other.maps)


def test_an_arrangement_that_many_visit_keeps_its_name_whatever_it_holds() -> None:
    names = []
    for port in (80, 81):
        assembler, _sets = _new()
        rules = [Rule(item) for item in items_of(box(protocol=TCP, destination_port=(port, port)))]
        list(assembler.step(Visit(Node([Visit(Node(list(rules), number=4))]))))
        assert [chain.name for chain in assembler.chains.values() if not chain.constant] == ["ingress_before_4"]
        names.append(sorted(assembler.chains))
    assert names[0] == names[1]


@pytest.mark.parametrize("policy", ["0.web", "W" * 63, "a.b-c_d", "9", "-".join(["x"] * 30)])
def test_names_are_words_of_nft(policy: str) -> None:
    assembler, _sets = _new()
    items = []
    for index in (0, 123456):
        rule = dataclasses.replace(lowered(index, box((5, 5))), origin=Origin(policy, index))
        (item,) = make_items([rule])
        items.append(item)
    _lookup(
        assembler,
        (1, Node([Rule(items[0])])),
        (2, Node([Rule(items[1]._replace(sets=_ANY))])),
        (3, Node([Rule(item) for item in items])),
    )
    assert len(assembler.chains) == 3
    for name in [*assembler.chains, *assembler.maps]:
        assert re.fullmatch(r"ingress_[A-Za-z0-9_]+_[0-9a-f]{12}", name)
        assert len(name) <= 127


def test_addresses_of_both_families_never_share_a_chain_by_their_numbers() -> None:
    assembler, _sets = _new()
    four, six = items_of(box((5, 5)), box((5, 5), family=6))
    assert six.sets[SOURCE] == ((IPV6_OFFSET + 5, IPV6_OFFSET + 5),)
    found = [next(iter(assembler.step(Rule(item)))).matches for item in (four, six)]
    assert found == [(Match(Field.SOURCE4, ports((5, 5))),), (Match(Field.SOURCE6, ports((5, 5))),)]
