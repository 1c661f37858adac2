# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evaluator against compiled table: as a model walks it, and as the kernel does. Verdicts and counters."""

from __future__ import annotations

import collections
import dataclasses
import random
import typing as t
from dataclasses import dataclass, field

from ansible_collections.palisade.nftables.plugins.module_utils._compile.table import Table
from ansible_collections.palisade.nftables.plugins.module_utils._nft.text import render_load
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Direction, Route, State
from ansible_collections.palisade.nftables.plugins.module_utils._policy.packet import Packet
from tests.packets.kernel import expected_on_the_wire, verdicts_of

from .table_model import Garbage, ModelError, TableModel
from .truth import Truth, counter_of

if t.TYPE_CHECKING:
    from lab.verdicts import VerdictLab

#: An echo request without code, and a few words that look like ports of services.
_LOOKS_LIKE_PORTS = ((0x0800, 53), (0x8000, 80), (53, 443), (0, 0), (65535, 65535))


#: How many of the packets that arrive are compared again as forwarded ones.
_PUBLISHED, _FORWARDED = 0.5, 0.02


@dataclass
class Compared:
    """What was compared.

    Attributes:
        packets: How many.
        differences: A line for each packet or counter on which two of them differ.
        rules: How many rules all packets together were compared with, by the model.
        lookups: How many of them asked a map.
        worst: The most rules that one packet was compared with.
    """

    packets: int = 0
    differences: t.List[str] = field(default_factory=list)
    rules: int = 0
    lookups: int = 0
    worst: int = 0

    def add(self, other: Compared) -> None:
        self.packets += other.packets
        self.differences += other.differences
        self.rules += other.rules
        self.lookups += other.lookups
        self.worst = max(self.worst, other.worst)


def compare_model(
    truth: Truth, model: TableModel, packets: t.Sequence[Packet], seed: int, *, counters: bool = True
) -> Compared:
    """Each packet through the evaluator and the model; some also as packets that the host forwards.

    Args:
        counters: Whether the table counts; without, no counter may count anything.
    """
    rng = random.Random(seed)
    ports = [(one.source_port, one.destination_port) for one in packets if one.source_port is not None]
    compared = Compared()
    for packet in (*packets, *_forwarded(rng, packets)):
        decision = truth.decide(packet)
        counter = counter_of(decision, packet.direction) if counters else ""
        expected = (decision.action.value, (counter,) if counter else ())
        compared.packets += packet.route is Route.LOCAL
        for garbage in _garbage(rng, packet, ports):
            try:
                outcome = model.decide(packet, garbage)
            except ModelError as exc:
                compared.differences.append("%s: %s" % (packet, exc))
                break
            if (outcome.action, outcome.counters) != expected:
                compared.differences.append(
                    "%s (octets in the place of ports: %s): evaluator %s (%s, %s), model %s %s"
                    % (
                        packet,
                        garbage,
                        decision.action.value,
                        decision.stage.value,
                        decision.origin,
                        outcome.action,
                        outcome.counters,
                    )
                )
                break
            if garbage is None and packet.route is Route.LOCAL:
                compared.rules += outcome.rules
                compared.lookups += outcome.lookups
                compared.worst = max(compared.worst, outcome.rules)
    return compared


def _forwarded(rng: random.Random, packets: t.Sequence[Packet]) -> t.Iterator[Packet]:
    """A part of the packets that arrive, but for a published port, or for whoever the routes lead to.

    Without a connection there is nothing that a table could have translated.
    """
    for packet in packets:
        chosen = rng.random()
        if packet.direction is Direction.INGRESS and chosen < _PUBLISHED + _FORWARDED:
            tracked = packet.state not in (State.INVALID, State.UNTRACKED)
            published = tracked and chosen < _PUBLISHED
            yield dataclasses.replace(packet, route=Route.PUBLISHED if published else Route.FORWARDED)


def _garbage(
    rng: random.Random, packet: Packet, ports: t.Sequence[t.Tuple[t.Optional[int], t.Optional[int]]]
) -> t.Iterator[Garbage]:
    """What may be read as ports of a packet that has none: nothing, and what looks like ports of the policy."""
    yield None
    if packet.source_port is None:
        yield rng.choice(_LOOKS_LIKE_PORTS)
        if ports:
            source, destination = rng.choice(ports)
            yield source or 0, destination or 0


def compare_kernel(
    lab: VerdictLab, table: Table, truth: Truth, packets: t.Sequence[Packet], *, counters: bool = True
) -> Compared:
    """The packets through the evaluator and, in one batch, through the kernel; then the counts of each rule."""
    lab.load(render_load(table))
    compared = Compared(packets=len(packets))
    counts: t.Counter[str] = collections.Counter()
    for packet, kernel in zip(packets, verdicts_of(lab, packets)):
        decision = truth.decide(packet)
        counter = counter_of(decision, packet.direction) if counters else ""
        if counter:
            counts[counter] += 1
        if expected_on_the_wire(decision.action.value, packet) != kernel:
            compared.differences.append(
                "%s: evaluator %s (%s, %s), kernel %s"
                % (packet, decision.action.value, decision.stage.value, decision.origin, kernel)
            )
    found = {name: seen for name, (seen, _octets) in lab.counters().items()}
    for name in sorted(set(found) | set(counts)):
        if found.get(name) != counts[name]:
            compared.differences.append(
                "counter %s: the evaluator decided %d packets there, the kernel counted %s"
                % (name, counts[name], found.get(name))
            )
    return compared
