# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Many questions at once, within bounds: so many a second, so many under way, so long for each.

What a host refuses it may answer too seldom: Linux sends six ICMP errors at once to one address and then one a second
(icmp(7), icmp_ratelimit; XRLIM_BURST_FACTOR in net/ipv4/inetpeer.c). Where several came from one sender, questions that
it may have left without an answer for that reason are asked again, one a second.
"""

from __future__ import annotations

import collections
import heapq
import selectors
import time
import typing as t

from .attempt import Attempt
from .target import Answer, Outcome, Target

#: As TCP asks again for the first time (RFC 6298, section 2).
_AGAIN_SECONDS = 1.0

#: Less than a whole burst: who was asked a moment ago has less left.
_SEVERAL = 3
_PATIENT_SECONDS = 1.05
#: Of what one sender may have left without an answer.
_MOST_PATIENT = 30

_UNANSWERED = (Outcome.FILTERED, Outcome.SILENT)


class Pace(t.NamedTuple):
    """How it is asked.

    Attributes:
        seconds: How long an answer may take.
        at_once: The most questions under way.
        rate: The most new questions in a second.
    """

    seconds: float = 3.0
    at_once: int = 64
    rate: float = 100.0


def probe(targets: t.Sequence[Target], pace: Pace) -> t.List[Answer]:
    """What came of each, in order."""
    answers = _ask({number: number / pace.rate for number in range(len(targets))}, targets, pace)
    again = _ask(_patiently(targets, answers), targets, pace)
    for number, answer in again.items():
        tries = answers[number].tries + answer.tries
        answers[number] = answer._replace(tries=tries)
    return [answers[number] for number in range(len(targets))]


def _ask(starts: t.Mapping[int, float], targets: t.Sequence[Target], pace: Pace) -> t.Dict[int, Answer]:
    """Asks those, each so many seconds from now at the earliest."""
    with _Asking(targets, pace) as asking:
        return asking.run(starts)


def _patiently(targets: t.Sequence[Target], answers: t.Mapping[int, Answer]) -> t.Dict[int, float]:
    """When to ask again what a sender of ICMP errors may have kept back."""
    errors: t.Dict[str, int] = collections.Counter()
    spoke: t.Dict[str, t.Set[str]] = collections.defaultdict(set)
    for number, answer in answers.items():
        if answer.icmp is not None:
            errors[answer.icmp.sender] += 1
            spoke[answer.icmp.sender].add(targets[number].address)
    starts: t.Dict[int, float] = {}
    for sender, count in errors.items():
        kept = [
            number
            for number, answer in answers.items()
            if answer.outcome in _UNANSWERED and not answer.here and targets[number].address in spoke[sender]
        ]
        for position, number in enumerate(kept[:_MOST_PATIENT] if count >= _SEVERAL else ()):
            starts.setdefault(number, (1 + position) * _PATIENT_SECONDS)
    return starts


class _Asking:
    """Questions under way."""

    def __init__(self, targets: t.Sequence[Target], pace: Pace) -> None:
        self._targets = targets
        self._pace = pace
        self._selector = selectors.DefaultSelector()
        self._active: t.Dict[int, Attempt] = {}
        self._registered: t.Set[int] = set()
        #: When to look at a question again, by the monotonic clock.
        self._alarms: t.List[t.Tuple[float, int]] = []

    def __enter__(self) -> _Asking:
        return self

    def __exit__(self, *_exception: object) -> None:
        for attempt in self._active.values():
            attempt.close()
        self._selector.close()

    def run(self, starts: t.Mapping[int, float]) -> t.Dict[int, Answer]:
        begun = time.monotonic()
        waiting = collections.deque(sorted((begun + delay, number) for number, delay in starts.items()))
        answers: t.Dict[int, Answer] = {}
        while waiting or self._active:
            now = time.monotonic()
            while waiting and waiting[0][0] <= now and len(self._active) < self._pace.at_once:
                self._start(waiting.popleft()[1])
            self._look_again(now)
            answers.update(self._finished())
            if not waiting and not self._active:
                break
            for key, _events in self._selector.select(self._pause(waiting)):
                self._active[key.data].read()
            answers.update(self._finished())
        return answers

    def _start(self, number: int) -> None:
        attempt = Attempt(self._targets[number], number)
        self._active[number] = attempt
        attempt.begin()
        if attempt.answer is None:
            self._selector.register(attempt.opened, attempt.event, number)
            self._registered.add(number)
            self._set_alarm(attempt)

    def _set_alarm(self, attempt: Attempt) -> None:
        end = attempt.begun + self._pace.seconds
        after = time.monotonic() + _AGAIN_SECONDS
        heapq.heappush(self._alarms, (min(end, after) if attempt.is_repeated else end, attempt.number))

    def _look_again(self, now: float) -> None:
        while self._alarms and self._alarms[0][0] <= now:
            _when, number = heapq.heappop(self._alarms)
            attempt = self._active.get(number)
            if attempt is None or attempt.answer is not None:
                continue
            if now >= attempt.begun + self._pace.seconds:
                # What came while nobody looked counts.
                attempt.read()
                attempt.give_up()
                continue
            attempt.ask()
            if attempt.answer is None:
                self._set_alarm(attempt)

    def _pause(self, waiting: t.Sequence[t.Tuple[float, int]]) -> t.Optional[float]:
        """How long nothing needs to be done unless a packet comes."""
        due = [self._alarms[0][0]] if self._alarms else []
        if waiting and len(self._active) < self._pace.at_once:
            due.append(waiting[0][0])
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _finished(self) -> t.Iterator[t.Tuple[int, Answer]]:
        """Takes out what is answered."""
        for number, attempt in list(self._active.items()):
            if attempt.answer is None:
                continue
            del self._active[number]
            if number in self._registered:
                self._registered.remove(number)
                self._selector.unregister(attempt.opened)
            attempt.close()
            yield number, attempt.answer
