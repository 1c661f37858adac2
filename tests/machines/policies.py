# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What machines are given: two rulesets that differ in rules and sets."""

from __future__ import annotations

import typing as t

_SSH = {"direction": "ingress", "service": "ssh", "action": "accept"}

#: Ports that answer on every machine unless a firewall keeps them from it.
ALLOWED, REFUSED = 8443, 9999

OLD: t.Mapping[str, t.Any] = {
    "firewall_policies": {
        "ssh": {"rules": [_SSH]},
        "web": {
            "rules": [
                {"direction": "ingress", "protocol": "tcp", "destination_ports": [443, ALLOWED], "action": "accept"}
            ]
        },
    },
    "firewall_assigned": ["ssh", "web"],
    # On a processor that is emulated, beside others, a minute is short.
    "firewall_confirm_timeout": 300,
}

_OFFICE = {"direction": "ingress", "protocol": "udp", "destination_ports": [161], "sources": ["office"]}

NEW: t.Mapping[str, t.Any] = {
    **OLD,
    "firewall_networks": {"office": ["198.51.100.0/25", "203.0.113.9", "2001:db8:2::/48"]},
    "firewall_policies": {**OLD["firewall_policies"], "more": {"rules": [{**_OFFICE, "action": "accept"}]}},
    "firewall_assigned": ["ssh", "more", "web"],
}

ABSENT: t.Mapping[str, t.Any] = {"firewall_state": "absent"}
