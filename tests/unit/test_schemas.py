# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The JSON Schema says what the parser says, of every case and of random variables."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import typing as t

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings

from ansible_collections.palisade.nftables.plugins.module_utils._core.errors import PolicyError
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import (
    MERGED_VARIABLES,
    SINGLE_VARIABLES,
    parse_firewall,
)
from ansible_collections.palisade.nftables.plugins.plugin_utils._schema_formats import FORMATS
from tests.cases import case_names, load_case
from tests.properties.strategies import DETERMINISTIC, any_variables, valid_variables

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
SCHEMA = CHECKOUT / "plugins" / "plugin_utils" / "_schemas" / "firewall.schema.json"

#: Codes of problems that a JSON Schema of one file cannot find, each with the reason. A refusal with
#: other codes only, or with one other code among these, must be one of the schema, too.
BEYOND = {
    "undefined": "names are defined in other files and in the inventory",
    "clash": "the other definition stands in another variable",
    "cycle": "names have to be followed",
    "depth": "names have to be followed",
    "family": "the families of addresses behind names have to be known",
    "profile": "the profile of a host is set in another file than the policies of its groups, and limits are counted",
    "ends": "both ends and the direction of a test tell together where the host is",
    "group": "addresses of a group's members come from other hosts",
}


def load_schema() -> t.Dict[str, t.Any]:
    schema: t.Dict[str, t.Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return schema


def make_validator() -> jsonschema.Draft202012Validator:
    checker = jsonschema.FormatChecker(formats=())
    for name, (check, raises) in FORMATS.items():
        checker.checks(name, raises)(check)
    return jsonschema.Draft202012Validator(load_schema(), format_checker=checker)


VALIDATOR = make_validator()


def problem_codes(variables: t.Mapping[str, t.Any], groups: t.Mapping[str, t.Any]) -> t.Set[str]:
    """Codes of everything that the parser finds, also in what no host uses: a file is judged as a whole."""
    try:
        parse_firewall(variables, groups=groups, everything=True)
    except PolicyError as exc:
        return {problem.code for problem in exc.problems}
    return set()


def assert_equal(variables: t.Mapping[str, t.Any], groups: t.Mapping[str, t.Any]) -> None:
    codes = problem_codes(variables, groups)
    errors = [(list(error.absolute_path), error.message[:200]) for error in VALIDATOR.iter_errors(variables)]
    if not codes:
        assert errors == [], "the parser takes what the schema refuses"
    elif codes - set(BEYOND):
        assert errors != [], "the schema takes what the parser refuses: %s" % sorted(codes)


def test_the_schema_is_a_valid_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(load_schema())


@pytest.mark.parametrize("name", case_names())
def test_schema_and_parser_agree(name: str) -> None:
    case = load_case(name)
    assert_equal(case.variables, case.groups)


@settings(max_examples=80, suppress_health_check=list(HealthCheck), **DETERMINISTIC)
@given(variables=valid_variables())
def test_the_schema_takes_what_the_parser_takes(variables: t.Dict[str, t.Any]) -> None:
    assert_equal(variables, {"servers": ["198.51.100.20"]})


@settings(max_examples=250, suppress_health_check=list(HealthCheck), **DETERMINISTIC)
@given(variables=any_variables())
def test_the_schema_refuses_what_the_parser_refuses(variables: t.Dict[str, t.Any]) -> None:
    assert_equal(variables, {"servers": ["198.51.100.20"]})


def test_every_code_beyond_the_schema_is_met_by_a_case() -> None:
    met: t.Set[str] = set()
    for name in case_names():
        case = load_case(name)
        met |= problem_codes(case.variables, case.groups)
    assert set(BEYOND) <= met


def test_it_knows_every_variable_of_the_parser() -> None:
    schema = load_schema()
    assert set(MERGED_VARIABLES) | set(SINGLE_VARIABLES) <= set(schema["properties"])
    assert {"^%s_" % name for name in MERGED_VARIABLES} == set(schema["patternProperties"])


def test_every_definition_and_every_key_is_described_for_editors() -> None:
    schema = load_schema()
    places: t.Dict[str, t.Any] = {"$": schema, **schema["$defs"], **schema["properties"]}
    for name, definition in schema["$defs"].items():
        for key, value in definition.get("properties", {}).items():
            places["%s.%s" % (name, key)] = value
    missing = [
        place for place, value in places.items() if "$ref" not in value and not {"title", "description"} <= set(value)
    ]
    assert missing == []


def test_every_reference_leads_to_a_definition_and_every_definition_is_used() -> None:
    text = SCHEMA.read_text(encoding="utf-8")
    for name in load_schema()["$defs"]:
        assert '"#/$defs/%s"' % name in text
    used = {part.split('"', 1)[0] for part in text.split("#/$defs/")[1:]}
    assert used == set(load_schema()["$defs"])


def test_the_file_is_what_the_script_renders() -> None:
    subprocess.run([sys.executable, str(CHECKOUT / "scripts" / "render_schema.py"), "--check"], check=True)


def test_schemas_holds_a_symbolic_link_to_each_file() -> None:
    links = sorted((CHECKOUT / "schemas").iterdir())
    assert [link.name for link in links] == sorted(path.name for path in SCHEMA.parent.iterdir())
    for link in links:
        assert link.readlink() == pathlib.Path("../plugins/plugin_utils/_schemas") / link.name
        assert link.resolve() == SCHEMA.parent / link.name
