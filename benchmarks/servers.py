# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies of one to thirty rules, such as servers have, as role variables."""

from __future__ import annotations

import typing as t

from .twenty import role_variables

Variables = t.Dict[str, object]
_Rule = t.Dict[str, object]

_NETWORKS: t.Mapping[str, t.Sequence[str]] = {
    "office": ["198.51.100.0/24", "2001:db8:1::/48"],
    "vpn": ["192.0.2.64/26", "2001:db8:2::/64"],
    "monitoring": ["203.0.113.8", "203.0.113.9", "2001:db8:3::8", "2001:db8:3::9"],
    "cluster": ["198.18.0.0/16", "2001:db8:10::/48"],
    "webservers": ["198.18.1.%d" % number for number in range(10, 30)],
    "secondaries": ["192.0.2.53", "203.0.113.53", "2001:db8:53::1"],
    "scanners": ["203.0.113.128/25", "192.0.2.128-192.0.2.140", "2001:db8:bad::/48"],
}


def _accept(service: str, *sources: str) -> _Rule:
    rule: _Rule = {"direction": "ingress", "service": service, "action": "accept"}
    return {**rule, "sources": list(sources)} if sources else rule


def _ports(protocol: str, ports: t.Sequence[object], *sources: str, action: str = "accept") -> _Rule:
    rule: _Rule = {"direction": "ingress", "protocol": protocol, "destination_ports": list(ports), "action": action}
    return {**rule, "sources": list(sources)} if sources else rule


def _drop(*sources: str) -> _Rule:
    return {"direction": "ingress", "sources": list(sources), "action": "drop"}


def _variables(*rules: _Rule) -> Variables:
    return {
        "firewall_networks": _NETWORKS,
        "firewall_policies": {"server": {"rules": list(rules)}},
        "firewall_assigned": ["server"],
    }


def servers() -> t.Dict[str, Variables]:
    """Title to role variables."""
    ssh, web = _accept("ssh", "office", "vpn"), _ports("tcp", [80, 443])
    exporters = [_ports("tcp", [port], "monitoring") for port in (9100, 9104, 9113, 9117, 9121, 9187)]
    return {
        "ssh from anywhere": _variables(_accept("ssh")),
        "ssh from the office, web": _variables(ssh, web),
        "mail server": _variables(
            ssh,
            *(_ports("tcp", [port]) for port in (25, 465, 587, 143, 993, 995, 4190)),
            web,
            *exporters[:2],
        ),
        "name server": _variables(
            ssh,
            _ports("tcp", [53], "secondaries"),
            _ports("tcp", [53]),
            _ports("udp", [53]),
            _ports("tcp", [443, 853]),
            _ports("udp", [443, 853]),
            *exporters[:1],
        ),
        "database behind web servers": _variables(
            ssh,
            _accept("postgresql", "webservers", "vpn"),
            _ports("tcp", [6379], "webservers"),
            _ports("tcp", [11211], "webservers"),
            _ports("tcp", [5432, 6379], "office", action="reject"),
            *exporters,
        ),
        "node of a cluster": _variables(
            ssh,
            _ports("tcp", [6443], "cluster", "office"),
            _ports("tcp", ["2379-2380"], "cluster"),
            _ports("tcp", [10250, 10257, 10259], "cluster"),
            _ports("udp", [8472, 51820], "cluster"),
            _ports("tcp", [179, 4240], "cluster"),
            _ports("tcp", ["30000-32767"]),
            _ports("udp", ["30000-32767"]),
            *exporters,
        ),
        "scanners dropped first, then web": _variables(
            _drop("scanners"),
            *(_drop("203.0.113.%d/28" % first) for first in range(16, 112, 16)),
            ssh,
            _ports("tcp", [22], action="drop"),
            web,
            _ports("udp", [443]),
        ),
        "20 rules of addresses and ports": role_variables(),
        "30 services, open": _variables(*(_ports("tcp", [port]) for port in range(8000, 8030))),
        "30 services, each for a network": _variables(
            *(
                _ports("tcp" if number % 3 else "udp", [7000 + number], "198.18.%d.0/24" % number)
                for number in range(30)
            )
        ),
    }
