# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every case of tests/cases: its text or its problems, its packets, and what nft makes of the text.

``PALISADE_UPDATE_CASES=1 python -m pytest tests/unit/test_cases.py`` writes the expectations anew; the
difference is then read and committed like any other change.
"""

from __future__ import annotations

import functools
import os
import pathlib
import re
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._policy.evaluate import evaluate
from tests.cases import Case, Outcome, case_names, load_case, problem_lines, run_case
from tests.cases.packets import expectation, found, read_packet
from tests.nft_batch import list_loaded
from tests.nft_versions import NftVersion, nft_parameters

UPDATE = bool(os.environ.get("PALISADE_UPDATE_CASES"))


@functools.cache
def _ran(name: str) -> t.Tuple[Case, Outcome]:
    case = load_case(name)
    return case, run_case(case)


def _check(case: Case, kind: str, text: str) -> None:
    if UPDATE:
        path = case.folder / ("expect.%s" % kind)
        if text:
            path.write_text(text, encoding="utf-8")
        else:
            path.unlink(missing_ok=True)
    assert text == case.expected(kind), "%s: %s" % (case.name, case.about)


@pytest.mark.parametrize("name", case_names())
def test_case(name: str) -> None:
    case, outcome = _ran(name)
    _check(case, "nft", outcome.text)
    _check(case, "err", problem_lines(outcome.problems))
    _check(case, "warn", problem_lines(outcome.warnings))


@pytest.mark.parametrize("name", case_names())
def test_gives_the_same_text_twice(name: str) -> None:
    case, outcome = _ran(name)
    # From the file again: what the first run was given must not have been changed by it, either.
    again = load_case(name)
    assert again == case
    assert run_case(again) == outcome


@pytest.mark.parametrize("name", [name for name in case_names() if load_case(name).packets])
def test_packets(name: str) -> None:
    case, outcome = _ran(name)
    assert outcome.program is not None, "a refused policy decides no packet"
    wrong = []
    for written in case.packets:
        wanted = expectation(written)
        decided = found(evaluate(outcome.program, read_packet(written)), wanted)
        if not wanted or decided != wanted:
            wrong.append({"packet": written, "decided": decided})
    assert not wrong


def test_the_names_are_well_formed_and_the_sentences_differ() -> None:
    cases = [_ran(name)[0] for name in case_names()]
    assert len(cases) >= 120
    assert [case.name for case in cases if not re.fullmatch(r"\d\d-[a-z0-9-]+/\d\d-[a-z0-9-]+", case.name)] == []
    assert [case.name for case in cases if not re.fullmatch(r"[A-Za-z`].*[.]", case.about, re.DOTALL)] == []
    assert len({case.about for case in cases}) == len(cases)


@pytest.mark.parametrize("nft", nft_parameters())
def test_nft_loads_every_text_twice_and_lists_what_loads_again(nft: NftVersion, tmp_path: pathlib.Path) -> None:
    texts = {name: _ran(name)[1].text for name in case_names() if _ran(name)[1].text}
    listed = list_loaded(nft, texts, tmp_path / "written", times=2)
    again = list_loaded(nft, listed, tmp_path / "listed")
    assert [name for name in texts if listed[name] != again[name]] == []
