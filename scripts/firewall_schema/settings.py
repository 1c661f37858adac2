# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables that are mappings of settings."""

from __future__ import annotations

import typing as t

from .forms import END, NULL, PORT_PATTERN, Schema, any_case, described, mapping, number_or_text, one_of, or_null, ref


def safeguards() -> Schema:
    switch: t.List[Schema] = [NULL, one_of(["auto"]), ref("boolean")]
    reach = described("Servers", "auto, true, false, or addresses.", {"anyOf": [*switch, ref("addresses")]})
    ssh = mapping(
        {
            "ports": described("Ports", "Where SSH listens. Default: 22.", or_null(ref("ports"))),
            "sources": described("Sources", "Who may come. Absent means anybody.", or_null(ref("addresses"))),
        }
    )
    return described(
        "Safeguards",
        "What keeps a host alive under a default that is not accept.",
        or_null(
            mapping(
                {
                    "dns": {**reach, "title": "Resolvers"},
                    "ntp": {**reach, "title": "Time servers"},
                    "dhcp": described("DHCP", "auto, true or false.", {"anyOf": switch}),
                    "metadata": described(
                        "Metadata servers of the cloud",
                        "auto, false, or addresses.",
                        {"anyOf": [NULL, {"const": False}, one_of(["auto", "false", "no", "off"]), ref("addresses")]},
                    ),
                    "ssh": described(
                        "SSH",
                        "auto refuses a run that would cut its own way in; other values add rules, or nothing.",
                        {"anyOf": [*switch, ref("addresses"), ssh]},
                    ),
                }
            )
        ),
    )


def log_dropped() -> Schema:
    rate = "^[1-9][0-9]{0,5}/(?:%s)%s" % ("|".join(map(any_case, ("second", "minute", "hour", "day"))), END)
    settings = mapping(
        {
            "limit": described("Limit", "A rate such as 10/second.", {"type": ["string", "null"], "pattern": rate}),
            "prefix": described(
                "Prefix",
                "Text before each message: up to 64 characters of ASCII without quotes, backslashes and dollar signs.",
                {"type": ["string", "null"], "pattern": "^[ !#%-\\[\\]-~]{0,64}" + END},
            ),
            "group": described(
                "Group", "nflog group; absent means the kernel log.", or_null(number_or_text(0, 65535, PORT_PATTERN))
            ),
        }
    )
    return described(
        "Log",
        "Log what the default action refuses, always rate limited.",
        {"anyOf": [NULL, ref("boolean"), settings]},
    )
