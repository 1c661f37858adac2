# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Policy tests during a run: on the controller, before the host is reached, and instead of reaching it."""

from __future__ import annotations

import os
import pathlib
import typing as t
from xml.etree import ElementTree

import pytest

from lab.reexec import why_unavailable

if t.TYPE_CHECKING:
    from .conftest import Act

FROM_INVENTORY = {"from_inventory": True}
RUNS = [("ruleset", FROM_INVENTORY), ("check_policy", {})]
POLICIES: t.Dict[str, t.Any] = {
    "firewall_networks": {"office": ["198.51.100.0/24"]},
    "firewall_policies": {
        "web": {
            "rules": [
                {"direction": "ingress", "service": "ssh", "sources": ["office"], "action": "accept"},
                {"direction": "ingress", "service": "https", "action": "accept"},
            ]
        }
    },
    "firewall_assigned": ["web"],
}
GOOD = {"from": {"outside": "{{ 'office' }}"}, "service": "ssh", "expect": "refused"}
BAD = {"name": "No <web>", "service": "https", "expect": "refused"}
OTHER = {"from": "office", "to": "192.0.2.99", "expect": "accept"}


@pytest.mark.parametrize(("action", "arguments"), RUNS)
def test_a_failed_one_stops_before_the_host(act: Act, action: str, arguments: t.Dict[str, object]) -> None:
    answer = act(action, arguments, {**POLICIES, "firewall_tests": [GOOD, BAD, OTHER]})
    assert answer.word == "FAILED"
    lines = answer.data["msg"].splitlines()
    assert lines[0] == "web1: a policy test fails, and nothing was changed"
    assert lines[1] == "ok      firewall_tests[0]: every packet of ssh from outside office is refused"
    assert lines[2] == "FAILED  firewall_tests[1]: No <web>"
    assert any(line.strip().startswith("verdict:  accept, by web[1] of firewall_policies") for line in lines)
    assert lines[-2].endswith("is accepted (web1 is not in 192.0.2.99 nor in office)")
    assert lines[-1] == "web1: 3 tests: 1 ok, 1 FAILED, 1 skipped"
    tests = answer.data["tests"]
    assert (tests["ok"], tests["failed"], tests["skipped"]) == (1, 1, 1)
    assert [one["status"] for one in tests["outcomes"]] == ["ok", "failed", "skipped"]
    assert tests["lines"] == lines[1:]
    # The address of web1 is that of the inventory.
    assert tests["outcomes"][1]["packet"]["destination"] == "192.0.2.1"


@pytest.mark.parametrize("tests", [{}, "", 0, False, "{{ {} }}"], ids=repr)
@pytest.mark.parametrize(("action", "arguments"), RUNS)
def test_what_is_empty_and_no_list_is_no_absence_of_tests(
    act: Act, action: str, arguments: t.Dict[str, object], tests: object
) -> None:
    answer = act(action, arguments, {**POLICIES, "firewall_tests": tests})
    assert answer.word == "FAILED"
    assert answer.data["problems"][0]["message"].endswith("is not a list of tests")


def test_good_ones_let_a_deploy_go_on(act: Act) -> None:
    assert act("ruleset", FROM_INVENTORY, {**POLICIES, "firewall_tests": [GOOD]}).word == "UNREACHABLE"


def test_the_check_returns_them(act: Act) -> None:
    answer = act("check_policy", {}, {**POLICIES, "firewall_tests": [GOOD], "firewall_tests_more": [OTHER]})
    assert answer.word == "SUCCESS"
    assert answer.data["tests"]["lines"][-1] == "web1: 2 tests: 1 ok, 1 skipped"
    assert "tests" not in act("check_policy", {}, POLICIES).data


def test_a_host_whose_firewall_shall_go_has_no_tests(act: Act) -> None:
    answer = act("check_policy", {}, {**POLICIES, "firewall_tests": [BAD], "firewall_state": "absent"})
    assert answer.word == "SUCCESS"


@pytest.mark.parametrize(("action", "arguments"), RUNS)
def test_what_is_wrong_with_a_test_has_its_place(act: Act, action: str, arguments: t.Dict[str, object]) -> None:
    answer = act(action, arguments, {**POLICIES, "firewall_tests": [{**GOOD, "form": "office"}]})
    assert answer.word == "FAILED"
    assert [problem["place"] for problem in answer.data["problems"]] == ["firewall_tests[0]"]
    assert "did you mean 'from'?" in answer.data["msg"]


def test_a_misspelt_variable_is_found(act: Act) -> None:
    answer = act("check_policy", {}, {**POLICIES, "firewall_test": [BAD]})
    assert answer.word == "FAILED"
    assert "did you mean 'firewall_tests'?" in answer.data["msg"]


def parsed(content: bytes) -> ElementTree.Element:
    return ElementTree.fromstring(content)  # noqa: S314 - it is the test's own


def suite_of(folder: pathlib.Path) -> ElementTree.Element:
    (path,) = folder.iterdir()
    assert path.name == "TEST-web1.xml"
    return parsed(path.read_bytes())


@pytest.mark.parametrize(("action", "arguments"), RUNS)
def test_files_for_continuous_integration(
    act: Act, tmp_path: pathlib.Path, action: str, arguments: t.Dict[str, object]
) -> None:
    # Relative to where the run was started.
    variables = {**POLICIES, "results": "out/junit", "palisade_junit": "{{ results }}"}
    act(action, arguments, {**variables, "firewall_tests": [GOOD, BAD, OTHER]})
    suite = suite_of(tmp_path / "out" / "junit")
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    # A later run takes its place, also where no test is left.
    act(action, arguments, variables)
    assert suite_of(tmp_path / "out" / "junit").get("tests") == "0"


@pytest.mark.parametrize(
    "wrong",
    [
        {"firewall_tests": [{"expect": "x"}]},
        {"firewall_assigned": ["web", "nothing"]},
        {"firewall_assigned": "{{ nobody_defined_it }}"},
    ],
)
@pytest.mark.parametrize(("action", "arguments"), RUNS)
def test_a_run_that_judges_nothing_leaves_no_earlier_result(
    act: Act, tmp_path: pathlib.Path, action: str, arguments: t.Dict[str, object], wrong: t.Dict[str, object]
) -> None:
    variables = {**POLICIES, "palisade_junit": "junit", "firewall_tests": [GOOD]}
    act(action, arguments, variables)
    assert suite_of(tmp_path / "junit").get("errors") == "0"
    answer = act(action, arguments, {**variables, **wrong})
    assert answer.word == "FAILED"
    suite = suite_of(tmp_path / "junit")
    assert (suite.get("tests"), suite.get("errors")) == ("1", "1")


def test_a_folder_is_a_name(act: Act) -> None:
    answer = act("check_policy", {}, {**POLICIES, "palisade_junit": ["junit"]})
    assert answer.word == "FAILED"
    assert "palisade_junit: a list is not the name of a folder" in answer.data["msg"]


def test_a_check_prints_every_test(act: Act) -> None:
    answer = act("check_policy", {}, {**POLICIES, "firewall_tests": [GOOD, OTHER]})
    assert "\nweb1: 2 tests: 1 ok, 1 skipped\n" in "\n" + answer.output


#: What a controller that is no root, or lies in a container, has not.
_WITHOUT_NAMESPACES = ("setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin")


@pytest.mark.parametrize(("action", "arguments"), RUNS)
def test_a_kernel_is_asked_too(act: Act, action: str, arguments: t.Dict[str, object]) -> None:
    reason = why_unavailable()
    if reason is not None or os.geteuid() != 0:
        pytest.skip("the kernel of the controller can only be asked as root: %s" % reason)
    answer = act(action, arguments, {**POLICIES, "firewall_tests": [GOOD, OTHER], "firewall_verify_kernel": "yes"})
    assert answer.word == ("SUCCESS" if action == "check_policy" else "UNREACHABLE"), answer.output
    if action == "check_policy":
        good, other = answer.data["tests"]["outcomes"]
        assert good["kernel"].startswith("the kernel agrees on ")
        assert (other["status"], other["kernel"]) == ("skipped", "")


def test_a_controller_that_cannot_be_asked_asks_the_host(act: Act) -> None:
    variables = {**POLICIES, "firewall_tests": [GOOD], "firewall_verify_kernel": True}
    # Who is not root has none to lose.
    prefix = _WITHOUT_NAMESPACES if os.geteuid() == 0 else ()
    assert act("check_policy", {}, variables, prefix).word == "UNREACHABLE"


def test_without_tests_nobody_is_asked(act: Act) -> None:
    assert act("check_policy", {}, {**POLICIES, "firewall_verify_kernel": True}).word == "SUCCESS"
