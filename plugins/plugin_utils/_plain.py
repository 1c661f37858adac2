# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection and can change without notice.

"""The one door from Ansible's values to plain Python.

ansible-core hands a plugin tagged strings and numbers, containers that template on access, dates. The
core of the collection, JSON and jsonschema get what this function makes of them: ``dict``, ``list``,
``str``, ``int``, ``float``, ``bool`` and ``None``, exactly these types.
"""

from __future__ import annotations

import collections.abc
import datetime
import types
import typing as t

from ansible.module_utils.datatag import native_type_name

from ..module_utils._core.errors import Path, Problems

#: Deepest nesting of containers. The language needs seven; a value deeper than this is a mistake or
#: refers to itself, and following it must not exhaust the stack.
_DEEPEST = 32

#: Most values in one variable. A few YAML aliases can stand for billions of values; a policy of 10,000
#: rules has about a tenth of this.
_MOST_VALUES = 1_000_000

#: Past this, Python refuses to write an integer as decimal text by default, and nothing here is that large.
_LARGEST_INTEGER = 10**30

_TOO_DEEP = "values are nested more than %d deep here" % _DEEPEST
_TOO_MANY = "the variable holds more than %d values" % _MOST_VALUES

_DATES = (datetime.date, datetime.time)
_LISTS = (list, tuple, range, types.GeneratorType)


def to_plain(value: object, place: Path, problems: Problems) -> t.Any:
    """The value in plain types, rebuilt all the way down.

    Dates and times become their ISO 8601 text, tuples and generators lists, sets sorted lists. Keys of
    mappings stay what they are, so that the parser can refuse those that are no text. What cannot be
    said in plain types is reported at its place, and None stands for it.

    Raises:
        MarkerError: Of ansible-core, where the value holds an undefined variable. The template engine
            has to see it: ``default()`` depends on it.
    """
    return _Rebuild(problems).rebuild(value, place, 0)


def is_bounded(value: object, place: Path, problems: Problems) -> bool:
    """Whether a value that is not templated yet may be: the template engine would follow it to its end.

    A YAML alias can make a container hold itself. What is too deep or too large is reported.
    """
    errors = len(problems.errors)
    remaining = _MOST_VALUES
    waiting: t.List[t.Tuple[object, Path, int]] = [(value, place, 0)]
    while waiting:
        item, item_place, depth = waiting.pop()
        if not isinstance(item, (dict, list, tuple)):
            continue
        remaining -= len(item)
        if depth >= _DEEPEST:
            problems.error(item_place, "depth", _TOO_DEEP)
        elif remaining < 0:
            problems.error(place, "size", _TOO_MANY)
        else:
            inside = item.items() if isinstance(item, dict) else enumerate(item)
            waiting.extend((one, item_place / key, depth + 1) for key, one in inside)
        if len(problems.errors) > errors:
            return False
    return True


class _Rebuild:
    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._values = 0

    def rebuild(self, value: object, place: Path, depth: int) -> t.Any:
        self._values += 1
        if self._values > _MOST_VALUES:
            if self._values == _MOST_VALUES + 1:
                self._refuse(place, "size", _TOO_MANY)
            return None
        # bool before int, whose subclass it is.
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self._text(value, place)
        if isinstance(value, int):
            if abs(value) >= _LARGEST_INTEGER:
                return self._refuse(place, "number", "a number of more than 30 digits is not a value of a firewall")
            return int(value)
        if isinstance(value, float):
            return float(value)
        if isinstance(value, _DATES):
            return value.isoformat()
        if isinstance(value, (collections.abc.Mapping, collections.abc.Set, *_LISTS)):
            if depth >= _DEEPEST:
                return self._refuse(place, "depth", _TOO_DEEP)
            if isinstance(value, collections.abc.Mapping):
                return {
                    self._key(key, place): self.rebuild(item, place / key, depth + 1) for key, item in value.items()
                }
            items = [self.rebuild(item, place / index, depth + 1) for index, item in enumerate(value)]
            return sorted(items, key=str) if isinstance(value, collections.abc.Set) else items
        # An undefined variable takes this chance to raise what the template engine waits for.
        str(value)
        return self._refuse(
            place, "type", "a value of the type %s is no text, number, list or mapping" % native_type_name(value)
        )

    def _text(self, value: str, place: Path) -> t.Optional[str]:
        # Of a subclass, str() would give what it likes.
        text = str.__str__(value)
        try:
            text.encode()
        except UnicodeEncodeError:
            return t.cast(
                t.Optional[str], self._refuse(place, "text", "the text holds half of a surrogate pair: no character")
            )
        return text

    def _key(self, key: object, place: Path) -> t.Any:
        if isinstance(key, _LISTS):
            return self._refuse(place, "type", "a key of a mapping is a list; keys are text")
        return self.rebuild(key, place / key, _DEEPEST)

    def _refuse(self, place: Path, code: str, message: str) -> None:
        self._problems.error(place, code, message)
