# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The SSH connection of a run, and the interface it arrives on."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host._discovery.session import (
    SshConnection,
    find_ssh_connection,
    interface_towards,
    parse_ssh_connection,
)

if t.TYPE_CHECKING:
    from .conftest import Host

CONNECTION = SshConnection("198.51.100.7", 50022, "192.0.2.10", 22)
TEXT = "198.51.100.7 50022 192.0.2.10 22"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (TEXT, CONNECTION),
        ("2001:DB8:0::7 50022 2001:db8::10 2222", SshConnection("2001:db8::7", 50022, "2001:db8::10", 2222)),
        ("fe80::7%eth0 50022 fe80::10%eth0 22", SshConnection("fe80::7", 50022, "fe80::10", 22)),
        ("::ffff:198.51.100.7 50022 ::ffff:192.0.2.10 22", CONNECTION),
        ("", None),
        ("198.51.100.7 50022 192.0.2.10", None),
        (TEXT + " x", None),
        ("198.51.100.7  50022 192.0.2.10 22", None),
        ("198.51.100.7 0 192.0.2.10 22", None),
        ("198.51.100.7 50022 192.0.2.10 65536", None),
        ("198.51.100.7 +22 192.0.2.10 22", None),
        ("198.51.100.7 \u0665 192.0.2.10 22", None),
        ("198.51.100.07 50022 192.0.2.10 22", None),
        ("UNKNOWN 65535 UNKNOWN 65535", None),
        ("198.51.100.7 50022 host.example 22", None),
        (TEXT + "\n", None),
        ("1" * 100_000, None),
    ],
)
def test_the_text_is_taken_strictly(text: str, expected: t.Optional[SshConnection]) -> None:
    assert parse_ssh_connection(text) == expected


def process(host: Host, pid: int, parent: int, environ: bytes) -> None:
    host.write("/proc/%d/status" % pid, "Name:\tPPid: 1\nUmask:\t0022\nPid:\t%d\nPPid:\t%d\n" % (pid, parent))
    host.write("/proc/%d/environ" % pid, environ)


def found(host: Host, pid: int, environ: t.Optional[t.Dict[str, str]] = None) -> t.Optional[SshConnection]:
    return find_ssh_connection(environ or {}, proc=host.root + "/proc", pid=pid)


def test_the_own_environment_comes_first(host: Host) -> None:
    process(host, 10, 1, b"SSH_CONNECTION=203.0.113.1 1 192.0.2.10 22\0")
    assert found(host, 10, {"SSH_CONNECTION": TEXT}) == CONNECTION


def test_sudo_drops_the_variable_and_its_parent_has_it(host: Host) -> None:
    process(host, 40, 30, b"SUDO_USER=admin\0HOME=/root\0")
    process(host, 30, 20, b"HOME=/home/admin\0X=\xff\xfe\0SSH_CONNECTION=%s\0LANG=C\0" % TEXT.encode())
    process(host, 20, 1, b"SSH_CONNECTION=203.0.113.1 1 192.0.2.10 22\0")
    assert found(host, 40) == CONNECTION


def test_nonsense_in_the_nearest_place_is_passed_over(host: Host) -> None:
    process(host, 40, 30, b"SSH_CONNECTION=nonsense\0")
    process(host, 30, 1, b"NOT_SSH_CONNECTION=x\0SSH_CONNECTION=%s\0" % TEXT.encode())
    assert found(host, 40, {"SSH_CONNECTION": "1 2 3 4"}) == CONNECTION


def test_no_connection(host: Host) -> None:
    process(host, 40, 1, b"HOME=/root\0")
    process(host, 1, 0, b"")
    assert found(host, 40) is None
    assert found(host, 41) is None


def test_parents_in_a_circle_come_to_an_end(host: Host) -> None:
    process(host, 40, 41, b"")
    process(host, 41, 40, b"")
    assert found(host, 40) is None


def test_a_real_process_that_lost_the_variable_finds_it_in_its_parent(
    tmp_path: pathlib.Path, collections_path: pathlib.Path
) -> None:
    script = tmp_path / "child.py"
    script.write_text(
        "from ansible_collections.palisade.nftables.plugins.module_utils._host._discovery import session\n"
        "import os\n"
        "print(session.find_ssh_connection(os.environ))\n"
    )
    environ = {**os.environ, "SSH_CONNECTION": TEXT, "PYTHONPATH": str(collections_path)}
    # The shell stays, as sudo does, because it has something left to do.
    command = "env -u SSH_CONNECTION '%s' '%s'; true" % (sys.executable, script)
    shell = shutil.which("sh")
    assert shell is not None
    done = subprocess.run([shell, "-c", command], env=environ, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == str(CONNECTION), done.stderr


ROUTES = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth1\t00000000\t010200C0\t0003\t0\t0\t50\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
wg0\t006433C6\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
eth2\t806433C6\t00000000\t0000\t0\t0\t0\t80FFFFFF\t0\t0\t0
*\t007100CB\t00000000\t0201\t0\t0\t0\t00FFFFFF\t0\t0\t0
junk\tzz
"""

TRIE = """\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 192.0.2.0/24 2 0 2
        |-- 192.0.2.0
           /24 link UNICAST
        |-- 192.0.2.10
           /32 host LOCAL
        |-- 192.0.2.255
           /32 link BROADCAST
Local:
  +-- 0.0.0.0/0 3 0 5
     |-- 127.0.0.0
        /8 host LOCAL
"""

ROUTES6 = """\
20010db8000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
fe800000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 20010db8000000000000000000000001 00000400 00000001 00000000 00000003     eth1
20010db8000000000000000000000010 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 00000002 00000000 80200001     eth0
20010db8000a00000000000000000000 30 00000000000000000000000000000000 00 00000000000000000000000000000000 00000400 00000001 00000000 00200200       lo
20010db8000b00000000000000000000 30 20010db8000000000000000000000000 40 00000000000000000000000000000000 00000400 00000001 00000000 00000001     eth9
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
junk
"""  # noqa: E501 - these are lines of the kernel


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.77", "eth0"),
        ("198.51.100.7", "wg0"),
        ("198.51.100.200", "wg0"),  # the narrower route is not up
        ("198.18.0.1", "eth1"),  # the default route with the lower metric
        ("203.0.113.9", None),  # unreachable
        ("192.0.2.10", "lo"),
        ("127.0.0.5", "lo"),
        ("::ffff:198.51.100.7", "wg0"),
        ("2001:db8::7", "eth0"),
        ("2001:db8:1::7", "eth1"),
        ("2001:db8::10", "lo"),
        ("2001:db8:a::1", None),
        ("2001:db8:b::1", "eth1"),  # a route for one source only is passed over
        ("fe80::7%eth0", "eth0"),
        ("::1", "lo"),
        ("host.example", None),
    ],
)
@pytest.mark.skipif(sys.byteorder != "little", reason="the recorded table is that of a little-endian machine")
def test_the_main_routing_table(host: Host, address: str, expected: t.Optional[str]) -> None:
    host.write("/proc/net/route", ROUTES)
    host.write("/proc/net/fib_trie", TRIE)
    host.write("/proc/net/ipv6_route", ROUTES6)
    assert interface_towards(address, proc=host.root + "/proc") == expected


def test_a_link_local_address_on_several_interfaces_is_ambiguous(host: Host) -> None:
    second = ROUTES6.split("\n")[1].replace("eth0", "eth3").replace("00000100", "00000010")
    host.write("/proc/net/ipv6_route", ROUTES6 + second + "\n")
    assert interface_towards("fe80::7", proc=host.root + "/proc") is None
    assert interface_towards("2001:db8::7", proc=host.root + "/proc") == "eth0"


def test_no_tables(host: Host) -> None:
    assert interface_towards("192.0.2.1", proc=host.root + "/proc") is None
    assert interface_towards("2001:db8::1", proc=host.root + "/proc") is None


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root to make a network namespace")
def test_the_kernels_own_tables(collections_path: pathlib.Path) -> None:
    """What is read agrees with what the kernel answers, in a namespace of its own."""
    script = """\
set -e
ip link set lo up
ip link add eth0 type veth peer name peer0
ip link add eth1 type veth peer name peer1
ip link set peer0 up
ip link set peer1 up
ip address add 192.0.2.10/24 dev eth0
ip address add 2001:db8::10/64 dev eth0 nodad
ip link set eth0 up
ip link set eth1 up
ip route add default via 192.0.2.1
ip route add 198.51.100.0/25 dev eth1
ip route add unreachable 203.0.113.0/24
ip -6 route add default via 2001:db8::1
ip -6 route add 2001:db8:5::/48 dev eth1
exec "$0" -c '
from ansible_collections.palisade.nftables.plugins.module_utils._host._discovery.session import interface_towards
for address in (
    "192.0.2.1", "192.0.2.10", "198.51.100.1", "198.51.100.200", "203.0.113.1", "127.0.0.1",
    "2001:db8::1", "2001:db8::10", "2001:db8:5::1", "2001:db8:6::1", "::1",
):
    print(interface_towards(address))
'
"""
    done = subprocess.run(
        ["unshare", "--net", "--mount", "sh", "-c", script, sys.executable],
        env={**os.environ, "PYTHONPATH": str(collections_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout.split() == [
        *("eth0", "lo", "eth1", "eth0", "None", "lo"),
        *("eth0", "lo", "eth1", "eth0", "lo"),
    ], done.stderr
