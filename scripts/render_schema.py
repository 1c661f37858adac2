# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Renders the JSON Schema of the role variables; with --check only tells whether it is stale.

Names of protocols, ICMP types, services, profiles and built-in policies come from the parser's own
tables. The parser decides what is valid; tests/unit/test_schemas.py holds the two equal.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import re
import sys
import typing as t

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))

from plugins.module_utils._analysis.codes import CODES_OF_HOSTS  # noqa: E402 - after the path is set
from plugins.module_utils._policy.assertions import Expectation, Quantifier  # noqa: E402 - the same
from plugins.module_utils._policy.built_in import BUILT_IN_NAMES  # noqa: E402 - the same
from plugins.module_utils._policy.catalogue import SERVICES  # noqa: E402 - the same
from plugins.module_utils._policy.model import (  # noqa: E402 - the same
    Action,
    Direction,
    FlowDirection,
    Layout,
    Published,
    State,
)
from plugins.module_utils._policy.profiles import PROFILES  # noqa: E402 - the same
from plugins.module_utils._policy.protocols import (  # noqa: E402 - the same
    ICMP_TYPES,
    ICMPV6_TYPES,
    PORT_PROTOCOLS,
    PROTOCOL_NAMES,
    PROTOCOLS,
)
from plugins.module_utils._policy.settings import INTERFACES_IGNORED  # noqa: E402 - the same
from plugins.module_utils._policy.traffic import ICMP, ICMPV6  # noqa: E402 - the same

SCHEMA = CHECKOUT / "plugins" / "plugin_utils" / "_schemas" / "firewall.schema.json"

Schema = t.Dict[str, t.Any]

#: The end of the text, and not of its last line: in Python `$` also matches before a last line feed.
_END = "$(?!\\n)"
_NAME = "^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}" + _END
_NULL: Schema = {"type": "null"}

_PORT = "(?:0|[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_BYTE = "(?:0|[1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5])"

#: A code of lint.
_CODES: t.Mapping[str, object] = {"enum": list(CODES_OF_HOSTS)}


def _any_case(word: str) -> str:
    """A pattern of the word in any letter case: JSON Schema has no flag for it."""
    return "".join(
        "[%s%s]" % (char.upper(), char.lower()) if char.isalpha() else re.escape(char).replace("\\-", "-")
        for char in word
    )


def _words(words: t.Iterable[str]) -> Schema:
    """One of the words, in any letter case; editors offer them in lower case."""
    listed = list(words)
    return {
        "type": "string",
        "anyOf": [{"enum": listed}, {"pattern": "^(?:%s)%s" % ("|".join(map(_any_case, listed)), _END)}],
    }


def _ref(name: str) -> Schema:
    return {"$ref": "#/$defs/%s" % name}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, _NULL]}


def _one_or_more(schema: Schema) -> Schema:
    """A value, or a list of at least one."""
    return {"anyOf": [schema, {"type": "array", "items": schema, "minItems": 1}]}


def _one_or_some(schema: Schema) -> Schema:
    """A value, or a list that may be empty."""
    return {"anyOf": [schema, {"type": "array", "items": schema}]}


def _number(low: int, high: int, pattern: str) -> Schema:
    """A number, or the text of one."""
    return {
        "anyOf": [
            {"type": "integer", "minimum": low, "maximum": high},
            {"type": "string", "pattern": "^%s%s" % (pattern, _END)},
        ]
    }


def _mapping(properties: t.Dict[str, Schema], required: t.Sequence[str] = ()) -> Schema:
    schema: Schema = {"type": "object", "additionalProperties": False, "properties": properties}
    if required:
        schema["required"] = list(required)
    return schema


def _described(title: str, description: str, schema: Schema) -> Schema:
    return {"title": title, "description": description, **schema}


def _protocol_forms(numbers: t.Iterable[int]) -> Schema:
    """The protocols by every name, by number and by the text of the number."""
    listed = sorted(set(numbers))
    return {
        "anyOf": [
            {"enum": listed},
            _words([name for name, number in PROTOCOLS.items() if number in listed] + list(map(str, listed))),
        ]
    }


def _type_forms(names: t.Iterable[str], *, numbers: bool) -> Schema:
    forms: t.List[Schema] = [_words(sorted(names))]
    if numbers:
        forms.append(_number(0, 255, _BYTE))
    return {"anyOf": forms}


def _given(key: str) -> Schema:
    return {"required": [key], "properties": {key: {"not": _NULL}}}


def _types(name: str) -> Schema:
    return {"properties": {"icmp_types": _one_or_more(_ref(name))}}


def _protocols(name: str) -> Schema:
    return {"properties": {"protocol": _one_or_more(_ref(name))}}


def _traffic_definitions() -> t.Dict[str, Schema]:
    """Which keys of traffic go with which protocols."""
    ports = {"anyOf": [_given("source_ports"), _given("destination_ports"), _given("port")]}
    by_protocol = {
        "if": _protocols("icmp"),
        "then": _types("icmp_type"),
        "else": {"if": _protocols("icmpv6"), "then": _types("icmpv6_type"), "else": _types("icmp_type_of_both")},
    }
    return {
        "protocol_with_ports": _described(
            "Protocol with ports", "Only some protocols have ports.", _protocol_forms(PORT_PROTOCOLS)
        ),
        "icmp": _described("ICMP", "ICMP of IPv4.", _protocol_forms([ICMP])),
        "icmpv6": _described("ICMPv6", "ICMP of IPv6.", _protocol_forms([ICMPV6])),
        "either_icmp": _described(
            "ICMP of either family", "What ICMP types go with.", {"anyOf": [_ref("icmp"), _ref("icmpv6")]}
        ),
        "icmp_type": _described(
            "ICMP type", "A name, or a number from 0 to 255.", _type_forms(ICMP_TYPES, numbers=True)
        ),
        "icmpv6_type": _described(
            "ICMPv6 type", "A name, or a number from 0 to 255.", _type_forms(ICMPV6_TYPES, numbers=True)
        ),
        "icmp_type_of_both": _described(
            "Type of ICMP and ICMPv6",
            "A name that both have; numbers mean different things to them.",
            _type_forms(set(ICMP_TYPES) & set(ICMPV6_TYPES), numbers=False),
        ),
        "traffic": _described(
            "Traffic",
            "Ports need protocols that have ports; ICMP types need icmp or icmpv6.",
            {
                "allOf": [
                    {"if": ports, "then": {"required": ["protocol"], **_protocols("protocol_with_ports")}},
                    {
                        "if": _given("icmp_types"),
                        "then": {"required": ["protocol"], **_protocols("either_icmp"), **by_protocol},
                    },
                ]
            },
        ),
    }


def _traffic_properties() -> t.Dict[str, Schema]:
    return {
        "protocol": _described(
            "Protocol",
            "A name such as tcp, udp, icmp, icmpv6, a number from 0 to 255, a list of these, or any. Default: any.",
            _or_null(_ref("protocols")),
        ),
        "source_ports": _described(
            "Source ports", "One or several of 22, '22', '1000-11000'. Absent means any.", _or_null(_ref("ports"))
        ),
        "destination_ports": _described(
            "Destination ports", "One or several of 22, '22', '1000-11000'. Absent means any.", _or_null(_ref("ports"))
        ),
        "icmp_types": _described(
            "ICMP types",
            "Names such as echo-request, or numbers, of the protocol of the rule. Absent means any.",
            _or_null(_one_or_more({"anyOf": [_ref("icmp_type"), _ref("icmpv6_type")]})),
        ),
    }


def _rule() -> Schema:
    text = {"type": ["string", "null"]}
    addresses = _or_null(_ref("addresses"))
    schema = _mapping(
        {
            "direction": _described("Direction", "The way of the packets.", _words(one.value for one in Direction)),
            "action": _described(
                "Action", "What happens to a packet that meets every condition.", _words(one.value for one in Action)
            ),
            **_traffic_properties(),
            "service": _described(
                "Service",
                "A service or several, instead of protocol and ports.",
                _or_null(_one_or_more(_ref("service_name"))),
            ),
            "sources": _described("Sources", "Where packets come from. Absent means anywhere.", addresses),
            "destinations": _described("Destinations", "Where packets go to. Absent means anywhere.", addresses),
            "description": _described("Description", "Shown in the comment of the rule.", text),
            "enabled": _described("Enabled", "False: the rule is checked and left out.", _or_null(_ref("boolean"))),
        },
        ["direction", "action"],
    )
    beside = dict.fromkeys(_traffic_properties(), _NULL)
    schema["allOf"] = [{"if": _given("service"), "then": {"properties": beside}}, _ref("traffic")]
    return _described("Rule", "A packet of the direction that meets every condition gets the action.", schema)


def _ends() -> t.Dict[str, Schema]:
    """What stands at one end of the packets of a test."""
    words = _words(["self", "anywhere"])
    named = {"allOf": [_ref("address")], "not": _words(["self", "anywhere", "any"])}
    return {
        "test_address": _described("Address", "As of a rule, but for the words self and anywhere.", named),
        "test_end": _described(
            "End",
            "self (this host), anywhere, addresses and networks, or everybody outside of these.",
            {
                "anyOf": [
                    words,
                    {"type": "array", "items": words, "minItems": 1, "maxItems": 1},
                    _one_or_more(_ref("test_address")),
                    _mapping(
                        {"outside": _described("Outside", "Everybody but these.", _one_or_more(_ref("test_address")))},
                        ["outside"],
                    ),
                ]
            },
        ),
    }


def _test() -> Schema:
    text = {"type": ["string", "null"]}
    end = _or_null(_ref("test_end"))
    of_two_ways = _words(one.value for one in (State.ESTABLISHED, State.RELATED))
    schema = _mapping(
        {
            "name": _described("Name", "Shown instead of what the test says.", text),
            "description": _described("Description", "Why it has to be so.", text),
            "expect": _described(
                "Expectation",
                "What is to happen; refused is either of drop and reject.",
                _words(one.value for one in Expectation),
            ),
            "from": _described("From", "Where packets come from. Absent: this host, or anywhere beside self.", end),
            "to": _described("To", "Where packets go to. Absent: this host, or anywhere beside self.", end),
            "quantifier": _described(
                "Quantifier",
                "Whether it is to happen to every packet, or to any one of them. Default: every.",
                _or_null(_words(one.value for one in Quantifier)),
            ),
            "direction": _described(
                "Direction",
                "The way of the packets, where the ends do not tell.",
                _or_null(_words(one.value for one in Direction)),
            ),
            **_traffic_properties(),
            "port": _described("Port", "Short for destination_ports.", _or_null(_ref("ports"))),
            "service": _described(
                "Service",
                "A service or several, instead of protocol and ports.",
                _or_null(_one_or_more(_ref("service_name"))),
            ),
            "state": _described(
                "State",
                "One or several states of the connection. Default: new.",
                _or_null(_one_or_more(_words(one.value for one in State))),
            ),
            "flow_direction": _described(
                "Flow direction",
                "Which way of their connection established and related packets go. Default: both.",
                _or_null(_words(one.value for one in FlowDirection)),
            ),
            "interface": _described(
                "Interface",
                "Where the packets arrive or leave. Default: an interface that is filtered.",
                _or_null({"type": "string", "pattern": "^[A-Za-z0-9_.:@+-]{1,15}" + _END}),
            ),
        },
        ["expect"],
    )
    beside = dict.fromkeys((*_traffic_properties(), "port"), _NULL)
    schema["allOf"] = [
        {"if": _given("service"), "then": {"properties": beside}},
        {"if": _given("port"), "then": {"properties": {"destination_ports": _NULL}}},
        {
            "if": _given("flow_direction"),
            "then": {"required": ["state"], "properties": {"state": _one_or_more(of_two_ways)}},
        },
        _ref("traffic"),
    ]
    return _described("Test", "What is to happen to packets, whatever the policies say.", schema)


def _safeguards() -> Schema:
    switch: t.List[Schema] = [_NULL, _words(["auto"]), _ref("boolean")]
    reach = _described("Servers", "auto, true, false, or addresses.", {"anyOf": [*switch, _ref("addresses")]})
    ssh = _mapping(
        {
            "ports": _described("Ports", "Where SSH listens. Default: 22.", _or_null(_ref("ports"))),
            "sources": _described("Sources", "Who may come. Absent means anybody.", _or_null(_ref("addresses"))),
        }
    )
    return _described(
        "Safeguards",
        "What keeps a host alive under a default that is not accept.",
        _or_null(
            _mapping(
                {
                    "dns": {**reach, "title": "Resolvers"},
                    "ntp": {**reach, "title": "Time servers"},
                    "dhcp": _described("DHCP", "auto, true or false.", {"anyOf": switch}),
                    "metadata": _described(
                        "Metadata servers of the cloud",
                        "auto, false, or addresses.",
                        {"anyOf": [_NULL, {"const": False}, _words(["auto", "false", "no", "off"]), _ref("addresses")]},
                    ),
                    "ssh": _described(
                        "SSH",
                        "auto refuses a run that would cut its own way in; other values add rules, or nothing.",
                        {"anyOf": [*switch, _ref("addresses"), ssh]},
                    ),
                }
            )
        ),
    )


def _log_dropped() -> Schema:
    rate = "^[1-9][0-9]{0,5}/(?:%s)%s" % ("|".join(map(_any_case, ("second", "minute", "hour", "day"))), _END)
    settings = _mapping(
        {
            "limit": _described("Limit", "A rate such as 10/second.", {"type": ["string", "null"], "pattern": rate}),
            "prefix": _described(
                "Prefix",
                "Text before each message: up to 64 characters of ASCII without quotes, backslashes and dollar signs.",
                {"type": ["string", "null"], "pattern": "^[ !#%-\\[\\]-~]{0,64}" + _END},
            ),
            "group": _described(
                "Group", "nflog group; absent means the kernel log.", _or_null(_number(0, 65535, _PORT))
            ),
        }
    )
    return _described(
        "Log",
        "Log what the default action refuses, always rate limited.",
        {"anyOf": [_NULL, _ref("boolean"), settings]},
    )


def _interfaces(title: str, description: str) -> Schema:
    return _described(title, description, {"anyOf": [_NULL, _one_or_some(_ref("interface"))]})


def _catalogue(title: str, description: str, names: Schema, entry: str) -> Schema:
    schema = {"type": ["object", "null"], "propertyNames": names, "additionalProperties": _ref(entry)}
    return _described(title, description, schema)


def _definitions() -> t.Dict[str, Schema]:
    service_entry = _mapping(_traffic_properties(), ["protocol"])
    service_entry["properties"]["protocol"] = _described(
        "Protocol", "A protocol, a list of protocols, or any.", _ref("protocols")
    )
    service_entry["allOf"] = [_ref("traffic")]
    name = {"type": "string", "pattern": _NAME}
    order = {
        "anyOf": [
            {"type": "integer", "minimum": -1000000, "maximum": 1000000},
            {"type": "string", "pattern": "^(?:0|-?(?:[1-9][0-9]{0,5}|1000000))" + _END},
            _NULL,
        ]
    }
    assignment = _mapping({"policy": _ref("policy_name"), "order": order}, ["policy"])
    assignment["properties"]["order"] = _described("Order", "Lower comes first. Default: 50.", order)
    return {
        "boolean": _described(
            "Boolean",
            "true or false; texts such as yes come from the command line.",
            {"anyOf": [{"type": "boolean"}, _words(["true", "false", "yes", "no", "on", "off"])]},
        ),
        "policy_name": _described(
            "Policy", "A policy of firewall_policies, or a built-in one.", {**name, "examples": list(BUILT_IN_NAMES)}
        ),
        "service_name": _described(
            "Service",
            "A service of firewall_services, or a built-in one.",
            {"type": "string", "anyOf": [{"enum": sorted(SERVICES)}, {"pattern": _NAME}]},
        ),
        "interface": _described(
            "Interface",
            "The name of an interface, or a prefix of names that ends in *. Loopback is never filtered.",
            {
                "type": "string",
                "pattern": "^(?:[A-Za-z0-9_.:@+-]{1,15}|[A-Za-z0-9_.:@+-]{1,14}\\*)" + _END,
                "not": {"const": "lo"},
            },
        ),
        "address": _described(
            "Address",
            "An address, a prefix such as 198.51.100.0/24, a range such as 198.51.100.10-198.51.100.20, "
            "the name of a network, or group:NAME for the members of a group of the inventory.",
            {
                "type": "string",
                "format": "firewall-address-or-name",
                "anyOf": [
                    {"pattern": "^group:."},
                    {"pattern": "^[0-9A-Fa-f:.]{2,45}(?:/(?:0|[1-9][0-9]{0,2}))?" + _END},
                    {"pattern": "^[0-9A-Fa-f:.]{2,45}-[0-9A-Fa-f:.]{2,45}" + _END},
                    {"pattern": _NAME},
                ],
            },
        ),
        "addresses": _described("Addresses", "One or several; both families mixed.", _one_or_more(_ref("address"))),
        "port": _described(
            "Port",
            "A port from 0 to 65535, or a range such as '1000-11000'.",
            {
                "anyOf": [
                    {"type": "integer", "minimum": 0, "maximum": 65535},
                    {"type": "string", "pattern": "^%s(?:-%s)?%s" % (_PORT, _PORT, _END), "format": "firewall-ports"},
                ]
            },
        ),
        "ports": _described("Ports", "One or several ports and ranges.", _one_or_more(_ref("port"))),
        "protocol": _described(
            "Protocol",
            "The name or the number of a protocol: %s." % ", ".join(PROTOCOL_NAMES.values()),
            {"anyOf": [_words(sorted(PROTOCOLS)), _number(0, 255, _BYTE)]},
        ),
        "protocols": _described(
            "Protocols",
            "A protocol, a list of protocols, or any.",
            {
                "anyOf": [
                    _words(["any"]),
                    {"type": "array", "items": _words(["any"]), "minItems": 1, "maxItems": 1},
                    _one_or_more(_ref("protocol")),
                ]
            },
        ),
        **_traffic_definitions(),
        "rule": _rule(),
        "policy": _described(
            "Policy",
            "A list of rules. The first rule that matches a packet decides.",
            _mapping(
                {
                    "description": _described(
                        "Description", "For the readers of the policy.", {"type": ["string", "null"]}
                    ),
                    "rules": _described(
                        "Rules", "In the order of evaluation.", {"type": "array", "items": _ref("rule")}
                    ),
                },
                ["rules"],
            ),
        ),
        "policies": _catalogue(
            "Policies",
            "Name of a policy to its rules. Variables that begin with firewall_policies_ are merged in.",
            {"type": "string", "pattern": _NAME, "not": {"enum": list(BUILT_IN_NAMES)}},
            "policy",
        ),
        "assignment": _described(
            "Assignment",
            "The name of a policy, or a policy with its order.",
            {"anyOf": [_ref("policy_name"), assignment]},
        ),
        "assigned": _described(
            "Assigned policies",
            "Policies in the order of evaluation. Variables that begin with firewall_assigned_ are merged in.",
            {"anyOf": [_NULL, _ref("policy_name"), {"type": "array", "items": _ref("assignment")}]},
        ),
        "network": _described(
            "Network", "Addresses, prefixes, ranges, other networks and group:NAME.", _one_or_some(_ref("address"))
        ),
        "networks": _catalogue(
            "Networks",
            "Name of a network to its addresses. Variables that begin with firewall_networks_ are merged in.",
            {
                "type": "string",
                "pattern": _NAME,
                "format": "firewall-network-name",
                "not": {"pattern": "^%s%s" % (_any_case("any"), _END)},
            },
            "network",
        ),
        "service_entry": _described(
            "Kind of traffic", "One protocol or several, with ports or ICMP types.", service_entry
        ),
        "service": _described("Service", "What a service listens on.", _one_or_more(_ref("service_entry"))),
        "services": _catalogue(
            "Services",
            "Name of a service to its kinds of traffic; an entry overrides the built-in service of its name. "
            "Variables that begin with firewall_services_ are merged in.",
            {"type": "string", "pattern": _NAME},
            "service",
        ),
        **_ends(),
        "test": _test(),
        "tests": _described(
            "Tests",
            "What has to be so before anything is changed. Variables that begin with firewall_tests_ are merged in.",
            {"anyOf": [_NULL, {"type": "array", "items": _ref("test")}]},
        ),
        "default_action": _described(
            "Default action",
            "What happens to packets that no rule matches. auto: accept until an assigned policy has a rule in the "
            "direction, then drop.",
            _or_null(_words(["auto", *(one.value for one in Action)])),
        ),
        "safeguards": _safeguards(),
        "log_dropped": _log_dropped(),
    }


def build() -> Schema:
    """The schema as plain data."""
    own_address = {"type": "string", "format": "firewall-address"}
    merged = {
        "policies": "policies",
        "assigned": "assigned",
        "networks": "networks",
        "services": "services",
        "tests": "tests",
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": "Written by scripts/render_schema.py; change that script, not this file.",
        "title": "Variables of the role palisade.nftables.firewall",
        "description": "For files of group_vars and host_vars. Variables of other roles may stand beside these.",
        "type": "object",
        "properties": {
            **{"firewall_%s" % name: _ref(definition) for name, definition in merged.items()},
            "firewall_addresses": _described(
                "Addresses of this host",
                "What group:NAME means for a host of that group. Default: ansible_host, where that is an address.",
                {"anyOf": [_NULL, _one_or_some(own_address)]},
            ),
            "firewall_profile": _described(
                "Profile", "Whose semantics hold. Default: host.", _or_null(_words(PROFILES))
            ),
            "firewall_default_ingress": _ref("default_action"),
            "firewall_default_egress": _ref("default_action"),
            "firewall_default_policies": _described(
                "Default policies",
                "Built-in policies before the assigned ones. null: those of the profile; []: none.",
                {"anyOf": [_NULL, _one_or_some({"enum": list(BUILT_IN_NAMES)})]},
            ),
            "firewall_interfaces": _interfaces(
                "Interfaces", "Interfaces that are filtered. Empty: all but loopback and the ignored ones."
            ),
            "firewall_interfaces_ignored": _interfaces(
                "Ignored interfaces",
                "Never filtered when firewall_interfaces is empty. Default: %s." % ", ".join(INTERFACES_IGNORED),
            ),
            "firewall_published": _described(
                "Published ports",
                "Packets that are forwarded to a published container port: filter (the ingress policies decide, on the "
                "original address and port) or leave. Default: filter.",
                _or_null(_words(one.value for one in Published)),
            ),
            "firewall_safeguards": _ref("safeguards"),
            "firewall_log_dropped": _ref("log_dropped"),
            "firewall_layout": _described(
                "Layout",
                "auto finds the rule that decides with few lookups; ordered writes one nft rule after another. "
                "Default: auto.",
                _or_null(_words(layout.value for layout in Layout)),
            ),
            "firewall_counters": _described(
                "Counters",
                "Whether every policy rule counts its packets under a name of its own. Default: true.",
                {"anyOf": [_NULL, _ref("boolean")]},
            ),
            "firewall_state": _described(
                "State", "absent removes the table, its files and its unit.", {"enum": ["present", "absent"]}
            ),
            "firewall_persist": _described(
                "Persistence",
                "Survive a reboot: auto where systemd runs, true fails where it cannot, false.",
                {"anyOf": [_words(["auto"]), _ref("boolean")]},
            ),
            "firewall_on_conflict": _described(
                "Conflict",
                "Another firewall manager is active: fail, disable or ignore. Default: fail.",
                _or_null(_words(["fail", "disable", "ignore"])),
            ),
            "firewall_confirm_timeout": _described(
                "Confirmation",
                "Seconds until the host takes a change back that was not confirmed over a new connection; 0: never. "
                "Default: 60.",
                {"anyOf": [_NULL, {"const": 0}, {"type": "integer", "minimum": 10, "maximum": 3600}]},
            ),
            "firewall_must_reach": _described(
                "Must reach",
                "TCP services (host:port) that the host must still reach after a change.",
                {"anyOf": [_NULL, {"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
            ),
            "firewall_lint_fail": _described(
                "Lint",
                "Codes of lint whose findings stop a run before anything is changed. Default: none.",
                {"anyOf": [_NULL, _CODES, {"type": "array", "items": _CODES}]},
            ),
            "firewall_verify_kernel": _described(
                "Ask a kernel",
                "Whether packets of each test are sent through the compiled ruleset too. Default: false.",
                {"anyOf": [_NULL, _ref("boolean")]},
            ),
        },
        "patternProperties": {"^firewall_%s_" % name: _ref(definition) for name, definition in merged.items()},
        "$defs": _definitions(),
    }


def render() -> str:
    return json.dumps(build(), indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the schema is stale")
    arguments = parser.parse_args()
    wanted = render()
    if SCHEMA.is_file() and SCHEMA.read_text(encoding="utf-8") == wanted:
        return 0
    if arguments.check:
        print("%s is stale; run: python3 scripts/render_schema.py" % SCHEMA.relative_to(CHECKOUT), file=sys.stderr)
        return 1
    SCHEMA.parent.mkdir(parents=True, exist_ok=True)
    SCHEMA.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
