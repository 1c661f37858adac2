# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Classes of interface names: each name in one, each class with a name of its own."""

from __future__ import annotations

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._analysis.interface_classes import InterfaceClasses
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import interface_matches


@pytest.mark.parametrize(
    "patterns",
    [
        (),
        ("eth0",),
        ("eth*", "eth0", "eth1"),
        ("e*", "eth*", "docker0", "br-*"),
        ("*",),
        ("ens3", "enp1s0", "wan0", "public0", "eth0"),
        ("fifteenletters*",),
    ],
)
def test_a_name_stands_for_its_class(patterns: tuple[str, ...]) -> None:
    classes = InterfaceClasses(patterns)
    names = [one.name for one in classes.listed]
    assert len(set(names)) == len(names)
    for one in classes.listed:
        assert classes.pattern_of(one.name) == one.pattern
        assert 0 < len(one.name) <= 15
    for name in (*names, "eth7", "docker0", "br-lan", "x", "lo"):
        like = next(one.name for one in classes.listed if one.pattern == classes.pattern_of(name))
        assert [interface_matches(pattern, name) for pattern in patterns] == [
            interface_matches(pattern, like) for pattern in patterns
        ]


def test_the_most_specific_pattern_wins() -> None:
    classes = InterfaceClasses(("e*", "eth*", "eth0"))
    assert [classes.pattern_of(name) for name in ("eth0", "eth1", "ens3", "wan0", "lo")] == [
        "eth0",
        "eth*",
        "e*",
        "",
        "lo",
    ]


def test_a_class_without_names_is_none() -> None:
    """A prefix of 15 letters holds one name; where that is a pattern itself, nothing is left for the prefix."""
    classes = InterfaceClasses(("fifteen_letters*", "fifteen_letters"))
    assert [one.pattern for one in classes.listed] == ["", "fifteen_letters", "lo"]
