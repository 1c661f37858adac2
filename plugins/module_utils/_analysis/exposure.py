# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""What is open that should not be: to everybody, by a source port, or in one address family alone."""

from __future__ import annotations

import typing as t

from .._core.intervals import IntervalSet
from .._policy.catalogue import SERVICES
from .._policy.model import Action
from .codes import finding
from .decided import DecidedChain, DecidedRule
from .findings import Finding
from .first_matches import Undecided
from .regions import (
    DESTINATION,
    DESTINATION_PORT,
    FAMILY_SPACE,
    PROTOCOL,
    SOURCE,
    SOURCE_PORT,
    SPACE,
    Intervals,
    Region,
    family_of,
    opening,
)

#: Services that are made for few: data without a password, or a whole machine behind one.
_FOR_FEW = (
    "cassandra",
    "consul-http",
    "couchdb",
    "docker-tls",
    "elasticsearch",
    "etcd-client",
    "etcd-server",
    "influxdb",
    "ipmi",
    "kubelet",
    "libvirt",
    "libvirt-tls",
    "memcached",
    "mongodb",
    "mssql",
    "mysql",
    "nfs",
    "oracle-listener",
    "postgresql",
    "rabbitmq-management",
    "rdp",
    "redis",
    "rpcbind",
    "smb",
    "snmp",
    "telnet",
    "vnc",
    "webmin",
    "winrm",
    "winrms",
)

#: The Docker daemon without TLS; the catalogue has no service for what nobody should open.
_MORE_FOR_FEW = (("docker", 6, (2375, 2375)),)

_NUMBERS = {"tcp": 6, "udp": 17}
_SSH_PORTS = ("ssh", 6, (22, 22))
_EVERY_PORT: Intervals = (SPACE[SOURCE_PORT],)

#: What clients send from where nothing else is said, on Linux (ip-sysctl, ip_local_port_range).
_CLIENT_PORTS = IntervalSet([(32768, 60999)])

#: A part of all addresses that counts as everybody, whoever is left out: one in so many.
_WORLD = 16

#: Parts of what a rule decides that are looked at.
_MOST_PARTS = 16

#: Steps that putting them together may take: it is asked for each service of each rule.
_MOST_STEPS = 500

#: Ports of the services that come with a system, and that a program needs privileges for.
_SYSTEM_PORTS: Intervals = ((0, 1023),)

#: Services that one finding names.
_MOST_NAMES = 6

_Port = t.Tuple[str, int, t.Tuple[int, int]]


def _ports_for_few() -> t.Iterator[_Port]:
    for name in _FOR_FEW:
        for entry in SERVICES[name].entries:
            for port in entry.destination_ports:
                low, _dash, high = str(port).partition("-")
                yield name, _NUMBERS[entry.protocol], (int(low), int(high or low))
    yield from _MORE_FOR_FEW


def find_exposed(ingress: DecidedChain) -> t.Iterator[Finding]:
    """Rules that accept new connections from everybody to a service that is made for few."""
    for rule in _accepting_everybody(ingress):
        opened = _opened(ingress, rule, list(_ports_for_few()))
        if opened:
            names = list(dict.fromkeys(name for name, _part in opened))
            more = " and %d more" % (len(names) - _MOST_NAMES) if len(names) > _MOST_NAMES else ""
            yield finding(
                "exposed",
                "lets everybody reach %s%s" % (", ".join(names[:_MOST_NAMES]), more),
                "Name the sources that need it.",
                direction=ingress.direction,
                rule=rule.rule.origin,
                witness=ingress.witness(opened[0][1]),
            )
        ssh = _opened(ingress, rule, [_SSH_PORTS])
        if ssh:
            yield finding(
                "exposed-ssh",
                "lets everybody reach SSH",
                "Name the administrators' addresses as sources where they are known.",
                direction=ingress.direction,
                rule=rule.rule.origin,
                witness=ingress.witness(ssh[0][1]),
            )


def _accepting_everybody(chain: DecidedChain) -> t.Iterator[DecidedRule]:
    for rule in chain.written:
        if rule.rule.action is Action.ACCEPT and any(_is_from_everybody(region) for region in rule.regions):
            yield rule


def _is_from_everybody(region: Region) -> bool:
    return _is_everybody(IntervalSet(region[SOURCE]), region)


def _is_everybody(sources: IntervalSet, region: Region) -> bool:
    """Whether that is a good part of all addresses of the region's family."""
    low, high = FAMILY_SPACE[family_of(region)]
    return sources.size * _WORLD > high - low


def _is_from_clients(region: Region) -> bool:
    return not _CLIENT_PORTS - IntervalSet(region[SOURCE_PORT])


def _opened(chain: DecidedChain, rule: DecidedRule, ports: t.Sequence[_Port]) -> t.List[t.Tuple[str, Region]]:
    """The services of which the rule decides a new connection from everybody, each with packets of one."""
    found = []
    for region in rule.regions:
        if not _is_from_everybody(region) or not _is_from_clients(region):
            continue
        for name, protocol, (low, high) in ports:
            part = _narrowed(region, {PROTOCOL: ((protocol, protocol),), DESTINATION_PORT: ((low, high),)})
            try:
                decided = _decided_for_everybody(chain, rule, part) if part is not None else None
            except Undecided:
                continue
            if decided is not None:
                found.append((name, decided))
    return found


def _decided_for_everybody(chain: DecidedChain, rule: DecidedRule, asked: Region) -> t.Optional[Region]:
    """Packets of the region that the rule decides, where that is so from a good part of all addresses.

    Earlier rules may have taken some away, such as those that refuse a list of addresses.
    """
    found = chain.find(asked, rule.bits)
    if found is None or _is_from_everybody(found):
        # As a rule, which spares most questions.
        return found
    sources = IntervalSet()
    parts = chain.matches.each(asked, chain.every, rule.bits, _MOST_STEPS)
    for part, _number in zip(parts, range(_MOST_PARTS)):
        sources |= IntervalSet(part[SOURCE])
        if _is_everybody(sources, asked):
            return part
    return None


def _narrowed(region: Region, conditions: t.Mapping[int, Intervals]) -> t.Optional[Region]:
    """The packets of the region that open a connection and meet the conditions; None where there is none."""
    changed = list(opening(region))
    for dimension, intervals in conditions.items():
        kept = (IntervalSet(changed[dimension]) & IntervalSet(intervals)).intervals
        if not kept:
            return None
        changed[dimension] = kept
    return tuple(changed)


def find_source_port_holes(ingress: DecidedChain) -> t.Iterator[Finding]:
    """Rules that let everybody who sends from a certain port reach the host's own services."""
    for rule in _accepting_everybody(ingress):
        for region in rule.regions:
            if not _is_from_everybody(region) or region[SOURCE_PORT] == _EVERY_PORT:
                continue
            if region[DESTINATION_PORT] != _EVERY_PORT:
                continue
            part = _narrowed(region, {DESTINATION_PORT: _SYSTEM_PORTS})
            try:
                decided = ingress.find(part, rule.bits) if part is not None else None
            except Undecided:
                break
            if decided is not None:
                yield finding(
                    "source-port-hole",
                    "lets everybody who sends from its source ports reach every port of the host",
                    "Answers need no rule where the profile follows connections; elsewhere name the servers as "
                    "sources, or destination_ports 1024-65535.",
                    direction=ingress.direction,
                    rule=rule.rule.origin,
                    witness=ingress.witness(decided),
                )
                break


def find_forgotten_families(chain: DecidedChain) -> t.Iterator[Finding]:
    """Rules about all addresses of one family, of which the other family gets the opposite."""
    for rule in chain.written:
        families = {family_of(region) for region in rule.regions}
        if len(families) != 1 or not all(_is_whole_family(region, rule) for region in rule.regions):
            continue
        try:
            found = _opposite(chain, rule)
        except Undecided:
            continue
        if found is not None:
            family = families.pop()
            accepts = rule.rule.action is Action.ACCEPT
            yield finding(
                "family-forgotten",
                "is about IPv%d alone, and over IPv%d the same packets are %s"
                % (family, 10 - family, "refused" if accepts else "accepted"),
                "Leave the addresses out to mean both families, or add ::/0 or 0.0.0.0/0.",
                direction=chain.direction,
                rule=rule.rule.origin,
                witness=chain.witness(found),
            )


def _is_whole_family(region: Region, rule: DecidedRule) -> bool:
    """Whether the addresses of a rule say nothing but the family."""
    space = (FAMILY_SPACE[family_of(region)],)
    named = rule.rule.sources is not None or rule.rule.destinations is not None
    return named and region[SOURCE] == space and region[DESTINATION] == space


def _opposite(chain: DecidedChain, rule: DecidedRule) -> t.Optional[Region]:
    """Packets of the other family with the opposite verdict; for an accepting rule, only where all have it."""
    accepting = chain.acting(Action.ACCEPT)
    refused: t.Optional[Region] = None
    for region in rule.regions:
        part = opening(_mirrored(region))
        if chain.find(region, rule.bits) is None:
            continue
        accepted = chain.find(part, accepting)
        if rule.rule.action is not Action.ACCEPT:
            if accepted is not None:
                return accepted
        elif accepted is not None:
            return None
        else:
            refused = refused or chain.find(part, chain.acting_otherwise(Action.ACCEPT))
    return refused


def _mirrored(region: Region) -> Region:
    other = (FAMILY_SPACE[10 - family_of(region)],)
    changed = list(region)
    changed[SOURCE] = changed[DESTINATION] = other
    return tuple(changed)
