# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is a virtual module that is entirely implemented as an action plugin and runs on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: check_policy
short_description: Check the firewall variables of a host before anything is changed
version_added: 0.1.0
author:
  - Palisade contributors (@palisade-firewall)
description:
  - Reads the C(firewall_*) variables of a host as the role P(palisade.nftables.firewall#role) does, and fails with
    everything that is wrong with them, each problem with its place and with what to write instead.
  - Nothing is sent to the host. No connection is opened, and no facts are needed.
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
  everything:
    description:
      - By default only the policies that are assigned to the host are looked at, and what they refer to. That is what
        a deploy needs.
      - With V(true), all policies, networks and services that the host knows are checked, assigned or not, and the
        variables are compared with the JSON Schema of the collection too. The latter needs the Python package
        C(jsonschema) on the controller; without it a warning says that it was left out.
    type: bool
    default: false
seealso:
  - module: palisade.nftables.ruleset
"""

EXAMPLES = r"""
- name: Stop before any host is changed if the variables of one are wrong
  hosts: all
  gather_facts: false
  any_errors_fatal: true
  tasks:
    - name: Check the firewall variables
      palisade.nftables.check_policy:

- name: Check also what is assigned to nobody
  hosts: all
  gather_facts: false
  tasks:
    - name: Check the whole catalogue
      palisade.nftables.check_policy:
        everything: true
"""

RETURN = r"""
effective_rules:
  description:
    - How many rules a provider would count for the assigned policies, where every source and every destination of a
      rule counts.
  returned: success
  type: int
  sample: 17
policies:
  description: The policies of the host in the order of evaluation, default policies first.
  returned: success
  type: list
  elements: str
  sample: [ping, ssh, web]
state:
  description: Whether the firewall of the host shall be V(present) or V(absent).
  returned: success
  type: str
  sample: present
problems:
  description: What is wrong.
  returned: failure
  type: list
  elements: dict
  contains:
    code:
      description: The kind of problem, for programs.
      type: str
      sample: port
    place:
      description: Where it is.
      type: str
      sample: firewall_policies.web.rules[2].destination_ports[0]
    message:
      description: What is wrong, and what to write instead.
      type: str
      sample: "'70000' is not a port (0-65535)"
"""
