# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What it costs to tell what a change means: one rule of 10,000, and a table that somebody edited by hand.

Policies are compared as a plan compares them while the kernel holds what the last run left. A table that was edited
is in a real kernel; its rules are listed by nft, read back, and compared with what is wanted.
"""

from __future__ import annotations

import copy
import functools
import pathlib
import tempfile
import typing as t

from ansible_collections.palisade.nftables.plugins.module_utils._analysis.difference import find_difference
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.difference_text import difference_to_plain
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.meaning import ProgramMeaning
from ansible_collections.palisade.nftables.plugins.module_utils._compile.compile import compile_program
from ansible_collections.palisade.nftables.plugins.module_utils._compile.table import Table
from ansible_collections.palisade.nftables.plugins.module_utils._host import apply, options
from ansible_collections.palisade.nftables.plugins.module_utils._host.files import Files
from ansible_collections.palisade.nftables.plugins.module_utils._host.kernel import read_live
from ansible_collections.palisade.nftables.plugins.module_utils._host.meaning import describe_meaning
from ansible_collections.palisade.nftables.plugins.module_utils._host.nft import find_nft
from ansible_collections.palisade.nftables.plugins.module_utils._host.persistence import Mode
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import Program, build_program
from lab import classbench
from lab.namespaces import Lab

from .figures import BenchmarkError, Figure, Outcome, Say, processor_time
from .policies import policy_of
from .sets import variables_of, why_not_measured

_RULES = 10000

#: Where in a policy the changed rule stands.
_PLACES = (0.01, 0.5, 0.99)

#: What somebody types on a host in a hurry.
_BY_HAND = "insert rule inet palisade input ip saddr 203.0.113.0/24 tcp dport 8443 accept"

#: Sets of which a table is edited: of each kind one.
_EDITED_SETS = ("acl1_10k", "fw1_10k", "ipc1_10k")

#: Seconds.
_MOST = 5

_COLUMNS = ("policy", "changed", "processor time", "groups", "rules undecided")

_Variables = t.Dict[str, t.Any]


class Told(t.NamedTuple):
    """One change: seconds of processor time, and what was told about it."""

    title: str
    change: str
    seconds: float
    groups: int
    undecided: int
    note: str = ""

    def row(self) -> str:
        """A row of the table."""
        return "| %s | %s | %.2f s | %d | %d |" % (self.title, self.change, self.seconds, self.groups, self.undecided)


def measure(say: Say, names: t.Sequence[str] = ()) -> Outcome:
    """10,000 generated rules, and the sets of 10,000, or those named.

    Raises:
        BenchmarkError: What was changed was not told.
    """
    absent = why_not_measured()
    sets = () if absent else names or classbench.names("10k")
    changed = [told for title, variables in _policies(sets) for told in _change(title, variables, say)]
    edited_sets = [one for one in sets if names or one in _EDITED_SETS]
    edited = [_edit(title, variables, say) for title, variables in _policies(edited_sets)]
    lines = ["| %s |" % " | ".join(_COLUMNS), "|%s" % ("---|" * len(_COLUMNS)), *(one.row() for one in changed)]
    lines += [one.row() for one in edited]
    notes = dict.fromkeys(one.note for one in edited)
    lines += ["", *("Of edited tables it is said: %s." % note for note in notes), *absent]
    rule, hand = "difference, one rule of 10,000", "difference, table of 10,000 rules edited by hand"
    return Outcome(
        lines,
        [
            Figure(rule + ": slowest", max(one.seconds for one in changed), "s", _MOST),
            Figure(rule + ": most rules undecided", max(one.undecided for one in changed), "", 0, "%.0f"),
            Figure(hand + ": slowest", max(one.seconds for one in edited), "s", form="%.1f"),
            Figure(hand + ": most rules undecided", max(one.undecided for one in edited), "", 0, "%.0f"),
        ],
    )


def _policies(sets: t.Iterable[str]) -> t.Iterator[t.Tuple[str, _Variables]]:
    yield "%d rules" % _RULES, policy_of(_RULES)
    for name in sets:
        yield name, variables_of(name)


def _program(variables: _Variables) -> Program:
    return build_program(parse_firewall(variables))


def _change(title: str, variables: _Variables, say: Say) -> t.Iterator[Told]:
    """One rule acts otherwise, at several places in turn."""
    before = _program(variables)
    for place in _PLACES:
        after = _program(_with_other_action(variables, place))
        seconds, told = processor_time(functools.partial(_compare, before, after))
        say("  %s, rule at %.0f %%: %.2f s, %d groups" % (title, place * 100, seconds, len(told["groups"])))
        yield Told(
            title,
            "a rule, at %.0f %%" % (place * 100),
            seconds,
            len(told["groups"]) + told["more"],
            len(told["undecided"]),
        )


def _compare(before: Program, after: Program) -> t.Dict[str, t.Any]:
    return difference_to_plain(find_difference(ProgramMeaning(before), ProgramMeaning(after)))


def _with_other_action(variables: _Variables, place: float) -> _Variables:
    found = copy.deepcopy(variables)
    rules = [rule for policy in found["firewall_policies"].values() for rule in policy["rules"]]
    rule = rules[int(len(rules) * place)]
    rule["action"] = "drop" if rule["action"] == "accept" else "accept"
    return found


def _edit(title: str, variables: _Variables, say: Say) -> Told:
    """Loads the policy as a run does, adds a rule by hand, and asks what is to change."""
    with Lab() as lab, tempfile.TemporaryDirectory(prefix="palisade-difference-") as root:
        for folder in ("etc", "run"):
            (pathlib.Path(root) / folder).mkdir()
        host = lab.host("host")
        asked = options.Options(variables=variables, persist=Mode.FALSE, diff=False)
        host.call(apply.run, asked, options.Host(root))
        host.nft(_BY_HAND)
        firewall = parse_firewall(variables)
        program = build_program(firewall)
        table = compile_program(program, layout=firewall.layout, counters=firewall.counters)
        seconds, told = host.call(_ask, root, program, table)
    if not told["note"]:
        raise BenchmarkError("%s: that the table was edited was not noticed" % title)
    say("  %s, edited by hand: %.1f s, %d groups" % (title, seconds, len(told["groups"])))
    return Told(
        title,
        "by hand: a rule before all others",
        seconds,
        len(told["groups"]) + told["more"],
        len(told["undecided"]),
        told["note"],
    )


def _ask(root: str, wanted: Program, table: Table) -> t.Tuple[float, t.Dict[str, t.Any]]:
    nft = find_nft()
    held = read_live().table
    return processor_time(lambda: describe_meaning(Files(root), nft, held, wanted, table))
