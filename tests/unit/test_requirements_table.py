# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table in ``tests/README.md`` names a test that exists, or a reason, for each of the 104 statements."""

from __future__ import annotations

import pathlib
import re

TESTS = pathlib.Path(__file__).resolve().parent.parent
ROW = re.compile(r"^\| R(\d+) \| [^|]+ \| ([^|]+) \|$", re.MULTILINE)
LINK = re.compile(r"\[`(test_[a-z0-9_]+)`\]\(([a-z0-9_/]+\.py)\)")

#: What is not a firewall's, or comes with a later capability.
NOT_HERE = {14, 15, 73, 75, 81, 92, *range(95, 99)}


def rows() -> dict[int, str]:
    text = (TESTS / "README.md").read_text(encoding="utf-8")
    return {int(number): cell for number, cell in ROW.findall(text)}


def test_every_statement_is_in_the_table() -> None:
    assert list(rows()) == list(range(1, 105))


def test_only_what_is_decided_to_be_elsewhere_has_no_test() -> None:
    assert {number for number, cell in rows().items() if cell.startswith("not here: ")} == NOT_HERE


def test_every_link_leads_to_a_test_of_that_number() -> None:
    for number, cell in rows().items():
        if number in NOT_HERE:
            continue
        links = LINK.findall(cell)
        assert links, "R%d has no test" % number
        for name, file in links:
            assert "_r%d_" % number in "_%s" % name.removeprefix("test"), name
            assert "def %s(" % name in (TESTS / file).read_text(encoding="utf-8"), name
