# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""The kernel's addresses and routes, from /proc/net."""

from __future__ import annotations

import sys
import typing as t

from ..._core.addresses import BITS, IPV4, IPV6, format_address, parse_address
from .server_text import is_local
from .tree import Tree

LOOPBACK = "lo"

# Flags of linux/route.h and linux/ipv6_route.h.
_UP = 0x0001
_REJECT = 0x0200
_LOCAL = 0x80000000

_LINK_LOCAL_IPV6 = 0xFE80 << 112
_LINK_LOCAL_BITS = 10


class _Route(t.NamedTuple):
    """A route; ``interface`` is None where packets are refused."""

    network: int
    length: int
    metric: int
    interface: t.Optional[str]


def local_addresses(tree: Tree, proc: str = "/proc") -> t.FrozenSet[str]:
    """The canonical texts of the host's own addresses, of both families."""
    found = set()
    leaf = ""
    # A leaf of the trie is an address, then a line for each prefix length that ends there.
    for line in tree.lines(proc + "/net/fib_trie"):
        if line.startswith("|--"):
            leaf = line[3:].strip()
        elif line.startswith("/32 host LOCAL"):
            found.add(leaf)
    for line in tree.lines(proc + "/net/if_inet6"):
        value = _hexadecimal(line.split(" ")[0], 32)
        if value is not None:
            found.add(format_address(IPV6, value))
    return frozenset(found)


def interface_of(tree: Tree, address: str, proc: str = "/proc") -> t.Optional[str]:
    """The interface on which the main routing table sends packets to a canonical address.

    The host's own addresses are on ``lo``. None where no route, or a refusing one, leads there, and for
    an IPv6 link-local address that more than one interface could mean.
    """
    if is_local(address) or address in local_addresses(tree, proc):
        return LOOPBACK
    family, value = parse_address(address)
    routes = _ipv4_routes(tree, proc) if family == IPV4 else _ipv6_routes(tree, proc)
    bits = BITS[family]
    matching = [route for route in routes if (route.network ^ value) >> (bits - route.length) == 0]
    if not matching:
        return None
    best = min(matching, key=lambda route: (-route.length, route.metric))
    if family == IPV6 and (value ^ _LINK_LOCAL_IPV6) >> (bits - _LINK_LOCAL_BITS) == 0:
        interfaces = {route.interface for route in matching if route.length == best.length}
        return interfaces.pop() if len(interfaces) == 1 else None
    return best.interface


def _ipv4_routes(tree: Tree, proc: str) -> t.Iterator[_Route]:
    """Rows of proc_pid_net(5) ``route``: addresses are in the byte order of the host, in hexadecimal."""
    for line in tree.lines(proc + "/net/route")[1:]:
        columns = line.split()
        if len(columns) < 8:
            continue
        network = _ipv4(columns[1])
        mask = _ipv4(columns[7])
        flags = _hexadecimal(columns[3], 8)
        if network is None or mask is None or flags is None or not columns[6].isdigit() or not flags & _UP:
            continue
        interface = None if flags & _REJECT else columns[0]
        yield _Route(network, bin(mask).count("1"), int(columns[6]), interface)


def _ipv4(text: str) -> t.Optional[int]:
    value = _hexadecimal(text, 8)
    return None if value is None else int.from_bytes(value.to_bytes(4, sys.byteorder), "big")


def _ipv6_routes(tree: Tree, proc: str) -> t.Iterator[_Route]:
    """Rows of proc_pid_net(5) ``ipv6_route``, all in hexadecimal.

    Destination, its length, source, its length, next hop, metric, two counts, flags, interface.
    """
    for line in tree.lines(proc + "/net/ipv6_route"):
        columns = line.split()
        if len(columns) != 10:
            continue
        network, source_length = _hexadecimal(columns[0], 32), _hexadecimal(columns[3], 2)
        length, metric, flags = (_hexadecimal(columns[index], 8) for index in (1, 5, 8))
        if network is None or length is None or length > BITS[IPV6] or metric is None or flags is None:
            continue
        if source_length != 0 or not flags & (_UP | _REJECT):
            # A route for one source only is not of the main table's plain kind.
            continue
        interface = None if flags & _REJECT else LOOPBACK if flags & _LOCAL else columns[9]
        yield _Route(network, length, metric, interface)


def _hexadecimal(text: str, digits: int) -> t.Optional[int]:
    if not text or len(text) > digits:
        return None
    try:
        return int(text, 16)
    except ValueError:
        return None
