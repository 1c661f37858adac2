# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fleets for reports, as they are collected: one small and full of everything, and large ones."""

from __future__ import annotations

import typing as t

from ansible_collections.palisade.nftables.plugins.plugin_utils._report.document import HostInput

TIME = "2026-03-01T09:30:00Z"

#: What somebody may write into a description, or call a process, and no browser may read as markup.
HOSTILE = "</script><script>document.title='broken'</script><img src=x onerror=alert(1)>&amp;'\"\u2028%%DATA%%"


def rule(**keys: t.Any) -> t.Dict[str, t.Any]:
    return {"direction": "ingress", "action": "accept", **keys}


NETWORKS: t.Dict[str, t.Any] = {
    "office": ["198.51.100.0/24", "2001:db8:1::/48"],
    "monitoring": ["198.51.100.250"],
    "backup": ["203.0.113.64-203.0.113.79"],
}
POLICIES: t.Dict[str, t.Any] = {
    "ssh": {"rules": [rule(service="ssh", sources=["office"], description="Administrators")]},
    "monitoring": {"rules": [rule(service="node-exporter", sources=["monitoring"])]},
    "web": {"rules": [rule(service=["http", "https", "http3"], description=HOSTILE)]},
    "block": {
        "rules": [rule(sources=["203.0.113.128/26"], action="drop"), rule(protocol="tcp", destination_ports=[80])]
    },
    "postgres": {"rules": [rule(service="postgresql", sources=["group:webservers"])]},
    "server-egress": {
        "rules": [
            rule(direction="egress", service=["http", "https"]),
            rule(direction="egress", service="postgresql", destinations=["group:databases"]),
            rule(direction="egress", service="ssh", destinations=["backup"]),
            rule(direction="egress", action="reject"),
        ]
    },
    "cache": {"rules": [rule(protocol="tcp", destination_ports=["8000-8010"], sources=["office"])]},
}
ASSIGNED = {
    "webservers": ["block", "web"],
    "databases": ["postgres"],
    "caches": ["cache"],
}


def variables(groups: t.Iterable[str], policies: t.Mapping[str, t.Any] = POLICIES) -> t.Dict[str, t.Any]:
    assigned = ["ssh", "monitoring", *(name for group in groups for name in ASSIGNED.get(group, ()))]
    return {
        "firewall_policies": {name: policies[name] for name in (*assigned, "server-egress")},
        "firewall_networks": NETWORKS,
        "firewall_assigned": [*assigned, {"policy": "server-egress", "order": 90}],
    }


def host(name: str, address: str, *groups: str, members: t.Mapping[str, t.Any], **keys: t.Any) -> HostInput:
    wanted = {
        "name": name,
        "inventory_groups": groups,
        "addresses": (address,),
        "variables": variables(groups),
        "groups": members,
        "ssh_port": 22,
        **keys,
    }
    return HostInput(**wanted)


def live_rule(name: str, packets: int, **keys: t.Any) -> t.Dict[str, t.Any]:
    policy, _bracket, index = name.partition("[")
    return {
        "name": name,
        "policy": policy,
        "index": int(index.rstrip("]")) if index else None,
        "variable": "firewall_policies",
        "stage": "assigned",
        "direction": "ingress",
        "action": "accept",
        "text": "as the kernel has it",
        "description": "",
        "packets": packets,
        "bytes": packets * 60,
        "never_hit": packets == 0,
        "counting_since": "2026-02-10T04:05:06Z",
        **keys,
    }


def listener(port: int, process: str, **keys: t.Any) -> t.Dict[str, t.Any]:
    return {
        "protocol": "tcp",
        "address": "0.0.0.0",
        "families": [4],
        "port": port,
        "interface": None,
        "user": "root",
        "published": False,
        "process": process,
        "pid": 800 + port,
        "outside": "accept",
        "networks": {"office": "accept", "monitoring": "accept"},
        "rule": "web[0]",
        "finding": "exposed",
        **keys,
    }


def live(rules: t.Sequence[t.Mapping[str, t.Any]], **keys: t.Any) -> t.Dict[str, t.Any]:
    """What the module ``ruleset_info`` returns."""
    return {
        "changed": False,
        "ruleset": {
            "present": True,
            "digest": "0123456789abcdef",
            "layout": "auto",
            "changed_at": "2026-02-10T04:05:06Z",
            "counting_since": "2026-02-10T04:05:06Z",
            "rules": list(rules),
            "drift": {"state": "none", "missing": [], "foreign": [], "changed": []},
            "listeners": [],
            "open_without_listener": [],
            "wanted": {"equal": True, "changes": []},
            "talks_to": [],
            "notes": [],
            **keys,
        },
    }


def small() -> t.List[HostInput]:
    """Every state that a host can be in, and texts that mean no good."""
    members = {"webservers": ["192.0.2.11", "192.0.2.12"], "databases": ["192.0.2.21", "192.0.2.22"]}
    web = [
        live_rule("block[0]", 31, action="drop", text="drop everything from 203.0.113.128/26"),
        live_rule("web[0]", 1234567, text="accept tcp port 80 or tcp port 443 or udp port 443", description=HOSTILE),
        live_rule("ssh[0]", 0, text="accept tcp port 22 from office", counting_since="2026-02-20T20:20:20Z"),
        live_rule(
            "default-ingress", 998, action="drop", stage="default-action", policy="", text="drop everything else"
        ),
    ]
    drifted = {
        "state": "foreign",
        "missing": ["web[0]"],
        "foreign": ["chain input: tcp dport 4444 accept " + HOSTILE],
        "changed": [],
    }
    return [
        host(
            "web1",
            "192.0.2.11",
            "webservers",
            members=members,
            live=live(
                web,
                listeners=[
                    listener(443, "nginx"),
                    listener(22, "sshd", outside="drop", finding=None, rule="default-ingress"),
                    listener(9000, HOSTILE, outside="drop", finding="blocked", rule="default-ingress"),
                ],
                open_without_listener=[{"protocol": "udp", "ports": "443", "rule": "web[0]"}],
                talks_to=[
                    {
                        "protocol": "tcp",
                        "address": "192.0.2.21",
                        "port": 5432,
                        "connections": 12,
                        "process": "app",
                        "pid": 77,
                        "verdict": "accept",
                        "rule": "server-egress[1]",
                    }
                ],
            ),
        ),
        host(
            "web2",
            "192.0.2.12",
            "webservers",
            members=members,
            live=live(web, drift=drifted, notes=["A note."], wanted={"equal": False, "changes": ["the rule web[0]"]}),
        ),
        host("db1", "192.0.2.21", "databases", members=members, live={"unreachable": True, "msg": "No route to host"}),
        host("db2", "192.0.2.22", "databases", members=members, live={"failed": True, "msg": "nft: not found"}),
        host("cache1", "192.0.2.31", "caches", members=members),
        host("old1", "192.0.2.41", "legacy", members=members, state="absent"),
        host(
            "bad1",
            "192.0.2.42",
            "legacy",
            members=members,
            variables=None,
            problems=(
                {"code": "undefined", "place": "firewall_assigned[0]", "message": "the policy 'shh' is unknown"},
            ),
        ),
    ]


def large(count: int = 1000) -> t.List[HostInput]:
    """Hosts of twelve roles and of four sites, all of them asked."""
    roles = ["webservers", "databases", "caches", *("app-%02d" % number for number in range(9))]
    addresses = ["198.18.%d.%d" % (number // 250, number % 250 + 1) for number in range(count)]
    members = {
        role: [addresses[number] for number in range(count) if roles[number % len(roles)] == role]
        for role in ("webservers", "databases")
    }
    found = []
    for number, address in enumerate(addresses):
        role = roles[number % len(roles)]
        own = [
            live_rule("ssh[0]", number % 7, text="accept tcp port 22 from office"),
            live_rule("monitoring[0]", 1000 + number, text="accept tcp port 9100 from monitoring"),
            *(live_rule("%s[0]" % name, number % 3, text="accept for %s" % name) for name in ASSIGNED.get(role, ())),
            *(live_rule("server-egress[%d]" % index, index * number, direction="egress") for index in range(4)),
            live_rule("default-ingress", 5 * number, action="drop", policy="", stage="default-action"),
        ]
        listeners = [
            listener(22, "sshd", outside="drop", finding=None),
            listener(9100, "node_exporter", finding="blocked"),
        ]
        if role == "webservers":
            listeners.append(listener(443, "nginx"))
        found.append(
            host(
                "%s-%04d.example.org" % (role, number),
                address,
                role,
                "site-%d" % (number % 4),
                members=members,
                live=live(own, listeners=listeners),
            )
        )
    return found
