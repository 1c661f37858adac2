# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host that is looked at: verdicts of both kinds, what counts a packet, and what else refuses it."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._compile.compile import compile_program
from ansible_collections.palisade.nftables.plugins.module_utils._host.observe import observe
from ansible_collections.palisade.nftables.plugins.module_utils._host.options import Host as HostPaths
from ansible_collections.palisade.nftables.plugins.module_utils._nft.text import render_load
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import build_program

if t.TYPE_CHECKING:
    import pathlib

    from lab.namespaces import Host

WEB: t.Dict[str, t.Any] = {
    "firewall_policies": {
        "web": {"rules": [{"direction": "ingress", "protocol": "tcp", "destination_ports": 80, "action": "accept"}]}
    },
    "firewall_assigned": ["web"],
}
LATER = "table inet later { chain output { type filter hook output priority 1; tcp sport 80 drop; }; }"
ASKED = ["tcp from 203.0.113.7 to 192.0.2.1 port 80", "tcp from 203.0.113.7 to 192.0.2.1 port 22"]


@pytest.fixture(name="root")
def fixture_root(tmp_path: pathlib.Path) -> HostPaths:
    (tmp_path / "root" / "etc").mkdir(parents=True)
    return HostPaths(root=str(tmp_path / "root"))


def look(network: Host, root: HostPaths) -> t.Dict[str, t.Any]:
    return network.call(lambda: observe(ASKED, WEB, host=root))


def test_the_wanted_ruleset(network: Host, root: HostPaths) -> None:
    firewall = parse_firewall(WEB)
    network.nft(render_load(compile_program(build_program(firewall), layout=firewall.layout)))
    network.nft(LATER)
    found = look(network, root)
    assert found["equal"] is True
    web, ssh = found["answers"]
    assert (web["wanted"], web["live"], web["counter"]) == ("accept", "accept", "policy/web/0")
    assert (ssh["wanted"], ssh["live"], ssh["counter"]) == ("drop", "drop", "ingress/default")
    assert {found["counters"][one["counter"]] for one in (web, ssh)} == {0}
    # What leaves as an answer is refused, and nothing else.
    chain = "chain output of table inet later (output, priority 1)"
    assert web["others"] == [{"chain": chain, "before": False, "verdict": "drop"}]
    assert ssh["others"] == []


def test_no_ruleset(network: Host, root: HostPaths) -> None:
    found = look(network, root)
    assert (found["equal"], found["counters"]) == (False, {})
    assert [(one["wanted"], one["live"], one["counter"]) for one in found["answers"]] == [
        ("accept", "accept", ""),
        ("drop", "accept", ""),
    ]
