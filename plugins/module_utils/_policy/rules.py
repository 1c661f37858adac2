# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Policies: from plain data to rules."""

from __future__ import annotations

import typing as t

from .._core.addresses import IPV4, AddressSet
from .._core.errors import Path, Problems
from .definitions import Definition
from .model import Action, Direction, Origin, Policy, Rule
from .networks import Networks
from .profiles import Profile, effective_rules, refusals
from .reading import check_keys, read_boolean, read_enum, read_list, read_mapping, read_text
from .services import Services
from .traffic import TRAFFIC_KEYS, WrittenTraffic, read_traffic

POLICY_KEYS = ("description", "rules")
RULE_KEYS = (
    "direction",
    "action",
    "protocol",
    "service",
    "sources",
    "destinations",
    "source_ports",
    "destination_ports",
    "icmp_types",
    "description",
    "enabled",
)


class ReadPolicy(t.NamedTuple):
    """A policy and how many rules a provider would count for its enabled rules."""

    policy: Policy
    effective_rules: int


class PolicyReader:
    """Reads policies of one catalogue under one profile."""

    def __init__(self, networks: Networks, services: Services, profile: Profile, problems: Problems) -> None:
        self._networks = networks
        self._services = services
        self._profile = profile
        self._problems = problems

    def read_policy(self, name: str, definition: Definition) -> ReadPolicy:
        """``{description, rules}``. Rules that are refused are left out; the problems tell."""
        place = definition.place
        mapping = read_mapping(definition.value, place, self._problems, "a policy: a mapping with a list of rules")
        if mapping is None:
            return ReadPolicy(Policy(name, (), "", definition.variable), 0)
        check_keys(mapping, POLICY_KEYS, place, self._problems)
        rules: t.List[Rule] = []
        count = 0
        for index, (rule_place, item) in enumerate(self._rule_items(mapping, place)):
            found = self._read_rule(item, rule_place, Origin(name, index, definition.variable))
            if found is not None:
                rule, written = found
                rules.append(rule)
                count += effective_rules(rule, written) if rule.enabled else 0
        description = read_text(mapping.get("description"), place / "description", self._problems)
        return ReadPolicy(Policy(name, tuple(rules), description, definition.variable), count)

    def _rule_items(self, mapping: t.Mapping[object, object], place: Path) -> t.List[t.Tuple[Path, object]]:
        value = mapping.get("rules")
        if value is None:
            self._problems.error(place, "required", "the key 'rules' is missing; write [] for none")
            return []
        if not isinstance(value, (list, tuple)):
            self._problems.error(place / "rules", "type", "the rules of a policy are a list")
            return []
        return [(place / "rules" / index, item) for index, item in enumerate(value)]

    def _read_rule(
        self, item: object, place: Path, origin: Origin
    ) -> t.Optional[t.Tuple[Rule, t.Tuple[WrittenTraffic, ...]]]:
        problems = self._problems
        mapping = read_mapping(item, place, problems, "a rule: a mapping with direction and action")
        if mapping is None:
            return None
        errors = len(problems.errors)
        check_keys(mapping, RULE_KEYS, place, problems)
        direction, action = self._read_required(mapping, place)
        written = self._read_traffic(mapping, place)
        sources = self._read_side(mapping, "sources", place)
        destinations = self._read_side(mapping, "destinations", place)
        enabled = read_boolean(mapping.get("enabled"), place / "enabled", problems, default=True)
        description = read_text(mapping.get("description"), place / "description", problems)
        if len(problems.errors) > errors or direction is None or action is None:
            return None
        rule = Rule(
            direction=direction,
            action=action,
            origin=origin,
            traffic=tuple(traffic for one in written for traffic in one.traffic),
            sources=sources,
            destinations=destinations,
            description=description,
            enabled=enabled,
        )
        by_service = mapping.get("service") is not None
        self._check_families(rule, place)
        for key, message in refusals(self._profile, rule, written):
            # What a service stands for is not written here, but its name is.
            shown = "service" if by_service and key in TRAFFIC_KEYS else key
            problems.error(place / shown if shown else place, "profile", message)
        return rule, written

    def _read_required(
        self, mapping: t.Mapping[object, object], place: Path
    ) -> t.Tuple[t.Optional[Direction], t.Optional[Action]]:
        direction: t.Optional[Direction] = None
        action: t.Optional[Action] = None
        if mapping.get("direction") is None:
            self._problems.error(place, "required", "the key 'direction' is missing: ingress or egress")
        else:
            direction = read_enum(mapping["direction"], Direction, place / "direction", self._problems)
        if mapping.get("action") is None:
            self._problems.error(place, "required", "the key 'action' is missing: accept, drop or reject")
        else:
            action = read_enum(mapping["action"], Action, place / "action", self._problems)
        return direction, action

    def _read_traffic(self, mapping: t.Mapping[object, object], place: Path) -> t.Tuple[WrittenTraffic, ...]:
        if mapping.get("service") is None:
            written = read_traffic(mapping, place, self._problems)
            return (written,) if written is not None else ()
        beside = [key for key in TRAFFIC_KEYS if mapping.get(key) is not None]
        if beside:
            self._problems.error(
                place,
                "service",
                "service stands instead of protocol and ports; leave %s out, or service" % " and ".join(beside),
            )
        return self._services.read_services(mapping["service"], place / "service")

    def _read_side(self, mapping: t.Mapping[object, object], key: str, place: Path) -> t.Optional[AddressSet]:
        value = mapping.get(key)
        return None if value is None else self._networks.read_addresses(value, place / key)

    def _check_families(self, rule: Rule, place: Path) -> None:
        """A rule that could never match for reasons of family is a mistake, not a rule."""
        sides = [side for side in (rule.sources, rule.destinations) if side is not None]
        if not all(sides):
            # A network without addresses has been warned of; it matches nothing in either family.
            return
        shared = {4, 6}.intersection(*(side.families for side in sides))
        if not shared:
            self._problems.error(
                place, "family", "sources and destinations have no address family in common, so it could never match"
            )
            return
        impossible = [traffic.family is not None and traffic.family not in shared for traffic in rule.traffic]
        if impossible and all(impossible):
            only = min(shared)
            self._problems.error(
                place,
                "family",
                "%s runs over IPv%d only, and the addresses here are IPv%d only; write %s"
                % (("icmpv6", 6, only, "icmp") if only == IPV4 else ("icmp", 4, only, "icmpv6")),
            )


def read_policy_names(value: object, place: Path, problems: Problems) -> t.List[t.Tuple[Path, object]]:
    """Items of a list of policies, which may be empty or null."""
    if value is None or (isinstance(value, (list, tuple)) and not value):
        return []
    return read_list(value, place, problems, "policies") or []
