# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""What was applied last on this host, and the policies that it was made of."""

from __future__ import annotations

import typing as t

from .._analysis.decided import DecidedChain
from .._compile.compile import compile_program
from .._compile.lower import lower
from .._compile.lowered import LoweredProgram
from .._core.addresses import AddressSet
from .._core.errors import Path, PolicyError, Problems
from .._policy.hostfacts import HostFacts
from .._policy.model import Direction, Firewall
from .._policy.networks import GROUP_PREFIX, Networks
from .._policy.parse import parse_firewall
from .._policy.program import Program, build_program
from .boot import RULESET
from .errors import HostError
from .files import Files
from .history import Entry, digest_of, entries, recall, recall_last
from .kernel import WantedTable


class Policies:
    """What variables ask for on this host."""

    def __init__(
        self, variables: t.Mapping[str, object], groups: t.Optional[t.Mapping[str, object]], facts: HostFacts
    ) -> None:
        """Raises:
        PolicyError: The variables are wrong.
        """
        self.firewall: Firewall = parse_firewall(variables, groups=groups)
        self.program: Program = build_program(self.firewall, facts)
        self.lowered: LoweredProgram = lower(self.program, counters=self.firewall.counters)
        self.networks: t.Dict[str, AddressSet] = dict(_read_networks(variables, groups or {}))

    @property
    def counters(self) -> t.AbstractSet[str]:
        """The names of all counters of the ruleset."""
        restricted = [chain for chain in self.lowered.chains if chain.restricted]
        names = {rule.counter for chain in restricted for rule in chain.rules}
        return (names | {chain.default_counter for chain in restricted}) - {""}

    def chain(self, direction: Direction) -> DecidedChain:
        found = next(chain for chain in self.lowered.chains if chain.direction is direction)
        return DecidedChain(self.program, found)

    def table(self) -> WantedTable:
        return WantedTable(compile_program(self.program, layout=self.firewall.layout, counters=self.firewall.counters))


def _read_networks(
    variables: t.Mapping[str, object], groups: t.Mapping[str, object]
) -> t.Iterator[t.Tuple[str, AddressSet]]:
    """The networks and groups that have an address; what a policy does not refer to has no definition here."""
    networks = Networks(variables, groups, Problems())
    for name in sorted((*networks.names(), *(GROUP_PREFIX + group for group in groups))):
        found = networks.read_addresses([name], Path(name))
        if found:
            yield name, found


class Applied(t.NamedTuple):
    """What the host keeps of the last run.

    Attributes:
        entry: Of its history.
        policies: None where the variables are not to be read any more.
    """

    entry: Entry
    policies: t.Optional[Policies]

    @property
    def changed_at(self) -> str:
        """When it was confirmed, as ISO 8601 writes it."""
        day, hour = self.entry.time[:8], self.entry.time[9:15]
        parts = (day[:4], day[4:6], day[6:], hour[:2], hour[2:4], hour[4:])
        return "%s-%s-%sT%s:%s:%sZ" % parts

    def text(self, files: Files) -> t.Optional[str]:
        """The nft text that was applied; None where it is kept nowhere and cannot be made again."""
        saved = files.read(RULESET)
        if saved is not None and digest_of(saved) == self.entry.digest:
            return saved
        if self.policies is not None:
            made = self.policies.table().load_text
            if digest_of(made) == self.entry.digest:
                return made
        return None


def find_applied(files: Files, facts: HostFacts, notes: t.List[str]) -> t.Optional[Applied]:
    """What was applied last; None where the host has no record of it. What is wrong with the record is noted."""
    kept = entries(files)
    if not kept:
        return None
    try:
        entry, variables, groups = recall(files, kept[-1].digest)
        last = recall_last(files)
        if last is not None and last.in_force.held:
            # What was found out on the host then, which may be different now.
            facts = last.in_force.facts
        return Applied(entry, Policies(variables, groups, facts))
    except (PolicyError, HostError) as exc:
        notes.append("the record of what was applied last cannot be read: %s" % exc)
        return Applied(kept[-1], None)
