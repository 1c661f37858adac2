# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The providers' statements that are about a deploy rather than a packet; see the table in tests/README.md."""

from __future__ import annotations

import shlex
import sys
import typing as t

import pytest

from lab.connections import Server, probe_tcp

if t.TYPE_CHECKING:
    from .fleet import Fleet

pytestmark = pytest.mark.carried

POLICIES = """
    firewall_profile: netcup
    firewall_policies:
      web:
        rules:
          - {direction: ingress, protocol: tcp, destination_ports: 80, action: accept}
    firewall_assigned: [web]
    """
FOREIGN = """
table ip nat {
  chain PREROUTING {
    type nat hook prerouting priority dstnat; policy accept;
    tcp dport 8080 counter dnat to 172.17.0.2:80
  }
}
table inet f2b-table {
  set addr-set-sshd { type ipv4_addr; elements = { 203.0.113.9 } }
  chain f2b-chain {
    type filter hook input priority filter - 1; policy accept;
    tcp dport 22 ip saddr @addr-set-sshd reject with icmp type port-unreachable
  }
}
"""


def one_host(fleet: Fleet, variables: str = POLICIES) -> None:
    fleet.add("web1", "192.0.2.11", groups=["webservers"])
    fleet.write("group_vars/all.yml", variables)


def test_r28_a_restore_is_shown_before_it_is_done(fleet: Fleet) -> None:
    """Removing the default policies, then unsetting the variable: a check shows it and changes nothing."""
    one_host(fleet, POLICIES + "firewall_default_policies: []\n")
    assert fleet.deploy().status == 0
    without = fleet.table("web1")
    fleet.write("group_vars/all.yml", POLICIES)
    checked = fleet.deploy("--check", "--diff")
    assert checked.changed() == {"web1": 1}
    assert "mail-block[0]" in checked.output
    assert fleet.table("web1") == without
    assert fleet.deploy().status == 0
    assert "mail-block[0]" in fleet.table("web1")


def test_r50_a_mistake_changes_nothing(fleet: Fleet) -> None:
    one_host(fleet)
    assert fleet.deploy().status == 0
    before = fleet.table("web1")
    fleet.write(
        "group_vars/all.yml",
        POLICIES
        + """firewall_policies_more:
      more:
        rules:
          - {direction: ingress, protocol: tcp, destination_ports: 81, action: accept}
          - {direction: ingress, protocol: tcp, destination_ports: 70000, action: accept}
    firewall_assigned_more: [more]
    """,
    )
    refused = fleet.deploy()
    assert refused.status != 0
    assert "firewall_policies_more.more.rules[1].destination_ports: '70000' is not a port (0-65535)" in refused.output
    assert fleet.table("web1") == before


def test_r51_a_changed_policy_is_in_force_when_the_run_ends(fleet: Fleet) -> None:
    """That there is no instant without rules in between is shown by the flood of tests/packets/test_flood.py."""
    one_host(fleet)
    fleet.add("outsider", "192.0.2.99", firewall_assigned=[])
    assert fleet.deploy().status == 0
    with Server(fleet.hosts["web1"], tcp=[80, 8080]):
        assert probe_tcp(fleet.hosts["outsider"], "192.0.2.11", 80) == "connected"
        assert probe_tcp(fleet.hosts["outsider"], "192.0.2.11", 8080) == "filtered"
        fleet.write("group_vars/all.yml", POLICIES.replace("80, action", "8080, action"))
        assert fleet.deploy().status == 0
        assert probe_tcp(fleet.hosts["outsider"], "192.0.2.11", 80) == "filtered"
        assert probe_tcp(fleet.hosts["outsider"], "192.0.2.11", 8080) == "connected"


def test_r74_other_firewalls_keep_their_tables(fleet: Fleet) -> None:
    """Byte for byte, over deploy, change and removal."""
    one_host(fleet)
    fleet.hosts["web1"].nft(FOREIGN)

    def foreign() -> str:
        return "".join(
            fleet.hosts["web1"].run(["nft", "list", "table", *table]).stdout
            for table in (("ip", "nat"), ("inet", "f2b-table"))
        )

    before = foreign()
    assert fleet.deploy().changed() == {"web1": 1}
    assert foreign() == before
    fleet.write("group_vars/all.yml", POLICIES.replace("80, action", "81, action"))
    assert fleet.deploy().changed() == {"web1": 1}
    assert foreign() == before
    assert fleet.run("palisade.nftables.absent").changed() == {"web1": 1}
    assert foreign() == before
    assert fleet.table("web1") == ""


def test_r78_the_host_has_a_firewall_after_the_run(fleet: Fleet) -> None:
    """After a reboot as well: that takes a machine that boots, see molecule/default."""
    one_host(fleet)
    assert fleet.deploy().status == 0
    assert "hook input" in fleet.table("web1")
    assert "hook output" in fleet.table("web1")


def test_r80_without_root_nothing_is_touched(fleet: Fleet) -> None:
    one_host(fleet)
    without_rights = fleet.folder / "python-without-rights"
    without_rights.write_text(
        '#!/bin/sh\nexec setpriv --bounding-set=-all --inh-caps=-all -- %s "$@"\n' % shlex.quote(sys.executable),
        encoding="utf-8",
    )
    without_rights.chmod(0o755)
    interpreter = fleet.hosts["web1"].python_wrapper(fleet.folder / "python-r80", python=str(without_rights))
    refused = fleet.deploy("-e", "ansible_python_interpreter=%s" % interpreter)
    assert refused.status != 0
    assert "CAP_NET_ADMIN" in refused.output
    assert "Nothing was changed" in refused.output
    assert fleet.table("web1") == ""


def test_r86_a_bare_host_is_enough(fleet: Fleet) -> None:
    """No provider, no systemd, nothing but Python and nft: the firewall works, and the result says what is missing."""
    one_host(fleet)
    deployed = fleet.deploy()
    assert deployed.status == 0
    assert fleet.table("web1") != ""
    notes = [data["persistence"]["note"] for _word, _host, data in deployed.results if "persistence" in data]
    assert any("systemd" in note for note in notes)


def test_r89_another_active_firewall_is_reported(fleet: Fleet) -> None:
    one_host(fleet)
    fleet.hosts["web1"].nft(
        "table inet filter { chain input { type filter hook input priority 10; policy drop; tcp dport 22 accept; }\n}\n"
    )
    deployed = fleet.deploy()
    assert deployed.status == 0
    assert "inet filter" in deployed.output
    assert "[WARNING]" in deployed.output
