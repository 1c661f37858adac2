# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is a virtual module that is entirely implemented as an action plugin and runs on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: explain
short_description: Tell what the firewall of a host does with a packet, and which rule decides
version_added: 0.1.0
author:
  - Palisade contributors (@palisade-firewall)
description:
  - Takes one packet through the policies that the inventory gives a host, and tells its verdict, the rule that decides,
    where that rule comes from, and the near misses, earlier rules that the packet fails in exactly one condition.
  - Nothing is sent to the host. No connection is opened, and no facts are needed. Safeguards in mode V(auto), which
    find out on the host what to let through, add nothing.
extends_documentation_fragment:
  - palisade.nftables._attributes
  - palisade.nftables._attributes.action
attributes:
  action:
    support: full
  async:
    support: none
  check_mode:
    support: full
  diff_mode:
    support: N/A
    details: Nothing is changed.
  idempotent:
    support: full
  platform:
    support: full
    platforms: all
    details: It runs on the controller.
options:
  packet:
    description:
      - The packet, in words such as V(tcp from 203.0.113.7 to port 22), or as a dictionary with C(protocol), C(source),
        C(destination), C(source_port), C(destination_port), C(icmp_type), C(direction), C(state), C(flow_direction),
        C(interface), C(family), C(hop_limit), C(tcp_reset). C(from), C(to) and C(port) are short for C(source),
        C(destination) and C(destination_port).
      - What is not said is assumed. A packet is incoming, of a new connection, on a filtered interface, from a dynamic
        port. The host's own address is its C(firewall_addresses), or C(ansible_host) where that is an address; any
        other address that is not said is one that no rule names. Where the answer depends on that, RV(depends_on) names
        it.
    type: raw
    required: true
seealso:
  - plugin: palisade.nftables.explain
    plugin_type: filter
  - module: palisade.nftables.check_policy
"""

EXAMPLES = r"""
- name: Who decides about SSH from there?
  palisade.nftables.explain:
    packet: tcp from 203.0.113.7 to port 22
  register: answer

- name: The world must not reach the database
  palisade.nftables.explain:
    packet: {protocol: tcp, port: 5432}
  register: answer
  failed_when: answer.verdict == 'accept'
"""

RETURN = r"""
verdict:
  description: V(accept), V(drop) or V(reject).
  type: str
  returned: success
stage:
  description:
    - Where in the order of evaluation it was decided. V(interface), the interface is not filtered; V(unrestricted),
      nothing restricts the direction; V(state), the state of the connection; V(fixed), a rule of the profile;
      V(safeguard); V(default-policy); V(assigned); V(default-action).
  type: str
  returned: success
origin:
  description: The name of the deciding rule, C(ssh[0]) of a policy, C(established) and the like of Palisade's own.
  type: str
  returned: success
policy:
  description: The policy of the deciding rule; empty where no policy decided.
  type: str
  returned: success
index:
  description: The rule's position in its policy, counted from 0; null where no policy decided.
  type: int
  returned: success
variable:
  description: The role variable that defines the policy; empty for built-in ones.
  type: str
  returned: success
assigned_at:
  description: Where the policy is assigned, such as C(firewall_assigned_web[0]).
  type: str
  returned: success
rule:
  description: The deciding rule in words; empty where none did.
  type: str
  returned: success
description:
  description: The description that the rule has.
  type: str
  returned: success
near_misses:
  description: Earlier rules that the packet fails in exactly one condition, in the order of evaluation.
  type: list
  returned: success
  elements: dict
  contains:
    condition:
      description:
        - The condition, by its key in a rule, such as V(sources), V(destination_ports) or V(protocol); or V(state),
          V(flow_direction), V(family), V(hop_limit), V(tcp_reset).
      type: str
      returned: success
    has:
      description: What the packet has there.
      type: str
      returned: success
    wants:
      description: What the rule takes there.
      type: str
      returned: success
    action:
      description: What the rule would have done.
      type: str
      returned: success
    stage:
      description: As of the deciding rule.
      type: str
      returned: success
    origin:
      description: As of the deciding rule.
      type: str
      returned: success
    policy:
      description: As of the deciding rule.
      type: str
      returned: success
    index:
      description: As of the deciding rule.
      type: int
      returned: success
    variable:
      description: As of the deciding rule.
      type: str
      returned: success
    rule:
      description: The rule in words.
      type: str
      returned: success
packet:
  description: The whole packet, field by field.
  type: dict
  returned: success
assumed:
  description: The fields of the packet that were not said.
  type: list
  returned: success
  elements: str
depends_on:
  description: Those of them that might have made another rule decide.
  type: list
  returned: success
  elements: str
text:
  description: All of that as text for people.
  type: str
  returned: success
"""
