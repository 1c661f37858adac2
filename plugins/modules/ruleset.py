#!/usr/bin/python
# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ruleset
short_description: Compile firewall policies and apply them as an nftables ruleset
version_added: 0.1.0
author:
  - Palisade contributors (@palisade-firewall)
description:
  - Compiles the firewall policies of a host to one nftables table, C(inet palisade), and brings the kernel to it
    without a gap; no other table is ever written.
  - Whether anything changes is decided by what the kernel holds. A table that was altered by hand is found and
    repaired.
  - A run stops before it touches anything if the policies are wrong (every problem is reported), if the new ruleset
    would refuse a new SSH connection from where the run comes from, or if a table C(inet palisade) exists that
    this module did not make.
  - The role P(palisade.nftables.firewall#role) calls it with everything that the inventory says about a host, and
    documents the variables.
extends_documentation_fragment:
  - palisade.nftables._attributes
  - palisade.nftables._attributes.action
attributes:
  action:
    support: full
  async:
    support: partial
    details: Not while a change is to be confirmed (O(confirm_timeout)), because a run that nobody waits for cannot open
      a new connection.
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
  platform:
    support: full
    platforms: linux
requirements:
  - Python 3.9 or newer, nft 0.9.8 or newer, and nothing else.
  - Root, or C(CAP_NET_ADMIN) in the user namespace that owns the network.
options:
  state:
    description:
      - V(present) applies the policies.
      - V(absent) removes the table, its files and its unit, and leaves everything else.
    type: str
    choices: [present, absent]
    default: present
  variables:
    description:
      - Variables of the role P(palisade.nftables.firewall#role) by their names, such as C(firewall_policies),
        C(firewall_assigned) and C(firewall_assigned_webservers). A variable that is left out has the role's default.
      - Required with O(state=present), unless O(from_inventory=true) or O(restore).
    type: dict
  groups:
    description:
      - What C(group:NAME) means in a policy, a group's name to the addresses of its hosts.
      - A group is a list of addresses, or a dictionary with C(addresses) and C(missing), the hosts whose address is not
        known.
    type: dict
  from_inventory:
    description:
      - Collect O(variables) and O(groups) from the inventory's variables of the host, on the controller. Only the
        policies that are assigned to the host, and what they refer to, are templated.
    type: bool
    default: false
  install_nft:
    description:
      - Where nft is missing, install the package C(nftables) by M(ansible.builtin.package), and go on. In check mode
        nothing is installed, so RV(changes) tells of nothing else.
    type: bool
    default: false
  persist:
    description:
      - V(auto) has the ruleset survive a reboot where systemd runs. It is saved as C(/etc/palisade/ruleset.nft), and
        C(palisade.service) loads it before the network comes up.
      - V(true) fails where that cannot be done, before anything is changed.
      - V(false) removes the saved ruleset and the unit. The ruleset in the kernel stays.
    type: str
    choices: [auto, 'true', 'false']
    default: auto
  on_conflict:
    description:
      - What to do where another firewall manager is active, such as firewalld or ufw.
      - V(fail) stops before anything is touched, and names what was found and what to do. V(disable) disables it once
        the new ruleset is in force, without an unprotected instant. V(ignore) goes on and warns, because both have to
        accept a packet.
    type: str
    choices: [fail, disable, ignore]
    default: fail
  connection:
    description:
      - Name of the connection plugin by which the host is reached. Set by the action plugin; it tells the safeguard
        C(ssh) whether there is a connection to look for.
    type: str
    default: ''
  restore:
    description:
      - Goes back to a ruleset that was in force before, instead of O(variables). V(previous), or a digest.
      - The host keeps what the last five were made of, besides the one in force, in C(/etc/palisade/history); the names
        of the files there hold the time and the digest. Where there is no such ruleset, the error lists them.
      - With O(from_inventory=true), only O(persist), O(on_conflict), O(confirm_timeout) and O(must_reach) are from the
        inventory.
    type: str
  confirm_timeout:
    description:
      - Seconds until the host takes a change back by itself, unless it is confirmed over a new connection. V(0) makes
        the change at once and for good.
      - Taken from C(firewall_confirm_timeout) with O(from_inventory=true).
    type: int
    default: 0
  must_reach:
    description:
      - TCP services, C(HOST:PORT). A change after which the host does not reach one that it reached before is taken
        back.
    type: list
    elements: str
    default: []
  phase:
    description:
      - Which part of a change this execution is. Set by the action plugin, which makes a change with V(begin) and keeps
        it with V(confirm).
    type: str
    choices: [at_once, begin, confirm, report]
    default: at_once
  change:
    description:
      - Names the change that waits for its confirmation. Set by the action plugin.
    type: str
    default: ''
  answered:
    description:
      - Whether sshd answered a new connection that could not be used, because it asked a person for something. Set by
        the action plugin.
    type: bool
    default: false
notes:
  - Where no network namespace can be made (a container without C(CAP_SYS_ADMIN)), what the record of the last run,
    C(/etc/palisade/applied.json), does not know counts as changed. RV(notes) says so. After an update of nft and a
    boot, such a host may be reported as changed once.
  - A table that was altered in a way that cannot be changed in place (its flags, or the hook or priority of its chains)
    is replaced as a whole, which sets its counters to zero. RV(changes) says so.
seealso:
  - name: nft(8)
    description: The nft command's manual page.
    link: https://www.netfilter.org/projects/nftables/manpage.html
"""

EXAMPLES = r"""
- name: Apply what the inventory says about this host
  palisade.nftables.ruleset:
    from_inventory: true
  become: true

- name: Let administrators reach SSH, and everybody the web server
  palisade.nftables.ruleset:
    variables:
      firewall_networks:
        office: [198.51.100.0/24, "2001:db8:1::/48"]
      firewall_policies:
        ssh:
          rules:
            - {direction: ingress, service: ssh, sources: [office], action: accept}
        web:
          rules:
            - {direction: ingress, protocol: tcp, destination_ports: [80, 443], action: accept}
      firewall_assigned: [ssh, web]
  become: true

- name: Remove everything that this module put on the host
  palisade.nftables.ruleset:
    state: absent
  become: true
"""

RETURN = r"""
changes:
  description: What was changed, or would be in check mode, a sentence each.
  returned: success
  type: list
  elements: str
  sample:
    - change the chain ingress
    - save the ruleset as /etc/palisade/ruleset.nft
effective_rules:
  description:
    - How many rules a provider would count for the assigned policies. A rule counts once for each combination of its
      sources and destinations, and a service once for each of its entries.
  returned: success
  type: int
  sample: 4
rules:
  description: How many nft rules the ruleset has.
  returned: success
  type: int
  sample: 24
policies:
  description: The policies that hold on this host, in the order of evaluation.
  returned: success
  type: list
  elements: str
  sample: [ping, ssh, web]
safeguards:
  description: What the safeguards let through, and what was found out on the host.
  returned: success
  type: dict
  contains:
    dns:
      description: The DNS servers.
      type: list
      elements: str
      returned: with O(state=present)
      sample: [192.0.2.53 port 53 (udp, tcp)]
    ntp:
      description: The NTP servers.
      type: list
      elements: str
      returned: with O(state=present)
      sample: [any port 123 (udp)]
    metadata:
      description: The metadata servers of the cloud.
      type: list
      elements: str
      returned: with O(state=present)
      sample: [169.254.169.254 port 80 (tcp)]
    dhcp4:
      description: Whether DHCPv4 is let through.
      type: bool
      returned: with O(state=present)
    dhcp6:
      description: Whether DHCPv6 is let through.
      type: bool
      returned: with O(state=present)
    ssh:
      description: What the safeguard C(ssh) checked, or why there was nothing to check.
      type: str
      returned: with O(state=present)
      sample: 'checked: a new connection from 198.51.100.7 to 192.0.2.10 port 22 is accepted'
    notes:
      description: What was found out, and where.
      type: list
      elements: str
      returned: with O(state=present)
      sample: ['dhcp: no interface is configured to lease its address']
persistence:
  description: Whether the ruleset survives a reboot.
  returned: success
  type: dict
  contains:
    state:
      description: V(systemd) if a unit loads the ruleset at boot, V(none) if nothing does.
      type: str
      returned: success
      sample: systemd
    note:
      description: How, or why not.
      type: str
      returned: success
      sample: palisade.service loads /etc/palisade/ruleset.nft at boot, before the network comes up
cost:
  description:
    - What a packet meets in the ruleset. For each restricted direction the lookups and the rules on its way, on average
      over all places where rules decide and at worst, and the rules it would meet with C(firewall_layout=ordered).
    - C(size) counts what is loaded; a range or prefix is one element.
  returned: success
  type: dict
  sample:
    ingress:
      lookups: {average: 0.9, worst: 1}
      rules: {average: 6.9, worst: 11}
      ordered: {average: 12.0, worst: 23}
    size: {rules: 52, chains: 17, sets: 1, maps: 1, elements: 14, counters: 12, bytes: 5012}
confirmation:
  description: Whether and how the change was confirmed.
  returned: when a change was to be confirmed
  type: dict
  contains:
    state:
      description:
        - V(confirmed) over a new connection; V(none) where no confirmation was needed.
      type: str
      returned: success
      sample: confirmed
    note:
      description: How, or why not.
      type: str
      returned: success
      sample: a new connection from the controller was accepted
    waited:
      description: Seconds from the timer's start to the confirmation.
      type: float
      returned: when the change was confirmed
      sample: 1.4
cuts:
  description:
    - Whom this host has connections to that it opened itself, and that the new ruleset would not let it open again
      although the one before did. Open connections are not closed. A warning says the same.
    - Only looked at where the ruleset in the kernel changes.
  returned: success
  type: list
  elements: dict
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
    process:
      description: The process that has the connection; null where it cannot be seen.
      type: str
      returned: success
    verdict:
      description: V(drop) or V(reject).
      type: str
      returned: success
    rule:
      description: The rule that refuses.
      type: str
      returned: success
findings:
  description:
    - What lint finds on the controller, where the variables come from the inventory and something was found. Those that
      are warnings, and those of the codes in C(firewall_lint_fail).
    - The filter P(palisade.nftables.lint#filter) describes a finding.
  returned: when something was found
  type: list
  elements: dict
notes:
  description:
    - What could not be arranged in lookups, and how the comparison with the kernel was made, where it could not be made
      in the usual way.
  returned: success
  type: list
  elements: str
  sample: []
meaning:
  description:
    - Which packets get another verdict than from what the kernel holds, see C(docs/plan.md).
  returned: success, in diff mode
  type: dict
  contains:
    same:
      description: Whether it is certain that no packet gets another verdict.
      type: bool
      returned: success
    groups:
      description:
        - Disjoint groups of packets, 20 at most. C(packets) are those of C(direction) in words, all of them if C(exact)
          is true; C(states) and C(places) say what the words leave out.
        - C(before) and C(after) are the verdict of C(witness), one packet of the group, and the rule that decides it.
          C(others_before) and C(others_after) are rules that decide others of the group; C(more_rules) says if there
          are still more.
      type: list
      elements: dict
      returned: success
      sample: [{change: accepted, packets: tcp port 443, after: {verdict: accept, rule: 'web[0]', variable: v}}]
    more:
      description: How many groups there are besides those that are listed.
      type: int
      returned: success
    undecided:
      description: Rules that may change more, because finding out takes too long, or because they were not understood.
      type: list
      elements: str
      returned: success
    note:
      description: What was compared, where it is not what the last run left.
      type: str
      returned: success
    text:
      description: All of it in words.
      type: str
      returned: success
diff:
  description:
    - The table before and after, as nft lists it, below its counts and what the safeguards found.
    - Of a table of more than 1,000 sets, maps, chains and counters, those that differ.
  returned: success, in diff mode
  type: dict
  contains:
    before:
      description: The table before; empty if there was none.
      type: str
      returned: success
    after:
      description: The table after.
      type: str
      returned: success
    prepared:
      description: The change in meaning, RV(meaning) in words, which Ansible shows below the diff.
      type: str
      returned: success
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._module import run_module

ARGUMENT_SPEC = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "variables": {"type": "dict"},
    "groups": {"type": "dict"},
    "from_inventory": {"type": "bool", "default": False},
    "install_nft": {"type": "bool", "default": False},
    "persist": {"type": "str", "choices": ["auto", "true", "false"], "default": "auto"},
    "on_conflict": {"type": "str", "choices": ["fail", "disable", "ignore"], "default": "fail"},
    "connection": {"type": "str", "default": ""},
    "restore": {"type": "str"},
    "confirm_timeout": {"type": "int", "default": 0},
    "must_reach": {"type": "list", "elements": "str", "default": []},
    "phase": {"type": "str", "choices": ["at_once", "begin", "confirm", "report"], "default": "at_once"},
    "change": {"type": "str", "default": ""},
    "answered": {"type": "bool", "default": False},
}


def main() -> None:
    """Runs the module."""
    run_module(
        AnsibleModule(
            argument_spec=ARGUMENT_SPEC,
            required_if=[("state", "present", ("variables", "restore"), True)],
            mutually_exclusive=[("variables", "restore")],
            supports_check_mode=True,
        )
    )


if __name__ == "__main__":
    main()
