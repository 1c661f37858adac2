# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Small readers of plain data: each takes a value and its place and reports what does not fit."""

from __future__ import annotations

import enum
import itertools
import re
import typing as t

from .._core.errors import Path, Problems, show

#: Names of policies, networks and services.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", re.ASCII)

#: Interface names as far as they can stand in a rule: Linux takes any byte but "/" and white space
#: (dev_valid_name() in net/core/dev.c, 15 bytes at most); quotes, braces and backslashes are refused here.
#: nft counts the asterisk of a prefix among the 15.
INTERFACE = re.compile(r"[A-Za-z0-9_.:@+-]{1,15}|[A-Za-z0-9_.:@+-]{1,14}\*", re.ASCII)

#: How many known names a misspelt one is compared with.
_MOST_COMPARED = 1000

_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,9}", re.ASCII)
_TRUE = ("true", "yes", "on")
_FALSE = ("false", "no", "off")

Member = t.TypeVar("Member", bound=enum.Enum)


def suggestion(name: object, known: t.Iterable[str], problems: t.Optional[Problems] = None) -> str:
    """``; did you mean 'x'?`` where a known name is near, else nothing.

    Args:
        problems: Where the problem goes. Comparing names is slow, so it is left out for problems that
            will not be listed.
    """
    if not isinstance(name, str) or len(name) > 80 or (problems is not None and problems.list_is_full):
        return ""
    by_lower = {one.lower(): one for one in itertools.islice(known, _MOST_COMPARED)}
    import difflib  # noqa: PLC0415 - it costs a host some milliseconds, and only mistakes need it

    near = difflib.get_close_matches(name.lower(), list(by_lower), n=1, cutoff=0.7)
    return "; did you mean '%s'?" % by_lower[near[0]] if near else ""


def read_mapping(value: object, place: Path, problems: Problems, what: str) -> t.Optional[t.Mapping[object, object]]:
    if isinstance(value, dict):
        return value
    problems.error(place, "type", "%s is not %s" % (show(value), what))
    return None


def check_keys(value: t.Mapping[object, object], known: t.Sequence[str], place: Path, problems: Problems) -> None:
    """Every key must be one of ``known``."""
    for key in value:
        if key not in known:
            problems.error(
                place,
                "unknown-key",
                "unknown key %s%s (known: %s)" % (show(key), suggestion(key, known, problems), ", ".join(known)),
            )


def read_list(value: object, place: Path, problems: Problems, what: str) -> t.Optional[t.List[t.Tuple[Path, object]]]:
    """The items with their places; a single value stands for a list of one.

    An empty list is an error: one that a template left empty must never come to mean "any".
    """
    if isinstance(value, (list, tuple)):
        if not value:
            problems.error(
                place, "empty-list", "the list is empty; leave the key out for any %s, or name at least one" % what
            )
            return None
        return [(place / index, item) for index, item in enumerate(value)]
    if isinstance(value, dict):
        problems.error(place, "type", "a mapping stands where a value or a list belongs")
        return None
    return [(place, value)]


def read_enum(value: object, kind: t.Type[Member], place: Path, problems: Problems) -> t.Optional[Member]:
    """A member by its value, in any letter case."""
    choices = [str(member.value) for member in kind]
    if isinstance(value, str):
        for member in kind:
            if member.value == value.lower():
                return member
    problems.error(
        place,
        "choice",
        "%s is not one of %s%s" % (show(value), ", ".join(choices), suggestion(value, choices, problems)),
    )
    return None


def read_text(value: object, place: Path, problems: Problems) -> str:
    """A text of one or more lines; absent or null is empty."""
    if value is None:
        return ""
    if isinstance(value, str):
        return str(value)
    problems.error(place, "type", "%s is not a text" % show(value))
    return ""


def as_boolean(value: object) -> t.Optional[bool]:
    """A boolean, or None where the value is none. Texts such as "yes" come from ``-e key=yes``."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _TRUE + _FALSE:
        return value.lower() in _TRUE
    return None


def as_number(value: object, allowed: range) -> t.Optional[int]:
    """A whole number of a range, or None where the value is none. Texts such as "10" come from inventories."""
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value not in allowed:
        return None
    return int(value)


def read_boolean(value: object, place: Path, problems: Problems, default: bool) -> bool:
    """A boolean; null means the default."""
    if value is None:
        return default
    found = as_boolean(value)
    if found is not None:
        return found
    problems.error(place, "boolean", "%s is not true or false" % show(value))
    return default


def read_name(value: object, place: Path, problems: Problems, what: str) -> t.Optional[str]:
    """A name of a policy, network or service."""
    if isinstance(value, str) and NAME.fullmatch(value):
        # str() turns a subclass that a template engine made into the plain type.
        return str(value)
    if isinstance(value, (bool, int, float)):
        problems.error(place, "name", "%s is read as a number or a boolean; put the name in quotes" % show(value))
        return None
    problems.error(
        place,
        "name",
        "%s is not a name of a %s: up to 63 letters, digits, '_', '.' and '-', starting with a letter or digit"
        % (show(value), what),
    )
    return None
