# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection and can change without notice.

"""The collection's JSON Schema of the role variables, for who has the Python package ``jsonschema``.

The parser is the validator that counts. The schema serves editors, and where a variable passes one of
the two and not the other, somebody was misled: that is worth a report.
"""

from __future__ import annotations

import json
import pathlib
import typing as t

from ..module_utils._core.errors import Path, Problem
from ._schema_formats import FORMATS

try:
    import jsonschema

    HAS_JSONSCHEMA = True
except ImportError:
    HAS_JSONSCHEMA = False

MISSING = (
    "The variables were not compared with the JSON Schema: the Python package jsonschema is not installed on the "
    "controller. Everything else was checked."
)

_SCHEMA = pathlib.Path(__file__).with_name("_schemas") / "firewall.schema.json"

#: jsonschema repeats the value that it refuses, which may be of any size.
_LONGEST_MESSAGE = 200


def load_schema() -> t.Dict[str, t.Any]:
    """The schema of a mapping of role variables, as plain data."""
    schema: t.Dict[str, t.Any] = json.loads(_SCHEMA.read_text(encoding="utf-8"))
    return schema


def check_schema(variables: t.Mapping[str, t.Any]) -> t.Optional[t.List[Problem]]:
    """What the schema refuses in plain variables; None where ``jsonschema`` is not installed."""
    if not HAS_JSONSCHEMA:
        return None
    checker = jsonschema.FormatChecker(formats=())
    for name, (check, raises) in FORMATS.items():
        checker.checks(name, raises=raises)(check)
    validator = jsonschema.Draft202012Validator(load_schema(), format_checker=checker)
    errors = sorted(
        validator.iter_errors(dict(variables)), key=lambda error: [str(step) for step in error.absolute_path]
    )
    return [Problem("schema", _place(error.absolute_path), _bounded(error.message)) for error in errors]


def _place(steps: t.Iterable[t.Union[str, int]]) -> str:
    place: t.Optional[Path] = None
    for step in steps:
        place = Path(step) if place is None else place / step
    return "variables" if place is None else str(place)


def _bounded(message: str) -> str:
    text = "the JSON Schema refuses what the parser takes: %s" % message
    return text if len(text) <= _LONGEST_MESSAGE else text[:_LONGEST_MESSAGE] + "..."
