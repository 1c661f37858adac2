# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the variables are made of, by the names that the schema refers to."""

from __future__ import annotations

import typing as t

from plugins.module_utils._policy.built_in import BUILT_IN_NAMES
from plugins.module_utils._policy.catalogue import SERVICES
from plugins.module_utils._policy.model import Action
from plugins.module_utils._policy.protocols import PROTOCOL_NAMES, PROTOCOLS

from .forms import (
    BYTE_PATTERN,
    END,
    NAME_PATTERN,
    NULL,
    PORT_PATTERN,
    Schema,
    any_case,
    described,
    mapping,
    number_or_text,
    one_of,
    one_or_more,
    one_or_some,
    or_null,
    ref,
)
from .policy_test import ends, policy_test
from .rule import rule
from .settings import log_dropped, safeguards
from .traffic import traffic_definitions, traffic_properties


def _catalogue(title: str, description: str, names: Schema, entry: str) -> Schema:
    schema = {"type": ["object", "null"], "propertyNames": names, "additionalProperties": ref(entry)}
    return described(title, description, schema)


def definitions() -> t.Dict[str, Schema]:
    service_entry = mapping(traffic_properties(), ["protocol"])
    service_entry["properties"]["protocol"] = described(
        "Protocol", "A protocol, a list of protocols, or any.", ref("protocols")
    )
    service_entry["allOf"] = [ref("traffic")]
    name = {"type": "string", "pattern": NAME_PATTERN}
    order = {
        "anyOf": [
            {"type": "integer", "minimum": -1000000, "maximum": 1000000},
            {"type": "string", "pattern": "^(?:0|-?(?:[1-9][0-9]{0,5}|1000000))" + END},
            NULL,
        ]
    }
    assignment = mapping({"policy": ref("policy_name"), "order": order}, ["policy"])
    assignment["properties"]["order"] = described("Order", "Lower comes first. Default: 50.", order)
    return {
        "boolean": described(
            "Boolean",
            "true or false; texts such as yes come from the command line.",
            {"anyOf": [{"type": "boolean"}, one_of(["true", "false", "yes", "no", "on", "off"])]},
        ),
        "policy_name": described(
            "Policy", "A policy of firewall_policies, or a built-in one.", {**name, "examples": list(BUILT_IN_NAMES)}
        ),
        "service_name": described(
            "Service",
            "A service of firewall_services, or a built-in one.",
            {"type": "string", "anyOf": [{"enum": sorted(SERVICES)}, {"pattern": NAME_PATTERN}]},
        ),
        "interface": described(
            "Interface",
            "The name of an interface, or a prefix of names that ends in *. Loopback is never filtered.",
            {
                "type": "string",
                "pattern": "^(?:[A-Za-z0-9_.:@+-]{1,15}|[A-Za-z0-9_.:@+-]{1,14}\\*)" + END,
                "not": {"const": "lo"},
            },
        ),
        "address": described(
            "Address",
            "An address, a prefix such as 198.51.100.0/24, a range such as 198.51.100.10-198.51.100.20, "
            "the name of a network, or group:NAME for the members of a group of the inventory.",
            {
                "type": "string",
                "format": "firewall-address-or-name",
                "anyOf": [
                    {"pattern": "^group:."},
                    {"pattern": "^[0-9A-Fa-f:.]{2,45}(?:/(?:0|[1-9][0-9]{0,2}))?" + END},
                    {"pattern": "^[0-9A-Fa-f:.]{2,45}-[0-9A-Fa-f:.]{2,45}" + END},
                    {"pattern": NAME_PATTERN},
                ],
            },
        ),
        "addresses": described("Addresses", "One or several; both families mixed.", one_or_more(ref("address"))),
        "port": described(
            "Port",
            "A port from 0 to 65535, or a range such as '1000-11000'.",
            {
                "anyOf": [
                    {"type": "integer", "minimum": 0, "maximum": 65535},
                    {
                        "type": "string",
                        "pattern": "^%s(?:-%s)?%s" % (PORT_PATTERN, PORT_PATTERN, END),
                        "format": "firewall-ports",
                    },
                ]
            },
        ),
        "ports": described("Ports", "One or several ports and ranges.", one_or_more(ref("port"))),
        "protocol": described(
            "Protocol",
            "The name or the number of a protocol: %s." % ", ".join(PROTOCOL_NAMES.values()),
            {"anyOf": [one_of(sorted(PROTOCOLS)), number_or_text(0, 255, BYTE_PATTERN)]},
        ),
        "protocols": described(
            "Protocols",
            "A protocol, a list of protocols, or any.",
            {
                "anyOf": [
                    one_of(["any"]),
                    {"type": "array", "items": one_of(["any"]), "minItems": 1, "maxItems": 1},
                    one_or_more(ref("protocol")),
                ]
            },
        ),
        **traffic_definitions(),
        "rule": rule(),
        "policy": described(
            "Policy",
            "A list of rules. The first rule that matches a packet decides.",
            mapping(
                {
                    "description": described(
                        "Description", "For the readers of the policy.", {"type": ["string", "null"]}
                    ),
                    "rules": described("Rules", "In the order of evaluation.", {"type": "array", "items": ref("rule")}),
                },
                ["rules"],
            ),
        ),
        "policies": _catalogue(
            "Policies",
            "Name of a policy to its rules. Variables that begin with firewall_policies_ are merged in.",
            {"type": "string", "pattern": NAME_PATTERN, "not": {"enum": list(BUILT_IN_NAMES)}},
            "policy",
        ),
        "assignment": described(
            "Assignment",
            "The name of a policy, or a policy with its order.",
            {"anyOf": [ref("policy_name"), assignment]},
        ),
        "assigned": described(
            "Assigned policies",
            "Policies in the order of evaluation. Variables that begin with firewall_assigned_ are merged in.",
            {"anyOf": [NULL, ref("policy_name"), {"type": "array", "items": ref("assignment")}]},
        ),
        "network": described(
            "Network", "Addresses, prefixes, ranges, other networks and group:NAME.", one_or_some(ref("address"))
        ),
        "networks": _catalogue(
            "Networks",
            "Name of a network to its addresses. Variables that begin with firewall_networks_ are merged in.",
            {
                "type": "string",
                "pattern": NAME_PATTERN,
                "format": "firewall-network-name",
                "not": {"pattern": "^%s%s" % (any_case("any"), END)},
            },
            "network",
        ),
        "service_entry": described(
            "Kind of traffic", "One protocol or several, with ports or ICMP types.", service_entry
        ),
        "service": described("Service", "What a service listens on.", one_or_more(ref("service_entry"))),
        "services": _catalogue(
            "Services",
            "Name of a service to its kinds of traffic; an entry overrides the built-in service of its name. "
            "Variables that begin with firewall_services_ are merged in.",
            {"type": "string", "pattern": NAME_PATTERN},
            "service",
        ),
        **ends(),
        "test": policy_test(),
        "tests": described(
            "Tests",
            "What has to be so before anything is changed. Variables that begin with firewall_tests_ are merged in.",
            {"anyOf": [NULL, {"type": "array", "items": ref("test")}]},
        ),
        "default_action": described(
            "Default action",
            "What happens to packets that no rule matches. auto: accept until an assigned policy has a rule in the "
            "direction, then drop.",
            or_null(one_of(["auto", *(one.value for one in Action)])),
        ),
        "safeguards": safeguards(),
        "log_dropped": log_dropped(),
    }
