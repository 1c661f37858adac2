# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Confirm or take back: the host's side.

A change is made in two executions of the module. The first sets a timer on the host and puts the new rules in
force. The second comes over a new connection, which is the proof that there still is a way in; it asks what
answered before whether it still does, stops the timer, tidies up and writes the files. Without it the timer
brings back the rules from before. The action plugin ``ruleset`` makes both from one task.
"""

from __future__ import annotations

import enum
import os
import typing as t

from .._compile.table import TABLE_NAME
from .._nft.changes import Change
from . import unconfirmed
from ._discovery.session import find_ssh_connection
from .errors import HostError
from .files import Files
from .reachability import NAMED, Check, Target, ask
from .unconfirmed import Pending, UnconfirmedError


class Phase(enum.Enum):
    """Which part of a run this execution of the module is.

    ``at_once`` makes the whole change, and nothing takes it back; ``begin`` makes it and sets the timer;
    ``confirm`` keeps it; ``report`` says what became of it.
    """

    AT_ONCE = "at_once"
    BEGIN = "begin"
    CONFIRM = "confirm"
    REPORT = "report"


class Confirm(t.NamedTuple):
    """How a change is confirmed.

    Attributes:
        timeout: Seconds until the host takes it back.
        must_reach: TCP services that the host must reach.
        token: Of the change that is meant, after ``begin``.
        answered: That sshd answered a new connection, which asked for a second factor: this execution
            comes over an old one.
    """

    phase: Phase = Phase.AT_ONCE
    timeout: int = 0
    must_reach: t.Tuple[Target, ...] = ()
    token: str = ""
    answered: bool = False


def client_of(environ: t.Optional[t.Mapping[str, str]] = None) -> str:
    """The other end of the SSH connection that this process works for; empty where it is not known."""
    found = find_ssh_connection(os.environ if environ is None else environ)
    return "" if found is None else "%s %d" % (found.client_address, found.client_port)


def expect_pending(files: Files, token: str) -> t.Optional[Pending]:
    """The change that a confirmation is about; None where nothing waits and nothing says why.

    Raises:
        UnconfirmedError: It was taken back, or another one waits.
    """
    pending = unconfirmed.find_pending(files)
    if pending is not None and pending.token == token:
        return pending
    told = unconfirmed.report_taken_back(files, token)
    if told is not None:
        unconfirmed.forget_taken_back(files)
        raise UnconfirmedError(told)
    if pending is not None:
        raise UnconfirmedError("the change that was to be confirmed does not wait any more; one of another run does")
    return None


def check_connection_is_new(pending: Pending, client: str) -> None:
    """A connection that was open before the change proves nothing.

    Raises:
        UnconfirmedError: It was.
    """
    if client and client == pending.client:
        raise UnconfirmedError(
            "the confirmation came over the connection that was open before the change (from %s), which proves "
            "nothing. The controller's ssh shares connections in a way that Ansible cannot switch off; give the host "
            "'ControlPath none' in its configuration" % client
        )


def check_answers(files: Files, pending: Pending, checks: t.Mapping[str, Check]) -> t.List[str]:
    """What answered before has to answer still; what did not answer before is returned, a sentence each.

    Raises:
        UnconfirmedError: Something fell silent. The change was taken back.
    """
    now = ask({name: checks[name] for name, answered in pending.answered.items() if answered and name in checks})
    silent = sorted(name for name, answers in now.items() if not answers)
    if not silent:
        return [
            "%s did not answer before this change either" % name for name, was in pending.answered.items() if not was
        ]
    reason = "this host no longer reached %s, which had answered before it" % ", ".join(silent)
    report = _take_back(files, pending, reason)
    instead = "leave it out of firewall_must_reach"
    if not all(name.endswith(NAMED) for name in silent):
        instead = "where that is meant, make this change with firewall_confirm_timeout: 0"
    raise UnconfirmedError("%s Let the policies accept it (egress), or %s." % (report, instead))


def check_in_force(files: Files, pending: Pending, change: Change) -> None:
    """Whether what came about is what was to be confirmed: the new connection proves nothing of other rules.

    Args:
        change: What it takes now to come to what was wanted.

    Raises:
        UnconfirmedError: Something has put other rules in force. The change was taken back.
    """
    if not change.is_tidying:
        reason = "other rules were in force than those that were to be confirmed"
        report = _take_back(files, pending, reason)
        raise UnconfirmedError(
            "%s Something else on this host changed the table inet %s meanwhile, or what a safeguard goes by. Run again"
            % (report, TABLE_NAME)
        )


def _take_back(files: Files, pending: Pending, reason: str) -> str:
    """Takes the change back at once; what became of it. What could not be restored is told by the next run, too."""
    restored = unconfirmed.withdraw(files, pending, reason)
    report = unconfirmed.report_taken_back(files, pending.token) or reason
    if restored:
        unconfirmed.forget_taken_back(files)
    return report


def why_not_confirmed(pending: Pending, exc: HostError) -> UnconfirmedError:
    """The error of a confirmation that could not be made, with what becomes of the change."""
    return UnconfirmedError(
        "%s\nSo the change was not confirmed, and the host takes it back by itself within %d seconds"
        % (exc, max(1, unconfirmed.seconds_left(pending)))
    )
