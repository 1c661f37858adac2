# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""What changes in meaning between what is live on this host and what is wanted.

Where the kernel holds what the last run left, the variables that were kept say what is live. Otherwise somebody
altered the table, and its rules are read back. Only reads.
"""

from __future__ import annotations

import typing as t

from .._analysis.altered import find_altered, ruleset_of
from .._analysis.changed_packets import Limits
from .._analysis.difference import find_difference
from .._analysis.difference_text import difference_to_plain
from .._analysis.live_meaning import LiveMeaning, TooLargeError
from .._analysis.meaning import EVERYTHING, Meaning, NoRuleset, ProgramMeaning
from .._compile.compile import compile_program
from .._compile.table import Table
from .._core.collector import garbage_kept
from .._core.errors import PolicyError
from .._nft.held import HeldTable
from .._nft.read import UnreadError, read_ruleset
from .._policy.model import Firewall
from .._policy.parse import parse_firewall
from .._policy.program import Program, build_program
from .errors import HostError
from .files import Files
from .history import Kept, digest_of, recall_last
from .kernel import WantedTable
from .nft import Nft

#: Rules in a kernel are in no order that has much in common with that of policies, so most are asked about.
_LIVE_LIMITS = Limits(total=6_000_000)

_READ = "the table is not as the last run left it; its rules were read back from the kernel"


class _Unknown(Exception):  # noqa: N818 - the reason goes into a note
    """What is live cannot be told; the message says why."""


@garbage_kept()
def describe_meaning(
    files: Files,
    nft: Nft,
    held: t.Optional[HeldTable],
    after: t.Optional[Program],
    table: t.Optional[Table] = None,
    *,
    equal: bool = False,
) -> t.Dict[str, t.Any]:
    """The change in meaning, in plain data; see :func:`.._analysis.difference_text.difference_to_plain`.

    Args:
        held: Our table in the kernel; None where there is none.
        after: What is wanted; None: no table.
        table: What ``after`` is compiled to.
        equal: Whether the kernel holds the wanted table.
    """
    wanted: Meaning = NoRuleset() if after is None else ProgramMeaning(after)
    if equal:
        return difference_to_plain(find_difference(wanted, wanted))
    if held is None:
        return difference_to_plain(find_difference(NoRuleset(), wanted))
    kept = recall_last(files)
    left = None if kept is None else _left_by(kept)
    before = None if left is None else left.program
    if kept is not None and left is not None and kept.in_force.held == held.digest() and _is_compiled_alike(left, kept):
        return difference_to_plain(find_difference(ProgramMeaning(left.program), wanted))
    try:
        return difference_to_plain(find_difference(_read(nft, (before, after), table), wanted, _LIVE_LIMITS), _READ)
    except (_Unknown, TooLargeError) as exc:
        reason = str(exc) or "it leads in more ways than are looked at"
    if before is None:
        return _nothing_known("what is live could not be found out: %s" % reason)
    note = (
        "the table is not as the last run left it, and could not be read back (%s); this is the change from what the "
        "last run left, and what was altered since is not in it" % reason
    )
    found = difference_to_plain(find_difference(ProgramMeaning(before), wanted), note)
    return {**found, "same": False}


class _Left(t.NamedTuple):
    """What the last run left."""

    firewall: Firewall
    program: Program


def _left_by(kept: Kept) -> t.Optional[_Left]:
    try:
        firewall = parse_firewall(kept.variables, groups=kept.groups)
    except PolicyError:
        # An older version took them.
        return None
    return _Left(firewall, build_program(firewall, kept.in_force.facts))


def _is_compiled_alike(left: _Left, kept: Kept) -> bool:
    """Whether this version makes of it what the last run loaded. Of a large policy that takes seconds to know."""
    table = compile_program(left.program, layout=left.firewall.layout, counters=left.firewall.counters)
    return digest_of(WantedTable(table).load_text) == kept.digest


def _read(nft: Nft, programs: t.Iterable[t.Optional[Program]], table: t.Optional[Table]) -> LiveMeaning:
    """What the kernel's rules mean, the rules of policies with the variables of these programs.

    Args:
        table: If there is one, packets that the kernel treats as this table would need not be told of.

    Raises:
        _Unknown: They cannot be read.
    """
    variables: t.Dict[str, str] = {}
    for program in programs:
        for chain in (program.ingress, program.egress) if program is not None else ():
            for step in chain.steps:
                variables.setdefault(str(step.rule.origin), step.rule.origin.variable)
    try:
        text = nft.list_rules_json()
        if not text:
            raise _Unknown("nft on this host lists nothing as JSON")
        ruleset = read_ruleset(text)
        space = EVERYTHING if table is None else find_altered(ruleset, ruleset_of(table))
        return LiveMeaning(ruleset, variables, space=space)
    except (HostError, UnreadError) as exc:
        raise _Unknown(str(exc)) from exc


def _nothing_known(note: str) -> t.Dict[str, t.Any]:
    return {
        "same": False,
        "groups": [],
        "more": 0,
        "undecided": [],
        "note": note,
        "text": "meaning: unknown\n  note: %s" % note,
    }
