# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Located errors: where in the operator's data a problem is, what it is, and what to write instead."""

from __future__ import annotations

import re
import typing as t

#: Longest piece of an operator's value that is repeated in a message. Values of any size reach the
#: parser; a message has to stay readable in a terminal.
_SHOWN_CHARACTERS = 60

#: Problems past this number are counted, not listed: a template that went wrong can produce
#: thousands of equal ones, and nobody reads past the first screen.
_LISTED_PROBLEMS = 50

#: Longest key that a place repeats in full: names of policies, networks and services are shorter.
_LONGEST_STEP = 80

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*", re.ASCII)


def show(value: object) -> str:
    """The value in single quotes, on one line and bounded, for use in a message.

    Containers are named by their kind, because their contents may be of any size.
    """
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "the boolean '%s'" % ("true" if value else "false")
    if isinstance(value, str):
        text = value
    elif isinstance(value, int):
        # str() of an int of thousands of digits is slow and refused by newer Pythons.
        text = str(value) if abs(value) < 10**30 else "a number of more than 30 digits"
    elif isinstance(value, float):
        text = str(value)
    else:
        text = type(value).__name__
    if len(text) > _SHOWN_CHARACTERS:
        text = text[:_SHOWN_CHARACTERS] + "..."
    return "'%s'" % "".join(char if char.isprintable() else "\\x%02x" % ord(char) for char in text)


class Path:
    """A place in the operator's data: a variable, then keys (str) and positions (int)."""

    __slots__ = ("_key", "_parent")

    def __init__(self, key: object, parent: t.Optional[Path] = None) -> None:
        self._key = key
        self._parent = parent

    def __truediv__(self, key: object) -> Path:
        """The place one step further in. A key that is no string or position is shown by its text."""
        return Path(key, self)

    def __str__(self) -> str:
        steps: t.List[str] = []
        place: t.Optional[Path] = self
        while place is not None:
            steps.append(place._step())  # noqa: SLF001 - of another place, but of its own class
            place = place._parent  # noqa: SLF001 - the same
        return "".join(reversed(steps))

    def _step(self) -> str:
        key = self._key
        if isinstance(key, int):
            # Positions are small; a number of any size can be the key of a mapping.
            return "[%s]" % (key if not isinstance(key, bool) and abs(key) < 10**30 else show(key))
        if isinstance(key, str) and len(key) <= _LONGEST_STEP and _PLAIN_KEY.fullmatch(key):
            return key if self._parent is None else ".%s" % key
        return show(key) if self._parent is None else "[%s]" % show(key)


class Problem(t.NamedTuple):
    """One problem: ``code`` is stable and for programs, ``place`` and ``message`` are for people."""

    code: str
    place: str
    message: str

    def __str__(self) -> str:
        return "%s: %s" % (self.place, self.message)


class PolicyError(ValueError):
    """Everything that is wrong with an input, together.

    Attributes:
        problems: Tuple of :class:`Problem`, in the order of the input.
    """

    def __init__(self, problems: t.Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(describe(self.problems))


def describe(problems: t.Sequence[Problem]) -> str:
    """One line a problem; past the bound the rest is counted."""
    lines = [str(problem) for problem in problems[:_LISTED_PROBLEMS]]
    if len(problems) > _LISTED_PROBLEMS:
        lines.append("... and %d more" % (len(problems) - _LISTED_PROBLEMS))
    return "\n".join(lines)


class Problems:
    """Collects errors and warnings while a parser goes on, so that one run reports all of them."""

    def __init__(self) -> None:
        self.errors: t.List[Problem] = []
        self.warnings: t.List[Problem] = []

    @property
    def list_is_full(self) -> bool:
        """Whether a further error would be counted, not listed."""
        return len(self.errors) >= _LISTED_PROBLEMS

    def error(self, place: Path, code: str, message: str) -> None:
        self.errors.append(Problem(code, str(place), message))

    def warn(self, place: Path, code: str, message: str) -> None:
        self.warnings.append(Problem(code, str(place), message))

    def raise_if_any(self) -> None:
        """Raises:
        PolicyError: At least one error was collected.
        """
        if self.errors:
            # What is wrong in one way for two reasons is said once.
            raise PolicyError(dict.fromkeys(self.errors))
