# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""A host looked at while somebody sends it packets: what its rules say of them, and what they counted so far."""

from __future__ import annotations

import json
import typing as t

from .._analysis.answer import read_question
from .._analysis.expecting import answer_to
from .._analysis.walk import Walk, walk
from .._compile.compile import compile_program
from .._nft.read import LiveRuleset, UnreadError, read_ruleset
from .._policy.evaluate import evaluate
from .._policy.model import Direction
from .._policy.packet import Packet
from .._policy.parse import parse_firewall
from .._policy.program import Program, build_program
from ._discovery.discover import discover
from .errors import HostError
from .kernel import WantedTable, compare
from .nft import Nft, find_nft
from .options import Host, Result
from .other_chains import OtherTables
from .persistence import RECORD


def observe(
    packets: t.Sequence[object],
    variables: t.Mapping[str, object],
    groups: t.Optional[t.Mapping[str, object]] = None,
    host: t.Optional[Host] = None,
) -> Result:
    """What the rules of this host make of the packets, and the state of its counters. Nothing is changed.

    Args:
        packets: In words or fields.

    Raises:
        PolicyError: The variables or a packet are wrong, with every problem.
        HostError: The host does not tell what it has.
    """
    where = host if host is not None else Host()
    nft = find_nft(where.search_path)
    firewall = parse_firewall(variables, groups=groups)
    program = build_program(firewall, discover(where.root))
    table = compile_program(program, layout=firewall.layout, counters=firewall.counters)
    comparison = compare(nft, WantedTable(table), where.files.read(RECORD))
    text = nft.list_rules_json() if comparison.held is not None else ""
    ruleset = _read(text) if comparison.held is not None else None
    others = OtherTables(_list_others(nft, comparison.holding.others))
    asked = [read_question(packet, program).packet for packet in packets]
    return {
        "equal": comparison.equal,
        "counters": _counters(text),
        "answers": [{**_answer(program, ruleset, packet), "others": list(_others(others, packet))} for packet in asked],
    }


def _read(text: str) -> LiveRuleset:
    if not text:
        raise HostError("nft on this host lists nothing as JSON; the live ruleset cannot be asked here")
    try:
        return read_ruleset(text)
    except UnreadError as exc:
        raise HostError("the live ruleset cannot be read: %s" % exc) from exc


def _answer(program: Program, ruleset: t.Optional[LiveRuleset], packet: Packet) -> t.Dict[str, t.Any]:
    decision = evaluate(program, packet)
    walked = Walk("accept") if ruleset is None else walk(ruleset, packet)
    return {
        "wanted": decision.action.value,
        "wanted_origin": str(decision.origin),
        "live": walked.verdict,
        "live_origin": walked.origin,
        "counter": walked.counters[-1] if walked.counters else "",
    }


def _others(tables: OtherTables, packet: Packet) -> t.Iterator[t.Dict[str, t.Any]]:
    """What else refuses the packet, or the one that answers it, which always comes behind."""
    for chain, verdict in tables.refusing(packet):
        yield {"chain": str(chain), "before": chain.comes_before, "verdict": verdict}
    if packet.direction is Direction.INGRESS:
        for chain, verdict in tables.refusing(answer_to(packet)):
            yield {"chain": str(chain), "before": False, "verdict": verdict}


def _counters(text: str) -> t.Dict[str, int]:
    """Packets of each named counter of our table."""
    found: t.Dict[str, int] = {}
    for item in json.loads(text)["nftables"] if text else ():
        counter = item.get("counter")
        if isinstance(counter, dict) and isinstance(counter.get("packets"), int):
            found[str(counter.get("name"))] = counter["packets"]
    return found


def _list_others(nft: Nft, names: t.Iterable[t.Tuple[str, str]]) -> t.Iterator[object]:
    for family, name in names:
        text = nft.list_json(family, name)
        try:
            decoded = json.loads(text or "{}")
        except ValueError:
            continue
        items = decoded.get("nftables") if isinstance(decoded, dict) else None
        yield from items if isinstance(items, list) else ()
