# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Policy tests: whether what an operator wants to be so is so, for every packet, or which packet shows that it is not.

Nothing is sampled. An assertion is a question about regions, and :class:`.decided.DecidedChain` answers it exactly;
the reference evaluator has the last word about each counterexample.
"""

from __future__ import annotations

import dataclasses
import enum
import typing as t

from .._compile._auto.overlap import Bits
from .._compile.lower import lower
from .._core.collector import garbage_kept
from .._core.intervals import IntervalSet
from .._policy.assertions import Assertion, Expectation, Quantifier
from .._policy.evaluate import Decision, evaluate
from .._policy.hostfacts import HostFacts, Server
from .._policy.model import Action, Direction, Firewall, Stage
from .._policy.packet import Packet
from .._policy.program import Program, build_program
from .assertion_space import Space, Subject, space_of
from .decided import DecidedChain
from .first_matches import DEFAULT_BUDGET, Undecided
from .packet_fields import filtered_interface
from .regions import DESTINATION, SOURCE, Region, family_of, intervals_of

#: Where the clouds that cloud-init knows have their metadata.
_METADATA = (
    "169.254.169.254",
    "169.254.42.42",
    "fd00:42::42",
    "fd00:a9fe:a9fe::1",
    "fd00:c1::a9fe:a9fe",
    "fd00:ec2::254",
    "fe80::a9fe:a9fe",
)

#: What safeguards in mode ``auto`` may find on a host at most: the usual ports, anywhere. Without a look at the host
#: nobody knows, so what depends on it is proven neither way.
_MOST_FOUND = HostFacts(
    dns_servers=(Server(None, 53, ("udp", "tcp")), Server(None, 853, ("tcp",))),
    ntp_servers=(Server(None, 123, ("udp",)), Server(None, 4460, ("tcp",))),
    dhcp4=True,
    dhcp6=True,
    metadata_servers=tuple(Server(address, 80, ("tcp",)) for address in _METADATA),
)


class Status(enum.Enum):
    """How a test ended."""

    OK = "ok"
    FAILED = "FAILED"
    SKIPPED = "skipped"


class Cause(enum.Enum):
    """Why a test did not end well."""

    NONE = ""
    #: It is not about this host.
    ELSEWHERE = "elsewhere"
    #: A packet gets another verdict; or, of ``any``, none gets the wanted one.
    VERDICT = "verdict"
    #: What a safeguard finds on the host decides.
    SAFEGUARD = "safeguard"
    #: Too many steps.
    UNDECIDED = "undecided"
    #: The kernel gives a packet another verdict than the evaluator.
    KERNEL = "kernel"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of one assertion.

    Attributes:
        reason: In words, where it is not ``OK``.
        packet: A counterexample; of ``any``, one of the packets, or where it is ``OK`` the one that was found.
        decision: What happens to the packet.
        safeguard: Key of ``firewall_safeguards``, where one decides.
        kernel: What was seen of the kernel; empty where it was not asked.
    """

    assertion: Assertion
    status: Status
    cause: Cause = Cause.NONE
    reason: str = ""
    packet: t.Optional[Packet] = None
    decision: t.Optional[Decision] = None
    safeguard: str = ""
    kernel: str = ""


@garbage_kept()
def run_policy_tests(
    firewall: Firewall, subject: Subject, facts: t.Optional[HostFacts] = None, *, budget: int = DEFAULT_BUDGET
) -> t.List[Outcome]:
    """The outcomes of a firewall's tests, in their order.

    Args:
        facts: What was found out on the host; without it safeguards in mode ``auto`` may let through what the
            usual services need, or nothing, and neither proves anything.
        budget: Steps that one question may take.
    """
    tests = _Tests(firewall, subject, facts, budget)
    return [tests.judge(assertion, space_of(assertion, subject)) for assertion in firewall.tests]


class _Found(t.NamedTuple):
    """The answer for one program: the packet that shows it, if one does."""

    good: bool
    packet: t.Optional[Packet] = None
    decision: t.Optional[Decision] = None


class Decider:
    """One program and its chains, each made ready when it is first asked."""

    def __init__(self, program: Program, subject: Subject, budget: int) -> None:
        self.program = program
        self._own = subject.addresses
        self._budget = budget
        self._chains: t.Dict[Direction, DecidedChain] = {}

    def chain(self, direction: Direction) -> DecidedChain:
        if direction not in self._chains:
            lowered = {one.direction: one for one in lower(self.program).chains}
            self._chains[direction] = DecidedChain(self.program, lowered[direction], self._budget)
        return self._chains[direction]

    def packet(self, assertion: Assertion, direction: Direction, region: Region) -> Packet:
        """One of the packets, at an address of the host's own where there is one."""
        side = DESTINATION if direction is Direction.INGRESS else SOURCE
        own = intervals_of(self._own, family_of(region))
        here = (IntervalSet(region[side]) & IntervalSet(own)).intervals
        if here:
            region = (*region[:side], here, *region[side + 1 :])
        packet = self.chain(direction).witness(region)
        return dataclasses.replace(packet, interface=assertion.interface) if assertion.interface else packet


class _Tests:
    def __init__(self, firewall: Firewall, subject: Subject, facts: t.Optional[HostFacts], budget: int) -> None:
        least = build_program(firewall, facts)
        most = least if facts is not None else build_program(firewall, _MOST_FOUND)
        self._least = Decider(least, subject, budget)
        # Facts add rules that accept, so these two are the ends of what may be.
        self._most = self._least if most == least else Decider(most, subject, budget)

    def judge(self, assertion: Assertion, space: Space) -> Outcome:
        if not space.parts:
            return Outcome(assertion, Status.SKIPPED, Cause.ELSEWHERE, space.reason)
        # An acceptance that holds with the fewest rules of safeguards holds with all, and a refusal the other way.
        first, other = self._least, self._most
        if assertion.expectation is not Expectation.ACCEPT:
            first, other = other, first
        try:
            found = _ask(first, assertion, space)
            if found.good:
                return Outcome(assertion, Status.OK, packet=found.packet, decision=found.decision)
            if other is not first and _ask(other, assertion, space).good:
                return self._depends(assertion, found)
        except Undecided:
            return Outcome(
                assertion,
                Status.FAILED,
                Cause.UNDECIDED,
                "undecided: the rules overlap in too many ways for the steps that one question may take",
            )
        return Outcome(
            assertion,
            Status.FAILED,
            Cause.VERDICT,
            _verdict_reason(assertion),
            found.packet,
            found.decision,
        )

    def _depends(self, assertion: Assertion, found: _Found) -> Outcome:
        packet = found.packet
        decision = None if packet is None else evaluate(self._most.program, packet)
        name = decision.origin.name if decision is not None and decision.stage is Stage.SAFEGUARD else ""
        # The safeguard of DHCP has two rules with names of their own.
        name = "dhcp" if name.startswith("dhcp") else name
        return Outcome(
            assertion,
            Status.FAILED,
            Cause.SAFEGUARD,
            "undecided: what the safeguard %s finds on the host decides" % (name or "in mode auto"),
            packet,
            safeguard=name,
        )


def _verdict_reason(assertion: Assertion) -> str:
    if assertion.quantifier is Quantifier.ANY:
        return "no packet is as expected"
    return "a packet is not as expected"


def _ask(decider: Decider, assertion: Assertion, space: Space) -> _Found:
    """Raises:
    Undecided: It would take too long.
    """
    every = assertion.quantifier is Quantifier.EVERY
    shown: t.Optional[Packet] = None
    for part in space.parts:
        for region in part.regions:
            found = _find(decider, assertion, part.direction, region, wanted=not every)
            if found is not None:
                return _Found(not every, found, evaluate(decider.program, found))
            shown = shown or decider.packet(assertion, part.direction, region)
    if every or shown is None:
        return _Found(every)
    return _Found(False, shown, evaluate(decider.program, shown))


def _find(
    decider: Decider, assertion: Assertion, direction: Direction, region: Region, *, wanted: bool
) -> t.Optional[Packet]:
    """A packet whose verdict is as expected (``wanted``) or is not; None where there is none."""
    actions = assertion.expectation.actions
    if not decider.program.filters(interface_of(decider.program, assertion)):
        if (Action.ACCEPT in actions) is not wanted:
            return None
        return decider.packet(assertion, direction, region)
    chain = decider.chain(direction)
    bits: Bits = 0
    for action in Action:
        if (action in actions) is wanted:
            bits |= chain.acting(action)
    found = chain.find(region, bits)
    return None if found is None else decider.packet(assertion, direction, found)


def interface_of(program: Program, assertion: Assertion) -> str:
    """The interface that the packets of an assertion use."""
    return assertion.interface or filtered_interface(program)
