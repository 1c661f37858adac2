# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Addresses, prefixes and ranges: what is read, what is refused, and the one form that is written."""

from __future__ import annotations

import ipaddress
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.palisade.nftables.plugins.module_utils._core.addresses import (
    BITS,
    IPV4,
    IPV6,
    UNIVERSE,
    AddressError,
    AddressRange,
    AddressSet,
    format_address,
    format_interval,
    parse_address,
    parse_range,
)
from tests.properties.strategies import addresses, deterministic, texts

#: ``input; ok; normal form``, ``input; wrong; words of the message``, or ``input; no; `` where it
#: resembles no address at all, and may be a name.
TRIPLES = """
198.51.100.7; ok; 198.51.100.7
198.51.100.7/32; ok; 198.51.100.7
198.51.100.0/24; ok; 198.51.100.0/24
198.51.100.0-198.51.100.255; ok; 198.51.100.0/24
198.51.100.1-198.51.100.2; ok; 198.51.100.1-198.51.100.2
198.51.100.2-198.51.100.3; ok; 198.51.100.2/31
198.51.100.7-198.51.100.7; ok; 198.51.100.7
0.0.0.0/0; ok; 0.0.0.0/0
0.0.0.0; ok; 0.0.0.0
255.255.255.255; ok; 255.255.255.255
128.0.0.0/1; ok; 128.0.0.0/1
::; ok; ::
::/0; ok; ::/0
::1; ok; ::1
::ffff; ok; ::ffff
::1:0; ok; ::1:0
::192.0.2.1; ok; ::c000:201
64:ff9b::192.0.2.33; ok; 64:ff9b::c000:221
2001:DB8:0:0:0:0:0:1; ok; 2001:db8::1
2001:0db8::/32; ok; 2001:db8::/32
2001:db8:0:1:0:0:0:1; ok; 2001:db8:0:1::1
2001:db8::1/128; ok; 2001:db8::1
2001:db8::-2001:db8::ffff; ok; 2001:db8::/112
2001:db8::1-2001:db8::3; ok; 2001:db8::1-2001:db8::3
ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff; ok; ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff
::ffff:0:0:0/96; ok; ::ffff:0:0:0/96
198.51.100.1/24; wrong; write 198.51.100.0/24 for the network or 198.51.100.1 for the one host
198.51.100.0/33; wrong; 0 to 32
198.51.100.0/-1; wrong; 0 to 32
198.51.100.0/; wrong; 0 to 32
198.51.100.0/024; wrong; 0 to 32
198.51.100.0/24/24; wrong; 0 to 32
198.51.100.0/255.255.255.0; wrong; 0 to 32
2001:db8::/129; wrong; 0 to 128
2001:db8::1/64; wrong; write 2001:db8::/64 for the network or 2001:db8::1 for the one host
198.51.100.9-198.51.100.3; wrong; write 198.51.100.3-198.51.100.9
198.51.100.1-2001:db8::1; wrong; not from IPv4 to IPv6
2001:db8::1-198.51.100.1; wrong; not from IPv6 to IPv4
::ffff:198.51.100.7; wrong; write the IPv4 address 198.51.100.7
::ffff:c633:6407; wrong; write the IPv4 address 198.51.100.7
::ffff:198.51.100.0/120; wrong; write the IPv4 address 198.51.100.0/24
198.51.100; no;
198.51.100.256; no;
198.51.100.7.1; no;
198.051.100.7; no;
0x7f.1; no;
3325256711; no;
198.51.100.7 ; no;
198.51.100.1 - 198.51.100.9; no;
198.51.100.1-5; no;
198.51.100.1-198.51.100.5-198.51.100.9; no;
198.51.100/24; no;
2001:db8:::1; no;
2001:db8::1::2; no;
2001:db8::12345; no;
1:2:3:4:5:6:7:8:9; no;
fe80::1%eth0; no;
[2001:db8::1]; no;
:; no;
office; no;
2001-db8; no;
any; no;
"""


def triples() -> t.Iterator[t.Tuple[str, str, str]]:
    for line in TRIPLES.strip().splitlines():
        written, verdict, rest = line.split(";", 2)
        yield written, verdict.strip(), rest.strip()


@pytest.mark.parametrize(("written", "verdict", "rest"), list(triples()))
def test_triples(written: str, verdict: str, rest: str) -> None:
    if verdict == "wrong":
        with pytest.raises(AddressError) as caught:
            parse_range(written)
        assert rest in str(caught.value)
        return
    found = parse_range(written)
    if verdict == "no":
        assert found is None
        return
    assert found is not None
    assert str(found) == rest
    # The normal form means the same, and is its own normal form.
    assert parse_range(rest) == found


@pytest.mark.parametrize(
    "written",
    ["", " ", "1" * 1000, "::" + "0" * 200, "\0", "1\0", "²", "\u0661.\u0662.\u0663.\u0664", "\ud800", "1\ud800"],
)
def test_what_is_far_from_an_address_is_none(written: str) -> None:
    assert parse_range(written) is None


@deterministic
@given(family=st.sampled_from([IPV4, IPV6]), data=st.data())
def test_addresses_agree_with_the_standard_library(family: int, data: st.DataObject) -> None:
    value = data.draw(st.one_of(st.integers(0, (1 << BITS[family]) - 1), st.integers(0, 1 << 17)))
    text = format_address(family, value)
    assert parse_address(text) == (family, value)
    expected: t.Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
    expected = ipaddress.IPv4Address(value) if family == IPV4 else ipaddress.IPv6Address(value)
    if "." not in text or family == IPV4:
        assert text == str(expected)
    assert ipaddress.ip_address(text) == expected


@deterministic
@given(written=addresses())
def test_ranges_agree_with_the_standard_library(written: str) -> None:
    found = parse_range(written)
    assert found is not None
    if "-" in written:
        low, high = (int(ipaddress.ip_address(part)) for part in written.split("-"))
    else:
        network = ipaddress.ip_network(written)
        low, high = int(network[0]), int(network[-1])
    assert (found.low, found.high) == (low, high)
    assert parse_range(str(found)) == found
    assert found.is_prefix == ("-" not in str(found))


@deterministic
@given(written=texts())
def test_no_text_raises_anything_else(written: str) -> None:
    message = ""
    found = None
    try:
        found = parse_range(written)
    except AddressError as exc:
        message = str(exc)
    assert message.isprintable()
    assert found is None or parse_range(str(found)) == found


def test_a_set_keeps_families_apart() -> None:
    ranges = [AddressRange(IPV6, 1, 1), AddressRange(IPV4, 2, 5), AddressRange(IPV4, 6, 6)]
    found = AddressSet(ranges, label="office")
    assert found.families == (IPV4, IPV6)
    assert found.texts() == ["0.0.0.2-0.0.0.6", "::1"]
    assert (found.entries, found.has_ranges) == (3, True)
    assert found == AddressSet(reversed(ranges)), "the label takes no part in comparisons"
    assert hash(found) == hash(AddressSet(reversed(ranges)))
    assert found != AddressSet(ranges[:2])
    assert repr(found) == "AddressSet(0.0.0.2-0.0.0.6, ::1)"


def test_an_empty_set_is_false_and_of_no_family() -> None:
    assert not AddressSet([])
    assert AddressSet([]).families == ()


@pytest.mark.parametrize("family", [IPV4, IPV6])
def test_the_universe_is_the_prefix_of_length_zero(family: int) -> None:
    assert format_interval(family, UNIVERSE[family].intervals[0]) == {IPV4: "0.0.0.0/0", IPV6: "::/0"}[family]
