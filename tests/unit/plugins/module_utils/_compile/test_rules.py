# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Conditions of a rule, in the order in which the kernel is asked about them."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._compile.rules import quick_first
from ansible_collections.palisade.nftables.plugins.module_utils._compile.table import Field, Match, SetReference
from ansible_collections.palisade.nftables.plugins.module_utils._core.intervals import IntervalSet


def _one(field: Field, low: int, high: int) -> Match:
    return Match(field, IntervalSet(((low, high),)))


_TCP = _one(Field.PROTOCOL, 6, 6)
_ICMP = _one(Field.PROTOCOL, 1, 1)
_SSH = _one(Field.DESTINATION_PORT, 22, 22)
_HIGH = _one(Field.SOURCE_PORT, 1024, 65535)
_HOST = _one(Field.SOURCE4, 5, 5)
_PREFIX_23 = _one(Field.SOURCE4, 512, 1023)
_PREFIX_24 = _one(Field.SOURCE4, 256, 511)
_RANGE = _one(Field.DESTINATION4, 5, 9)
_UNALIGNED = _one(Field.DESTINATION4, 2, 5)
_HOST6 = _one(Field.DESTINATION6, 1, 1)
_NETWORK = Match(Field.SOURCE4, SetReference("ip_x"))
_NEW = Match(Field.STATE, ("new",))
_ECHO = _one(Field.ICMP_TYPE, 8, 8)


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ((), ()),
        ((_PREFIX_24,), (_PREFIX_24,)),
        # What is as quick stays as it was written.
        ((_HOST, _TCP, _SSH), (_HOST, _TCP, _SSH)),
        ((_NEW, _PREFIX_23, _RANGE), (_NEW, _PREFIX_23, _RANGE)),
        # A port tells more apart, in less time.
        ((_PREFIX_24, _TCP, _SSH), (_TCP, _SSH, _PREFIX_24)),
        ((_HOST6, _TCP, _SSH), (_TCP, _SSH, _HOST6)),
        ((_RANGE, _TCP, _HIGH, _SSH), (_TCP, _SSH, _RANGE, _HIGH)),
        ((_UNALIGNED, _ICMP, _ECHO), (_ICMP, _ECHO, _UNALIGNED)),
        ((_NETWORK, _TCP, _HIGH), (_TCP, _HIGH, _NETWORK)),
        # The protocol alone does not.
        ((_PREFIX_24, _TCP), (_PREFIX_24, _TCP)),
        ((_PREFIX_24, _TCP, _HIGH), (_PREFIX_24, _TCP, _HIGH)),
    ],
)
def test_what_is_compared_quickly_comes_first(written: t.Tuple[Match, ...], asked: t.Tuple[Match, ...]) -> None:
    assert quick_first(written) == asked
    assert quick_first(asked) == asked
