# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Live changes of tables of verdict maps and constant chains, run by real nfts on a real kernel."""

from __future__ import annotations

import re
import typing as t

import pytest

from tests.lookup_tables import Shape, lookup_table
from tests.nft_versions import NftVersion, nft_parameters
from tests.unit.plugins.module_utils.live_kernel import COUNTED, Kernel, with_counts

if t.TYPE_CHECKING:
    from ansible_collections.palisade.nftables.plugins.module_utils._compile.table import Table
    from lab.namespaces import Host


@pytest.fixture
def kernel(network: Host) -> Kernel:
    return Kernel(network)


SHAPE = Shape(rules=30, part=10)

#: Tables that follow each other, by what happens to the first.
SHAPES = {
    "address of a rule": SHAPE._replace(narrowed=frozenset({15})),
    "verdict of a rule": SHAPE._replace(drops=frozenset({3})),
    "every third rule": SHAPE._replace(narrowed=frozenset(range(0, 30, 3))),
    "rules added": SHAPE._replace(rules=37),
    "rules removed": SHAPE._replace(rules=8),
    "other parts": SHAPE._replace(part=7),
    "other family": SHAPE._replace(family=6),
}


@pytest.mark.parametrize("nft", nft_parameters())
def test_tables_of_maps_change_and_change_back_as_first_loads(network: Host, nft: NftVersion) -> None:
    kernel = Kernel(network, nft)
    first = lookup_table(SHAPE)
    kernel.apply(first)
    assert kernel.read() == kernel.normal(first)
    for name, shape in SHAPES.items():
        for table in (lookup_table(shape), first):
            change = kernel.apply(table)
            assert not change.replaces, name
            assert [bool(one.undo) for one in change.transactions] == [True, False, False], name
            assert [one.tidies for one in change.transactions] == [False, False, True], name
            assert kernel.read() == kernel.normal(table), name


@pytest.mark.parametrize("nft", nft_parameters())
def test_the_ordered_form_and_the_form_of_maps_change_into_each_other(
    network: Host, table: Table, nft: NftVersion
) -> None:
    kernel = Kernel(network, nft)
    for one in (table, lookup_table(SHAPE), table):
        assert not kernel.apply(one).replaces
        assert kernel.read() == kernel.normal(one)


def test_only_what_leads_to_the_change_is_sent(kernel: Kernel) -> None:
    before, after = lookup_table(SHAPE), lookup_table(SHAPES["address of a rule"])
    kernel.apply(before)
    added, switched, removed = kernel.change(after).transactions
    new = {named.name for named in after.maps} - {named.name for named in before.maps}
    new |= {chain.name for chain in after.chains} - {chain.name for chain in before.chains}
    # A map of rules, the chain that looks up there, and the map that leads to the chain.
    assert len(new) == 3
    assert set(re.findall(r"add \w+ inet palisade (\S+) \{[^}]*elements", added.text)) == {
        name for name in new if not name.startswith("at_")
    }
    assert re.findall(r"flush chain inet palisade (\S+)", switched.text) == ["ingress"]
    assert "elements" not in switched.text
    old = {named.name for named in before.maps} | {chain.name for chain in before.chains}
    assert len(set(re.findall(r"delete \w+ inet palisade (\S+)", removed.text)) & old) == 3


def test_what_is_added_first_is_inert(kernel: Kernel) -> None:
    before, after = lookup_table(SHAPE), lookup_table(SHAPES["every third rule"])
    kernel.apply(before)
    held = kernel.table()
    change = kernel.change(after)
    kernel.load(change.transactions[0].text)
    loaded = kernel.table()
    assert {key: loaded.blocks[key] for key in held.blocks} == held.blocks
    normal = kernel.normal(after)
    constant = {("chain", chain.name) for chain in after.chains if chain.constant}
    constant |= {("map", named.name) for named in after.maps}
    assert {key: loaded.blocks[key] for key in constant} == {key: normal.blocks[key] for key in constant}
    kernel.load(change.transactions[0].undo)
    assert kernel.table() == held


def test_nothing_is_flushed_but_what_changes(kernel: Kernel) -> None:
    before = lookup_table(SHAPE)
    kernel.apply(before)
    kernel.load("insert rule inet palisade input tcp dport 23 accept\n")
    (switch,) = kernel.change(before).transactions
    assert re.findall(r"flush chain inet palisade (\S+)", switch.text) == ["input"]


#: Things done by hand to the chain or map of a name, or to what they lead to.
BY_HAND_TO_CONSTANTS = {
    "leaf flushed": "flush chain inet palisade {leaf}",
    "rule inserted into a leaf": "insert rule inet palisade {leaf} tcp dport 23 accept",
    "rule added in the middle": "add rule inet palisade {middle} accept",
    "element added to the map of protocols": "add element inet palisade by_protocol {{ tcp : drop }}",
    "element taken from the map of protocols": "delete element inet palisade by_protocol {{ icmp }}",
    "top map flushed": "flush map inet palisade {top}",
    "element added to a map of five fields": "add element inet palisade {part} "
    "{{ 192.0.2.1 . 192.0.2.2 . udp . 0-65535 . 53 : accept }}",
    "element led elsewhere": "delete element inet palisade by_protocol {{ icmp }}\n"
    "add element inet palisade by_protocol {{ icmp : goto {leaf} }}",
    "everything at once": "flush chain inet palisade {leaf}\nflush map inet palisade {top}\n"
    "add rule inet palisade {middle} accept\nadd element inet palisade ip_office {{ 203.0.113.9 }}\n"
    "insert rule inet palisade ingress accept",
    "another chain led to": "add chain inet palisade extra\nadd rule inet palisade extra accept\n"
    "insert rule inet palisade {leaf} jump extra\nadd element inet palisade by_protocol {{ udp : jump extra }}",
}


@pytest.mark.parametrize("nft", nft_parameters())
def test_constants_edited_by_hand_are_repaired_in_place(network: Host, nft: NftVersion) -> None:
    kernel = Kernel(network, nft)
    table = lookup_table(SHAPE)
    kernel.load(with_counts(table))
    normal = kernel.normal(table)
    names = {
        "leaf": next(chain.name for chain in table.chains if chain.name.startswith("rule_4_")),
        "middle": next(chain.name for chain in table.chains if chain.name.startswith("at_10_")),
        "part": next(named.name for named in table.maps if named.name.startswith("part_20_")),
        "top": next(named.name for named in table.maps if named.name.startswith("by_source_")),
    }
    for done, commands in BY_HAND_TO_CONSTANTS.items():
        kernel.load(commands.format(**names) + "\n")
        assert kernel.read() != normal, done
        assert not kernel.apply(table).replaces, done
        assert kernel.read() == normal, done
    assert {counter: kernel.packets(counter) for counter in table.counters} == dict.fromkeys(table.counters, COUNTED)


@pytest.mark.parametrize("kind", ["set", "map"])
def test_a_name_taken_by_a_set_for_a_map_or_the_other_way_round_is_repaired(kernel: Kernel, kind: str) -> None:
    table = lookup_table(SHAPE)
    kernel.apply(table)
    if kind == "set":
        kernel.load("flush chain inet palisade ingress\ndelete map inet palisade by_protocol\n")
        kernel.load("add set inet palisade by_protocol { type inet_proto; elements = { icmp }; }\n")
    else:
        names = [chain.name for chain in table.chains if chain.name.startswith("at_")]
        kernel.load("".join("flush chain inet palisade %s\n" % name for name in names))
        kernel.load("delete set inet palisade ip_office\n")
        kernel.load("add map inet palisade ip_office { type ipv4_addr : verdict; }\n")
    assert not kernel.apply(table).replaces
    assert kernel.read() == kernel.normal(table)


def test_a_constant_chain_hooked_in_by_hand_is_replaced(kernel: Kernel) -> None:
    table = lookup_table(SHAPE)
    kernel.apply(table)
    leaf = next(chain.name for chain in table.chains if chain.name.startswith("rule_4_"))
    kernel.load("delete table inet palisade\n")
    kernel.load(
        "table inet palisade {\n chain managed_by_palisade {\n }\n"
        " chain %s {\n type filter hook forward priority 0;\n }\n}\n" % leaf
    )
    assert "declared otherwise" in kernel.apply(table).replaces
    assert kernel.read() == kernel.normal(table)
