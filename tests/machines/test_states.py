# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of a machine that has booted: each fault is found. None of this boots one."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from lab.machines.report import Report, parse_reports

from .states import faults, left_over

_TEXT = """\
== uptime
9.34 3.62
== units
Result=success
ActiveEnterTimestampMonotonic=5000000
ExecMainStartTimestampMonotonic=4000000
Id=palisade.service
ActiveState=active

Result=success
ActiveEnterTimestampMonotonic=0
ExecMainStartTimestampMonotonic=0
Id=palisade-safeguard.service
ActiveState=inactive

ActiveEnterTimestampMonotonic=6000000
Id=network-pre.target
ActiveState=active
== table
table inet palisade {
	chain managed_by_palisade {
	}
}
== files
111  /etc/palisade/ruleset.nft
222  /etc/systemd/system/palisade.service
== links
/etc/systemd/system/sysinit.target.wants/palisade.service -> /etc/systemd/system/palisade.service
== end
"""
_RULESET = "/etc/palisade/ruleset.nft"
_LEFT = "/etc/palisade/.ruleset.nft.0123456789abcdef.new"


@pytest.fixture(name="old")
def fixture_old() -> Report:
    (report,) = parse_reports(_TEXT + "== uptime\n20")
    return report


@pytest.fixture(name="new")
def fixture_new(old: Report) -> Report:
    listing = old.listing.replace("managed", "renamed")
    return dataclasses.replace(old, listing=listing, files={**old.files, _RULESET: "333"})


@pytest.fixture(name="none")
def fixture_none(old: Report) -> Report:
    units = {**old.units, "palisade.service": {**old.units["palisade.service"], "ActiveState": "inactive"}}
    return dataclasses.replace(old, units=units, listing="Error: No such file or directory", files={}, links={})


def _with_unit(report: Report, name: str, **properties: str) -> Report:
    return dataclasses.replace(report, units={**report.units, name: {**report.units[name], **properties}})


def test_a_report_is_read(old: Report) -> None:
    assert old.seconds == 9.34
    assert old.table.startswith("table inet palisade {\n\tchain managed")
    assert old.files[_RULESET] == "111"
    assert list(old.links.values()) == ["/etc/systemd/system/palisade.service"]
    assert old.units["network-pre.target"]["ActiveEnterTimestampMonotonic"] == "6000000"


def test_the_old_state_and_the_new_one_are_right(old: Report, new: Report, none: Report) -> None:
    for before, after in ((none, old), (old, new), (new, none)):
        assert faults(before, [before, after]) == []
        assert faults(after, [before, after]) == []
        assert faults(after, [after]) == []


def test_what_was_about_to_be_put_in_place_may_lie_there(old: Report, new: Report) -> None:
    report = dataclasses.replace(old, files={**old.files, _LEFT: "of any content"})
    assert left_over(report) == [_LEFT]
    assert faults(report, [old, new]) == []


def test_neither_is_found(old: Report, new: Report, none: Report) -> None:
    wrong: t.Mapping[str, Report] = {
        "the table is neither of 2": dataclasses.replace(old, listing=old.listing + "\n"),
        "/etc/palisade/ruleset.nft is of no run": dataclasses.replace(old, files={**old.files, _RULESET: "444"}),
        "the safeguard set was loaded": _with_unit(
            old, "palisade-safeguard.service", ExecMainStartTimestampMonotonic="7"
        ),
        "palisade.service: ": _with_unit(old, "palisade.service", Result="exit-code"),
        "/etc/systemd/system/sysinit.target.wants/palisade.service leads to ": dataclasses.replace(
            old, links=dict.fromkeys(old.links, "/dev/null")
        ),
    }
    for beginning, report in wrong.items():
        (problem,) = faults(report, [old, new])
        assert problem.startswith(beginning)
    assert faults(none, [old, new])
    assert faults(old, [none, new])


def test_after_the_report_only_the_new_state_is_right(old: Report, new: Report) -> None:
    assert [one.partition(":")[0] for one in faults(old, [new])] == [
        "the table is neither of 1",
        "/etc/palisade/ruleset.nft is of no run",
    ]
    assert faults(dataclasses.replace(new, links={}), [new]) == [
        "/etc/systemd/system/sysinit.target.wants/palisade.service is gone"
    ]
