# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role variables, and the schema of a file that sets them."""

from __future__ import annotations

import typing as t

from plugins.module_utils._analysis.codes import CODES_OF_HOSTS
from plugins.module_utils._policy.built_in import BUILT_IN_NAMES
from plugins.module_utils._policy.model import Layout, Published
from plugins.module_utils._policy.profiles import PROFILES
from plugins.module_utils._policy.settings import INTERFACES_IGNORED

from .definitions import definitions
from .forms import NULL, Schema, described, one_of, one_or_some, or_null, ref

#: A code of lint.
_CODES: t.Mapping[str, object] = {"enum": list(CODES_OF_HOSTS)}


def _interfaces(title: str, description: str) -> Schema:
    return described(title, description, {"anyOf": [NULL, one_or_some(ref("interface"))]})


def build() -> Schema:
    """The schema as plain data."""
    own_address = {"type": "string", "format": "firewall-address"}
    merged = {
        "policies": "policies",
        "assigned": "assigned",
        "networks": "networks",
        "services": "services",
        "tests": "tests",
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": "Written by scripts/render_schema.py; change that script, not this file.",
        "title": "Variables of the role palisade.nftables.firewall",
        "description": "For files of group_vars and host_vars. Variables of other roles may stand beside these.",
        "type": "object",
        "properties": {
            **{"firewall_%s" % name: ref(definition) for name, definition in merged.items()},
            "firewall_addresses": described(
                "Addresses of this host",
                "What group:NAME means for a host of that group. Default: ansible_host, where that is an address.",
                {"anyOf": [NULL, one_or_some(own_address)]},
            ),
            "firewall_profile": described("Profile", "Whose semantics hold. Default: host.", or_null(one_of(PROFILES))),
            "firewall_default_ingress": ref("default_action"),
            "firewall_default_egress": ref("default_action"),
            "firewall_default_policies": described(
                "Default policies",
                "Built-in policies before the assigned ones. null: those of the profile; []: none.",
                {"anyOf": [NULL, one_or_some({"enum": list(BUILT_IN_NAMES)})]},
            ),
            "firewall_interfaces": _interfaces(
                "Interfaces", "Interfaces that are filtered. Empty: all but loopback and the ignored ones."
            ),
            "firewall_interfaces_ignored": _interfaces(
                "Ignored interfaces",
                "Never filtered when firewall_interfaces is empty. Default: %s." % ", ".join(INTERFACES_IGNORED),
            ),
            "firewall_published": described(
                "Published ports",
                "Packets that are forwarded to a published container port: filter (the ingress policies decide, on the "
                "original address and port) or leave. Default: filter.",
                or_null(one_of(one.value for one in Published)),
            ),
            "firewall_safeguards": ref("safeguards"),
            "firewall_log_dropped": ref("log_dropped"),
            "firewall_layout": described(
                "Layout",
                "auto finds the rule that decides with few lookups; ordered writes one nft rule after another. "
                "Default: auto.",
                or_null(one_of(layout.value for layout in Layout)),
            ),
            "firewall_counters": described(
                "Counters",
                "Whether every policy rule counts its packets under a name of its own. Default: true.",
                {"anyOf": [NULL, ref("boolean")]},
            ),
            "firewall_state": described(
                "State", "absent removes the table, its files and its unit.", {"enum": ["present", "absent"]}
            ),
            "firewall_persist": described(
                "Persistence",
                "Survive a reboot: auto where systemd runs, true fails where it cannot, false.",
                {"anyOf": [one_of(["auto"]), ref("boolean")]},
            ),
            "firewall_on_conflict": described(
                "Conflict",
                "Another firewall manager is active: fail, disable or ignore. Default: fail.",
                or_null(one_of(["fail", "disable", "ignore"])),
            ),
            "firewall_confirm_timeout": described(
                "Confirmation",
                "Seconds until the host takes a change back that was not confirmed over a new connection; 0: never. "
                "Default: 60.",
                {"anyOf": [NULL, {"const": 0}, {"type": "integer", "minimum": 10, "maximum": 3600}]},
            ),
            "firewall_must_reach": described(
                "Must reach",
                "TCP services (host:port) that the host must still reach after a change.",
                {"anyOf": [NULL, {"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
            ),
            "firewall_lint_fail": described(
                "Lint",
                "Codes of lint whose findings stop a run before anything is changed. Default: none.",
                {"anyOf": [NULL, _CODES, {"type": "array", "items": _CODES}]},
            ),
            "firewall_verify_kernel": described(
                "Ask a kernel",
                "Whether packets of each test are sent through the compiled ruleset too. Default: false.",
                {"anyOf": [NULL, ref("boolean")]},
            ),
        },
        "patternProperties": {"^firewall_%s_" % name: ref(definition) for name, definition in merged.items()},
        "$defs": definitions(),
    }
