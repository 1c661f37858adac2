# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names of protocols and ICMP types mean what the system, nft and IANA mean by them."""

from __future__ import annotations

import pathlib
import re
import shutil
import socket
import subprocess
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._policy import protocols

ETC_PROTOCOLS = pathlib.Path("/etc/protocols")

#: Names that mean another number, and the number, in the /etc/protocols of common distributions.
ETC_PROTOCOLS_DIFFERS = {
    "ipip": 94,  # IANA's historic "IP-within-IP"; IPPROTO_IPIP of Linux and RFC 2003 are 4.
}

#: Constants of Python's socket module, which come from the C library's netinet/in.h.
SOCKET_CONSTANTS = {
    "icmp": "IPPROTO_ICMP",
    "igmp": "IPPROTO_IGMP",
    "ipip": "IPPROTO_IPIP",
    "tcp": "IPPROTO_TCP",
    "egp": "IPPROTO_EGP",
    "udp": "IPPROTO_UDP",
    "ipv6": "IPPROTO_IPV6",
    "rsvp": "IPPROTO_RSVP",
    "gre": "IPPROTO_GRE",
    "esp": "IPPROTO_ESP",
    "ah": "IPPROTO_AH",
    "icmpv6": "IPPROTO_ICMPV6",
    "pim": "IPPROTO_PIM",
    "sctp": "IPPROTO_SCTP",
    "udplite": "IPPROTO_UDPLITE",
}

#: Written from the IANA registry; the socket module has no constants for these.
WELL_KNOWN = {
    "dccp": 33,
    "eigrp": 88,
    "ospf": 89,
    "ipcomp": 108,
    "vrrp": 112,
    "l2tp": 115,
    "mobility-header": 135,
    "mpls-in-ip": 137,
    "hip": 139,
}


def test_names_are_lower_case_and_sorted_by_number() -> None:
    for name in protocols.PROTOCOLS:
        assert re.fullmatch(r"[a-z0-9][a-z0-9-]*", name)
        # A name of digits alone would hide a number.
        assert not name.isdigit()
    numbers = list(protocols.PROTOCOL_NAMES)
    assert numbers == sorted(numbers)
    assert all(0 < number <= 255 for number in numbers)


def test_any_is_no_protocol() -> None:
    assert "any" not in protocols.PROTOCOLS
    assert "ip" not in protocols.PROTOCOLS


def test_a_number_has_one_canonical_name_and_that_name_means_it() -> None:
    for number, name in protocols.PROTOCOL_NAMES.items():
        assert protocols.PROTOCOLS[name] == number
        assert name not in protocols.PROTOCOL_ALIASES
    assert set(protocols.PROTOCOLS.values()) == set(protocols.PROTOCOL_NAMES)
    assert set(protocols.PROTOCOLS) == {*protocols.PROTOCOL_NAMES.values(), *protocols.PROTOCOL_ALIASES}


def test_an_alias_means_its_protocol() -> None:
    for alias, name in protocols.PROTOCOL_ALIASES.items():
        assert protocols.PROTOCOLS[alias] == protocols.PROTOCOLS[name]
    assert list(protocols.PROTOCOL_ALIASES) == sorted(protocols.PROTOCOL_ALIASES)


@pytest.mark.parametrize("name", WELL_KNOWN)
def test_well_known_numbers(name: str) -> None:
    assert protocols.PROTOCOLS[name] == WELL_KNOWN[name]


@pytest.mark.parametrize("name", SOCKET_CONSTANTS)
def test_numbers_of_the_c_library(name: str) -> None:
    constant = getattr(socket, SOCKET_CONSTANTS[name], None)
    if constant is None:
        pytest.skip("this Python's socket module has no %s" % SOCKET_CONSTANTS[name])
    assert protocols.PROTOCOLS[name] == constant


def test_names_of_etc_protocols_mean_the_same_here() -> None:
    if not ETC_PROTOCOLS.is_file():
        pytest.skip("this machine has no /etc/protocols to compare with")
    compared = 0
    for line in ETC_PROTOCOLS.read_text(encoding="utf-8", errors="replace").splitlines():
        fields = line.partition("#")[0].split()
        if len(fields) < 2:
            continue
        for name in (fields[0], *(alias.lower() for alias in fields[2:])):
            if name in protocols.PROTOCOLS:
                compared += 1
                assert int(fields[1]) in (protocols.PROTOCOLS[name], ETC_PROTOCOLS_DIFFERS.get(name)), name
    assert compared > 15


def test_extension_headers_of_ipv6_are_no_protocols() -> None:
    assert not {0, 43, 44, 60} & set(protocols.PROTOCOL_NAMES)


def test_protocols_with_ports() -> None:
    names = {protocols.PROTOCOL_NAMES[number] for number in protocols.PORT_PROTOCOLS}
    assert names == {"tcp", "udp", "dccp", "sctp", "udplite"}


def describe(kind: str) -> t.Dict[str, int]:
    """The names and numbers that the nft of this machine prints for an expression."""
    nft = shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if nft is None:
        pytest.skip("this machine has no nft to ask")
    output = subprocess.run(
        [nft, "describe", kind, "type"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
    ).stdout
    return {name: int(number) for name, number in re.findall(r"^\s+([a-z0-9-]+)\s+([0-9]+)$", output, re.MULTILINE)}


ICMP = pytest.mark.parametrize(
    ("kind", "names", "aliases"),
    [
        ("icmp", protocols.ICMP_TYPES, protocols.ICMP_TYPE_ALIASES),
        ("icmpv6", protocols.ICMPV6_TYPES, protocols.ICMPV6_TYPE_ALIASES),
    ],
    ids=["icmp", "icmpv6"],
)


@ICMP
def test_icmp_types_are_those_of_nft(kind: str, names: t.Mapping[str, int], aliases: t.Mapping[str, str]) -> None:
    of_nft = describe(kind)
    here = {name: number for name, number in names.items() if name not in aliases}
    # A newer nft may know more names; those here are what every supported one knows.
    assert here == {name: number for name, number in of_nft.items() if name in here}
    assert not set(aliases) & set(of_nft)


@ICMP
def test_icmp_aliases(kind: str, names: t.Mapping[str, int], aliases: t.Mapping[str, str]) -> None:
    assert list(aliases) == sorted(aliases)
    for alias, name in aliases.items():
        assert name not in aliases
        assert names[alias] == names[name]


def test_the_types_that_keep_networks_alive() -> None:
    # RFC 792; RFC 4443 and RFC 4861.
    assert {protocols.ICMP_TYPES[name] for name in ("destination-unreachable", "time-exceeded")} == {3, 11}
    assert (protocols.ICMP_TYPES["echo-request"], protocols.ICMP_TYPES["echo-reply"]) == (8, 0)
    assert (protocols.ICMPV6_TYPES["echo-request"], protocols.ICMPV6_TYPES["echo-reply"]) == (128, 129)
    assert protocols.ICMPV6_TYPES["packet-too-big"] == 2
    assert [
        protocols.ICMPV6_TYPES["nd-%s" % name]
        for name in ("router-solicit", "router-advert", "neighbor-solicit", "neighbor-advert", "redirect")
    ] == [133, 134, 135, 136, 137]
