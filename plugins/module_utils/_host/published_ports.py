# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Published ports of containers: those that other tables of the host translate to another destination."""

from __future__ import annotations

import typing as t

from .._compile.table import TABLE_NAME
from .._policy.protocols import PROTOCOLS
from ._discovery.foreign_tables import find_published_ports, read_tables
from .holding import Holding
from .nft import Nft
from .planning import list_others

#: What a rule without a protocol means.
_ANY = ("tcp", "udp")

#: Ports listed; a range may have thousands.
_MOST = 256


class PublishedPort(t.NamedTuple):
    """One port; ``families`` are those of the table that translates it."""

    protocol: int
    port: int
    families: t.Tuple[int, ...]


def list_published_ports(nft: Nft, holding: Holding, notes: t.List[str]) -> t.List[PublishedPort]:
    """The published ports, each once."""
    ports, _unreadable = find_published_ports(read_tables(list_others(nft, holding), TABLE_NAME))
    found = list(dict.fromkeys(one for text, where in ports for one in _read(text, where)))
    if len(found) > _MOST:
        notes.append("%d ports are published to containers; the first %d are listed" % (len(found), _MOST))
    return found[:_MOST]


def _read(text: str, where: str) -> t.Iterator[PublishedPort]:
    """``tcp/8080`` or ``udp/5000-5010`` of ``(table 'ip nat')``."""
    name, _slash, numbers = text.partition("/")
    low, _dash, high = numbers.partition("-")
    if not low.isdecimal() or not (high or low).isdecimal():
        return
    families = (4,) if "'ip " in where else (6,) if "'ip6 " in where else (4, 6)
    for protocol in [name] if name in PROTOCOLS else _ANY:
        for port in range(int(low), min(int(high or low), int(low) + _MOST) + 1):
            yield PublishedPort(PROTOCOLS[protocol], port, families)
