# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""A packet in words, as one says it: ``tcp from 203.0.113.7 to port 22``."""

from __future__ import annotations

import re
import typing as t

from .._core.errors import Path, Problems, show
from .._policy.model import Route, State
from .._policy.protocols import PROTOCOLS
from .._policy.reading import suggestion

#: What an error offers to whoever is lost.
EXAMPLE = "tcp from 203.0.113.7 to port 22"

#: Words past this number are no packet.
_MOST_WORDS = 64

_DIRECTIONS = {
    "in": "ingress",
    "ingress": "ingress",
    "incoming": "ingress",
    "inbound": "ingress",
    "out": "egress",
    "egress": "egress",
    "outgoing": "egress",
    "outbound": "egress",
}
_SIDES = {"from": "source", "to": "destination"}
_FAMILIES = {"ipv4": 4, "ipv6": 6}

#: Words that are followed by the value of a field.
_FOLLOWED = {
    "on": "interface",
    "interface": "interface",
    "type": "icmp_type",
    "state": "state",
    "ttl": "hop_limit",
    "hoplimit": "hop_limit",
}

#: Words that are a field with its value. ``ipv4`` and ``ipv6`` are families here: of a packet that is said, and
#: who means a tunnel says ``ipip`` or ``6in4``.
_ALONE: t.Mapping[str, t.Tuple[str, object]] = {
    **{word: ("direction", direction) for word, direction in _DIRECTIONS.items()},
    **{word: ("protocol", word) for word in PROTOCOLS if word not in _FAMILIES},
    **{word: ("family", family) for word, family in _FAMILIES.items()},
    **{state.value: ("state", state.value) for state in State},
    **{route.value: ("route", route.value) for route in Route},
    "original": ("flow_direction", "original"),
    "reply": ("flow_direction", "reply"),
    "reset": ("tcp_reset", True),
    "rst": ("tcp_reset", True),
}
_KNOWN = (*_SIDES, "port", *_FOLLOWED, "ping", *_ALONE)

_NUMBER = re.compile(r"[0-9]{1,3}", re.ASCII)

#: Words that nobody minds between the others.
_FILLERS = frozenset(("and", "with", "a", "packet", "connection"))


def read_words(text: str, place: Path, problems: Problems) -> t.Dict[str, object]:
    """The fields that the words name, not looked at any further.

    ::

        packet    := word*
        word      := direction | protocol | family | state | way | route | "reset" | "ping"
                   | ("from" | "to") [ADDRESS] ["port" PORT] | "port" PORT
                   | ("on" | "interface") NAME | "type" ICMP-TYPE | "state" state | "ttl" NUMBER
        direction := "in" | "ingress" | "incoming" | "inbound" | "out" | "egress" | "outgoing" | "outbound"
        family    := "ipv4" | "ipv6"
        way       := "original" | "reply"
        route     := "local" | "published" | "forwarded"

    In any order. A port belongs to the ``from`` or ``to`` before it, and is the destination's where there is
    none. What is wrong is added to ``problems`` and left out.
    """
    words = text.replace(",", " ").split()
    if len(words) > _MOST_WORDS:
        problems.error(place, "packet", "these are %d words; write one packet: %s" % (len(words), EXAMPLE))
        return {}
    return _Words(words, place, problems).read()


class _Words:
    def __init__(self, words: t.Sequence[str], place: Path, problems: Problems) -> None:
        self._words = words
        self._index = 0
        self._place = place
        self._problems = problems
        self._fields: t.Dict[str, object] = {}
        self._side = ""

    def read(self) -> t.Dict[str, object]:
        while self._index < len(self._words):
            word = self._words[self._index]
            self._index += 1
            self._read_word(word)
        return self._fields

    def _read_word(self, word: str) -> None:
        lower = word.lower()
        if lower in _SIDES:
            self._side = _SIDES[lower]
            if self._peek() != "port":
                self._take_address(lower)
        elif lower == "port":
            self._take("%s_port" % (self._side or "destination"), lower, "a port")
        elif lower in _FOLLOWED:
            self._take(_FOLLOWED[lower], lower, "a value")
        elif lower == "ping":
            self._set("protocol", "ping")
        elif lower in _ALONE:
            self._set(*_ALONE[lower])
        elif _NUMBER.fullmatch(lower) and "protocol" not in self._fields:
            self._set("protocol", lower)
        elif lower not in _FILLERS:
            self._problems.error(
                self._place,
                "packet",
                "%s is no word of a packet%s; write for example: %s"
                % (show(word), suggestion(word, _KNOWN, self._problems), EXAMPLE),
            )

    def _peek(self) -> str:
        return self._words[self._index].lower() if self._index < len(self._words) else ""

    def _take_address(self, after: str) -> None:
        word = self._peek()
        if word and word not in _SIDES and not word[0].isdigit() and ":" not in word:
            self._index += 1
            self._problems.error(
                self._place,
                "packet",
                "%s is not an address%s; a packet has one on each side, such as 203.0.113.7 or 2001:db8::7"
                % (show(word), suggestion(word, ("port",), self._problems)),
            )
            if suggestion(word, ("port",)):
                # What follows is the port.
                self._index += 1
            return
        self._take(self._side, after, "an address")

    def _take(self, field: str, after: str, what: str) -> None:
        """The next word as the value of a field."""
        if not self._peek() or self._peek() in _SIDES:
            self._problems.error(self._place, "packet", "behind '%s' %s is missing" % (after, what))
            return
        value = self._words[self._index]
        self._index += 1
        self._set(field, value)

    def _set(self, field: str, value: object) -> None:
        known = self._fields.setdefault(field, value)
        if known != value:
            self._problems.error(
                self._place,
                "packet",
                "the %s is said twice, %s and %s; a packet has one"
                % (field.replace("_", " "), show(known), show(value)),
            )
