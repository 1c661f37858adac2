# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that a machine wrote to its disk, in order, and the disk as a power cut leaves it.

The emulator's driver ``blklogwrites`` writes the log, in the format of the kernel's target ``log-writes``
(Documentation/admin-guide/device-mapper/log-writes.rst): a sector with the head of the log, then for each
request a sector with its head, and its data. A request is written down when the disk has done it and before the
machine is told so: what stands before a flush in the log was done before that flush.

A disk with a cache that loses power keeps what was written before the last flush. Of what was written after
it, it keeps anything: all, nothing, some requests and not others, a request in part. A sector is whole.
"""

from __future__ import annotations

import enum
import os
import pathlib
import random
import struct
import typing as t

_MAGIC = 0x6A736677736872
_VERSION = 1
_HEAD = struct.Struct("<QQQI")
_REQUEST = struct.Struct("<QQQQ")
_FLUSH, _DISCARD = 1, 4

#: Octets; the emulator is told so.
SECTOR = 512


class WriteLogError(RuntimeError):
    """This is no such log."""


class Kept(enum.Enum):
    """What a power cut leaves of the requests since the last flush."""

    ALL = "all"
    NONE = "none"
    SOME = "some"


class Request(t.NamedTuple):
    """One request to the disk.

    Attributes:
        sector: Of the disk, where its data goes.
        size: Of its data, in octets.
        position: Of its data in the log, in octets.
        flushes: Everything before it is durable.
    """

    sector: int
    size: int
    position: int
    flushes: bool


class WriteLog:
    """A log, as far as it was written when it was read."""

    def __init__(self, path: pathlib.Path) -> None:
        """Reads it.

        Raises:
            WriteLogError: It is none.
        """
        self._path = path
        self.requests = list(_read(path))

    def __len__(self) -> int:
        return len(self.requests)

    def durable(self, length: int) -> int:
        """How many of the first ``length`` requests are on the disk for good."""
        for number in range(length, 0, -1):
            if self.requests[number - 1].flushes:
                return number
        return 0

    def cut(self, disk: pathlib.Path, length: int, kept: Kept, chance: random.Random) -> int:
        """Does to a disk what the first ``length`` requests did before the power was cut; how many sectors were lost.

        Args:
            disk: As it was before the log began.
            chance: Decides with :attr:`Kept.SOME`.
        """
        durable = self.durable(length)
        lost = 0
        with open(self._path, "rb") as log, open(disk, "r+b") as target:
            for number, request in enumerate(self.requests[:length]):
                keeps = 1.0 if number < durable or kept is Kept.ALL else 0.0
                if number >= durable and kept is Kept.SOME:
                    # Most requests are kept or lost as a whole.
                    keeps = chance.choice((0.0, 1.0, 1.0, 0.5))
                log.seek(request.position)
                data = log.read(request.size)
                for offset in range(0, request.size, SECTOR) if keeps == 0.5 else (0,):
                    piece = data[offset : offset + SECTOR] if keeps == 0.5 else data
                    if keeps and (keeps == 1.0 or chance.random() < keeps):
                        target.seek(request.sector * SECTOR + offset)
                        target.write(piece)
                    else:
                        lost += len(piece) // SECTOR
        return lost


def _read(path: pathlib.Path) -> t.Iterator[Request]:
    end = os.stat(path).st_size
    with open(path, "rb") as stream:
        head = stream.read(SECTOR)
        if len(head) < SECTOR:
            # Nothing was written yet.
            return
        magic, version, _count, sector_size = _HEAD.unpack_from(head)
        if (magic, version, sector_size) != (_MAGIC, _VERSION, SECTOR):
            raise WriteLogError("%s is no log of writes in sectors of %d octets" % (path, SECTOR))
        position = SECTOR
        while position + SECTOR <= end:
            stream.seek(position)
            sector, count, flags, _length = _REQUEST.unpack_from(stream.read(SECTOR))
            size = 0 if flags & _DISCARD else count * SECTOR
            # The emulator has reserved the place and not written it yet, or was killed while it did.
            if (count == 0 and flags == 0) or position + SECTOR + size > end:
                return
            position += SECTOR
            yield Request(sector, size, position, bool(flags & _FLUSH))
            position += size
