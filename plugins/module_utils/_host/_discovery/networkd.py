# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""systemd-networkd: its .network files and the state that it keeps in /run (systemd.network(5))."""

from __future__ import annotations

import typing as t

from .network_state import LinkServer, NetworkState, server_addresses
from .systemd import (
    Assignment,
    Services,
    configuration_folders,
    drop_ins,
    files_by_name,
    last_value,
    parse_boolean,
    read_assignments,
    words,
)
from .tree import Tree

_STATE = "/run/systemd/netif"

#: Below these, files are the operator's, or were made from the operator's (by netplan, say). Files
#: below /usr come with systemd for containers and virtual machines, and match no link on most hosts.
_OPERATORS = ("/etc/", "/run/")

_DHCPV4 = frozenset(("ipv4", "v4"))
_DHCPV6 = frozenset(("ipv6", "v6"))
_DHCP_BOTH = frozenset(("both",))


def read_networkd(tree: Tree, services: Services, state: NetworkState) -> None:
    """Adds what systemd-networkd does, if it runs or starts at boot."""
    links = ["%s/links/%s" % (_STATE, name) for name in tree.names(_STATE + "/links")]
    if not links and not services.is_enabled("systemd-networkd"):
        return
    in_use = set()
    listed_dns = []
    for path in links:
        values = _state_file(tree, path)
        in_use.add(values.get("NETWORK_FILE", ""))
        mode = values.get("DNS_OVER_TLS", "")
        listed_dns += [LinkServer(word, mode, path) for word in values.get("DNS", "").split()]
        state.link_ntp += [(word, path) for word in values.get("NTP", "").split()]
    fixed_dns: t.Set[str] = set()
    for path in _network_files(tree, in_use):
        fixed_dns |= _read_network_file(tree, path, state)
    for name in tree.names(_STATE + "/leases"):
        path = "%s/leases/%s" % (_STATE, name)
        values = _state_file(tree, path)
        state.lease4("the lease in %s" % path)
        state.leased_dns |= server_addresses(values.get("DNS", "").split())
        state.leased_ntp |= server_addresses(values.get("NTP", "").split())
    state.link_dns += listed_dns
    state.fixed_dns |= fixed_dns
    # What a link has and no file names was learned: by DHCPv6 or from a router advertisement.
    state.leased_dns |= server_addresses(server.word for server in listed_dns) - fixed_dns


def _state_file(tree: Tree, path: str) -> t.Dict[str, str]:
    return {item.key: item.value for item in read_assignments(tree, path)}


def _network_files(tree: Tree, in_use: t.Set[str]) -> t.List[str]:
    used = {_on_merged_usr(path) for path in in_use}
    return [
        path
        for path in files_by_name(tree, configuration_folders(tree, "/systemd/network"), ".network")
        if path.startswith(_OPERATORS) or _on_merged_usr(path) in used
    ]


def _on_merged_usr(path: str) -> str:
    return path[len("/usr") :] if path.startswith("/usr/lib/") else path


def _read_network_file(tree: Tree, path: str, state: NetworkState) -> t.Set[str]:
    """Adds what one file asks for; returns the resolvers that it fixes."""
    assignments = read_assignments(tree, path)
    name = path.rpartition("/")[2]
    for drop_in in drop_ins(tree, configuration_folders(tree, "/systemd/network"), name + ".d"):
        assignments += read_assignments(tree, drop_in)
    dhcp = last_value(assignments, "Network", "DHCP").lower()
    both = parse_boolean(dhcp) is True or dhcp in _DHCP_BOTH
    if both or dhcp in _DHCPV4:
        state.lease4("DHCP=%s in %s" % (dhcp, path))
    if both or dhcp in _DHCPV6:
        state.lease6("DHCP=%s in %s" % (dhcp, path))
    elif _may_be_told_to_lease(assignments):
        state.lease6("IPv6AcceptRA in %s, as a router may ask for DHCPv6" % path)
    state.fixed_ntp |= server_addresses(word for word, _path in words(assignments, "Network", "NTP"))
    return server_addresses(word for word, _path in words(assignments, "Network", "DNS"))


def _may_be_told_to_lease(assignments: t.Sequence[Assignment]) -> bool:
    """Whether the file says that router advertisements count; DHCPv6 follows where they ask for it."""
    accepts = parse_boolean(last_value(assignments, "Network", "IPv6AcceptRA"))
    client = last_value(assignments, "IPv6AcceptRA", "DHCPv6Client")
    return accepts is True and parse_boolean(client) is not False
