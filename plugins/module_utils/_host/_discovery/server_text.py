# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Addresses and servers as daemons write them in their files."""

from __future__ import annotations

import re
import typing as t

from ..._core.addresses import IPV4, IPV6, format_address, parse_address

_PORT = re.compile(r"[0-9]{1,5}", re.ASCII)
_BRACKETED = re.compile(r"\[([^\]]*)\](?::(.*))?", re.ASCII)
_MAPPED = 0xFFFF
_LOOPBACK_IPV4 = 127
_LOOPBACK_IPV6 = 1


def canonical_address(text: str) -> t.Optional[str]:
    """The one form of an address; None for a name or anything else.

    A zone (``%eth0``) is dropped, because a packet carries none, and an IPv4 address in IPv6 clothes
    (``::ffff:192.0.2.1``) is the IPv4 address that is on the wire.
    """
    try:
        family, value = parse_address(text.partition("%")[0])
    except ValueError:
        return None
    if family == IPV6 and value >> 32 == _MAPPED:
        family, value = IPV4, value & 0xFFFFFFFF
    return format_address(family, value)


def is_local(address: str) -> bool:
    """Whether a canonical address never leaves the host: loopback, or the unspecified address."""
    family, value = parse_address(address)
    if family == IPV4:
        return value >> 24 == _LOOPBACK_IPV4 or value == 0
    return value in (0, _LOOPBACK_IPV6)


def parse_port(text: str) -> t.Optional[int]:
    """A port that a server can have, 1 to 65535; None for anything else."""
    if not _PORT.fullmatch(text) or not 0 < int(text) <= 0xFFFF:
        return None
    return int(text)


def parse_server(word: str) -> t.Optional[t.Tuple[str, t.Optional[int]]]:
    """``(address, port)`` of ``ADDRESS[:PORT][%INTERFACE][#NAME]``, IPv6 with a port in brackets.

    This is the syntax of ``DNS=`` (resolved.conf(5)). The port is None where none is written; the
    result is None where the word begins with no address or its port is none.
    """
    text = word.partition("#")[0].partition("%")[0]
    host, port_text = text, None
    bracketed = _BRACKETED.fullmatch(text)
    if bracketed:
        host, port_text = bracketed.groups()
    elif text.count(":") == 1:
        host, port_text = text.split(":")
    address = canonical_address(host)
    if address is None:
        return None
    if port_text is None:
        return address, None
    port = parse_port(port_text)
    return None if port is None else (address, port)
