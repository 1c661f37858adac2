# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Taking over from other firewall managers: ``firewall_on_conflict: disable``.

This runs when our ruleset is in force, confirmed and saved. From then on, taking away rules of others can only
accept more packets of those that the policies accept, so that nothing is cut off, and nothing is open that the
policies refuse.

No stop action is run. That of nftables.service deletes every table, ours included; that of firewalld flushes
the iptables rules of others; that of shorewall refuses nearly everything; that of ufw empties its chains before
it lifts the policies, and drops what comes in between. Instead, services are kept from starting, daemons are
killed, and what is theirs alone in the kernel goes in one transaction. What others may have a part in stays until
the next boot, and is named with the command that removes it.
"""

from __future__ import annotations

import functools
import os
import stat
import typing as t

from .._compile.table import TABLE_NAME
from ._discovery.boot_rules import read_nftables_rules
from ._discovery.foreign_tables import Chain, Tables, read_tables
from ._discovery.tree import Tree
from .boot import LOADED
from .conflicts import (
    CLEAR_IPTABLES,
    DAEMONS,
    UFW_CONF,
    UFW_ENABLED,
    Conflict,
    refusing_filter_tables,
    stop_flushes,
)
from .errors import HostError
from .files import Files
from .nft import Nft, NftRefusedError
from .nftables_service import drop_in_for
from .services import Service, can_be_masked, end_daemon, keep_from_starting
from .ufw_chains import empty_ufw_chains

_NOT_THERE = "No such file or directory"

#: Tables that only firewalld uses.
_FIREWALLD_TABLES = frozenset(("inet firewalld", "ip firewalld", "ip6 firewalld"))

#: Hooks whose packets the policies decide.
_HOST_HOOKS = frozenset(("input", "output"))

#: What removes the rules that stay, by the conflict's name.
_CLEARING = {
    "shorewall": "shorewall clear",
    "csf": "csf --stop",
}


class TakeOverError(HostError):
    """Others cannot be switched off without leaving the host open."""


class Hands(t.NamedTuple):
    """What the steps work with."""

    files: Files
    nft: Nft
    search_path: t.Optional[str] = None


class Step(t.NamedTuple):
    """One thing to do.

    Attributes:
        sentence: What, with the command that takes it back.
        perform: Does it, and raises HostError.
    """

    sentence: str
    perform: t.Callable[[Hands], None]


class Plan(t.NamedTuple):
    """What takes over from the managers that were found.

    Attributes:
        steps: By the manager's name, in the order in which they are done.
        remains: What is left of them, a sentence each.
    """

    steps: t.Tuple[t.Tuple[str, t.Tuple[Step, ...]], ...]
    remains: t.Tuple[str, ...]

    @property
    def changes(self) -> t.Tuple[str, ...]:
        """What will be done, a sentence each; empty where only waiting for the next boot is left."""
        return tuple(step.sentence for _name, steps in self.steps for step in steps)


class TakeOver(t.NamedTuple):
    """What was done, and what could not be, a sentence each."""

    done: t.Tuple[str, ...]
    problems: t.Tuple[str, ...]


def plan_take_over(
    files: Files,
    conflicts: t.Sequence[Conflict],
    listed: object,
    *,
    survives_reboot: bool = True,
    own_table: str = TABLE_NAME,
) -> Plan:
    """What is to be done about the managers that :func:`.conflicts.find_managers` found. Only reads.

    Args:
        listed: As for :func:`.conflicts.find_managers`.
        survives_reboot: Whether our ruleset is loaded at boot.

    Raises:
        TakeOverError: It is not: without the others the host would be open after a reboot.
    """
    if conflicts and not survives_reboot:
        raise TakeOverError(
            "firewall_on_conflict is disable, and nothing loads the ruleset of Palisade when this host boots: without "
            "%s it would be open then. Let the ruleset be saved (firewall_persist), or write firewall_on_conflict: "
            "ignore. Nothing was changed" % " and ".join(conflict.name for conflict in conflicts)
        )
    planner = _Planner(files, listed, own_table)
    return Plan(
        tuple((conflict.name, planner.steps(conflict)) for conflict in conflicts),
        tuple(sentence for conflict in conflicts for sentence in planner.remains(conflict)),
    )


def take_over(plan: Plan, hands: Hands) -> TakeOver:
    """Does what the plan says. Our ruleset must be in force, and what loads it at boot in place.

    A step that fails is named, and what was to follow for the same manager is left for the next run: until
    then both filter.
    """
    done = []
    problems = []
    for name, steps in plan.steps:
        for step in steps:
            try:
                step.perform(hands)
            except HostError as exc:
                problems.append(
                    "taking over from %s is not complete: %s. The next run goes on from there" % (name, exc)
                )
                break
            done.append(step.sentence)
    return TakeOver(tuple(done), tuple(problems))


class _Planner:
    def __init__(self, files: Files, listed: object, own_table: str) -> None:
        self._files = files
        self._tree = Tree(files.locate("/"))
        self._listed = listed
        self._own_table = own_table
        self._tables: Tables = read_tables(listed, own_table)

    def steps(self, conflict: Conflict) -> t.Tuple[Step, ...]:
        steps: t.List[Step] = []
        for service in conflict.services:
            steps.extend(self._boot_steps(conflict, service))
        if conflict.name == "ufw":
            steps.extend(self._ufw_steps(conflict))
        steps.extend(
            _end_step(service)
            for service in conflict.services
            if service.name in DAEMONS and service.active and service.under_systemd
        )
        deleted = self._tables_to_delete(conflict)
        if deleted:
            steps.append(_delete_step(conflict, {table: self._refusing_policies(table) for table in deleted}))
        return tuple(steps)

    def remains(self, conflict: Conflict) -> t.Iterator[str]:
        deleted = self._tables_to_delete(conflict)
        for service in conflict.services:
            if service.name in DAEMONS and service.active and not service.under_systemd:
                yield (
                    "%s still runs, and its rules stay. 'rc-service %s stop' ends it, and may delete iptables rules of "
                    "others with it" % (service.title, service.name)
                )
        if conflict.name == "nftables.service":
            yield from self._remains_of_nftables(conflict, deleted)
        elif conflict.name == "ufw":
            if self._is_loaded(conflict):
                yield (
                    "ufw's rules for forwarded packets stay in the kernel until the next boot, since no policy decides "
                    "on those. '/lib/ufw/ufw-init force-stop' removes them before, and accepts all that is forwarded"
                )
        elif self._leaves_iptables_rules(conflict):
            yield (
                "rules of %s stay in the tables of iptables until the next boot, because others may have rules beside "
                "them; until then both must accept a packet. To remove them before, and what others have in the same "
                "chains: %s" % (conflict.name, _CLEARING.get(conflict.name, CLEAR_IPTABLES))
            )

    def _boot_steps(self, conflict: Conflict, service: Service) -> t.Iterator[Step]:
        if not service.active and not service.enabled:
            return
        unit = "%s.service" % service.name
        if not service.under_systemd:
            levels = [
                level
                for level in self._tree.names("/etc/runlevels")
                if service.name in self._tree.names("/etc/runlevels/%s" % level)
            ]
            if service.enabled:
                back = "; ".join("rc-update add %s %s" % (service.name, level) for level in levels)
                sentence = "take %s out of the runlevels, without stopping it (back: %s)" % (service.name, back)
                yield Step(sentence, functools.partial(_keep_from_starting, service=service, mask=False))
            return
        # Behind a mask, systemd would no longer know that nftables.service comes before our unit.
        mask = conflict.name != "nftables.service" and can_be_masked(self._files, service)
        if mask and not service.masked:
            sentence = "disable and mask %s, without stopping it (back: systemctl unmask %s; " % (unit, unit)
        elif service.enabled and not service.masked:
            sentence = "disable %s, without stopping it (back: " % unit
        else:
            return
        sentence += "systemctl enable %s)" % unit
        yield Step(sentence, functools.partial(_keep_from_starting, service=service, mask=mask))

    def _ufw_steps(self, conflict: Conflict) -> t.Iterator[Step]:
        if any(map(UFW_ENABLED.fullmatch, self._tree.lines(UFW_CONF))):
            yield Step("write ENABLED=no to %s (back: ufw enable)" % UFW_CONF, _switch_ufw_off)
        if self._is_loaded(conflict):
            yield Step(
                "set the policies of input and output to accept, and empty ufw's chains for both (back: ufw enable)",
                _empty_ufw,
            )

    def _tables_to_delete(self, conflict: Conflict) -> t.List[str]:
        if conflict.name == "firewalld":
            running = [service for service in conflict.services if service.active]
            if any(not service.under_systemd for service in running):
                return []
            found = [table for table in conflict.tables if table in _FIREWALLD_TABLES]
            # It counts as active before it loads its rules.
            return ["inet firewalld"] if running and not conflict.tables else found
        if conflict.name == "nftables.service":
            declared = read_nftables_rules(self._tree, self._own_table).tables
            return [table for table in conflict.tables if _only_filters(self._tables[table], declared[table])]
        return []

    def _refusing_policies(self, table: str) -> t.Tuple[str, ...]:
        return tuple(sorted(chain.name for chain in self._tables.get(table, {}).values() if chain.policy == "drop"))

    def _remains_of_nftables(self, conflict: Conflict, deleted: t.Sequence[str]) -> t.Iterator[str]:
        for table in conflict.tables:
            if table not in deleted:
                yield (
                    "the table '%s' of nftables.service stays until the next boot, because it holds more than filters "
                    "of its file for this host; until then both must accept a packet. 'nft delete table %s' removes "
                    "it before" % (table, table)
                )
        for service in conflict.services:
            if service.active and service.under_systemd:
                # Our drop-in is in place by then.
                drop_in = drop_in_for(self._files.locate("/"), "nft", LOADED)
                whose = (
                    "everybody but" if drop_in is not None and drop_in.seamless else "everybody, for an instant also of"
                )
                stopping = "stop it, because that deletes the tables of %s Palisade, or " % whose
                yield (
                    "nftables.service counts as active until the next boot. Until then do not %sreload or restart it, "
                    "because that loads the rules of its file again, which an update of its package may do, too: the "
                    "next run removes them" % (stopping if stop_flushes(self._tree, service) else "")
                )

    @staticmethod
    def _is_loaded(conflict: Conflict) -> bool:
        # Rules of iptables-legacy are not among the tables that nft lists.
        return bool(conflict.tables) or any(service.active for service in conflict.services)

    def _leaves_iptables_rules(self, conflict: Conflict) -> bool:
        if conflict.name == "firewalld":
            return any(table not in _FIREWALLD_TABLES for table in conflict.tables)
        return self._is_loaded(conflict) or bool(refusing_filter_tables(self._listed, self._own_table))


def _only_filters(live: t.Mapping[str, Chain], declared: t.FrozenSet[str]) -> bool:
    """Whether a table holds what its file says, and does nothing but filter packets of this host.

    An empty chain that accepts everything, as in the file that Debian's package brings, may have any hook.
    """
    return (
        bool(declared)
        and frozenset(live) == declared
        and all(
            not chain.hook or chain.hook in _HOST_HOOKS or (chain.policy == "accept" and not chain.rules)
            for chain in live.values()
        )
    )


def _end_step(service: Service) -> Step:
    return Step(
        "end the process of %s.service, without its stop action (back: systemctl start %s.service)"
        % (service.name, service.name),
        functools.partial(_end_daemon, service=service),
    )


def _delete_step(conflict: Conflict, tables: t.Mapping[str, t.Tuple[str, ...]]) -> Step:
    if conflict.name == "firewalld":
        back = "systemctl start firewalld.service"
        more = ", and with it what it did to forwarded packets"
    else:
        # Loading the file again would begin with its "flush ruleset".
        back = "systemctl enable nftables.service, and reboot"
        more = ""
    names = " and ".join("'%s'" % table for table in tables)
    return Step(
        "delete the table %s of %s%s (back: %s)" % (names, conflict.name, more, back),
        functools.partial(_delete_tables, tables=tables),
    )


def _keep_from_starting(hands: Hands, *, service: Service, mask: bool) -> None:
    keep_from_starting(hands.files, service, mask=mask, search_path=hands.search_path)


def _end_daemon(hands: Hands, *, service: Service) -> None:
    end_daemon(hands.files, service, hands.search_path)


def _delete_tables(hands: Hands, *, tables: t.Mapping[str, t.Tuple[str, ...]]) -> None:
    """Deletes tables, each with the chains of its own whose policy is drop."""
    for table, chains in tables.items():
        # When a table is deleted, its rules stop to count some microseconds before its chains do: all that they
        # accepted would meet the policy.
        opening = "".join("add chain %s %s { policy accept; }\n" % (table, chain) for chain in chains)
        for text in (opening, "delete table %s\n" % table):
            try:
                if text:
                    hands.nft.load(text)
            except NftRefusedError as exc:
                # A table that its daemon owned (nft(8), "flags owner") went with the daemon.
                if _NOT_THERE not in str(exc):
                    raise


def _switch_ufw_off(hands: Hands) -> None:
    text = hands.files.read(UFW_CONF)
    if text is None:
        return
    lines = ["ENABLED=no\n" if UFW_ENABLED.fullmatch(line.strip()) else line for line in text.splitlines(keepends=True)]
    try:
        mode = stat.S_IMODE(os.stat(hands.files.locate(UFW_CONF)).st_mode)
    except OSError as exc:
        raise TakeOverError("%s: %s" % (UFW_CONF, exc.strerror)) from exc
    hands.files.write(UFW_CONF, "".join(lines), mode)


def _empty_ufw(hands: Hands) -> None:
    empty_ufw_chains(hands.search_path)
