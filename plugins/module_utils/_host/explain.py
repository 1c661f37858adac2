# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""A packet asked twice on a host: what its variables say, with what was found out here, and what its kernel does."""

from __future__ import annotations

import typing as t

from .._analysis.answer import answer, read_question
from .._analysis.walk import UNKNOWN, Walk, walk
from .._compile.compile import compile_program
from .._nft.read import LiveRuleset, UnreadError, read_ruleset
from .._policy.parse import parse_firewall
from .._policy.program import Program, build_program
from ._discovery.discover import discover
from .errors import HostError
from .kernel import WantedTable, compare
from .nft import Nft, find_nft
from .options import Host, Result
from .persistence import RECORD


class Question(t.NamedTuple):
    """What is asked.

    Attributes:
        packet: Words or fields.
        variables, groups: As of :class:`.options.Options`.
        own_addresses: See :func:`.._analysis.packet_fields.read_packet`.
        definers: See :func:`.._analysis.answer.answer`.
    """

    packet: object
    variables: t.Mapping[str, object]
    groups: t.Optional[t.Mapping[str, object]] = None
    own_addresses: t.Mapping[int, int] = {}
    definers: t.Mapping[str, str] = {}


def explain_live(question: Question, host: t.Optional[Host] = None) -> Result:
    """The answer of the variables, and under ``live`` that of the kernel. Nothing is changed.

    Raises:
        PolicyError: The variables or the packet are wrong, with every problem.
        HostError: The host does not tell what it has.
    """
    where = host if host is not None else Host()
    nft = find_nft(where.search_path)
    firewall = parse_firewall(question.variables, groups=question.groups)
    program = build_program(firewall, discover(where.root))
    result = answer(question.packet, program, question.variables, question.own_addresses, question.definers)
    table = compile_program(program, layout=firewall.layout, counters=firewall.counters)
    comparison = compare(nft, WantedTable(table), where.files.read(RECORD))
    if comparison.held is None:
        walked: t.Optional[Walk] = None
    else:
        given = read_question(question.packet, program, question.own_addresses)
        walked = walk(_listed(nft), given.packet)
    live = _live(program, walked, str(result["verdict"]), equal=comparison.equal)
    result["live"] = live
    result["warnings"] = [live["warning"]] if live["warning"] else []
    result["text"] = "%s\n%s" % (result["text"], "\n".join(_lines(live)))
    return result


def _listed(nft: Nft) -> LiveRuleset:
    text = nft.list_rules_json()
    if not text:
        raise HostError("nft on this host lists nothing as JSON; the live ruleset cannot be asked here")
    try:
        return read_ruleset(text)
    except UnreadError as exc:
        raise HostError("the live ruleset cannot be read: %s" % exc) from exc


def _live(program: Program, walked: t.Optional[Walk], wanted: str, *, equal: bool) -> t.Dict[str, t.Any]:
    verdict = "accept" if walked is None else walked.verdict
    origin = "" if walked is None else walked.origin
    return {
        "verdict": verdict,
        "origin": origin,
        "variable": _variable_of(program, origin),
        "passed": [] if walked is None else [one._asdict() for one in walked.passed],
        "reason": "there is no table" if walked is None else walked.reason,
        "equal": equal,
        "warning": _warning(verdict, wanted, there=walked is not None, equal=equal),
    }


def _variable_of(program: Program, origin: str) -> str:
    """The variable of the policy rule, where the wanted ruleset has one of that name too."""
    for chain in (program.ingress, program.egress):
        for step in chain.steps:
            if origin and str(step.rule.origin) == origin:
                return step.rule.origin.variable
    return ""


def _warning(verdict: str, wanted: str, *, there: bool, equal: bool) -> str:
    if equal:
        # Both mean the same; if they do not, one of the two readings is wrong, and that has to be seen.
        if verdict in (wanted, UNKNOWN):
            return ""
        return "the live ruleset is the wanted one, and yet the packet's verdict differs: %s and %s" % (verdict, wanted)
    if not there:
        return "the host has no ruleset of ours: the policies are not in force there"
    if verdict == wanted:
        return "the live ruleset is not the wanted one, although this packet gets the same verdict; see the plan"
    return "the live ruleset is not the wanted one: this packet's verdict is %s there, and %s is wanted" % (
        verdict,
        wanted,
    )


def _lines(live: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    origin = live["origin"] or "no rule"
    if live["variable"]:
        origin = "%s of %s" % (origin, live["variable"])
    yield "live: %s, %s" % (live["verdict"], live["reason"] or "by %s" % origin)
    yield "  %s" % (live["warning"] or "the live ruleset is the wanted one")
