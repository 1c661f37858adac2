# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The facts of a host as operators write them, and back."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._core.errors import Path, Problems
from ansible_collections.palisade.nftables.plugins.module_utils._policy.hostfacts import (
    HostFacts,
    Server,
    canonical_servers,
    hostfacts_from_plain,
    hostfacts_to_plain,
)

BOTH = ("udp", "tcp")


def read(value: object) -> t.Tuple[HostFacts, t.List[t.Tuple[str, str]]]:
    problems = Problems()
    facts = hostfacts_from_plain(value, Path("host"), problems)
    return facts, [(problem.code, problem.place) for problem in problems.errors]


def test_addresses_take_the_defaults_of_their_service() -> None:
    facts, errors = read(
        {
            "dns_servers": ["192.0.2.53", "2001:DB8:0:0::53"],
            "ntp_servers": ["any", {"address": "192.0.2.123", "port": "4460", "protocols": ["TCP"]}],
            "metadata_servers": ["169.254.169.254", {"address": "fd00:ec2::254", "port": 8080}],
            "dhcp4": True,
        }
    )
    assert errors == []
    assert facts == HostFacts(
        dns_servers=(Server("192.0.2.53", 53, BOTH), Server("2001:db8::53", 53, BOTH)),
        ntp_servers=(Server(None, 123, ("udp",)), Server("192.0.2.123", 4460, ("tcp",))),
        dhcp4=True,
        metadata_servers=(Server("169.254.169.254", 80, ("tcp",)), Server("fd00:ec2::254", 8080, ("tcp",))),
    )


@pytest.mark.parametrize("value", [None, {}, {"dns_servers": None, "ntp_servers": [], "dhcp4": None, "dhcp6": False}])
def test_nothing_given_is_nothing_needed(value: object) -> None:
    assert read(value) == (HostFacts(), [])


@pytest.mark.parametrize(
    ("value", "code", "place"),
    [
        ([], "type", "host"),
        ("192.0.2.53", "type", "host"),
        ({"dns": []}, "unknown-key", "host"),
        ({1: []}, "unknown-key", "host"),
        ({"dns_servers": "192.0.2.53"}, "type", "host.dns_servers"),
        ({"dns_servers": [53]}, "type", "host.dns_servers[0]"),
        ({"dns_servers": [None]}, "type", "host.dns_servers[0]"),
        ({"dns_servers": ["192.0.2.53", "dns.example"]}, "address", "host.dns_servers[1]"),
        ({"dns_servers": ["192.0.2.0/24"]}, "address", "host.dns_servers[0]"),
        ({"dns_servers": ["::ffff:192.0.2.53"]}, "address", "host.dns_servers[0]"),
        ({"dns_servers": ["fe80::1%eth0"]}, "address", "host.dns_servers[0]"),
        ({"dns_servers": [{"port": 53}]}, "address", "host.dns_servers[0]"),
        ({"dns_servers": [{"address": 5}]}, "type", "host.dns_servers[0].address"),
        ({"dns_servers": [{"address": "any", "host": "x"}]}, "unknown-key", "host.dns_servers[0]"),
        ({"ntp_servers": [{"address": "any", "port": 0}]}, "port", "host.ntp_servers[0].port"),
        ({"ntp_servers": [{"address": "any", "port": True}]}, "port", "host.ntp_servers[0].port"),
        ({"ntp_servers": [{"address": "any", "port": "1-2"}]}, "port", "host.ntp_servers[0].port"),
        ({"ntp_servers": [{"address": "any", "port": 65536}]}, "port", "host.ntp_servers[0].port"),
        ({"ntp_servers": [{"address": "any", "protocols": []}]}, "protocol", "host.ntp_servers[0].protocols"),
        ({"ntp_servers": [{"address": "any", "protocols": "sctp"}]}, "protocol", "host.ntp_servers[0].protocols"),
        (
            {"ntp_servers": [{"address": "any", "protocols": ["udp", 6]}]},
            "protocol",
            "host.ntp_servers[0].protocols[1]",
        ),
        ({"metadata_servers": ["metadata.example"]}, "address", "host.metadata_servers[0]"),
        ({"dhcp4": "yes"}, "type", "host.dhcp4"),
        ({"dhcp6": 1}, "type", "host.dhcp6"),
    ],
)
def test_what_is_wrong_is_said_where_it_is(value: object, code: str, place: str) -> None:
    assert read(value)[1] == [(code, place)]


def test_all_errors_are_reported_together_and_the_rest_is_kept() -> None:
    facts, errors = read({"dns_servers": ["x", "192.0.2.53"], "dhcp4": 1, "dhcp6": True, "extra": 1})
    assert [code for code, _place in errors] == ["unknown-key", "address", "type"]
    assert facts == HostFacts(dns_servers=(Server("192.0.2.53", 53, BOTH),), dhcp6=True)


def test_servers_are_listed_once_in_one_order_whatever_order_they_come_in() -> None:
    servers = [
        Server("2001:db8::53", 53, BOTH),
        Server("192.0.2.53", 853, ("tcp",)),
        Server("192.0.2.53", 53, ("tcp",)),
        Server("192.0.2.9", 53, BOTH),
        Server("192.0.2.53", 53, ("udp",)),
    ]
    wanted = (
        Server("192.0.2.9", 53, BOTH),
        Server("192.0.2.53", 53, BOTH),
        Server("192.0.2.53", 853, ("tcp",)),
        Server("2001:db8::53", 53, BOTH),
    )
    assert canonical_servers(servers) == wanted
    assert canonical_servers(reversed(servers)) == wanted


def test_what_is_needed_anywhere_is_not_listed_by_address_as_well() -> None:
    servers = [
        Server("192.0.2.53", 53, BOTH),
        Server(None, 53, ("udp",)),
        Server("192.0.2.7", 53, ("udp",)),
        Server("192.0.2.8", 5353, ("udp",)),
    ]
    assert canonical_servers(servers) == (
        Server(None, 53, ("udp",)),
        Server("192.0.2.8", 5353, ("udp",)),
        Server("192.0.2.53", 53, ("tcp",)),
    )


@pytest.mark.parametrize(
    "facts",
    [
        HostFacts(),
        HostFacts(
            dns_servers=(Server(None, 53, BOTH), Server("192.0.2.53", 853, ("tcp",)), Server("2001:db8::1", 54, BOTH)),
            ntp_servers=(Server(None, 4460, ("tcp",)), Server("192.0.2.123", 123, ("udp",))),
            dhcp4=True,
            dhcp6=True,
            metadata_servers=(Server("169.254.169.254", 80, ("tcp",)), Server("169.254.169.254", 8080, ("tcp",))),
        ),
    ],
)
def test_round_trip(facts: HostFacts) -> None:
    assert read(hostfacts_to_plain(facts)) == (facts, [])


def test_plain_servers_are_as_short_as_they_can_be() -> None:
    facts = HostFacts(
        dns_servers=(Server(None, 53, BOTH), Server("192.0.2.53", 853, ("tcp",))),
        ntp_servers=(Server("192.0.2.123", 123, ("udp",)),),
        notes=("dns: found",),
    )
    assert hostfacts_to_plain(facts) == {
        "dns_servers": ["any", {"address": "192.0.2.53", "port": 853, "protocols": ["tcp"]}],
        "ntp_servers": ["192.0.2.123"],
        "metadata_servers": [],
        "dhcp4": False,
        "dhcp6": False,
    }


def test_notes_do_not_make_facts_differ() -> None:
    assert HostFacts(notes=("a",)) == HostFacts(notes=("b",))
