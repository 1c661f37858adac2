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
  assigned:
    description: The policies to compile, in evaluation order, as in C(firewall_assigned).
    type: list
    elements: raw
    default: []
  networks:
    description: Names for addresses, as in C(firewall_networks).
    type: dict
    default: {}
  services:
    description: Services beside the built-in ones, as in C(firewall_services).
    type: dict
    default: {}
  profile:
    description: Whose semantics hold, as in C(firewall_profile).
    type: str
    choices: [host, netcup, contabo]
    default: host
  default_ingress:
    description: What happens to incoming packets that no rule matches, as in C(firewall_default_ingress).
    type: str
    choices: [auto, accept, drop, reject]
    default: auto
  default_egress:
    description: What happens to outgoing packets that no rule matches, as in C(firewall_default_egress).
    type: str
    choices: [auto, accept, drop, reject]
    default: auto
  default_policies:
    description:
      - Built-in policies before the assigned ones, as in C(firewall_default_policies).
      - Those of the profile where it is not given.
    type: list
    elements: str
  interfaces:
    description: The interfaces that are filtered, as in C(firewall_interfaces).
    type: list
    elements: str
    default: []
  interfaces_ignored:
    description:
      - Interfaces that are never filtered, as in C(firewall_interfaces_ignored).
      - Those of container and virtual machine managers where it is not given.
    type: list
    elements: str
  published:
    description: What happens to packets for published container ports, as in C(firewall_published).
    type: str
    choices: [filter, leave]
    default: filter
  safeguards:
    description: What keeps the host alive, as in C(firewall_safeguards).
    type: dict
  log_dropped:
    description: Whether and how refused packets are logged, as in C(firewall_log_dropped).
    type: raw
    default: false
  layout:
    description: How the rules are laid out, as in C(firewall_layout).
    type: str
    choices: [auto, ordered]
    default: auto
  counters:
    description: Whether every policy rule has its own counter, as in C(firewall_counters).
    type: bool
    default: true
  host:
    description:
      - What the safeguards in mode V(auto) would find on the host.
      - Without it they add nothing.
    type: dict
    suboptions:
      dns_servers:
        description: Name servers, each an address, V(any), or a dictionary with C(address), C(port), C(protocols).
        type: list
        elements: raw
      ntp_servers:
        description: Time servers, in the same forms.
        type: list
        elements: raw
      metadata_servers:
        description: Metadata servers of the cloud, in the same forms.
        type: list
        elements: raw
      dhcp4:
        description: Whether the host leases its IPv4 address.
        type: bool
      dhcp6:
        description: Whether the host leases its IPv6 address.
        type: bool
  groups:
    description: Addresses of the members of inventory groups, for C(group:NAME).
    type: dict
    default: {}
seealso:
  - module: palisade.nftables.ruleset
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

from ansible.errors import AnsibleFilterError

from ..module_utils._compile.compile import compile_program
from ..module_utils._core.errors import Path, PolicyError, Problems, show
from ..module_utils._nft.text import render_load
from ..module_utils._policy.definitions import PREFIX
from ..module_utils._policy.hostfacts import hostfacts_from_plain
from ..module_utils._policy.parse import MERGED_VARIABLES, SINGLE_VARIABLES, parse_firewall
from ..module_utils._policy.program import build_program
from ..module_utils._policy.reading import suggestion
from ..plugin_utils._errors import filter_failure
from ..plugin_utils._plain import to_plain

_POLICIES = "firewall_policies"

#: Keywords beside the role variables.
_HOST = "host"
_GROUPS = "groups"

_KEYWORDS = (
    *(name[len(PREFIX) :] for name in (*MERGED_VARIABLES, *SINGLE_VARIABLES) if name != _POLICIES),
    _HOST,
    _GROUPS,
)
_KEYWORD_PREFIXES = tuple(name[len(PREFIX) :] + "_" for name in MERGED_VARIABLES)


def compile_policies(policies: object, /, **keywords: object) -> str:
    """The text of a first load."""
    for keyword in keywords:
        if keyword not in _KEYWORDS and not keyword.startswith(_KEYWORD_PREFIXES):
            raise AnsibleFilterError(
                "unknown keyword %s%s (known: %s)"
                % (show(keyword), suggestion(keyword, _KEYWORDS), ", ".join(_KEYWORDS))
            )
    problems = Problems()
    facts = to_plain(keywords.pop(_HOST, None), Path(_HOST), problems)
    groups = to_plain(keywords.pop(_GROUPS, None), Path(_GROUPS), problems)
    variables = {_POLICIES: policies, **{PREFIX + keyword: value for keyword, value in keywords.items()}}
    variables = {name: to_plain(value, Path(name), problems) for name, value in variables.items()}
    if groups is not None and not isinstance(groups, dict):
        problems.error(Path(_GROUPS), "type", "%s is not a mapping of group names to addresses" % show(groups))
    try:
        problems.raise_if_any()
        host = hostfacts_from_plain(facts, Path(_HOST), problems)
        firewall = parse_firewall(variables, groups=groups)
        problems.raise_if_any()
        program = build_program(firewall, host)
        return render_load(compile_program(program, layout=firewall.layout, counters=firewall.counters))
    except PolicyError as exc:
        parsing = (problem for problem in exc.problems if problem not in problems.errors)
        raise filter_failure([*problems.errors, *parsing]) from exc


class FilterModule:
    def filters(self) -> t.Dict[str, t.Callable[..., str]]:
        return {"compile": compile_policies}
