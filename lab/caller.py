# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Opens TCP connections one after another, as fast as it can. Run by :mod:`.calls` inside a lab host.

A connection counts once an octet that it sent has come back: the server has taken it then, and no more of them wait
there than are under way here.

Its first line of input is a specification in JSON. It says ``ready``, and calls until its input ends; then it
prints what became of the calls, as JSON.
"""

from __future__ import annotations

import errno
import itertools
import json
import os
import select
import socket
import struct
import sys
import time
import typing as t

_QUESTION = b"?"

#: A connection that was made is reset: neither end remembers it.
_RESET = struct.pack("ii", 1, 0)

_WAIT_MILLISECONDS = 100
#: Called from in turn, and soon again: connection tracking remembers a closed connection for some seconds, and a new
#: one of the same addresses and ports is measured against that.
_PORTS = range(40000, 42048)


class _Caller:
    """Some calls at the same time, each followed by the next."""

    def __init__(self, specification: t.Mapping[str, t.Any]) -> None:
        self._ports = itertools.cycle(_PORTS)
        self._source = specification["source"]
        self._destination = (specification["destination"], specification["port"])
        self._family = socket.AF_INET6 if ":" in specification["destination"] else socket.AF_INET
        self._parallel = specification["parallel"]
        self._patience = specification["seconds"]
        self._poll = select.epoll()
        self._waiting: t.Dict[int, t.Tuple[socket.socket, float]] = {}
        self._last = time.monotonic()
        self.report = {"connected": 0, "refused": 0, "unanswered": 0, "longest_call": 0.0, "longest_pause": 0.0}

    def run(self) -> None:
        """Until standard input ends; what is under way then counts as nothing."""
        self._poll.register(0, select.EPOLLIN | select.EPOLLHUP)
        while True:
            while len(self._waiting) < self._parallel:
                self._call()
            for number, event in self._poll.poll(_WAIT_MILLISECONDS / 1000):
                if number == 0:
                    return
                self._go_on(number, event)
            self._give_up()

    def _call(self) -> None:
        opened = socket.socket(self._family, socket.SOCK_STREAM)
        opened.setblocking(False)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._bind(opened)
        result = opened.connect_ex(self._destination)
        if result not in (0, errno.EINPROGRESS, errno.ECONNREFUSED):
            raise OSError(result, os.strerror(result))
        self._waiting[opened.fileno()] = opened, time.monotonic()
        self._poll.register(opened.fileno(), select.EPOLLOUT)

    def _bind(self, opened: socket.socket) -> None:
        """To the next port; one whose call still waits is passed over."""
        for port in itertools.islice(self._ports, len(_PORTS)):
            try:
                opened.bind((self._source, port))
            except OSError as exc:
                if exc.errno != errno.EADDRINUSE:
                    raise
            else:
                return
        raise OSError(errno.EADDRINUSE, "no port is free")

    def _go_on(self, number: int, event: int) -> None:
        opened, begun = self._waiting[number]
        try:
            if event & select.EPOLLOUT and not event & (select.EPOLLERR | select.EPOLLHUP):
                opened.send(_QUESTION)
                self._poll.modify(number, select.EPOLLIN)
                return
            connected = opened.recv(len(_QUESTION)) == _QUESTION
        except OSError:
            connected = False
        del self._waiting[number]
        opened.close()
        self.report["connected" if connected else "refused"] += 1
        if connected:
            now = time.monotonic()
            self.report["longest_call"] = max(self.report["longest_call"], now - begun)
            self.report["longest_pause"] = max(self.report["longest_pause"], now - self._last)
            self._last = now

    def _give_up(self) -> None:
        end = time.monotonic() - self._patience
        for number, (opened, begun) in list(self._waiting.items()):
            # They are in the order of their beginnings.
            if begun > end:
                break
            del self._waiting[number]
            opened.close()
            self.report["unanswered"] += 1


def main() -> None:
    caller = _Caller(json.loads(sys.stdin.readline()))
    print("ready", flush=True)
    caller.run()
    print(json.dumps(caller.report))


if __name__ == "__main__":
    main()
