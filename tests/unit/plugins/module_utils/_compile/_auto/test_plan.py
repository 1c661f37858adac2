# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How high a plan is, and how many ways lead through it: what the kernel checks of the chains made of it."""

from __future__ import annotations

from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.assemble import Assembler
from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.items import PORTED, PROTOCOL
from ansible_collections.palisade.nftables.plugins.module_utils._compile._auto.plan import (
    Branch,
    Dispatch,
    Element,
    Node,
    Rule,
    Visit,
    height,
    ways,
)
from ansible_collections.palisade.nftables.plugins.module_utils._compile.table import Table, TableChain
from tests.properties.table_checks import check_table
from tests.unit.plugins.module_utils._compile._auto.plans import TCP, box, items_of

_NARROW, _CERTAIN, _OTHER = items_of(box((5, 5)), box(), box(protocol=TCP))


def _dispatch(*nodes: Node) -> Dispatch:
    return Dispatch(
        (PROTOCOL,), None, tuple(Element(((key, key),), node) for key, node in enumerate(nodes)), "protocols"
    )


def _depth(node: Node) -> int:
    """How many chains follow each other below the chain of a node, once it is made."""
    assembler = Assembler("ingress", {})
    top = TableChain("ingress", tuple(assembler.rules(node)), hook="input")
    table = Table(
        counters=("policy/a/0", "policy/a/1", "policy/a/2"),
        sets=(),
        chains=(top, *assembler.chains.values()),
        maps=tuple(assembler.maps.values()),
    )
    return check_table(table).depth


def test_a_list_has_no_chain_below() -> None:
    for node in (Node(), Node([Rule(_NARROW), Rule(_CERTAIN)])):
        assert (height(node), ways(node), _depth(node)) == (0, 1, 0)


def test_a_node_is_as_high_as_the_longest_way_down() -> None:
    leaf = Node([Rule(_NARROW)])
    guarded = _NARROW._replace(before=Node([Visit(leaf), Rule(_OTHER)]))
    twice = _NARROW._replace(before=Node([Visit(Node([Rule(guarded)]))]))
    for node, high in (
        (Node([Visit(leaf)]), 1),
        (Node([Branch(PORTED, leaf), Rule(_CERTAIN)]), 1),
        (Node([_dispatch(leaf, Node([Rule(_CERTAIN)]))]), 1),
        (Node([_dispatch(leaf, Node([Visit(Node([_dispatch(leaf)]))]))]), 3),
        # To the chain of the guard, and to what it visits.
        (Node([Rule(guarded)]), 2),
        (Node([_dispatch(Node([Rule(guarded)]))]), 3),
        (Node([_dispatch(Node([Rule(guarded)])), Visit(Node([Rule(twice)]))]), 5),
    ):
        assert height(node) == high
        assert _depth(node) == high


def test_ways_are_counted_each_time_that_they_are_gone() -> None:
    node = Node([Rule(_NARROW)])
    for level in range(1, 40):
        node = Node([_dispatch(node, node)])
        assert ways(node) == 2 ** (level + 1) - 1
        assert height(node) == level
    guarded = _NARROW._replace(before=Node([Visit(Node([Rule(_OTHER)]))]))
    # The list, the chain of the guard, and what it visits.
    assert ways(Node([Rule(guarded)])) >= 3
