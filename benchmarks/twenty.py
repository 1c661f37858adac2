# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Twenty rules of a small server, as role variables and as items for ansible.builtin.iptables."""

from __future__ import annotations

import typing as t

#: Policy name to rules, each a source and a TCP port. The first network is that of the benchmark's controller.
_RULES: t.Mapping[str, t.Sequence[t.Tuple[str, int]]] = {
    "admin": (
        ("198.18.0.0/16", 22),
        ("198.51.100.0/24", 22),
        ("198.51.100.0/24", 9090),
        ("203.0.113.7", 22),
        ("203.0.113.8", 22),
    ),
    "web": (
        ("0.0.0.0/0", 80),
        ("0.0.0.0/0", 443),
        ("198.51.100.0/24", 8080),
        ("192.0.2.16/28", 8443),
        ("192.0.2.32/28", 8443),
    ),
    "database": (
        ("192.0.2.10", 5432),
        ("192.0.2.11", 5432),
        ("192.0.2.12", 5432),
        ("192.0.2.10", 6379),
        ("192.0.2.11", 6379),
    ),
    "monitoring": (
        ("203.0.113.64/26", 9100),
        ("203.0.113.64/26", 9187),
        ("203.0.113.64/26", 9113),
        ("203.0.113.64/26", 9121),
        ("192.0.2.128/25", 10050),
    ),
}


def role_variables(**sources: t.Sequence[str]) -> t.Dict[str, object]:
    """The role's variables.

    Args:
        sources: Policy name to what stands there instead of the sources of its last rule.
    """
    policies = {}
    for name, rules in _RULES.items():
        listed: t.List[t.Dict[str, object]] = [
            {
                "direction": "ingress",
                "protocol": "tcp",
                "destination_ports": [port],
                "sources": [source],
                "action": "accept",
            }
            for source, port in rules
        ]
        if name in sources:
            listed[-1]["sources"] = list(sources[name])
        policies[name] = {"rules": listed}
    return {"firewall_policies": policies, "firewall_assigned": list(policies)}


def iptables_items() -> t.List[t.Dict[str, object]]:
    """The same rules, an item each: ``source`` and ``port``."""
    return [{"source": source, "port": port} for rules in _RULES.values() for source, port in rules]
