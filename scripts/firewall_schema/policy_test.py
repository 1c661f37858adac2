# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A policy test: what has to be so, of ``firewall_tests``."""

from __future__ import annotations

import typing as t

from plugins.module_utils._policy.assertions import Expectation, Quantifier
from plugins.module_utils._policy.model import Direction, FlowDirection, State

from .forms import END, NULL, Schema, described, given, mapping, one_of, one_or_more, or_null, ref
from .traffic import traffic_properties


def ends() -> t.Dict[str, Schema]:
    """What stands at one end of the packets of a test."""
    words = one_of(["self", "anywhere"])
    named = {"allOf": [ref("address")], "not": one_of(["self", "anywhere", "any"])}
    return {
        "test_address": described("Address", "As of a rule, but for the words self and anywhere.", named),
        "test_end": described(
            "End",
            "self (this host), anywhere, addresses and networks, or everybody outside of these.",
            {
                "anyOf": [
                    words,
                    {"type": "array", "items": words, "minItems": 1, "maxItems": 1},
                    one_or_more(ref("test_address")),
                    mapping(
                        {"outside": described("Outside", "Everybody but these.", one_or_more(ref("test_address")))},
                        ["outside"],
                    ),
                ]
            },
        ),
    }


def policy_test() -> Schema:
    text = {"type": ["string", "null"]}
    end = or_null(ref("test_end"))
    of_two_ways = one_of(one.value for one in (State.ESTABLISHED, State.RELATED))
    schema = mapping(
        {
            "name": described("Name", "Shown instead of what the test says.", text),
            "description": described("Description", "Why it has to be so.", text),
            "expect": described(
                "Expectation",
                "What is to happen; refused is either of drop and reject.",
                one_of(one.value for one in Expectation),
            ),
            "from": described("From", "Where packets come from. Absent: this host, or anywhere beside self.", end),
            "to": described("To", "Where packets go to. Absent: this host, or anywhere beside self.", end),
            "quantifier": described(
                "Quantifier",
                "Whether it is to happen to every packet, or to any one of them. Default: every.",
                or_null(one_of(one.value for one in Quantifier)),
            ),
            "direction": described(
                "Direction",
                "The way of the packets, where the ends do not tell.",
                or_null(one_of(one.value for one in Direction)),
            ),
            **traffic_properties(),
            "port": described("Port", "Short for destination_ports.", or_null(ref("ports"))),
            "service": described(
                "Service",
                "A service or several, instead of protocol and ports.",
                or_null(one_or_more(ref("service_name"))),
            ),
            "state": described(
                "State",
                "One or several states of the connection. Default: new.",
                or_null(one_or_more(one_of(one.value for one in State))),
            ),
            "flow_direction": described(
                "Flow direction",
                "Which way of their connection established and related packets go. Default: both.",
                or_null(one_of(one.value for one in FlowDirection)),
            ),
            "interface": described(
                "Interface",
                "Where the packets arrive or leave. Default: an interface that is filtered.",
                or_null({"type": "string", "pattern": "^[A-Za-z0-9_.:@+-]{1,15}" + END}),
            ),
        },
        ["expect"],
    )
    beside = dict.fromkeys((*traffic_properties(), "port"), NULL)
    schema["allOf"] = [
        {"if": given("service"), "then": {"properties": beside}},
        {"if": given("port"), "then": {"properties": {"destination_ports": NULL}}},
        {
            "if": given("flow_direction"),
            "then": {"required": ["state"], "properties": {"state": one_or_more(of_two_ways)}},
        },
        ref("traffic"),
    ]
    return described("Test", "What is to happen to packets, whatever the policies say.", schema)
