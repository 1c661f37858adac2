# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is a virtual module that is entirely implemented as an action plugin and runs on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: report
short_description: Write a report on the firewalls of many hosts, as one HTML file and as JSON
version_added: 0.1.0
author:
  - Palisade contributors (@palisade-firewall)
description:
  - Takes the variables of every host from the inventory, and what M(palisade.nftables.ruleset_info) found out on it if
    it was asked before, and writes who reaches whom on which port by which rule, the rules of every host with their
    counters, the findings of lint, drift, rules that never matched and listening sockets.
  - The page is one file that loads nothing and connects to nothing. The JSON file beside it has the same data;
    C(docs/report.md) describes it.
  - Nothing is sent to a host. It is meant to run once for all hosts of a play, as the playbook
    C(palisade.nftables.report) does.
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
    support: none
    details: The page is large, and a difference of it tells people little.
  idempotent:
    support: partial
    details: The report holds the time. With the same O(time), the same hosts give the same bytes.
  platform:
    support: full
    platforms: all
    details: It runs on the controller.
options:
  dest:
    description:
      - The page, on the controller; a relative path begins where C(ansible-playbook) was started. The JSON file has the
        same name with C(.json) in the place of C(.html).
      - Each file is replaced in one step. A new one is readable by its owner alone, because it shows where an attacker
        would begin; one that is there keeps its permissions, its owner and its group. A symbolic link
        in its place is refused.
    type: path
    default: firewall-report.html
  hosts:
    description: The hosts, in the order of the report; all hosts of the play where it is not said.
    type: list
    elements: str
  live:
    description:
      - The name of the variable that holds what M(palisade.nftables.ruleset_info) returned on each host. A host that
        was unreachable or failed is told of as such.
    type: str
  time:
    description: The time of the report, as it is printed; the time of the controller where it is not said.
    type: str
seealso:
  - module: palisade.nftables.ruleset_info
  - module: palisade.nftables.check_policy
  - module: palisade.nftables.explain
"""

EXAMPLES = r"""
- name: Report on what the policies of all hosts say
  hosts: all
  gather_facts: false
  tasks:
    - name: Write the report
      palisade.nftables.report:
        dest: /srv/reports/firewalls.html
      run_once: true
"""

RETURN = r"""
dest:
  description: The page.
  returned: success
  type: str
  sample: /home/ops/firewall-report.html
json:
  description: The JSON file.
  returned: success
  type: str
  sample: /home/ops/firewall-report.json
summary:
  description: How many hosts, findings, rules that were never hit, and so on, as at the head of the page.
  returned: success
  type: dict
  sample: {hosts: 12, drifted: 1, exposed: 3, warnings: 2}
"""
