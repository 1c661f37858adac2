# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One nft and the kernel, as a run uses them."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.palisade.nftables.plugins.module_utils._host.holding import read_holding
from ansible_collections.palisade.nftables.plugins.module_utils._host.nft import Nft
from ansible_collections.palisade.nftables.plugins.module_utils._host.scratch import try_out
from ansible_collections.palisade.nftables.plugins.module_utils._nft.changes import Change, live_change
from ansible_collections.palisade.nftables.plugins.module_utils._nft.text import render_load

if t.TYPE_CHECKING:
    from ansible_collections.palisade.nftables.plugins.module_utils._compile.table import Table
    from ansible_collections.palisade.nftables.plugins.module_utils._nft.held import HeldTable
    from lab.namespaces import Host
    from tests.nft_versions import NftVersion

#: Packets that each counter of :func:`with_counts` has.
COUNTED = 7


class Kernel:
    """A network namespace and one nft."""

    def __init__(self, network: Host, nft: t.Optional[NftVersion] = None) -> None:
        self._network = network
        self._argv = ["nft"] if nft is None else nft.argv

    def load(self, text: str) -> None:
        self._network.run([*self._argv, "-f", "-"], input=text)

    def read(self) -> t.Optional[HeldTable]:
        return self._network.call(read_holding).table

    def table(self) -> HeldTable:
        held = self.read()
        assert held is not None
        return held

    def lines(self, chain: str) -> t.List[str]:
        """The rules of a chain."""
        text = self._network.run([*self._argv, "-s", "list", "chain", "inet", "palisade", chain]).stdout
        return text.splitlines()[2:-2]

    def packets(self, counter: str) -> int:
        text = self._network.run([*self._argv, "list", "counter", "inet", "palisade", counter]).stdout
        found = re.search(r"packets ([0-9]+)", text)
        assert found is not None
        return int(found.group(1))

    def normal(self, table: Table) -> HeldTable:
        """What the kernel holds right after the table's first load by this nft."""
        held = try_out(Nft(self._argv), render_load(table), read_holding).table
        assert held is not None
        return held

    def change(self, table: Table) -> Change:
        """Plans as a run does."""
        held = self.read()
        normal = self.normal(table)
        present = {} if held is None else held.blocks
        differing = {
            key for key in normal.blocks if key in present and present[key].digest != normal.blocks[key].digest
        }
        return live_change(table, held, differing)

    def apply(self, table: Table) -> Change:
        change = self.change(table)
        for transaction in change.transactions:
            self.load(transaction.text)
        return change


def with_counts(table: Table) -> str:
    """The first load of a table whose counters have counted."""
    return re.sub(r"(\tcounter \S+ \{\n)", r"\1\t\tpackets %d bytes 100\n" % COUNTED, render_load(table))
