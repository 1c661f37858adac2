# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Services: names for kinds of traffic, built in or defined by the operator."""

from __future__ import annotations

import typing as t

from .._core.errors import Path, Problems, show
from .catalogue import SERVICES
from .definitions import Definition, merge_definitions
from .reading import check_keys, read_list, read_mapping, read_name, suggestion
from .traffic import TRAFFIC_KEYS, WrittenTraffic, read_traffic

_ENTRY_FORM = "a mapping with protocol, destination_ports, source_ports or icmp_types"


class Services:
    """Resolves service names on first use; an operator's entry overrides a built-in one."""

    def __init__(self, variables: t.Mapping[str, object], problems: Problems) -> None:
        self._problems = problems
        self._definitions = merge_definitions(variables, "firewall_services", "service", problems)
        self._resolved: t.Dict[str, t.Tuple[WrittenTraffic, ...]] = {}

    def read_services(self, value: object, place: Path) -> t.Tuple[WrittenTraffic, ...]:
        """``service`` of a rule: a name or names. Empty where something was refused."""
        found: t.List[WrittenTraffic] = []
        for item_place, item in read_list(value, place, self._problems, "service") or ():
            name = read_name(item, item_place, self._problems, "service")
            if name is not None:
                found.extend(self._resolve(name, item_place))
        return tuple(found)

    def resolve_all(self) -> None:
        """Reads every service of the operator, used or not, to find all errors."""
        for name, definition in self._definitions.items():
            self._resolve(name, definition.place)

    def _resolve(self, name: str, place: Path) -> t.Tuple[WrittenTraffic, ...]:
        if name not in self._resolved:
            definition = self._definitions.get(name)
            if definition is not None:
                self._resolved[name] = self._read_definition(definition)
            elif name in SERVICES:
                self._resolved[name] = self._read_built_in(name)
            else:
                self._problems.error(
                    place,
                    "undefined",
                    "the service %s is neither built in nor in firewall_services%s"
                    % (show(name), suggestion(name, [*self._definitions, *SERVICES], self._problems)),
                )
                return ()
        return self._resolved[name]

    def _read_built_in(self, name: str) -> t.Tuple[WrittenTraffic, ...]:
        entries = []
        for entry in SERVICES[name].entries:
            plain: t.Dict[object, object] = {"protocol": entry.protocol}
            if entry.destination_ports:
                plain["destination_ports"] = list(entry.destination_ports)
            if entry.icmp_types:
                plain["icmp_types"] = list(entry.icmp_types)
            entries.append(plain)
        return self._read_entries(entries, Path("built-in services") / name)

    def _read_definition(self, definition: Definition) -> t.Tuple[WrittenTraffic, ...]:
        value = definition.value
        if isinstance(value, dict):
            value = [value]
        if not isinstance(value, (list, tuple)) or not value:
            self._problems.error(
                definition.place, "type", "a service is a list of at least one entry: %s" % _ENTRY_FORM
            )
            return ()
        return self._read_entries(value, definition.place)

    def _read_entries(self, entries: t.Sequence[object], place: Path) -> t.Tuple[WrittenTraffic, ...]:
        found = []
        for index, entry in enumerate(entries):
            entry_place = place / index
            mapping = read_mapping(entry, entry_place, self._problems, _ENTRY_FORM)
            if mapping is None:
                continue
            check_keys(mapping, TRAFFIC_KEYS, entry_place, self._problems)
            if mapping.get("protocol") is None:
                self._problems.error(entry_place, "required", "the key 'protocol' is missing")
                continue
            written = read_traffic(mapping, entry_place, self._problems)
            if written is not None:
                found.append(written)
        return tuple(found)
