# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers what comes in on TCP and UDP ports, with the same octets. Run by :mod:`.connections` inside a lab host.

Arguments are ``tcp:PORT`` and ``udp:PORT``. It listens on all addresses of both families, says
``ready``, and serves until its input ends.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import sys
import typing as t

_SIZE = 65536
_BACKLOG = 4096


def _listen(kind: str, port: int) -> socket.socket:
    opened = socket.socket(socket.AF_INET6, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    opened.bind(("::", port))
    opened.setblocking(False)
    if kind == "tcp":
        opened.listen(_BACKLOG)
    return opened


def main(arguments: t.Sequence[str]) -> None:
    selector = selectors.DefaultSelector()
    for argument in arguments:
        kind, _, port = argument.partition(":")
        selector.register(_listen(kind, int(port)), selectors.EVENT_READ, kind)
    selector.register(sys.stdin, selectors.EVENT_READ, "end")
    print("ready", flush=True)
    while True:
        for key, _events in selector.select():
            if key.data == "end":
                return
            opened = t.cast("socket.socket", key.fileobj)
            # A peer that goes away, or a ruleset that refuses the answer, ends one exchange and not the server.
            with contextlib.suppress(BlockingIOError, ConnectionError, PermissionError):
                if key.data == "tcp":
                    accepted, _peer = opened.accept()
                    accepted.setblocking(False)
                    selector.register(accepted, selectors.EVENT_READ, "stream")
                elif key.data == "udp":
                    octets, peer = opened.recvfrom(_SIZE)
                    opened.sendto(octets, peer)
                else:
                    _echo(selector, opened)


def _echo(selector: selectors.BaseSelector, opened: socket.socket) -> None:
    try:
        octets = opened.recv(_SIZE)
    except ConnectionError:
        octets = b""
    if octets:
        opened.send(octets)
        return
    selector.unregister(opened)
    opened.close()


if __name__ == "__main__":
    main(sys.argv[1:])
