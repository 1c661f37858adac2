# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which policies a host has, and in which order."""

from __future__ import annotations

import typing as t

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.palisade.nftables.plugins.module_utils._core.errors import Problems
from ansible_collections.palisade.nftables.plugins.module_utils._policy.assignments import read_assignments
from tests.properties.strategies import deterministic

_ITEM = st.tuples(st.sampled_from("abcdef"), st.one_of(st.none(), st.integers(-3, 60)))
_VARIABLE = st.sampled_from(
    ["firewall_assigned", "firewall_assigned_web", "firewall_assigned_Web", "firewall_assigned_a", "firewall_assigned_"]
)


def names(variables: t.Mapping[str, object]) -> t.List[str]:
    problems = Problems()
    found = [assignment.policy for assignment in read_assignments(variables, problems)]
    assert problems.errors == []
    return found


@deterministic
@given(written=st.dictionaries(_VARIABLE, st.lists(_ITEM, max_size=6), max_size=5))
def test_order_then_the_bare_variable_then_names_then_positions(
    written: t.Dict[str, t.List[t.Tuple[str, t.Optional[int]]]],
) -> None:
    keyed = []
    for variable, items in written.items():
        for position, (name, order) in enumerate(items):
            rank = (50 if order is None else order, variable != "firewall_assigned", variable, position)
            keyed.append((rank, name))
    wanted = list(dict.fromkeys(name for _rank, name in sorted(keyed)))
    variables = {
        variable: [name if order is None else {"policy": name, "order": order} for name, order in items]
        for variable, items in written.items()
    }
    assert names(variables) == wanted
    # The order in which a mapping holds the variables decides nothing.
    assert names(dict(reversed(list(variables.items())))) == wanted


def test_null_empty_and_single() -> None:
    assert names({}) == []
    assert names({"firewall_assigned": None, "firewall_assigned_a": []}) == []
    assert names({"firewall_assigned": "web"}) == ["web"]
    assert names({"firewall_assigned": ("b", "a")}) == ["b", "a"]


def test_the_place_is_that_of_the_first_assignment() -> None:
    variables = {"firewall_assigned": ["a"], "firewall_assigned_z": [{"policy": "a", "order": 1}]}
    assert [str(one.place) for one in read_assignments(variables, Problems())] == ["firewall_assigned_z[0]"]
