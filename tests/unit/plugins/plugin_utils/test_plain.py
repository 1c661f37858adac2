# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one door from Ansible's values to plain Python."""

from __future__ import annotations

import datetime
import json
import pathlib
import typing as t

import pytest
from ansible.errors import AnsibleUndefinedVariable

from ansible_collections.palisade.nftables.plugins.module_utils._core.errors import Path, Problems
from ansible_collections.palisade.nftables.plugins.plugin_utils._plain import is_bounded, to_plain
from tests.unit.plugins.plugin_utils.controller import Controller

PLAIN_TYPES = (dict, list, str, int, float, bool, type(None))


def plain(value: object) -> t.Any:
    problems = Problems()
    result = to_plain(value, Path("variable"), problems)
    assert problems.errors == []
    return result


def refused(value: object) -> t.List[str]:
    problems = Problems()
    to_plain(value, Path("variable"), problems)
    return [str(problem) for problem in problems.errors]


def types_in(value: object) -> t.Iterator[type]:
    yield type(value)
    if isinstance(value, dict):
        for key, item in value.items():
            yield from types_in(key)
            yield from types_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from types_in(item)


def test_tagged_values_of_an_inventory_become_plain(tmp_path: pathlib.Path) -> None:
    controller = Controller(
        tmp_path,
        {
            "hosts.yml": "all: {hosts: {web1: {ansible_host: 192.0.2.1}}}",
            "group_vars/all.yml": (
                "value: {text: a, number: 22, real: 1.5, yes_: true, none: null, list: [x, 2], 80: port, "
                "date: 2026-01-31, template: '{{ ansible_host }}'}"
            ),
        },
    )
    variables = controller.task_vars("web1")
    raw = variables["value"]
    rendered = controller.templar(variables).template(raw)
    assert type(raw["text"]) is not str, "ansible-core tags what it loads; if not, this test shows nothing"

    result = plain(rendered)

    assert result == {
        "text": "a",
        "number": 22,
        "real": 1.5,
        "yes_": True,
        "none": None,
        "list": ["x", 2],
        80: "port",
        "date": "2026-01-31",
        "template": "192.0.2.1",
    }
    assert set(types_in(result)) <= set(PLAIN_TYPES)
    json.dumps(result)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((1, 2), [1, 2]),
        (range(3), [0, 1, 2]),
        ((item for item in "ab"), ["a", "b"]),
        ({"b", "a"}, ["a", "b"]),
        (datetime.datetime(2026, 1, 31, 12, 30, tzinfo=datetime.timezone.utc), "2026-01-31T12:30:00+00:00"),
        (datetime.time(12, 30), "12:30:00"),
        ({None: 1, True: 2}, {None: 1, True: 2}),
    ],
    ids=str,
)
def test_other_types(value: object, expected: object) -> None:
    assert plain(value) == expected


def test_a_subclass_of_text_keeps_its_text() -> None:
    class Shouting(str):
        __slots__ = ()

        def __str__(self) -> str:
            return self.upper()

    assert plain(Shouting("office")) == "office"
    assert type(plain(Shouting("office"))) is str


def test_what_has_no_plain_form_is_refused_where_it_is() -> None:
    value = {"rules": [{"description": b"x"}, {"ports": [10**40]}, {"sources": "\ud800"}, {(1, 2): "x"}]}
    assert refused(value) == [
        "variable.rules[0].description: a value of the type bytes is no text, number, list or mapping",
        "variable.rules[1].ports[0]: a number of more than 30 digits is not a value of a firewall",
        "variable.rules[2].sources: the text holds half of a surrogate pair: no character",
        "variable.rules[3]: a key of a mapping is a list; keys are text",
    ]


def test_depth_is_bounded() -> None:
    deep: t.List[t.Any] = []
    for _level in range(100_000):
        deep = [deep]
    (problem,) = refused(deep)
    assert problem.startswith("variable[0][0]")
    assert problem.endswith("values are nested more than 32 deep here")


def test_a_value_that_holds_itself_ends() -> None:
    knot: t.List[t.Any] = []
    knot.append(knot)
    assert len(refused(knot)) == 1


def test_the_number_of_values_is_bounded() -> None:
    laughs: t.Any = "ha"
    for _level in range(20):
        laughs = [laughs] * 10
    (problem,) = refused(laughs)
    assert "more than 1000000 values" in problem


@pytest.mark.parametrize(
    ("value", "expected"),
    [([[1], {"a": (2,)}], True), ([["x" * 10] * 1000] * 999, True), ([["x"] * 1000] * 1001, False)],
)
def test_bounds_of_what_is_not_templated_yet(value: object, *, expected: bool) -> None:
    problems = Problems()
    assert is_bounded(value, Path("variable"), problems) is expected
    assert bool(problems.errors) is not expected


def test_an_undefined_value_is_left_to_the_template_engine(tmp_path: pathlib.Path) -> None:
    controller = Controller(tmp_path, {"hosts.yml": "all: {hosts: {web1: {value: ['{{ nowhere }}']}}}"})
    variables = controller.task_vars("web1")
    with pytest.raises(AnsibleUndefinedVariable, match="nowhere"):
        controller.templar(variables).template(variables["value"])
