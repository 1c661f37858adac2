# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A packet asked on a host: its own facts count, and a host that cannot tell says so."""

from __future__ import annotations

import shutil
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._core.errors import PolicyError
from ansible_collections.palisade.nftables.plugins.module_utils._host.errors import HostError
from ansible_collections.palisade.nftables.plugins.module_utils._host.explain import Question, explain_live
from ansible_collections.palisade.nftables.plugins.module_utils._host.options import Host as HostPaths

if t.TYPE_CHECKING:
    import pathlib

    from lab.namespaces import Host

DROP = {"firewall_default_egress": "drop"}
OURS = "table inet palisade { chain managed_by_palisade { }; chain output { type filter hook output priority 0; }; }"


def ask(network: Host, packet: str, paths: HostPaths) -> t.Dict[str, t.Any]:
    return network.call(lambda: explain_live(Question(packet, DROP), paths))


@pytest.fixture(name="root")
def fixture_root(tmp_path: pathlib.Path) -> HostPaths:
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc" / "resolv.conf").write_text("nameserver 192.0.2.53\n", encoding="utf-8")
    return HostPaths(root=str(root))


def test_what_the_safeguards_find_counts(network: Host, root: HostPaths) -> None:
    found = ask(network, "out udp to 192.0.2.53 port 53", root)
    assert (found["verdict"], found["stage"], found["origin"]) == ("accept", "safeguard", "dns")


def test_a_host_without_our_table(network: Host, root: HostPaths) -> None:
    found = ask(network, "out tcp to 192.0.2.1 port 80", root)
    assert (found["verdict"], found["live"]["verdict"], found["live"]["equal"]) == ("drop", "accept", False)
    assert found["warnings"] == ["the host has no ruleset of ours: the policies are not in force there"]
    assert found["text"].endswith(
        "live: accept, there is no table\n  the host has no ruleset of ours: the policies are not in force there"
    )


def test_a_table_of_our_name_that_is_not_ours(network: Host, root: HostPaths) -> None:
    network.run(["nft", "add", "table", "inet", "palisade"])
    with pytest.raises(HostError, match="Palisade did not make it"):
        ask(network, "out tcp to 192.0.2.1 port 80", root)


def test_an_nft_without_json(network: Host, root: HostPaths, tmp_path: pathlib.Path) -> None:
    network.run(["nft", "-f", "-"], input=OURS)
    real = shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin:/bin")
    (tmp_path / "nft").write_text(
        '#!/bin/sh\n[ "$1" = -j ] && { echo "Error: JSON support not compiled-in" >&2; exit 1; }\nexec %s "$@"\n'
        % real,
        encoding="utf-8",
    )
    (tmp_path / "nft").chmod(0o755)
    with pytest.raises(HostError, match="lists nothing as JSON"):
        ask(network, "out tcp to 192.0.2.1 port 80", root._replace(search_path=str(tmp_path)))


def test_a_packet_that_is_none(network: Host, root: HostPaths) -> None:
    with pytest.raises(PolicyError, match="tcp has ports"):
        ask(network, "tcp", root)
