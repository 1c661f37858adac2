#!/usr/bin/python
# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: verify
short_description: Put what is seen of a host from elsewhere beside what its policies say
version_added: 0.1.0
author:
  - Palisade contributors (@palisade-firewall)
description:
  - The steps of the playbook C(palisade.nftables.verify) other than the asking itself, which M(palisade.nftables.probe)
    does. Use the playbook; this is for those who write another.
  - With O(step=choose), tells what to ask of the host, by its policies, the ports that rules name, some that few should
    reach, and an echo request. It runs on the controller.
  - With O(step=judge), puts the answers beside what the policies of both hosts say of the very packets that were sent,
    and of the packets that answer them. It runs on the controller.
  - With O(step=observe), looks at a host. What do its rules, wanted and live, make of packets, what did they count, and
    which other tables refuse packets there? It changes nothing.
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
    details: It runs on the controller. With O(step=observe), the host runs Linux.
options:
  step:
    description: What to do.
    type: str
    choices: [choose, observe, judge]
    required: true
  ports:
    description: Ports to ask as well, such as V(8080), V(tcp/8080) or V(udp/53). The same for V(choose) and V(judge).
    type: list
    elements: raw
    default: []
  listeners:
    description:
      - Who listens on the host, each with C(protocol), C(address) and C(port). They are asked too, and where one is,
        a refused connection is not taken for an open port without a listener. The same for V(choose) and V(judge).
    type: list
    elements: dict
    default: []
  most:
    description: The most questions to the host from each sender. The same for V(choose) and V(judge).
    type: int
    default: 100
  present:
    description: With O(step=choose), whether the host has a ruleset of ours, where that is known. Where it should have
      one and has none, that is the failure, and nothing is asked.
    type: bool
  host:
    description: With O(step=observe), the inventory name of the host to look at, where the task is delegated to it.
    type: str
  packets:
    description: With O(step=observe), packets as M(palisade.nftables.explain) takes them.
    type: list
    elements: raw
    default: []
  answers:
    description:
      - With O(step=judge), what a loop over the senders registered. Each result is one of M(palisade.nftables.probe),
        and its C(palisade_sender) is the name of the host that asked.
    type: list
    elements: dict
    default: []
  rounds:
    description:
      - With O(step=judge), what was registered for each of RV(rounds), in their order. Each has C(before) and C(after),
        loops of O(step=observe) over C(looks), and C(again), a loop of M(palisade.nftables.probe) over C(asks).
    type: list
    elements: dict
    default: []
  seen_as:
    description: Addresses that the host sees instead of the senders' own, at most one of each family.
    type: list
    elements: str
    default: []
  variables:
    description: Set by the action plugin. The variables of the role, by their names.
    type: dict
  groups:
    description: Set by the action plugin. What C(group:NAME) means.
    type: dict
seealso:
  - module: palisade.nftables.probe
  - module: palisade.nftables.explain
"""

EXAMPLES = r"""
- name: Choose what to ask
  palisade.nftables.verify:
    step: choose
  register: chosen

- name: Ask from the controller
  palisade.nftables.probe:
    targets: "{{ chosen.targets }}"
  delegate_to: "{{ palisade_sender }}"
  loop: [localhost]
  loop_control: {loop_var: palisade_sender}
  register: asked

- name: Compare
  palisade.nftables.verify:
    step: judge
    answers: "{{ asked.results }}"
  register: compared
  failed_when: not compared.verified
"""

RETURN = r"""
targets:
  description: What to ask, for the module probe.
  returned: with O(step=choose)
  type: list
  elements: dict
left_out:
  description: How many questions more than O(most) there would be.
  returned: with O(step=choose) and O(step=judge)
  type: int
verified:
  description: Whether something was asked, every sender asked, and nothing differs.
  returned: with O(step=judge)
  type: bool
counts:
  description: How many rows have each result.
  returned: with O(step=judge)
  type: dict
  sample: {"as expected": 30, "cannot be told": 2, "different": 1, "not asked": 0}
rows:
  description: Each question and what came of it.
  returned: with O(step=judge)
  type: list
  elements: dict
  contains:
    sender:
      description: Who asked.
      type: str
    address:
      description: What was asked.
      type: str
    protocol:
      description: V(tcp), V(udp), or V(icmp) for an echo request.
      type: str
    port:
      description: Null for an echo request.
      type: int
    source:
      description: The address that it was asked from.
      type: str
    expected:
      description: V(accept), V(drop) or V(reject); empty where nothing could be asked.
      type: str
    origin:
      description: The rule that decides, such as C(web[0]).
      type: str
    variable:
      description: The role variable that defines its policy; empty where no policy decides.
      type: str
    decided_at:
      description: V(sender) or V(receiver), whose policies decide.
      type: str
    rule:
      description: The rule in words.
      type: str
    packet:
      description: The packet that it decides, in words.
      type: str
    seen:
      description: As RV(palisade.nftables.probe#module:answers[].outcome).
      type: str
    detail:
      description: As RV(palisade.nftables.probe#module:answers[].detail).
      type: str
    result:
      description: V(as expected), V(different), V(cannot be told) or V(not asked).
      type: str
    note:
      description: What is to be said beside that; may be empty.
      type: str
    layer:
      description:
        - What probably makes the difference, V(the asking host), V(host policy), V(another table of the host),
          V(a provider or router upstream) or V(unknown); empty where nothing differs.
      type: str
    because:
      description: Why that is probable.
      type: str
rounds:
  description:
    - What to ask again while the hosts are looked at, one round after the other.
    - In each, C(asks) has the C(sender) and the C(targets) of the questions, and C(looks) the C(host) and the
      C(packets) of each look, before and after.
  returned: with O(step=judge)
  type: list
  elements: dict
text:
  description: The rows as a table, and each difference in full.
  returned: with O(step=judge)
  type: str
equal:
  description: Whether the kernel holds what the variables say.
  returned: with O(step=observe)
  type: bool
counters:
  description: Packets that each counter of the table has counted.
  returned: with O(step=observe)
  type: dict
answers:
  description:
    - Of each packet, the verdict that the variables want, C(wanted), and the one that the kernel gives, C(live).
    - C(wanted_origin) and C(live_origin) are what decides, and C(counter) is what counts the packet.
    - C(others) are the chains of other tables that refuse it or its answer.
  returned: with O(step=observe)
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._verify_module import run_verify

ARGUMENT_SPEC = {
    "step": {"type": "str", "choices": ["choose", "observe", "judge"], "required": True},
    "ports": {"type": "list", "elements": "raw", "default": []},
    "listeners": {"type": "list", "elements": "dict", "default": []},
    "most": {"type": "int", "default": 100},
    "present": {"type": "bool"},
    "host": {"type": "str"},
    "packets": {"type": "list", "elements": "raw", "default": []},
    "answers": {"type": "list", "elements": "dict", "default": []},
    "rounds": {"type": "list", "elements": "dict", "default": []},
    "seen_as": {"type": "list", "elements": "str", "default": []},
    "variables": {"type": "dict"},
    "groups": {"type": "dict"},
}


def main() -> None:
    """Runs the part of the module that is on the host."""
    run_verify(AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True))


if __name__ == "__main__":
    main()
