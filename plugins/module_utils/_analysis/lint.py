# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Lint: everything that is worth saying about the firewall of one host, without looking at the host."""

from __future__ import annotations

import typing as t

from .._compile.lower import lower
from .._core.collector import garbage_kept
from .._policy.hostfacts import HostFacts
from .._policy.model import Direction, Firewall, Origin, Stage
from .._policy.profiles import PROFILES
from .._policy.program import build_program
from .codes import CODES, finding
from .dead_rules import find_dead
from .decided import DecidedChain
from .exposure import find_exposed, find_forgotten_families, find_source_port_holes
from .findings import MOST_OTHERS, Finding
from .first_matches import DEFAULT_BUDGET
from .neighbouring_rules import find_conflicts, find_mergeable
from .providers import find_refused
from .reachability import find_answers_only, find_cut_egress, find_missing_replies, find_ssh_lockout

SSH_PORT = 22


@garbage_kept()
def lint(
    firewall: Firewall,
    facts: t.Optional[HostFacts] = None,
    *,
    auto_egress: bool = True,
    ssh_port: t.Optional[int] = SSH_PORT,
    codes: t.Container[str] = CODES,
    budget: int = DEFAULT_BUDGET,
) -> t.List[Finding]:
    """The findings about a firewall, those of its ingress rules first, each kind in the order of the rules.

    Args:
        facts: What was found out on the host; without it safeguards in mode ``auto`` count as enough.
        auto_egress: Whether the default action of egress came by itself, from an egress rule.
        ssh_port: Where administrators reach the host, if the ssh safeguard names no ports; None: not over SSH.
        codes: What is looked for. What takes long and is not asked for is left out.
        budget: Steps that one question may take.
    """
    profile = PROFILES[firewall.profile]
    program = build_program(firewall, facts)
    chains = {chain.direction: DecidedChain(program, chain, budget) for chain in lower(program).chains}
    ingress, egress = chains[Direction.INGRESS], chains[Direction.EGRESS]
    findings: t.List[Finding] = []
    deciding: t.Set[t.Tuple[Direction, int]] = set()
    for chain, other in ((ingress, egress), (egress, ingress)):
        dead = find_dead(chain, redundant="redundant" in codes)
        findings += dead.findings
        deciding.update((chain.direction, rule.index) for rule in chain.rules if rule.index not in dead.indexes)
        if "conflict" in codes:
            findings += find_conflicts(chain, dead.indexes)
        if "mergeable" in codes:
            findings += find_mergeable(chain, dead.indexes, profile)
        findings += find_forgotten_families(chain)
        findings += find_missing_replies(chain, other, profile)
    findings += find_exposed(ingress)
    findings += find_source_port_holes(ingress)
    if ssh_port is not None:
        findings += find_ssh_lockout(ingress, egress, firewall.safeguards, ssh_port)
    if auto_egress:
        findings += list(find_answers_only(egress)) or find_cut_egress(egress, firewall.safeguards, facts)
    findings += _unreachable_policies(
        chains, deciding, {(one.direction, one.rule) for one in findings if one.code == "covered"}
    )
    return [finding for finding in findings if finding.code in codes]


def _unreachable_policies(
    chains: t.Mapping[Direction, DecidedChain],
    deciding: t.AbstractSet[t.Tuple[Direction, int]],
    covered: t.Container[t.Tuple[t.Optional[Direction], t.Optional[Origin]]],
) -> t.Iterator[Finding]:
    """Assigned policies of which no rule decides anything, in either direction, and not all are merely covered."""
    for name, rules in _rules_of_policies(chains).items():
        if not any((direction, index) in deciding for direction, index in rules):
            listed = [chains[direction].rules[index].rule.origin for direction, index in rules]
            if all((direction, origin) in covered for (direction, _index), origin in zip(rules, listed)):
                continue
            yield finding(
                "unreachable-policy",
                "is assigned, and none of its rules ever decides a packet",
                "Assign it with a lower order, or leave it out here.",
                rule=Origin(name, None, listed[0].variable),
                others=tuple(listed[:MOST_OTHERS]),
            )


def _rules_of_policies(
    chains: t.Mapping[Direction, DecidedChain],
) -> t.Dict[str, t.List[t.Tuple[Direction, int]]]:
    found: t.Dict[str, t.List[t.Tuple[Direction, int]]] = {}
    for direction, chain in chains.items():
        for rule in chain.rules:
            if rule.stage is Stage.ASSIGNED and rule.regions:
                found.setdefault(rule.rule.origin.name, []).append((direction, rule.index))
    return found


def lint_variables(
    variables: t.Mapping[str, object],
    firewall: Firewall,
    facts: t.Optional[HostFacts] = None,
    *,
    groups: t.Optional[t.Mapping[str, object]] = None,
    providers: t.Iterable[str] = (),
    ssh_port: t.Optional[int] = SSH_PORT,
    codes: t.Container[str] = CODES,
) -> t.List[Finding]:
    """The findings about the firewall that role variables made, as :func:`lint`, and what providers would refuse."""
    default = variables.get("firewall_default_egress")
    auto = default is None or (isinstance(default, str) and default.lower() == "auto")
    findings = lint(firewall, facts, auto_egress=auto, ssh_port=ssh_port, codes=codes)
    for provider in providers:
        findings += find_refused(variables, groups, provider)
    return findings
