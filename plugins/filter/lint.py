# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: lint
short_description: Find what is wrong with firewall policies, though they are valid
version_added: 0.1.0
author:
  - Palisade contributors (@palisade-firewall)
description:
  - Finds rules that never decide a packet, rules that change nothing, rules that contradict each other, and policies
    that cut a host off or open it too far. Each finding about packets names one that shows it.
  - What is said about rules is exact, over every field that a rule can have. C(docs/lint.md) lists the codes, with an
    example of each.
  - Every keyword is a variable of the role P(palisade.nftables.firewall#role) without its prefix C(firewall_), besides
    O(host), O(groups), O(ssh_port) and O(providers). Those of catalogues may have a suffix too, such as
    C(networks_office).
  - It runs on the controller and looks at no host.
positional: _input
options:
  _input:
    description: The catalogue, policy name to policy, as in C(firewall_policies).
    type: dict
    required: true
  ssh_port:
    description: Where administrators reach the host, if the ssh safeguard names no ports.
    type: int
    default: 22
  providers:
    description: Profiles of providers whose refusals are listed too, whatever O(profile) the host has.
    type: list
    elements: str
    choices: [netcup, contabo]
    default: []
extends_documentation_fragment:
  - palisade.nftables._keywords
seealso:
  - plugin: palisade.nftables.compile
    plugin_type: filter
  - plugin: palisade.nftables.explain
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show what is worth a second look
  ansible.builtin.debug:
    msg: "{{ findings | map(attribute='text') | list }}"
  vars:
    findings: >-
      {{ firewall_policies | palisade.nftables.lint(assigned=['ssh', 'web'], networks=firewall_networks) }}

- name: No rule is dead
  ansible.builtin.assert:
    that: findings | selectattr('code', 'in', ['shadowed', 'duplicate']) | length == 0
  vars:
    findings: "{{ firewall_policies | palisade.nftables.lint(assigned=['ssh', 'web']) }}"
"""

RETURN = r"""
_value:
  description: The findings, those about ingress rules first.
  type: list
  elements: dict
  contains:
    code:
      description: The kind of finding.
      type: str
    severity:
      description: V(warning), probably not what was meant; or V(info), true and often on purpose.
      type: str
    direction:
      description: V(ingress) or V(egress); null where both are concerned.
      type: str
    rule:
      description: The rule, such as C(web[0]), or the policy; null where the whole host is concerned.
      type: str
    variable:
      description: The role variable that defines the policy.
      type: str
    others:
      description: The other rules concerned, in the order of evaluation, up to eight.
      type: list
      elements: str
    witness:
      description: A packet that shows it, field by field and as C(text); null where there is none to show.
      type: dict
    message:
      description: What is so.
      type: str
    suggestion:
      description: What to do.
      type: str
    text:
      description: All of that as a sentence for people.
      type: str
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ..module_utils._analysis.lint import SSH_PORT, lint_variables
from ..module_utils._core.errors import show
from ..module_utils._policy.profiles import PROFILES
from ..plugin_utils._keywords import read_keywords

_PROVIDERS = tuple(name for name in PROFILES if name != "host")


def lint_policies(
    policies: object, /, *, ssh_port: object = SSH_PORT, providers: object = (), **keywords: object
) -> t.List[t.Dict[str, t.Any]]:
    """The findings in plain data."""
    if isinstance(ssh_port, bool) or not isinstance(ssh_port, int) or not 0 < ssh_port < 65536:
        raise AnsibleFilterError("ssh_port: %s is not a port (1-65535)" % show(ssh_port))
    if not isinstance(providers, (list, tuple)):
        raise AnsibleFilterError("providers: %s is not a list of profiles" % show(providers))
    for provider in providers:
        if provider not in _PROVIDERS:
            raise AnsibleFilterError("providers: %s is not one of %s" % (show(provider), ", ".join(_PROVIDERS)))
    read = read_keywords(policies, keywords)
    findings = lint_variables(
        read.variables,
        read.firewall,
        read.facts,
        groups=read.groups,
        providers=[str(provider) for provider in providers],
        ssh_port=ssh_port,
    )
    return [finding.to_plain() for finding in findings]


class FilterModule:
    def filters(self) -> t.Dict[str, t.Callable[..., t.List[t.Dict[str, t.Any]]]]:
        return {"lint": lint_policies}
