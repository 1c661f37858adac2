# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A table as it comes back from the kernel."""

from __future__ import annotations

import typing as t

from ansible_collections.palisade.nftables.plugins.module_utils._nft.read import LiveRuleset, read_ruleset
from ansible_collections.palisade.nftables.plugins.module_utils._nft.text import render_load

if t.TYPE_CHECKING:
    from ansible_collections.palisade.nftables.plugins.module_utils._compile.table import Table
    from lab.namespaces import Host
    from tests.nft_versions import NftVersion


def read_back(host: Host, nft: NftVersion, table: Table) -> LiveRuleset:
    """What this nft lists of a table that it loaded; nothing of it stays on the host."""
    host.run([*nft.argv, "-f", "-"], input=render_load(table))
    listed = host.run([*nft.argv, "-j", "-p", "list", "table", "inet", "palisade"]).stdout
    # nft 0.9.8 does not survive the sight of a table that a newer one made.
    host.run([*nft.argv, "delete", "table", "inet", "palisade"])
    return read_ruleset(listed)
