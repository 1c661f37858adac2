# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""IPv4 and IPv6 addresses, prefixes and ranges as integers, and back to text."""

from __future__ import annotations

import re
import socket
import typing as t

from .intervals import Interval, IntervalSet

IPV4 = 4
IPV6 = 6
FAMILIES = (IPV4, IPV6)

#: Address width in bits, by family.
BITS = {IPV4: 32, IPV6: 128}

#: Every address of a family.
UNIVERSE = {family: IntervalSet(((0, (1 << bits) - 1),)) for family, bits in BITS.items()}

_SOCKET_FAMILY = {IPV4: socket.AF_INET, IPV6: socket.AF_INET6}
_PREFIX_LENGTH = re.compile(r"0|[1-9][0-9]{0,2}", re.ASCII)
_MAPPED = 0xFFFF << 32

#: The longest text that can be an address, a prefix or a range; longer ones are not even looked at.
_LONGEST = 100


class AddressRange(t.NamedTuple):
    """Addresses ``low`` to ``high`` (integers, inclusive) of ``family`` (4 or 6)."""

    family: int
    low: int
    high: int

    @property
    def is_prefix(self) -> bool:
        return prefix_length(self.family, (self.low, self.high)) is not None

    def __str__(self) -> str:
        return format_interval(self.family, (self.low, self.high))


class AddressError(ValueError):
    """The text looks like an address but is wrong; the message says what to write instead."""


def parse_address(text: str) -> t.Tuple[int, int]:
    """``(family, integer)`` of one address.

    Raises:
        ValueError: The text is no address.
    """
    family = IPV6 if ":" in text else IPV4
    try:
        # inet_pton(3) takes neither leading zeros nor short forms, unlike inet_aton(3).
        packed = socket.inet_pton(_SOCKET_FAMILY[family], text)
    except OSError as exc:
        raise ValueError("not an address") from exc
    return family, int.from_bytes(packed, "big")


def format_address(family: int, value: int) -> str:
    """The shortest text (RFC 5952)."""
    if family == IPV6 and 0xFFFF < value <= 0xFFFFFFFF:
        # Some C libraries write these as ::192.0.2.1, others do not.
        return "::%x:%x" % (value >> 16, value & 0xFFFF)
    return socket.inet_ntop(_SOCKET_FAMILY[family], value.to_bytes(BITS[family] // 8, "big"))


def prefix_length(family: int, interval: Interval) -> t.Optional[int]:
    """The bits that all addresses of a prefix have in common; None where the interval is no prefix."""
    low, high = interval
    size = high - low + 1
    if size & (size - 1) or low & (size - 1):
        return None
    return BITS[family] - size.bit_length() + 1


def format_interval(family: int, interval: Interval) -> str:
    """An address, a prefix or an ``a-b`` range, whichever is shortest: the forms that nft writes."""
    low, high = interval
    if low == high:
        return format_address(family, low)
    length = prefix_length(family, interval)
    if length is not None:
        return "%s/%d" % (format_address(family, low), length)
    return "%s-%s" % (format_address(family, low), format_address(family, high))


def parse_range(text: str) -> t.Optional[AddressRange]:
    """An address, a prefix or an ``a-b`` range; None where the text resembles none of them.

    Raises:
        AddressError: It is meant as one of them and is wrong.
    """
    if not text or len(text) > _LONGEST or not (text[0].isdigit() or ":" in text):
        return None
    try:
        found = _parse_range(text)
    except AddressError:
        raise
    except ValueError:
        return None
    if found.family == IPV6 and found.low >> 32 == _MAPPED >> 32 and found.high >> 32 == _MAPPED >> 32:
        raise AddressError(
            "an IPv4-mapped IPv6 address never appears on the wire; write the IPv4 address %s"
            % format_interval(IPV4, (found.low & 0xFFFFFFFF, found.high & 0xFFFFFFFF))
        )
    return found


def _parse_range(text: str) -> AddressRange:
    head, slash, length = text.partition("/")
    if slash:
        return _parse_prefix(head, length)
    head, dash, tail = text.partition("-")
    family, low = parse_address(head)
    if not dash:
        return AddressRange(family, low, low)
    last_family, high = parse_address(tail)
    if family != last_family:
        raise AddressError("a range runs within one family, not from IPv%d to IPv%d" % (family, last_family))
    if low > high:
        raise AddressError("the range is reversed; write %s-%s" % (tail, head))
    return AddressRange(family, low, high)


def _parse_prefix(head: str, length: str) -> AddressRange:
    family, value = parse_address(head)
    bits = BITS[family]
    if not _PREFIX_LENGTH.fullmatch(length) or int(length) > bits:
        raise AddressError("the prefix length after the slash is a number from 0 to %d" % bits)
    host = (1 << (bits - int(length))) - 1
    if value & host:
        raise AddressError(
            "the address has bits set beyond the prefix length; write %s/%s for the network or %s for the one host"
            % (format_address(family, value & ~host), length, head)
        )
    return AddressRange(family, value, value | host)


class AddressSet:
    """Addresses of both families.

    ``label`` is the network name that the set was written as, where it was exactly one name: it
    names the nft set, and takes no part in comparisons. ``entries`` is the number of addresses,
    prefixes and ranges as written, after names were replaced (providers count those);
    ``has_ranges`` tells whether one of them is no prefix.
    """

    __slots__ = ("by_family", "entries", "has_ranges", "label")

    def __init__(self, ranges: t.Iterable[AddressRange], label: t.Optional[str] = None) -> None:
        listed = list(ranges)
        self.by_family = {
            family: IntervalSet((item.low, item.high) for item in listed if item.family == family)
            for family in FAMILIES
        }
        self.entries = len(listed)
        self.has_ranges = any(not item.is_prefix for item in listed)
        self.label = label

    def __getitem__(self, family: int) -> IntervalSet:
        return self.by_family[family]

    def __bool__(self) -> bool:
        return any(self.by_family.values())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AddressSet) and self.by_family == other.by_family

    def __hash__(self) -> int:
        return hash((self.by_family[IPV4], self.by_family[IPV6]))

    def __repr__(self) -> str:
        return "AddressSet(%s)" % ", ".join(self.texts())

    @property
    def families(self) -> t.Tuple[int, ...]:
        return tuple(family for family in FAMILIES if self.by_family[family])

    def texts(self) -> t.List[str]:
        return [format_interval(family, item) for family in FAMILIES for item in self.by_family[family].intervals]
