# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Whether the host leases its addresses, from the files of all network managers and the kernel's list."""

from __future__ import annotations

import re
import time
import typing as t

from .dhcp_clients import read_dhclient, read_dhcpcd, read_resolver_records, read_udhcpc
from .ifupdown import read_ifupdown
from .network_manager import read_network_manager
from .network_state import NetworkState
from .networkd import read_networkd
from .systemd import Services
from .tree import Tree

#: netplan(5): where its files lie.
_NETPLAN = ("/etc/netplan", "/run/netplan", "/usr/lib/netplan", "/lib/netplan")
_NETPLAN_MADE = ("/run/systemd/network/10-netplan-*", "/run/NetworkManager/system-connections/netplan-*")
_NETPLAN_DHCP = re.compile(r"""(?:^|[\s{,])["']?dhcp([46])["']?\s*:\s*["']?(?:true|yes|on|y)\b""", re.IGNORECASE)

#: IFA_F_PERMANENT of linux/if_addr.h: the address has no end.
_PERMANENT = 0x80


def read_network(tree: Tree, services: Services, now: t.Optional[float] = None) -> NetworkState:
    """What all network managers say; ``now`` in seconds since the epoch tells which leases are over."""
    state = NetworkState()
    read_networkd(tree, services, state)
    read_network_manager(tree, services, state)
    read_ifupdown(tree, state)
    read_udhcpc(tree, services, state)
    _read_netplan(tree, state)
    read_dhclient(tree, services, state, time.time() if now is None else now)
    read_dhcpcd(tree, services, state)
    read_resolver_records(tree, state)
    _read_kernel_addresses(tree, state)
    return state


def lease_notes(state: NetworkState) -> t.List[str]:
    """What was found, for people: one sentence a family, with the first place that says so."""
    notes = []
    for family, evidence in (("DHCPv4", state.dhcp4), ("DHCPv6", state.dhcp6)):
        if evidence:
            more = " and %d more" % (len(evidence) - 1) if len(evidence) > 1 else ""
            notes.append("dhcp: %s, from %s%s" % (family, evidence[0], more))
    if not notes:
        notes.append("dhcp: no interface is configured to lease its address")
    return notes


def _read_netplan(tree: Tree, state: NetworkState) -> None:
    """Reads netplan's own files, where it has not yet made files of the network managers from them.

    There is no YAML in Python's standard library; ``dhcp4: true`` stands on one line in every style.
    """
    if any(tree.glob(pattern) for pattern in _NETPLAN_MADE):
        return
    for folder in _NETPLAN:
        for name in tree.names(folder):
            if not name.endswith(".yaml"):
                continue
            path = "%s/%s" % (folder, name)
            for line in tree.lines(path):
                if line.startswith("#"):
                    continue
                for family in _NETPLAN_DHCP.findall(line):
                    (state.lease4 if family == "4" else state.lease6)("dhcp%s: true in %s" % (family, path))


def _read_kernel_addresses(tree: Tree, state: NetworkState) -> None:
    """IPv6 addresses that only DHCPv6 assigns: a whole /128 in global scope that will end.

    Addresses that the kernel makes from router advertisements have the advertised prefix's length,
    and configured ones have no end. Columns: address, interface, prefix length, scope and flags (all
    in hexadecimal), name.
    """
    for line in tree.lines("/proc/net/if_inet6"):
        columns = line.split()
        if len(columns) != 6:
            continue
        try:
            length, scope, flags = (int(column, 16) for column in columns[2:5])
        except ValueError:
            continue
        if length == 128 and scope == 0 and not flags & _PERMANENT:
            state.lease6("a leased address on %s" % columns[5])
