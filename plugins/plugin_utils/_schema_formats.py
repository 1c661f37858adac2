# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection and can change without notice.

"""The formats of the JSON Schema, told by the same functions that the parser uses.

A pattern cannot say that a range is not reversed or that a prefix has no host bits. Editors do not
know these formats and pass over them; who validates with Python hands :data:`FORMATS` to a
``jsonschema.FormatChecker``.
"""

from __future__ import annotations

import typing as t

from ..module_utils._core.addresses import AddressError, parse_range
from ..module_utils._core.ports import PortError, parse_ports
from ..module_utils._policy.networks import GROUP_PREFIX
from ..module_utils._policy.reading import NAME


def _reads_as_address(value: str) -> bool:
    """Whether the text is an address, a prefix or a range.

    Raises:
        AddressError: It is nearly one.
    """
    return parse_range(value) is not None


def is_address(value: object) -> bool:
    """An address, a prefix or a range."""
    return not isinstance(value, str) or _reads_as_address(value)


def is_address_or_name(value: object) -> bool:
    """What a rule or a network may name: an address, a prefix, a range, a network or a group."""
    if not isinstance(value, str) or value.startswith(GROUP_PREFIX):
        return True
    return _reads_as_address(value) or NAME.fullmatch(value) is not None


def is_network_name(value: object) -> bool:
    """A name that is not taken for an address."""
    return not isinstance(value, str) or not _reads_as_address(value)


def is_ports(value: object) -> bool:
    """A port or a range of ports that is not reversed."""
    if isinstance(value, str):
        parse_ports(value)
    return True


#: By the name that ``format`` has in the schema: the check, and what it raises instead of saying no.
FORMATS: t.Mapping[str, t.Tuple[t.Callable[[object], bool], t.Type[Exception]]] = {
    "firewall-address": (is_address, AddressError),
    "firewall-address-or-name": (is_address_or_name, AddressError),
    "firewall-network-name": (is_network_name, AddressError),
    "firewall-ports": (is_ports, PortError),
}
