# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: explain
short_description: Tell what firewall policies do with a packet, and which rule decides
version_added: 0.1.0
author:
  - Palisade contributors (@palisade-firewall)
description:
  - Takes one packet through the policies of a host, and tells its verdict, the rule that decides, where that rule
    comes from, and the near misses, earlier rules that the packet fails in exactly one condition.
  - Every keyword is a variable of the role P(palisade.nftables.firewall#role) without its prefix C(firewall_), besides
    O(host) and O(groups), as of the filter P(palisade.nftables.compile#filter). Those of catalogues may have a suffix
    too, such as C(networks_office).
  - It runs on the controller and looks at no host. The playbook C(palisade.nftables.explain) takes everything from the
    inventory, and asks the kernel of a host as well.
positional: _input, packet
options:
  _input:
    description: The catalogue, policy name to policy, as in C(firewall_policies).
    type: dict
    required: true
  packet:
    description:
      - The packet, in words such as V(tcp from 203.0.113.7 to port 22), or as a dictionary with C(protocol), C(source),
        C(destination), C(source_port), C(destination_port), C(icmp_type), C(direction), C(state), C(flow_direction),
        C(interface), C(family), C(hop_limit), C(tcp_reset), C(route). C(from), C(to) and C(port) are short for
        C(source), C(destination) and C(destination_port). The C(route) is V(local), V(published) for a packet to the
        published port of a container, by the address and port that it arrives with, or V(forwarded).
      - What is not said is assumed. A packet is incoming, of a new connection, on a filtered interface, from a dynamic
        port, and an address that is not said is one that no rule names. Where the answer depends on that,
        RV(_value.depends_on) names it.
    type: raw
    required: true
extends_documentation_fragment:
  - palisade.nftables._keywords
seealso:
  - plugin: palisade.nftables.compile
    plugin_type: filter
  - module: palisade.nftables.explain
"""

EXAMPLES = r"""
- name: Who decides about SSH from there?
  ansible.builtin.debug:
    msg: >-
      {{ (firewall_policies | palisade.nftables.explain(
            'tcp from 203.0.113.7 to port 22',
            assigned=['ssh', 'web'],
            networks=firewall_networks)).text.splitlines() }}

- name: The world must not reach the database
  ansible.builtin.assert:
    that: answer.verdict == 'drop'
  vars:
    answer: >-
      {{ firewall_policies | palisade.nftables.explain({'protocol': 'tcp', 'port': 5432}, assigned=['postgres']) }}
"""

RETURN = r"""
_value:
  description: What happens to the packet, and why.
  type: dict
  contains:
    verdict:
      description: V(accept), V(drop) or V(reject).
      type: str
    stage:
      description:
        - Where in the order of evaluation it was decided. V(interface), the interface is not filtered;
          V(forwarded), the packet is not for the host; V(unrestricted),
          nothing restricts the direction; V(state), the state of the connection; V(fixed), a rule of the profile;
          V(safeguard); V(default-policy); V(assigned); V(default-action).
      type: str
    origin:
      description: The name of the deciding rule, C(ssh[0]) of a policy, C(established) and the like of Palisade's own.
      type: str
    policy:
      description: The policy of the deciding rule; empty where no policy decided.
      type: str
    index:
      description: The rule's position in its policy, counted from 0; null where no policy decided.
      type: int
    variable:
      description: The role variable that defines the policy; empty for built-in ones.
      type: str
    defined_by:
      description: Who defines that variable. Always empty, because a filter does not know; the module does.
      type: str
    assigned_at:
      description: Where the policy is assigned, such as C(firewall_assigned_web[0]).
      type: str
    assigned_by:
      description: Who defines that variable, likewise.
      type: str
    rule:
      description: The deciding rule in words; empty where none did.
      type: str
    description:
      description: The description that the rule has.
      type: str
    near_misses:
      description: Earlier rules that the packet fails in exactly one condition, in the order of evaluation.
      type: list
      elements: dict
      contains:
        condition:
          description:
            - The condition, by its key in a rule, such as V(sources), V(destination_ports) or V(protocol); or V(state),
              V(flow_direction), V(family), V(hop_limit), V(tcp_reset).
          type: str
        has:
          description: What the packet has there.
          type: str
        wants:
          description: What the rule takes there.
          type: str
        action:
          description: What the rule would have done.
          type: str
        stage:
          description: As of the deciding rule.
          type: str
        origin:
          description: As of the deciding rule.
          type: str
        policy:
          description: As of the deciding rule.
          type: str
        index:
          description: As of the deciding rule.
          type: int
        variable:
          description: As of the deciding rule.
          type: str
        defined_by:
          description: As of the deciding rule.
          type: str
        rule:
          description: The rule in words.
          type: str
    packet:
      description: The whole packet, field by field.
      type: dict
    assumed:
      description: The fields of the packet that were not said.
      type: list
      elements: str
    depends_on:
      description: Those of them that might have made another rule decide.
      type: list
      elements: str
    text:
      description: All of that as text for people.
      type: str
"""

import typing as t

from ..plugin_utils._explaining import explain_packet
from ..plugin_utils._keywords import read_keywords


def explain_policies(policies: object, packet: object, /, **keywords: object) -> t.Dict[str, t.Any]:
    """The explanation in plain data, with its text."""
    read = read_keywords(policies, keywords)
    return explain_packet(packet, read.program, read.variables)


class FilterModule:
    def filters(self) -> t.Dict[str, t.Callable[..., t.Dict[str, t.Any]]]:
        return {"explain": explain_policies}
