# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text of the safeguard set, and the ports by which sshd may be reached."""

from __future__ import annotations

import os
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host.safeguard_set import (
    find_ssh_ports,
    safeguard_of,
    safeguard_text,
)
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall
from tests.nft_batch import list_loaded
from tests.nft_versions import NftVersion, nft_parameters

if t.TYPE_CHECKING:
    import pathlib


def _write(root: pathlib.Path, path: str, text: str) -> None:
    located = root / path
    located.parent.mkdir(parents=True, exist_ok=True)
    located.write_text(text, encoding="utf-8")


def test_it_replaces_the_table_and_carries_the_mark() -> None:
    lines = safeguard_text().splitlines()
    assert lines[:3] == ["table inet palisade", "delete table inet palisade", "table inet palisade {"]
    assert "\tchain managed_by_palisade {" in lines
    assert [line for line in lines if line.lstrip().startswith(("set ", "map ", "counter "))] == []
    assert sum("hook output" in line for line in lines) == 1
    assert "egress" not in safeguard_text()


@pytest.mark.parametrize("nft", nft_parameters())
@pytest.mark.parametrize("ports", [[22], [22, 2222], [1, 65535], [22, *range(1000, 1040)]])
def test_every_nft_takes_it(nft: NftVersion, ports: t.Sequence[int], tmp_path: pathlib.Path) -> None:
    text = safeguard_text(ports, interfaces=["eth*"])
    assert "chain ingress" in list_loaded(nft, {"it": text}, tmp_path, times=2)["it"]


def test_the_order_of_ports_is_of_no_meaning() -> None:
    assert safeguard_text([2222, 22, 22]) == safeguard_text([22, 2222])
    assert "tcp dport { 22, 2222 } accept" in safeguard_text([22, 2222])


def test_it_filters_where_the_policies_do() -> None:
    assert 'iifname "docker0" accept' in safeguard_text()
    assert "docker0" not in safeguard_text(interfaces_ignored=["wg0"])
    assert 'iifname "wg0" accept' in safeguard_text(interfaces_ignored=["wg0"])
    assert 'iifname "eth1"' in safeguard_text(interfaces=["eth1"])


def test_a_host_lets_in_by_every_port_that_may_lead_to_sshd(tmp_path: pathlib.Path) -> None:
    _write(tmp_path, "etc/ssh/sshd_config", "Port 2200\n")
    firewall = parse_firewall(
        {"firewall_interfaces": ["eth0"], "firewall_safeguards": {"ssh": {"ports": [2022, "3000-3001"]}}}
    )
    assert safeguard_of(firewall, str(tmp_path), 8022) == safeguard_text(
        [2022, 2200, 3000, 3001, 8022], interfaces=["eth0"]
    )
    assert safeguard_of(parse_firewall({}), str(tmp_path)) == safeguard_text([2200])


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("", (22,)),
        ("#Port 2222\nPermitRootLogin no\n", (22,)),
        ("Port 2222\n", (2222,)),
        ("port=2222\nPORT 22 # both\n", (22, 2222)),
        ('Port "2222"\n', (2222,)),
        ("Port 70000\nPort ssh\nPort\n", (22,)),
        ("ListenAddress 192.0.2.1:2222\n", (2222,)),
        ("ListenAddress [2001:db8::1]:2223\nListenAddress 2001:db8::22\nListenAddress 192.0.2.1\n", (2223,)),
        ("Port 22\nListenAddress host.example:24\n", (22, 24)),
    ],
)
def test_ports_of_sshd_config(tmp_path: pathlib.Path, text: str, ports: t.Tuple[int, ...]) -> None:
    _write(tmp_path, "etc/ssh/sshd_config", text)
    assert find_ssh_ports(str(tmp_path)) == ports


def test_ports_of_files_that_are_included(tmp_path: pathlib.Path) -> None:
    _write(tmp_path, "etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf other\nInclude sshd_config\n")
    _write(tmp_path, "etc/ssh/sshd_config.d/10-port.conf", "Port 2201\n")
    _write(tmp_path, "etc/ssh/sshd_config.d/ignored", "Port 2202\n")
    _write(tmp_path, "etc/ssh/other", "Port 2203\n")
    assert find_ssh_ports(str(tmp_path)) == (2201, 2203)


def test_ports_of_a_socket_that_is_enabled(tmp_path: pathlib.Path) -> None:
    _write(tmp_path, "usr/lib/systemd/system/ssh.socket", "[Socket]\nListenStream=22\nAccept=no\n")
    _write(tmp_path, "etc/ssh/sshd_config", "Port 2222\n")
    assert find_ssh_ports(str(tmp_path)) == (2222,)
    wants = tmp_path / "etc/systemd/system/sockets.target.wants"
    wants.mkdir(parents=True)
    os.symlink("/usr/lib/systemd/system/ssh.socket", wants / "ssh.socket")
    assert find_ssh_ports(str(tmp_path)) == (22, 2222)
    override = "[Socket]\nListenStream=\nListenStream=[::]:2023\nListenStream=/run/ssh.sock\n"
    _write(tmp_path, "etc/systemd/system/ssh.socket.d/override.conf", override)
    assert find_ssh_ports(str(tmp_path)) == (2023, 2222)
