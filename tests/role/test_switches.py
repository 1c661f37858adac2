# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables of playbooks that are true or false, in words that are neither: one error, before anything is done."""

from __future__ import annotations

import typing as t

import pytest

if t.TYPE_CHECKING:
    from .fleet import Fleet


@pytest.mark.parametrize(
    ("playbook", "variable"),
    [
        ("explain", "palisade_live"),
        ("info", "palisade_compare"),
        ("report", "palisade_live"),
        ("verify", "palisade_look"),
        ("verify", "palisade_become"),
    ],
)
def test_a_word_that_is_neither_true_nor_false_is_no_false(fleet: Fleet, playbook: str, variable: str) -> None:
    fleet.add("web1", "192.0.2.1")
    fleet.add("web2", "192.0.2.2")
    packet = ("-e", 'palisade_packet="tcp to port 22"')
    run = fleet.run("palisade.nftables.%s" % playbook, "-e", "%s=maybe" % variable, *packet)
    assert run.status != 0
    assert run.output.count("[ERROR]") == 1, run.output
    assert "Action failed: %s: 'maybe' is neither true nor false" % variable in run.output
    assert "DEPRECATION" not in run.output
    assert run.executions == {"web1": 0, "web2": 0}
    assert sorted(path.name for path in fleet.folder.glob("firewall-report*")) == []


def test_words_for_true_and_false_are_taken_in_any_case(fleet: Fleet) -> None:
    fleet.add("web1", "192.0.2.1")
    asking = ("palisade.nftables.explain", "-e", 'palisade_packet="tcp to port 22"', "-e")
    for word, executions in (("Yes", 1), ("OFF", 0), ("1", 1), ('{"palisade_live": false}', 0)):
        run = fleet.run(*asking, word if word.startswith("{") else "palisade_live=%s" % word)
        assert (run.status, run.executions) == (0, {"web1": executions}), run.output
