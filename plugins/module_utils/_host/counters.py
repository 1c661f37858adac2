# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""What the counters of our table in the kernel have counted, read over netlink.

The numbers are those of linux/netfilter/nf_tables.h.
"""

from __future__ import annotations

import typing as t

from .._compile.table import TABLE_NAME
from .netlink import (
    INET,
    OBJECTS,
    TABLES,
    ChangedMeanwhileError,
    Netlink,
    NetlinkError,
    read_attributes,
    read_name,
)

_TABLE_HANDLE = 4
_OBJECT_TABLE, _OBJECT_NAME, _OBJECT_TYPE, _OBJECT_DATA, _OBJECT_HANDLE = 1, 2, 3, 4, 6
_COUNTER = 1
_BYTES, _PACKETS = 1, 2

#: How often is asked anew, because something changes the ruleset meanwhile.
_ATTEMPTS = 20


class Counter(t.NamedTuple):
    """One named counter.

    Attributes:
        handle: The kernel's number of it: higher than those of everything that the table had before.
    """

    packets: int
    bytes: int
    handle: int


class Counters(t.NamedTuple):
    """The counters of our table.

    Attributes:
        table: The kernel's number of the table, another one for each table that is made; 0 where there is none.
        by_name: Its named counters.
    """

    table: int
    by_name: t.Mapping[str, Counter]

    @property
    def newest(self) -> int:
        """The highest number of a counter; 0 where there is none."""
        return max((counter.handle for counter in self.by_name.values()), default=0)


def read_counters() -> Counters:
    """The counters in the network namespace of the calling thread.

    Raises:
        NetlinkError: The kernel did not tell.
        NftNotPermittedError: The kernel did not let us ask.
    """
    for _attempt in range(_ATTEMPTS):
        try:
            with Netlink() as netlink:
                table = _find_table(netlink)
                return Counters(table, dict(_read(netlink)) if table else {})
        except ChangedMeanwhileError:
            continue
    raise NetlinkError("something on this host changes its nftables ruleset all the time; it was never seen at rest")


def _find_table(netlink: Netlink) -> int:
    for data in netlink.dump(TABLES, INET):
        attributes = read_attributes(data)
        if read_name(attributes[1]) == TABLE_NAME:
            return int.from_bytes(attributes.get(_TABLE_HANDLE, b""), "big")
    return 0


def _read(netlink: Netlink) -> t.Iterator[t.Tuple[str, Counter]]:
    for data in netlink.dump(OBJECTS, INET, TABLE_NAME):
        attributes = read_attributes(data)
        kind = int.from_bytes(attributes[_OBJECT_TYPE], "big")
        if kind != _COUNTER or read_name(attributes[_OBJECT_TABLE]) != TABLE_NAME:
            continue
        values = read_attributes(attributes[_OBJECT_DATA])
        yield (
            read_name(attributes[_OBJECT_NAME]),
            Counter(
                packets=int.from_bytes(values.get(_PACKETS, b""), "big"),
                bytes=int.from_bytes(values.get(_BYTES, b""), "big"),
                handle=int.from_bytes(attributes.get(_OBJECT_HANDLE, b""), "big"),
            ),
        )
