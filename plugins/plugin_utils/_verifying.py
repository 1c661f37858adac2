# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection and can change without notice.

"""What hosts answered, as Ansible registered it, put beside what the policies say."""

from __future__ import annotations

import collections
import typing as t

from ..module_utils._analysis.asking import Listener, Question
from ..module_utils._analysis.expecting import Expectation, expect, request_packets
from ..module_utils._analysis.explain import packet_to_plain
from ..module_utils._analysis.verifying import Looked, Other, Result, Row, Seen, judge, look_closer
from ..module_utils._analysis.walk import UNKNOWN
from ..module_utils._core.addresses import parse_address
from ..module_utils._policy.model import Action
from ..module_utils._policy.packet import Packet
from ..module_utils._policy.program import Program

#: Rows that are asked again while the hosts are looked at, and how many times that is done: a rule has one counter,
#: so what two questions of one rule moved is told apart only one after the other.
_MOST_DOUBTS = 40
_MOST_ROUNDS = 5

_VERDICTS = [action.value for action in Action]

#: What the playbook calls the item of a loop over senders, and over hosts that are looked at.
SENDER, LOOKED_AT = "palisade_sender", "palisade_looked_at"


class Programs(t.Protocol):
    """The program of a host by its name in the inventory; None where it has no firewall."""

    def __call__(self, host: str) -> t.Optional[Program]: ...


class Doubt(t.NamedTuple):
    """A row to be asked again.

    Attributes:
        number: Of the row.
        packets: The first packet as each host sees it, by the name of the host.
    """

    number: int
    row: Row
    packets: t.Mapping[str, Packet]


class Round(t.NamedTuple):
    """What Ansible registered while some doubts were asked again.

    Attributes:
        again: Results of the module ``probe``, one for each sender.
        before, after: What the hosts said, one result for each.
    """

    again: t.Sequence[t.Mapping[str, t.Any]]
    before: t.Sequence[t.Mapping[str, t.Any]]
    after: t.Sequence[t.Mapping[str, t.Any]]


class Verification:
    """The rows of one host.

    Args:
        host: Whose firewall is verified.
        questions: What was asked, in the order of every sender's answers.
        seen_as: Addresses that the host sees instead of those that the senders have, by family.
        listeners: Who is known to listen on the host.
    """

    def __init__(
        self,
        host: str,
        questions: t.Sequence[Question],
        programs: Programs,
        seen_as: t.Mapping[int, int],
        listeners: t.Sequence[Listener] = (),
    ) -> None:
        self._listeners = listeners
        self._host = host
        self._questions = questions
        self._programs = programs
        self._seen_as = seen_as
        self.rows: t.List[Row] = []
        self.silent_senders: t.Dict[str, str] = {}

    def judge(self, registered: t.Iterable[t.Mapping[str, t.Any]]) -> None:
        """Takes the results of the module ``probe``, one for each sender."""
        for result in registered:
            sender = str(result.get(SENDER, "localhost"))
            answers = result.get("answers")
            if not isinstance(answers, list) or len(answers) != len(self._questions):
                self.silent_senders[sender] = str(result.get("msg") or "it did not ask")
                continue
            for question, answer in zip(self._questions, answers):
                self.rows.append(self._judge_one(sender, question, answer))

    def _judge_one(self, sender: str, question: Question, answer: object) -> Row:
        seen = Seen.from_plain(answer)
        is_served = any(listener.serves(question) for listener in self._listeners)
        return judge(sender, question, seen, self._expect(sender, question, seen), is_served=is_served)

    def _expect(self, sender: str, question: Question, seen: Seen) -> t.Optional[Expectation]:
        source = self._source(question, seen)
        receiver = self._programs(self._host)
        if source is None or receiver is None:
            return None
        return expect(question, source, seen.source_port, self._programs(sender), receiver)

    def _source(self, question: Question, seen: Seen) -> t.Optional[int]:
        if question.family in self._seen_as:
            return self._seen_as[question.family]
        try:
            family, source = parse_address(seen.source)
        except ValueError:
            return None
        return source if family == question.family else None

    def _rounds(self) -> t.List[t.List[Doubt]]:
        """What differs or cannot be told, up to a number; in a round, one question of a rule as far as that goes."""
        rounds: t.List[t.List[Doubt]] = []
        asked: t.Dict[str, int] = collections.Counter()
        for number, row in enumerate(self.rows):
            if row.result in (Result.DIFFERENT, Result.UNCLEAR) and sum(asked.values()) < _MOST_DOUBTS:
                packets = self._packets(row)
                rule = _rule_at(row, "receiver")
                position = min(asked[rule], _MOST_ROUNDS - 1)
                asked[rule] += 1
                if position == len(rounds):
                    rounds.append([])
                rounds[position].append(Doubt(number, row, packets))
        return rounds

    def _packets(self, row: Row) -> t.Dict[str, Packet]:
        source = self._source(row.question, row.seen)
        receiver = self._programs(self._host)
        if source is None or receiver is None:
            return {}
        sender = self._programs(row.sender)
        names = {"sender": row.sender, "receiver": self._host}
        found = request_packets(row.question, source, row.seen.source_port, sender, receiver)
        return {names[role]: packet for role, packet in found}

    # Asking again

    def rounds(self) -> t.List[t.Dict[str, t.Any]]:
        """``asks``, ``{sender, targets}`` each, and ``looks``, ``{host, packets}`` each, for every round."""
        return [{"asks": _asks(doubts), "looks": _looks(doubts)} for doubts in self._rounds()]

    def look_closer(self, registered: t.Sequence[Round]) -> None:
        """Takes what was answered again and what the hosts said; replaces the doubtful rows."""
        for doubts, one in list(zip(self._rounds(), registered)):
            looked = self._looked(doubts, one)
            answers = _by(SENDER, one.again)
            asked: t.Dict[str, int] = collections.Counter()
            for doubt in doubts:
                row = doubt.row
                listed = answers.get(row.sender, {}).get("answers")
                position = asked[row.sender]
                asked[row.sender] += 1
                if isinstance(listed, list) and position < len(listed):
                    again = self._judge_one(row.sender, row.question, listed[position])
                    # Who cannot ask a second time has still seen what it saw.
                    row = row if again.result is Result.NOT_ASKED else again
                if row.result in (Result.DIFFERENT, Result.UNCLEAR):
                    row = look_closer(row, looked.get(doubt.number, ()))
                self.rows[doubt.number] = row

    def _looked(self, doubts: t.Sequence[Doubt], one: Round) -> t.Dict[int, t.List[Looked]]:
        """By the number of the row, what the hosts on the way said."""
        before, after = _by(LOOKED_AT, one.before), _by(LOOKED_AT, one.after)
        asked: t.Dict[t.Tuple[str, str], int] = collections.Counter()
        said: t.Dict[t.Tuple[int, str], t.Mapping[str, t.Any]] = {}
        for host, packets in _looked_at(doubts).items():
            answers = before.get(host, {}).get("answers")
            if not isinstance(answers, list) or len(answers) != len(packets) or "counters" not in after.get(host, {}):
                continue
            for number, answer in zip(packets, answers):
                if isinstance(answer, dict) and answer.get("wanted") in _VERDICTS:
                    said[number, host] = answer
                    asked[host, _text(answer, "counter")] += 1
        found: t.Dict[int, t.List[Looked]] = {}
        for doubt in doubts:
            for host in doubt.packets:
                if (doubt.number, host) not in said:
                    continue
                answer = said[doubt.number, host]
                role = "receiver" if host == self._host else "sender"
                found.setdefault(doubt.number, []).append(
                    _one_look(role, host, answer, (before[host], after[host]), asked[host, _text(answer, "counter")])
                )
        return found


def _rule_at(row: Row, role: str) -> str:
    """The rule that decides the first packet at one of the hosts."""
    legs = () if row.expectation is None else row.expectation.legs
    return next((str(leg.decision.origin) for leg in legs if leg.host == role and not leg.is_answer), "")


def _asks(doubts: t.Iterable[Doubt]) -> t.List[t.Dict[str, t.Any]]:
    found: t.Dict[str, t.List[t.Dict[str, t.Any]]] = {}
    for doubt in doubts:
        found.setdefault(doubt.row.sender, []).append(doubt.row.question.to_target())
    return [{"sender": sender, "targets": targets} for sender, targets in found.items()]


def _looks(doubts: t.Iterable[Doubt]) -> t.List[t.Dict[str, t.Any]]:
    return [
        {"host": host, "packets": [packet_to_plain(packet) for packet in packets.values()]}
        for host, packets in _looked_at(doubts).items()
    ]


def _looked_at(doubts: t.Iterable[Doubt]) -> t.Dict[str, t.Dict[int, Packet]]:
    """By host, the packets of the doubts by the number of their row."""
    found: t.Dict[str, t.Dict[int, Packet]] = {}
    for doubt in doubts:
        for host, packet in doubt.packets.items():
            found.setdefault(host, {})[doubt.number] = packet
    return found


def _one_look(
    role: str,
    host: str,
    answer: t.Mapping[str, t.Any],
    looks: t.Tuple[t.Mapping[str, t.Any], t.Mapping[str, t.Any]],
    asked: int,
) -> Looked:
    before, after = looks
    counter = _text(answer, "counter")
    others = answer.get("others")
    listed = [one for one in others if isinstance(one, dict)] if isinstance(others, list) else []
    return Looked(
        role=role,
        host=host,
        wanted=_text(answer, "wanted"),
        wanted_origin=_text(answer, "wanted_origin"),
        live=_text(answer, "live"),
        live_origin=_text(answer, "live_origin"),
        equal=before.get("equal") is True,
        counter=counter,
        counted=max(0, _packets(after, counter) - _packets(before, counter)),
        asked=asked,
        before=tuple(_other(one) for one in listed if one.get("before")),
        behind=tuple(_other(one) for one in listed if not one.get("before")),
    )


def _text(said: t.Mapping[str, t.Any], key: str) -> str:
    value = said.get(key)
    return value if isinstance(value, str) else ""


def _packets(said: t.Mapping[str, t.Any], counter: str) -> int:
    counters = said.get("counters")
    packets = counters.get(counter) if isinstance(counters, dict) else None
    return packets if isinstance(packets, int) else 0


def _other(one: t.Mapping[str, t.Any]) -> Other:
    return Other(_text(one, "chain"), is_known=_text(one, "verdict") != UNKNOWN)


def _by(key: str, registered: t.Iterable[t.Mapping[str, t.Any]]) -> t.Dict[str, t.Mapping[str, t.Any]]:
    """The results of a loop by the name of its item, which may be ``{sender: ...}`` or ``{host: ...}``."""
    found: t.Dict[str, t.Mapping[str, t.Any]] = {}
    for result in registered:
        item = result.get(key)
        name = (item.get("sender") or item.get("host")) if isinstance(item, dict) else item
        found[str(name)] = result
    return found


def read_addresses(texts: t.Iterable[object]) -> t.Dict[int, int]:
    """Addresses by family.

    Raises:
        ValueError: One is none.
    """
    found: t.Dict[int, int] = {}
    for text in texts:
        try:
            family, address = parse_address(str(text))
        except ValueError:
            raise ValueError("'%s' is not an address" % text) from None
        found[family] = address
    return found
