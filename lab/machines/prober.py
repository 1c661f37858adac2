# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""New connections to a machine without a pause, whether it is up or not: which ports ever answered."""

from __future__ import annotations

import ipaddress
import itertools
import socket
import threading
import time
import typing as t

from .. import packets
from ..closing import Closing
from ..frames import internet_packet
from ..namespaces import Host
from ..packets import LabPacket
from .machine import ADDRESSES, HARDWARE_ADDRESS, INTERFACE, LAB_ADDRESSES

_TYPES: t.Mapping[int, int] = {4: 0x0800, 6: 0x86DD}
_ETH_P_ALL = 3  # linux/if_ether.h
_HEADER: t.Mapping[int, int] = {4: 20, 6: 40}

#: Between two packets. A machine comes up in seconds.
_PAUSE_SECONDS = 0.01

#: Of the prober's own ports; a flow that was not answered is forgotten before its ports come round again.
_PORTS = range(20000, 60000)


class Answer(t.NamedTuple):
    """The machine accepted a connection.

    Attributes:
        seconds: Since the prober began.
    """

    family: int
    port: int
    seconds: float


class Prober(Closing):
    """Sends the first packets of connections, over both families, to each of some ports in turn.

    Frames go straight onto the cable, to the card's own address: no resolving delays the first of them.
    """

    def __init__(self, outside: Host, ports: t.Sequence[int]) -> None:
        self.sent = 0
        self._answers: t.List[Answer] = []
        self._socket = outside.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        self._socket.bind((INTERFACE, _ETH_P_ALL))
        self._socket.settimeout(_PAUSE_SECONDS)
        self._own = self._socket.getsockname()[4]
        self._ports = ports
        self._started = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._probe, name="prober")
        self._thread.start()

    def answered(self, since: float = 0.0) -> t.Dict[t.Tuple[int, int], float]:
        """Family and port to the second of the first answer after that second."""
        found: t.Dict[t.Tuple[int, int], float] = {}
        for answer in list(self._answers):
            if answer.seconds >= since:
                found.setdefault((answer.family, answer.port), answer.seconds)
        return found

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._started

    def close(self) -> None:
        """Ends it."""
        self._ended.set()
        self._thread.join()
        self._socket.close()

    def _probe(self) -> None:
        targets = itertools.cycle(itertools.product(ADDRESSES, self._ports))
        for number, own_port in enumerate(itertools.cycle(_PORTS)):
            if self._ended.is_set():
                return
            family, port = next(targets)
            packet = LabPacket(
                direction="ingress",
                interface=INTERFACE,
                family=family,
                protocol=packets.TCP,
                source=int(ipaddress.ip_interface(LAB_ADDRESSES[family == 6]).ip),
                destination=int(ipaddress.ip_address(ADDRESSES[family])),
                source_port=own_port,
                destination_port=port,
                tcp_flags=frozenset({"syn"}),
            )
            card = bytes.fromhex(HARDWARE_ADDRESS.replace(":", ""))
            head = card + self._own + _TYPES[family].to_bytes(2, "big")
            try:
                self._socket.send(head + internet_packet(packet, 1 + number % 65535))
                self.sent += 1
            except OSError:
                # Nobody holds the other end of the cable.
                time.sleep(_PAUSE_SECONDS)
            self._read()

    def _read(self) -> None:
        """Reads what has come, for as long as the pause is."""
        deadline = time.monotonic() + _PAUSE_SECONDS
        while time.monotonic() < deadline:
            try:
                frame, sender = self._socket.recvfrom(2048)
            except OSError:
                # Nothing in time, or the cable is not plugged in.
                return
            if sender[2] != socket.PACKET_OUTGOING:
                self._note(frame)

    def _note(self, frame: bytes) -> None:
        for family, number in _TYPES.items():
            segment = frame[14 + _HEADER[family] :]
            protocol = frame[14 + (9 if family == 4 else 6)] if len(segment) >= 20 else 0
            if frame[12:14] == number.to_bytes(2, "big") and protocol == packets.TCP and segment[13] & 0x12 == 0x12:
                port = int.from_bytes(segment[:2], "big")
                # Others have connections as well.
                if port in self._ports:
                    self._answers.append(Answer(family, port, self.seconds))
