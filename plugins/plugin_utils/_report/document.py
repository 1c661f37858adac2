# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection and can change without notice.

"""The report as data: a function of what was collected of the hosts and of the time, and of nothing else.

Hosts of a fleet share most of what they have, so rules, findings and cells of the matrix are in tables of their own,
each once, and hosts name them by number. ``docs/report.md`` describes the format.
"""

from __future__ import annotations

import json
import typing as t

from ...module_utils._analysis.matrix import Matrix
from ...module_utils._analysis.places import FleetHost, Place, places_of
from ...module_utils._core.addresses import AddressError, AddressRange, AddressSet, parse_range
from ...module_utils._policy.model import Direction
from .live import Live, read_live
from .policies import Judged, Policies

FORMAT = 1


class HostInput(t.NamedTuple):
    """What was collected of one host, in plain types.

    Attributes:
        addresses: Of its own: addresses, prefixes and ranges.
        variables, groups: For ``parse_firewall``; None where they could not be had, for the reason in ``problems``.
        state: ``present`` or ``absent``.
        ssh_port: Where administrators reach it; None: not over SSH.
        live: The result of ``ruleset_info`` on it; None where it was not asked.
    """

    name: str
    inventory_groups: t.Tuple[str, ...] = ()
    addresses: t.Tuple[str, ...] = ()
    variables: t.Optional[t.Mapping[str, t.Any]] = None
    groups: t.Mapping[str, t.Any] = {}
    state: str = "present"
    problems: t.Tuple[t.Mapping[str, str], ...] = ()
    ssh_port: t.Optional[int] = None
    live: t.Optional[t.Mapping[str, t.Any]] = None


class _Table:
    """Things that several hosts have, each once."""

    def __init__(self) -> None:
        self.rows: t.List[t.Any] = []
        self._numbers: t.Dict[str, int] = {}

    def number(self, row: t.Any) -> int:
        text = json.dumps(row, sort_keys=True)
        if text not in self._numbers:
            self._numbers[text] = len(self.rows)
            self.rows.append(row)
        return self._numbers[text]


_UNJUDGED = Judged([], {}, [], [], {}, {})


def build_document(hosts: t.Sequence[HostInput], time: str) -> t.Dict[str, t.Any]:
    """The whole report in plain types.

    Args:
        hosts: In the order in which they are listed.
        time: When the hosts were asked, as text.
    """
    policies = Policies()
    judged = [_judge(policies, host) for host in hosts]
    fleet = [_fleet_host(host, one) for host, one in zip(hosts, judged)]
    places = places_of(fleet, _networks(judged))
    matrix = Matrix(fleet, places)
    rules, lists, findings = _Table(), _Table(), _Table()
    rows = []
    for number, (host, one) in enumerate(zip(hosts, judged)):
        live = read_live(host.live)
        row = _host_row(host, one, live)
        row.update(_rules(one, live, rules, lists))
        row["findings"] = [findings.number(found) for found in one.findings]
        row["reaching"] = matrix.reaching(number)
        row["reached"] = matrix.reached(number)
        rows.append(row)
    return {
        "format": FORMAT,
        "time": time,
        "summary": _summary(rows, findings.rows),
        "places": [place.to_plain() for place in places],
        "groups": [_group_row(place, rows, matrix) for place in places if place.kind == "group"],
        "hosts": rows,
        "rules": rules.rows,
        "rule_lists": lists.rows,
        "findings": findings.rows,
        "cells": matrix.cells,
    }


def _judge(policies: Policies, host: HostInput) -> Judged:
    if host.variables is None:
        return _UNJUDGED._replace(problems=[dict(one) for one in host.problems])
    if host.state == "absent":
        return _UNJUDGED
    return policies.judge(host.variables, host.groups, host.ssh_port)


def _fleet_host(host: HostInput, judged: Judged) -> FleetHost:
    return FleetHost(
        host.name,
        host.inventory_groups,
        tuple(_ranges(host.addresses)),
        judged.chains.get(Direction.INGRESS),
        judged.chains.get(Direction.EGRESS),
        judged=not judged.problems,
    )


def _ranges(texts: t.Iterable[str]) -> t.Iterator[AddressRange]:
    for text in texts:
        try:
            found = parse_range(text)
        except AddressError:
            continue
        if found is not None:
            yield found


def _networks(judged: t.Sequence[Judged]) -> t.Dict[str, t.List[AddressSet]]:
    found: t.Dict[str, t.Dict[AddressSet, None]] = {}
    for one in {id(one): one for one in judged}.values():
        for name, addresses in one.networks.items():
            found.setdefault(name, {})[addresses] = None
    return {name: list(meanings) for name, meanings in found.items()}


def _host_row(host: HostInput, judged: Judged, live: Live) -> t.Dict[str, t.Any]:
    state = "invalid" if judged.problems else host.state
    return {
        "name": host.name,
        "groups": list(host.inventory_groups),
        "addresses": list(host.addresses),
        "state": state,
        "problems": judged.problems,
        "policy": judged.about or None,
        "live": live.about,
    }


def _rules(judged: Judged, live: Live, rules: _Table, lists: _Table) -> t.Dict[str, t.Any]:
    """The rules that the host has, by the list that it shares with others, and its own counts beside them."""
    if live.rules is None:
        numbers = [rules.number(row) for row in judged.rules]
        return {**_UNCOUNTED, "rules": lists.number(numbers), "rules_from": "policies"}
    wanted = {(row["direction"], row["name"]): row for row in judged.rules}
    numbers = []
    for one in live.rules:
        row = {key: value for key, value in one.items() if key not in _COUNTED}
        # Which ports a rule is about is known of the policy, if it is the same rule.
        known = wanted.get((row["direction"], row["name"]))
        row["ports"] = known["ports"] if known is not None and known["text"] == row["text"] else None
        numbers.append(rules.number(row))
    since = live.about["counting_since"]
    return {
        "rules": lists.number(numbers),
        "rules_from": "kernel",
        "packets": [one["packets"] for one in live.rules],
        "bytes": [one["bytes"] for one in live.rules],
        "never_hit": [index for index, one in enumerate(live.rules) if one["never_hit"]],
        "counting_since": {
            str(index): one["counting_since"]
            for index, one in enumerate(live.rules)
            if one["counting_since"] not in (None, since)
        },
    }


#: What hosts do not share of a rule, and what stands for it where nothing was counted.
_COUNTED = ("packets", "bytes", "never_hit", "counting_since")
_UNCOUNTED: t.Mapping[str, t.Any] = {"packets": None, "bytes": None, "never_hit": [], "counting_since": {}}


def _group_row(place: Place, rows: t.Sequence[t.Mapping[str, t.Any]], matrix: Matrix) -> t.Dict[str, t.Any]:
    return {
        "name": place.name,
        "hosts": list(place.members),
        **{
            way: [matrix.of_hosts(found) for found in zip(*(rows[member][way] for member in place.members))]
            for way in ("reaching", "reached")
        },
    }


def _summary(rows: t.Sequence[t.Mapping[str, t.Any]], findings: t.Sequence[t.Mapping[str, t.Any]]) -> t.Dict[str, int]:
    """Counts of hosts, but for the last four: of findings, rules and listeners on all hosts."""
    found = [findings[number] for row in rows for number in row["findings"]]
    return {
        "hosts": len(rows),
        "protected": sum(row["state"] == "present" for row in rows),
        "without_firewall": sum(row["state"] == "absent" for row in rows),
        "invalid": sum(row["state"] == "invalid" for row in rows),
        "asked": sum(row["live"]["state"] == "read" for row in rows),
        "unreachable": sum(row["live"]["state"] in ("unreachable", "failed") for row in rows),
        "drifted": sum(row["live"]["drift"]["state"] in DRIFTED for row in rows),
        "behind": sum((row["live"]["wanted"] or {}).get("equal") is False for row in rows),
        "warnings": sum(one["severity"] == "warning" for one in found),
        "notes": sum(one["severity"] != "warning" for one in found),
        "never_hit": sum(len(row["never_hit"]) for row in rows),
        "exposed": sum(one["finding"] == "exposed" for row in rows for one in row["live"]["listeners"]),
    }


#: States of drift that somebody has to look at.
DRIFTED = ("changed", "absent", "foreign")
