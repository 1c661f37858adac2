# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Strategies of hypothesis: role variables that are right, nearly right, or anything that YAML can say."""

from __future__ import annotations

import copy
import datetime
import ipaddress
import typing as t

from hypothesis import settings
from hypothesis import strategies as st

#: Settings of every property of the project: the same examples in each run, no timing, and no files.
DETERMINISTIC: t.Dict[str, t.Any] = {"derandomize": True, "deadline": None, "database": None}

deterministic = settings(max_examples=200, **DETERMINISTIC)

#: Texts that have broken parsers, shells and terminals before.
NASTY = (
    "",
    " ",
    '"',
    "'",
    "\\",
    'a" accept comment "b',
    "a\naccept",
    "a\r\n}\n",
    "}",
    "{ { { ;",
    "; flush ruleset",
    "# comment",
    "$HOME",
    "{{ lookup('pipe', 'id') }}",
    "@set",
    "*",
    "\0",
    "\x1b[31m",
    "\u202edrop\u202c",
    "\u200b",
    "e\u0301\u0301\u0301",
    "\ud800",
    "\U0001f642",
    "\uffff",
    "0x10",
    "022",
    "1e3",
    "١٢٣",
    "-1",
    "1-",
    "group:",
    "group:\n",
    "any",
    "198.51.100.7\n",
    "198.51.100.0/24 ",
    "::ffff:198.51.100.7",
    "fe80::1%eth0",
    "a" * 64,
    "x" * 500,
)

_VARIABLES = (
    "firewall_policies",
    "firewall_policies_web",
    "firewall_assigned",
    "firewall_assigned_web",
    "firewall_networks",
    "firewall_networks_site",
    "firewall_services",
    "firewall_services_site",
    "firewall_profile",
    "firewall_default_ingress",
    "firewall_default_egress",
    "firewall_default_policies",
    "firewall_interfaces",
    "firewall_interfaces_ignored",
    "firewall_published",
    "firewall_safeguards",
    "firewall_log_dropped",
    "firewall_layout",
    "firewall_counters",
    "firewall_tests",
    "firewall_tests_site",
)
_KEYS = (
    "direction",
    "action",
    "protocol",
    "service",
    "sources",
    "destinations",
    "source_ports",
    "destination_ports",
    "icmp_types",
    "description",
    "enabled",
    "rules",
    "policy",
    "order",
    "ports",
    "limit",
    "prefix",
    "dns",
    "ssh",
    "from",
    "to",
    "outside",
    "port",
    "state",
    "flow_direction",
    "expect",
)
_NETWORKS = ("office", "vpn", "lab.2", "everybody")
_SERVICES = ("ssh", "https", "dns", "ping", "game")
_WITH_PORTS = ("tcp", "udp", "TCP", "sctp", 6, "17", "dccp", "udplite")
_WITHOUT_PORTS = ("icmp", "icmpv6", "gre", "ESP", 47, "253", 0, 255)
_IPV4 = ipaddress.ip_network("198.18.0.0/15")
_IPV6 = ipaddress.ip_network("2001:db8::/32")


def texts() -> st.SearchStrategy[str]:
    """Texts of every kind, surrogates included."""
    return st.one_of(st.sampled_from(NASTY), st.text(st.characters(), max_size=30))


def scalars() -> st.SearchStrategy[t.Any]:
    """Everything that YAML has beside lists and mappings."""
    return st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-70000, 70000),
        st.sampled_from([10**30, -(10**4000), 2**64, 65536, 1.5, float("nan"), float("inf"), float("-inf")]),
        texts(),
        st.sampled_from(
            [
                b"bytes",
                datetime.date(2026, 1, 2),
                datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.timezone.utc),
                {1, 2},
            ]
        ),
        st.sampled_from(_KEYS + _NETWORKS + _SERVICES + ("ingress", "accept", "tcp", "auto", "host", "netcup", "eth0")),
    )


def anything() -> st.SearchStrategy[t.Any]:
    """Any value that YAML can say, small."""
    keys = st.one_of(
        st.sampled_from(_KEYS), texts(), st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False)
    )
    return st.recursive(
        scalars(),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
        max_leaves=6,
    )


@st.composite
def addresses(draw: st.DrawFn) -> str:
    """An address, a prefix or a range of documentation or benchmarking space."""
    network = draw(st.sampled_from([_IPV4, _IPV6]))
    low = draw(st.integers(0, network.num_addresses - 1))
    if draw(st.booleans()):
        low &= 0xFF
    address = network.network_address + low
    form = draw(st.integers(0, 3))
    if form == 0:
        return str(address)
    if form == 1:
        length = draw(st.integers(network.prefixlen, network.max_prefixlen))
        return str(ipaddress.ip_network("%s/%d" % (address, length), strict=False))
    high = min(network.num_addresses - 1, low + draw(st.integers(0, 2000)))
    return "%s-%s" % (address, network.network_address + high)


def one_or_more(items: st.SearchStrategy[t.Any]) -> st.SearchStrategy[t.Any]:
    return st.one_of(items, st.lists(items, min_size=1, max_size=4))


def ports() -> st.SearchStrategy[t.Any]:
    """A port or a range, as a number or a text."""
    port = st.one_of(st.integers(0, 65535), st.sampled_from([0, 22, 80, 443, 65535]))
    ranges = st.tuples(port, port).map(lambda pair: "%d-%d" % (min(pair), max(pair)))
    return st.one_of(port, port.map(str), ranges)


@st.composite
def traffic(draw: st.DrawFn) -> t.Dict[str, t.Any]:
    """Protocol, ports and ICMP types that go together."""
    form = draw(st.integers(0, 4))
    if form == 0:
        found: t.Dict[str, t.Any] = {"protocol": draw(one_or_more(st.sampled_from(_WITH_PORTS)))}
        for key in ("source_ports", "destination_ports"):
            if draw(st.booleans()):
                found[key] = draw(one_or_more(ports()))
        return found
    if form == 1:
        return {"protocol": draw(one_or_more(st.sampled_from(_WITH_PORTS + _WITHOUT_PORTS)))}
    if form == 2:
        types = st.one_of(st.integers(0, 255), st.sampled_from(["echo-request", "ECHO-REPLY", "0", "255"]))
        return {"protocol": draw(st.sampled_from(["icmp", "icmpv6", "ICMPv6"])), "icmp_types": draw(one_or_more(types))}
    if form == 3:
        return {
            "protocol": ["icmp", "icmpv6"],
            "icmp_types": draw(one_or_more(st.sampled_from(["echo-request", "ping"]))),
        }
    return {"protocol": "any"}


@st.composite
def rules(draw: st.DrawFn) -> t.Dict[str, t.Any]:
    """A rule that the parser takes, but for families that do not meet."""
    rule: t.Dict[str, t.Any] = {
        "direction": draw(st.sampled_from(["ingress", "egress", "INGRESS", "Egress"])),
        "action": draw(st.sampled_from(["accept", "drop", "reject", "ACCEPT"])),
    }
    rule.update(draw(st.one_of(st.just({}), traffic(), st.sampled_from(_SERVICES).map(lambda name: {"service": name}))))
    sides = st.one_of(addresses(), st.sampled_from((*_NETWORKS, "group:servers")))
    for key in ("sources", "destinations"):
        if draw(st.integers(0, 3)) == 0:
            rule[key] = draw(one_or_more(sides))
    if draw(st.booleans()):
        rule["description"] = draw(texts())
    if draw(st.integers(0, 9)) == 0:
        rule["enabled"] = draw(st.sampled_from([True, False, None, "yes", "no"]))
    return rule


def ends() -> st.SearchStrategy[t.Any]:
    """What stands at one end of the packets of a policy test."""
    named = one_or_more(st.one_of(addresses(), st.sampled_from((*_NETWORKS, "group:servers"))))
    return st.one_of(
        named, named.map(lambda inside: {"outside": inside}), st.sampled_from(["self", "anywhere", ["self"], "Self"])
    )


@st.composite
def policy_tests(draw: st.DrawFn) -> t.Dict[str, t.Any]:
    """A policy test that the parser takes, but for ends and families that do not meet."""
    test: t.Dict[str, t.Any] = {"expect": draw(st.sampled_from(["accept", "drop", "reject", "refused", "Refused"]))}
    kinds = st.one_of(st.just({}), traffic(), st.sampled_from(_SERVICES).map(lambda name: {"service": name}))
    test.update(draw(kinds))
    if "destination_ports" in test and draw(st.booleans()):
        test["port"] = test.pop("destination_ports")
    optional: t.Dict[str, st.SearchStrategy[t.Any]] = {
        "from": ends(),
        "to": ends(),
        "quantifier": st.sampled_from(["every", "ANY"]),
        "direction": st.sampled_from(["ingress", "Egress"]),
        "state": st.sampled_from(["new", ["established", "Related"], "invalid"]),
        "interface": st.sampled_from(["eth0", "lo", None]),
        "name": texts(),
        "description": texts(),
    }
    for key, values in optional.items():
        if draw(st.integers(0, 2)) == 0:
            test[key] = draw(values)
    if test.get("state") == ["established", "Related"] and draw(st.booleans()):
        test["flow_direction"] = draw(st.sampled_from(["original", "Reply"]))
    return test


@st.composite
def valid_variables(draw: st.DrawFn) -> t.Dict[str, t.Any]:
    """Role variables that the parser takes, unless families or a profile stand against it."""
    networks: t.Dict[str, t.Any] = {}
    for index, name in enumerate(_NETWORKS):
        forms = st.one_of(addresses(), st.sampled_from((*_NETWORKS[:index], "group:servers")))
        networks[name] = draw(st.lists(forms, max_size=4))
    names = ["web", "db-1", "p.3"]
    variables: t.Dict[str, t.Any] = {
        "firewall_networks": networks,
        "firewall_services": {"game": draw(st.lists(traffic(), min_size=1, max_size=3))},
        "firewall_policies": {name: {"rules": draw(st.lists(rules(), max_size=4))} for name in names},
        "firewall_assigned": draw(st.permutations(names)),
    }
    optional: t.Dict[str, st.SearchStrategy[t.Any]] = {
        "firewall_profile": st.sampled_from(["host", "Host", "netcup", "contabo"]),
        "firewall_default_ingress": st.sampled_from(["auto", "accept", "DROP", "reject"]),
        "firewall_default_egress": st.sampled_from(["auto", "accept", "drop"]),
        "firewall_default_policies": st.lists(st.sampled_from(["ping", "mail-block"]), max_size=2),
        "firewall_interfaces": st.lists(st.sampled_from(["eth0", "ens*", "wlan0.7"]), max_size=2),
        "firewall_interfaces_ignored": st.lists(st.sampled_from(["docker0", "br-*"]), max_size=2),
        "firewall_published": st.sampled_from(["filter", "leave", "LEAVE"]),
        "firewall_safeguards": st.sampled_from(
            [
                {"dns": True, "ntp": "auto", "dhcp": "yes", "ssh": {"ports": [22, "2200-2210"], "sources": ["office"]}},
                {"dns": ["198.51.100.53", "2001:db8::53"], "ssh": True},
            ]
        ),
        "firewall_log_dropped": st.sampled_from([True, False, {"limit": "3/MINUTE", "prefix": "x: ", "group": 2}]),
        "firewall_layout": st.sampled_from(["auto", "ordered", "Ordered", "AUTO"]),
        "firewall_counters": st.sampled_from([True, False, "no", "Yes"]),
        "firewall_tests": st.lists(policy_tests(), max_size=3),
    }
    for name, values in optional.items():
        if draw(st.integers(0, 3)) == 0:
            variables[name] = draw(values)
    return variables


def _places(value: t.Any, before: t.Tuple[t.Any, ...] = ()) -> t.List[t.Tuple[t.Any, ...]]:
    """The path of every value inside, that of the whole left out."""
    items: t.Iterable[t.Tuple[t.Any, t.Any]] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    found = []
    for key, inner in items:
        found.append((*before, key))
        found.extend(_places(inner, (*before, key)))
    return found


@st.composite
def mutated_variables(draw: st.DrawFn) -> t.Dict[str, t.Any]:
    """Right variables with one to three places that became anything."""
    variables = copy.deepcopy(draw(valid_variables()))
    for _index in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(_places(variables)))
        parent: t.Any = variables
        for step in path[:-1]:
            parent = parent[step]
        change = draw(st.integers(0, 3))
        if change == 0:
            del parent[path[-1]]
        elif change == 1 and isinstance(parent, dict) and len(path) > 1:
            parent[draw(st.one_of(texts(), st.sampled_from(_KEYS)))] = draw(anything())
        else:
            parent[path[-1]] = draw(anything())
        if not variables:
            break
    return variables


def any_variables() -> st.SearchStrategy[t.Dict[str, t.Any]]:
    """Role variables that are anything, nearly right, or right: some of each reach the compiler."""
    anything_at_all = st.dictionaries(st.sampled_from(_VARIABLES), anything(), max_size=5)
    return st.one_of(anything_at_all, mutated_variables(), valid_variables())
