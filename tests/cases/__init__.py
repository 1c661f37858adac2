# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cases: one folder each, ``<group>/<nn-name>/``, read as text by people and run by a driver.

``case.yml`` holds

- ``about``: one sentence that says what the case shows;
- ``variables``: role variables by name;
- ``groups``: inventory groups and the addresses of their members, where the variables refer to some;
- ``host``: what was found out on the host, as the keyword ``host`` of the filter takes it;
- ``everything``: true where also what nothing refers to is read, as the playbook ``validate`` does;
- ``packets``: packets, and what the reference evaluator says of them.

Beside it lies ``expect.nft`` (the whole text of a first load) or ``expect.err`` (every problem, one
line each, with its code), and ``expect.warn`` where there are warnings.
"""

from __future__ import annotations

import pathlib
import typing as t

import yaml

from ansible_collections.palisade.nftables.plugins.module_utils._compile.compile import compile_program
from ansible_collections.palisade.nftables.plugins.module_utils._core.errors import Path, PolicyError, Problem, Problems
from ansible_collections.palisade.nftables.plugins.module_utils._nft.text import render_load
from ansible_collections.palisade.nftables.plugins.module_utils._policy.hostfacts import hostfacts_from_plain
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import Program, build_program

FOLDER = pathlib.Path(__file__).resolve().parent

_KEYS = {"about", "variables", "groups", "host", "everything", "packets"}


class Case(t.NamedTuple):
    """One case as it was written, before anything was done with it."""

    name: str
    folder: pathlib.Path
    about: str
    variables: t.Dict[str, t.Any]
    groups: t.Dict[str, t.Any]
    host: t.Optional[t.Dict[str, t.Any]]
    everything: bool
    packets: t.List[t.Dict[str, t.Any]]

    def expected(self, kind: str) -> str:
        """The text of ``expect.nft``, ``expect.err`` or ``expect.warn``; empty where there is none."""
        path = self.folder / ("expect.%s" % kind)
        return path.read_text(encoding="utf-8") if path.exists() else ""


class Outcome(t.NamedTuple):
    """What became of a case: a program and its text, or problems.

    Attributes:
        text: The text of a first load; empty where the case was refused.
        problems: Why it was refused, in order.
        warnings: What does not stop a deploy.
    """

    text: str = ""
    problems: t.Tuple[Problem, ...] = ()
    warnings: t.Tuple[Problem, ...] = ()
    program: t.Optional[Program] = None


def case_names() -> t.List[str]:
    """Every case as ``group/name``, in order."""
    return sorted(str(path.parent.relative_to(FOLDER)) for path in FOLDER.glob("*/*/case.yml"))


def load_case(name: str) -> Case:
    """Reads one case.

    Raises:
        ValueError: The file does not have the form of a case.
    """
    folder = FOLDER / name
    content = yaml.safe_load((folder / "case.yml").read_text(encoding="utf-8"))
    if not isinstance(content, dict) or not {"about", "variables"} <= set(content) <= _KEYS:
        raise ValueError("%s: a case holds about and variables, and maybe others of %s" % (name, sorted(_KEYS)))
    return Case(
        name=name,
        folder=folder,
        about=content["about"],
        variables=content["variables"] or {},
        groups=content.get("groups", {}),
        host=content.get("host"),
        everything=content.get("everything", False),
        packets=content.get("packets", []),
    )


def run_case(case: Case) -> Outcome:
    """Parses, compiles and renders one case, as a deploy does."""
    try:
        firewall = parse_firewall(case.variables, groups=case.groups, everything=case.everything)
        problems = Problems()
        facts = hostfacts_from_plain(case.host, Path("host"), problems)
        problems.raise_if_any()
    except PolicyError as exc:
        return Outcome(problems=exc.problems)
    program = build_program(firewall, facts)
    table = compile_program(program, layout=firewall.layout, counters=firewall.counters)
    return Outcome(text=render_load(table), warnings=firewall.warnings, program=program)


def problem_lines(problems: t.Iterable[Problem]) -> str:
    """One line a problem, with its code."""
    return "".join("%s [%s]\n" % (problem, problem.code) for problem in problems)
