# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the files hold that other services load at boot."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host._discovery.boot_rules import (
    read_nftables_rules,
    saved_rules_refuse,
)

if t.TYPE_CHECKING:
    from .conftest import Host

#: The file that Debian's package brings.
DEBIAN = """\
    #!/usr/sbin/nft -f

    flush ruleset

    table inet filter {
      chain input {
        type filter hook input priority filter;
      }
      chain forward {
        type filter hook forward priority filter;
      }
      chain output {
        type filter hook output priority filter;
      }
    }
    """

RULES = """\
    flush ruleset
    table inet filter {
      chain input {
        type filter hook input priority 0; policy drop;
        ip saddr { 192.0.2.1, 192.0.2.2 } accept
      }
      chain trusted { accept }
    }
    table ip nat { chain postrouting { type nat hook postrouting priority srcnat; masquerade; } }
    """


def test_the_file_of_the_package_refuses_nothing(host: Host) -> None:
    host.write("/etc/nftables.conf", DEBIAN)
    rules = read_nftables_rules(host.tree, "palisade")
    assert not rules.refuses
    assert rules.paths == ("/etc/nftables.conf",)
    assert rules.tables == {"inet filter": {"input", "forward", "output"}}


def test_rules(host: Host) -> None:
    host.write("/etc/nftables.conf", RULES)
    rules = read_nftables_rules(host.tree, "palisade")
    assert rules.refuses
    assert rules.tables == {"inet filter": {"input", "trusted"}, "ip nat": {"postrouting"}}


@pytest.mark.parametrize("path", ["/etc/sysconfig/nftables.conf", "/etc/nftables.nft"])
def test_included_rules_count(host: Host, path: str) -> None:
    host.write(path, 'include "/etc/nftables.d/*.nft"\n')
    host.write("/etc/nftables.d/one.nft", RULES)
    assert read_nftables_rules(host.tree, "palisade").refuses


@pytest.mark.parametrize(
    "text",
    [
        "# table inet filter { chain input { type filter hook input priority 0; policy drop; } }\n",
        "table inet gate { chain forward { type filter hook forward priority 0; policy drop; } }\n",
        "table ip nat { chain output { type nat hook output priority 0; dnat to 192.0.2.1; } }\n",
        "table inet palisade { chain input { type filter hook input priority 0; drop; } }\ntable inet empty { }\n",
        'include "/etc/palisade/ruleset.nft"\n',
        "delete table inet filter\nflush table inet filter\n",
        "table inet broken { {\n",
    ],
)
def test_what_does_not_get_in_the_way(host: Host, text: str) -> None:
    host.write("/etc/palisade/ruleset.nft", RULES)
    host.write("/etc/nftables.conf", text)
    assert not read_nftables_rules(host.tree, "palisade").refuses


def test_commands_without_blocks(host: Host) -> None:
    host.write(
        "/etc/nftables.conf",
        """\
        add table inet filter
        add chain inet filter input { type filter hook input priority 0; policy drop; }
        """,
    )
    rules = read_nftables_rules(host.tree, "palisade")
    assert rules.refuses
    assert rules.tables == {"inet filter": frozenset()}, "its chains are not known"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*filter\n:INPUT DROP [0:0]\nCOMMIT\n", True),
        ("*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp --dport 23 -j REJECT --reject-with tcp-reset\nCOMMIT\n", True),
        ("*filter\n:INPUT ACCEPT [0:0]\n:GATE - [0:0]\n-A INPUT -j GATE\n-A GATE -j DROP\nCOMMIT\n", True),
        ("*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp --dport 22 -j ACCEPT\nCOMMIT\n", False),
        ("*filter\n:FORWARD DROP [0:0]\n:DOCKER - [0:0]\n-A FORWARD -j DOCKER\n-A DOCKER -j DROP\nCOMMIT\n", False),
        ("*raw\n:OUTPUT DROP [0:0]\nCOMMIT\n", False),
        ("*filter\n:A - [0:0]\n-A INPUT -j A\n-A A -j A\n-A INPUT -j\nCOMMIT\n", False),
        ("", False),
    ],
)
def test_saved_rules(host: Host, text: str, expected: bool) -> None:
    host.write("/etc/iptables/rules.v4", text)
    assert saved_rules_refuse(host.tree, "/etc/iptables/rules.v4") is expected
