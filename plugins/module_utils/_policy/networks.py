# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Networks: names for addresses, prefixes, ranges, other names and inventory groups."""

from __future__ import annotations

import re
import typing as t

from .._core.addresses import AddressError, AddressRange, AddressSet, parse_range
from .._core.errors import Path, Problems, show
from .definitions import Definition, merge_definitions
from .reading import NAME, read_list, suggestion

GROUP_PREFIX = "group:"

#: Inventory group names: Ansible takes nearly anything and warns of what is no Python identifier.
_GROUP = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@:-]{0,126}", re.ASCII)

#: How deep names may refer to names. A chain longer than this is a generated mistake, and following
#: it must not exhaust the stack.
_DEEPEST = 32

_FORMS = (
    "an address, a prefix such as 198.51.100.0/24, a range such as 198.51.100.10-198.51.100.20, "
    "a network name or group:NAME"
)

_Ranges = t.Tuple[AddressRange, ...]


class Networks:
    """Resolves names on first use and remembers, so that what nobody refers to costs nothing.

    Args:
        variables: Role variables by name; ``firewall_networks`` and ``firewall_networks_*`` are used.
        groups: Inventory group name to a list of address texts, or to
            ``{"addresses": [...], "missing": [host names without an address]}``.
        problems: Receives errors at the place of the definition, once, however often it is used.
    """

    def __init__(self, variables: t.Mapping[str, object], groups: t.Mapping[str, object], problems: Problems) -> None:
        self._problems = problems
        self._groups = groups
        self._definitions = merge_definitions(variables, "firewall_networks", "network", problems)
        self._resolved: t.Dict[str, _Ranges] = {}
        self._texts: t.Dict[str, _Ranges] = {}
        self._open: t.List[str] = []
        self._sets: t.Dict[str, AddressSet] = {}
        for name, definition in self._definitions.items():
            self._check_name(name, definition)

    def names(self) -> t.List[str]:
        return list(self._definitions)

    def read_addresses(self, value: object, place: Path) -> t.Optional[AddressSet]:
        """``sources`` or ``destinations`` of a rule; None where the value was refused."""
        items = read_list(value, place, self._problems, "addresses")
        if items is None:
            return None
        only = items[0][1] if len(items) == 1 else None
        if isinstance(only, str) and only in self._sets:
            return self._sets[only]
        errors = len(self._problems.errors)
        # Each range once, here and below: names that name each other twice would double at every level.
        ranges: t.Dict[AddressRange, None] = {}
        for item_place, item in items:
            ranges.update(dict.fromkeys(self._resolve(item, item_place)))
        if len(self._problems.errors) > errors:
            return None
        found = AddressSet(ranges, label=_label(only))
        if isinstance(only, str):
            self._sets[str(only)] = found
        return found

    def resolve_all(self) -> None:
        """Resolves every network, used or not, to find all errors."""
        for name, definition in self._definitions.items():
            self._resolve_name(name, definition.place)

    def _check_name(self, name: str, definition: Definition) -> None:
        try:
            reads_as_address = parse_range(name) is not None
        except AddressError:
            reads_as_address = True
        if reads_as_address:
            self._problems.error(definition.place, "name", "'%s' reads as an address; give the network a name" % name)
        elif name.lower() == "any":
            self._problems.error(
                definition.place,
                "name",
                "'%s' cannot be a network; a rule without sources or destinations means any" % name,
            )

    def _resolve(self, item: object, place: Path) -> _Ranges:
        if not isinstance(item, str):
            self._problems.error(place, "address", "%s is not %s" % (show(item), _FORMS))
            return ()
        known = self._texts.get(item)
        if known is not None:
            return known
        text = str(item)
        if text.startswith(GROUP_PREFIX):
            return self._resolve_group(text[len(GROUP_PREFIX) :], place)
        try:
            found = parse_range(text)
        except AddressError as exc:
            self._problems.error(place, "address", "%s: %s" % (show(text), exc))
            return ()
        if found is not None:
            self._texts[text] = (found,)
            return (found,)
        if not NAME.fullmatch(text):
            self._problems.error(place, "address", "%s is not %s" % (show(text), _FORMS))
            return ()
        return self._resolve_name(text, place)

    def _resolve_name(self, name: str, place: Path) -> _Ranges:
        if name in self._resolved:
            return self._resolved[name]
        if name in self._open:
            cycle = " -> ".join([*self._open[self._open.index(name) :], name])
            self._problems.error(place, "cycle", "the network '%s' refers to itself: %s" % (name, cycle))
            return ()
        definition = self._definitions.get(name)
        if definition is None:
            hint = suggestion(name, self._definitions, self._problems)
            if name.lower() == "any":
                hint = "; leave the key out to mean any"
            self._problems.error(
                place, "undefined", "'%s' is neither an address nor a network in firewall_networks%s" % (name, hint)
            )
            return ()
        if len(self._open) >= _DEEPEST:
            self._problems.error(place, "depth", "networks refer to networks more than %d deep here" % _DEEPEST)
            return ()
        self._open.append(name)
        try:
            ranges = self._read_definition(name, definition)
        finally:
            self._open.pop()
        self._resolved[name] = ranges
        return ranges

    def _read_definition(self, name: str, definition: Definition) -> _Ranges:
        value, place = definition.value, definition.place
        if value is None or isinstance(value, dict):
            self._problems.error(place, "type", "%s is not a list of addresses; write [] for none" % show(value))
            return ()
        listed = value if isinstance(value, (list, tuple)) else [value]
        ranges: t.Dict[AddressRange, None] = {}
        errors = len(self._problems.errors)
        for index, item in enumerate(listed):
            ranges.update(dict.fromkeys(self._resolve(item, place / index if listed is value else place)))
        if not ranges and len(self._problems.errors) == errors:
            self._problems.warn(
                place, "empty-network", "the network '%s' has no address; rules that name it match nothing" % name
            )
        return tuple(ranges)

    def _resolve_group(self, name: str, place: Path) -> _Ranges:
        key = GROUP_PREFIX + name
        if key in self._resolved:
            return self._resolved[key]
        value = self._groups.get(name) if _GROUP.fullmatch(name) else None
        if value is None:
            self._problems.error(
                place,
                "undefined",
                "%s is not a group of the inventory%s" % (show(name), suggestion(name, self._groups, self._problems)),
            )
            return ()
        ranges = self._read_group(name, value, place)
        self._resolved[key] = ranges
        return ranges

    def _read_group(self, name: str, value: object, place: Path) -> _Ranges:
        addresses, missing = value, ()  # type: object, t.Sequence[object]
        if isinstance(value, dict):
            addresses = value.get("addresses", [])
            found = value.get("missing", [])
            missing = found if isinstance(found, (list, tuple)) else ()
        if isinstance(addresses, str):
            addresses = [addresses]
        if not isinstance(addresses, (list, tuple)):
            self._problems.error(place, "group", "the addresses of the group '%s' are not a list" % name)
            return ()
        ranges: t.List[AddressRange] = []
        for item in addresses:
            try:
                one = parse_range(item) if isinstance(item, str) else None
            except AddressError as exc:
                self._problems.error(place, "group", "%s of a member of the group '%s': %s" % (show(item), name, exc))
                continue
            if one is None:
                self._problems.error(
                    place, "group", "%s of a member of the group '%s' is not an address" % (show(item), name)
                )
            else:
                ranges.append(one)
        if missing:
            self._problems.warn(
                place,
                "no-address",
                "no address is known for %s of the group '%s'; set firewall_addresses there"
                % (", ".join(str(host) for host in missing[:5]) + (", ..." if len(missing) > 5 else ""), name),
            )
        if not ranges:
            self._problems.warn(
                place, "empty-network", "the group '%s' has no address; rules that name it match nothing" % name
            )
        return tuple(dict.fromkeys(ranges))


def _label(item: object) -> t.Optional[str]:
    if not isinstance(item, str):
        return None
    if item.startswith(GROUP_PREFIX):
        return str(item[len(GROUP_PREFIX) :])
    return str(item) if NAME.fullmatch(item) and parse_range(item) is None else None
