# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The namespace in which text is tried out."""

from __future__ import annotations

import os
import pathlib
import sys
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host import scratch as scratch_module
from ansible_collections.palisade.nftables.plugins.module_utils._host.nft import Nft, NftRefusedError
from ansible_collections.palisade.nftables.plugins.module_utils._host.scratch import NoNamespaceError, try_out

if t.TYPE_CHECKING:
    from lab.namespaces import Host

_NAMESPACE = "/proc/thread-self/ns/net"


def test_it_is_another_and_holds_the_text_and_nothing_else(network: Host) -> None:
    network.nft("table inet here {\n}\n")
    nft = Nft(["nft"])
    there = network.call(
        lambda: try_out(nft, "add table inet palisade\n", lambda: (os.readlink(_NAMESPACE), nft.list_table()))
    )
    assert there[0] not in (os.readlink(_NAMESPACE), network.call(os.readlink, _NAMESPACE))
    assert there[1] == "table inet palisade {\n}\n"
    assert network.run(["nft", "list", "tables"]).stdout == "table inet here\n"


def test_what_nft_refuses_is_told(network: Host) -> None:
    with pytest.raises(NftRefusedError, match="syntax error"):
        network.call(lambda: try_out(Nft(["nft"]), "nonsense\n", lambda: None))


def test_a_thread_that_stays_where_it_is_loads_nothing(network: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch_module, "_unshare_network", lambda: None)
    with pytest.raises(NoNamespaceError, match="the kernel made none"):
        network.call(lambda: try_out(Nft(["nft"]), "add table inet palisade\n", lambda: None))
    assert network.run(["nft", "list", "tables"]).stdout == ""


_IN_A_FULL_NAMESPACE = """
import sys
sys.path.insert(0, {path!r})
from ansible_collections.palisade.nftables.plugins.module_utils._host import scratch
with open("/proc/sys/user/max_net_namespaces", "w") as limit:
    limit.write("0")
try:
    scratch._enter_new_network()
except scratch.NoNamespaceError as exc:
    print(exc)
"""


def test_the_kernel_itself_is_asked(network: Host, collections_path: pathlib.Path) -> None:
    """In a user namespace that may make no further network namespace."""
    script = _IN_A_FULL_NAMESPACE.format(path=str(collections_path))
    done = network.run(["unshare", "--user", "--map-root-user", "--net", sys.executable, "-c", script], check=False)
    if "unshare failed" in done.stderr:
        pytest.skip("no user namespace can be made inside the lab: %s" % done.stderr.strip())
    assert done.stdout == "No space left on device\n", done.stderr
