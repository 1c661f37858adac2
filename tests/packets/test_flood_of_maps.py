# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No gap in tables of verdict maps and constant chains: a flood runs across live changes of them.

The packets of the streams go through the maps and chains that are exchanged below them, and none of them
is lost or let through.
"""

from __future__ import annotations

import ipaddress
import itertools
import re
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host.kernel import WantedTable, compare, outcome
from ansible_collections.palisade.nftables.plugins.module_utils._host.nft import Nft
from ansible_collections.palisade.nftables.plugins.module_utils._nft.changes import live_change
from lab.flood import Flood, Stream
from lab.namespaces import Host, Lab
from lab.packets import TCP, LabPacket
from lab.reexec import LabUnavailableError, ensure_privileges, in_user_namespace
from tests.lookup_tables import FIRST_SOURCE, SOURCES, Shape, lookup_table
from tests.nft_versions import NftVersion, nft_versions

pytestmark = pytest.mark.alone

_CHANGES = 24

#: Without root the kernel takes no transaction that is larger than a socket's buffer.
_RULES = 100 if in_user_namespace() else 2000

#: The rules that the streams meet; these are never made to drop.
_MET = range(64)

_OWN = {4: "192.0.2.10", 6: "2001:db8:ffff::10"}


def _stream(family: int, *, allowed: bool) -> Stream:
    def packet(number: int) -> LabPacket:
        return LabPacket(
            direction="ingress",
            interface="eth0",
            family=family,
            protocol=TCP,
            # Not the first source of the rule, which some tables leave out.
            source=FIRST_SOURCE[family] + number * SOURCES + 5,
            destination=int(ipaddress.ip_address(_OWN[family])),
            source_port=40000 + number,
            # Rule N lets ports from 1000 + N to at most 2 more in.
            destination_port=1000 + number if allowed else 999,
            tcp_flags=frozenset({"syn"}),
        )

    return Stream([packet(number) for number in _MET], allowed)


def _versions() -> t.List[t.Any]:
    """Those that are not newer than this machine's own, with which the flood reads its counters.

    nft 1.0.6 crashes on what 1.1.3 made.
    """
    found = nft_versions()
    # The others were unpacked in a folder that begins with a dot.
    own = next((index for index, nft in enumerate(found) if "/.cache/" not in nft.argv[0]), len(found))
    return [pytest.param(nft, id=nft.version) for nft in found[: own + 1]]


@pytest.fixture(params=[4, 6], ids=["IPv4", "IPv6"])
def family(request: pytest.FixtureRequest) -> int:
    return t.cast("int", request.param)


@pytest.fixture
def hosts(family: int) -> t.Iterator[t.Tuple[Host, Host]]:
    """The host under test and the wire that its packets come from."""
    try:
        ensure_privileges()
    except LabUnavailableError as exc:
        pytest.skip(str(exc))
    with Lab() as lab:
        host, wire = lab.hosts_named(["host", "wire"], {})
        lab.connect(host, wire, addresses=(["%s/%d" % (_OWN[family], 24 if family == 4 else 64)], []))
        host.ip("route add default dev eth0", family="-%d" % family)
        host.sysctl("net/ipv4/conf/all/rp_filter", 0)
        host.sysctl("net/ipv4/conf/eth0/rp_filter", 0)
        yield host, wire


class Changes:
    """Brings the host to one table after another, as a run does."""

    def __init__(self, host: Host, nft: NftVersion, shape: Shape) -> None:
        self._host = host
        self._nft = Nft(nft.argv)
        self._record: t.Optional[str] = None
        self.shape = shape

    def apply(self) -> int:
        """How many transactions it took."""
        return self._host.call(self._apply)

    def _apply(self) -> int:
        table = lookup_table(self.shape)
        wanted = WantedTable(table)
        comparison = compare(self._nft, wanted, self._record)
        change = live_change(table, comparison.held, comparison.differing)
        assert not change.replaces
        for transaction in change.transactions:
            self._nft.load(transaction.text)
        as_wanted, self._record, _held = outcome(self._nft, wanted, comparison, len(change.transactions))
        assert as_wanted
        return len(change.transactions)

    def edit_by_hand(self) -> None:
        """Somebody adds to a chain and to maps, what the streams do not meet."""
        table = lookup_table(self.shape)
        leaf = next(chain.name for chain in table.chains if chain.name.startswith("rule_1_"))
        stray = "192.0.2.1" if self.shape.family == 4 else "2001:db8:fffe::1"
        self._host.run(
            [*self._nft_argv, "-f", "-"],
            input="add rule inet palisade %s counter drop\n"
            "add element inet palisade by_protocol { udp : drop }\n"
            "add element inet palisade %s { %s : drop }\n" % (leaf, self.top, stray),
        )

    @property
    def top(self) -> str:
        """The map that every packet of the streams is looked up in."""
        return next(named.name for named in lookup_table(self.shape).maps if re.match("by_source_", named.name))

    @property
    def _nft_argv(self) -> t.List[str]:
        return list(self._nft._arguments)


def _shapes(family: int) -> t.List[Shape]:
    first = Shape(rules=_RULES, part=50, family=family)
    return [
        first,
        first._replace(narrowed=frozenset({7})),
        first._replace(narrowed=frozenset(range(0, _RULES, 3))),
        first._replace(part=20),
        first._replace(drops=frozenset(range(70, _RULES, 2))),
        first._replace(rules=70),
        first._replace(rules=_RULES + 9, narrowed=frozenset(_MET)),
        first._replace(narrowed=frozenset(_MET), drops=frozenset({65})),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("nft", _versions())
def test_no_packet_notices_a_change_of_maps(hosts: t.Tuple[Host, Host], family: int, nft: NftVersion) -> None:
    host, wire = hosts
    shapes = _shapes(family)
    changes = Changes(host, nft, shapes[0])
    changes.apply()
    streams = {"what is let in": _stream(family, allowed=True), "what is refused": _stream(family, allowed=False)}
    made = 0
    with Flood(host, streams, wire) as flood:
        for number, shape in enumerate(itertools.cycle(shapes[1:] + shapes[:1])):
            if number % 5 == 4:
                changes.edit_by_hand()
                # By copies under other names, there and back.
                assert changes.apply() == 6
            changes.shape = shape
            assert changes.apply() == 3
            made += 1
            if made >= _CHANGES:
                break
        counts = flood.stop()
    shown = "\n".join("%s: %s" % (name, count) for name, count in counts.items())
    print("%d live changes\n%s" % (made, shown))
    assert {name: (count.lost, count.leaked) for name, count in counts.items()} == dict.fromkeys(counts, (0, 0)), shown
    assert all(count.seen > 1000 for count in counts.values()), shown


def test_the_flood_sees_a_gap_in_maps(hosts: t.Tuple[Host, Host], family: int) -> None:
    """The measuring instrument: for an instant a map lets everything in, then for an instant one is empty."""
    host, wire = hosts
    changes = Changes(host, NftVersion("own", ["nft"]), _shapes(family)[0])
    changes.apply()
    streams = {"what is let in": _stream(family, allowed=True), "what is refused": _stream(family, allowed=False)}
    with Flood(host, streams, wire) as flood:
        host.nft("add element inet palisade by_protocol { tcp : accept }")
        flood.await_more()
        changes.apply()
        host.nft("flush map inet palisade %s" % changes.top)
        flood.await_more()
        changes.apply()
        counts = flood.stop()
    assert all(count.lost if streams[name].allowed else count.leaked for name, count in counts.items()), counts
