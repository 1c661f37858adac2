# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection and can change without notice.

"""What the report says of a policy: judged once for all hosts that share it."""

from __future__ import annotations

import json
import typing as t

from ...module_utils._analysis.codes import CODES
from ...module_utils._analysis.decided import DecidedChain
from ...module_utils._analysis.findings import Severity
from ...module_utils._analysis.lint import lint_variables
from ...module_utils._analysis.rule_list import list_rules
from ...module_utils._analysis.wording import describe_protocol
from ...module_utils._compile.lower import lower
from ...module_utils._compile.lowered import LoweredProgram
from ...module_utils._core.addresses import AddressSet
from ...module_utils._core.errors import PolicyError, Problems
from ...module_utils._policy.definitions import merge_definitions
from ...module_utils._policy.model import Direction, Rule, Traffic
from ...module_utils._policy.networks import Networks
from ...module_utils._policy.parse import parse_firewall
from ...module_utils._policy.program import Program, build_program
from ...module_utils._policy.protocols import PORT_PROTOCOLS

_NETWORKS = "firewall_networks"

#: Of longer policies only what is probably wrong is looked for: the rest compares rules with each other.
_MOST_RULES_JUDGED_WHOLE = 2000
_WARNINGS = tuple(code for code in CODES if CODES[code].severity is Severity.WARNING)

#: Protocol, first and last port.
PortRow = t.List[t.Union[str, int]]


class Judged(t.NamedTuple):
    """A policy.

    Attributes:
        problems: ``{code, place, message}`` each, where it is wrong; everything else is empty then.
        about: Its profile, default actions and policies.
        rules: In the order of evaluation, ingress first, each direction ended by its default action.
        networks: What the names in it mean.
    """

    problems: t.List[t.Dict[str, str]]
    about: t.Dict[str, t.Any]
    rules: t.List[t.Dict[str, t.Any]]
    findings: t.List[t.Dict[str, t.Any]]
    networks: t.Dict[str, AddressSet]
    chains: t.Dict[Direction, DecidedChain]


class Policies:
    """Judges policies, each once."""

    def __init__(self) -> None:
        self._judged: t.Dict[str, Judged] = {}

    def judge(
        self, variables: t.Mapping[str, t.Any], groups: t.Mapping[str, t.Any], ssh_port: t.Optional[int]
    ) -> Judged:
        """What is so about role variables.

        Args:
            ssh_port: Where administrators reach the host; None: not over SSH.
        """
        key = json.dumps([variables, groups, ssh_port])
        if key not in self._judged:
            self._judged[key] = _judge(variables, groups, ssh_port)
        return self._judged[key]


def _judge(variables: t.Mapping[str, t.Any], groups: t.Mapping[str, t.Any], ssh_port: t.Optional[int]) -> Judged:
    try:
        firewall = parse_firewall(variables, groups=groups)
    except PolicyError as exc:
        return Judged(
            [{"code": one.code, "place": one.place, "message": one.message} for one in exc.problems], {}, [], [], {}, {}
        )
    program = build_program(firewall)
    lowered = lower(program)
    long = sum(len(policy.rules) for policy in firewall.assigned) > _MOST_RULES_JUDGED_WHOLE
    findings = lint_variables(
        variables, firewall, groups=groups, ssh_port=ssh_port, codes=_WARNINGS if long else tuple(CODES)
    )
    about = {
        "profile": firewall.profile,
        "default_ingress": firewall.defaults[Direction.INGRESS].value,
        "default_egress": firewall.defaults[Direction.EGRESS].value,
        "policies": [policy.name for policy in (*firewall.default_policies, *firewall.assigned)],
        "warnings": [str(one) for one in firewall.warnings],
    }
    return Judged(
        [],
        about,
        list(_rows(program, lowered)),
        [finding.to_plain() for finding in findings],
        dict(_networks(variables, groups)),
        {chain.direction: DecidedChain(program, chain) for chain in lowered.chains},
    )


def _networks(variables: t.Mapping[str, t.Any], groups: t.Mapping[str, t.Any]) -> t.Iterator[t.Tuple[str, AddressSet]]:
    """The networks that were collected, which are those that the host's policies refer to."""
    problems = Problems()
    networks = Networks(variables, groups, problems)
    for name, definition in merge_definitions(variables, _NETWORKS, "network", problems).items():
        if definition.value is not None:
            found = networks.read_addresses(name, definition.place)
            if found:
                yield name, found


def _rows(program: Program, lowered: LoweredProgram) -> t.Iterator[t.Dict[str, t.Any]]:
    """The rules as ``ruleset_info`` lists them, and what ports each is about."""
    ports = [
        found
        for chain in (program.chain(one.direction) for one in lowered.chains)
        if chain.restricted
        for found in (*(_ports(step.rule) for step in chain.steps), [["any", 0, 65535]])
    ]
    for listed, found in zip(list_rules(program, lowered), ports):
        yield {**listed.plain, "ports": found}


def _ports(rule: Rule) -> t.List[PortRow]:
    """The ports that a rule is about, ``any`` for the protocols where it names none."""
    return [row for traffic in rule.traffic for row in _ports_of(traffic)]


def _ports_of(traffic: Traffic) -> t.Iterator[PortRow]:
    names = ["any"]
    if traffic.protocols is not None:
        names = [describe_protocol(number) for number in sorted(PORT_PROTOCOLS) if number in traffic.protocols]
    intervals = ((0, 65535),) if traffic.destination_ports is None else traffic.destination_ports.intervals
    for name in names:
        for low, high in intervals:
            yield [name, low, high]
