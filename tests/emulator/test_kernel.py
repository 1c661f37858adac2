# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What compiled rulesets and live changes ask of the kernel: of this machine's, and by ``make emulate`` of others."""

from __future__ import annotations

import re
import typing as t

import pytest

from lab.flood import Flood
from lab.namespaces import Host, Lab, LabError
from lab.reexec import LabUnavailableError, ensure_privileges, in_user_namespace

from . import structures

pytestmark = pytest.mark.alone

#: A gap shows in a few changes of a hundred, as a packet or two.
_CHANGES = 40

#: Elements of each map in a live change: so many that the kernel is busy with them for a while.
_ELEMENTS = 40

#: As many maps as a policy of 10,000 rules makes; without root a transaction has to fit into a socket's buffer.
_MAPS = 2 if in_user_namespace() else 200
_ELEMENTS_OF_MANY = 50

#: NFT_JUMP_STACK_SIZE of the kernel's nf_tables.h.
_MOST_JUMPS = 16


@pytest.fixture
def hosts() -> t.Iterator[t.Tuple[Host, Host]]:
    """The host under test and the wire that its packets come from."""
    try:
        ensure_privileges()
    except LabUnavailableError as exc:
        pytest.skip(str(exc))
    with Lab() as lab:
        host, wire = lab.hosts_named(["host", "wire"], {})
        addresses = ["%s/%d" % (structures.OWN[family], length) for family, length in ((4, 24), (6, 64))]
        lab.connect(host, wire, addresses=(addresses, []))
        for family in (4, 6):
            host.ip("route add default dev eth0", family="-%d" % family)
        yield host, wire


def _delete_table(host: Host) -> None:
    host.nft("delete table inet palisade\n")


def _listing(host: Host) -> str:
    return host.run(["nft", "-nn", "list", "table", "inet", "palisade"]).stdout


def test_no_packet_notices_a_change_in_three_transactions(hosts: t.Tuple[Host, Host]) -> None:
    """Add what nothing leads to yet; switch the entry chain; delete what nothing leads to any more.

    Not in two: where old maps are deleted together with the switch, packets that are still in the old
    rules find them empty on Linux 6.1 and 6.12, a few in a hundred changes. Sets do not show that.
    """
    host, wire = hosts
    host.nft(structures.frame())
    host.nft(structures.constants(0, _ELEMENTS))
    host.nft(structures.switch(0))
    streams = structures.streams()
    chosen = {name: streams[name] for name in ("office, IPv4", "outsiders, IPv6")}
    with Flood(host, chosen, wire) as flood:
        for generation in range(1, 1 + _CHANGES):
            host.nft(structures.constants(generation, _ELEMENTS))
            host.nft(structures.switch(generation))
            flood.await_more()
            host.nft(structures.deletion(generation - 1))
        counts = flood.stop()
    shown = "\n".join("%s: %s" % one for one in counts.items())
    print("%d changes\n%s" % (_CHANGES, shown))
    assert {name: (count.lost, count.leaked) for name, count in counts.items()} == dict.fromkeys(counts, (0, 0)), shown


def test_a_generation_can_be_deleted_with_the_switch(hosts: t.Tuple[Host, Host]) -> None:
    """Not without a gap, but without an error: for a host that is not in use yet."""
    host, _wire = hosts
    host.nft(structures.frame())
    host.nft(structures.constants(0, _ELEMENTS))
    host.nft(structures.switch(0))
    host.nft(structures.constants(1, _ELEMENTS))
    host.nft(structures.switch(1) + structures.deletion(0))
    listing = _listing(host)
    assert "office_services_4_1" in listing
    assert "_4_0" not in listing


def test_maps_of_ranges_come_back_as_they_were(hosts: t.Tuple[Host, Host]) -> None:
    """Many maps, load, list, load the listing, list: the same, and every element once."""
    host, _wire = hosts
    host.nft(structures.many_maps(_MAPS, _ELEMENTS_OF_MANY))
    first = _listing(host)
    assert len(re.findall(r" : goto leaf_\d+", first)) == _MAPS * _ELEMENTS_OF_MANY
    _delete_table(host)
    host.nft(first)
    assert _listing(host) == first


def test_elements_that_overlap_nothing_are_all_found(hosts: t.Tuple[Host, Host]) -> None:
    """Each element of a map of concatenated ranges is found by its corners: with AVX2 and without."""
    host, _wire = hosts
    host.nft(structures.many_maps(1, _ELEMENTS_OF_MANY))
    everything = range(_ELEMENTS_OF_MANY)
    for corner in (0, 1):
        keys = ", ".join(structures.corners(0, number)[corner] for number in everything)
        found = host.run(["nft", "get", "element", "inet", "palisade", "map_0", "{ %s }" % keys]).stdout
        assert {int(number) for number in re.findall(r"goto leaf_(\d+)", found)} == set(everything)


def test_sixteen_chains_may_lead_to_each_other(hosts: t.Tuple[Host, Host]) -> None:
    """Fifteen jumps below the base chain, each by a map, and back: one more is refused."""
    host, wire = hosts
    host.nft(structures.nested(_MOST_JUMPS - 1))
    name = "office, IPv4"
    with Flood(host, {name: structures.streams()[name]}, wire) as flood:
        count = flood.stop()[name]
    assert count.seen > 0
    assert count.lost == 0
    _delete_table(host)
    with pytest.raises(LabError, match="Too many links"):
        host.nft(structures.nested(_MOST_JUMPS))
