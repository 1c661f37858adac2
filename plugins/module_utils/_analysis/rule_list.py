# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""The rules of a host in the order of evaluation, as plain data, each with the name of its counter."""

from __future__ import annotations

import typing as t

from .._compile.lowered import LoweredChain, LoweredProgram
from .._policy.model import Origin, Stage
from .._policy.program import Chain, Program
from .wording import describe_rule


class ListedRule(t.NamedTuple):
    """One rule.

    Attributes:
        plain: ``name``, ``policy``, ``index``, ``variable``, ``stage``, ``direction``, ``action``, ``text`` and
            ``description``.
        counter: What counts it; empty where nothing does.
    """

    plain: t.Dict[str, t.Any]
    counter: str


def list_rules(program: Program, lowered: LoweredProgram) -> t.List[ListedRule]:
    """The rules of both directions, each with its default action at last; none of one that nothing restricts."""
    return [
        rule
        for chain in lowered.chains
        if chain.restricted
        for rule in _list_chain(program.chain(chain.direction), chain)
    ]


def _list_chain(chain: Chain, lowered: LoweredChain) -> t.Iterator[ListedRule]:
    direction = chain.direction.value
    for step, rule in zip(chain.steps, lowered.rules):
        plain = _plain(step.rule.origin, step.stage, direction, step.rule.action.value, describe_rule(step.rule))
        yield ListedRule({**plain, "description": step.rule.description}, rule.counter)
    action = chain.default.value
    text = "%s what no rule decides" % action
    plain = _plain(chain.default_origin, Stage.DEFAULT_ACTION, direction, action, text)
    yield ListedRule({**plain, "description": ""}, lowered.default_counter)


def _plain(origin: Origin, stage: Stage, direction: str, action: str, text: str) -> t.Dict[str, t.Any]:
    return {
        "name": str(origin),
        "policy": origin.name if origin.index is not None else "",
        "index": origin.index,
        "variable": origin.variable,
        "stage": stage.value,
        "direction": direction,
        "action": action,
        "text": text,
    }
