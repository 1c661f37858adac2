# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection and can change without notice.

"""A packet as Ansible hands it over, explained: what the filter returns."""

from __future__ import annotations

import typing as t

from ..module_utils._analysis.answer import answer
from ..module_utils._core.errors import Path, PolicyError, Problems
from ..module_utils._policy.program import Program
from ._errors import filter_failure
from ._plain import to_plain

_PACKET = "packet"


def plain_packet(packet: object) -> t.Any:
    """The packet in plain types.

    Raises:
        PolicyError: It cannot be said in them.
    """
    problems = Problems()
    plain = to_plain(packet, Path(_PACKET), problems)
    problems.raise_if_any()
    return plain


def explain_packet(packet: object, program: Program, variables: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    """The explanation in plain data, with its text.

    Raises:
        AnsibleFilterError: The packet is none, with everything that is wrong with it.
    """
    try:
        return answer(plain_packet(packet), program, variables)
    except PolicyError as exc:
        raise filter_failure(exc.problems) from exc
