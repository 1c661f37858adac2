# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parts of which the schema is made."""

from __future__ import annotations

import re
import typing as t

Schema = t.Dict[str, t.Any]

#: The end of the text, and not of its last line: in Python `$` also matches before a last line feed.
END = "$(?!\\n)"
NAME_PATTERN = "^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}" + END
NULL: Schema = {"type": "null"}

PORT_PATTERN = "(?:0|[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
BYTE_PATTERN = "(?:0|[1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5])"


def any_case(word: str) -> str:
    """A pattern of the word in any letter case: JSON Schema has no flag for it."""
    return "".join(
        "[%s%s]" % (char.upper(), char.lower()) if char.isalpha() else re.escape(char).replace("\\-", "-")
        for char in word
    )


def one_of(words: t.Iterable[str]) -> Schema:
    """One of the words, in any letter case; editors offer them in lower case."""
    listed = list(words)
    return {
        "type": "string",
        "anyOf": [{"enum": listed}, {"pattern": "^(?:%s)%s" % ("|".join(map(any_case, listed)), END)}],
    }


def ref(name: str) -> Schema:
    return {"$ref": "#/$defs/%s" % name}


def or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, NULL]}


def one_or_more(schema: Schema) -> Schema:
    """A value, or a list of at least one."""
    return {"anyOf": [schema, {"type": "array", "items": schema, "minItems": 1}]}


def one_or_some(schema: Schema) -> Schema:
    """A value, or a list that may be empty."""
    return {"anyOf": [schema, {"type": "array", "items": schema}]}


def number_or_text(low: int, high: int, pattern: str) -> Schema:
    """A number, or the text of one."""
    return {
        "anyOf": [
            {"type": "integer", "minimum": low, "maximum": high},
            {"type": "string", "pattern": "^%s%s" % (pattern, END)},
        ]
    }


def mapping(properties: t.Dict[str, Schema], required: t.Sequence[str] = ()) -> Schema:
    schema: Schema = {"type": "object", "additionalProperties": False, "properties": properties}
    if required:
        schema["required"] = list(required)
    return schema


def described(title: str, description: str, schema: Schema) -> Schema:
    return {"title": title, "description": description, **schema}


def given(key: str) -> Schema:
    return {"required": [key], "properties": {key: {"not": NULL}}}
