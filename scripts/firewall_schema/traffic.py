# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Protocols, ports and ICMP types, and which of them go together."""

from __future__ import annotations

import typing as t

from plugins.module_utils._policy.protocols import ICMP_TYPES, ICMPV6_TYPES, PORT_PROTOCOLS, PROTOCOLS
from plugins.module_utils._policy.traffic import ICMP, ICMPV6

from .forms import BYTE_PATTERN, Schema, described, given, number_or_text, one_of, one_or_more, or_null, ref


def _protocol_forms(numbers: t.Iterable[int]) -> Schema:
    """The protocols by every name, by number and by the text of the number."""
    listed = sorted(set(numbers))
    return {
        "anyOf": [
            {"enum": listed},
            one_of([name for name, number in PROTOCOLS.items() if number in listed] + list(map(str, listed))),
        ]
    }


def _type_forms(names: t.Iterable[str], *, numbers: bool) -> Schema:
    forms: t.List[Schema] = [one_of(sorted(names))]
    if numbers:
        forms.append(number_or_text(0, 255, BYTE_PATTERN))
    return {"anyOf": forms}


def _types(name: str) -> Schema:
    return {"properties": {"icmp_types": one_or_more(ref(name))}}


def _protocols(name: str) -> Schema:
    return {"properties": {"protocol": one_or_more(ref(name))}}


def traffic_definitions() -> t.Dict[str, Schema]:
    """Which keys of traffic go with which protocols."""
    ports = {"anyOf": [given("source_ports"), given("destination_ports"), given("port")]}
    by_protocol = {
        "if": _protocols("icmp"),
        "then": _types("icmp_type"),
        "else": {"if": _protocols("icmpv6"), "then": _types("icmpv6_type"), "else": _types("icmp_type_of_both")},
    }
    return {
        "protocol_with_ports": described(
            "Protocol with ports", "Only some protocols have ports.", _protocol_forms(PORT_PROTOCOLS)
        ),
        "icmp": described("ICMP", "ICMP of IPv4.", _protocol_forms([ICMP])),
        "icmpv6": described("ICMPv6", "ICMP of IPv6.", _protocol_forms([ICMPV6])),
        "either_icmp": described(
            "ICMP of either family", "What ICMP types go with.", {"anyOf": [ref("icmp"), ref("icmpv6")]}
        ),
        "icmp_type": described(
            "ICMP type", "A name, or a number from 0 to 255.", _type_forms(ICMP_TYPES, numbers=True)
        ),
        "icmpv6_type": described(
            "ICMPv6 type", "A name, or a number from 0 to 255.", _type_forms(ICMPV6_TYPES, numbers=True)
        ),
        "icmp_type_of_both": described(
            "Type of ICMP and ICMPv6",
            "A name that both have; numbers mean different things to them.",
            _type_forms(set(ICMP_TYPES) & set(ICMPV6_TYPES), numbers=False),
        ),
        "traffic": described(
            "Traffic",
            "Ports need protocols that have ports; ICMP types need icmp or icmpv6.",
            {
                "allOf": [
                    {"if": ports, "then": {"required": ["protocol"], **_protocols("protocol_with_ports")}},
                    {
                        "if": given("icmp_types"),
                        "then": {"required": ["protocol"], **_protocols("either_icmp"), **by_protocol},
                    },
                ]
            },
        ),
    }


def traffic_properties() -> t.Dict[str, Schema]:
    return {
        "protocol": described(
            "Protocol",
            "A name such as tcp, udp, icmp, icmpv6, a number from 0 to 255, a list of these, or any. Default: any.",
            or_null(ref("protocols")),
        ),
        "source_ports": described(
            "Source ports", "One or several of 22, '22', '1000-11000'. Absent means any.", or_null(ref("ports"))
        ),
        "destination_ports": described(
            "Destination ports", "One or several of 22, '22', '1000-11000'. Absent means any.", or_null(ref("ports"))
        ),
        "icmp_types": described(
            "ICMP types",
            "Names such as echo-request, or numbers, of the protocol of the rule. Absent means any.",
            or_null(one_or_more({"anyOf": [ref("icmp_type"), ref("icmpv6_type")]})),
        ),
    }
