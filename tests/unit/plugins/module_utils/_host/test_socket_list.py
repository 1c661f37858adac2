# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sockets as the kernel tells of them, and as its tables do."""

from __future__ import annotations

import os
import pathlib
import socket
import sys
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host import socket_list
from ansible_collections.palisade.nftables.plugins.module_utils._host.processes import find_owners, user_name
from ansible_collections.palisade.nftables.plugins.module_utils._host.socket_list import (
    SCTP,
    Socket,
    find_sockets,
    read_sctp_endpoints,
    read_table,
)
from ansible_collections.palisade.nftables.plugins.module_utils._host.socket_tables import TCP

if t.TYPE_CHECKING:
    from lab.namespaces import Host

_HEADING = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"

little_endian = pytest.mark.skipif(sys.byteorder != "little", reason="the tables are those of a little-endian machine")


def _line(local: str, remote: str, state: str) -> str:
    return "  0: %s %s %s 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0" % (local, remote, state)


@little_endian
def test_a_table() -> None:
    lines = [
        _HEADING,
        _line("00000000:0016", "00000000:0000", "0A"),
        _line("00000000000000000000000000000000:0050", "00000000000000000000000000000000:0000", "0A"),
        _line("0000000000000000FFFF0000010200C0:0050", "00000000000000000000000000000000:0000", "0A"),
        _line("010200C0:A1B2", "070200C0:1538", "01"),
        "x",
        "1: zz:0016 00:1 01",
        _line("0000:0016", "00000000:0000", "0A"),
    ]
    found = list(read_table(lines, TCP))
    assert [(one.address, one.port, one.families, one.listens) for one in found[:3]] == [
        ("0.0.0.0", 22, (4,), True),
        ("::", 80, (4, 6), True),
        ("192.0.2.1", 80, (4,), True),
    ]
    connected = found[3]
    assert (connected.remote, connected.remote_port, connected.is_connected) == ("192.0.2.7", 5432, True)
    assert (connected.user, connected.inode, len(found)) == (1000, 4711, 4)
    assert next(read_table(lines[2:], TCP, v6only=True)).families == (6,)


def test_endpoints_of_sctp() -> None:
    lines = [
        " ENDPT     SOCK   STY SST HBKT LPORT   UID INODE LADDRS",
        "ffff8880 ffff8881 2   10  29   2905   0   4711  192.0.2.1 2001:db8::1 ",
        "ffff8880 ffff8881 2   7   29   2906   0   4712  192.0.2.1 ",
        "nonsense",
    ]
    found = list(read_sctp_endpoints(lines))
    assert [(one.protocol, one.address, one.port, one.families, one.listens) for one in found] == [
        (SCTP, "192.0.2.1", 2905, (4,), True),
        (SCTP, "2001:db8::1", 2905, (6,), True),
    ]


def _listening(found: t.Iterable[Socket]) -> t.Set[t.Tuple[int, str, int, t.Tuple[int, ...]]]:
    return {(one.protocol, one.address, one.port, one.families) for one in found if one.listens}


def test_the_tables_say_what_the_kernel_tells_over_netlink(network: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for sockets that are bound to an interface, and those of IPv6 alone."""
    with network.socket(socket.AF_INET6) as web, network.socket(socket.AF_INET, socket.SOCK_DGRAM) as names:
        web.bind(("::", 80))
        web.listen()
        names.bind(("0.0.0.0", 53))
        told, nothing = network.call(find_sockets)
        assert _listening(told) == {(6, "::", 80, (4, 6)), (17, "0.0.0.0", 53, (4,))}
        assert nothing == []

        def refuse(_protocol: int) -> t.Iterator[Socket]:
            raise FileNotFoundError(2, "No such file or directory")

        monkeypatch.setattr(socket_list, "_ask", refuse)
        read, notes = network.call(find_sockets)
        assert _listening(read) == _listening(told)
        assert {one.inode for one in read if one.listens} == {one.inode for one in told if one.listens}
        assert len(notes) == 1
        assert "does not tell of sockets over netlink (No such file or directory)" in notes[0]


def test_what_only_netlink_tells(network: Host) -> None:
    with network.socket(socket.AF_INET6) as web:
        web.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        web.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
        web.bind(("::", 80))
        web.listen()
        (found,) = network.call(find_sockets)[0]
        assert (found.families, found.interface) == ((6,), 1)
        (owner,) = find_owners({found.inode}).values()
        assert owner.pid == os.getpid()


def test_the_first_process_that_is_not_the_service_manager(tmp_path: pathlib.Path) -> None:
    for pid, name, inode in ((1, "systemd", 10), (40, "sshd", 10), (7, "cron", 14), (3, "systemd-udevd", 11)):
        (tmp_path / str(pid) / "fd").mkdir(parents=True)
        (tmp_path / str(pid) / "comm").write_text(name + "\n", encoding="utf-8")
        (tmp_path / str(pid) / "fd" / "0").symlink_to("/dev/null")
        (tmp_path / str(pid) / "fd" / "3").symlink_to("socket:[%d]" % inode)
    (tmp_path / "1" / "fd" / "4").symlink_to("socket:[12]")
    (tmp_path / "2").mkdir()
    (tmp_path / "self").mkdir()
    (tmp_path / "7" / "comm").write_text("\x1b[31mcron\n", encoding="utf-8")
    found = find_owners({10, 11, 12, 13, 14}, str(tmp_path))
    assert {inode: (one.pid, one.name) for inode, one in found.items()} == {
        10: (40, "sshd"),
        11: (3, "systemd-udevd"),
        12: (1, "systemd"),
        14: (7, "?[31mcron"),
    }


def test_names_of_users() -> None:
    assert user_name(0) == "root"
    assert user_name(4_000_000_001) == "4000000001"
