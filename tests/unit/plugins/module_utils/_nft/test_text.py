# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""nft text: its atoms, what no text of an operator can do to it, and that every nft takes each of them."""

from __future__ import annotations

import dataclasses
import pathlib
import re
import subprocess
import typing as t

import pytest
from hypothesis import given

from ansible_collections.palisade.nftables.plugins.module_utils._compile.table import (
    Count,
    Field,
    Log,
    MapElement,
    Match,
    NamedMap,
    NamedSet,
    SetReference,
    SetType,
    Statement,
    Table,
    TableChain,
    TableRule,
    Value,
    Verdict,
    VerdictKind,
)
from ansible_collections.palisade.nftables.plugins.module_utils._core.intervals import IntervalSet
from ansible_collections.palisade.nftables.plugins.module_utils._nft.text import (
    chain_body,
    map_body,
    render_load,
    render_rule,
    render_table,
    safe_text,
)
from tests.nft_batch import in_namespace, list_loaded
from tests.nft_versions import NftVersion, nft_parameters
from tests.properties.strategies import deterministic, texts

if t.TYPE_CHECKING:
    pass

ACCEPT = Verdict(VerdictKind.ACCEPT)
TCP, UDP, ICMP, ICMPV6 = (IntervalSet.single(number) for number in (6, 17, 1, 58))
IPV4 = Match(Field.FAMILY, ("ipv4",))
IPV6 = Match(Field.FAMILY, ("ipv6",))


def numbers(*values: int) -> IntervalSet:
    return IntervalSet((value, value) for value in values)


RULES: t.List[t.Tuple[t.Tuple[Match, ...], Statement, str]] = [
    ((), ACCEPT, "accept"),
    ((), Verdict(VerdictKind.DROP), "drop"),
    ((), Verdict(VerdictKind.RESET), "reject with tcp reset"),
    ((), Verdict(VerdictKind.REJECT), "reject with icmpx type port-unreachable"),
    ((IPV4,), Verdict(VerdictKind.REJECT), "meta nfproto ipv4 reject with icmp type port-unreachable"),
    ((IPV6,), Verdict(VerdictKind.REJECT), "meta nfproto ipv6 reject with icmpv6 type port-unreachable"),
    (
        (Match(Field.DESTINATION6, numbers(1)),),
        Verdict(VerdictKind.REJECT),
        "ip6 daddr ::1 reject with icmpv6 type port-unreachable",
    ),
    (
        (Match(Field.SOURCE4, numbers(1)),),
        Verdict(VerdictKind.REJECT),
        "ip saddr 0.0.0.1 reject with icmp type port-unreachable",
    ),
    ((), Verdict(VerdictKind.GOTO, "other"), "goto other"),
    ((), Verdict(VerdictKind.JUMP, "other"), "jump other"),
    ((), Count("policy/web/0"), 'counter name "policy/web/0"'),
    ((), Log("drop: ", 3, "minute"), 'limit rate 3/minute log prefix "drop: "'),
    ((), Log("", 10, "second", 0), "limit rate 10/second log group 0"),
    ((Match(Field.INPUT_INTERFACE, ("eth*",)),), ACCEPT, 'iifname "eth*" accept'),
    ((Match(Field.OUTPUT_INTERFACE, ("lo",)),), ACCEPT, 'oifname "lo" accept'),
    ((IPV4,), ACCEPT, "meta nfproto ipv4 accept"),
    ((Match(Field.STATE, ("established",)),), ACCEPT, "ct state established accept"),
    ((Match(Field.STATE, ("established", "related")),), ACCEPT, "ct state established,related accept"),
    ((Match(Field.FLOW_DIRECTION, ("reply",)),), ACCEPT, "ct direction reply accept"),
    ((Match(Field.SOURCE4, IntervalSet(((0, 0xFFFFFFFF),))),), ACCEPT, "ip saddr 0.0.0.0/0 accept"),
    ((Match(Field.SOURCE4, numbers(1, 3)),), ACCEPT, "ip saddr { 0.0.0.1, 0.0.0.3 } accept"),
    ((Match(Field.DESTINATION4, SetReference("ip_x")),), ACCEPT, "ip daddr @ip_x accept"),
    ((Match(Field.SOURCE6, IntervalSet(((1, 5),))),), ACCEPT, "ip6 saddr ::1-::5 accept"),
    ((Match(Field.HOP_LIMIT, numbers(255)),), ACCEPT, "ip6 hoplimit 255 accept"),
    ((Match(Field.PROTOCOL, TCP),), ACCEPT, "meta l4proto tcp accept"),
    ((Match(Field.PROTOCOL, numbers(47)),), ACCEPT, "meta l4proto 47 accept"),
    ((Match(Field.PROTOCOL, IntervalSet(((46, 48),))),), ACCEPT, "meta l4proto { 46, 47, 48 } accept"),
    ((Match(Field.PROTOCOL, TCP), Match(Field.DESTINATION_PORT, numbers(22))), ACCEPT, "tcp dport 22 accept"),
    (
        (
            Match(Field.PROTOCOL, UDP),
            Match(Field.SOURCE_PORT, IntervalSet(((1, 5),))),
            Match(Field.DESTINATION_PORT, numbers(7, 9)),
        ),
        ACCEPT,
        "udp sport 1-5 udp dport { 7, 9 } accept",
    ),
    (
        (Match(Field.PROTOCOL, numbers(6, 17)), Match(Field.DESTINATION_PORT, SetReference("ports_x"))),
        ACCEPT,
        "meta l4proto { tcp, udp } th dport @ports_x accept",
    ),
    (
        (IPV4, Match(Field.PROTOCOL, ICMP), Match(Field.ICMP_TYPE, numbers(8))),
        ACCEPT,
        "meta nfproto ipv4 icmp type echo-request accept",
    ),
    (
        (IPV6, Match(Field.PROTOCOL, ICMPV6), Match(Field.ICMPV6_TYPE, numbers(2, 200))),
        ACCEPT,
        "meta nfproto ipv6 icmpv6 type { packet-too-big, 200 } accept",
    ),
    ((Match(Field.PROTOCOL, TCP), Match(Field.TCP_RESET, ("rst",))), ACCEPT, "tcp flags & rst == rst accept"),
]


@pytest.mark.parametrize(("matches", "statement", "text"), RULES, ids=[one[2] for one in RULES])
def test_a_rule(matches: t.Tuple[Match, ...], statement: Statement, text: str) -> None:
    assert render_rule(TableRule(matches, (statement,))) == text
    assert render_rule(TableRule(matches, (statement,), comment="a[0]")) == text + ' comment "a[0]"'


def chain_of_prefixes(rules: int, *, constant: bool) -> TableChain:
    """Rules about prefixes of 23, 24 and 25 bits, and of 24 bits in IPv6."""
    widths = [(Field.SOURCE4, 1 << 9), (Field.DESTINATION4, 1 << 8), (Field.SOURCE4, 1 << 7), (Field.SOURCE6, 1 << 104)]
    made = []
    for number in range(rules):
        field, width = widths[number % len(widths)]
        made.append(TableRule((Match(field, IntervalSet(((2 * width, 3 * width - 1),))),), (ACCEPT,), "x"))
    return TableChain("prefixes", tuple(made), constant=constant)


def test_a_long_constant_chain_has_masks_for_prefixes_of_24_bits() -> None:
    lines = [line.strip() for line in chain_body(chain_of_prefixes(5, constant=True))]
    assert lines == [
        'ip saddr 0.0.4.0/23 accept comment "x"',
        'ip daddr & 255.255.255.0 == 0.0.2.0 accept comment "x"',
        'ip saddr 0.0.1.0/25 accept comment "x"',
        'ip6 saddr 0:200::/24 accept comment "x"',
        'ip saddr 0.0.4.0/23 accept comment "x"',
    ]


@pytest.mark.parametrize(("rules", "constant"), [(4, True), (5, False)])
def test_a_short_chain_and_one_that_is_refilled_have_none(rules: int, constant: bool) -> None:
    """What is refilled is brought back from a listing, where masks are prefixes."""
    lines = chain_body(chain_of_prefixes(rules, constant=constant))
    assert '\t\tip daddr 0.0.2.0/24 accept comment "x"' in lines


@pytest.mark.parametrize("nft", nft_parameters())
def test_every_nft_lists_masks_as_prefixes_and_compares_four_octets(nft: NftVersion, tmp_path: pathlib.Path) -> None:
    table = dataclasses.replace(wide_table([]), chains=(chain_of_prefixes(5, constant=True),))
    listed = list_loaded(nft, {"masks": render_load(table)}, tmp_path)["masks"]
    assert "ip daddr 0.0.2.0/24 accept" in listed
    assert "&" not in listed
    shown = subprocess.run(
        in_namespace([*nft.argv, "--debug=netlink", "-f", "-"]),
        input=render_load(table),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    # The bytes that it loads of the packet: 4 of IPv4 addresses, 3 where nft has made its own of an IPv6 prefix.
    loads = re.findall("payload load ([0-9]+)b @ network header [+] ([0-9]+) ", shown.stdout + shown.stderr)
    assert loads == [("4", "12"), ("4", "16"), ("4", "12"), ("3", "8"), ("4", "12")]


def wide_table(matches: t.Iterable[t.Tuple[Match, ...]]) -> Table:
    """A table whose chain holds a rule of every kind, and what these refer to."""
    rules = [TableRule(one, (Count("policy/web/0"), ACCEPT), comment="x") for one in matches]
    return Table(
        counters=("policy/web/0",),
        sets=(
            NamedSet("ip_x", SetType.IPV4, IntervalSet(((1, 5),)), "office"),
            NamedSet("ip6_x", SetType.IPV6, numbers(1, 3), "office"),
            NamedSet("ports_x", SetType.PORT, IntervalSet(((0, 9), (65535, 65535))), "web[0]"),
        ),
        chains=(TableChain("other"), TableChain("every", tuple(rules)), TableChain("input", hook="input")),
    )


#: Rules of one transaction.
_AT_ONCE = 150


@pytest.mark.parametrize("nft", nft_parameters())
def test_every_nft_takes_every_atom(nft: NftVersion, tmp_path: pathlib.Path) -> None:
    statements = TableChain("statements", tuple(TableRule(one[0], (one[1],), comment="x") for one in RULES))
    protocols = [(Match(Field.PROTOCOL, numbers(number)),) for number in range(256)]
    types = [
        (family, Match(Field.PROTOCOL, protocol), Match(field, numbers(number)))
        for family, protocol, field in ((IPV4, ICMP, Field.ICMP_TYPE), (IPV6, ICMPV6, Field.ICMPV6_TYPE))
        for number in range(256)
    ]
    every: t.List[t.Tuple[Match, ...]] = [(Match(Field.PROTOCOL, IntervalSet(((0, 255),))),), *protocols, *types]
    texts = {}
    # Without root the kernel takes no transaction that is larger than a socket's buffer.
    for start in range(0, len(every), _AT_ONCE):
        table = wide_table(every[start : start + _AT_ONCE])
        table = dataclasses.replace(table, chains=(table.chains[0], statements, *table.chains[1:]))
        texts["atoms%d" % start] = render_load(table)
    listed = list_loaded(nft, texts, tmp_path / "written", times=2)
    assert list_loaded(nft, listed, tmp_path / "listed") == listed
    found = len(re.findall(r'comment "x"', "".join(listed.values())))
    assert found == len(every) + len(RULES) * len(texts)


@pytest.mark.parametrize(
    ("elements", "size"), [(0, 12), (1, 12), (11, 12), (12, 24), (23, 24), (24, 48), (95, 96), (96, 192), (9000, 12288)]
)
def test_a_map_of_exact_keys_has_room_for_one_more(elements: int, size: int) -> None:
    """Somebody's own element is taken, and found by the next run."""
    keys = tuple(MapElement(((number, number),), ACCEPT) for number in range(elements))
    assert "\t\tsize %d" % size in map_body(NamedMap("m", (Field.SOURCE4,), keys), elements=False)
    # In an interval map the kernel counts both ends of each, and nothing is gained.
    ranges = (MapElement(((0, 1),), ACCEPT), *(MapElement(key, ACCEPT) for key in [((5, 5),)] * elements))
    assert "size" not in "".join(map_body(NamedMap("m", (Field.SOURCE4,), ranges), elements=False))


def test_a_table() -> None:
    table = Table(
        counters=("egress/default",),
        sets=(NamedSet("ip_x", SetType.IPV4, IntervalSet(((1, 5), (9, 9))), 'of"fice'),),
        chains=(
            TableChain("managed_by_palisade", heading="No rules\n here"),
            TableChain("ingress", (TableRule((), (ACCEPT,), comment="a[0]", heading="Policy a\n}"),)),
            TableChain("input", (TableRule((), (Verdict(VerdictKind.GOTO, "ingress"),)),), hook="input"),
        ),
        maps=(
            NamedMap("empty", (Field.SOURCE4,), ()),
            NamedMap("m", (Field.SOURCE4,), (MapElement(((1, 2),), ACCEPT, 'a"[0]'),), "By source"),
        ),
    )
    assert (
        render_table(table)
        == """\
table inet palisade {
	counter egress/default {
	}

	set ip_x {
		type ipv4_addr
		flags interval
		elements = {
			0.0.0.1-0.0.0.5 comment "of'fice",
			0.0.0.9 comment "of'fice"
		}
	}

	map empty {
		type ipv4_addr : verdict
		size 12
	}

	# By source
	map m {
		type ipv4_addr : verdict
		flags interval
		elements = {
			0.0.0.1-0.0.0.2 comment "a'[0]" : accept
		}
	}

	# No rules here
	chain managed_by_palisade {
	}

	chain ingress {
		# Policy a }
		accept comment "a[0]"
	}

	chain input {
		type filter hook input priority filter; policy accept;
		goto ingress
	}
}
"""
    )
    assert render_load(table) == "table inet palisade\ndelete table inet palisade\n" + render_table(table)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("plain", "plain"),
        ("  two   words ", "two words"),
        ('a "b" \\ c', "a 'b' / c"),
        ("a\nb\r\nc\td\0e\x7ff", "a b c d e f"),
        ("a\u2028b\u202ec\u200bd\ufeffe", "a b c d e"),
        ("\ud800a\udfff", "a"),
        ("Müller 日本 🙂 e\u0301", "Müller 日本 🙂 e\u0301"),
        ("x" * 200, "x" * 120),
        ("é" * 100, "é" * 60),
        ("日" * 100, "日" * 40),
        ("a" + "日" * 100, "a" + "日" * 39),
        (" " * 1000 + "late", ""),
        ("x" * 119 + " y", "x" * 119),
    ],
)
def test_safe_text(text: str, shown: str) -> None:
    assert safe_text(text, 120) == shown


@deterministic
@given(text=texts())
def test_safe_text_is_one_quoted_string_for_nft(text: str) -> None:
    shown = safe_text(text, 120)
    assert len(shown.encode("utf-8")) <= 120
    assert not re.search(r'["\\\x00-\x1f\x7f-\x9f\u2028-\u202e]', shown)
    assert shown == shown.strip() == safe_text(shown, 120)


@deterministic
@given(text=texts())
def test_comments_and_headings_never_add_a_line(text: str) -> None:
    rule = TableRule((), (ACCEPT,), comment=text, heading=text)

    def lines(one: TableRule, words: str) -> int:
        element = MapElement(((1, 1),), ACCEPT, words)
        table = Table(
            (),
            (NamedSet("s", SetType.PORT, numbers(1), words),),
            (TableChain("c", (one,), heading=words),),
            (NamedMap("m", (Field.PROTOCOL,), (element,), words),),
        )
        return render_table(table).count("\n")

    assert lines(TableRule((), (ACCEPT,), "x", "x"), "x") - lines(rule, text) == (0 if text else 3)


def test_values_are_of_a_known_kind() -> None:
    values: t.List[Value] = [match.value for one in RULES for match in one[0]]
    assert all(isinstance(value, (IntervalSet, SetReference, tuple)) for value in values)
