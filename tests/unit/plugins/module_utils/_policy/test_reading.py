# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Readers of plain values: what each takes, and what it says of the rest."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given

from ansible_collections.palisade.nftables.plugins.module_utils._core.errors import Path, Problems
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Action
from ansible_collections.palisade.nftables.plugins.module_utils._policy.reading import (
    INTERFACE,
    NAME,
    as_boolean,
    as_number,
    check_keys,
    read_boolean,
    read_enum,
    read_list,
    read_name,
    read_text,
    suggestion,
)
from tests.properties.strategies import anything, deterministic

PLACE = Path("firewall_x")

#: ``input; ok|fail``
NAMES = """
a; ok
A; ok
0; ok
web; ok
web-1.test_2; ok
table.; ok
a23456789012345678901234567890123456789012345678901234567890123; ok
a234567890123456789012345678901234567890123456789012345678901234; fail
-web; fail
.web; fail
_web; fail
web server; fail
web/1; fail
web$; fail
"web"; fail
büro; fail
"""
INTERFACES = """
eth0; ok
eth*; ok
e; ok
eth0.100; ok
eth0:1; ok
wlan-x_y+z; ok
enp0s3@if2; ok
abcdefghijklmno; ok
abcdefghijklmn*; ok
abcdefghijklmno*; fail
abcdefghijklmnop; fail
*; fail
eth**; fail
e*h; fail
eth 0; fail
eth/0; fail
eth"0; fail
eth$0; fail
éth0; fail
"""


def rows(table: str) -> t.List[t.Tuple[str, bool]]:
    pairs = [line.rsplit("; ", 1) for line in table.strip().splitlines()]
    return [(written, verdict == "ok") for written, verdict in pairs]


@pytest.mark.parametrize(("written", "accepted"), rows(NAMES))
def test_names(written: str, accepted: bool) -> None:
    assert (NAME.fullmatch(written) is not None) == accepted
    assert NAME.fullmatch(written + "\n") is None
    problems = Problems()
    assert read_name(written, PLACE, problems, "policy") == (written if accepted else None)
    assert bool(problems.errors) != accepted


@pytest.mark.parametrize(("written", "accepted"), rows(INTERFACES))
def test_interfaces(written: str, accepted: bool) -> None:
    assert (INTERFACE.fullmatch(written) is not None) == accepted
    assert INTERFACE.fullmatch(written + "\n") is None


@pytest.mark.parametrize("value", [7, 1.5, True])
def test_a_name_that_yaml_read_as_something_else_has_to_be_quoted(value: object) -> None:
    problems = Problems()
    assert read_name(value, PLACE, problems, "policy") is None
    assert "put the name in quotes" in problems.errors[0].message


def test_a_subclass_of_text_becomes_plain_text() -> None:
    class Tagged(str):
        __slots__ = ()

    assert type(read_name(Tagged("web"), PLACE, Problems(), "policy")) is str


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (True, True),
        (False, False),
        ("yes", True),
        ("NO", False),
        ("True", True),
        ("off", False),
        ("On", True),
        ("", None),
        ("1", None),
        (1, None),
        (None, None),
        ([], None),
    ],
)
def test_booleans(value: object, wanted: t.Optional[bool]) -> None:
    assert as_boolean(value) is wanted
    problems = Problems()
    read_boolean(value, PLACE, problems, default=True)
    assert bool(problems.errors) == (wanted is None and value is not None)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (5, 5),
        ("5", 5),
        ("-5", -5),
        (0, 0),
        ("0", 0),
        (10, 10),
        (11, None),
        ("11", None),
        ("-0", None),
        ("05", None),
        ("5 ", None),
        (5.0, None),
        (True, None),
        (None, None),
        (10**5000, None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_numbers(value: object, wanted: t.Optional[int]) -> None:
    assert as_number(value, range(-10, 11)) == wanted


def test_a_single_value_is_a_list_of_one_at_its_own_place() -> None:
    found = read_list("a", PLACE, Problems(), "things")
    assert found is not None
    assert [(str(place), item) for place, item in found] == [("firewall_x", "a")]


def test_items_have_their_places() -> None:
    found = read_list(("a", "b"), PLACE, Problems(), "things")
    assert found is not None
    assert [(str(place), item) for place, item in found] == [("firewall_x[0]", "a"), ("firewall_x[1]", "b")]


@pytest.mark.parametrize(("value", "code"), [([], "empty-list"), ((), "empty-list"), ({}, "type"), ({"a": 1}, "type")])
def test_empty_lists_and_mappings_are_refused(value: object, code: str) -> None:
    problems = Problems()
    assert read_list(value, PLACE, problems, "things") is None
    assert [problem.code for problem in problems.errors] == [code]


@pytest.mark.parametrize("value", ["accept", "ACCEPT", "Accept"])
def test_words_in_any_letter_case(value: str) -> None:
    assert read_enum(value, Action, PLACE, Problems()) is Action.ACCEPT


@pytest.mark.parametrize(
    ("name", "known", "wanted"),
    [
        ("offce", ["office", "lab"], "; did you mean 'office'?"),
        ("OFFICE", ["office"], "; did you mean 'office'?"),
        ("SSH", ["Ssh"], "; did you mean 'Ssh'?"),
        ("unlike", ["office"], ""),
        ("", ["office"], ""),
        (7, ["office"], ""),
        ("x" * 81, ["x" * 81], ""),
        ("office", [], ""),
    ],
)
def test_suggestions(name: object, known: t.List[str], wanted: str) -> None:
    assert suggestion(name, known) == wanted


def test_no_suggestion_for_a_problem_that_nobody_will_read() -> None:
    problems = Problems()
    for _number in range(50):
        assert suggestion("offce", ["office"], problems)
        problems.error(PLACE, "x", "x")
    assert suggestion("offce", ["office"], problems) == ""


@deterministic
@given(value=anything())
def test_readers_take_anything_and_only_collect(value: t.Any) -> None:
    problems = Problems()
    read_list(value, PLACE, problems, "things")
    read_enum(value, Action, PLACE, problems)
    read_boolean(value, PLACE, problems, default=False)
    read_name(value, PLACE, problems, "policy")
    read_text(value, PLACE, problems)
    check_keys({value if isinstance(value, (str, int, float, bytes)) else "x": 1}, ["rules"], PLACE, problems)
    assert all(str(problem).isprintable() for problem in problems.errors)
