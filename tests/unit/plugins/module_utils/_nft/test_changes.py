# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Live changes, run by real nfts on a real kernel."""

from __future__ import annotations

import re
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._nft.changes import deletion, live_change
from ansible_collections.palisade.nftables.plugins.module_utils._nft.held import HeldBlock, HeldTable
from ansible_collections.palisade.nftables.plugins.module_utils._nft.text import render_load
from tests.nft_versions import NftVersion, nft_parameters
from tests.unit.plugins.module_utils.conftest import OFFICE_AND_WEB, table_of
from tests.unit.plugins.module_utils.live_kernel import COUNTED, Kernel, with_counts

if t.TYPE_CHECKING:
    from ansible_collections.palisade.nftables.plugins.module_utils._compile.table import Table
    from lab.namespaces import Host


@pytest.fixture
def kernel(network: Host) -> Kernel:
    return Kernel(network)


def changed(**variables: t.Any) -> Table:
    return table_of({**OFFICE_AND_WEB, **variables})


def _office(*addresses: str) -> t.Dict[str, t.Any]:
    return {"firewall_networks": {"office": list(addresses)}}


#: Every kind of change that an operator makes, by name.
VARIANTS: t.Mapping[str, t.Dict[str, t.Any]] = {
    "same": {},
    "policy removed": {"firewall_assigned": ["web"]},
    "policies reordered": {"firewall_assigned": ["web", "ssh"]},
    "address added": _office("198.51.100.0/24", "203.0.113.7", "203.0.113.9", "2001:db8:1::/48"),
    "address removed": _office("198.51.100.0/24"),
    "address family removed": _office("2001:db8:1::/48"),
    "nothing assigned": {"firewall_assigned": []},
    "no rules at all": {"firewall_assigned": [], "firewall_default_policies": []},
    "reject": {"firewall_default_ingress": "reject"},
    "egress restricted": {"firewall_default_egress": "drop"},
    "one interface": {"firewall_interfaces": ["eth*"]},
    "logged": {"firewall_log_dropped": True},
    "netcup": {"firewall_profile": "netcup", "firewall_assigned": []},
}


@pytest.mark.parametrize("nft", nft_parameters())
def test_every_change_and_its_reverse_end_as_a_first_load_does(network: Host, table: Table, nft: NftVersion) -> None:
    kernel = Kernel(network, nft)
    kernel.apply(table)
    assert kernel.read() == kernel.normal(table)
    for name, variables in VARIANTS.items():
        other = changed(**variables)
        assert not kernel.apply(other).replaces, name
        assert kernel.read() == kernel.normal(other), name
        assert not kernel.apply(table).replaces, name
        assert kernel.read() == kernel.normal(table), name


def test_sets_are_loaded_before_any_rule_uses_them(kernel: Kernel, table: Table) -> None:
    inert, switch = kernel.change(table).transactions
    kernel.load(inert.text)
    loaded = kernel.table()
    assert loaded.names("set") == sorted(named.name for named in table.sets)
    assert not any(loaded.blocks["chain", chain.name].size for chain in table.chains if chain.hook)
    assert "elements" not in switch.text


@pytest.mark.parametrize("layout", ["auto", "ordered"])
@pytest.mark.parametrize("name", [name for name in VARIANTS if name not in ("nothing assigned", "no rules at all")])
@pytest.mark.parametrize("before", ["nothing", "a table without rules"])
def test_connections_are_tracked_before_the_first_rules_are_in_force(
    kernel: Kernel, name: str, layout: str, before: str
) -> None:
    if before != "nothing":
        kernel.apply(changed(firewall_assigned=[], firewall_default_policies=[]))
    wanted = changed(**VARIANTS[name], firewall_layout=layout)
    change = kernel.change(wanted)
    assert [one.enforces for one in change.transactions] == [False, True]
    assert "ct state" in change.transactions[0].text
    kernel.load(change.transactions[0].text)
    assert not any(block.size for block in kernel.table().blocks.values() if " hook " in block.declaration)
    # Whoever is killed here learns of the connections next time.
    again = kernel.change(wanted)
    assert [one.enforces for one in again.transactions] == [True]
    kernel.load(again.transactions[0].text)
    assert kernel.table() == kernel.normal(wanted)
    assert not any(one.enforces for one in kernel.change(changed(firewall_default_egress="reject")).transactions)


def test_a_table_without_rules_tracks_nothing(kernel: Kernel) -> None:
    change = kernel.change(changed(firewall_assigned=[], firewall_default_policies=[]))
    assert not any(one.enforces or "ct state" in one.text for one in change.transactions)


def test_a_change_of_rules_alone_is_one_transaction(kernel: Kernel, table: Table) -> None:
    kernel.apply(table)
    reordered = changed(**VARIANTS["policies reordered"])
    (switch,) = kernel.change(reordered).transactions
    assert "elements" not in switch.text


def test_unchanged_sets_are_not_sent_again(kernel: Kernel, table: Table) -> None:
    kernel.apply(table)
    change = kernel.change(changed(**VARIANTS["address added"]))
    ports = next(named.name for named in table.sets if named.name.startswith("ports"))
    (sent,) = re.findall(
        r"add set inet palisade %s \{([^}]*)\}" % ports, "".join(one.text for one in change.transactions)
    )
    assert "elements" not in sent


@pytest.mark.parametrize("nft", nft_parameters())
@pytest.mark.parametrize("variant", ["policies reordered", "address added", "reject", "one interface"])
def test_counters_keep_their_values(network: Host, table: Table, nft: NftVersion, variant: str) -> None:
    kernel = Kernel(network, nft)
    kernel.load(with_counts(table))
    kernel.apply(changed(**VARIANTS[variant]))
    assert {name: kernel.packets(name) for name in table.counters} == dict.fromkeys(table.counters, COUNTED)


@pytest.mark.parametrize("nft", nft_parameters())
def test_base_chains_are_never_deleted(network: Host, table: Table, nft: NftVersion) -> None:
    kernel = Kernel(network, nft)
    kernel.apply(table)

    def handles() -> t.List[str]:
        listing = network.run([*nft.argv, "-a", "list", "table", "inet", "palisade"]).stdout
        return re.findall(r"chain (?:input|output) \{ # handle [0-9]+", listing)

    before = handles()
    assert len(before) == 2
    for variables in VARIANTS.values():
        kernel.apply(changed(**variables))
        assert handles() == before


#: Things done to the table by hand, and what is left of them in place.
BY_HAND = {
    "rule inserted": "insert rule inet palisade input tcp dport 23 accept",
    "rules flushed": "flush chain inet palisade ingress",
    "policy turned": "chain inet palisade input { policy drop; }",
    "chain added": "add chain inet palisade extra\nadd rule inet palisade ingress jump extra",
    "base chain added": "add chain inet palisade extra { type filter hook input priority 10; policy drop; }",
    "verdict map added": (
        "add chain inet palisade extra\n"
        "add map inet palisade extra { type inet_service : verdict; }\n"
        "add element inet palisade extra { 23 : jump extra }\n"
        "add rule inet palisade ingress tcp dport vmap @extra"
    ),
    "set and counter added": (
        "add set inet palisade extra { type ipv4_addr; flags interval; elements = { 192.0.2.0/24 }; }\n"
        "add counter inet palisade extra\n"
        'insert rule inet palisade ingress ip saddr @extra counter name "extra" accept'
    ),
    "quota and limit added": (
        "add quota inet palisade extra { over 10 mbytes; }\n"
        "add limit inet palisade slow { rate 1/second; }\n"
        'insert rule inet palisade ingress quota name "extra" accept'
    ),
    "helper added": 'add ct helper inet palisade sip { type "sip" protocol udp; }',
    "chain emptied and removed": "flush chain inet palisade input\nflush chain inet palisade ingress\n"
    "delete chain inet palisade ingress",
    "output removed": "delete chain inet palisade output",
}


@pytest.mark.parametrize("nft", nft_parameters())
@pytest.mark.parametrize("done", BY_HAND)
def test_what_a_hand_did_is_repaired_in_place(network: Host, table: Table, nft: NftVersion, done: str) -> None:
    kernel = Kernel(network, nft)
    kernel.apply(table)
    kernel.load(BY_HAND[done] + "\n")
    assert kernel.read() != kernel.normal(table)
    assert not kernel.apply(table).replaces
    assert kernel.read() == kernel.normal(table)


@pytest.mark.parametrize("nft", nft_parameters())
@pytest.mark.parametrize("command", ["add element inet palisade %s { 192.0.2.99 }", "flush set inet palisade %s"])
def test_a_set_edited_by_hand_is_repaired_while_a_twin_stands_in(
    network: Host, table: Table, nft: NftVersion, command: str
) -> None:
    kernel = Kernel(network, nft)
    kernel.load(with_counts(table))
    name = next(named.name for named in table.sets if named.name.startswith("ip_"))
    kernel.load(command % name + "\n")
    wanted = kernel.lines("ingress")
    change = kernel.change(table)
    assert [transaction.tidies for transaction in change.transactions] == [False, False, True] * 2
    normal = kernel.normal(table)
    for number, transaction in enumerate(change.transactions):
        kernel.load(transaction.text)
        held = kernel.table()
        # From the second transaction on, the rules are the wanted ones, whatever their set is called.
        if number >= 1:
            twin = name + "_again"
            used = twin if number < 4 else name
            assert held.blocks["set", used].size == normal.blocks["set", name].size
            assert [line.replace("@%s " % used, "@%s " % name) for line in kernel.lines("ingress")] == wanted
            assert any("@%s " % used in line for line in kernel.lines("ingress"))
    assert kernel.read() == normal
    assert {counter: kernel.packets(counter) for counter in table.counters} == dict.fromkeys(table.counters, COUNTED)


@pytest.mark.parametrize(
    "replacement",
    [
        "set %s { type ipv4_addr; }",
        "set %s { type ipv6_addr; flags interval; }",
        "map %s { type ipv4_addr : verdict; }",
    ],
)
def test_a_set_of_another_type_is_repaired(kernel: Kernel, table: Table, replacement: str) -> None:
    kernel.apply(table)
    name = next(named.name for named in table.sets if named.name.startswith("ip_"))
    kernel.load(
        "flush chain inet palisade ingress\nflush chain inet palisade published\ndelete set inet palisade %s\n" % name
    )
    kernel.load("add " + (replacement % name).replace(name, "inet palisade %s" % name) + "\n")
    assert not kernel.apply(table).replaces
    assert kernel.read() == kernel.normal(table)


def test_a_twin_takes_no_name_that_is_there(kernel: Kernel, table: Table) -> None:
    kernel.apply(table)
    name = next(named.name for named in table.sets if named.name.startswith("ip_"))
    kernel.load("add element inet palisade %s { 192.0.2.99 }\n" % name)
    kernel.load("add set inet palisade %s_again { type ipv6_addr; }\n" % name)
    kernel.apply(table)
    assert kernel.read() == kernel.normal(table)


def _redeclare(chain: str, declaration: str) -> str:
    return (
        "flush chain inet palisade {0}\ndelete chain inet palisade {0}\nadd chain inet palisade {0} {{ {1} }}".format(
            chain, declaration
        )
    )


#: What no transaction changes in place.
OBSTACLES = {
    "dormant": ("add table inet palisade { flags dormant; }", "flags dormant"),
    "priority": (
        _redeclare("output", "type filter hook output priority 5; policy accept;"),
        "the chain output is declared otherwise",
    ),
    "hook": (
        _redeclare("output", "type filter hook forward priority filter; policy accept;"),
        "the chain output is declared otherwise",
    ),
    "base chain": (
        _redeclare("managed_by_palisade", "type filter hook input priority 9; policy accept;"),
        "the chain managed_by_palisade is declared otherwise",
    ),
}


@pytest.mark.parametrize("nft", nft_parameters())
@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_what_cannot_be_changed_in_place_is_replaced(
    network: Host, table: Table, nft: NftVersion, obstacle: str
) -> None:
    command, reason = OBSTACLES[obstacle]
    kernel = Kernel(network, nft)
    kernel.apply(table)
    kernel.load(command + "\n")
    change = kernel.apply(table)
    assert reason in change.replaces
    assert len(change.transactions) == 1
    assert kernel.read() == kernel.normal(table)


def test_a_counter_with_a_comment_is_replaced(kernel: Kernel, table: Table) -> None:
    kernel.load(
        render_load(table).replace("\tcounter ingress/default {\n", '\tcounter ingress/default {\n\t\tcomment "x"\n')
    )
    if kernel.read() == kernel.normal(table):
        pytest.skip("this nft keeps no comments on counters")
    assert "ingress/default" in kernel.apply(table).replaces
    assert kernel.read() == kernel.normal(table)


def test_nothing_of_a_name_becomes_syntax(kernel: Kernel, table: Table) -> None:
    kernel.apply(table)
    odd = HeldTable({**kernel.table().blocks, ("chain", "x; flush ruleset; #"): HeldBlock()})
    change = live_change(table, odd)
    assert change.replaces
    assert not any("flush ruleset" in transaction.text for transaction in change.transactions)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_first_transaction_can_be_taken_back(kernel: Kernel, table: Table, variant: str) -> None:
    kernel.apply(table)
    before = kernel.read()
    change = kernel.change(changed(**VARIANTS[variant]))
    if change.transactions and change.transactions[0].undo:
        kernel.load(change.transactions[0].text)
        assert kernel.read() != before
        kernel.load(change.transactions[0].undo)
    assert kernel.read() == before


def test_taking_back_the_first_load_leaves_no_table(kernel: Kernel, table: Table) -> None:
    inert = kernel.change(table).transactions[0]
    kernel.load(inert.text)
    kernel.load(inert.undo)
    assert kernel.read() is None


def test_deletion_removes_the_table_and_nothing_else(kernel: Kernel, network: Host, table: Table) -> None:
    network.nft("table inet other {\n chain c {\n }\n}\n")
    kernel.apply(table)
    for transaction in deletion(kernel.read()):
        kernel.load(transaction.text)
    assert network.run(["nft", "list", "tables"]).stdout == "table inet other\n"
    assert deletion(kernel.read()) == ()
