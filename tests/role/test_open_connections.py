# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first deploy on a host, and the connections that are open while it happens."""

from __future__ import annotations

import contextlib
import itertools
import socket
import typing as t

import pytest

from lab.namespaces import Host

from .fleet import Fleet

pytestmark = pytest.mark.carried

#: Each connection has a port of its own.
_FIRST_PORT = 5432

#: Longest that a segment may take between two hosts of the lab, sent again included.
_SECONDS = 10.0

_ADDRESSES = {"server": "192.0.2.20", "client": "192.0.2.10"}
_ADDRESSES6 = {"server": "2001:db8::20", "client": "2001:db8::10"}

#: Nothing but what is established: neither the port nor the other side is let through as new.
_SHUT = """\
firewall_default_ingress: drop
firewall_default_egress: drop
firewall_default_policies: []
firewall_safeguards: {ssh: false, dns: false, ntp: false, dhcp: false}
"""


class Connection(t.NamedTuple):
    """Both ends, and the socket that the server goes on listening with, where there is one."""

    client: socket.socket
    server: socket.socket
    listener: t.Optional[socket.socket]

    def says(self, first: str) -> None:
        """One end speaks first and the other one answers; both arrive."""
        speaker, other = (self.client, self.server) if first == "client" else (self.server, self.client)
        assert _arrives(speaker, other)
        assert _arrives(other, speaker)


def _connect(stack: contextlib.ExitStack, hosts: t.Mapping[str, Host], family: int, kind: int, port: int) -> Connection:
    addresses = _ADDRESSES if family == socket.AF_INET else _ADDRESSES6
    there, here = (stack.enter_context(hosts[name].socket(family, kind)) for name in ("server", "client"))
    there.bind((addresses["server"], port))
    here.bind((addresses["client"], 0))
    if kind == socket.SOCK_STREAM:
        there.listen()
        here.connect((addresses["server"], port))
        return Connection(here, stack.enter_context(there.accept()[0]), there)
    here.connect((addresses["server"], port))
    there.connect(here.getsockname())
    return Connection(here, there, None)


def _arrives(source: socket.socket, target: socket.socket) -> bool:
    target.settimeout(_SECONDS)
    source.send(b"hello")
    try:
        return target.recv(16) == b"hello"
    except TimeoutError:
        return False


@pytest.mark.parametrize("filtered", ["client", "server"])
@pytest.mark.parametrize(
    ("family", "layout"), [(socket.AF_INET, "ordered"), (socket.AF_INET6, "auto")], ids=["ipv4", "ipv6"]
)
def test_open_connections_survive_whoever_speaks_first(
    fleet: Fleet, family: int, *, filtered: str, layout: str
) -> None:
    hosts = {name: fleet.add(name, address) for name, address in _ADDRESSES.items()}
    for name, host in hosts.items():
        host.add_addresses("eth0", [_ADDRESSES6[name] + "/64"])
    fleet.write("group_vars/all.yml", _SHUT + "firewall_layout: %s\n" % layout)
    with contextlib.ExitStack() as stack:
        opened = {
            (kind, first): _connect(stack, hosts, family, kind, port)
            for port, (kind, first) in enumerate(
                itertools.product((socket.SOCK_STREAM, socket.SOCK_DGRAM), ("client", "server")), _FIRST_PORT
            )
        }
        run = fleet.deploy("--limit", filtered)
        assert run.status == 0, run.output
        for (_kind, first), connection in opened.items():
            if connection.listener is not None:
                # Without the connection there is no way in: what follows proves something.
                with hosts["client"].socket(family, socket.SOCK_STREAM) as other:
                    other.settimeout(1.0)
                    with pytest.raises(OSError, match=r"timed out|not permitted"):
                        other.connect(connection.listener.getsockname()[:2])
            connection.says(first)
