# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this doc fragment is PRIVATE to the collection and can change without notice.

from __future__ import annotations


class ModuleDocFragment:
    # The keywords of the filters; plugin_utils/_keywords.py reads them.
    DOCUMENTATION = r"""
options:
  assigned:
    description: The policies that hold, in evaluation order, as in C(firewall_assigned).
    type: list
    elements: raw
    default: []
  networks:
    description: Names for addresses, as in C(firewall_networks).
    type: dict
    default: {}
  services:
    description: Services beside the built-in ones, as in C(firewall_services).
    type: dict
    default: {}
  profile:
    description: Whose semantics hold, as in C(firewall_profile).
    type: str
    choices: [host, netcup, contabo]
    default: host
  default_ingress:
    description: What happens to incoming packets that no rule matches, as in C(firewall_default_ingress).
    type: str
    choices: [auto, accept, drop, reject]
    default: auto
  default_egress:
    description: What happens to outgoing packets that no rule matches, as in C(firewall_default_egress).
    type: str
    choices: [auto, accept, drop, reject]
    default: auto
  default_policies:
    description:
      - Built-in policies before the assigned ones, as in C(firewall_default_policies).
      - Those of the profile where it is not given.
    type: list
    elements: str
  interfaces:
    description: The interfaces that are filtered, as in C(firewall_interfaces).
    type: list
    elements: str
    default: []
  interfaces_ignored:
    description:
      - Interfaces that are never filtered, as in C(firewall_interfaces_ignored).
      - Those of container and virtual machine managers where it is not given.
    type: list
    elements: str
  published:
    description: What happens to packets for published container ports, as in C(firewall_published).
    type: str
    choices: [filter, leave]
    default: filter
  safeguards:
    description: What keeps the host alive, as in C(firewall_safeguards).
    type: dict
  log_dropped:
    description: Whether and how refused packets are logged, as in C(firewall_log_dropped).
    type: raw
    default: false
  layout:
    description: How the rules are laid out, as in C(firewall_layout).
    type: str
    choices: [auto, ordered]
    default: auto
  counters:
    description: Whether every policy rule has its own counter, as in C(firewall_counters).
    type: bool
    default: true
  host:
    description:
      - What the safeguards in mode V(auto) would find on the host.
      - Without it they add nothing.
    type: dict
    suboptions:
      dns_servers:
        description: Name servers, each an address, V(any), or a dictionary with C(address), C(port), C(protocols).
        type: list
        elements: raw
      ntp_servers:
        description: Time servers, in the same forms.
        type: list
        elements: raw
      metadata_servers:
        description: Metadata servers of the cloud, in the same forms.
        type: list
        elements: raw
      dhcp4:
        description: Whether the host leases its IPv4 address.
        type: bool
      dhcp6:
        description: Whether the host leases its IPv6 address.
        type: bool
  groups:
    description: Addresses of the members of inventory groups, for C(group:NAME).
    type: dict
    default: {}
"""
