# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A service to knock at: answers each TCP connection with a line, and each UDP datagram with another.

Usage: answer.py PROTOCOL/PORT[@ADDRESS] ...

Without an address it listens on all of both families. It needs no network to start, so that a host
can run it before its firewall and its interfaces are up: only then does silence prove anything.
"""

from __future__ import annotations

import selectors
import socket
import sys

_LINE = b"answer\n"
_KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


def _listen(place: str) -> socket.socket:
    service, _, address = place.partition("@")
    protocol, _, port = service.partition("/")
    family = socket.AF_INET if "." in address else socket.AF_INET6
    listener = socket.socket(family, _KINDS[protocol])
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.bind((address or "::", int(port)))
    if protocol == "tcp":
        listener.listen(64)
    return listener


def _answer(listener: socket.socket) -> None:
    if listener.type == socket.SOCK_DGRAM:
        _, peer = listener.recvfrom(2048)
        listener.sendto(_LINE, peer)
    else:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(_LINE)


def main(places: list[str]) -> None:
    """Serves until it is ended by a signal."""
    with selectors.DefaultSelector() as selector:
        for place in places:
            selector.register(_listen(place), selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                try:
                    _answer(key.fileobj)
                except OSError as error:
                    # The peer went away, or this host's own firewall keeps the answer back.
                    print("%s: %s" % (key.fileobj, error), file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
