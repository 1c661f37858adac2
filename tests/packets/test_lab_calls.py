# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests under load rely on: a segment that a firewall dropped is counted."""

from __future__ import annotations

import contextlib
import socket
import time
import typing as t

import pytest

from lab.calls import sent_again
from lab.connections import Server
from lab.namespaces import Host, Lab
from lab.reexec import ensure_privileges, why_unavailable

pytestmark = pytest.mark.alone

#: TCP sends the first segment again after a second (RFC 6298).
_SECONDS = 10.0

_DROP = """\
table inet dropping {
  chain input {
    type filter hook input priority 0; policy accept
    tcp dport 22 drop
  }
}
"""


@pytest.fixture
def hosts() -> t.Iterator[t.Tuple[Host, Host]]:
    reason = why_unavailable()
    if reason is not None:
        pytest.skip(reason)
    ensure_privileges()
    with Lab() as lab:
        server, caller = lab.host("server", {}), lab.host("caller", {})
        lab.connect(server, caller, addresses=(("192.0.2.1/24",), ("192.0.2.2/24",)))
        yield server, caller


def _await_more(caller: Host, before: int) -> None:
    deadline = time.monotonic() + _SECONDS
    while sent_again(caller) == before:
        assert time.monotonic() < deadline, "nothing was counted"
        time.sleep(0.02)


@pytest.mark.parametrize("begun", [False, True], ids=["the first segment", "a later one"])
def test_a_dropped_segment_is_counted(hosts: t.Tuple[Host, Host], *, begun: bool) -> None:
    server, caller = hosts
    with Server(server, tcp=[22]), contextlib.closing(caller.socket(socket.AF_INET, socket.SOCK_STREAM)) as call:
        if not begun:
            server.nft(_DROP)
            call.setblocking(False)
        before = sent_again(caller)
        call.connect_ex(("192.0.2.1", 22))
        if begun:
            server.nft(_DROP)
            call.send(b"?")
        _await_more(caller, before)


def test_nothing_is_counted_where_nothing_is_dropped(hosts: t.Tuple[Host, Host]) -> None:
    server, caller = hosts
    with Server(server, tcp=[22]), contextlib.closing(caller.socket(socket.AF_INET, socket.SOCK_STREAM)) as call:
        before = sent_again(caller)
        call.connect(("192.0.2.1", 22))
        for _exchange in range(20):
            call.send(b"?")
            assert call.recv(1) == b"?"
        assert sent_again(caller) == before
