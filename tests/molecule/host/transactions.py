# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernel's transactions, written down while something happens to the rules."""

from __future__ import annotations

import socket
import struct
import subprocess
import threading
import typing as t

#: linux/netlink.h, linux/netfilter/nfnetlink.h and nf_tables.h.
NETLINK_NETFILTER = 12
GROUP_NFTABLES = 7
SO_RCVBUFFORCE = 33
NEW_TABLE, DELETE_TABLE, NEW_GENERATION = 10 << 8 | 0, 10 << 8 | 2, 10 << 8 | 15
INET = 1
BUFFER_BYTES = 64 * 1024 * 1024
SECONDS = 60.0


class Transaction(t.NamedTuple):
    """``number`` counts the kernel's transactions; ``words`` are ``new`` and ``delete``, as it dealt with the table."""

    number: int
    words: t.Tuple[str, ...]


class Transactions:
    """What the kernel tells of its transactions. Each is told as a whole, and ends with its number."""

    def __init__(self, table: str) -> None:
        self._table = table.encode() + b"\0"
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
        self._socket.bind((0, 1 << GROUP_NFTABLES - 1))
        self._socket.settimeout(SECONDS)
        self._words: t.List[str] = []

    def read(self) -> t.Iterator[Transaction]:
        """Without an end.

        Raises:
            OSError: Some were lost (ENOBUFS), or there was none for a long time.
        """
        while True:
            data = self._socket.recv(1 << 20)
            while data:
                length, kind = struct.unpack_from("=IH", data)
                yield from self._take(kind, data[16:length])
                data = data[length + 3 & ~3 :]

    def _take(self, kind: int, message: bytes) -> t.Iterator[Transaction]:
        if kind not in (NEW_TABLE, DELETE_TABLE, NEW_GENERATION):
            return
        # The first attribute is the name or the number.
        size = struct.unpack_from("=H", message, 4)[0]
        value = message[8 : 4 + size]
        if kind == NEW_GENERATION:
            yield Transaction(int.from_bytes(value, "big"), tuple(self._words))
            self._words = []
        elif (message[0], value) == (INET, self._table):
            self._words.append("new" if kind == NEW_TABLE else "delete")


def watch(table: str, act: t.Callable[[], None]) -> t.Dict[str, t.Any]:
    """What became of a table of the family inet while ``act`` ran.

    Returns:
        ``transactions``, how many there were; ``replaced``, how many of them deleted the table; ``gaps``, after
        how many of these it was gone; ``there``, whether it is there in the end.
    """
    source = Transactions(table).read()
    end = "lab_end_of_watch"
    # A transaction of our own is the last that is waited for.
    ends = Transactions(end).read()
    seen: t.List[Transaction] = []

    def collect() -> None:
        last = next(one.number for one in ends if one.words)
        for one in source:
            seen.append(one)
            if one.number == last:
                return

    reader = threading.Thread(target=collect, daemon=True)
    reader.start()
    act()
    subprocess.run(["nft", "table inet %s; delete table inet %s" % (end, end)], check=True)
    reader.join()
    numbers = [one.number for one in seen]
    if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        raise SystemExit("the kernel did not tell of all transactions: %s" % numbers)
    replaced = [one for one in seen if "delete" in one.words]
    listed = subprocess.run(["nft", "list", "tables"], check=True, capture_output=True, text=True).stdout.splitlines()
    return {
        "transactions": len(seen) - 1,
        "replaced": len(replaced),
        "gaps": sum(one.words[-1] == "delete" for one in replaced),
        "there": "table inet %s" % table in listed,
    }
