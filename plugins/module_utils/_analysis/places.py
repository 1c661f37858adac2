# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Places: hosts, and what reaches them or is reached by them: the outside, named networks, groups of hosts."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._compile.lowered import Box
from .._core.addresses import FAMILIES, AddressRange, AddressSet, format_interval, parse_range
from .._core.intervals import IntervalSet
from .crossing import Addresses
from .decided import DecidedChain
from .entrance import outside_of
from .regions import SOURCE, regions_of

#: What no router forwards, so that it is never outside: "this network" and loopback (RFC 1122, 3.2.1.3), addresses of
#: one link (RFC 3927, RFC 4291, 2.5.6), multicast and what is reserved (RFC 1112, RFC 4291, 2.7).
_NEVER_OUTSIDE = AddressSet(
    found
    for found in (
        parse_range(text)
        for text in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::/127", "fe80::/10", "ff00::/8")
    )
    if found is not None
)

#: Addresses of a place that are listed.
_MOST_LISTED = 20


@dataclass(frozen=True)
class FleetHost:
    """A host among others.

    Attributes:
        ranges: Its own addresses; none where none is known.
        ingress, egress: What its policies decide; None where it shall have no firewall of ours.
        judged: Whether that is known at all; it is not where the host's variables are wrong.
    """

    name: str
    groups: t.Tuple[str, ...] = ()
    ranges: t.Tuple[AddressRange, ...] = ()
    ingress: t.Optional[DecidedChain] = None
    egress: t.Optional[DecidedChain] = None
    judged: bool = True
    addresses: Addresses = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "addresses", addresses_of(AddressSet(self.ranges)))


@dataclass(frozen=True)
class Place:
    """Where packets come from or go to.

    Attributes:
        kind: ``outside``, ``network`` or ``group``.
        texts: The first of its addresses, as people write them.
        members: Of a group its hosts, by their indexes.
    """

    kind: str
    name: str
    addresses: Addresses
    texts: t.Tuple[str, ...] = ()
    members: t.Tuple[int, ...] = ()

    def to_plain(self) -> t.Dict[str, t.Any]:
        return {"kind": self.kind, "name": self.name, "addresses": list(self.texts)}


def addresses_of(found: AddressSet) -> Addresses:
    """By family, in the numbers of regions; a family without addresses is left out."""
    return {family: _numbered(family, found[family]) for family in found.families}


def _numbered(family: int, found: IntervalSet) -> t.Tuple[t.Tuple[int, int], ...]:
    return regions_of(Box(family=family, sources=found))[0][SOURCE]


def places_of(hosts: t.Sequence[FleetHost], networks: t.Mapping[str, t.Sequence[AddressSet]]) -> t.List[Place]:
    """The outside, then the networks by name, then the groups in the order in which hosts name them.

    Args:
        networks: By name what it means; more than one thing where hosts disagree.
    """
    found = [_outside(hosts, networks)]
    for name in sorted(networks):
        meanings = [one for one in networks[name] if one]
        for number, meaning in enumerate(meanings, 1):
            title = name if len(meanings) == 1 else "%s (%d of %d)" % (name, number, len(meanings))
            found.append(Place("network", title, addresses_of(meaning), tuple(meaning.texts()[:_MOST_LISTED])))
    found.extend(
        Place("group", name, {}, members=tuple(index for index, host in enumerate(hosts) if name in host.groups))
        for name in sorted({name for host in hosts for name in host.groups})
    )
    return found


def _outside(hosts: t.Sequence[FleetHost], networks: t.Mapping[str, t.Sequence[AddressSet]]) -> Place:
    """Every address that is routed, no host's, and in no network that is not the world."""
    own = AddressSet(one for host in hosts for one in host.ranges)
    outside = outside_of([own, *(one for meanings in networks.values() for one in meanings)])
    addresses = {}
    texts: t.List[str] = []
    for family in FAMILIES:
        left = outside[family] - _NEVER_OUTSIDE[family]
        if left:
            addresses[family] = _numbered(family, left)
            texts.extend(format_interval(family, item) for item in left.intervals[:_MOST_LISTED])
    return Place("outside", "outside", addresses, tuple(texts[:_MOST_LISTED]))
