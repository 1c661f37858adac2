#!/usr/bin/python
# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: probe
short_description: Try which addresses and ports answer, and how they refuse
version_added: 0.1.0
author:
  - Palisade contributors (@palisade-firewall)
description:
  - Opens TCP connections, and sends UDP packets and ICMP echo requests, over IPv4 and IPv6, from the host that the
    module runs on. Tells of each what came back, a connection, an answer, a refusal and by whom, or nothing.
  - Seen from outside, a firewall is what gets through it. So run this where packets come from, on the controller with
    C(delegate_to) or on another host, and not on the host that is asked about.
  - What a connection carries is not looked at. It is closed as soon as it is open.
extends_documentation_fragment:
  - palisade.nftables._attributes
attributes:
  check_mode:
    support: full
    details: It changes nothing and asks in check mode too.
  diff_mode:
    support: N/A
    details: Nothing is changed.
  idempotent:
    support: full
options:
  targets:
    description: What to ask. At most 4096.
    type: list
    elements: dict
    required: true
    suboptions:
      address:
        description: An IPv4 or IPv6 address. A link-local one is followed by its interface, C(fe80::1%eth0).
        type: str
        required: true
      protocol:
        description: V(icmp) is an echo request, for IPv6 addresses one of ICMPv6.
        type: str
        choices: [tcp, udp, icmp]
        default: tcp
      port:
        description: The port, for TCP and UDP.
        type: int
      payload:
        description:
          - What the UDP packet holds, in hexadecimal digits.
          - By default a question that DNS servers answer at port 53, one that time servers answer at port 123, and
            nothing elsewhere.
        type: str
      source:
        description: Instead of O(source).
        type: str
      source_port:
        description: Instead of O(source_port).
        type: int
  timeout:
    description:
      - How many seconds to wait for each answer, from 0.1 to 60.
      - UDP packets and echo requests are sent again every second while nothing came, as TCP does by itself.
    type: float
    default: 3
  at_once:
    description: How many questions may wait for an answer at the same time, from 1 to 500.
    type: int
    default: 64
  rate:
    description: How many new questions to ask in a second, from 1 to 1000.
    type: int
    default: 100
  source:
    description: The address of this host to ask from. Targets of the other family are asked from where the routes say.
    type: str
  source_port:
    description: The port to ask from.
    type: int
notes:
  - A host that answers with ICMP errors sends few of them, Linux six at once and then one a second. Where three or
    more came, what stayed without an answer is asked again, one a second, at most 30 for each sender of errors.
  - Echo requests take root, or a group that C(net.ipv4.ping_group_range) names.
  - Kernels before 5.8 do not say which ICMP error ended a TCP connection. RV(answers[].icmp) is null there, and an
    error that says that the port is unreachable looks like a reset.
"""

EXAMPLES = r"""
- name: Does the world reach what it should, and nothing else?
  palisade.nftables.probe:
    targets:
      - {address: 192.0.2.11, port: 443}
      - {address: 192.0.2.11, port: 5432}
      - {address: "2001:db8::11", port: 443}
      - {address: 192.0.2.53, protocol: udp, port: 53}
      - {address: 192.0.2.11, protocol: icmp}
  delegate_to: localhost
  register: seen

- name: The database is not reachable from outside
  ansible.builtin.assert:
    that: seen.answers[1].outcome not in ['connected', 'refused']

- name: From the web server, from one of its addresses
  palisade.nftables.probe:
    targets: [{address: 192.0.2.21, port: 5432}]
    source: 192.0.2.12
  delegate_to: web1
"""

RETURN = r"""
answers:
  description: What came of each target, in their order.
  returned: success
  type: list
  elements: dict
  contains:
    address:
      description: As it was asked.
      type: str
      sample: 192.0.2.11
    protocol:
      description: As it was asked.
      type: str
      sample: tcp
    port:
      description: As it was asked; null for echo requests.
      type: int
      sample: 443
    outcome:
      description:
        - V(connected), a TCP connection was opened.
        - V(answered), a UDP packet or an echo request was answered.
        - V(refused), a TCP reset, or an ICMP error from the target itself that says of a UDP port that nobody listens
          there. A host that lets packets through to a port without a listener does so, and some firewalls do too.
        - V(unreachable), any other ICMP error; RV(answers[].icmp) tells which, and who sent it.
        - V(filtered), no answer to a TCP connection or an echo request.
        - V(silent), no answer to a UDP packet. Whether it was dropped cannot be told, because a server need not answer.
        - V(error), the question could not be asked.
      type: str
      sample: connected
    detail:
      description: That in a phrase.
      type: str
      sample: admin-prohibited, says 203.0.113.1
    icmp:
      description: The ICMP error; null where none came.
      type: dict
      contains:
        type:
          description: Its type.
          type: int
          sample: 3
        code:
          description: Its code.
          type: int
          sample: 13
        name:
          description: The name of the code, as C(reject) of nft has it.
          type: str
          sample: admin-prohibited
        sender:
          description: Who sent it, the target or a router on the way; empty where the kernel does not say.
          type: str
          sample: 203.0.113.1
    here:
      description: Whether the packet did not leave the asking host, as far as its kernel says so.
      type: bool
      sample: false
    source:
      description: The address that it was asked from; empty where there was none.
      type: str
      sample: 198.51.100.7
    source_port:
      description: The port that it was asked from; null where there was none.
      type: int
      sample: 40112
    seconds:
      description: How long it took.
      type: float
      sample: 0.024
    tries:
      description: How many times it was asked. What TCP sends again by itself is not counted.
      type: int
      sample: 1
counts:
  description: How many of each outcome there are.
  returned: success
  type: dict
  sample: {connected: 2, filtered: 3}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._probe_module import run_probe

ARGUMENT_SPEC = {
    "targets": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "address": {"type": "str", "required": True},
            "protocol": {"type": "str", "choices": ["tcp", "udp", "icmp"], "default": "tcp"},
            "port": {"type": "int"},
            "payload": {"type": "str"},
            "source": {"type": "str"},
            "source_port": {"type": "int"},
        },
    },
    "timeout": {"type": "float", "default": 3},
    "at_once": {"type": "int", "default": 64},
    "rate": {"type": "int", "default": 100},
    "source": {"type": "str"},
    "source_port": {"type": "int"},
}


def main() -> None:
    """Runs the module."""
    run_probe(AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True))


if __name__ == "__main__":
    main()
