# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Packets of assertions for a kernel to try, and what is said of its verdicts.

The proof needs no packets. A kernel can only be asked about some, so they are those where a mistake would show: the
corners of the region, of each of its intervals, and of each part that another rule decides.
"""

from __future__ import annotations

import dataclasses
import itertools
import typing as t

from .._policy.evaluate import evaluate
from .._policy.model import Action, Firewall, FlowDirection, State
from .._policy.packet import Packet
from .._policy.program import Program, build_program
from .assertion_space import Subject, space_of
from .decided import DecidedChain
from .first_matches import DEFAULT_BUDGET, Undecided
from .policy_tests import Cause, Decider, Outcome, Status
from .regions import (
    DESTINATION,
    DESTINATION_PORT,
    ICMP_TYPE,
    PROTOCOL,
    SOURCE,
    SOURCE_PORT,
    SPACE,
    TCP_RESET,
    Intervals,
    Region,
    family_of,
    intersect,
    with_state,
)

#: Packets of one assertion; a kernel decides some hundreds a second.
MOST_PACKETS = 48

#: Parts with a deciding rule of their own, and intervals of a field, that are looked at.
_MOST_PARTS = 12
_MOST_INTERVALS = 6

#: All values of each field, as a region has them.
_EVERYTHING: t.Tuple[Intervals, ...] = tuple((space,) for space in SPACE)

_FIELDS = (SOURCE, DESTINATION, SOURCE_PORT, DESTINATION_PORT)

_TCP, _UDP, _ICMP, _ICMPV6 = 6, 17, 1, 58
_ECHO_REQUEST = {4: (_ICMP, 8), 6: (_ICMPV6, 128)}

_IPV6 = 1 << 128
#: From and to which a host sends packets to one other: of IPv4 without networks that are this host's own or nobody's.
_UNICAST: t.Mapping[int, Intervals] = {
    4: ((1 << 24, (127 << 24) - 1), (128 << 24, (224 << 24) - 1)),
    6: (
        (_IPV6 + (0x2000 << 112), _IPV6 + (0x4000 << 112) - 1),
        (_IPV6 + (0xFC00 << 112), _IPV6 + (0xFE00 << 112) - 1),
        (_IPV6 + (0xFE80 << 112), _IPV6 + (0xFEC0 << 112) - 1),
    ),
}


def sample_packets(
    firewall: Firewall, subject: Subject, outcomes: t.Sequence[Outcome]
) -> t.Dict[int, t.Tuple[Packet, ...]]:
    """Packets of the tests that are well, by the place of their outcome; none for those that no kernel can be asked.

    They are TCP, UDP and echo requests that open a connection, from and to single hosts.
    """
    decider = Decider(build_program(firewall), subject, DEFAULT_BUDGET)
    found: t.Dict[int, t.Tuple[Packet, ...]] = {}
    for index, outcome in enumerate(outcomes):
        if outcome.status is not Status.OK:
            continue
        packets: t.Dict[Packet, None] = {}
        for part in space_of(outcome.assertion, subject).parts:
            for region in part.regions:
                for askable in _askable(region):
                    packets.update(dict.fromkeys(_packets(decider.chain(part.direction), askable)))
        interface = outcome.assertion.interface
        chosen = _spread(list(packets))
        found[index] = tuple(dataclasses.replace(one, interface=interface) if interface else one for one in chosen)
    return found


def _spread(packets: t.Sequence[Packet]) -> t.List[Packet]:
    """As many as may be, from the whole list."""
    if len(packets) <= MOST_PACKETS:
        return list(packets)
    return [packets[number * len(packets) // MOST_PACKETS] for number in range(MOST_PACKETS)]


def _askable(region: Region) -> t.Iterator[Region]:
    """What a kernel can be asked of a region, one protocol each."""
    family = family_of(region)
    icmp, echo = _ECHO_REQUEST[family]
    for protocol in (_TCP, _UDP, icmp):
        wanted = list(_EVERYTHING)
        wanted[SOURCE] = wanted[DESTINATION] = _UNICAST[family]
        wanted[PROTOCOL] = ((protocol, protocol),)
        if protocol == icmp:
            wanted[ICMP_TYPE] = ((echo, echo),)
        wanted[TCP_RESET] = ((0, 0),)
        found = intersect(region, with_state(tuple(wanted), State.NEW, FlowDirection.ORIGINAL))
        if found is not None:
            yield found


def _packets(chain: DecidedChain, region: Region) -> t.Iterator[Packet]:
    yield chain.witness(region)
    for field in _FIELDS:
        for low, high in region[field][:_MOST_INTERVALS]:
            for value in (low, high):
                yield chain.witness((*region[:field], ((value, value),), *region[field + 1 :]))
    try:
        for part in itertools.islice(chain.each(region, chain.every), _MOST_PARTS):
            yield chain.witness(part)
            for end in (0, 1):
                yield chain.witness(_corner(part, end))
    except Undecided:
        # Those before it are samples enough.
        return


def _corner(region: Region, end: int) -> Region:
    """The lowest values of the fields that have many, or the highest."""
    found = list(region)
    for field in _FIELDS:
        value = region[field][-end][end]
        found[field] = ((value, value),)
    return tuple(found)


def judge_kernel(
    firewall: Firewall,
    outcomes: t.Sequence[Outcome],
    samples: t.Mapping[int, t.Sequence[Packet]],
    verdicts: t.Sequence[t.Optional[Action]],
) -> t.List[Outcome]:
    """The outcomes with what the kernel said; one whose packet it judges otherwise has failed.

    Args:
        verdicts: Of all samples, one after the other; None where the kernel never showed the packet to a chain.
    """
    program = build_program(firewall)
    left = iter(verdicts)
    found = list(outcomes)
    for index, packets in samples.items():
        pairs = list(zip(packets, itertools.islice(left, len(packets))))
        found[index] = _judged(program, outcomes[index], pairs)
    return found


def _judged(program: Program, outcome: Outcome, pairs: t.Sequence[t.Tuple[Packet, t.Optional[Action]]]) -> Outcome:
    seen = [(packet, verdict) for packet, verdict in pairs if verdict is not None]
    for packet, verdict in seen:
        decision = evaluate(program, packet)
        if verdict is not decision.action:
            return dataclasses.replace(
                outcome,
                status=Status.FAILED,
                cause=Cause.KERNEL,
                reason="the kernel %s a packet that the policies say is %s" % (_DOES[verdict], _IS[decision.action]),
                packet=packet,
                decision=decision,
            )
    if not seen:
        return dataclasses.replace(outcome, kernel="the kernel cannot be asked about such packets")
    count = "1 packet" if len(seen) == 1 else "%d packets" % len(seen)
    return dataclasses.replace(outcome, kernel="the kernel agrees on %s" % count)


_DOES: t.Mapping[Action, str] = {Action.ACCEPT: "accepts", Action.DROP: "drops", Action.REJECT: "rejects"}
_IS: t.Mapping[Action, str] = {Action.ACCEPT: "accepted", Action.DROP: "dropped", Action.REJECT: "rejected"}
