# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernel's table beside the wanted one: what is learned in a scratch namespace, and what the record spares."""

from __future__ import annotations

import json
import os
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host import kernel as kernel_module
from ansible_collections.palisade.nftables.plugins.module_utils._host import scratch as scratch_module
from ansible_collections.palisade.nftables.plugins.module_utils._host.holding import NotOursError
from ansible_collections.palisade.nftables.plugins.module_utils._host.kernel import (
    Comparison,
    WantedTable,
    compare,
    outcome,
    read_live,
)
from ansible_collections.palisade.nftables.plugins.module_utils._host.nft import Nft, NftRefusedError
from ansible_collections.palisade.nftables.plugins.module_utils._nft.changes import Change, live_change
from ansible_collections.palisade.nftables.plugins.module_utils._nft.text import render_load
from tests.lookup_tables import Shape, lookup_table
from tests.nft_versions import NftVersion, nft_parameters
from tests.unit.plugins.module_utils.conftest import OFFICE_AND_WEB, table_of

if t.TYPE_CHECKING:
    from ansible_collections.palisade.nftables.plugins.module_utils._compile.table import Table
    from ansible_collections.palisade.nftables.plugins.module_utils._nft.held import HeldTable
    from lab.namespaces import Host


class CountingNft(Nft):
    """An nft that keeps what it was given to load, wherever."""

    def __init__(self, arguments: t.Sequence[str]) -> None:
        super().__init__(arguments)
        self.loaded: t.List[str] = []

    def load(self, text: str) -> None:
        self.loaded.append(text)
        super().load(text)


class Kernel:
    """One nft in a lab host, and the record that the runs keep."""

    def __init__(self, network: Host, nft: t.Optional[NftVersion] = None) -> None:
        self._network = network
        self.nft = CountingNft(["nft"] if nft is None else nft.argv)
        self.record: t.Optional[str] = None
        self.as_wanted = False

    def load(self, text: str) -> None:
        self._network.call(self.nft.load, text)

    def live(self) -> HeldTable:
        held = self._network.call(read_live).table
        assert held is not None
        return held

    def compare(self, table: Table, *, trial: bool = False) -> Comparison:
        self.nft.loaded.clear()
        return self._network.call(lambda: compare(self.nft, WantedTable(table), self.record, trial=trial))

    def apply(self, table: Table, *, meddle: str = "") -> t.Tuple[str, ...]:
        """One run, and something else that is loaded between its transactions; the texts that the run loaded."""
        comparison = self.compare(table)
        change = Change(()) if comparison.equal else live_change(table, comparison.held, comparison.differing)
        for transaction in change.transactions:
            self.load(transaction.text)
        if meddle:
            self._network.nft(meddle)
        self.as_wanted, self.record, self.held = self._network.call(
            lambda: outcome(self.nft, WantedTable(table), comparison, len(change.transactions))
        )
        assert self.as_wanted or meddle
        return tuple(self.nft.loaded)


@pytest.fixture
def kernel(network: Host) -> Kernel:
    return Kernel(network)


def _set(table: Table) -> str:
    return next(named.name for named in table.sets if named.name.startswith("ip_"))


@pytest.mark.parametrize("nft", nft_parameters())
def test_tells_absent_from_different_from_equal(network: Host, table: Table, nft: NftVersion) -> None:
    kernel = Kernel(network, nft)
    absent = kernel.compare(table)
    assert absent.held is None
    assert not absent.equal
    kernel.load(render_load(table_of({**OFFICE_AND_WEB, "firewall_assigned": ["web"]})))
    different = kernel.compare(table)
    assert not different.equal
    assert different.differing == {("chain", "ingress"), ("chain", "published")}
    kernel.load(render_load(table))
    assert kernel.compare(table).equal


@pytest.mark.parametrize("nft", nft_parameters())
def test_a_table_that_was_changed_live_equals_one_that_was_loaded(network: Host, table: Table, nft: NftVersion) -> None:
    kernel = Kernel(network, nft)
    kernel.apply(table_of({**OFFICE_AND_WEB, "firewall_assigned": ["web"], "firewall_default_egress": "drop"}))
    kernel.apply(table)
    assert kernel.compare(table).equal
    kernel.record = None
    assert kernel.compare(table).equal


def test_counted_packets_make_no_difference(kernel: Kernel, network: Host, table: Table) -> None:
    kernel.load(render_load(table).replace("/0 {\n", "/0 {\n\t\tpackets 5 bytes 300\n"))
    assert "packets 5 bytes 300" in network.run(["nft", "list", "table", "inet", "palisade"]).stdout
    assert kernel.compare(table).equal


def test_a_set_edited_by_hand_is_named(kernel: Kernel, table: Table) -> None:
    kernel.load(render_load(table))
    kernel.load("add element inet palisade %s { 192.0.2.99 }\n" % _set(table))
    comparison = kernel.compare(table)
    assert not comparison.equal
    assert comparison.differing == {("set", _set(table))}


def test_a_single_comment_is_a_difference(kernel: Kernel, table: Table) -> None:
    kernel.load(render_load(table).replace('comment "web[0]"\n', 'comment "web[1]"\n'))
    assert not kernel.compare(table).equal


@pytest.mark.parametrize("text", ["table inet palisade {\n}\n", "table inet palisade {\n\tchain input {\n\t}\n}\n"])
def test_a_table_without_our_mark_is_refused(kernel: Kernel, table: Table, text: str) -> None:
    kernel.load(text)
    with pytest.raises(NotOursError, match="without the chain 'managed_by_palisade'"):
        kernel.compare(table)


def test_tables_of_that_name_in_other_families_are_nothing_to_us(kernel: Kernel, table: Table) -> None:
    kernel.load("table ip palisade {\n}\ntable ip6 palisade {\n}\n")
    comparison = kernel.compare(table)
    assert comparison.held is None
    assert comparison.holding.others == (("ip", "palisade"), ("ip6", "palisade"))


_NONSENSE = "table inet palisade {\n\tnonsense\n}\n"


def test_a_ruleset_that_nft_refuses_is_found_before_anything_is_touched(
    kernel: Kernel, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel.load(render_load(table))
    before = kernel.live()
    monkeypatch.setattr(kernel_module.WantedTable, "load_text", _NONSENSE)
    with pytest.raises(NftRefusedError, match="syntax error"):
        kernel.compare(table)
    assert kernel.live() == before


def test_the_scratch_namespace_is_another_and_is_gone(kernel: Kernel, network: Host, table: Table) -> None:
    own = os.readlink("/proc/thread-self/ns/net")
    before = network.call(os.readlink, "/proc/thread-self/ns/net")
    assert kernel.compare(table).held is None
    assert network.run(["nft", "list", "tables"]).stdout == ""
    assert network.call(os.readlink, "/proc/thread-self/ns/net") == before
    assert os.readlink("/proc/thread-self/ns/net") == own


# What the record spares

BEFORE, AFTER = Shape(rules=60), Shape(rules=60, narrowed=frozenset({25}))


@pytest.mark.parametrize("nft", nft_parameters())
def test_a_run_without_change_loads_nothing(network: Host, nft: NftVersion) -> None:
    kernel = Kernel(network, nft)
    table = lookup_table(BEFORE)
    assert kernel.apply(table)
    record = kernel.record
    assert kernel.apply(table) == ()
    assert kernel.record == record


@pytest.mark.parametrize("nft", nft_parameters())
def test_a_change_learns_and_sends_only_what_is_new(network: Host, nft: NftVersion) -> None:
    kernel = Kernel(network, nft)
    kernel.apply(lookup_table(BEFORE))
    texts = kernel.apply(lookup_table(AFTER))
    whole = len(render_load(lookup_table(AFTER)))
    # Learn the chain that leads in, add, switch, remove.
    assert len(texts) == 4
    assert "elements" not in texts[0]
    assert sum(map(len, texts)) < whole / 4
    assert kernel.compare(lookup_table(AFTER)).equal
    kernel.record = None
    assert kernel.compare(lookup_table(AFTER)).equal


def test_the_record_holds_what_is_wanted_and_no_more(kernel: Kernel) -> None:
    kernel.apply(lookup_table(BEFORE))
    first = kernel.record
    kernel.apply(lookup_table(AFTER))
    kernel.apply(lookup_table(BEFORE))
    assert kernel.record == first


@pytest.mark.parametrize("nft", nft_parameters())
def test_a_record_of_another_nft_is_no_reason_for_a_change(network: Host, table: Table, nft: NftVersion) -> None:
    """After an update of nft and a boot, the kernel may hold the same text in another form."""
    for one in (table, lookup_table(BEFORE)):
        first = Kernel(network)
        first.apply(one)
        second = Kernel(network, nft)
        second.load(render_load(one))
        second.record = first.record
        assert second.compare(one).equal
        second.load("delete table inet palisade\n")


def test_a_record_that_says_something_else_decides_nothing(kernel: Kernel, table: Table) -> None:
    kernel.apply(table)
    assert kernel.record is not None
    blocks = json.loads(kernel.record)["blocks"]
    kernel.record = json.dumps({"blocks": dict.fromkeys(blocks, "0" * 32)})
    assert kernel.compare(table).equal
    # Neither does one that says that a hand's work is ours.
    kernel.load("insert rule inet palisade input tcp dport 23 accept\n")
    assert kernel.compare(table).differing == {("chain", "input")}


@pytest.mark.parametrize("record", ["", "{", "[]", "{}", '{"blocks": []}', '{"blocks": {"a": 1}}', '"x"', "null"])
def test_what_is_no_record_is_none(kernel: Kernel, table: Table, record: str) -> None:
    kernel.apply(table)
    kernel.record = record
    assert kernel.compare(table).equal


def test_a_first_load_is_loaded_once(kernel: Kernel) -> None:
    table = lookup_table(BEFORE)
    assert sum(map(len, kernel.apply(table))) < 1.1 * len(render_load(table))


def test_a_trial_loads_what_was_never_loaded(kernel: Kernel) -> None:
    table = lookup_table(BEFORE)
    kernel.compare(table, trial=True)
    assert kernel.nft.loaded == [render_load(table)]
    kernel.apply(table)
    kernel.compare(lookup_table(AFTER), trial=True)
    assert len(kernel.nft.loaded) == 1
    assert "add map" in kernel.nft.loaded[0]


@pytest.mark.parametrize("table", [table_of(OFFICE_AND_WEB), lookup_table(BEFORE)], ids=["rules", "maps"])
def test_what_others_change_meanwhile_is_not_taken_for_ours(kernel: Kernel, table: Table) -> None:
    kernel.apply(table, meddle="add table ip other\n")
    assert kernel.as_wanted
    assert kernel.compare(table).equal
    kernel.load("delete table inet palisade\n")
    kernel.record = None
    chain = next(chain.name for chain in table.chains if chain.rules)
    kernel.apply(table, meddle="insert rule inet palisade %s tcp dport 23 accept\n" % chain)
    assert not kernel.as_wanted
    assert kernel.compare(table).differing == {("chain", chain)}


# Without a namespace


@pytest.fixture
def no_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a container without CAP_SYS_ADMIN answers."""

    def refuse() -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(scratch_module, "_unshare_network", refuse)


def test_without_a_namespace_the_note_says_so(kernel: Kernel, no_namespaces: None, table: Table) -> None:
    note = "no network namespace can be made here (Operation not permitted)"
    assert note in kernel.compare(table, trial=True).note
    kernel.load(render_load(table))
    assert note in kernel.compare(table).note


def test_without_a_namespace_what_was_applied_is_equal(kernel: Kernel, no_namespaces: None, table: Table) -> None:
    kernel.apply(table)
    assert kernel.compare(table).equal
    other = table_of({**OFFICE_AND_WEB, "firewall_assigned": ["web"]})
    assert not kernel.compare(other).equal
    kernel.apply(other)
    assert kernel.compare(other).equal
    assert not kernel.compare(table).equal


@pytest.mark.parametrize(
    "command",
    [
        "insert rule inet palisade input tcp dport 23 accept",
        "chain inet palisade input { policy drop; }",
        "add set inet palisade extra { type ipv4_addr; }",
    ],
)
def test_without_a_namespace_drift_is_found_and_repaired(
    kernel: Kernel, no_namespaces: None, table: Table, command: str
) -> None:
    kernel.apply(table)
    before = kernel.live()
    kernel.load(command + "\n")
    comparison = kernel.compare(table)
    assert not comparison.equal
    assert comparison.differing <= {("chain", "input")}
    kernel.apply(table)
    assert kernel.live() == before
    assert kernel.compare(table).equal


def test_without_a_namespace_an_edited_set_is_named_and_repaired(
    kernel: Kernel, no_namespaces: None, table: Table
) -> None:
    kernel.apply(table)
    before = kernel.live()
    kernel.load("add element inet palisade %s { 192.0.2.99 }\n" % _set(table))
    assert kernel.compare(table).differing == {("set", _set(table))}
    kernel.apply(table)
    assert kernel.live() == before


def test_without_a_namespace_and_without_a_record_everything_is_loaded_again(
    kernel: Kernel, no_namespaces: None
) -> None:
    for table in (table_of(OFFICE_AND_WEB), lookup_table(BEFORE)):
        kernel.apply(table)
        before = kernel.live()
        kernel.record = None
        comparison = kernel.compare(table)
        assert not comparison.equal
        assert comparison.differing == WantedTable(table).texts.keys()
        kernel.apply(table)
        assert kernel.live() == before
        assert kernel.compare(table).equal


def test_without_a_namespace_a_record_of_another_nft_is_replaced(
    kernel: Kernel, no_namespaces: None, table: Table
) -> None:
    kernel.apply(table)
    assert kernel.record is not None
    kernel.record = json.dumps({"blocks": dict.fromkeys(json.loads(kernel.record)["blocks"], "0" * 32)})
    kernel.apply(table)
    assert kernel.compare(table).equal


def test_without_a_namespace_a_refused_ruleset_is_still_found_before(
    kernel: Kernel, no_namespaces: None, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel.apply(table)
    before = kernel.live()
    monkeypatch.setattr(kernel_module.WantedTable, "load_text", _NONSENSE)
    with pytest.raises(NftRefusedError):
        kernel.compare(table_of({**OFFICE_AND_WEB, "firewall_assigned": ["web"]}), trial=True)
    assert kernel.live() == before


def test_an_answer_without_a_deed_is_not_believed(
    kernel: Kernel, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sandbox that answers system calls without doing them must not get the host's own table replaced."""
    monkeypatch.setattr(scratch_module, "_unshare_network", lambda: None)
    kernel.load("table inet palisade {\n\tchain managed_by_palisade {\n\t}\n}\n")
    before = kernel.live()
    comparison = kernel.compare(table)
    assert comparison.differing == {("chain", "managed_by_palisade")}
    assert "the kernel made none" in comparison.note
    assert kernel.live() == before
