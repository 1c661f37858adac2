# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""One run on a host: find out what is wanted, compare it with the kernel, plan, apply.

Planning only reads. Check mode is the plan, not applied.
"""

from __future__ import annotations

import json
import os
import typing as t

from .._compile.compile import Compiled, compile_with_cost
from .._compile.table import TABLE_NAME
from .._nft.changes import Change, Transaction, deletion, live_change
from .._policy.model import Firewall
from .._policy.parse import parse_firewall
from .._policy.program import build_program
from ._discovery.discover import discover
from ._discovery.neighbours import find_neighbours
from .errors import HostError
from .files import Files
from .holding import Holding
from .kernel import Comparison, WantedTable, compare, outcome, read_live
from .listings import Listings, list_both, list_held
from .lock import hold_lock
from .nft import Nft, NftError, NftMissingError, find_nft
from .persistence import (
    RECORD,
    Mode,
    PersistencePlan,
    apply_persistence,
    check_possible,
    plan_absence,
    plan_persistence,
    remove_everything,
    write_record,
)
from .report import count_held, count_table, describe_changes, describe_cost, describe_diff, describe_safeguards
from .ssh_guard import GuardReport, guard_ssh

_LOCK = "/run/palisade.lock"

Result = t.Dict[str, t.Any]


class Options(t.NamedTuple):
    """What is asked for.

    Attributes:
        variables: Role variables by name, plain data.
        groups: Inventory group name to addresses.
        connection: Name of the connection plugin; empty where it is not known.
        diff: Whether the result is to show the table before and after.
    """

    state: str = "present"
    variables: t.Optional[t.Mapping[str, object]] = None
    groups: t.Optional[t.Mapping[str, object]] = None
    persist: Mode = Mode.AUTO
    connection: str = ""
    check_mode: bool = False
    diff: bool = True


class Host(t.NamedTuple):
    """The host that this process runs on; tests put its files below another root and choose the PATH."""

    root: str = "/"
    search_path: t.Optional[str] = None
    environ: t.Optional[t.Mapping[str, str]] = None

    @property
    def files(self) -> Files:
        return Files(self.root)


class _Wanted(t.NamedTuple):
    """What the variables ask for on this host."""

    firewall: Firewall
    compiled: Compiled
    safeguards: t.Dict[str, t.Any]
    guard: GuardReport


class _Plan(t.NamedTuple):
    """What a run would do, and what it reports.

    Attributes:
        record: The record that the last run kept.
    """

    table: WantedTable
    comparison: Comparison
    change: Change
    persistence: PersistencePlan
    record: t.Optional[str]
    result: Result


class ApplyError(HostError):
    """A step failed; the message says what is in force now."""


def run(options: Options, host: t.Optional[Host] = None) -> Result:
    """Brings the host to what is asked, or with ``check_mode`` says what that would take.

    Returns:
        The module's result, see the RETURN of ``palisade.nftables.ruleset``.

    Raises:
        PolicyError: The variables are wrong, with every problem. Nothing was changed.
        HostError: The host does not let us; the message says why, and what is in force.
    """
    where = host if host is not None else Host()
    if options.state == "absent":
        return _run_absent(options, where)
    nft = find_nft(where.search_path)
    wanted = _find_wanted(options, where)
    if options.check_mode:
        return _make_plan(options, where, nft, wanted).result
    with hold_lock(where.files.locate(_LOCK)):
        plan = _make_plan(options, where, nft, wanted)
        _apply_plan(plan, where.files, nft)
    return plan.result


def _find_wanted(options: Options, host: Host) -> _Wanted:
    firewall = parse_firewall(options.variables or {}, groups=options.groups)
    check_possible(host.files, options.persist)
    facts = discover(host.root)
    program = build_program(firewall, facts)
    environ = os.environ if host.environ is None else host.environ
    guard = guard_ssh(program, firewall.safeguards.ssh, options.connection, environ)
    safeguards = describe_safeguards(firewall, facts, guard.summary)
    compiled = compile_with_cost(program, layout=firewall.layout, counters=firewall.counters)
    return _Wanted(firewall, compiled, safeguards, guard)


def _make_plan(options: Options, host: Host, nft: Nft, wanted: _Wanted) -> _Plan:
    table = WantedTable(wanted.compiled.table)
    record = host.files.read(RECORD)
    comparison = compare(nft, table, record, trial=options.check_mode)
    persistence = plan_persistence(host.files, options.persist, table.load_text, os.path.realpath(nft.path))
    findings = find_neighbours(host.root, _list_others(nft, comparison.holding))
    change = (
        Change(()) if comparison.equal else live_change(wanted.compiled.table, comparison.held, comparison.differing)
    )
    listings = list_both(nft, table, comparison) if options.diff else Listings("", "")
    changes = [*describe_changes(wanted.compiled.table, comparison, change.replaces), *persistence.changes]
    counts = count_table(wanted.compiled.table)
    firewall = wanted.firewall
    warnings = [str(problem) for problem in firewall.warnings]
    warnings.extend(finding.message for finding in findings)
    if wanted.guard.warning:
        warnings.append(wanted.guard.warning)
    result: Result = {
        "changed": bool(changes),
        "changes": changes,
        "effective_rules": firewall.effective_rules,
        "rules": counts.rules,
        "policies": [policy.name for policy in (*firewall.default_policies, *firewall.assigned)],
        "safeguards": wanted.safeguards,
        "persistence": {"state": persistence.state, "note": persistence.note},
        "cost": describe_cost(wanted.compiled, len(table.load_text.encode())),
        "notes": [*wanted.compiled.notes, *([comparison.note] if comparison.note else [])],
        "warnings": warnings,
        "diff": describe_diff(comparison, listings, counts, firewall.effective_rules, wanted.safeguards),
    }
    return _Plan(table, comparison, change, persistence, record, result)


def _list_others(nft: Nft, holding: Holding) -> t.List[object]:
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


def _apply_plan(plan: _Plan, files: Files, nft: Nft) -> None:
    """The kernel first; the files only say what the kernel took."""
    _load(nft, plan.change.transactions)
    _check_outcome(plan, files, nft)
    try:
        apply_persistence(files, plan.persistence)
    except HostError as exc:
        raise ApplyError("the ruleset is in force, but what loads it at boot is not in step with it: %s" % exc) from exc


def _load(nft: Nft, transactions: t.Sequence[Transaction]) -> None:
    before: t.Optional[Transaction] = None
    for transaction in transactions:
        try:
            nft.load(transaction.text)
        except NftError as exc:
            if transaction.tidies:
                message = "the new ruleset is in force, but what it no longer uses could not be removed from the table."
            else:
                message = "the new ruleset could not be loaded, the rules in force stay.%s" % _take_back(nft, before)
            raise ApplyError("%s The next run goes on from there.\n%s" % (message, exc)) from exc
        before = transaction


def _take_back(nft: Nft, transaction: t.Optional[Transaction]) -> str:
    """Removes what nothing uses yet; what cannot be removed is said, and removed by the next run."""
    if transaction is None or not transaction.undo:
        return ""
    try:
        nft.load(transaction.undo)
    except NftError:
        return " New sets and chains that no rule uses were left in the table; the next run removes them."
    return ""


def _check_outcome(plan: _Plan, files: Files, nft: Nft) -> None:
    """Asks the kernel what it holds now, and keeps the record."""
    record = plan.table.record(plan.comparison.expected)
    transactions = plan.change.transactions
    if transactions:
        as_wanted, record = outcome(nft, plan.table, plan.comparison, len(transactions))
        if not as_wanted:
            plan.result["warnings"].append(
                "Right after it was loaded, the table inet %s was changed by something else on this host; the next run "
                "repairs it." % TABLE_NAME
            )
    if record == plan.record:
        return
    try:
        write_record(files, record)
    except HostError as exc:
        # It only spares the next run some work, unless no namespace can be made here.
        plan.result["notes"].append("the record of this run could not be kept: %s" % exc)


def _run_absent(options: Options, host: Host) -> Result:
    files = host.files
    try:
        nft: t.Optional[Nft] = find_nft(host.search_path)
    except NftMissingError:
        nft = None
    if options.check_mode:
        return _plan_absent(files, nft, diff=options.diff)[1]
    with hold_lock(files.locate(_LOCK)):
        transactions, result = _plan_absent(files, nft, diff=options.diff)
        if nft is not None:
            _load(nft, transactions)
        if result["changed"]:
            remove_everything(files)
    return result


def _plan_absent(files: Files, nft: t.Optional[Nft], *, diff: bool) -> t.Tuple[t.Tuple[Transaction, ...], Result]:
    held = None if nft is None else read_live().table
    changes = [] if held is None else ["delete the table inet %s" % TABLE_NAME]
    changes.extend(plan_absence(files))
    before = "" if nft is None or held is None or not diff else "# %s\n%s" % (count_held(held), list_held(nft))
    result: Result = {
        "changed": bool(changes),
        "changes": changes,
        "effective_rules": 0,
        "rules": 0,
        "policies": [],
        "safeguards": {},
        "cost": {},
        "persistence": {"state": "none", "note": "firewall_state is absent: nothing of Palisade is left on this host"},
        "notes": [] if nft is not None else ["nft is not installed: no table was looked for"],
        "warnings": [],
        "diff": {"before": before, "after": ""},
    }
    return deletion(held), result
