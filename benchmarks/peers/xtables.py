# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""iptables in both of its kinds, alone and with sets of ipset."""

from __future__ import annotations

import functools
import shutil
import typing as t

from lab.namespaces import Host

from .contender import Contender, UnableError, run
from .policy import Rule

_TABLE = """\
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -m conntrack --ctstate INVALID -j DROP
-A INPUT -i lo -j ACCEPT
%s
%s
COMMIT
"""
_ICMP = "-A INPUT -p icmp -m icmp --icmp-type 8 -j ACCEPT"
_ICMPV6 = "\n".join("-A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type %d -j ACCEPT" % kind for kind in (128, 134, 135, 136))


def _text(rules: t.Iterable[str], *, family: int = 4) -> str:
    return _TABLE % (_ICMP if family == 4 else _ICMPV6, "\n".join(rules))


def _rule(rule: Rule) -> str:
    source = "" if rule.source is None else "-s %s " % rule.source
    return "-A INPUT %s-p %s %s -j %s" % (source, rule.protocol, _ports(rule), _target(rule))


def _ports(rule: Rule) -> str:
    return "-m %s --dport %s" % (rule.protocol, rule.ports(":"))


def _target(rule: Rule) -> str:
    return "ACCEPT" if rule.accept else "DROP"


def _load(kind: str, host: Host, rules: t.Sequence[Rule]) -> float:
    _need("iptables-%s-restore" % kind, "iptables")
    seconds = run(host, ["iptables-%s-restore" % kind], _text(_rule(rule) for rule in rules))
    # What names no address holds for IPv6 as well.
    both = _text((_rule(rule) for rule in rules if rule.source is None), family=6)
    return seconds + run(host, ["ip6tables-%s-restore" % kind], both)


def _need(command: str, package: str) -> None:
    if shutil.which(command) is None:
        raise UnableError("%s is missing (package %s)" % (command, package))


def _joined(rules: t.Sequence[Rule], alike: t.Callable[[Rule], object]) -> t.List[t.List[Rule]]:
    """The rules in lists of those that are alike, such that the first list with a matching rule decides as they do.

    Each rule joins the first list of its kind that comes behind every earlier rule that overlaps it and
    decides otherwise. Rules that are alike decide alike.
    """
    lists: t.List[t.List[Rule]] = []
    kinds: t.Dict[object, t.List[int]] = {}
    by_ports: t.Dict[t.Tuple[str, int, int], t.List[t.Tuple[Rule, int]]] = {}
    for rule in rules:
        behind = max(
            (
                place
                for earlier in by_ports.values()
                # All of them have the same ports.
                if earlier[0][0].shares_ports(rule)
                for other, place in earlier
                if other.accept != rule.accept and other.overlaps(rule)
            ),
            default=-1,
        )
        places = kinds.setdefault(alike(rule), [])
        place = next((one for one in places if one > behind), len(lists))
        if place == len(lists):
            lists.append([])
            places.append(place)
        lists[place].append(rule)
        by_ports.setdefault((rule.protocol, rule.low, rule.high), []).append((rule, place))
    return lists


def _load_sets_of_ports(kind: str, host: Host, rules: t.Sequence[Rule]) -> float:
    """A set of networks for each port and verdict; what is for everybody is a rule."""
    lines, texts = [], []
    everybody = [rule for rule in rules if rule.source is None]
    kinds = _joined(rules, lambda rule: (rule.protocol, rule.low, rule.high, rule.accept, rule.source is None))
    for number, members in enumerate(kinds):
        rule = members[0]
        if len(members) == 1:
            texts.append(_rule(rule))
            continue
        name = "set%d" % number
        lines += ["create %s hash:net" % name, *("add %s %s" % (name, member.source) for member in members)]
        texts.append(
            "-A INPUT -p %s %s -m set --match-set %s src -j %s" % (rule.protocol, _ports(rule), name, _target(rule))
        )
    return _load_sets(kind, host, lines, texts, everybody)


def _load_sets_of_pairs(kind: str, host: Host, rules: t.Sequence[Rule]) -> float:
    """Sets of networks with their ports; as many as the order of the verdicts asks for."""
    lines, texts = [], []
    everybody = [rule for rule in rules if rule.source is None]
    for number, members in enumerate(_joined(rules, lambda rule: rule.accept)):
        name = "set%d" % number
        # Ports of a range become an element each.
        lines.append("create %s hash:net,port maxelem 1048576" % name)
        lines += [
            # The set refuses what is there already, as where one range of ports lies within another.
            "add %s %s,%s:%s -exist" % (name, source, rule.protocol, rule.ports())
            for rule in members
            # It takes no network of length 0.
            for source in (("0.0.0.0/1", "128.0.0.0/1") if rule.source is None else (rule.source,))
        ]
        texts.append("-A INPUT -m set --match-set %s src,dst -j %s" % (name, _target(members[0])))
    return _load_sets(kind, host, lines, texts, everybody)


def _load_sets(kind: str, host: Host, lines: t.List[str], texts: t.List[str], everybody: t.Sequence[Rule]) -> float:
    _need("ipset", "ipset")
    _need("iptables-%s-restore" % kind, "iptables")
    seconds = run(host, ["ipset", "restore"], "\n".join(lines) + "\n")
    seconds += run(host, ["iptables-%s-restore" % kind], _text(texts))
    return seconds + run(host, ["ip6tables-%s-restore" % kind], _text(map(_rule, everybody), family=6))


_SETS_OF_PORTS = "A `hash:net` for each port and verdict, and a rule of iptables for each set."
_SETS_OF_PAIRS = "As few `hash:net,port` as the order of accept and drop allows, and a rule of iptables for each."

CONTENDERS = (
    Contender(
        "iptables-nft",
        "iptables (nft)",
        functools.partial(_load, "nft"),
        "`iptables-nft-restore`, one rule after another.",
    ),
    Contender(
        "iptables-legacy",
        "iptables (legacy)",
        functools.partial(_load, "legacy"),
        "`iptables-legacy-restore` of the same text.",
    ),
    Contender(
        "ipset-ports-nft",
        "ipset by port, iptables (nft)",
        functools.partial(_load_sets_of_ports, "nft"),
        _SETS_OF_PORTS,
    ),
    Contender(
        "ipset-ports-legacy",
        "ipset by port, iptables (legacy)",
        functools.partial(_load_sets_of_ports, "legacy"),
        _SETS_OF_PORTS,
    ),
    Contender(
        "ipset-pairs-nft",
        "ipset net,port, iptables (nft)",
        functools.partial(_load_sets_of_pairs, "nft"),
        _SETS_OF_PAIRS,
    ),
    Contender(
        "ipset-pairs-legacy",
        "ipset net,port, iptables (legacy)",
        functools.partial(_load_sets_of_pairs, "legacy"),
        _SETS_OF_PAIRS,
    ),
)
