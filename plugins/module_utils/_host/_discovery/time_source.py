# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""A time source as a daemon's configuration names it."""

from __future__ import annotations

import typing as t

#: Network Time Security, RFC 8915 section 6.
NTS_PORT = 4460


class TimeSource(t.NamedTuple):
    """One server, pool or peer.

    Attributes:
        host: A name, or the text of an address; empty for the names compiled into a daemon.
        origin: The file that names it; empty for what is compiled in.
        port: None where none is written.
        nts_port: The port of the key exchange, None without Network Time Security.
        nts_host: Where the keys are exchanged; empty where that is ``host``.
        is_leased: A lease brought it, so the next one may bring another.
        is_constraint: It is no time server, but asked over HTTPS for the date (ntpd.conf(5) of OpenNTPD).
    """

    host: str
    origin: str
    port: t.Optional[int] = None
    nts_port: t.Optional[int] = None
    nts_host: str = ""
    is_leased: bool = False
    is_constraint: bool = False


def option(words: t.Sequence[str], name: str) -> str:
    """The word that follows ``name``; empty where there is none."""
    for position, word in enumerate(words[:-1]):
        if word == name:
            return words[position + 1]
    return ""
