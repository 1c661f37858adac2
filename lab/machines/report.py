# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a machine says of itself before its network comes up: ``/usr/local/sbin/lab-report`` on its disk."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

_SECTION = re.compile(r"^== (\w+)$", re.MULTILINE)


class ReportError(RuntimeError):
    """A machine could not find out how it is."""


@dataclass(frozen=True)
class Report:
    """What was in force, and what lay on the disk.

    Attributes:
        seconds: Since the kernel began.
        units: Name to properties, as ``systemctl show`` has them.
        listing: What nft lists of our table, or says of there being none.
        files: Path to SHA-256, of everything below /etc that has our name.
        links: Path to target, likewise.
    """

    seconds: float
    units: t.Mapping[str, t.Mapping[str, str]]
    listing: str
    files: t.Mapping[str, str]
    links: t.Mapping[str, str]

    @property
    def table(self) -> str:
        """Our table as nft lists it, empty where there is none."""
        return self.listing if self.listing.startswith("table inet palisade {") else ""


def parse_reports(text: str) -> t.List[Report]:
    """The reports that have been finished.

    Raises:
        ReportError: One says that the machine could not tell.
    """
    *finished, _unfinished = text.split("== end\n")
    return [_parse(one) for one in finished]


def _parse(text: str) -> Report:
    pieces = _SECTION.split(text)
    sections = dict(zip(pieces[1::2], (piece.strip("\n") for piece in pieces[2::2])))
    units = {}
    if "Id=" not in sections["units"]:
        raise ReportError("systemd did not tell of its units: %s" % sections["units"])
    for block in sections["units"].split("\n\n"):
        properties = dict(line.split("=", 1) for line in block.splitlines())
        units[properties["Id"]] = properties
    files = (line.split("  ", 1) for line in sections["files"].splitlines() if not line.startswith("find:"))
    links = (line.split(" -> ", 1) for line in sections["links"].splitlines() if not line.startswith("find:"))
    return Report(
        seconds=float(sections["uptime"].split()[0]),
        units=units,
        listing=sections["table"],
        files={path: digest for digest, path in files},
        links=dict(t.cast("t.Iterable[t.Tuple[str, str]]", links)),
    )
