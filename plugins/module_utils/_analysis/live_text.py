# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""What is live on a host, as text for people."""

from __future__ import annotations

import typing as t

#: Longest text of a rule in the table of rules.
_LONGEST = 60

#: Rows of one kind that the text has; the data has all of them.
_LISTED = 200

Rows = t.Sequence[t.Sequence[str]]


def render_live(ruleset: t.Mapping[str, t.Any]) -> str:
    """The text of what ``palisade.nftables.ruleset_info`` returns."""
    lines = list(_heading(ruleset))
    for title, rows in (
        ("rules", list(_rules(ruleset["rules"]))),
        ("listening", list(_listeners(ruleset["listeners"]))),
        ("open, and nobody listens", list(_unused(ruleset["open_without_listener"]))),
        ("this host talks to", list(_peers(ruleset["talks_to"]))),
    ):
        if rows:
            lines.append("%s:" % title)
            lines.extend(_aligned(rows[:_LISTED]))
        if len(rows) > _LISTED:
            lines.append("  and %d more, in the result of the task" % (len(rows) - _LISTED))
    lines.extend("note: %s" % note for note in ruleset["notes"])
    return "\n".join(lines)


def _heading(ruleset: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    if ruleset["present"]:
        digest, changed, since = (ruleset[name] or "unknown" for name in ("digest", "changed_at", "counting_since"))
        counted = any(rule["packets"] is not None for rule in ruleset["rules"])
        said = "counting since %s" % since if counted or ruleset["counting_since"] else "counting nothing"
        yield "ruleset %s, last changed %s, %s" % (digest, changed, said)
    else:
        yield "no ruleset of Palisade"
    drift = ruleset["drift"]
    yield "drift: %s" % drift["state"]
    for name in ("missing", "foreign", "changed"):
        for one in drift[name]:
            yield "  %s: %s" % (name, one)
    wanted = ruleset["wanted"]
    if wanted is not None:
        yield "as the variables want it: %s" % ("yes" if wanted["equal"] else "no")
        for one in wanted["changes"]:
            yield "  %s" % one


def _rules(rules: t.Sequence[t.Mapping[str, t.Any]]) -> t.Iterator[t.Sequence[str]]:
    for rule in rules:
        text = rule["text"] if len(rule["text"]) <= _LONGEST else rule["text"][: _LONGEST - 3] + "..."
        counted = "" if rule["packets"] is None else "%d packets, %d bytes" % (rule["packets"], rule["bytes"])
        if rule["never_hit"]:
            counted = "never since %s" % (rule["counting_since"] or "an unknown time")
        yield rule["direction"], rule["name"], text, counted


def _listeners(listeners: t.Sequence[t.Mapping[str, t.Any]]) -> t.Iterator[t.Sequence[str]]:
    for one in listeners:
        place = one["address"] if one["port"] is None else _endpoint(one["address"], one["port"])
        if one["interface"]:
            place += "%%%s" % one["interface"]
        process = one["process"] or ("published" if one["published"] else "?")
        if one["finding"] == "local":
            yield one["protocol"], place, process, "local", ""
            continue
        others = ["%s %s" % (name, verdict) for name, verdict in one["networks"].items() if verdict != one["outside"]]
        said = "; ".join(["outside %s (%s)" % (one["outside"], one["rule"]), *others])
        yield one["protocol"], place, process, said, one["finding"] or ""


def _unused(ports: t.Sequence[t.Mapping[str, t.Any]]) -> t.Iterator[t.Sequence[str]]:
    for one in ports:
        yield one["protocol"], one["ports"], one["rule"]


def _peers(peers: t.Sequence[t.Mapping[str, t.Any]]) -> t.Iterator[t.Sequence[str]]:
    for one in peers:
        times = "" if one["connections"] == 1 else "%d connections" % one["connections"]
        said = "%s (%s)" % (one["verdict"], one["rule"]) if one["rule"] else one["verdict"]
        yield one["protocol"], _endpoint(one["address"], one["port"]), one["process"] or "?", said, times


def _endpoint(address: str, port: int) -> str:
    return "[%s]:%d" % (address, port) if ":" in address else "%s:%d" % (address, port)


def _aligned(rows: Rows) -> t.Iterator[str]:
    """The columns one below the other."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows)]
    for row in rows:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
