# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the lab reads from nf_tables in bulk: the elements of its dynamic sets, and named counters."""

from __future__ import annotations

import struct
import typing as t

from . import netlink
from .namespaces import LabError
from .netlink import Netlink, attribute

SUBSYSTEM = 10
_INET = 1  # NFPROTO_INET
_GET_ELEMENTS, _DELETE_ELEMENTS, _GET_OBJECT = 13, 14, 19
_ELEMENTS = 3
_COUNTER_TYPE = 1
_WORD = struct.Struct("=HH")


def _name(number: int, text: str) -> bytes:
    return attribute(number, text.encode() + b"\0")


def empty_sets(table: str, names: t.Iterable[str]) -> t.List[netlink.Request]:
    """Requests, for one transaction, that remove all elements of sets of an inet table."""
    return [
        netlink.netfilter(SUBSYSTEM, _DELETE_ELEMENTS, netlink.REQUEST, _INET, _name(1, table), _name(2, name))
        for name in names
    ]


def elements(connection: Netlink, table: str, name: str, length: int) -> t.List[bytes]:
    """The keys of a set, each of ``length`` octets, in no order.

    Raises:
        LabError: The set does not exist, or holds something else.
    """
    request = netlink.netfilter(SUBSYSTEM, _GET_ELEMENTS, netlink.REQUEST, _INET, _name(1, table), _name(2, name))
    found: t.List[bytes] = []
    for answer in connection.dump(request):
        payload = netlink.attributes(answer).get(_ELEMENTS, b"")
        offset = 0
        while offset < len(payload):
            size, _kind = _WORD.unpack_from(payload, offset)
            # NFTA_LIST_ELEM > NFTA_SET_ELEM_KEY > NFTA_DATA_VALUE > the key: four octets each.
            key_size, key_kind = _WORD.unpack_from(payload, offset + 8)
            if key_kind & 0x3FFF != 1 or key_size != 4 + length:
                raise LabError("set %s holds keys of %d octets, not %d" % (name, key_size - 4, length))
            found.append(payload[offset + 12 : offset + 12 + length])
            offset += size + (-size % 4)
    return found


def counters(connection: Netlink, table: str) -> t.Dict[str, t.Tuple[int, int]]:
    """Named counters of an inet table: name to packets and bytes."""
    kind = attribute(3, struct.pack("!I", _COUNTER_TYPE))
    request = netlink.netfilter(SUBSYSTEM, _GET_OBJECT, netlink.REQUEST, _INET, _name(1, table), kind)
    found = {}
    for answer in connection.dump(request):
        fields = netlink.attributes(answer)
        if fields[1].rstrip(b"\0").decode() != table or struct.unpack("!I", fields[3])[0] != _COUNTER_TYPE:
            continue
        values = netlink.attributes(fields[4])
        octets, number = (struct.unpack("!Q", values[key])[0] for key in (1, 2))
        found[fields[2].rstrip(b"\0").decode()] = (number, octets)
    return found
