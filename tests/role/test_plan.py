# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the playbook ``plan`` prints of the meaning of a change, and that docs/plan.md shows the same."""

from __future__ import annotations

import pathlib
import re
import typing as t

import pytest

if t.TYPE_CHECKING:
    from .fleet import Fleet, Run

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "plan.md"
_BLOCKS = re.compile(r"^```(yaml|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = _BLOCKS.findall(PAGE.read_text(encoding="utf-8"))

#: The policies before and after the change, then what is printed, then what is printed after an edit by hand.
BEFORE, AFTER = [text for kind, text in BLOCKS if kind == "yaml"]
FIRST, CHANGED, MOVED, DRIFTED = [text for kind, text in BLOCKS if kind == "text"]


_HEADING = re.compile(r"^meaning: ", re.MULTILINE)


def _section(run: Run) -> str:
    """The lines about the meaning, as they are printed."""
    assert run.status == 0, run.output
    found = re.search(r"^meaning: .*\n(?:  .*\n)*", run.output, re.MULTILINE)
    assert found is not None, run.output
    return found.group()


@pytest.fixture(name="web")
def fixture_web(fleet: Fleet) -> Fleet:
    fleet.add("web1", "192.0.2.1")
    fleet.write("group_vars/all.yml", BEFORE)
    return fleet


def test_a_first_deploy(web: Fleet) -> None:
    run = web.run("palisade.nftables.plan")
    assert _section(run) == FIRST
    assert web.table("web1") == ""


@pytest.mark.carried
def test_a_change_and_a_form(web: Fleet) -> None:
    assert web.deploy().status == 0
    before = web.table("web1")
    web.write("group_vars/all.yml", AFTER)
    planned = web.run("palisade.nftables.plan")
    assert _section(planned) == CHANGED
    result = planned.result("web1")
    assert [group["change"] for group in result["meaning"]["groups"]] == ["accepted", "dropped"]
    assert web.table("web1") == before

    applied = web.run("palisade.nftables.deploy", "--diff")
    assert _section(applied) == CHANGED
    assert not _HEADING.search(web.run("palisade.nftables.plan").output)

    web.write("group_vars/all.yml", AFTER.replace("[80, 443]", "[443]") + _HTTP)
    assert _section(web.run("palisade.nftables.plan")) == MOVED


_HTTP = """\
    - {direction: ingress, protocol: tcp, destination_ports: [80], action: accept}
"""


@pytest.mark.carried
def test_a_table_that_was_edited_by_hand(web: Fleet) -> None:
    assert web.deploy().status == 0
    web.hosts["web1"].nft("insert rule inet palisade ingress tcp dport 23 accept comment byhand\n")
    assert _section(web.run("palisade.nftables.plan")) == DRIFTED


def test_without_diff_nothing_is_said(web: Fleet) -> None:
    run = web.deploy("--check")
    assert not _HEADING.search(run.output)
    assert "meaning" not in run.result("web1")
