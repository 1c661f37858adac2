# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was in force before: kept, recalled and forgotten."""

from __future__ import annotations

import pathlib
import stat
import time

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host.files import Files
from ansible_collections.palisade.nftables.plugins.module_utils._host.history import (
    HISTORY,
    PREVIOUS,
    HistoryError,
    InForce,
    digest_of,
    entries,
    recall,
    recall_last,
    remember,
    remove_history,
)
from ansible_collections.palisade.nftables.plugins.module_utils._policy.hostfacts import HostFacts, Server


@pytest.fixture(name="files")
def fixture_files(tmp_path: pathlib.Path) -> Files:
    (tmp_path / "etc").mkdir()
    return Files(str(tmp_path))


def _keep(files: Files, *texts: str) -> None:
    for text in texts:
        remember(files, text, {"firewall_assigned": [text]}, {"office": ["192.0.2.1"]})


def test_nothing_is_kept_at_first(files: Files) -> None:
    assert entries(files) == []
    with pytest.raises(HistoryError, match="this host keeps: none"):
        recall(files, PREVIOUS)


def test_the_one_in_force_and_five_before_it_are_kept(files: Files) -> None:
    _keep(files, *"abcdefgh")
    assert [entry.digest for entry in entries(files)] == [digest_of(text) for text in "cdefgh"]
    folder = pathlib.Path(files.locate(HISTORY))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_the_same_again_is_kept_once_and_an_older_one_once_more(files: Files) -> None:
    _keep(files, "a", "a", "b", "a")
    assert [entry.digest for entry in entries(files)] == [digest_of(text) for text in "aba"]


def test_previous_is_the_last_that_is_another(files: Files) -> None:
    _keep(files, "a", "b")
    entry, variables, groups = recall(files, PREVIOUS)
    assert (entry.digest, variables, groups) == (
        digest_of("a"),
        {"firewall_assigned": ["a"]},
        {"office": ["192.0.2.1"]},
    )
    _keep(files, "a")
    assert recall(files, PREVIOUS)[1] == {"firewall_assigned": ["b"]}
    assert recall(files, digest_of("a"))[0] == entries(files)[-1]


def test_a_clock_that_goes_back_makes_no_other_order(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    days = iter(range(30, 0, -1))
    monkeypatch.setattr(time, "gmtime", lambda: time.struct_time((2026, 11, next(days), 12, 0, 0, 0, 0, 0)))
    _keep(files, *"abcdefgh")
    assert [entry.digest for entry in entries(files)] == [digest_of(text) for text in "cdefgh"]
    assert recall(files, PREVIOUS)[1] == {"firewall_assigned": ["g"]}


def test_more_are_kept_in_order_than_four_digits_count(files: Files) -> None:
    _keep(files, "a")
    last = pathlib.Path(files.locate("%s/%s" % (HISTORY, entries(files)[-1].name)))
    last.rename(str(last).replace("-0000-", "-9999-"))
    _keep(files, "b", "c")
    assert [entry.number for entry in entries(files)] == [9999, 10000, 10001]
    assert recall(files, PREVIOUS)[1] == {"firewall_assigned": ["b"]}


def test_an_unknown_digest_is_answered_with_those_that_there_are(files: Files) -> None:
    _keep(files, "a")
    with pytest.raises(HistoryError, match="no ruleset 'feedfeedfeed'.*%s of 20" % digest_of("a")):
        recall(files, "feedfeedfeed")
    with pytest.raises(HistoryError, match="no ruleset 'previous'"):
        recall(files, PREVIOUS)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"variables": 3, "groups": null}', "\\x00"])
def test_a_file_that_somebody_else_wrote_is_no_ruleset(files: Files, text: str) -> None:
    _keep(files, "a", "b")
    pathlib.Path(files.locate("%s/%s" % (HISTORY, entries(files)[0].name))).write_text(text, encoding="utf-8")
    with pytest.raises(HistoryError, match="is not what a run of Palisade wrote"):
        recall(files, PREVIOUS)


def test_what_others_put_there_stays(files: Files) -> None:
    _keep(files, "a")
    other = pathlib.Path(files.locate(HISTORY + "/notes.txt"))
    other.write_text("mine", encoding="utf-8")
    remove_history(files)
    assert [path.name for path in other.parent.iterdir()] == ["notes.txt"]
    other.unlink()
    remove_history(files)
    assert not files.exists(HISTORY)


_FACTS = HostFacts(dns_servers=(Server(None, 5353, ("udp",)), Server("192.0.2.53", 53, ("udp", "tcp"))), dhcp4=True)


def test_the_one_in_force_is_told_with_what_was_found_out(files: Files) -> None:
    assert recall_last(files) is None
    remember(files, "a", {"firewall_assigned": ["a"]}, None, InForce("held by the kernel", _FACTS))
    kept = recall_last(files)
    assert kept is not None
    assert (kept.digest, kept.variables, kept.groups) == (digest_of("a"), {"firewall_assigned": ["a"]}, None)
    assert kept.in_force == InForce("held by the kernel", _FACTS)


def test_the_same_ruleset_in_another_form_in_the_kernel_is_no_other_entry(files: Files) -> None:
    remember(files, "a", {}, None, InForce("before an update of nft", _FACTS))
    before = entries(files)
    remember(files, "a", {}, None, InForce("after it", HostFacts()))
    assert entries(files) == before
    kept = recall_last(files)
    assert kept is not None
    assert kept.in_force == InForce("after it", HostFacts())


def test_what_an_earlier_version_kept_tells_nothing_of_the_kernel(files: Files) -> None:
    _keep(files, "a")
    kept = recall_last(files)
    assert kept is not None
    assert kept.in_force.held == ""
    assert kept.variables == {"firewall_assigned": ["a"]}
