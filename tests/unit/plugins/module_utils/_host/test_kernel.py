# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernel's table beside the wanted one: by a listing from a scratch namespace, or by the record."""

from __future__ import annotations

import os
import pathlib
import sys
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host import kernel as kernel_module
from ansible_collections.palisade.nftables.plugins.module_utils._host.kernel import (
    Comparing,
    Comparison,
    NotOursError,
    Record,
    make_record,
    read_live,
)
from ansible_collections.palisade.nftables.plugins.module_utils._host.nft import Nft, NftRefusedError
from ansible_collections.palisade.nftables.plugins.module_utils._nft.changes import live_change
from ansible_collections.palisade.nftables.plugins.module_utils._nft.text import render_load
from tests.nft_versions import NftVersion, nft_parameters
from tests.unit.plugins.module_utils.conftest import OFFICE_AND_WEB, table_of

if t.TYPE_CHECKING:
    from ansible_collections.palisade.nftables.plugins.module_utils._compile.table import Table
    from ansible_collections.palisade.nftables.plugins.module_utils._nft.live import LiveTable
    from lab.namespaces import Host


def _no_record() -> t.Optional[str]:
    raise AssertionError("the record is only for hosts where no namespace can be made")


class Kernel:
    """One nft in a lab host."""

    def __init__(self, network: Host, nft: t.Optional[NftVersion] = None) -> None:
        self._network = network
        self.nft = Nft(["nft"] if nft is None else nft.argv)

    def load(self, text: str) -> None:
        self._network.call(self.nft.load, text)

    def live(self) -> LiveTable:
        live = self._network.call(read_live, self.nft)
        assert live is not None
        return live

    def compare(self, table: Table, record: t.Callable[[], t.Optional[str]] = _no_record) -> Comparison:
        return self._network.call(lambda: Comparing(self.nft, table).finish(record))

    def apply(self, table: Table, record: t.Callable[[], t.Optional[str]] = _no_record) -> None:
        comparison = self.compare(table, record)
        for transaction in live_change(table, comparison.live, comparison.altered).transactions:
            self.load(transaction.text)


@pytest.fixture
def kernel(network: Host) -> Kernel:
    return Kernel(network)


def _set(table: Table) -> str:
    return next(named.name for named in table.sets if named.name.startswith("ip_"))


@pytest.mark.parametrize("nft", nft_parameters())
def test_tells_absent_from_different_from_equal(network: Host, table: Table, nft: NftVersion) -> None:
    kernel = Kernel(network, nft)
    absent = kernel.compare(table)
    assert absent.live is None
    assert not absent.equal
    kernel.load(render_load(table_of({**OFFICE_AND_WEB, "firewall_assigned": ["web"]})))
    different = kernel.compare(table)
    assert not different.equal
    assert different.altered == frozenset()
    kernel.load(render_load(table))
    equal = kernel.compare(table)
    assert equal.equal
    assert equal.live == equal.wanted


@pytest.mark.parametrize("nft", nft_parameters())
def test_a_table_that_was_changed_live_equals_one_that_was_loaded(network: Host, table: Table, nft: NftVersion) -> None:
    kernel = Kernel(network, nft)
    kernel.apply(table_of({**OFFICE_AND_WEB, "firewall_assigned": ["web"], "firewall_default_egress": "drop"}))
    kernel.apply(table)
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
    assert comparison.altered == {("set", _set(table))}


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
    assert kernel.compare(table).live is None


def test_a_ruleset_that_nft_refuses_is_found_before_anything_is_touched(
    kernel: Kernel, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel.load(render_load(table))
    before = kernel.live()
    monkeypatch.setattr(kernel_module, "render_load", lambda _table: "table inet palisade {\n\tnonsense\n}\n")
    with pytest.raises(NftRefusedError, match="syntax error"):
        kernel.compare(table)
    assert kernel.live() == before


def test_the_scratch_namespace_is_another_and_is_gone(kernel: Kernel, network: Host, table: Table) -> None:
    own = os.readlink("/proc/thread-self/ns/net")
    before = network.call(os.readlink, "/proc/thread-self/ns/net")
    assert kernel.compare(table).live is None
    assert network.run(["nft", "list", "tables"]).stdout == ""
    assert network.call(os.readlink, "/proc/thread-self/ns/net") == before
    assert os.readlink("/proc/thread-self/ns/net") == own


# Without a namespace


@pytest.fixture
def no_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a container without CAP_SYS_ADMIN answers."""

    def refuse() -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(kernel_module, "_unshare_network", refuse)


_IN_A_FULL_NAMESPACE = """
import sys
sys.path.insert(0, {path!r})
from ansible_collections.palisade.nftables.plugins.module_utils._host import kernel
with open("/proc/sys/user/max_net_namespaces", "w") as limit:
    limit.write("0")
try:
    kernel._enter_new_network()
except kernel._NoNamespaceError as exc:
    print(exc)
"""


def test_the_kernel_itself_is_asked(network: Host, collections_path: pathlib.Path) -> None:
    """In a user namespace that may make no further network namespace."""
    script = _IN_A_FULL_NAMESPACE.format(path=str(collections_path))
    done = network.run(["unshare", "--user", "--map-root-user", "--net", sys.executable, "-c", script], check=False)
    if "unshare failed" in done.stderr:
        pytest.skip("no user namespace can be made inside the lab: %s" % done.stderr.strip())
    assert done.stdout == "No space left on device\n", done.stderr


class Fallback:
    """Runs where no namespace can be made, and keeps the record as a run does."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.record: t.Optional[str] = None

    def compare(self, table: Table) -> Comparison:
        return self._kernel.compare(table, lambda: self.record)

    def apply(self, table: Table) -> None:
        self._kernel.apply(table, lambda: self.record)
        self.record = make_record(table, self._kernel.live()).to_text()


@pytest.fixture
def fallback(kernel: Kernel, no_namespaces: None) -> Fallback:
    return Fallback(kernel)


def test_without_a_namespace_the_note_says_so(fallback: Fallback, table: Table) -> None:
    comparison = fallback.compare(table)
    assert "no network namespace can be made here (Operation not permitted)" in comparison.note
    assert comparison.live is None


def test_without_a_namespace_what_was_applied_is_equal(fallback: Fallback, table: Table) -> None:
    fallback.apply(table)
    assert fallback.compare(table).equal
    other = table_of({**OFFICE_AND_WEB, "firewall_assigned": ["web"]})
    assert not fallback.compare(other).equal
    fallback.apply(other)
    assert fallback.compare(other).equal
    assert not fallback.compare(table).equal


@pytest.mark.parametrize(
    "command",
    [
        "insert rule inet palisade input tcp dport 23 accept",
        "chain inet palisade input { policy drop; }",
        "add set inet palisade extra { type ipv4_addr; }",
    ],
)
def test_without_a_namespace_drift_is_found_and_repaired(
    fallback: Fallback, kernel: Kernel, table: Table, command: str
) -> None:
    fallback.apply(table)
    before = kernel.live()
    kernel.load(command + "\n")
    comparison = fallback.compare(table)
    assert not comparison.equal
    assert comparison.altered == frozenset()
    fallback.apply(table)
    assert kernel.live() == before
    assert fallback.compare(table).equal


def test_without_a_namespace_an_edited_set_is_named_and_repaired(
    fallback: Fallback, kernel: Kernel, table: Table
) -> None:
    fallback.apply(table)
    before = kernel.live()
    kernel.load("add element inet palisade %s { 192.0.2.99 }\n" % _set(table))
    assert fallback.compare(table).altered == {("set", _set(table))}
    fallback.apply(table)
    assert kernel.live() == before


@pytest.mark.parametrize("record", [None, "", "{", "[]", "{}", '{"wanted": 1, "listing": []}', '"x"'])
def test_without_a_record_everything_is_loaded_again(
    fallback: Fallback, kernel: Kernel, table: Table, record: t.Optional[str]
) -> None:
    fallback.apply(table)
    before = kernel.live()
    fallback.record = record
    comparison = fallback.compare(table)
    assert not comparison.equal
    assert comparison.altered == {("set", named.name) for named in table.sets}
    fallback.apply(table)
    assert kernel.live() == before
    assert fallback.compare(table).equal


def test_without_a_namespace_a_refused_ruleset_is_still_found_before(
    fallback: Fallback, kernel: Kernel, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    fallback.apply(table)
    before = kernel.live()
    monkeypatch.setattr(kernel_module, "render_load", lambda _table: "table inet palisade {\n\tnonsense\n}\n")
    with pytest.raises(NftRefusedError):
        fallback.compare(table)
    assert kernel.live() == before


def test_an_answer_without_a_deed_is_not_believed(
    kernel: Kernel, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sandbox that answers system calls without doing them must not get the host's own table replaced."""
    monkeypatch.setattr(kernel_module, "_unshare_network", lambda: None)
    kernel.load("table inet palisade {\n\tchain managed_by_palisade {\n\t}\n}\n")
    before = kernel.live()
    comparison = kernel.compare(table, lambda: None)
    assert "the kernel made none" in comparison.note
    assert kernel.live() == before


def test_records_are_equal_as_texts_when_they_are_equal(kernel: Kernel, table: Table) -> None:
    kernel.load(render_load(table))
    first, second = make_record(table, kernel.live()), make_record(table, kernel.live())
    assert first == second
    assert first.to_text() == second.to_text()
    assert isinstance(first, Record)
