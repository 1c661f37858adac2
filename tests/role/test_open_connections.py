# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first deploy on a host, and the connections that are open while it happens."""

from __future__ import annotations

import contextlib
import socket
import typing as t

import pytest

from lab.namespaces import Host

from .fleet import Fleet

_PORT = 5432
_ADDRESSES = {"server": "192.0.2.20", "client": "192.0.2.10"}
_ADDRESSES6 = {"server": "2001:db8::20", "client": "2001:db8::10"}

#: Nothing but what is established: neither the port nor the other side is let through as new.
_SHUT = """\
firewall_default_ingress: drop
firewall_default_egress: drop
firewall_default_policies: []
firewall_safeguards: {ssh: false, dns: false, ntp: false, dhcp: false}
"""


def _connect(client: Host, server: Host, family: int, kind: int) -> t.Tuple[socket.socket, socket.socket]:
    """Both ends of a connection, that of the client first."""
    addresses = _ADDRESSES if family == socket.AF_INET else _ADDRESSES6
    there, here = server.socket(family, kind), client.socket(family, kind)
    there.bind((addresses["server"], _PORT))
    here.bind((addresses["client"], 0))
    if kind == socket.SOCK_STREAM:
        there.listen()
        here.connect((addresses["server"], _PORT))
        accepted = there.accept()[0]
        return here, _with_listener(accepted, there)
    here.connect((addresses["server"], _PORT))
    there.connect(here.getsockname())
    return here, there


_LISTENERS: t.List[socket.socket] = []


def _with_listener(accepted: socket.socket, listener: socket.socket) -> socket.socket:
    """The server goes on listening."""
    _LISTENERS.append(listener)
    return accepted


def _arrives(source: socket.socket, target: socket.socket) -> bool:
    target.settimeout(2.0)
    source.send(b"hello")
    try:
        return target.recv(16) == b"hello"
    except TimeoutError:
        return False


@pytest.mark.parametrize("filtered", ["client", "server"])
@pytest.mark.parametrize("first", ["client", "server"])
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM], ids=["tcp", "udp"])
@pytest.mark.parametrize(
    ("family", "layout"), [(socket.AF_INET, "ordered"), (socket.AF_INET6, "auto")], ids=["ipv4", "ipv6"]
)
def test_an_open_connection_survives_whoever_speaks_first(
    fleet: Fleet, family: int, kind: int, first: str, *, filtered: str, layout: str
) -> None:
    hosts = {name: fleet.add(name, address) for name, address in _ADDRESSES.items()}
    for name, host in hosts.items():
        host.add_addresses("eth0", [_ADDRESSES6[name] + "/64"])
    fleet.write("group_vars/all.yml", _SHUT + "firewall_layout: %s\n" % layout)
    with contextlib.ExitStack() as stack:
        here, there = (stack.enter_context(one) for one in _connect(hosts["client"], hosts["server"], family, kind))
        run = fleet.deploy("--limit", filtered)
        assert run.status == 0, run.output
        if kind == socket.SOCK_STREAM:
            # Without the connection there is no way in: what follows proves something.
            with hosts["client"].socket(family, kind) as other:
                other.settimeout(1.0)
                with pytest.raises(OSError, match=r"timed out|not permitted"):
                    other.connect(there.getsockname()[:2])
        speaker, listener = (here, there) if first == "client" else (there, here)
        assert _arrives(speaker, listener)
        assert _arrives(listener, speaker)
    while _LISTENERS:
        _LISTENERS.pop().close()
