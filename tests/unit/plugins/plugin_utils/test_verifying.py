# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hosts say is not believed before it is read: one that somebody took over breaks no verification."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._analysis.asking import Question
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.verifying import Layer, Result
from ansible_collections.palisade.nftables.plugins.module_utils._core.addresses import parse_address
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import Program, build_program
from ansible_collections.palisade.nftables.plugins.plugin_utils._verifying import Round, Verification

WEB = {"web": {"rules": [{"direction": "ingress", "protocol": "tcp", "destination_ports": 80, "action": "accept"}]}}
PROGRAM = build_program(parse_firewall({"firewall_policies": WEB, "firewall_assigned": ["web"]}))
SILENCE = {"outcome": "filtered", "source": "203.0.113.7", "source_port": 40000}


def programs(host: str) -> t.Optional[Program]:
    return PROGRAM if host == "web1" else None


def judged(answer: object) -> Verification:
    found = Verification("web1", [Question("tcp", 80, *parse_address("192.0.2.1"))], programs, {})
    found.judge([{"palisade_sender": "db1", "answers": [answer]}])
    return found


def looked(**said: t.Any) -> Verification:
    """One round: ``before`` and ``after`` of the host, ``again`` of who asks."""
    found = judged(SILENCE)
    whole = {"before": {}, "after": {}, "again": {"answers": [SILENCE]}, **said}
    keys = {"before": "palisade_looked_at", "after": "palisade_looked_at", "again": "palisade_sender"}
    items = {"before": {"host": "web1"}, "after": {"host": "web1"}, "again": {"sender": "db1"}}
    found.look_closer([Round(**{name: [{keys[name]: items[name], **whole[name]}] for name in whole})])
    return found


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        ("connected", Result.NOT_ASKED),
        (None, Result.NOT_ASKED),
        ({"outcome": ["connected"], "icmp": "x", "detail": {}}, Result.NOT_ASKED),
        ({"outcome": "well", "source": "203.0.113.7"}, Result.NOT_ASKED),
        ({"outcome": "connected", "source": "2001:db8::7"}, Result.NOT_ASKED),
        ({"outcome": "connected", "source": "203.0.113.7", "source_port": "many"}, Result.AS_EXPECTED),
        ({"outcome": "connected", "source": "203.0.113.7", "source_port": 1 << 70}, Result.AS_EXPECTED),
    ],
)
def test_what_an_asking_host_says_may_be_anything(answer: object, result: Result) -> None:
    assert [row.result for row in judged(answer).rows] == [result]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"answers": [1]}, {"counters": {}}),
        ({"answers": [{}]}, {"counters": []}),
        ({"answers": [{"counter": ["x"], "others": [{}, 1], "live": None}]}, {"counters": {"x": "many"}}),
        (
            {"answers": [{"wanted": "accept", "counter": ["x"], "others": "none"}], "counters": {"x": 1}},
            {"counters": {"x": None}},
        ),
        (
            {"answers": [{"wanted": "accept", "counter": "x", "others": [{}, 1]}], "counters": 1},
            {"counters": {"x": "2"}},
        ),
        ({"answers": "nothing"}, {"counters": 7}),
    ],
)
def test_what_a_host_that_is_looked_at_says_may_be_anything(
    before: t.Dict[str, t.Any], after: t.Dict[str, t.Any]
) -> None:
    assert [row.result for row in looked(before=before, after=after).rows] == [Result.DIFFERENT]


def test_what_was_counted_tells_the_layer() -> None:
    answer = {"wanted": "accept", "live": "accept", "counter": "policy/web/0", "others": []}
    before = {"answers": [answer], "equal": True, "counters": {"policy/web/0": 3}}
    (row,) = looked(before=before, after={"counters": {"policy/web/0": 3}}).rows
    assert (row.layer, row.because) == (
        Layer.UPSTREAM,
        "it did not reach our rules on web1 (the counter policy/web/0 moved by 0)",
    )


@pytest.mark.parametrize("again", [{"answers": [{"outcome": "error"}]}, {"answers": [None]}, {"answers": []}, {}])
def test_a_difference_stays_where_nobody_could_ask_again(again: t.Dict[str, t.Any]) -> None:
    assert [row.result for row in looked(again=again).rows] == [Result.DIFFERENT]
