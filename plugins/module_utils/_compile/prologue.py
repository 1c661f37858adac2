# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""What every packet passes before the policies, in few rules: interfaces and connection state.

Most packets belong to established connections, and most others are new ones on an interface with an
ordinary name. Both get past all of this in four rules.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .._core.intervals import IntervalSet
from .._policy.model import Action, Stage, State
from .._policy.traffic import ICMPV6
from .lowered import LoweredChain, LoweredProgram, LoweredRule
from .rules import interface_rules, rule_rules
from .table import Field, Match, TableRule, Verdict, VerdictKind

_ESTABLISHED = frozenset({State.ESTABLISHED})
_ICMPV6 = IntervalSet.single(ICMPV6)

#: Names of Ethernet interfaces begin like this, given by the kernel (eth0) or by systemd.net-naming-scheme(7)
#: (eno1, ens3, enp1s0).
_ETHERNET = "e"

AddChain = t.Callable[[str, t.Tuple[TableRule, ...]], str]


def base_rules(chain: LoweredChain, program: LoweredProgram, field: Field) -> t.Iterator[TableRule]:
    """The rules of the base chain."""
    if _established(chain):
        # An interface that is not filtered accepts such packets as well.
        for rule in rule_rules(chain.rules[0], chain.rules[0].boxes, {}):
            yield dataclasses.replace(rule, heading="Most packets")
    if not program.interfaces and not any(_may_be_ethernet(name) for name in program.interfaces_ignored):
        enter = (Verdict(VerdictKind.GOTO, chain.direction.value),)
        yield TableRule((Match(field, (_ETHERNET + "*",)),), enter, heading="Names that no exception can have")
    yield from interface_rules(chain, program, field)


def _may_be_ethernet(pattern: str) -> bool:
    return pattern.startswith((_ETHERNET, "*"))


def _established(chain: LoweredChain) -> bool:
    """Whether the first rule accepts packets of established connections, uncounted."""
    first = chain.rules[0] if chain.rules else None
    return first is not None and _is_plain(first) and all(box.states == _ESTABLISHED for box in first.boxes)


def _is_plain(rule: LoweredRule) -> bool:
    return rule.stage is Stage.STATE and rule.action is Action.ACCEPT and not rule.counter


def state_rules(chain: LoweredChain, add_chain: AddChain) -> t.List[TableRule]:
    """The rules about connection state and neighbour discovery, which new packets of most protocols pass by.

    Args:
        add_chain: Takes a label and rules, and says the name of a constant chain with these rules.
    """
    rules = [rule for rule in chain.rules if rule.stage is Stage.STATE][1 if _established(chain) else 0 :]
    discovery = [rule for rule in rules if all(box.protocols == _ICMPV6 and box.states is None for box in rule.boxes)]
    others = [rule for rule in rules if all(box.states and State.NEW not in box.states for box in rule.boxes)]
    # Those that say nothing of the state are moved to the front: among uncounted accepts order does not matter.
    movable = all(_is_plain(rule) for rule in rules[: rules.index(discovery[-1]) + 1]) if discovery else True
    if len(discovery) + len(others) != len(rules) or not movable:
        return [made for rule in rules for made in rule_rules(rule, rule.boxes, {})]
    found = []
    if discovery:
        match = Match(Field.PROTOCOL, _ICMPV6)
        found.append(_jump(match, add_chain("neighbours", _all_rules(discovery))))
    if others:
        not_new = tuple(sorted(state.value for state in State if state is not State.NEW))
        found.append(_jump(Match(Field.STATE, not_new), add_chain("states", _all_rules(others))))
    return found


def _jump(match: Match, name: str) -> TableRule:
    return TableRule((match,), (Verdict(VerdictKind.JUMP, name),))


def _all_rules(rules: t.Iterable[LoweredRule]) -> t.Tuple[TableRule, ...]:
    return tuple(made for rule in rules for made in rule_rules(rule, rule.boxes, {}))
