# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A rule of a policy."""

from __future__ import annotations

from plugins.module_utils._policy.model import Action, Direction

from .forms import NULL, Schema, described, given, mapping, one_of, one_or_more, or_null, ref
from .traffic import traffic_properties


def rule() -> Schema:
    text = {"type": ["string", "null"]}
    addresses = or_null(ref("addresses"))
    schema = mapping(
        {
            "direction": described("Direction", "The way of the packets.", one_of(one.value for one in Direction)),
            "action": described(
                "Action", "What happens to a packet that meets every condition.", one_of(one.value for one in Action)
            ),
            **traffic_properties(),
            "service": described(
                "Service",
                "A service or several, instead of protocol and ports.",
                or_null(one_or_more(ref("service_name"))),
            ),
            "sources": described("Sources", "Where packets come from. Absent means anywhere.", addresses),
            "destinations": described("Destinations", "Where packets go to. Absent means anywhere.", addresses),
            "description": described("Description", "Shown in the comment of the rule.", text),
            "enabled": described("Enabled", "False: the rule is checked and left out.", or_null(ref("boolean"))),
        },
        ["direction", "action"],
    )
    beside = dict.fromkeys(traffic_properties(), NULL)
    schema["allOf"] = [{"if": given("service"), "then": {"properties": beside}}, ref("traffic")]
    return described("Rule", "A packet of the direction that meets every condition gets the action.", schema)
