# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection and can change without notice.

"""Named definitions as the inventory has them: policies, networks, services, none of them templated yet."""

from __future__ import annotations

import typing as t

from ..module_utils._core.errors import Path, Problems
from ..module_utils._policy.definitions import merge_definitions
from ._plain import to_plain


class Catalogue:
    """Named definitions of one kind, in all variables that hold them.

    Attributes:
        variables: By name, with null in the place of each definition that was not taken.
    """

    def __init__(self, base: str, what: str, opened: t.Mapping[str, t.Any], problems: Problems) -> None:
        self.variables = {
            name: to_plain(dict.fromkeys(value), Path(name), problems) if isinstance(value, dict) else value
            for name, value in opened.items()
        }
        self._definitions = merge_definitions(opened, base, what, problems)
        self._taken: t.Set[str] = set()

    def names(self) -> t.List[str]:
        return list(self._definitions)

    def take(self, name: object) -> t.Optional[t.Tuple[str, str, object]]:
        """Variable, name and definition as it was written; None for an unknown name and the second time."""
        if not isinstance(name, str) or name in self._taken or name not in self._definitions:
            return None
        self._taken.add(name)
        definition = self._definitions[name]
        return definition.variable, name, definition.value


def listed(value: object) -> t.List[t.Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def rules_of(policy: object) -> t.Iterator[t.Dict[t.Any, t.Any]]:
    rules = policy.get("rules") if isinstance(policy, dict) else None
    return (rule for rule in listed(rules) if isinstance(rule, dict))


def safeguard_addresses(safeguards: object) -> t.Iterator[object]:
    for value in safeguards.values() if isinstance(safeguards, dict) else ():
        yield from listed(value.get("sources") if isinstance(value, dict) else value)
