# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""JUnit XML: what a parser finds in it, whatever hosts and tests are called."""

from __future__ import annotations

import concurrent.futures
import os
import pathlib
import typing as t
from xml.etree import ElementTree

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.palisade.nftables.plugins.module_utils._analysis.assertion_space import Subject
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.policy_tests import Outcome, run_policy_tests
from ansible_collections.palisade.nftables.plugins.module_utils._core.errors import Problem
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall
from ansible_collections.palisade.nftables.plugins.plugin_utils._junit import file_name, render_suite, write_suite

ODD = "]]> <b>&amp; \"'\x00\x1b\ufffe é 🧱"


def parsed(content: bytes) -> ElementTree.Element:
    return ElementTree.fromstring(content)  # noqa: S314 - it is the test's own


def outcomes() -> t.List[Outcome]:
    firewall = parse_firewall(
        {
            "firewall_policies": {"web": {"rules": [{"direction": "ingress", "service": "https", "action": "accept"}]}},
            "firewall_assigned": ["web"],
            "firewall_tests": [
                {"name": ODD, "service": "https", "expect": "refused"},
                {"service": "https", "expect": "accept"},
                {"to": "192.0.2.99", "expect": "drop"},
            ],
        }
    )
    return run_policy_tests(firewall, Subject("web1"))


def test_it_holds_every_test() -> None:
    suite = parsed(render_suite("web1", outcomes()))
    assert suite.tag == "testsuite"
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped", "hostname")}
    assert counts == {"tests": "3", "failures": "1", "errors": "0", "skipped": "1", "hostname": "web1"}
    failed, good, skipped = suite.findall("testcase")
    assert good.get("name") == "firewall_tests[1]: every packet of https is accepted"
    assert {case.get("classname") for case in (failed, good, skipped)} == {"web1"}
    assert list(good) == []
    (failure,) = failed
    assert (failure.tag, failure.get("type")) == ("failure", "verdict")
    assert failure.text is not None
    assert "verdict:  accept, by web[0] of firewall_policies" in failure.text
    assert [one.tag for one in skipped] == ["skipped"]
    assert "web1 is not in 192.0.2.99" in str(skipped[0].get("message"))


def test_whatever_stands_in_a_name_it_is_well_formed() -> None:
    suite = parsed(render_suite(ODD, outcomes()))
    said = ODD.replace("\x00", "\\x00").replace("\x1b", "\\x1b").replace("\ufffe", "\\xfffe")
    assert suite.get("hostname") == said
    # White space in a name of a test is one blank each.
    assert suite[0].get("name") == "firewall_tests[0]: %s" % said


def test_variables_that_are_wrong_are_errors() -> None:
    suite = parsed(render_suite("web1", (), [Problem("port", "firewall_tests[0].port", "<no> port")]))
    assert (suite.get("tests"), suite.get("errors"), suite.get("failures")) == ("1", "1", "0")
    error = suite.find("testcase/error")
    assert error is not None
    assert (error.get("type"), error.get("message")) == ("port", "<no> port")


@pytest.mark.parametrize("host", ["web1", "../../etc/passwd", "..", "a/b", "x" * 300, "é", "A b"])
def test_a_host_has_one_file_in_the_folder_whatever_its_name(tmp_path: pathlib.Path, host: str) -> None:
    folder = tmp_path / "made" / "here"
    path = pathlib.Path(write_suite(str(folder), host, b"<testsuite/>"))
    assert [path] == list(folder.iterdir())
    assert path.read_bytes() == b"<testsuite/>"
    assert len(path.name) <= 255


def test_long_names_that_begin_alike_have_files_of_their_own() -> None:
    assert file_name("x" * 300) != file_name("x" * 301)


def test_files_are_as_readable_as_others(tmp_path: pathlib.Path) -> None:
    before = os.umask(0o027)
    try:
        path = write_suite(str(tmp_path), "web1", b"")
    finally:
        os.umask(before)
    assert os.stat(path).st_mode & 0o777 == 0o640


def test_who_reads_meanwhile_finds_a_whole_file(tmp_path: pathlib.Path) -> None:
    texts = [b"<testsuite>%s</testsuite>" % (b"%d" % number * 50_000) for number in range(8)]
    path = write_suite(str(tmp_path), "web1", texts[0])
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        writing = [pool.submit(write_suite, str(tmp_path), "web1", text) for text in texts * 10]
        seen = {pathlib.Path(path).read_bytes() for _time in range(200)}
        for one in writing:
            one.result()
    assert seen <= set(texts)
    assert os.listdir(tmp_path) == ["TEST-web1.xml"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AnsibleActionFail, match=r"palisade_junit: .*cannot be written"):
        write_suite(str(tmp_path / "file" / "folder"), "web1", b"")
