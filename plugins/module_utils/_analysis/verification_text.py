# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""What was verified of a host, as a table for people and as plain data."""

from __future__ import annotations

import typing as t

from .._policy.model import Stage
from .expecting import Leg
from .verifying import Result, Row
from .wording import describe_packet, describe_rule

_HEADINGS = ("from", "asked", "expected", "by", "seen")


def summarise(rows: t.Sequence[Row]) -> t.Dict[str, int]:
    """How many rows have each result."""
    return {result.value: sum(row.result is result for row in rows) for result in Result}


def render(host: str, rows: t.Sequence[Row], left_out: int) -> str:
    """A heading, the table, and each difference in full; those of one cause that read the same are told once."""
    counts = ", ".join("%d %s" % (count, name) for name, count in summarise(rows).items() if count)
    lines = ["%s: %d asked: %s" % (host, len(rows), counts or "nothing")]
    if left_out:
        lines.append("%d more were left out; palisade_most allows more" % left_out)
    lines.extend(_table([_HEADINGS, *(_cells(row) for row in rows)]))
    alike: t.Dict[t.Tuple[object, ...], t.List[Row]] = {}
    for row in rows:
        if row.result is Result.DIFFERENT:
            alike.setdefault(_cause(row), []).append(row)
    for first, *others in alike.values():
        lines.extend(_difference(first))
        if others:
            lines.append("  and so it is with %s" % ", ".join(_asked(row) for row in others))
    return "\n".join(lines)


def _cause(row: Row) -> t.Tuple[object, ...]:
    """What rows have in common of which only the question differs."""
    rule = "" if row.expectation is None else _rule(row.expectation.deciding)
    return row.sender, row.expected, row.seen.outcome, row.seen.detail, rule, row.layer, row.because


def _cells(row: Row) -> t.Tuple[str, ...]:
    by = "" if row.expectation is None else _by(row, row.expectation.deciding)
    seen = row.seen.outcome
    if row.result is not Result.AS_EXPECTED:
        seen += ": %s" % (row.result.value.upper() if row.result is Result.DIFFERENT else row.result.value)
    notes = "; ".join(text for text in (row.seen.icmp, row.note) if text)
    if notes:
        seen += " (%s)" % notes
    return row.sender, _asked(row), row.expected or "-", by or "-", seen


def _by(row: Row, leg: Leg) -> str:
    words = [str(leg.decision.origin)]
    if leg.host == "sender":
        words.append("on %s" % row.sender)
    if leg.is_answer:
        words.append("for the answer")
    return " ".join(words)


def _asked(row: Row) -> str:
    if row.question.port is None:
        return "ping %s" % row.address
    return "%s %s port %d" % (row.question.protocol, row.address, row.question.port)


def _table(rows: t.Sequence[t.Sequence[str]]) -> t.Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    for row in rows:
        yield ("  %s" % "  ".join(cell.ljust(width) for cell, width in zip(row, widths))).rstrip()


def _difference(row: Row) -> t.Iterator[str]:
    yield "%s from %s: %s is expected, and it is %s (%s)" % (
        _asked(row),
        row.sender,
        row.expected,
        row.seen.outcome,
        row.seen.detail,
    )
    if row.expectation is not None:
        leg = row.expectation.deciding
        yield "  packet: %s" % describe_packet(leg.packet)
        yield "  rule: %s" % _rule(leg)
    if row.layer is not None:
        yield "  probably: %s: %s" % (row.layer.value, row.because)


def _rule(leg: Leg) -> str:
    decision = leg.decision
    host = "" if leg.host == "receiver" else " on the asking host"
    if decision.rule is None:
        if decision.stage is Stage.DEFAULT_ACTION:
            return "none matches, and the default action of %s is %s%s" % (
                leg.packet.direction.value,
                decision.action.value,
                host,
            )
        return "none; nothing restricts %s%s" % (leg.packet.direction.value, host)
    variable = " of %s" % decision.origin.variable if decision.origin.variable else ""
    return "%s%s: %s%s" % (decision.origin, variable, describe_rule(decision.rule), host)


def row_to_plain(row: Row) -> t.Dict[str, t.Any]:
    """One row for programs."""
    decision = None if row.expectation is None else row.expectation.deciding
    return {
        "sender": row.sender,
        "address": row.address,
        "protocol": row.question.protocol,
        "port": row.question.port,
        "source": row.seen.source,
        "expected": row.expected,
        "origin": "" if decision is None else str(decision.decision.origin),
        "variable": "" if decision is None else decision.decision.origin.variable,
        "decided_at": "" if decision is None else decision.host,
        "rule": "" if decision is None else _rule(decision),
        "packet": "" if decision is None else describe_packet(decision.packet),
        "seen": row.seen.outcome,
        "detail": row.seen.detail,
        "result": row.result.value,
        "note": row.note,
        "layer": "" if row.layer is None else row.layer.value,
        "because": row.because,
    }
