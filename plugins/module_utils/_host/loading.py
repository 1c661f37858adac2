# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""The steps of a plan, taken: the kernel first, then the files, which only say what the kernel took."""

from __future__ import annotations

import time
import typing as t

from .._compile.table import TABLE_NAME
from .._nft.changes import Transaction
from .errors import HostError
from .files import Files
from .kernel import outcome
from .nft import Nft, NftError, NftUnknownError
from .open_connections import learn
from .persistence import (
    apply_persistence,
    write_record,
)
from .planning import Plan

#: What nft may take at least, however late it is.
_SECONDS = 1.0


class ApplyError(HostError):
    """A step failed; the message says what is in force now."""


class UnknownOutcomeError(ApplyError):
    """Nobody knows which rules are in force: the old ones or the new ones."""


def load(nft: Nft, transactions: t.Sequence[Transaction], *, until: t.Optional[float] = None) -> t.List[str]:
    """Loads one transaction after another. Before the first rules are in force, connections that are open are learned.

    Args:
        until: When nft is no longer waited for, by the monotonic clock; None: as long as always.

    Returns:
        What is to be said of that.

    Raises:
        UnknownOutcomeError: nft did not end by itself.
        ApplyError: One was refused.
    """
    before: t.Optional[Transaction] = None
    notes: t.List[str] = []
    for transaction in transactions:
        if transaction.enforces:
            _count, problem = learn()
            notes.extend([problem] if problem else [])
        try:
            nft.load(transaction.text, seconds=None if until is None else max(_SECONDS, until - time.monotonic()))
        except NftError as exc:
            if transaction.tidies:
                message = "the new ruleset is in force, but what it no longer uses could not be removed from the table."
            elif isinstance(exc, NftUnknownError):
                raise UnknownOutcomeError(
                    "%s: whether the kernel took the new ruleset is unknown. The next run finds out, and goes on from "
                    "there" % exc
                ) from exc
            else:
                message = "the new ruleset could not be loaded, the rules in force stay.%s" % _take_back(nft, before)
            raise ApplyError("%s The next run goes on from there.\n%s" % (message, exc)) from exc
        before = transaction
    return notes


def _take_back(nft: Nft, transaction: t.Optional[Transaction]) -> str:
    """Removes what nothing uses yet; what cannot be removed is said, and removed by the next run."""
    if transaction is None or not transaction.undo:
        return ""
    try:
        nft.load(transaction.undo)
    except NftError:
        return " New sets and chains that no rule uses were left in the table; the next run removes them."
    return ""


def _check_outcome(plan: Plan, files: Files, nft: Nft) -> str:
    """Asks the kernel what it holds now, and keeps the record. See :func:`apply_plan`."""
    record = plan.table.record(plan.comparison.expected)
    held = plan.comparison.held
    transactions = plan.change.transactions
    if transactions:
        as_wanted, record, held = outcome(nft, plan.table, plan.comparison, len(transactions))
        if not as_wanted:
            held = None
            plan.result["warnings"].append(
                "Right after it was loaded, the table inet %s was changed by something else on this host; the next run "
                "repairs it." % TABLE_NAME
            )
    if record != plan.record:
        try:
            write_record(files, record)
        except HostError as exc:
            # It only spares the next run some work, unless no namespace can be made here.
            plan.result["notes"].append("the record of this run could not be kept: %s" % exc)
    return "" if held is None else held.digest()


def apply_plan(plan: Plan, files: Files, nft: Nft) -> str:
    """The kernel first; the files only say what the kernel took.

    Returns:
        The digest of the table that the kernel holds now; empty where that is not the wanted one.
    """
    plan.result["notes"].extend(load(nft, plan.change.transactions))
    held = _check_outcome(plan, files, nft)
    try:
        apply_persistence(files, plan.persistence)
    except HostError as exc:
        raise ApplyError("the ruleset is in force, but what loads it at boot is not in step with it: %s" % exc) from exc
    return held
