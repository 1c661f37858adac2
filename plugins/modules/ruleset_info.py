#!/usr/bin/python
# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ruleset_info
short_description: Tell what is live on a host, its rules with their counters, drift, and who listens
version_added: 0.1.0
author:
  - Palisade contributors (@palisade-firewall)
description:
  - Reads what the kernel holds of the table C(inet palisade), and what M(palisade.nftables.ruleset) recorded on the
    host. Nothing is changed, and nothing of the inventory is needed.
  - Every rule is listed with its policy, the variable that defines it, and the packets and bytes that it counted.
  - Drift is what somebody else than M(palisade.nftables.ruleset) did to the table. Rules that are missing and rules
    that are foreign are named.
  - Every socket that others can open a connection to is listed with its process, and with what the policies do with
    a new connection to it, from outside and from each network that the policies name.
extends_documentation_fragment:
  - palisade.nftables._attributes
  - palisade.nftables._attributes.action
attributes:
  action:
    support: full
  async:
    support: full
  check_mode:
    support: full
  diff_mode:
    support: N/A
    details: Nothing is changed.
  idempotent:
    support: full
  platform:
    support: full
    platforms: linux
requirements:
  - Those of M(palisade.nftables.ruleset).
options:
  variables:
    description:
      - Variables of the role P(palisade.nftables.firewall#role) by their names. RV(ruleset.wanted) then says whether
        what is live is what they ask for.
      - Where the host has no record of its own, the rules and verdicts are those of these variables.
    type: dict
  groups:
    description:
      - What C(group:NAME) means in a policy, as for M(palisade.nftables.ruleset).
    type: dict
  state:
    description: With V(absent), RV(ruleset.wanted) says whether nothing is live. The variables are not looked at then.
    type: str
    choices: [present, absent]
    default: present
  from_inventory:
    description:
      - Collect O(variables), O(groups) and O(state) from the inventory's variables of the host, on the controller.
    type: bool
    default: false
notes:
  - Only the table C(inet palisade) is judged. Another table of the host, or a firewall in front of it, may refuse what
    is accepted here.
  - Verdicts are those of the policies that were applied last. Where RV(ruleset.drift) says V(changed), the kernel may
    decide otherwise, which RV(ruleset.notes) says.
seealso:
  - module: palisade.nftables.ruleset
  - module: palisade.nftables.explain
"""

EXAMPLES = r"""
- name: What is live?
  palisade.nftables.ruleset_info:
  become: true
  register: live

- name: Nobody may have changed the ruleset by hand
  ansible.builtin.assert:
    that: live.ruleset.drift.state == 'none'
    fail_msg: "{{ live.ruleset.drift }}"

- name: Is it what the inventory says?
  palisade.nftables.ruleset_info:
    from_inventory: true
  become: true
  register: live
  failed_when: live is failed or not live.ruleset.wanted.equal

- name: Services that the whole world reaches
  ansible.builtin.debug:
    msg: "{{ live.ruleset.listeners | selectattr('finding', 'equalto', 'exposed') | map(attribute='process') | list }}"
"""

RETURN = r"""
ruleset:
  description: What is live.
  returned: success
  type: dict
  contains:
    present:
      description: Whether the kernel holds a table of ours.
      type: bool
      returned: success
    digest:
      description: Names the ruleset that was applied last, as O(palisade.nftables.ruleset#module:restore) takes it;
        null where the host has no record of one.
      type: str
      returned: success
      sample: 1f0c5a3e9b7d
    layout:
      description: Its C(firewall_layout); null where it is not known.
      type: str
      returned: success
      sample: auto
    changed_at:
      description: When the last change was confirmed, in UTC as ISO 8601 says it; null where that is not known.
      type: str
      returned: success
      sample: '2026-11-23T02:56:07Z'
    counting_since:
      description:
        - Since when the counters count, in UTC; null where that is not known, and where nothing counts. That is when
          the table was loaded at once, for the first time or instead of another one, or the boot.
        - Changes do not reset counters. Somebody who resets one by hand is not noticed.
      type: str
      returned: success
      sample: '2026-11-20T08:00:00Z'
    rules:
      description:
        - The rules in the order of evaluation, those of ingress first, each direction with its default action at last.
          A direction that nothing restricts has none.
      type: list
      elements: dict
      returned: success
      contains:
        name:
          description: C(web[0]) of a policy, C(dns) and the like of Palisade's own, C(default-ingress).
          type: str
          returned: success
        policy:
          description: The policy; empty for rules of Palisade's own.
          type: str
          returned: success
        index:
          description: The rule's position in its policy, counted from 0; null where it is of none.
          type: int
          returned: success
        variable:
          description: The role variable that defines the policy; empty for built-in ones.
          type: str
          returned: success
        stage:
          description: As M(palisade.nftables.explain) says it.
          type: str
          returned: success
        direction:
          description: V(ingress) or V(egress).
          type: str
          returned: success
        action:
          description: V(accept), V(drop) or V(reject).
          type: str
          returned: success
        text:
          description: The rule in words.
          type: str
          returned: success
        description:
          description: The description that the rule has.
          type: str
          returned: success
        packets:
          description: How many packets it decided; null where it is not counted. Rules of Palisade's own that have one
            name share one counter.
          type: int
          returned: success
        bytes:
          description: How many bytes those had.
          type: int
          returned: success
        never_hit:
          description: Whether it is counted and never decided a packet since RV(ruleset.rules[].counting_since).
          type: bool
          returned: success
        counting_since:
          description: Since when this rule counts; later than RV(ruleset.counting_since) where it was added later.
          type: str
          returned: success
    drift:
      description: What differs from what was applied last.
      type: dict
      returned: success
      contains:
        state:
          description:
            - V(none) where the kernel holds what was applied, or nothing was applied and there is nothing.
            - V(changed) where it holds something else; V(absent) where the table is gone.
            - V(foreign) where there is a table of our name that Palisade did not make.
            - V(unknown) where the host has no record of what was applied.
          type: str
          returned: success
        missing:
          description: What was applied and is not there. A rule is named by its chain and its comment, which leads to
            the policy rule.
          type: list
          elements: str
          returned: success
          sample: ['ingress: web[0]']
        foreign:
          description: What is there and was not applied. A rule is shown as nft lists it, behind its chain.
          type: list
          elements: str
          returned: success
          sample: ['input: ip saddr 198.51.100.7 tcp dport 22 drop comment "byhand"']
        changed:
          description: Sets, maps, chains and other things of the table whose content or order is another.
          type: list
          elements: str
          returned: success
          sample: ['set ip_office_0a1b2c3d4e5f']
    wanted:
      description: Whether what is live is what O(variables) or O(state=absent) ask for; null without them.
      type: dict
      returned: success
      contains:
        equal:
          description: Whether it is.
          type: bool
          returned: success
        changes:
          description: What a run of M(palisade.nftables.ruleset) would change in the kernel, a sentence each.
          type: list
          elements: str
          returned: success
    listeners:
      description:
        - The TCP, UDP, UDP-Lite and SCTP sockets of this host that others can open a connection to, and the raw sockets
          but those for ICMP; and the published ports of containers.
        - A verdict is that of the policies for a new connection to the socket's address and port, whatever its source
          port. V(some) where it depends on where the connection comes from, V(unknown) where it would take too long to
          find out.
      type: list
      elements: dict
      returned: success
      contains:
        protocol:
          description: The protocol's name, or its number.
          type: str
          returned: success
        address:
          description: The address that the socket is bound to; V(0.0.0.0) and V(::) are all addresses.
          type: str
          returned: success
        families:
          description: The families, 4 and 6, that it takes connections of. Sockets of IPv6 take IPv4 as well unless
            they say otherwise.
          type: list
          elements: int
          returned: success
        port:
          description: The port; null for a raw socket.
          type: int
          returned: success
        interface:
          description: The interface that the socket is bound to; null where it is bound to none, or that is not known.
          type: str
          returned: success
        process:
          description: The name of the process; null where no process has the socket, as those of the kernel itself, or
            it is not to be seen from here.
          type: str
          returned: success
        pid:
          description: Its number; of several processes with the socket the first one that is not the service manager.
          type: int
          returned: success
        user:
          description: The user that opened the socket; null where that is not known.
          type: str
          returned: success
        published:
          description: Whether another table of the host forwards the port, to a container as a rule.
          type: bool
          returned: success
        outside:
          description:
            - V(accept), V(drop), V(reject), V(some) or V(unknown) for sources that are in none of the networks and
              groups that the policies name. A network of more than a sixteenth of all addresses of a family is the
              world, and is not taken away from it.
          type: str
          returned: success
        networks:
          description: The same for each network and group (C(group:NAME)) that the policies name.
          type: dict
          returned: success
        rule:
          description: The rule that decides for outside; with V(some) the first that accepts. V(loopback) where the
            kernel lets nobody else in.
          type: str
          returned: success
        finding:
          description:
            - V(exposed) where a sixteenth or more of all addresses of a family get in.
            - V(blocked) where nobody does.
            - V(local) where it is bound to a loopback address; nobody else can reach it, whatever the policies say.
            - Else null.
          type: str
          returned: success
    open_without_listener:
      description: Ports of TCP and UDP that rules of policies accept and nobody listens on. Rules that name no port are
        left out.
      type: list
      elements: dict
      returned: success
      contains:
        protocol:
          description: V(tcp) or V(udp).
          type: str
          returned: success
        ports:
          description: A port or a range of them.
          type: str
          returned: success
          sample: 8000-8010
        rule:
          description: The rule that accepts them.
          type: str
          returned: success
    talks_to:
      description: Whom this host has connections to that it opened itself; what is on loopback is left out.
      type: list
      elements: dict
      returned: success
      contains:
        protocol:
          description: V(tcp) or V(udp).
          type: str
          returned: success
        address:
          description: The other side.
          type: str
          returned: success
        port:
          description: Its port.
          type: int
          returned: success
        connections:
          description: How many there are.
          type: int
          returned: success
        process:
          description: As of RV(ruleset.listeners).
          type: str
          returned: success
        pid:
          description: As of RV(ruleset.listeners).
          type: int
          returned: success
        verdict:
          description: What the policies do with a new connection there.
          type: str
          returned: success
        rule:
          description: The rule that decides that.
          type: str
          returned: success
    notes:
      description: What could not be found out, and why.
      type: list
      elements: str
      returned: success
text:
  description: All of that as text for people.
  returned: success
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._ruleset_info_module import run_ruleset_info

ARGUMENT_SPEC = {
    "variables": {"type": "dict"},
    "groups": {"type": "dict"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "from_inventory": {"type": "bool", "default": False},
}


def main() -> None:
    """Runs the module."""
    run_ruleset_info(AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True))


if __name__ == "__main__":
    main()
