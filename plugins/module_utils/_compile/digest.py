# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Digests of what constant chains, maps and sets hold, for their names."""

from __future__ import annotations

import hashlib
import typing as t

from .._core.intervals import IntervalSet
from .table import Count, Field, Log, Lookup, MapElement, SetReference, Statement, TableRule, Value, Verdict


def digest_of_rules(rules: t.Sequence[TableRule]) -> str:
    """What the name of a chain ends in."""
    return digest_of([_rule(rule) for rule in rules])


def digest_of_elements(fields: t.Sequence[Field], elements: t.Sequence[MapElement]) -> str:
    """What the name of a map ends in."""
    return digest_of(
        (
            [field.value for field in fields],
            [(element.key, _statement(element.verdict), element.comment) for element in elements],
        )
    )


def digest_of(content: object) -> str:
    """12 hexadecimal digits for any numbers and texts, in tuples and lists."""
    return hashlib.sha256(repr(content).encode()).hexdigest()[:12]


def _rule(rule: TableRule) -> t.Tuple[object, ...]:
    """The rule in plain numbers and texts: their representation takes a tenth of the time of that of dataclasses."""
    return (
        [(match.field.value, _value(match.value)) for match in rule.matches],
        [_statement(statement) for statement in rule.statements],
        rule.comment,
        rule.heading,
    )


def _value(value: Value) -> object:
    """Intervals, words, or the name of a set: no two of them look alike."""
    if isinstance(value, IntervalSet):
        return value.intervals
    return value.name if isinstance(value, SetReference) else value


def _statement(statement: Statement) -> t.Tuple[object, ...]:
    if isinstance(statement, Verdict):
        return (statement.kind.value, statement.chain)
    if isinstance(statement, Count):
        return ("count", statement.counter)
    if isinstance(statement, Lookup):
        return ("lookup", [field.value for field in statement.fields], statement.map_name, statement.prefix)
    return ("log", *_log(statement))


def _log(statement: Log) -> t.Tuple[object, ...]:
    return (statement.prefix, statement.rate, statement.unit, statement.group)
