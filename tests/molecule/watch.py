# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Knocks at UDP services without a pause while something happens to the host, and counts the answers.

Usage: watch.py STOP_FILE SOURCE,DESTINATION,PORT ...

It goes on until STOP_FILE exists, four minutes at most, and prints one JSON mapping: for each place, as
given, ``sent`` and ``answers``, and whether the file was there (``stopped``).
"""

from __future__ import annotations

import json
import pathlib
import socket
import sys
import time

_LONGEST = 240.0
#: Seconds between two datagrams to the same place: fine enough to hit a gap of a few milliseconds.
_PAUSE = 0.002


class _Place:
    def __init__(self, text: str) -> None:
        source, destination, port = text.split(",")
        self.sent = 0
        self.answers = 0
        self._socket = socket.socket(socket.AF_INET6 if ":" in destination else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((source, 0))
        self._socket.setblocking(False)
        self._destination = (destination, int(port))

    def knock(self) -> None:
        # The socket is not connected, so ICMP errors of a closed port are not its concern; the
        # interface is away while the host restarts.
        try:
            self._socket.sendto(b"watch\n", self._destination)
            self.sent += 1
        except OSError:
            pass
        try:
            while self._socket.recv(64):
                self.answers += 1
        except BlockingIOError:
            pass


def main(stop: pathlib.Path, texts: list[str]) -> None:
    """Knocks, and prints the counts at the end."""
    places = {text: _Place(text) for text in texts}
    deadline = time.monotonic() + _LONGEST
    stopped = False
    while not stopped and time.monotonic() < deadline:
        for place in places.values():
            place.knock()
        time.sleep(_PAUSE)
        stopped = stop.exists()
    counts = {text: {"sent": place.sent, "answers": place.answers} for text, place in places.items()}
    print(json.dumps({"stopped": stopped, "places": counts}))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2:])
