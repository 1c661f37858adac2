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

from .._compile.compile import compile_program
from .._compile.table import TABLE_NAME, Table
from .._nft.changes import Change, Transaction, deletion, live_change
from .._nft.text import render_load
from .._policy.model import Firewall
from .._policy.parse import parse_firewall
from .._policy.program import build_program
from ._discovery.discover import discover
from ._discovery.neighbours import find_neighbours
from .errors import HostError
from .files import Files
from .kernel import Comparing, Comparison, make_record, read_live
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
from .report import count_live, count_table, describe_changes, describe_diff, describe_safeguards
from .ssh_guard import GuardReport, guard_ssh

_LOCK = "/run/palisade.lock"

Result = t.Dict[str, t.Any]


class Options(t.NamedTuple):
    """What is asked for.

    Attributes:
        variables: Role variables by name, plain data.
        groups: Inventory group name to addresses.
        connection: Name of the connection plugin; empty where it is not known.
    """

    state: str = "present"
    variables: t.Optional[t.Mapping[str, object]] = None
    groups: t.Optional[t.Mapping[str, object]] = None
    persist: Mode = Mode.AUTO
    connection: str = ""
    check_mode: bool = False


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
    table: Table
    safeguards: t.Dict[str, t.Any]
    guard: GuardReport


class _Plan(t.NamedTuple):
    """What a run would do, and what it reports."""

    table: Table
    comparison: Comparison
    change: Change
    persistence: PersistencePlan
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
    return _Wanted(firewall, compile_program(program), safeguards, guard)


def _make_plan(options: Options, host: Host, nft: Nft, wanted: _Wanted) -> _Plan:
    comparing = Comparing(nft, wanted.table)
    # The namespace of the comparison fills up meanwhile.
    findings = find_neighbours(host.root, _decode_ruleset(nft.list_foreign_json()))
    persistence = plan_persistence(host.files, options.persist, render_load(wanted.table), os.path.realpath(nft.path))
    comparison = comparing.finish(lambda: host.files.read(RECORD))
    change = Change(()) if comparison.equal else live_change(wanted.table, comparison.live, comparison.altered)
    changes = [*describe_changes(comparison, change.replaces), *persistence.changes]
    counts = count_table(wanted.table)
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
        "notes": [comparison.note] if comparison.note else [],
        "warnings": warnings,
        "diff": describe_diff(comparison, counts, firewall.effective_rules, wanted.safeguards),
    }
    return _Plan(wanted.table, comparison, change, persistence, result)


def _decode_ruleset(text: str) -> object:
    try:
        decoded = json.loads(text) if text else {}
    except ValueError:
        return []
    return decoded.get("nftables", []) if isinstance(decoded, dict) else []


def _apply_plan(plan: _Plan, files: Files, nft: Nft) -> None:
    """The kernel first; the files only say what the kernel took."""
    _load(nft, plan.change.transactions)
    if plan.change.transactions:
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
            left = _take_back(nft, before)
            raise ApplyError(
                "the new ruleset could not be loaded, the rules in force stay.%s\n%s" % (left, exc)
            ) from exc
        before = transaction


def _take_back(nft: Nft, transaction: t.Optional[Transaction]) -> str:
    """Removes what nothing uses yet; what cannot be removed is said, and removed by the next run."""
    if transaction is None or not transaction.undo:
        return ""
    try:
        nft.load(transaction.undo)
    except NftError:
        return " New sets that no rule uses were left in the table; the next run removes them."
    return ""


def _check_outcome(plan: _Plan, files: Files, nft: Nft) -> None:
    """Asks the kernel what it holds now."""
    live = read_live(nft)
    if plan.comparison.note:
        if live is not None:
            write_record(files, make_record(plan.table, live).to_text())
    elif live != plan.comparison.wanted:
        plan.result["warnings"].append(
            "Right after it was loaded, the table inet %s was changed by something else on this host; the next run "
            "repairs it." % TABLE_NAME
        )


def _run_absent(options: Options, host: Host) -> Result:
    files = host.files
    try:
        nft: t.Optional[Nft] = find_nft(host.search_path)
    except NftMissingError:
        nft = None
    if options.check_mode:
        return _plan_absent(files, nft)[1]
    with hold_lock(files.locate(_LOCK)):
        transactions, result = _plan_absent(files, nft)
        if nft is not None:
            _load(nft, transactions)
        if result["changed"]:
            remove_everything(files)
    return result


def _plan_absent(files: Files, nft: t.Optional[Nft]) -> t.Tuple[t.Tuple[Transaction, ...], Result]:
    live = None if nft is None else read_live(nft)
    changes = [] if live is None else ["delete the table inet %s" % TABLE_NAME]
    changes.extend(plan_absence(files))
    before = "" if live is None else "# %s\n%s" % (count_live(live), live.text())
    result: Result = {
        "changed": bool(changes),
        "changes": changes,
        "effective_rules": 0,
        "rules": 0,
        "policies": [],
        "safeguards": {},
        "persistence": {"state": "none", "note": "firewall_state is absent: nothing of Palisade is left on this host"},
        "notes": [] if nft is not None else ["nft is not installed: no table was looked for"],
        "warnings": [],
        "diff": {"before": before, "after": ""},
    }
    return deletion(live), result
