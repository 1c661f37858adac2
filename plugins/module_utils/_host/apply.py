# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""One run on a host: find out what is wanted, compare it with the kernel, plan, apply."""

from __future__ import annotations

import contextlib
import os
import time
import typing as t

from . import unconfirmed
from .boot import RULESET
from .confirm import (
    Confirm,
    Phase,
    check_answers,
    check_connection_is_new,
    check_in_force,
    client_of,
    expect_pending,
    why_not_confirmed,
)
from .counters import read_counters
from .counting import forget_counting, note_load
from .errors import HostError
from .files import Files
from .history import InForce, recall, remember, remove_history
from .kernel import outcome
from .loading import ApplyError, UnknownOutcomeError, apply_plan, load
from .lock import hold_lock
from .nft import Nft, NftMissingError, find_nft
from .options import Host, Options, Result
from .persistence import check_writable, remove_everything
from .planning import Plan, Wanted, find_wanted, make_plan, plan_absent
from .reachability import ask, checks
from .safeguard_set import safeguard_of
from .ssh_guard import describe_way_in
from .take_over import Hands, take_over
from .unconfirmed import UnconfirmedError


def run(options: Options, host: t.Optional[Host] = None) -> Result:
    """Brings the host to what is asked, or with ``check_mode`` says what that would take.

    Returns:
        The module's result, see the RETURN of ``palisade.nftables.ruleset``.

    Raises:
        PolicyError: The variables are wrong, with every problem. Nothing was changed.
        HostError: The host does not let us; the message says why, and what is in force.
    """
    where = host if host is not None else Host()
    if options.confirm.phase is Phase.REPORT:
        return _report(options.confirm, where)
    if options.state == "absent":
        return _run_absent(options, where)
    nft = find_nft(where.search_path)
    note = ""
    if options.restore:
        entry, variables, groups = recall(where.files, options.restore)
        options = options._replace(variables=variables, groups=groups)
        note = "back to the ruleset %s" % str(entry)
    wanted = find_wanted(options, where)
    if options.check_mode:
        result = make_plan(options, where, nft, wanted).result
        result["warnings"].extend(unconfirmed.describe_pending(where.files))
    else:
        with hold_lock(where.files.locate(unconfirmed.LOCK)):
            result = (_confirm if options.confirm.phase is Phase.CONFIRM else _change)(options, where, nft, wanted)
    result["notes"].extend([note] if note else [])
    return result


def _change(options: Options, host: Host, nft: Nft, wanted: Wanted) -> Result:
    """Makes the change, or the part of it that can be taken back."""
    files = host.files
    told = _settle(files)
    plan = make_plan(options, host, nft, wanted)
    plan.result["warnings"].extend(told)
    check_writable(files, plan.persistence)
    held = ""
    with _counting(plan, files):
        if options.confirm.phase is Phase.BEGIN and not plan.change.is_tidying:
            _begin(plan, options, host, nft, wanted)
        else:
            held = apply_plan(plan, files, nft)
    if "confirmation" not in plan.result:
        _finish(options, plan, host, nft, InForce(held, wanted.facts))
    if told:
        unconfirmed.forget_taken_back(files)
    return plan.result


@contextlib.contextmanager
def _counting(plan: Plan, files: Files) -> t.Iterator[None]:
    """Notes since when the counters count that are made inside."""
    if plan.change.is_tidying:
        yield
        return
    before = read_counters()
    yield
    try:
        note_load(files, before)
    except HostError as exc:
        plan.result["notes"].append("since when the counters count could not be noted: %s" % exc)


def _finish(options: Options, plan: Plan, host: Host, nft: Nft, in_force: InForce) -> None:
    """What comes after the ruleset is in force for good."""
    try:
        remember(host.files, plan.table.load_text, options.variables or {}, options.groups, in_force)
    except HostError as exc:
        # It only cannot be gone back to.
        plan.result["notes"].append("the ruleset could not be kept to go back to: %s" % exc)
    # Not before: what takes a change back loads rules, and brings no unit back.
    outcome = take_over(plan.others, Hands(host.files, nft, host.search_path))
    plan.result["warnings"].extend(outcome.problems)


def _settle(files: Files) -> t.List[str]:
    """What an earlier change that did not stay left to be said.

    Raises:
        UnconfirmedError: One waits.
    """
    unconfirmed.settle(files)
    told = unconfirmed.report_taken_back(files)
    return [] if told is None else [told]


def _begin(plan: Plan, options: Options, host: Host, nft: Nft, wanted: Wanted) -> None:
    """Puts the new rules in force until the timer runs out; what is no longer used stays, to go back to."""
    files, confirm = host.files, options.confirm
    environ = os.environ if host.environ is None else host.environ
    undo = unconfirmed.undo_texts(nft, plan.change, exists=plan.comparison.held is not None)
    answered = ask(checks(wanted.facts, confirm.must_reach, host.root, host.search_path))
    pending = unconfirmed.wait(
        files,
        nft,
        undo,
        timeout=confirm.timeout,
        client=client_of(host.environ),
        answered=answered,
        fallback=files.read(RULESET) or "",
        safeguard=safeguard_of(wanted.firewall, host.root, wanted.ssh_port),
    )
    try:
        transactions = [one for one in plan.change.transactions if not one.tidies or not plan.change.is_plain]
        # What takes the change back has to have the lock by then.
        until = time.monotonic() + unconfirmed.seconds_left(pending)
        plan.result["notes"].extend(load(nft, transactions, until=until))
    except UnknownOutcomeError as exc:
        raise UnknownOutcomeError(
            "%s. If they are the new rules, the host takes it back by itself within %d seconds"
            % (exc, max(1, unconfirmed.seconds_left(pending)))
        ) from exc
    except ApplyError:
        unconfirmed.forget(files, pending)
        raise
    with contextlib.suppress(HostError):
        # Where no namespace can be made, nothing else tells what the kernel makes of the text.
        record = outcome(nft, plan.table, plan.comparison, len(transactions)).record
        unconfirmed.note_record(files, pending, record)
    plan.result["confirmation"] = {
        "state": "pending",
        "token": pending.token,
        "seconds": max(0, int(unconfirmed.seconds_left(pending))),
        "way_in": describe_way_in(wanted.program, options.connection, environ),
    }


def _confirm(options: Options, host: Host, nft: Nft, wanted: Wanted) -> Result:
    """Keeps the change that waits."""
    files, confirm = host.files, options.confirm
    pending = expect_pending(files, confirm.token)
    if pending is None:
        return _confirm_again(options, host, nft, wanted)
    try:
        if not confirm.answered:
            check_connection_is_new(pending, client_of(host.environ))
        notes = check_answers(files, pending, checks(wanted.facts, confirm.must_reach, host.root, host.search_path))
        plan = make_plan(options, host, nft, wanted, pending.record)
        check_in_force(files, pending, plan.change)
        check_writable(files, plan.persistence)
    except HostError as exc:
        if unconfirmed.find_pending(files) is None:
            # It was taken back at once, and the error says so.
            raise
        raise why_not_confirmed(pending, exc) from exc
    waited = unconfirmed.seconds_waited(pending)
    unconfirmed.forget(files, pending)
    _keep(options, host, nft, wanted, plan)
    plan.result["notes"].extend(notes)
    plan.result["confirmation"] = {"state": "confirmed", "waited": round(waited, 1)}
    return plan.result


def _confirm_again(options: Options, host: Host, nft: Nft, wanted: Wanted) -> Result:
    """Finishes a confirmation that was made before, and whose end the controller did not hear of.

    Raises:
        UnconfirmedError: There was none: other rules than those that were to be confirmed are in force.
    """
    plan = make_plan(options, host, nft, wanted)
    if not plan.change.is_tidying:
        raise UnconfirmedError(
            "the change that was to be confirmed does not wait any more, and there is no report of it: the host was "
            "started anew, or something else has put other rules in force. Run again"
        )
    _keep(options, host, nft, wanted, plan)
    plan.result["confirmation"] = {"state": "confirmed"}
    return plan.result


def _keep(options: Options, host: Host, nft: Nft, wanted: Wanted, plan: Plan) -> None:
    """Tidies up after a change that stays, and writes the files."""
    held = apply_plan(plan, host.files, nft)
    _finish(options, plan, host, nft, InForce(held, wanted.facts))


def _report(confirm: Confirm, host: Host) -> Result:
    """What became of a change that was not confirmed."""
    with hold_lock(host.files.locate(unconfirmed.LOCK)):
        told = unconfirmed.report_taken_back(host.files, confirm.token)
        if told is not None:
            unconfirmed.forget_taken_back(host.files)
            state = "taken_back"
        else:
            pending = unconfirmed.find_pending(host.files)
            state = "unknown" if pending is None or pending.token != confirm.token else "pending"
    return {"changed": False, "confirmation": {"state": state, "message": told or ""}, "warnings": [], "diff": {}}


def _run_absent(options: Options, host: Host) -> Result:
    files = host.files
    try:
        nft: t.Optional[Nft] = find_nft(host.search_path)
    except NftMissingError:
        nft = None
    if options.check_mode:
        return plan_absent(files, nft, diff=options.diff)[1]
    with hold_lock(files.locate(unconfirmed.LOCK)):
        told = _settle(files)
        transactions, result = plan_absent(files, nft, diff=options.diff)
        if nft is not None:
            load(nft, transactions)
        if result["changed"]:
            remove_history(files)
            forget_counting(files)
            remove_everything(files)
        result["warnings"].extend(told)
        if told:
            unconfirmed.forget_taken_back(files)
    return result
