# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""The packets that an assertion is about on one host, which may be one of its ends, both, or neither."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._compile.lower import boxes_of
from .._core.addresses import FAMILIES, AddressRange, AddressSet
from .._policy.assertion_reader import spread
from .._policy.assertions import Assertion, Expectation, Side, SideKind
from .._policy.model import Action, Direction, Origin, Rule
from .regions import Region, regions_of


class Subject(t.NamedTuple):
    """The host that assertions are judged on.

    Attributes:
        addresses: All that are known of it.
        groups: Its groups of the inventory.
    """

    name: str
    addresses: AddressSet = AddressSet(())
    groups: t.FrozenSet[str] = frozenset()


@dataclass(frozen=True)
class Part:
    """The packets of one direction: disjoint or not, all of them together."""

    direction: Direction
    regions: t.Tuple[Region, ...]


class Space(t.NamedTuple):
    """What an assertion is about here.

    Attributes:
        parts: None of them is empty; none at all where it is not about this host.
        reason: Why there is none.
    """

    parts: t.Tuple[Part, ...]
    reason: str = ""


#: What is never the host by itself, only where the direction says so.
_OTHERS = (SideKind.ANYWHERE, SideKind.OUTSIDE)

#: Addresses at one end; None means any.
_Addresses = t.Optional[AddressSet]


def space_of(assertion: Assertion, subject: Subject) -> Space:
    """The packets of the assertion on this host.

    Left out, ``to`` is the host under whatever address, and ``from`` is anywhere. Of packets that leave (by their
    direction, from ``self``, or to what is never the host) it is the other way.
    """
    for side in (assertion.source, assertion.destination):
        if side is not None and side.addresses is not None and not side.addresses and not _is_member(side, subject):
            return Space((), "there is no address in %s" % side.text)
    found = []
    for direction in Direction:
        if _is_of(assertion, direction, subject):
            source = _addresses(assertion.source, subject, own=direction is Direction.EGRESS)
            destination = _addresses(assertion.destination, subject, own=direction is Direction.INGRESS)
            found.append(Part(direction, _regions(assertion, direction, source, destination)))
    parts = tuple(part for part in found if part.regions)
    if parts:
        return Space(parts)
    if found:
        return Space((), "its addresses here have no family in common")
    return Space((), _why_not(assertion, subject))


def _is_of(assertion: Assertion, direction: Direction, subject: Subject) -> bool:
    """Whether the host is the end of the assertion that has the packets of this direction."""
    if assertion.direction not in (None, direction):
        return False
    own, peer = assertion.source, assertion.destination
    if direction is Direction.INGRESS:
        own, peer = peer, own
    if peer is not None and peer.kind is SideKind.HOST:
        return False
    if direction is Direction.EGRESS and _is_told_there(assertion):
        return False
    if own is not None:
        if own.kind in _OTHERS:
            return assertion.direction is not None
        names_peer = assertion.direction is None and direction is Direction.EGRESS and peer is None
        return _is_host(own, subject) and not (names_peer and own.kind is SideKind.NAMED)
    if assertion.direction is not None or direction is Direction.INGRESS:
        return True
    return peer is not None and peer.kind in _OTHERS


def _is_told_there(assertion: Assertion) -> bool:
    """Whether the hosts that packets go to tell alone what happens to them.

    Both ends have to accept what is to arrive; to refuse it one is enough, and that is the one who is asked.
    """
    source, destination = assertion.source, assertion.destination
    return (
        assertion.direction is None
        and assertion.expectation is not Expectation.ACCEPT
        and (source is not None and source.kind is SideKind.NAMED)
        and (destination is not None and bool(destination.groups))
    )


def _is_host(side: Side, subject: Subject) -> bool:
    if side.kind is SideKind.NAMED:
        return _is_member(side, subject) or bool(side.addresses and _shared(side.addresses, subject.addresses))
    return side.kind is SideKind.HOST


def _is_member(side: Side, subject: Subject) -> bool:
    return not subject.groups.isdisjoint(side.groups)


def _addresses(side: t.Optional[Side], subject: Subject, *, own: bool) -> _Addresses:
    """Those of one end; those of the host at its ``own`` end are any where none is known."""
    if side is None:
        return None
    if not own or side.kind in _OTHERS:
        return side.addresses
    if side.kind is SideKind.HOST or side.addresses is None:
        return subject.addresses or None
    return _shared(side.addresses, subject.addresses) or subject.addresses or None


def _shared(one: AddressSet, other: AddressSet) -> AddressSet:
    return AddressSet(
        AddressRange(family, low, high) for family in FAMILIES for low, high in (one[family] & other[family]).intervals
    )


def _regions(
    assertion: Assertion, direction: Direction, sources: _Addresses, destinations: _Addresses
) -> t.Tuple[Region, ...]:
    """The packets as if a rule had to match them."""
    found: t.List[Region] = []
    for states, way in spread(assertion):
        rule = Rule(
            direction,
            Action.ACCEPT,
            Origin(assertion.place),
            traffic=assertion.traffic,
            sources=sources,
            destinations=destinations,
            states=states,
            flow_direction=way,
        )
        for box in boxes_of(rule):
            found.extend(regions_of(box))
    return tuple(found)


def _why_not(assertion: Assertion, subject: Subject) -> str:
    if assertion.source is not None and _is_told_there(assertion) and _is_host(assertion.source, subject):
        told = "" if assertion.destination is None else assertion.destination.text
        return "what is refused is told by the hosts of %s; with direction: egress it is told here" % told
    sides = [assertion.destination, assertion.source]
    if assertion.direction is not None:
        sides = sides[:1] if assertion.direction is Direction.INGRESS else sides[1:]
    named = [side.text for side in sides if side is not None and side.kind is SideKind.NAMED]
    reason = "%s is not in %s" % (subject.name, " nor in ".join(named))
    if not subject.addresses:
        reason += ", as far as is known: it has no address (firewall_addresses)"
    if assertion.source is None and assertion.direction is None:
        reason += "; packets from this host are said with from: self"
    return reason
