# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""From what a person asks about a packet to the whole answer in plain data."""

from __future__ import annotations

import typing as t

from .._core.errors import Path, Problems
from .._policy.assignments import read_assignments
from .._policy.program import Program
from .explain import explain, explanation_to_plain
from .explanation_text import render_explanation
from .packet_fields import GivenPacket, filtered_interface, read_packet


def read_question(
    packet: object, program: Program, own_addresses: t.Optional[t.Mapping[int, int]] = None
) -> GivenPacket:
    """The packet, its interface one that the program filters where it names none.

    Raises:
        PolicyError: With everything that is wrong with it.
    """
    problems = Problems()
    given = read_packet(
        packet,
        Path("packet"),
        problems,
        interface=filtered_interface(program),
        own_addresses=own_addresses,
    )
    problems.raise_if_any()
    if given is None:
        # A packet that is refused has a problem that says why.
        raise ValueError("the packet was refused without a reason")
    return given


def answer(
    packet: object,
    program: Program,
    variables: t.Mapping[str, object],
    own_addresses: t.Optional[t.Mapping[int, int]] = None,
    definers: t.Optional[t.Mapping[str, str]] = None,
) -> t.Dict[str, t.Any]:
    """What the program does with the packet, in plain data with a text.

    Args:
        packet: Words or fields.
        variables: Role variables in plain types; they tell where a policy is assigned.
        own_addresses: As of :func:`.packet_fields.read_packet`.
        definers: Who defines each role variable, as far as that is known.

    Raises:
        PolicyError: The packet is none, with everything that is wrong with it.
    """
    given = read_question(packet, program, own_addresses)
    # What is wrong with assignments was refused before there was a program.
    assignments = {one.policy: str(one.place) for one in read_assignments(variables, Problems())}
    explanation = explain(program, given, assignments, definers)
    return {**explanation_to_plain(explanation), "text": render_explanation(explanation)}
