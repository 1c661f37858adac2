# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Assertions: what an operator wants to be so, whatever the policies say. They decide no packet."""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass

from .._core.addresses import AddressSet
from .model import Action, Direction, FlowDirection, State, Traffic


class Expectation(enum.Enum):
    """What is to happen to packets. ``REFUSED`` is either of drop and reject."""

    ACCEPT = "accept"
    DROP = "drop"
    REJECT = "reject"
    REFUSED = "refused"

    @property
    def actions(self) -> t.FrozenSet[Action]:
        """The verdicts that are as expected."""
        if self is Expectation.REFUSED:
            return frozenset((Action.DROP, Action.REJECT))
        return frozenset((Action(self.value),))


class Quantifier(enum.Enum):
    """To how many of the packets it is to happen: to all, or to one at least."""

    EVERY = "every"
    ANY = "any"


class SideKind(enum.Enum):
    """What stands at one end.

    ``NAMED`` are addresses, networks and groups, and this host where it is one of them. ``HOST`` is the host that
    the assertion is judged on. ``ANYWHERE`` and ``OUTSIDE`` are always somebody else.
    """

    NAMED = "named"
    HOST = "self"
    ANYWHERE = "anywhere"
    OUTSIDE = "outside"


@dataclass(frozen=True)
class Side:
    """One end of the packets.

    Attributes:
        text: As it was written, for people.
        addresses: Of ``NAMED``, and of ``OUTSIDE`` those that are outside; None means any.
        groups: Inventory groups that are named here.
    """

    kind: SideKind
    text: str
    addresses: t.Optional[AddressSet] = None
    groups: t.Tuple[str, ...] = ()


@dataclass(frozen=True)
class Assertion:
    """One assertion.

    Attributes:
        place: Where it was written: ``firewall_tests[0]``.
        source, destination: None where it was left out.
        direction: None: told by which end the host is.
        traffic: A union, as of a rule.
        traffic_text: As it was written: ``tcp port 443``; empty where it was not.
        states: At least one.
        flow_direction: None means both ways.
        interface: Empty: one that the policies filter.
    """

    place: str
    expectation: Expectation
    quantifier: Quantifier
    source: t.Optional[Side]
    destination: t.Optional[Side]
    direction: t.Optional[Direction]
    traffic: t.Tuple[Traffic, ...]
    traffic_text: str
    states: t.FrozenSet[State]
    flow_direction: t.Optional[FlowDirection] = None
    interface: str = ""
    name: str = ""
    description: str = ""
