#!/usr/bin/python
# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

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
  - Then proves the host's policy tests, C(firewall_tests), and fails where one does not hold. C(docs/policy-tests.md)
    describes them.
  - Nothing is sent to the host. No connection is opened, and no facts are needed. The exception is
    C(firewall_verify_kernel=true) on a controller whose own kernel cannot be asked. The host's is asked then, in a
    network namespace made for it, which needs root.
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
    details: It runs on the controller; a kernel that is asked is that of Linux.
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
  trial:
    description:
      - What the host's kernel is asked, C(ruleset) and C(packets). Set by the action plugin.
    type: dict
notes:
  - With the variable C(palisade_junit), the name of a folder on the controller, the outcomes of the tests are written
    there as JUnit XML, one file for each host.
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

- name: Write what became of the policy tests for continuous integration
  hosts: all
  gather_facts: false
  vars:
    palisade_junit: build/junit
  tasks:
    - name: Check the firewall variables, and run the tests
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
tests:
  description: What became of the policy tests.
  returned: when the host has tests
  type: dict
  contains:
    ok:
      description: How many hold.
      type: int
      sample: 3
    failed:
      description: How many do not, or could not be decided.
      type: int
      sample: 0
    skipped:
      description: How many are not about this host.
      type: int
      sample: 1
    lines:
      description: The outcomes as lines of text, those of a test run.
      type: list
      elements: str
      sample: ["ok      firewall_tests[0]: Nobody else reaches SSH", "web1: 1 test: 1 ok"]
    outcomes:
      description: One item for each test, in their order.
      type: list
      elements: dict
      contains:
        status:
          description: V(ok), V(failed) or V(skipped).
          type: str
          sample: ok
        place:
          description: Where the test is written.
          type: str
          sample: firewall_tests[0]
        name:
          description: Its name; empty where it has none.
          type: str
          sample: Nobody else reaches SSH
        description:
          description: Its description.
          type: str
          sample: ''
        assertion:
          description: What it says.
          type: str
          sample: every packet of ssh from outside office is refused
        reason:
          description: Why it failed or was skipped.
          type: str
          sample: a packet is not as expected
        cause:
          description:
            - The same for programs. V(verdict), V(safeguard) where one in mode C(auto) decides, V(undecided), V(kernel)
              where a kernel disagrees, or V(elsewhere) where it is not about this host.
          type: str
          sample: verdict
        packet:
          description: A packet that shows it, in the form that the filter P(palisade.nftables.lint#filter) uses.
          type: dict
        verdict:
          description: What happens to the packet.
          type: str
          sample: accept
        rule:
          description: The rule that decides it.
          type: str
          sample: web[0]
        variable:
          description: The variable that defines the policy of the rule.
          type: str
          sample: firewall_policies
        stage:
          description: Where in the order of evaluation that is.
          type: str
          sample: assigned
        advice:
          description: What to do.
          type: str
          sample: narrow web[0] of firewall_policies
        kernel:
          description: What a kernel said, where it was asked.
          type: str
          sample: the kernel agrees on 12 packets
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._trial_module import run_trial

ARGUMENT_SPEC = {
    "everything": {"type": "bool", "default": False},
    "trial": {"type": "dict"},
}


def main() -> None:
    """Runs the host's half of the module."""
    run_trial(AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True))


if __name__ == "__main__":
    main()
