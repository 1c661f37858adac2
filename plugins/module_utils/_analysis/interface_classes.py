# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Classes of interface names: names that no pattern tells apart, each class with one name that stands for it."""

from __future__ import annotations

import itertools
import typing as t

from .._policy.packet import Packet
from .._policy.program import LOOPBACK, interface_matches

#: What a class of names that no pattern matches is called.
OTHERS = "every other interface"

#: Longer names are none (IFNAMSIZ of linux/if.h, without the zero byte at the end).
_LONGEST = 15

#: Names that stand for a class where they are in it: ordinary ones first.
_ORDINARY = (Packet.interface, "ens3", "enp1s0", "wan0", "public0")
_ENDINGS = ("0", "1", "", *(one + two for one, two in itertools.product("xyzw9", repeat=2)))


class InterfaceClass(t.NamedTuple):
    """Interfaces that everything said about interfaces treats alike.

    Attributes:
        pattern: The most specific pattern that matches them; empty where none does.
        name: An interface of the class.
    """

    pattern: str
    name: str

    def __str__(self) -> str:
        return self.pattern or OTHERS


class InterfaceClasses:
    """The classes that some patterns make. Loopback is always one of its own: no policy is about it."""

    def __init__(self, patterns: t.Iterable[str]) -> None:
        """``patterns``: names, or prefixes that end in ``*``."""
        # The most specific pattern comes first: a name before any prefix, then the longer prefix.
        self._patterns = sorted({LOOPBACK, *patterns}, key=lambda one: (one.endswith("*"), -len(one), one))
        named = ((pattern, self._name_of(pattern)) for pattern in self._in_order())
        self.listed = tuple(InterfaceClass(pattern, name) for pattern, name in named if name is not None)

    def _in_order(self) -> t.List[str]:
        """The patterns, that of the most ordinary interface first, so that it is the one in examples."""
        ordinary = self.pattern_of(Packet.interface)
        return sorted({*self._patterns, ""}, key=lambda one: (one != ordinary, one))

    def pattern_of(self, interface: str) -> str:
        """The pattern of the class that an interface is in."""
        return next((one for one in self._patterns if interface_matches(one, interface)), "")

    def _name_of(self, pattern: str) -> t.Optional[str]:
        """A name of the class; None where every name that the pattern matches is in another."""
        stem = pattern.removesuffix("*")
        exact = bool(pattern) and stem == pattern
        built = (pattern,) if exact else (*_ORDINARY, *(stem + ending for ending in _ENDINGS))
        fitting = (one for one in built if 0 < len(one) <= _LONGEST and self.pattern_of(one) == pattern)
        return next(fitting, None)
