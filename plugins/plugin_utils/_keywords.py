# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection and can change without notice.

"""The keywords of the filters: role variables without their prefix, and what is known of a host."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ..module_utils._core.errors import Path, PolicyError, Problems, show
from ..module_utils._policy.assertion_reader import TESTS
from ..module_utils._policy.definitions import PREFIX
from ..module_utils._policy.hostfacts import HostFacts, hostfacts_from_plain
from ..module_utils._policy.model import Firewall
from ..module_utils._policy.parse import MERGED_VARIABLES, SINGLE_VARIABLES, parse_firewall
from ..module_utils._policy.program import Program, build_program
from ..module_utils._policy.reading import suggestion
from ._errors import filter_failure
from ._plain import to_plain

_POLICIES = "firewall_policies"

#: Keywords beside the role variables.
_HOST = "host"
_GROUPS = "groups"

#: Role variables that say nothing of what packets get.
_WITHOUT_MEANING = (TESTS,)

_MERGED = tuple(name for name in MERGED_VARIABLES if name not in _WITHOUT_MEANING)

KEYWORDS = (
    *(name[len(PREFIX) :] for name in (*_MERGED, *SINGLE_VARIABLES) if name != _POLICIES),
    _HOST,
    _GROUPS,
)
_KEYWORD_PREFIXES = tuple(name[len(PREFIX) :] + "_" for name in _MERGED)


class ReadKeywords(t.NamedTuple):
    """What a filter was called with.

    Attributes:
        variables: The role variables in plain types, by their names.
        facts: What was said of the host; None where nothing was.
    """

    variables: t.Dict[str, t.Any]
    firewall: Firewall
    program: Program
    facts: t.Optional[HostFacts]
    groups: t.Optional[t.Dict[str, t.Any]]


def read_keywords(policies: object, keywords: t.Mapping[str, object]) -> ReadKeywords:
    """The firewall that a filter is about.

    Args:
        policies: What the filter stands behind: the catalogue.

    Raises:
        AnsibleFilterError: With every problem that was found.
    """
    for keyword in keywords:
        if keyword not in KEYWORDS and not keyword.startswith(_KEYWORD_PREFIXES):
            raise AnsibleFilterError(
                "unknown keyword %s%s (known: %s)" % (show(keyword), suggestion(keyword, KEYWORDS), ", ".join(KEYWORDS))
            )
    problems = Problems()
    given = dict(keywords)
    facts = to_plain(given.pop(_HOST, None), Path(_HOST), problems)
    groups = to_plain(given.pop(_GROUPS, None), Path(_GROUPS), problems)
    variables = {_POLICIES: policies, **{PREFIX + keyword: value for keyword, value in given.items()}}
    variables = {name: to_plain(value, Path(name), problems) for name, value in variables.items()}
    if groups is not None and not isinstance(groups, dict):
        problems.error(Path(_GROUPS), "type", "%s is not a mapping of group names to addresses" % show(groups))
    try:
        problems.raise_if_any()
        host = hostfacts_from_plain(facts, Path(_HOST), problems)
        firewall = parse_firewall(variables, groups=groups)
        problems.raise_if_any()
    except PolicyError as exc:
        parsing = (problem for problem in exc.problems if problem not in problems.errors)
        raise filter_failure([*problems.errors, *parsing]) from exc
    return ReadKeywords(variables, firewall, build_program(firewall, host), None if facts is None else host, groups)
