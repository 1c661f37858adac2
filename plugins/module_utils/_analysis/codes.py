# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""The codes of findings: what each means, how grave it is, and the smallest example that has it.

``docs/lint.md`` is rendered from here, and a test lints every example.
"""

from __future__ import annotations

import typing as t

from .._policy.model import Direction, Origin
from .._policy.packet import Packet
from .findings import Finding, Severity

_Rule = t.Mapping[str, object]


class Code(t.NamedTuple):
    """One kind of finding.

    Attributes:
        explanation: When it is found, in full sentences.
        example: Role variables of a host that has it.
        providers: The providers that the example is linted for.
    """

    severity: Severity
    title: str
    explanation: str
    example: t.Mapping[str, object]
    providers: t.Tuple[str, ...] = ()


def _policy(*rules: _Rule, **settings: object) -> t.Dict[str, object]:
    variables: t.Dict[str, object] = {
        "firewall_policies": {"web": {"rules": list(rules)}},
        "firewall_assigned": ["web"],
    }
    variables.update(("firewall_" + name, value) for name, value in settings.items())
    return variables


def _in(action: str = "accept", **conditions: object) -> _Rule:
    return {"direction": "ingress", **conditions, "action": action}


def _out(action: str = "accept", **conditions: object) -> _Rule:
    return {"direction": "egress", **conditions, "action": action}


_SSH = _in(service="ssh", sources=["198.51.100.0/24"])

CODES: t.Mapping[str, Code] = {
    "shadowed": Code(
        Severity.WARNING,
        "A rule that never decides",
        "The rules before it, taken together, decide every packet of this one, and not all as it would; or they are "
        "rules of its own policy. They are named, and the packet is one that this rule describes and another decides.",
        _policy(
            _SSH,
            _in("drop", protocol="tcp", destination_ports="1-1023"),
            _in("drop", protocol="tcp", destination_ports="1024-65535"),
            _in(protocol="tcp", destination_ports="1000-2000"),
        ),
    ),
    "covered": Code(
        Severity.INFO,
        "A rule that other policies make needless",
        "The rules before it, taken together, decide every packet of this one as it would, and some of them are in "
        "another policy, or Palisade's own. Where policies of several groups add up on one host, that is as it should "
        "be.",
        {
            "firewall_policies": {
                "base": {"rules": [_SSH, _in(service=["http", "https"])]},
                "web": {"rules": [_in(service="https"), _in(service="http3")]},
            },
            "firewall_assigned": ["base", "web"],
        },
    ),
    "duplicate": Code(
        Severity.WARNING,
        "A rule that is there twice",
        "An earlier rule of the policy has the same conditions, however they are written, and the same action.",
        _policy(
            _SSH,
            _in(service="https"),
            _in(protocol="tcp", destination_ports=443),
        ),
    ),
    "unreachable-policy": Code(
        Severity.WARNING,
        "A policy of which no rule ever decides",
        "Every enabled rule of an assigned policy is shadowed, a duplicate or covered, and not all are merely covered.",
        {
            "firewall_policies": {
                "closed": {"rules": [_SSH, _in("drop", protocol="tcp")]},
                "web": {"rules": [_in(service="http"), _in(service="https")]},
            },
            "firewall_assigned": ["closed", "web"],
        },
    ),
    "redundant": Code(
        Severity.INFO,
        "A rule that changes nothing",
        "It decides packets, but every one of them would get the same verdict without it, from a later rule or from "
        "the default action. A rule may be redundant on one host and needed on the next.",
        _policy(
            _SSH,
            _in(service="http", sources=["203.0.113.0/24"]),
            _in(service="http"),
        ),
    ),
    "conflict": Code(
        Severity.INFO,
        "Two rules that disagree about the packets they share",
        "An earlier rule of another verdict decides packets that this rule describes too, and neither of the two lies "
        "within the other, so the order alone says which one is the exception. Up to three earlier rules are named, "
        "with the packets that both describe; the example is one that the first of them decides.",
        _policy(
            _SSH,
            _in("drop", sources=["203.0.113.0/24"]),
            _in(service="https"),
        ),
    ),
    "mergeable": Code(
        Severity.INFO,
        "Rules that could be one",
        "Rules of one policy have the same action and differ in one condition, and nothing of another verdict between "
        "them stands in the way. Rules with descriptions of their own are left alone, and so is what the profile "
        "cannot take in one rule.",
        _policy(
            _SSH,
            _in(protocol="tcp", destination_ports=80),
            _in(protocol="tcp", destination_ports=443),
        ),
    ),
    "undecided": Code(
        Severity.INFO,
        "A rule that was given up",
        "Whether a rule decides any packet, or whether it matters, is found out exactly, with a bound on the work for "
        "each rule. Past it the rule gets this finding instead of an answer that might be wrong. Only very large "
        "policies whose rules overlap in every field get there; no small example does.",
        {},
    ),
    "egress-cut": Code(
        Severity.WARNING,
        "The first egress rule cuts off what the host needs",
        "With firewall_default_egress on auto, the first egress rule of an assigned policy makes everything else "
        "refused. What a server usually needs and loses is listed: name servers, time servers, DHCP, the metadata "
        "service of its cloud, package mirrors. Asked is about packets from ports 32768 to 60999, from which Linux "
        "sends: those of a server's own port are its answers. "
        "A safeguard that looks for them on the host (auto) counts as enough where nothing is known about the host. "
        "Whom the host talks to is seen on the host alone: a run, and plan, warn of open connections that it may not "
        "open again.",
        _policy(_SSH, _out(service="postgresql", destinations=["192.0.2.21"])),
    ),
    "egress-answers-only": Code(
        Severity.WARNING,
        "Egress rules for answers alone",
        "Every egress rule that accepts asks for a source port: it lets answers of the host's servers out. As the "
        "default then refuses the rest, no program on the host reaches anything.",
        _policy(
            _in(protocol="tcp", destination_ports=443),
            _in(protocol="tcp", destination_ports=22),
            _out(protocol="tcp", source_ports=443),
            _out(protocol="tcp", source_ports=22),
            profile="netcup",
        ),
    ),
    "reply-missing": Code(
        Severity.WARNING,
        "UDP without the way back",
        "The profile knows no connections of UDP, so requests and answers need a rule each. A rule accepts packets of "
        "which the answer is refused. Answers to ports 32768 to 60999 are asked about, from which Linux sends, where "
        "the rule allows them.",
        _policy(
            _in(protocol="tcp", destination_ports=22),
            _out(protocol="tcp", source_ports=22),
            _in(protocol="udp", destination_ports=53),
            default_egress="drop",
            profile="netcup",
        ),
    ),
    "ssh-locked-out": Code(
        Severity.WARNING,
        "No new SSH connection gets in",
        "Incoming packets are refused by default, and no rule lets one new connection to the SSH port in, or none of "
        "its answers out. The ports are those of the ssh safeguard, or 22. With that safeguard switched off nothing "
        "is said.",
        _policy(_in(service="https")),
    ),
    "family-forgotten": Code(
        Severity.WARNING,
        "One address family is treated, the other forgotten",
        "A rule is about all addresses of one family, and the same packets of the other family get the opposite: what "
        "is opened stays closed there, or what is closed stays open.",
        _policy(_SSH, _in(service="https", sources=["0.0.0.0/0"])),
    ),
    "exposed": Code(
        Severity.WARNING,
        "A database or a management port is open to everybody",
        "A rule accepts new connections from any address to a port of a service that is made for few: databases, "
        "caches, remote desktops, container and cluster interfaces. A sixteenth of all addresses of a family and more "
        "counts as everybody, whomever the rule or earlier ones leave out.",
        _policy(_SSH, _in(service="postgresql")),
    ),
    "exposed-ssh": Code(
        Severity.INFO,
        "SSH is open to everybody",
        "A rule accepts new SSH connections from everybody, as in exposed. That is common, and with keys alone it is "
        "defensible.",
        _policy(_in(service="ssh")),
    ),
    "source-port-hole": Code(
        Severity.WARNING,
        "A source port opens everything",
        "A rule accepts incoming packets from any address by their source port, to ports below 1024. Whoever sends "
        "from that port reaches the host's own services: a source port proves nothing.",
        _policy(_SSH, _in(protocol="udp", source_ports=[53, 123])),
    ),
    "provider-refuses": Code(
        Severity.INFO,
        "A provider would refuse the rule",
        "Asked for by name: what the firewall of that provider would not take. It is found by reading the policies "
        "under the provider's profile.",
        _policy(_SSH, _in(protocol="tcp", destination_ports=[80, 443])),
        providers=("netcup",),
    ),
}

#: Codes that are about a host as it is, not about a provider that it might have.
CODES_OF_HOSTS = tuple(code for code in CODES if not CODES[code].providers)


def finding(
    code: str,
    message: str,
    suggestion: str,
    *,
    direction: t.Optional[Direction] = None,
    rule: t.Optional[Origin] = None,
    others: t.Tuple[Origin, ...] = (),
    witness: t.Optional[Packet] = None,
) -> Finding:
    """A finding with the severity of its code."""
    return Finding(code, CODES[code].severity, message, suggestion, direction, rule, others, witness)
