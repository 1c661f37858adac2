# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""nft text of verdict maps and of lookups in them: their atoms, and that every nft takes each of them."""

from __future__ import annotations

import re
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._compile.table import (
    Count,
    Field,
    Lookup,
    MapElement,
    Match,
    NamedMap,
    NamedSet,
    SetReference,
    SetType,
    Table,
    TableChain,
    TableRule,
    Verdict,
    VerdictKind,
)
from ansible_collections.palisade.nftables.plugins.module_utils._core.intervals import Interval, IntervalSet
from ansible_collections.palisade.nftables.plugins.module_utils._host.holding import read_holding
from ansible_collections.palisade.nftables.plugins.module_utils._nft.text import render_load, render_rule, render_table
from tests.lookup_tables import Shape, lookup_table
from tests.nft_batch import list_loaded
from tests.nft_versions import NftVersion, nft_parameters

if t.TYPE_CHECKING:
    import pathlib

    from lab.namespaces import Host

ACCEPT = Verdict(VerdictKind.ACCEPT)
FIVE4 = (Field.DESTINATION4, Field.SOURCE4, Field.PROTOCOL, Field.SOURCE_PORT, Field.DESTINATION_PORT)
FIVE6 = (Field.DESTINATION6, Field.SOURCE6, Field.PROTOCOL, Field.SOURCE_PORT, Field.DESTINATION_PORT)
LAST4, LAST6 = (1 << 32) - 1, (1 << 128) - 1
GOTO, JUMP, DROP = Verdict(VerdictKind.GOTO, "other"), Verdict(VerdictKind.JUMP, "other"), Verdict(VerdictKind.DROP)

#: Maps, each with the elements that its text has.
MAPS: t.List[t.Tuple[str, t.Tuple[Field, ...], t.List[t.Tuple[t.Tuple[Interval, ...], Verdict, str]]]] = [
    ("by_4", (Field.SOURCE4,), [(((5, 5),), GOTO, "0.0.0.5 : goto other"), (((7, 7),), DROP, "0.0.0.7 : drop")]),
    (
        "by_4_range",
        (Field.DESTINATION4,),
        [
            (((0, 255),), JUMP, "0.0.0.0/24 : jump other"),
            (((256, 300),), ACCEPT, "0.0.1.0-0.0.1.44 : accept"),
            (((301, LAST4),), DROP, "0.0.1.45-255.255.255.255 : drop"),
        ],
    ),
    ("by_4_whole", (Field.DESTINATION4,), [(((0, LAST4),), JUMP, "0.0.0.0/0 : jump other")]),
    ("by_6", (Field.SOURCE6,), [(((1, 1),), GOTO, "::1 : goto other")]),
    (
        "by_6_range",
        (Field.SOURCE6,),
        [
            (((0, (1 << 96) - 1),), GOTO, "::/32 : goto other"),
            (((1 << 97, LAST6),), DROP, "0:2::-ffff%s : drop" % (":ffff" * 7)),
        ],
    ),
    ("by_family", (Field.FAMILY,), [(((2, 2),), JUMP, "ipv4 : jump other"), (((10, 10),), GOTO, "ipv6 : goto other")]),
    (
        "by_protocol",
        (Field.PROTOCOL,),
        [
            (((6, 6),), GOTO, "tcp : goto other"),
            (((47, 47),), DROP, "47 : drop"),
            (((58, 58),), ACCEPT, "icmpv6 : accept"),
        ],
    ),
    ("by_protocol_range", (Field.PROTOCOL,), [(((0, 5),), GOTO, "0-5 : goto other"), (((6, 6),), DROP, "tcp : drop")]),
    (
        "by_port",
        (Field.DESTINATION_PORT,),
        [(((0, 0),), ACCEPT, "0 : accept"), (((65535, 65535),), DROP, "65535 : drop")],
    ),
    (
        "by_port_range",
        (Field.SOURCE_PORT,),
        [(((0, 79),), GOTO, "0-79 : goto other"), (((80, 65535),), DROP, "80-65535 : drop")],
    ),
    (
        "by_icmp",
        (Field.ICMP_TYPE,),
        [(((8, 8),), ACCEPT, "echo-request : accept"), (((77, 77),), GOTO, "77 : goto other")],
    ),
    ("by_icmpv6", (Field.ICMPV6_TYPE,), [(((2, 2),), ACCEPT, "packet-too-big : accept")]),
    (
        "by_4_and_port",
        (Field.SOURCE4, Field.DESTINATION_PORT),
        [(((5, 5), (22, 22)), GOTO, "0.0.0.5 . 22 : goto other")],
    ),
    (
        "by_4_and_icmp",
        (Field.SOURCE4, Field.ICMP_TYPE),
        [
            (((0, LAST4), (7, 8)), GOTO, "0.0.0.0/0 . 7-8 : goto other"),
            (((0, 3), (9, 9)), DROP, "0.0.0.0/30 . router-advertisement : drop"),
        ],
    ),
    (
        "by_family_and_port",
        (Field.FAMILY, Field.PROTOCOL, Field.DESTINATION_PORT),
        [
            (((2, 2), (0, 255), (53, 53)), GOTO, "ipv4 . 0-255 . 53 : goto other"),
            (((10, 10), (6, 6), (0, 65535)), DROP, "ipv6 . tcp . 0-65535 : drop"),
        ],
    ),
    (
        "by_five_4",
        FIVE4,
        [
            (
                ((0, 255), (0, LAST4), (6, 6), (0, 65535), (80, 90)),
                GOTO,
                "0.0.0.0/24 . 0.0.0.0/0 . tcp . 0-65535 . 80-90 : goto other",
            ),
            (
                ((256, 300), (1, LAST4), (0, 255), (5, 5), (0, 65535)),
                JUMP,
                "0.0.1.0-0.0.1.44 . 0.0.0.1-255.255.255.255 . 0-255 . 5 . 0-65535 : jump other",
            ),
        ],
    ),
    (
        "by_five_6",
        FIVE6,
        [
            (
                ((0, (1 << 64) - 1), (1, 5), (17, 17), (0, 65535), (53, 53)),
                GOTO,
                "::/64 . ::1-::5 . udp . 0-65535 . 53 : goto other",
            ),
        ],
    ),
]


def named_map(name: str, fields: t.Tuple[Field, ...], elements: t.Iterable[t.Tuple[t.Any, Verdict, str]]) -> NamedMap:
    return NamedMap(name, fields, tuple(MapElement(key, verdict) for key, verdict, _text in elements))


def protocols(*values: int) -> Match:
    return Match(Field.PROTOCOL, IntervalSet((value, value) for value in values))


LOOKUPS: t.List[t.Tuple[t.Tuple[Match, ...], Lookup, str]] = [
    ((), Lookup((Field.DESTINATION4,), "by_4"), "ip daddr vmap @by_4"),
    ((), Lookup((Field.SOURCE6,), "by_6"), "ip6 saddr vmap @by_6"),
    ((), Lookup((Field.SOURCE4,), "by_4", 12), "ip saddr & 255.240.0.0 vmap @by_4"),
    ((), Lookup((Field.DESTINATION6,), "by_6", 48), "ip6 daddr & ffff:ffff:ffff:: vmap @by_6"),
    ((), Lookup((Field.FAMILY,), "by_family"), "meta nfproto vmap @by_family"),
    ((), Lookup((Field.PROTOCOL,), "by_protocol"), "meta l4proto vmap @by_protocol"),
    ((), Lookup((Field.ICMP_TYPE,), "by_icmp"), "icmp type vmap @by_icmp"),
    ((protocols(6),), Lookup((Field.DESTINATION_PORT,), "by_port"), "tcp dport vmap @by_port"),
    (
        (protocols(6, 17),),
        Lookup((Field.SOURCE_PORT,), "by_port"),
        "meta l4proto { tcp, udp } th sport vmap @by_port",
    ),
    ((protocols(58),), Lookup((Field.ICMPV6_TYPE,), "by_icmpv6"), "icmpv6 type vmap @by_icmpv6"),
    (
        (protocols(47),),
        Lookup((Field.SOURCE4,), "by_4"),
        "meta l4proto 47 ip saddr vmap @by_4",
    ),
    (
        (protocols(17), Match(Field.DESTINATION4, SetReference("ip_x"))),
        Lookup((Field.SOURCE4, Field.DESTINATION_PORT), "by_4_and_port"),
        "ip daddr @ip_x ip saddr . udp dport vmap @by_4_and_port",
    ),
    (
        (),
        Lookup((Field.FAMILY, Field.PROTOCOL, Field.DESTINATION_PORT), "by_family_and_port"),
        "meta nfproto . meta l4proto . th dport vmap @by_family_and_port",
    ),
    ((), Lookup(FIVE4, "by_five_4"), "ip daddr . ip saddr . meta l4proto . th sport . th dport vmap @by_five_4"),
    ((), Lookup(FIVE6, "by_five_6"), "ip6 daddr . ip6 saddr . meta l4proto . th sport . th dport vmap @by_five_6"),
]


@pytest.mark.parametrize(("matches", "lookup", "text"), LOOKUPS, ids=[one[2] for one in LOOKUPS])
def test_a_lookup(matches: t.Tuple[Match, ...], lookup: Lookup, text: str) -> None:
    assert render_rule(TableRule(matches, (lookup,))) == text
    rule = TableRule(matches, (Count("x"), lookup), comment="a[0]")
    assert (
        render_rule(rule)
        == text.replace(lookup_words(text), 'counter name "x" ' + lookup_words(text)) + ' comment "a[0]"'
    )


def lookup_words(text: str) -> str:
    """The lookup without the matches before it."""
    found = re.search(r"(?:\S+ \S+ \. )*\S+ \S+(?: & \S+)? vmap \S+$", text)
    assert found is not None
    return found.group(0)


@pytest.mark.parametrize("nft", nft_parameters())
def test_every_nft_takes_every_map_and_lookup(nft: NftVersion, tmp_path: pathlib.Path) -> None:
    table = Table(
        counters=("x",),
        sets=(NamedSet("ip_x", SetType.IPV4, IntervalSet(((1, 5),)), "office"),),
        chains=(
            TableChain("other"),
            TableChain("every", tuple(TableRule(one[0], (Count("x"), one[1]), comment="x") for one in LOOKUPS)),
            TableChain("input", hook="input"),
        ),
        maps=tuple(named_map(*one) for one in MAPS),
    )
    listed = list_loaded(nft, {"maps": render_load(table)}, tmp_path / "written", times=2)
    assert list_loaded(nft, listed, tmp_path / "listed") == listed
    assert listed["maps"].count(" vmap @") == len(LOOKUPS)
    assert all("map %s {" % name in listed["maps"] for name, _fields, _elements in MAPS)


@pytest.mark.parametrize("one", MAPS, ids=[one[0] for one in MAPS])
def test_a_map(one: t.Any) -> None:
    name, _fields, elements = one
    text = render_table(Table((), (), (), (named_map(*one),)))
    assert text.startswith("table inet palisade {\n\tmap %s {\n\t\ttype " % name)
    assert text.endswith("\t\telements = {\n\t\t\t%s\n\t\t}\n\t}\n}\n" % ",\n\t\t\t".join(one[2] for one in elements))
    assert ("\t\tflags interval\n" in text) == any(low != high for key, _, _ in elements for low, high in key)


@pytest.mark.parametrize("nft", nft_parameters())
@pytest.mark.parametrize("family", [4, 6])
def test_every_nft_takes_maps_and_chains_that_lead_to_each_other(
    nft: NftVersion, family: int, tmp_path: pathlib.Path
) -> None:
    table = lookup_table(Shape(rules=300, part=20, family=family))
    listed = list_loaded(nft, {"maps": render_load(table)}, tmp_path / "written", times=2)
    assert len(re.findall(r'comment "web\[[0-9]+\]"', listed["maps"])) == 600
    if (nft.version, family) != ("0.9.8", 6):
        assert list_loaded(nft, listed, tmp_path / "listed") == listed


@pytest.mark.parametrize("nft", nft_parameters())
def test_the_kernel_holds_ipv6_prefixes_that_nft_lists_otherwise(network: Host, nft: NftVersion) -> None:
    """In a key of several fields nft 0.9.8 lists each prefix shorter than /64 as /64; it loads them right."""
    fields = (Field.SOURCE6, Field.PROTOCOL)
    map_of = [
        NamedMap("m", fields, (MapElement(((0, (1 << (128 - length)) - 1), (6, 6)), ACCEPT),))
        for length in (0, 32, 63, 64)
    ]
    held = set()
    for one in map_of:
        text = render_load(Table((), (), (), (one,)))
        network.run([*nft.argv, "-f", "-"], input=text)
        found = network.call(read_holding).table
        assert found is not None
        held.add(found.blocks["map", "m"].digest)
    assert len(held) == len(map_of)
