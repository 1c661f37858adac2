#!/usr/bin/python
# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

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
  - Nothing is sent to the host unless O(live=true). No connection is opened, and no facts are needed. Safeguards in
    mode V(auto), which find out on the host what to let through, add nothing then.
  - With O(live=true) they do, and the host's kernel is asked as well. What it holds is read back, and the packet is
    taken through it, chain by chain, as the kernel does. A warning says where the live ruleset is not the wanted one.
    Nothing is changed, and no packet is sent.
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
    details: It runs on the controller. With O(live=true), the host runs Linux.
requirements:
  - With O(live=true) on the host those of M(palisade.nftables.ruleset), and an nft that was built with JSON.
options:
  packet:
    description:
      - The packet, in words such as V(tcp from 203.0.113.7 to port 22), or as a dictionary with C(protocol), C(source),
        C(destination), C(source_port), C(destination_port), C(icmp_type), C(direction), C(state), C(flow_direction),
        C(interface), C(family), C(hop_limit), C(tcp_reset), C(route). C(from), C(to) and C(port) are short for
        C(source), C(destination) and C(destination_port). The C(route) is V(local), V(published) for a packet to the
        published port of a container, by the address and port that it arrives with, or V(forwarded).
      - What is not said is assumed. A packet is incoming, of a new connection, on a filtered interface, from a dynamic
        port. The host's own address is its C(firewall_addresses), or C(ansible_host) where that is an address; any
        other address that is not said is one that no rule names. Where the answer depends on that, RV(depends_on) names
        it.
    type: raw
    required: true
  live:
    description: Ask the kernel of the host as well.
    type: bool
    default: false
  variables:
    description: Set by the action plugin. The variables of the role, by their names.
    type: dict
  groups:
    description: Set by the action plugin. What C(group:NAME) means.
    type: dict
  addresses:
    description: Set by the action plugin. The host's own addresses, at most one of each family.
    type: list
    elements: str
    default: []
  definers:
    description: Set by the action plugin. Who defines the variables of the role, by their names.
    type: dict
notes:
  - Only the table C(inet palisade) is asked. Another table, another firewall or a provider's may refuse a packet that
    it accepts.
  - A rule in that table that somebody added by hand and that says what this module does not know, such as a packet
    mark, is not guessed at. Where it may decide, the verdict is V(unknown), and RV(live.reason) says which rule.
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

- name: What does the kernel do with it?
  palisade.nftables.explain:
    packet: tcp from 203.0.113.7 to port 22
    live: true
  become: true
  register: answer
"""

RETURN = r"""
verdict:
  description: V(accept), V(drop) or V(reject).
  type: str
  returned: success
stage:
  description:
    - Where in the order of evaluation it was decided. V(interface), the interface is not filtered;
      V(forwarded), the packet is not for the host; V(unrestricted),
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
defined_by:
  description: Who defines that variable, C(group webservers) or C(host web1) of the inventory; empty where it comes
    from elsewhere, as from a play or the command line.
  type: str
  returned: success
assigned_at:
  description: Where the policy is assigned, such as C(firewall_assigned_web[0]).
  type: str
  returned: success
assigned_by:
  description: Who defines that variable, likewise.
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
    defined_by:
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
live:
  description: What the kernel does with the packet.
  returned: success, with O(live=true)
  type: dict
  contains:
    verdict:
      description: V(accept), V(drop) or V(reject); V(unknown) where a rule that may decide was not understood.
      type: str
      returned: success
    origin:
      description: The name of the deciding rule; empty where no rule decided.
      type: str
      returned: success
    variable:
      description: The role variable that defines its policy, where the wanted ruleset has the rule too.
      type: str
      returned: success
    passed:
      description: What matched, in order, the C(place) of each, a chain or a map, and its C(comment).
      type: list
      elements: dict
      returned: success
    reason:
      description: Why the verdict is unknown, or that there is no table.
      type: str
      returned: success
    equal:
      description: Whether the live ruleset is the wanted one.
      type: bool
      returned: success
    warning:
      description: How they differ; empty where they do not.
      type: str
      returned: success
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._explain_module import run_explain

ARGUMENT_SPEC = {
    "packet": {"type": "raw", "required": True},
    "live": {"type": "bool", "default": False},
    "variables": {"type": "dict"},
    "groups": {"type": "dict"},
    "addresses": {"type": "list", "elements": "str", "default": []},
    "definers": {"type": "dict"},
}


def main() -> None:
    """Runs the module."""
    run_explain(AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True))


if __name__ == "__main__":
    main()
