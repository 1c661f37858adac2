# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Which policies a host has, and in which order they are evaluated."""

from __future__ import annotations

import typing as t

from .._core.errors import Path, Problems, show
from .definitions import variables_named
from .reading import as_number, check_keys, read_name
from .rules import read_policy_names

#: Order of an assignment that names none.
DEFAULT_ORDER = 50

#: Orders are small numbers that people choose; the bound keeps them readable.
_ORDERS = range(-1000000, 1000001)

_BASE = "firewall_assigned"


class Assignment(t.NamedTuple):
    """One assigned policy and the place that assigned it."""

    policy: str
    place: Path


def read_assignments(variables: t.Mapping[str, object], problems: Problems) -> t.List[Assignment]:
    """The assigned policies in evaluation order, each once, at its first place.

    Sorted by order, then the bare variable before the others, others by name, then position.
    """
    found: t.List[t.Tuple[int, int, int, Assignment]] = []
    for rank, variable in enumerate(variables_named(variables, _BASE)):
        items = read_policy_names(variables[variable], Path(variable), problems)
        for position, (place, item) in enumerate(items):
            read = _read_item(item, place, problems)
            if read is not None:
                policy, order = read
                found.append((order, rank, position, Assignment(policy, place)))
    found.sort(key=lambda one: one[:3])
    assignments: t.Dict[str, Assignment] = {}
    for *_order, assignment in found:
        assignments.setdefault(assignment.policy, assignment)
    return list(assignments.values())


def _read_item(item: object, place: Path, problems: Problems) -> t.Optional[t.Tuple[str, int]]:
    order = DEFAULT_ORDER
    if isinstance(item, dict):
        check_keys(item, ("policy", "order"), place, problems)
        if item.get("policy") is None:
            problems.error(place, "required", "the key 'policy' is missing: the name of a policy")
            return None
        given = item.get("order")
        if given is not None:
            number = as_number(given, _ORDERS)
            if number is None:
                problems.error(
                    place / "order",
                    "order",
                    "%s is not a whole number from %d to %d" % (show(given), _ORDERS[0], _ORDERS[-1]),
                )
                return None
            order = number
        item, place = item["policy"], place / "policy"
    name = read_name(item, place, problems, "policy")
    return None if name is None else (name, order)
