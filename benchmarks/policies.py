# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies of a given size, the same ones every time."""

from __future__ import annotations

import random
import typing as t

#: Any fixed number; the figures of two runs are about the same policy.
_SEED = 20261122


def policy_of(rules: int) -> t.Dict[str, object]:
    """Role variables with ``rules`` rules as a large inventory has them.

    Half of them name addresses, a fifth a network, the rest ports alone; a third is IPv6, and one in
    ten has lists.
    """
    rng = random.Random(_SEED)
    networks = {
        "office%d" % index: ["198.18.%d.0/24" % index, "2001:db8:%x::/48" % index, "198.19.%d.1" % index]
        for index in range(50)
    }
    listed = [_rule(rng, list(networks)) for _index in range(rules)]
    return {
        "firewall_networks": networks,
        "firewall_policies": {
            "policy%d" % start: {"rules": listed[start : start + 100]} for start in range(0, rules, 100)
        },
        "firewall_assigned": ["policy%d" % start for start in range(0, rules, 100)],
    }


def _rule(rng: random.Random, networks: t.Sequence[str]) -> t.Dict[str, object]:
    first = rng.randrange(1, 60000)
    ports: t.List[object] = [first]
    if rng.random() < 0.1:
        ports = [first, "%d-%d" % (first + 10, first + 200), 443]
    rule: t.Dict[str, object] = {
        "direction": "ingress" if rng.random() < 0.8 else "egress",
        "action": "accept" if rng.random() < 0.7 else "drop",
        "protocol": rng.choice(("tcp", "tcp", "udp")),
        "destination_ports": ports,
    }
    roll = rng.random()
    if roll < 0.5:
        rule["sources"] = [_address(rng) for _index in range(rng.choice((1, 1, 1, 8)))]
    elif roll < 0.7:
        rule["sources"] = [rng.choice(networks)]
    return rule


def _address(rng: random.Random) -> str:
    if rng.random() < 1 / 3:
        return "2001:db8:%x:%x::/64" % (rng.randrange(65536), rng.randrange(65536))
    if rng.random() < 0.5:
        return "198.18.%d.%d" % (rng.randrange(256), rng.randrange(256))
    return "198.%d.%d.0/24" % (rng.choice((18, 19)), rng.randrange(256))
