# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Named things that several variables define together: ``firewall_policies`` and ``firewall_policies_*``."""

from __future__ import annotations

import typing as t

from .._core.errors import Path, Problems
from .reading import read_mapping, read_name

PREFIX = "firewall_"


class Definition(t.NamedTuple):
    """One entry of a catalogue: its value, its place and the variable that it came from."""

    value: object
    place: Path
    variable: str


def variables_named(variables: t.Mapping[str, object], base: str) -> t.List[str]:
    """``base`` itself first, then every variable that begins with ``base_``, by name."""
    names = sorted(name for name in variables if name.startswith(base + "_"))
    return [base, *names] if base in variables else names


def merge_definitions(
    variables: t.Mapping[str, object], base: str, what: str, problems: Problems
) -> t.Dict[str, Definition]:
    """All entries of the variables named ``base`` and ``base_*`` by entry name.

    The same name in two variables is an error that names both, because which one wins would depend
    on how the variables are called.
    """
    merged: t.Dict[str, Definition] = {}
    for variable in variables_named(variables, base):
        place = Path(variable)
        value = variables[variable]
        if value is None:
            continue
        mapping = read_mapping(value, place, problems, "a mapping of %s names" % what)
        for key, entry in (mapping or {}).items():
            name = read_name(key, place / key, problems, what)
            if name is None:
                continue
            if name in merged:
                problems.error(
                    place / name,
                    "clash",
                    "the %s '%s' is also defined in %s; keep one of the two, or rename one"
                    % (what, name, merged[name].variable),
                )
                continue
            merged[name] = Definition(entry, place / name, variable)
    return merged
