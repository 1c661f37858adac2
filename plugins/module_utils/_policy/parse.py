# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""From role variables, as plain data, to the typed firewall of one host."""

from __future__ import annotations

import typing as t

from .._core.collector import garbage_kept
from .._core.errors import Path, Problems
from .assertion_reader import TESTS, read_assertions
from .assignments import Assignment, read_assignments
from .built_in import BUILT_IN_NAMES, built_in_policy
from .definitions import Definition, merge_definitions
from .model import Action, Direction, Firewall, Policy
from .networks import Networks
from .profiles import Profile
from .reading import read_name, suggestion
from .rules import PolicyReader, read_policy_names
from .services import Services
from .settings import (
    INTERFACES_IGNORED,
    read_counters,
    read_default,
    read_interfaces,
    read_layout,
    read_log_dropped,
    read_profile,
    read_published,
    read_safeguards,
)

_DEFAULT_VARIABLES = {
    Direction.INGRESS: "firewall_default_ingress",
    Direction.EGRESS: "firewall_default_egress",
}

#: Variables that are merged with every variable whose name begins with theirs and an underscore.
MERGED_VARIABLES = ("firewall_policies", "firewall_assigned", "firewall_networks", "firewall_services", TESTS)

#: Variables that the policy language reads, beside the merged ones.
SINGLE_VARIABLES = (
    "firewall_profile",
    "firewall_default_ingress",
    "firewall_default_egress",
    "firewall_default_policies",
    "firewall_interfaces",
    "firewall_interfaces_ignored",
    "firewall_published",
    "firewall_safeguards",
    "firewall_log_dropped",
    "firewall_layout",
    "firewall_counters",
)


@garbage_kept()
def parse_firewall(
    variables: t.Mapping[str, object],
    *,
    groups: t.Optional[t.Mapping[str, object]] = None,
    everything: bool = False,
) -> Firewall:
    """The firewall that a host's variables ask for.

    Args:
        variables: Role variables by name, plain values. Absent ones have their defaults.
        groups: Inventory group name to addresses, see :class:`.networks.Networks`.
        everything: Read also the policies, networks and services that nothing refers to, to find
            the mistakes in them. A deploy leaves those alone.

    Raises:
        PolicyError: With every problem that was found.
    """
    problems = Problems()
    profile = read_profile(variables.get("firewall_profile"), problems)
    networks = Networks(variables, groups or {}, problems)
    services = Services(variables, problems)
    reader = _CatalogueReader(variables, PolicyReader(networks, services, profile, problems), profile, problems)
    default_policies = reader.default_policies(variables.get("firewall_default_policies"))
    assignments = read_assignments(variables, problems)
    assigned = reader.assigned_policies(assignments, default_policies)
    if everything:
        reader.read_all()
        networks.resolve_all()
        services.resolve_all()
    safeguards = read_safeguards(variables.get("firewall_safeguards"), networks, problems)
    firewall = Firewall(
        profile=profile.name,
        defaults={
            direction: _default(
                direction,
                variables,
                profile,
                problems,
                assigned=reader.all_assigned,
                any_assigned=bool(assignments),
            )
            for direction in Direction
        },
        default_policies=default_policies,
        assigned=assigned,
        interfaces=read_interfaces("firewall_interfaces", variables.get("firewall_interfaces"), (), problems),
        interfaces_ignored=read_interfaces(
            "firewall_interfaces_ignored",
            variables.get("firewall_interfaces_ignored"),
            INTERFACES_IGNORED,
            problems,
        ),
        published=read_published(variables.get("firewall_published"), problems),
        safeguards=safeguards,
        log_dropped=read_log_dropped(variables.get("firewall_log_dropped"), problems),
        layout=read_layout(variables.get("firewall_layout"), problems),
        counters=read_counters(variables.get("firewall_counters"), problems),
        effective_rules=reader.effective_rules,
        tests=read_assertions(variables, networks, services, problems),
        warnings=tuple(dict.fromkeys(problems.warnings)),
    )
    if profile.most_rules is not None and reader.effective_rules > profile.most_rules:
        problems.error(
            Path("firewall_assigned"),
            "profile",
            "the assigned policies make %d effective rules, and the profile %s takes %d on an interface; "
            "every source and every destination of a rule counts"
            % (reader.effective_rules, profile.name, profile.most_rules),
        )
    problems.raise_if_any()
    return firewall


class _CatalogueReader:
    """Reads policies by name, each once."""

    def __init__(
        self, variables: t.Mapping[str, object], reader: PolicyReader, profile: Profile, problems: Problems
    ) -> None:
        self._reader = reader
        self._profile = profile
        self._problems = problems
        self._read: t.Dict[str, Policy] = {}
        self._counts: t.Dict[str, int] = {}
        self._definitions = merge_definitions(variables, "firewall_policies", "policy", problems)
        self.all_assigned: t.Tuple[Policy, ...] = ()
        self.effective_rules = 0
        for name in BUILT_IN_NAMES:
            if name in self._definitions:
                problems.error(
                    self._definitions[name].place,
                    "built-in",
                    "'%s' is a built-in policy and cannot be redefined; choose another name" % name,
                )

    def default_policies(self, value: object) -> t.Tuple[Policy, ...]:
        """The built-in policies before the assigned ones; null means those of the profile."""
        place = Path("firewall_default_policies")
        if value is None:
            return tuple(self._policy(name) for name in self._profile.default_policies)
        names: t.List[str] = []
        for item_place, item in read_policy_names(value, place, self._problems):
            name = read_name(item, item_place, self._problems, "policy")
            if name is None or name in names:
                continue
            if name not in BUILT_IN_NAMES:
                self._problems.error(
                    item_place,
                    "undefined",
                    "'%s' is not a built-in policy (%s); your own policies go into firewall_assigned"
                    % (name, ", ".join(BUILT_IN_NAMES)),
                )
                continue
            names.append(name)
        return tuple(self._policy(name) for name in names)

    def assigned_policies(
        self, assignments: t.Sequence[Assignment], default_policies: t.Sequence[Policy]
    ) -> t.Tuple[Policy, ...]:
        """The assigned policies that are not evaluated before as default policies."""
        found: t.List[Policy] = []
        for policy, place in assignments:
            if policy in self._definitions or policy in BUILT_IN_NAMES:
                found.append(self._policy(policy))
                self.effective_rules += self._counts[policy]
            else:
                self._problems.error(
                    place,
                    "undefined",
                    "the policy '%s' is not in firewall_policies%s"
                    % (policy, suggestion(policy, [*self._definitions, *BUILT_IN_NAMES], self._problems)),
                )
        self.all_assigned = tuple(found)
        before = {policy.name for policy in default_policies}
        return tuple(policy for policy in found if policy.name not in before)

    def read_all(self) -> None:
        for name in self._definitions:
            self._policy(name)

    def _policy(self, name: str) -> Policy:
        if name not in self._read:
            if name in BUILT_IN_NAMES:
                definition = Definition(built_in_policy(name, self._profile.name), Path(name), "")
            else:
                definition = self._definitions[name]
            self._read[name], self._counts[name] = self._reader.read_policy(name, definition)
        return self._read[name]


def _default(
    direction: Direction,
    variables: t.Mapping[str, object],
    profile: Profile,
    problems: Problems,
    *,
    assigned: t.Sequence[Policy],
    any_assigned: bool,
) -> Action:
    variable = _DEFAULT_VARIABLES[direction]
    chosen = read_default(variable, variables.get(variable), profile, problems)
    if chosen is not None:
        return chosen
    if direction is Direction.INGRESS and profile.drops_when_assigned:
        return Action.DROP if any_assigned else Action.ACCEPT
    return Action.DROP if any(policy.enabled(direction) for policy in assigned) else Action.ACCEPT
