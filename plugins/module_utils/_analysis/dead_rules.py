# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Dead rules: those that decide no packet, and those that decide nothing that would not happen anyway."""

from __future__ import annotations

import typing as t

from .._compile._auto.overlap import Bits
from .codes import finding
from .decided import DecidedChain, DecidedRule
from .findings import MOST_OTHERS, Finding
from .first_matches import Undecided
from .regions import Region


class Dead(t.NamedTuple):
    """What was found, and the rules (by index in the chain) that decide no packet."""

    findings: t.List[Finding]
    indexes: t.FrozenSet[int]


def find_dead(chain: DecidedChain, *, redundant: bool = True) -> Dead:
    """Rules of one direction that decide nothing, and where ``redundant`` is asked those that change nothing."""
    findings: t.List[Finding] = []
    dead: t.Set[int] = set()
    written: t.Dict[object, DecidedRule] = {}
    for rule in chain.written:
        same = written.setdefault((rule.rule.origin.name, rule.rule.action, frozenset(rule.regions)), rule)
        if same is not rule:
            findings.append(_duplicate(chain, rule, same))
            dead.add(rule.index)
            continue
        try:
            if not _decides(chain, rule):
                findings.append(_without_packets(chain, rule))
                dead.add(rule.index)
            elif redundant and not _matters(chain, rule):
                findings.append(_redundant(chain, rule))
        except Undecided:
            findings.append(
                finding(
                    "undecided",
                    "was given up: whether it decides any packet takes longer to find out than lint takes for a rule",
                    "A rule with fewer addresses and ports, or fewer overlapping rules before it, can be decided.",
                    direction=chain.direction,
                    rule=rule.rule.origin,
                )
            )
    return Dead(findings, frozenset(dead))


def _decides(chain: DecidedChain, rule: DecidedRule) -> bool:
    """Whether some packet gets past the rules before it."""
    active = rule.before | chain.none
    return any(chain.find(region, chain.none, active) is not None for region in rule.regions)


def _matters(chain: DecidedChain, rule: DecidedRule) -> bool:
    """Whether some packet that it decides would get another verdict without it."""
    active = chain.every & ~rule.bits
    wanted = chain.acting_otherwise(rule.rule.action) & active & ~rule.before
    return any(chain.find(region, wanted, active) is not None for region in rule.regions)


def _duplicate(chain: DecidedChain, rule: DecidedRule, same: DecidedRule) -> Finding:
    return finding(
        "duplicate",
        "says what %s says already, and comes after it" % same.rule.origin,
        "Remove one of them.",
        direction=chain.direction,
        rule=rule.rule.origin,
        others=(same.rule.origin,),
        witness=chain.witness(rule.regions[0]),
    )


def _without_packets(chain: DecidedChain, rule: DecidedRule) -> Finding:
    """``shadowed`` or ``covered``: whether some packet gets another verdict, or one policy covers its own rule."""
    active = rule.before | chain.none
    otherwise = _decided_by(chain, rule, rule.before & chain.acting_otherwise(rule.rule.action))
    foreign = rule.before & ~chain.of_policy(rule.rule.origin.name)
    covered = otherwise is None and _decided_by(chain, rule, foreign) is not None
    shown = otherwise if otherwise is not None else _decided_by(chain, rule, rule.before)
    deciding: t.Dict[int, DecidedRule] = {}
    for region in (shown, *rule.regions):
        if region is not None and len(deciding) < MOST_OTHERS:
            deciding.update((one.index, one) for one in chain.deciding(region, active, MOST_OTHERS - len(deciding)))
    others = [deciding[index] for index in sorted(deciding)]
    if covered:
        suggestion = "Nothing to do where policies add up; otherwise remove it."
    else:
        suggestion = "Remove it." if otherwise is None else "Move it before them, or remove it."
    return finding(
        "covered" if covered else "shadowed",
        "never decides a packet: %s before it %s all of them%s"
        % (
            _names(others, with_action=otherwise is not None),
            "decides" if len(others) == 1 else "decide",
            " alike" if covered else "",
        ),
        suggestion,
        direction=chain.direction,
        rule=rule.rule.origin,
        others=tuple(one.rule.origin for one in others),
        witness=None if shown is None else chain.witness(shown),
    )


def _decided_by(chain: DecidedChain, rule: DecidedRule, bits: Bits) -> t.Optional[Region]:
    """Packets of ``rule`` that one of these positions decides."""
    parts = (chain.find(region, bits) for region in rule.regions) if bits else iter(())
    return next((part for part in parts if part is not None), None)


def _redundant(chain: DecidedChain, rule: DecidedRule) -> Finding:
    active = chain.every & ~rule.bits
    later: t.Dict[int, DecidedRule] = {}
    for region in rule.regions:
        wanted = active & ~rule.before & ~chain.none
        part = chain.find(region, wanted, active)
        if part is not None:
            first = chain.matches.overlapping(part) & active
            later.update((one.index, one) for one in chain.owners(first, 1))
    others = [later[index] for index in sorted(later)]
    decided = _decided_by(chain, rule, rule.bits)
    behind = _names(others) if others else "the default action"
    return finding(
        "redundant",
        "changes nothing: without it %s would %s the same packets" % (behind, rule.rule.action.value),
        "Remove it, unless it is there for its counter or for the reader.",
        direction=chain.direction,
        rule=rule.rule.origin,
        others=tuple(one.rule.origin for one in others),
        witness=None if decided is None else chain.witness(decided),
    )


def _names(rules: t.Sequence[DecidedRule], *, with_action: bool = False) -> str:
    names = [
        "%s (%s)" % (one.rule.origin, one.rule.action.value) if with_action else str(one.rule.origin) for one in rules
    ]
    if len(names) < 2:
        return "".join(names)
    return "%s and %s" % (", ".join(names[:-1]), names[-1])
