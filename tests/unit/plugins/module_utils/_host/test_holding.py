# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the kernel holds: the same for the same text, and another for whatever a hand can change."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host import holding as holding_module
from ansible_collections.palisade.nftables.plugins.module_utils._host.holding import read_holding
from ansible_collections.palisade.nftables.plugins.module_utils._host.netlink import NetlinkError
from ansible_collections.palisade.nftables.plugins.module_utils._nft.held import HeldBlock
from ansible_collections.palisade.nftables.plugins.module_utils._nft.parts import keys_of
from ansible_collections.palisade.nftables.plugins.module_utils._nft.text import Key, render_load
from tests.lookup_tables import Shape, lookup_table
from tests.nft_versions import NftVersion, nft_parameters

if t.TYPE_CHECKING:
    import pathlib

    from ansible_collections.palisade.nftables.plugins.module_utils._compile.table import Table
    from ansible_collections.palisade.nftables.plugins.module_utils._nft.held import HeldTable
    from lab.namespaces import Host

#: The rules of the chain "other".
RULES = (
    'tcp dport { 22, 80 } ip saddr { 192.0.2.9, 192.0.2.99 } accept comment "ssh[0]"',
    'limit rate 3/minute log prefix "no: "',
    'counter name "hits" reject with tcp reset',
)

#: Something of every kind that a rule or a set can hold.
TABLE = """\
table inet palisade {
	counter hits {
	}

	set exact {
		type ipv4_addr
		elements = { 192.0.2.1, 192.0.2.2, 192.0.2.3, 192.0.2.4, 192.0.2.5, 192.0.2.6, 192.0.2.7, 192.0.2.8 }
	}

	set ranges {
		type ipv4_addr
		flags interval
		elements = { 192.0.2.0/28, 198.51.100.7-198.51.100.9, 203.0.113.1 }
	}

	map verdicts {
		type ipv4_addr . inet_service : verdict
		flags interval
		elements = { 192.0.2.0/24 . 22 comment "web[0]" : goto other, 198.51.100.1-198.51.100.7 . 80-90 : drop }
	}

	chain managed_by_palisade {
	}

	chain other {
		%s
	}

	chain input {
		type filter hook input priority filter; policy accept;
		ct state { new, related } iifname { "lo", "eth0" } jump other
		ip saddr @exact accept
		ip saddr @ranges accept
		ip saddr . tcp dport vmap @verdicts
	}
}
""" % "\n\t\t".join(RULES)


def read(network: Host) -> HeldTable:
    held = network.call(read_holding).table
    assert held is not None
    return held


@pytest.mark.parametrize("nft", nft_parameters())
def test_the_same_text_is_the_same_whatever_was_there_before(network: Host, nft: NftVersion) -> None:
    network.run([*nft.argv, "-f", "-"], input=TABLE)
    first = read(network)
    # Other handles, other numbers of the anonymous sets, other seeds of the hash tables.
    extra = "".join("insert rule inet palisade other tcp dport { %d, 9 } drop\n" % port for port in range(100, 220))
    network.run([*nft.argv, "-f", "-"], input=extra)
    assert read(network) != first
    network.run([*nft.argv, "-f", "-"], input=refill(*RULES)[0] + "\n")
    assert read(network) == first
    network.run([*nft.argv, "delete", "table", "inet", "palisade"])
    network.run([*nft.argv, "-f", "-"], input=TABLE)
    assert read(network) == first


def test_counting_makes_no_difference(network: Host) -> None:
    network.nft(TABLE)
    first = read(network)
    network.nft("delete table inet palisade\n")
    network.nft(TABLE.replace("counter hits {\n", "counter hits {\n\t\tpackets 5 bytes 300\n"))
    assert "packets 5" in network.run(["nft", "list", "counters"]).stdout
    assert read(network) == first


def refill(*rules: str) -> t.Tuple[str, Key]:
    """Other rules in the chain "other"."""
    commands = ["add rule inet palisade other %s" % rule for rule in rules]
    return "\n".join(["flush chain inet palisade other", *commands]), ("chain", "other")


def exchange(element: str) -> t.Tuple[str, Key]:
    """Another element in place of the map's first."""
    deletion = "delete element inet palisade verdicts { 192.0.2.0/24 . 22 }"
    return "%s\nadd element inet palisade verdicts { %s }" % (deletion, element), ("map", "verdicts")


#: What a hand can do, and the block that is another then.
EDITS: t.Mapping[str, t.Tuple[str, Key]] = {
    "element added": ("add element inet palisade exact { 192.0.2.77 }", ("set", "exact")),
    "element removed": ("delete element inet palisade exact { 192.0.2.3 }", ("set", "exact")),
    "range added": ("add element inet palisade ranges { 203.0.113.5-203.0.113.6 }", ("set", "ranges")),
    "range removed": ("delete element inet palisade ranges { 203.0.113.1 }", ("set", "ranges")),
    "map emptied": ("flush map inet palisade verdicts", ("map", "verdicts")),
    "verdict changed": exchange('192.0.2.0/24 . 22 comment "web[0]" : jump other'),
    "verdict led elsewhere": exchange('192.0.2.0/24 . 22 comment "web[0]" : goto managed_by_palisade'),
    "comment of an element": exchange('192.0.2.0/24 . 22 comment "web[1]" : goto other'),
    "key widened": exchange('192.0.2.0/24 . 22-23 comment "web[0]" : goto other'),
    "timeout": ("add element inet palisade timed { 192.0.2.1 timeout 1h }", ("set", "timed")),
    "rule inserted": ("insert rule inet palisade input accept", ("chain", "input")),
    "rule added": ("add rule inet palisade managed_by_palisade accept", ("chain", "managed_by_palisade")),
    "policy turned": ("chain inet palisade input { policy drop; }", ("chain", "input")),
    "order": refill(RULES[1], RULES[0], RULES[2]),
    "member of an anonymous set": refill(RULES[0].replace("80", "81"), *RULES[1:]),
    "comment of a rule": refill(RULES[0].replace("ssh[0]", "ssh[1]"), *RULES[1:]),
    "rate": refill(RULES[0], RULES[1].replace("3", "4"), RULES[2]),
    "verdict of a rule": refill(*RULES[:2], 'counter name "hits" drop'),
}


@pytest.mark.parametrize("edit", EDITS)
def test_what_a_hand_does_shows_in_its_block_alone(network: Host, edit: str) -> None:
    commands, key = EDITS[edit]
    network.nft(TABLE)
    network.nft("add set inet palisade timed { type ipv4_addr; flags timeout; elements = { 192.0.2.7 }; }\n")
    before = read(network).blocks
    network.nft(commands + "\n")
    after = read(network).blocks
    assert before.keys() == after.keys()
    assert {one for one in before if before[one].digest != after[one].digest} == {key}


@pytest.mark.parametrize("nft", nft_parameters())
def test_things_are_named_and_counted(network: Host, table: Table, nft: NftVersion) -> None:
    for one in (table, lookup_table(), lookup_table(Shape(family=6))):
        network.run([*nft.argv, "-f", "-"], input=render_load(one))
        held = read(network)
        assert held.blocks.keys() == keys_of(one)
        assert held.oddity == ""
        sizes = {key: block.size for key, block in held.blocks.items() if key[0] != "counter"}
        assert sizes == {
            **{("chain", chain.name): len(chain.rules) for chain in one.chains},
            **{("set", named.name): len(named.members.intervals) for named in one.sets},
            **{("map", named.name): len(named.elements) for named in one.maps},
        }
        assert {held.blocks["counter", name] for name in one.counters} == {HeldBlock()}


def test_declarations_are_told(network: Host) -> None:
    network.nft(TABLE)
    blocks = read(network).blocks
    assert blocks["chain", "input"].declaration == "type filter hook input priority 0"
    assert blocks["chain", "other"].declaration == ""
    network.nft("add table inet palisade { flags dormant; }\n")
    assert read(network).oddity == "flags dormant"
    network.nft('add chain inet palisade x { type route hook output priority -7; comment "x"; }\n')
    assert read(network).blocks["chain", "x"].declaration == "type route hook output priority -7 comment"


def test_objects_of_other_kinds_have_their_kinds(network: Host) -> None:
    network.nft(TABLE)
    network.nft(
        "add quota inet palisade q { over 10 mbytes; }\nadd limit inet palisade l { rate 1/second; }\n"
        'add ct helper inet palisade h { type "sip" protocol udp; }\n'
        'add counter inet palisade c { comment "x"; }\n'
    )
    blocks = read(network).blocks
    assert {("quota", "q"), ("limit", "l"), ("ct helper", "h")} <= blocks.keys()
    assert blocks["counter", "c"].digest


def test_other_tables_are_named_and_nothing_else(network: Host) -> None:
    assert network.call(read_holding).table is None
    network.nft("table ip palisade {\n}\ntable netdev n {\n}\ntable inet o {\n set s {\n type mark\n }\n}\n")
    holding = network.call(read_holding)
    assert holding.table is None
    assert holding.others == (("inet", "o"), ("ip", "palisade"), ("netdev", "n"))


def test_every_change_of_the_ruleset_is_one_generation(network: Host) -> None:
    first = network.call(read_holding).generation
    network.nft(TABLE)
    network.nft("add table ip other\n")
    network.run(["nft", "-c", "-f", "-"], input="add table ip checked\n")
    network.run(["nft", "-f", "-"], input="add table ip x\ndelete table ip nowhere\n", check=False)
    assert network.call(read_holding).generation == first + 2


def test_what_is_read_is_of_one_instant(network: Host) -> None:
    """While every transaction exchanges two chains and a set, no mixture of them is ever read."""
    shapes = [lookup_table(Shape(rules=200)), lookup_table(Shape(rules=200, narrowed=frozenset(range(200))))]
    texts = [render_load(table) for table in shapes]
    wanted = []
    for text in texts:
        network.nft(text)
        wanted.append(read(network))
    stop = threading.Event()

    def reload() -> None:
        for number in range(40):
            network.nft(texts[number % 2])
        stop.set()

    thread = threading.Thread(target=reload)
    thread.start()
    seen = 0
    while not stop.is_set():
        assert read(network) in wanted
        seen += 1
    thread.join()
    assert seen > 0


def test_a_ruleset_that_never_rests_is_said(network: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    read_all = holding_module._read

    def read_and_meddle(*arguments: t.Any) -> t.Any:
        found = read_all(*arguments)
        network.nft("add table ip other\ndelete table ip other\n")
        return found

    monkeypatch.setattr(holding_module, "_read", read_and_meddle)
    with pytest.raises(NetlinkError, match="never seen at rest"):
        network.call(read_holding)


_UNPRIVILEGED = """
import os, sys
sys.path.insert(0, {path!r})
from ansible_collections.palisade.nftables.plugins.module_utils._host.holding import read_holding
from ansible_collections.palisade.nftables.plugins.module_utils._host.nft import NftNotPermittedError
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
try:
    read_holding()
except NftNotPermittedError as exc:
    print(exc)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="the process has no rights to drop")
def test_missing_rights_are_told(network: Host, collections_path: pathlib.Path) -> None:
    script = _UNPRIVILEGED.format(path=str(collections_path))
    done = network.call(
        lambda: subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    )
    assert done.stderr == ""
    assert done.stdout.startswith("the kernel does not let this process use nftables (Operation not permitted)")
