# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""What is wanted on a host, and what it takes. Only reads; check mode is the plan, not applied."""

from __future__ import annotations

import json
import os
import typing as t

from .._compile.compile import Compiled, compile_with_cost
from .._nft.changes import Change, Transaction, deletion, live_change
from .._nft.held import HeldTable
from .._policy.hostfacts import HostFacts
from .._policy.model import Firewall, Published
from .._policy.parse import parse_firewall
from .._policy.program import Program, build_program
from ._discovery.discover import discover
from ._discovery.neighbours import find_neighbours
from ._discovery.session import find_ssh_connection
from .boot import boot_notice
from .confirm import Phase
from .conflicts import describe_coexistence, describe_refusal, find_managers
from .errors import HostError
from .files import Files
from .history import HISTORY
from .holding import Holding
from .kernel import Comparison, WantedTable, compare, read_live
from .listings import Listings, list_both, list_held
from .nft import Nft
from .options import Host, Options, Result
from .persistence import (
    RECORD,
    PersistencePlan,
    check_possible,
    plan_absence,
    plan_persistence,
)
from .report import (
    DELETION,
    count_held,
    count_table,
    describe_changes,
    describe_cost,
    describe_diff,
    describe_safeguards,
    show_meaning,
)
from .safeguard_set import safeguard_of
from .ssh_guard import GuardReport, guard_ssh
from .take_over import Plan as TakeOverPlan
from .take_over import plan_take_over


class Wanted(t.NamedTuple):
    """What the variables ask for on this host."""

    firewall: Firewall
    compiled: Compiled
    safeguards: t.Dict[str, t.Any]
    guard: GuardReport
    facts: HostFacts
    program: Program
    ssh_port: t.Optional[int]


class ConflictError(HostError):
    """Another firewall manager is active."""


class Plan(t.NamedTuple):
    """What a run would do, and what it reports.

    Attributes:
        record: The record that the last run kept.
        others: How other firewall managers are to be disabled.
    """

    table: WantedTable
    comparison: Comparison
    change: Change
    persistence: PersistencePlan
    record: t.Optional[str]
    others: TakeOverPlan
    result: Result


def find_wanted(options: Options, host: Host) -> Wanted:
    firewall = parse_firewall(options.variables or {}, groups=options.groups)
    check_possible(host.files, options.persist)
    facts = discover(host.root)
    program = build_program(firewall, facts)
    environ = os.environ if host.environ is None else host.environ
    guard = guard_ssh(program, firewall.safeguards.ssh, options.connection, environ)
    safeguards = describe_safeguards(firewall, facts, guard.summary)
    compiled = compile_with_cost(program, layout=firewall.layout, counters=firewall.counters)
    session = find_ssh_connection(environ)
    ssh_port = None if session is None else session.server_port
    return Wanted(firewall, compiled, safeguards, guard, facts, program, ssh_port)


def make_plan(options: Options, host: Host, nft: Nft, wanted: Wanted, loaded: str = "") -> Plan:
    """What it takes to come to what is wanted.

    Args:
        loaded: A record of what was loaded a moment ago, instead of that of the last run.
    """
    table = WantedTable(wanted.compiled.table)
    record = host.files.read(RECORD)
    comparison = compare(nft, table, loaded or record, trial=options.check_mode)
    safeguard = safeguard_of(wanted.firewall, host.root, wanted.ssh_port)
    persistence = plan_persistence(
        host.files, options.persist, table.load_text, os.path.realpath(nft.path), safeguard=safeguard
    )
    listed = list_others(nft, comparison.holding)
    matters = {
        # Where it is ours to start again, nothing is missing for an instant; see nftables_service.
        "nftables-service": persistence.state == "none",
        "published-ports": wanted.program.ingress.restricted and wanted.program.published is Published.LEAVE,
    }
    findings = [one for one in find_neighbours(host.root, listed) if matters.get(one.code, True)]
    conflicts = find_managers(host.files, listed, search_path=host.search_path)
    if conflicts and options.on_conflict == "fail":
        raise ConflictError(describe_refusal(conflicts))
    disabled = conflicts if options.on_conflict == "disable" else ()
    others = plan_take_over(host.files, disabled, listed, survives_reboot=persistence.state != "none")
    change = (
        Change(()) if comparison.equal else live_change(wanted.compiled.table, comparison.held, comparison.differing)
    )
    listings = list_both(nft, table, comparison) if options.diff else Listings("", "")
    changes = [
        *describe_changes(wanted.compiled.table, comparison, change.replaces),
        *persistence.changes,
        *others.changes,
    ]
    cuts, warnings_of_cuts = ([], []) if change.is_tidying else _find_cuts(wanted, host.files)
    counts = count_table(wanted.compiled.table)
    firewall = wanted.firewall
    warnings = [str(problem) for problem in firewall.warnings]
    warnings.extend(finding.message for finding in findings)
    warnings.extend(describe_coexistence(conflicts) if options.on_conflict == "ignore" else others.remains)
    warnings.extend(warnings_of_cuts)
    warnings.extend(text for text in (wanted.guard.warning, boot_notice(host.files)) if text)
    result: Result = {
        "changed": bool(changes),
        "changes": changes,
        "effective_rules": firewall.effective_rules,
        "rules": counts.rules,
        "policies": [policy.name for policy in (*firewall.default_policies, *firewall.assigned)],
        "safeguards": wanted.safeguards,
        "persistence": {"state": persistence.state, "note": persistence.note},
        "cost": describe_cost(wanted.compiled, len(table.load_text.encode())),
        "cuts": cuts,
        "notes": [*wanted.compiled.notes, *([comparison.note] if comparison.note else [])],
        "warnings": warnings,
        "diff": describe_diff(comparison, listings, counts, firewall.effective_rules, wanted.safeguards),
    }
    if options.diff and options.confirm.phase is not Phase.CONFIRM:
        # A change that is confirmed was described when it was made.
        meaning = _describe_meaning(host.files, nft, comparison.held, wanted, equal=comparison.equal)
        show_meaning(result, meaning)
    return Plan(table, comparison, change, persistence, record, others, result)


def _find_cuts(wanted: Wanted, files: Files) -> t.Tuple[t.List[t.Dict[str, t.Any]], t.List[str]]:
    """As :func:`.cuts.find_cuts`, and the warnings of them."""
    from .cuts import describe_cuts, find_cuts  # noqa: PLC0415 - a run that changes nothing need not load it

    cuts = find_cuts(wanted.program, files, wanted.facts)
    return cuts, describe_cuts(cuts)


def _describe_meaning(
    files: Files, nft: Nft, held: t.Optional[HeldTable], after: t.Optional[Wanted], *, equal: bool
) -> t.Dict[str, t.Any]:
    """As :func:`.meaning.describe_meaning`."""
    from .meaning import describe_meaning  # noqa: PLC0415 - it costs a host some 30 ms, and only diff mode needs it

    program, table = (None, None) if after is None else (after.program, after.compiled.table)
    return describe_meaning(files, nft, held, program, table, equal=equal)


def list_others(nft: Nft, holding: Holding) -> t.List[object]:
    """The other tables as nft lists them in JSON. Ours is left out: a large one takes nft seconds to write."""
    found: t.List[object] = []
    for family, name in holding.others:
        try:
            decoded = json.loads(nft.list_json(family, name) or "{}")
        except ValueError:
            continue
        items = decoded.get("nftables") if isinstance(decoded, dict) else None
        found.extend(items if isinstance(items, list) else ())
    return found


def plan_absent(files: Files, nft: t.Optional[Nft], *, diff: bool) -> t.Tuple[t.Tuple[Transaction, ...], Result]:
    held = None if nft is None else read_live().table
    changes = [] if held is None else [DELETION]
    changes.extend(plan_absence(files))
    if files.exists(HISTORY):
        changes.append("remove %s" % HISTORY)
    before = "" if nft is None or held is None or not diff else "# %s\n%s" % (count_held(held), list_held(nft))
    result: Result = {
        "changed": bool(changes),
        "changes": changes,
        "effective_rules": 0,
        "rules": 0,
        "policies": [],
        "safeguards": {},
        "cost": {},
        "cuts": [],
        "persistence": {"state": "none", "note": "firewall_state is absent: nothing of Palisade is left on this host"},
        "notes": [] if nft is not None else ["nft is not installed: no table was looked for"],
        "warnings": [],
        "diff": {"before": before, "after": ""},
    }
    if nft is not None and diff:
        show_meaning(result, _describe_meaning(files, nft, held, None, equal=held is None))
    return deletion(held), result
