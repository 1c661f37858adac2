# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: compile
short_description: Turn firewall policies into the text of an nftables ruleset
version_added: 0.1.0
author:
  - Palisade contributors (@palisade-firewall)
description:
  - Compiles policies to what the module M(palisade.nftables.ruleset) would load on a host that has no ruleset yet, as
    text for C(nft -f). Loading it replaces the table C(inet palisade) and touches nothing else.
  - Every keyword is a variable of the role P(palisade.nftables.firewall#role) without its prefix C(firewall_), besides
    O(host) and O(groups). Those of catalogues may have a suffix too, such as C(networks_office).
  - It runs on the controller and looks at no host.
positional: _input
options:
  _input:
    description: The catalogue, policy name to policy, as in C(firewall_policies).
    type: dict
    required: true
extends_documentation_fragment:
  - palisade.nftables._keywords
seealso:
  - module: palisade.nftables.ruleset
  - plugin: palisade.nftables.explain
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Write the ruleset of a host that Ansible does not manage
  ansible.builtin.copy:
    content: >-
      {{ firewall_policies | palisade.nftables.compile(
           assigned=['ssh', 'web'],
           networks=firewall_networks,
           host={'dns_servers': ['192.0.2.53'], 'dhcp4': true}) }}
    dest: "{{ playbook_dir }}/appliance.nft"
    mode: "0600"
  delegate_to: localhost
"""

RETURN = r"""
_value:
  description: The text of the ruleset.
  type: str
"""

import typing as t

from ..module_utils._compile.compile import compile_program
from ..module_utils._nft.text import render_load
from ..plugin_utils._keywords import read_keywords


def compile_policies(policies: object, /, **keywords: object) -> str:
    """The text of a first load."""
    read = read_keywords(policies, keywords)
    firewall = read.firewall
    return render_load(compile_program(read.program, layout=firewall.layout, counters=firewall.counters))


class FilterModule:
    def filters(self) -> t.Dict[str, t.Callable[..., str]]:
        return {"compile": compile_policies}
