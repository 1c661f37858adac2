# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""What was seen of a host beside what its policies say, and where a difference probably comes from.

What a stranger sees is not the verdict: a port that is open and that nobody listens on answers as one that a firewall
resets, and silence over UDP says nothing. Only what cannot be under the expected verdict is a difference.
"""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass, replace

from .._core.addresses import format_address
from .._policy.model import Action
from .asking import Question
from .expecting import Expectation

_THROUGH = ("connected", "answered")
_NOTHING = ("filtered", "silent")
_ERROR = "error"
_OUTCOMES = (*_THROUGH, *_NOTHING, "refused", "unreachable", _ERROR)


class Result(enum.Enum):
    """How what was seen stands to what was expected."""

    AS_EXPECTED = "as expected"
    DIFFERENT = "different"
    UNCLEAR = "cannot be told"
    NOT_ASKED = "not asked"


class Layer(enum.Enum):
    """What probably makes the difference."""

    ASKING_HOST = "the asking host"
    HOST_POLICY = "host policy"
    OTHER_TABLE = "another table of the host"
    UPSTREAM = "a provider or router upstream"
    UNKNOWN = "unknown"


class Seen(t.NamedTuple):
    """An answer of the module ``probe``.

    Attributes:
        icmp, icmp_sender: Of the ICMP error; empty where none came.
        here: Whether the packet did not leave the host that asked.
    """

    outcome: str
    detail: str = ""
    icmp: str = ""
    icmp_sender: str = ""
    here: bool = False
    source: str = ""
    source_port: t.Optional[int] = None

    @classmethod
    def from_plain(cls, data: object) -> Seen:
        """An answer, taken key by key, because it comes from a host; what is none is an error."""
        said = data if isinstance(data, dict) else {}
        icmp = said.get("icmp")
        icmp = icmp if isinstance(icmp, dict) else {}
        outcome, port = said.get("outcome"), said.get("source_port")
        return cls(
            outcome=outcome if isinstance(outcome, str) and outcome in _OUTCOMES else _ERROR,
            detail=str(said.get("detail") or ""),
            icmp=str(icmp.get("name") or ""),
            icmp_sender=str(icmp.get("sender") or ""),
            here=bool(said.get("here")),
            source=str(said.get("source") or ""),
            source_port=port if isinstance(port, int) and 0 < port < 65536 else None,
        )


class Other(t.NamedTuple):
    """A chain of another table that refuses the packet.

    Attributes:
        name: With its table, hook and priority.
        is_known: False: it has rules that were not understood, and may refuse the packet.
    """

    name: str
    is_known: bool = True

    def __str__(self) -> str:
        return "%s %s" % (self.name, "refuses it" if self.is_known else "may refuse it")


class Looked(t.NamedTuple):
    """What one of the two hosts said about the packet while it was asked again.

    Attributes:
        role: ``sender`` or ``receiver``.
        wanted, wanted_origin: The verdict of its variables, with what its safeguards find out there.
        live, live_origin: The verdict of what its kernel holds.
        equal: Whether the kernel holds what the variables say.
        counter: What counts the packet there; empty where nothing does.
        counted: How many packets it counted meanwhile.
        asked: How many questions should have moved it, TCP's several tries counting as one.
        before, behind: What else refuses the packet, by whether it meets that before our rules.
    """

    role: str
    host: str
    wanted: str
    wanted_origin: str
    live: str
    live_origin: str
    equal: bool
    counter: str = ""
    counted: int = 0
    asked: int = 1
    before: t.Tuple[Other, ...] = ()
    behind: t.Tuple[Other, ...] = ()

    @property
    def arrived(self) -> t.Optional[bool]:
        """Whether the packets met our rules; None where the counter does not say."""
        if not self.counter:
            return None
        if not self.counted:
            return False
        return True if self.asked == 1 else None


@dataclass(frozen=True)
class Row:
    """One question and what came of it.

    Attributes:
        sender: Who asked, by name.
        expectation: None where nothing was asked.
        expected: ``accept``, ``drop`` or ``reject``; empty where nothing was asked.
        note: What is to be said beside the result; may be empty.
        layer, because: Of a difference.
        is_served: As of :func:`judge`.
    """

    sender: str
    question: Question
    seen: Seen
    expectation: t.Optional[Expectation]
    expected: str
    result: Result
    note: str = ""
    layer: t.Optional[Layer] = None
    because: str = ""
    is_served: bool = False

    @property
    def address(self) -> str:
        return format_address(self.question.family, self.question.address)


def judge(
    sender: str, question: Question, seen: Seen, expectation: t.Optional[Expectation], *, is_served: bool = False
) -> Row:
    """What was seen beside what was expected.

    Args:
        is_served: Whether somebody is known to listen there, so that an open port would not be refused.
    """
    address = format_address(question.family, question.address)
    if seen.outcome == _ERROR or expectation is None:
        return Row(sender, question, seen, expectation, "", Result.NOT_ASKED, seen.detail)
    action = expectation.action
    result, note = _compare(action, seen, address, is_served=is_served)
    row = Row(sender, question, seen, expectation, action.value, result, note, is_served=is_served)
    return _first_guess(row) if result is Result.DIFFERENT else row


def _compare(action: Action, seen: Seen, address: str, *, is_served: bool) -> t.Tuple[Result, str]:
    if action is Action.ACCEPT:
        if seen.outcome in _THROUGH:
            return Result.AS_EXPECTED, ""
        if seen.outcome == "refused" and is_served:
            return Result.DIFFERENT, "somebody listens there"
        if seen.outcome == "refused":
            return Result.AS_EXPECTED, "open, and nobody listens"
        if seen.outcome == "silent" and not seen.here:
            return Result.UNCLEAR, "a server need not answer over UDP"
        return Result.DIFFERENT, ""
    if seen.outcome in _THROUGH:
        return Result.DIFFERENT, ""
    if action is Action.DROP and seen.outcome == "refused":
        return Result.DIFFERENT, "an open port without a listener answers so"
    if seen.outcome == "unreachable" and action is Action.DROP:
        return Result.AS_EXPECTED, "refused with %s by %s" % (seen.icmp or "an ICMP error", seen.icmp_sender or address)
    if seen.outcome in _NOTHING and action is Action.REJECT:
        return Result.AS_EXPECTED, "refused, and the refusal did not come back"
    return Result.AS_EXPECTED, ""


def _first_guess(row: Row) -> Row:
    """Where the difference comes from, as far as that shows without a look at the hosts."""
    seen = row.seen
    if seen.here:
        return replace(row, layer=Layer.ASKING_HOST, because=seen.detail)
    if seen.icmp_sender not in ("", row.address):
        return replace(
            row, layer=Layer.UPSTREAM, because="%s, on the way, answers with %s" % (seen.icmp_sender, seen.icmp)
        )
    return replace(row, layer=Layer.UNKNOWN, because="nobody looked at the host while it was asked")


def look_closer(row: Row, looked: t.Sequence[Looked]) -> Row:
    """The same with what the hosts said.

    Args:
        row: A difference, or what cannot be told.
        looked: In the order of the way; those of hosts that said nothing are missing.
    """
    receiver = next((one for one in looked if one.role == "receiver"), None)
    if row.expectation is None or not looked:
        return row
    known = _with_facts(row, looked)
    if known.result is Result.AS_EXPECTED:
        return known
    if known.result is Result.UNCLEAR:
        return known if receiver is None else _tell_silence(known, receiver)
    if row.layer not in (Layer.UNKNOWN, None):
        return known
    drifted = _drifted(known, looked)
    if drifted is not None:
        return drifted
    if receiver is None:
        return known
    return _missing(known, receiver) if known.expected == "accept" else _unwanted(known, receiver)


def _with_facts(row: Row, looked: t.Sequence[Looked]) -> Row:
    """What the safeguards of a host find out there counts as well."""
    expectation = row.expectation
    if expectation is None or expectation.deciding.is_answer:
        return row
    # Where all accept it, the host is named that would have refused it by its variables alone.
    refused = next((one for one in looked if one.role == expectation.deciding.host), looked[-1])
    deciding = next((one for one in looked if one.wanted != "accept"), refused)
    hosts = {leg.host for leg in expectation.legs}
    if deciding.wanted == row.expected or hosts != {one.role for one in looked}:
        return row
    result, note = _compare(Action(deciding.wanted), row.seen, row.address, is_served=row.is_served)
    said = "%s on %s" % (deciding.wanted_origin or "a safeguard", deciding.host)
    return replace(row, expected=deciding.wanted, result=result, note=note or "decided by %s" % said)


def _tell_silence(row: Row, receiver: Looked) -> Row:
    if receiver.arrived:
        return replace(row, result=Result.AS_EXPECTED, note="no answer, but %s counted it" % receiver.counter)
    if receiver.arrived is None:
        return row
    return _missing(replace(row, result=Result.DIFFERENT, note=""), receiver)


def _drifted(row: Row, looked: t.Sequence[Looked]) -> t.Optional[Row]:
    for one in looked:
        if one.equal or one.live == one.wanted:
            continue
        explains = one.live == "accept" if row.expected != "accept" else one.live in ("drop", "reject")
        if explains:
            origin = one.live_origin or "no rule"
            return replace(
                row,
                layer=Layer.HOST_POLICY,
                because="the live ruleset of %s is not the wanted one: %s, by %s. See the playbook plan"
                % (one.host, one.live, origin),
            )
    return None


def _missing(row: Row, receiver: Looked) -> Row:
    """The policies accept it, and no answer, or a refusal, came."""
    itself = row.seen.outcome == "unreachable"
    unseen = "a chain that nft does not show" if itself else ""
    if receiver.arrived:
        chains = _listed(receiver.behind) or unseen
        reason = "our rules accepted it on %s (%s)" % (receiver.host, _count(receiver))
        if chains:
            return _blame(row, Layer.OTHER_TABLE, "%s, and behind them %s" % (reason, chains))
        return _blame(row, Layer.UPSTREAM, "%s, and the answer got lost on its way back" % reason)
    if receiver.arrived is False:
        chains = _listed(receiver.before) or unseen
        reason = "it did not reach our rules on %s (%s)" % (receiver.host, _count(receiver))
        if chains:
            return _blame(row, Layer.OTHER_TABLE, "%s, and before them %s" % (reason, chains))
        return _blame(row, Layer.UPSTREAM, reason)
    return _unsure(row, receiver)


def _unwanted(row: Row, receiver: Looked) -> Row:
    """The policies refuse it, and something answered."""
    if receiver.arrived is False:
        reason = "it did not reach our rules on %s (%s)" % (receiver.host, _count(receiver))
        if receiver.before:
            return _blame(row, Layer.OTHER_TABLE, "%s, and before them %s" % (reason, _listed(receiver.before)))
        return _blame(
            row,
            Layer.UPSTREAM,
            "%s: something else answers for the address, or it arrives on an interface that is not filtered" % reason,
        )
    if receiver.arrived:
        reason = "our rules refused such a packet on %s (%s)" % (receiver.host, _count(receiver))
        return _blame(row, Layer.UPSTREAM, "%s, so something else answers for the address" % reason)
    return _unsure(row, receiver)


def _unsure(row: Row, receiver: Looked) -> Row:
    chains = (*receiver.before, *receiver.behind)
    reason = "whether it reached our rules on %s is not known (%s)" % (receiver.host, _count(receiver))
    if row.expected == "accept" and any(one.is_known for one in chains):
        return _blame(row, Layer.OTHER_TABLE, "%s; %s" % (reason, _listed(chains)))
    return _blame(row, Layer.UNKNOWN, "%s; %s" % (reason, _listed(chains) or "no other table refuses it there"))


def _count(receiver: Looked) -> str:
    if not receiver.counter:
        return "nothing counts it there"
    if receiver.asked == 1:
        return "the counter %s moved by %d" % (receiver.counter, receiver.counted)
    return "the counter %s moved by %d for %d questions" % (receiver.counter, receiver.counted, receiver.asked)


def _listed(chains: t.Sequence[Other]) -> str:
    return ", ".join(str(one) for one in chains)


def _blame(row: Row, layer: Layer, because: str) -> Row:
    return replace(row, layer=layer, because=because)
