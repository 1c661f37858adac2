# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which names count as a misspelt role variable, and which belong to somebody else."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.plugin_utils._misspelt import ROLE_VARIABLES, misspelt

POLICIES: t.Dict[str, t.Any] = {"web": {"rules": []}}

MISSPELT = [
    ("firewall_polices", POLICIES, "firewall_policies"),
    ("firewall_policy", POLICIES, "firewall_policies"),
    ("firewal_policies", POLICIES, "firewall_policies"),
    ("fierwall_policies", POLICIES, "firewall_policies"),
    ("firewalls_policies", POLICIES, "firewall_policies"),
    ("Firewall_Policies", POLICIES, "firewall_policies"),
    ("firewall-policies", POLICIES, "firewall_policies"),
    ("firewall_policy_web", POLICIES, "firewall_policies_web"),
    ("firewall_polices_web", POLICIES, "firewall_policies_web"),
    ("firewal_policies_web", POLICIES, "firewall_policies_web"),
    ("firewall_asigned", ["web"], "firewall_assigned"),
    ("firewall_assinged_web", ["web"], "firewall_assigned_web"),
    ("firewall_assign", ["web"], "firewall_assigned"),
    ("firewall_assignments_web", ["web"], "firewall_assigned_web"),
    ("firewall_netwroks", {}, "firewall_networks"),
    ("firewall_network_office", {}, "firewall_networks_office"),
    ("firewall_service", {}, "firewall_services"),
    ("firewall_default_ingres", "drop", "firewall_default_ingress"),
    ("firewall_defualt_egress", "drop", "firewall_default_egress"),
    ("firewall_ingress_default", "drop", "firewall_default_ingress"),
    ("firewall_default_policy", ["ping"], "firewall_default_policies"),
    ("firewall_interface", "eth0", "firewall_interfaces"),
    ("firewall_ignored_interfaces", [], "firewall_interfaces_ignored"),
    ("firewall_adresses", [], "firewall_addresses"),
    ("firewall_safegaurds", {}, "firewall_safeguards"),
    ("firewall_log_droped", True, "firewall_log_dropped"),
    ("firewall_profil", "netcup", "firewall_profile"),
    ("firewall_sate", "absent", "firewall_state"),
    ("firewall_persit", True, "firewall_persist"),
    ("firewall_layuot", "ordered", "firewall_layout"),
    ("firewall_counter", False, "firewall_counters"),
    ("firewall_lint_fails", ["shadowed"], "firewall_lint_fail"),
    ("firewall_publised", "leave", "firewall_published"),
]

#: Variables of roles that people have beside this one, and such as they might have.
OF_OTHERS = [
    ("firewall_enabled_at_boot", True),
    ("firewall_flush_rules_and_chains", True),
    ("firewall_template", "firewall.bash.j2"),
    ("firewall_allowed_tcp_ports", ["22"]),
    ("firewall_allowed_udp_ports", []),
    ("firewall_forwarded_tcp_ports", []),
    ("firewall_additional_rules", []),
    ("firewall_enable_ipv6", True),
    ("firewall_ip6_additional_rules", []),
    ("firewall_log_dropped_packets", True),
    ("firewall_disable_firewalld", False),
    ("firewall_disable_ufw", False),
    ("firewall_disable_conflicting_services", False),
    ("firewall_v4_default_rules", {}),
    ("firewall_rules", []),
    ("firewall_zones", []),
    ("firewall_zone", "public"),
    ("firewall_ports", [22]),
    ("firewall_policy", "DROP"),
    ("firewall_service", "ufw"),
    ("firewall_service_name", "ufw"),
    ("firewall_service_enabled", True),
    ("firewall_network_interfaces", ["eth0"]),
    ("firewall_stage", "test"),
    ("firewall_start", True),
    ("firewall_default_zone", "public"),
    ("firewall_default_policy", "drop"),
    ("firewall", []),
    ("firewalld_services", []),
    ("firewalld_interfaces", []),
    ("firewalld_policies", {}),
    ("ufw_policies", {}),
    ("wireguard_interfaces", []),
    ("inventory_hostname", "web1"),
    ("__firewall_result", {}),
]


@pytest.mark.parametrize(("name", "value", "meant"), MISSPELT)
def test_a_misspelling_is_found_and_put_right(name: str, value: object, meant: str) -> None:
    assert misspelt({"other": 1, name: value}) == [(name, meant)]


@pytest.mark.parametrize(("name", "value"), OF_OTHERS)
def test_variables_of_others_pass(name: str, value: object) -> None:
    assert misspelt({name: value}) == []


@pytest.mark.parametrize(
    "name", [*ROLE_VARIABLES, "firewall_policies_web", "firewall_assigned_Web", "firewall_networks_a-b"]
)
def test_role_variables_pass(name: str) -> None:
    assert misspelt({name: {}}) == []


@pytest.mark.parametrize("variable", ROLE_VARIABLES)
def test_every_variable_with_a_letter_missing_or_swapped_is_found(variable: str) -> None:
    rest = len("firewall_")
    for index in range(rest + 1, len(variable) - 1):
        shorter = variable[:index] + variable[index + 1 :]
        swapped = variable[:index] + variable[index + 1] + variable[index] + variable[index + 2 :]
        for name in {shorter, swapped} - {variable}:
            assert misspelt({name: "x"}) == [(name, variable)], name


def test_names_that_are_no_text_pass() -> None:
    assert misspelt({80: "x", None: "y"}) == []
