# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sockets of the host, as connections from the side that began them."""

from __future__ import annotations

import errno
import pathlib
import sys
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host import open_connections
from ansible_collections.palisade.nftables.plugins.module_utils._host.open_connections import find_connections

pytestmark = pytest.mark.skipif(sys.byteorder != "little", reason="the tables are those of a little-endian machine")

_HEADING = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def _found(root: pathlib.Path, **tables: str) -> list[tuple[int, str, int, str, int]]:
    (root / "net").mkdir()
    for name, text in tables.items():
        (root / "net" / name).write_text(_HEADING + text, encoding="ascii")
    return [
        (one.protocol, str(one.source), one.source_port, str(one.destination), one.destination_port)
        for one in find_connections(str(root))
    ]


def test_a_port_that_listens_was_called_and_any_other_calls(tmp_path: pathlib.Path) -> None:
    tcp = """\
   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 140200C0:0016 076433C6:D431 01 00000000:00000000 02:000AFB2B 00000000     0        0 2 2 0 20 4 30 10 -1
   2: 140200C0:A1B2 0A0200C0:1538 01 00000000:00000000 02:000AFB2B 00000000     0        0 3 2 0 20 4 30 10 -1
   3: 140200C0:A1B3 0A0200C0:1538 07 00000000:00000000 02:000AFB2B 00000000     0        0 4 2 0 20 4 30 10 -1
   4: 0100007F:A1B4 0100007F:1538 01 00000000:00000000 02:000AFB2B 00000000     0        0 5 2 0 20 4 30 10 -1
"""
    assert _found(tmp_path, tcp=tcp) == [
        (6, "198.51.100.7", 54321, "192.0.2.20", 22),
        (6, "192.0.2.20", 41394, "192.0.2.10", 5432),
    ]


def test_a_port_that_listens_on_another_address_was_not_called(tmp_path: pathlib.Path) -> None:
    tcp = """\
   0: 0100007F:A1B2 00000000:0000 0A 00000000:00000000
   1: 140200C0:A1B2 0A0200C0:1538 01 00000000:00000000
   2: 140200C0:0016 00000000:0000 0A 00000000:00000000
   3: 140200C0:0016 076433C6:D431 01 00000000:00000000
"""
    assert _found(tmp_path, tcp=tcp) == [
        (6, "192.0.2.20", 41394, "192.0.2.10", 5432),
        (6, "198.51.100.7", 54321, "192.0.2.20", 22),
    ]


def test_connections_that_close_are_connections(tmp_path: pathlib.Path) -> None:
    """States 01 to 0C, net/tcp_states.h."""
    tcp = "".join("   %d: 140200C0:%04X 0A0200C0:1538 %02X 0:0\n" % (state, state, state) for state in range(1, 13))
    assert [port for _protocol, _own, port, _other, _port in _found(tmp_path, tcp=tcp)] == [1, 4, 5, 6, 8, 9, 11]


def test_a_busy_host_has_more_of_them_than_any_file_of_configuration_has_lines(tmp_path: pathlib.Path) -> None:
    lines = ["   0: 140200C0:0016 00000000:0000 0A %s" % ("0" * 100)]
    lines.extend("   1: 140200C0:0016 076433C6:%04X 01 %s" % (port, "0" * 100) for port in range(1024, 21024))
    found = _found(tmp_path, tcp="\n".join(lines))
    assert [port for _protocol, _address, port, _own, _port in found] == list(range(1024, 21024))


def test_ipv6_and_ipv4_in_its_clothes(tmp_path: pathlib.Path) -> None:
    tcp6 = """\
   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000
   1: B80D0120000000000000000020000000:0050 B80D0120000000000000000010000000:C001 01 00000000:00000000
   2: 0000000000000000FFFF0000140200C0:0050 0000000000000000FFFF0000076433C6:C002 01 00000000:00000000
   3: 00000000000000000000000001000000:0050 00000000000000000000000001000000:C003 01 00000000:00000000
"""
    assert _found(tmp_path, tcp6=tcp6) == [
        (6, "2001:db8::10", 49153, "2001:db8::20", 80),
        (6, "198.51.100.7", 49154, "192.0.2.20", 80),
    ]


def test_connected_udp_sockets_alone(tmp_path: pathlib.Path) -> None:
    udp = """\
   0: 00000000:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1 2 0 0
   1: 140200C0:0035 076433C6:D431 01 00000000:00000000 00:00000000 00000000     0        0 1 2 0 0
   2: 140200C0:C001 0A0200C0:007B 01 00000000:00000000 00:00000000 00000000     0        0 1 2 0 0
"""
    assert _found(tmp_path, udp=udp) == [
        (17, "198.51.100.7", 54321, "192.0.2.20", 53),
        (17, "192.0.2.20", 49153, "192.0.2.10", 123),
    ]


def test_what_cannot_be_told_is_said_where_there_is_anything_to_tell(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container that may load rules and has no module for the rest."""

    def refuse() -> t.NoReturn:
        raise OSError(errno.EPROTONOSUPPORT, "Protocol not supported")

    monkeypatch.setattr(open_connections, "Tracking", refuse)
    (tmp_path / "net").mkdir()
    assert open_connections.learn(str(tmp_path)) == (0, "")
    line = "   1: 140200C0:A1B2 0A0200C0:1538 01 00000000:00000000\n"
    (tmp_path / "net/tcp").write_text(_HEADING + line, encoding="ascii")
    told, note = open_connections.learn(str(tmp_path))
    assert told == 0
    assert note.startswith("of 1 open connections 0 could be handed to connection tracking (Protocol not supported)")


def test_garbage_is_nothing(tmp_path: pathlib.Path) -> None:
    assert _found(tmp_path, tcp="x\n\n 1: zz:0016 00:1 01\n 1: 0100:16 00000000:0000 01\n", udp="\0\0\n") == []
