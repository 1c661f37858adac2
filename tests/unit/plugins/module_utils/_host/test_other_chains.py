# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which other tables refuse a packet, read from what the real nft lists."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._core.addresses import parse_address
from ansible_collections.palisade.nftables.plugins.module_utils._host.other_chains import OtherTables, find_refusing
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Direction
from ansible_collections.palisade.nftables.plugins.module_utils._policy.packet import Packet

if t.TYPE_CHECKING:
    from lab.namespaces import Host

TABLES = """
table inet later {
  set abusers { type ipv4_addr; elements = { 203.0.113.9 } }
  chain refuse { tcp dport 8001 reject; }
  chain input {
    type filter hook input priority 10;
    ip saddr @abusers drop
    jump refuse
  }
  chain harmless { type filter hook input priority 20; tcp dport 1 counter; }
}
table ip sooner {
  chain prerouting {
    type filter hook prerouting priority -300;
    tcp dport 8002 drop
  }
}
table inet odd {
  chain input {
    type filter hook input priority -5;
    meta mark 7 drop
  }
}
table inet closed {
  chain output {
    type filter hook output priority 5; policy drop;
    tcp dport 443 accept
  }
}
table bridge elsewhere {
  chain forward { type filter hook forward priority 0; policy drop; }
}
"""


@pytest.fixture(name="items")
def fixture_items(network: Host) -> t.List[t.Any]:
    network.nft(TABLES)
    listed = json.loads(network.run(["nft", "-j", "list", "ruleset"]).stdout)["nftables"]
    return t.cast("t.List[t.Any]", listed)


def packet(port: int, source: str = "203.0.113.7", direction: Direction = Direction.INGRESS) -> Packet:
    family, address = parse_address(source)
    own = parse_address({4: "192.0.2.1", 6: "2001:db8::1"}[family])[1]
    return Packet(direction, family, 6, address, own, source_port=40000, destination_port=port)


def refusing(items: t.Iterable[object], asked: Packet) -> t.Dict[str, t.Tuple[bool, str]]:
    """By the name of the table, whether the packet meets it before ours, and what it does."""
    return {chain.table: (chain.comes_before, verdict) for chain, verdict in OtherTables(items).refusing(asked)}


def test_what_refuses_anything(items: t.List[t.Any]) -> None:
    assert [str(chain) for chain in find_refusing(items)] == [
        "chain output of table inet closed (output, priority 5)",
        "chain input of table inet later (input, priority 10)",
        "chain input of table inet odd (input, priority -5)",
        "chain prerouting of table ip sooner (prerouting, priority -300)",
    ]


def test_what_refuses_a_packet(items: t.List[t.Any]) -> None:
    odd = {"odd": (True, "unknown")}
    assert refusing(items, packet(80)) == odd
    assert refusing(items, packet(8001)) == {**odd, "later": (False, "reject")}
    assert refusing(items, packet(80, "203.0.113.9")) == {**odd, "later": (False, "drop")}
    assert refusing(items, packet(8002)) == {**odd, "sooner": (True, "drop")}
    # A table of IPv4 does not see it.
    assert refusing(items, packet(8002, "2001:db8::7")) == odd
    assert refusing(items, packet(443, direction=Direction.EGRESS)) == {}
    assert refusing(items, packet(80, direction=Direction.EGRESS)) == {"closed": (False, "drop")}


def test_what_is_no_listing() -> None:
    odd = [None, 3, {"chain": None}, {"chain": {"family": "inet"}}, {"rule": {"expr": {"drop": None}}}]
    assert list(OtherTables(odd).refusing(packet(80))) == []
