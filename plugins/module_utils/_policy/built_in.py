# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Policies that come with Palisade, written as an operator would write them."""

from __future__ import annotations

import typing as t

_ECHO = {"protocol": ["icmp", "icmpv6"], "icmp_types": ["echo-request"], "action": "accept"}

_PING = {
    "description": "Echo requests, both ways",
    "rules": [{"direction": "ingress", **_ECHO}, {"direction": "egress", **_ECHO}],
}

#: netcup's own "Ping allow" has no ICMP types: it admits all ICMP and ICMPv6.
_PING_NETCUP = {
    "description": "All ICMP and ICMPv6, both ways",
    "rules": [
        {"direction": direction, "protocol": protocol, "action": "accept"}
        for direction in ("ingress", "egress")
        for protocol in ("icmp", "icmpv6")
    ],
}

_PING_CONTABO = {
    "description": "All ICMP",
    "rules": [{"direction": "ingress", "protocol": "icmp", "action": "accept"}],
}

#: netcup's own "Mail block": SMTP, submission over TLS and submission, outgoing only.
_MAIL_BLOCK = {
    "description": "No outgoing mail",
    "rules": [
        {"direction": "egress", "protocol": "tcp", "destination_ports": [port], "action": "drop"}
        for port in (25, 465, 587)
    ],
}

BUILT_IN_NAMES = ("mail-block", "ping")


def built_in_policy(name: str, profile: str) -> t.Mapping[str, object]:
    """Plain data of a built-in policy as the profile (``host``, ``netcup``, ``contabo``) has it."""
    if name == "mail-block":
        return _MAIL_BLOCK
    return {"netcup": _PING_NETCUP, "contabo": _PING_CONTABO}.get(profile, _PING)
