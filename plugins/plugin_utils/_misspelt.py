# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection and can change without notice.

"""Variables that look like a misspelling of a role variable.

Ansible ignores a variable that nobody reads. Of a firewall, that would be a policy that is silently not
there, so such a name stops the run. Other roles have variables that begin with ``firewall_`` too; those
must pass, so a name has to be very near to count.
"""

from __future__ import annotations

import typing as t

from ..module_utils._policy.definitions import PREFIX
from ..module_utils._policy.parse import MERGED_VARIABLES, SINGLE_VARIABLES

#: Role variables that the policy language does not read.
OTHER_VARIABLES = (
    "firewall_addresses",
    "firewall_state",
    "firewall_persist",
    "firewall_on_conflict",
    "firewall_confirm_timeout",
    "firewall_must_reach",
    "firewall_lint_fail",
    "firewall_verify_kernel",
)

ROLE_VARIABLES = (*MERGED_VARIABLES, *SINGLE_VARIABLES, *OTHER_VARIABLES)

_HEAD = PREFIX.rstrip("_")
_RESTS = tuple(name[len(PREFIX) :] for name in ROLE_VARIABLES)
_MERGED_RESTS = tuple(name[len(PREFIX) :] for name in MERGED_VARIABLES)

#: Words that are no slip of the finger but may be meant as ours all the same, alone or with a suffix
#: (``firewall_policy_web``). They count only where the value has the kind that ours would have, because
#: ``firewall_policy: drop`` and ``firewall_service_name`` may well belong to somebody else.
_NEAR_WORDS: t.Dict[str, t.Tuple[str, t.Tuple[t.Type[t.Any], ...]]] = {
    "policy": ("policies", (dict,)),
    "network": ("networks", (dict,)),
    "service": ("services", (dict,)),
    "assign": ("assigned", (list, tuple)),
    "assignment": ("assigned", (list, tuple)),
    "assignments": ("assigned", (list, tuple)),
    "default_policy": ("default_policies", (list, tuple)),
    "address": ("addresses", (str, list, tuple)),
}

#: firewalld is another firewall, and roles for it have ``firewalld_services`` and the like.
_OTHER_HEADS = ("firewalld",)

#: From this length on two slips count as a misspelling, below only one; words shorter than the second
#: are near too many other words (``state``, ``stage``) for a replaced letter to count.
_LONG, _SHORT = 10, 7


def misspelt(variables: t.Mapping[t.Any, object]) -> t.List[t.Tuple[str, str]]:
    """Names that look like a misspelt role variable, each with the one that was meant."""
    found = []
    for name, value in variables.items():
        meant = _meant(name, value) if isinstance(name, str) else None
        if meant is not None:
            found.append((str(name), meant))
    return found


def _meant(name: str, value: object) -> t.Optional[str]:
    head, separator, rest = name.lower().replace("-", "_").partition("_")
    # A look at the letters spares the many variables that have nothing to do with a firewall.
    if not separator or len(set(head) & set(_HEAD)) < 5 or head in _OTHER_HEADS:
        return None
    slips = _slips(head, _HEAD)
    if slips > 2:
        return None
    known = _known(rest)
    if known:
        # What differs is the first word, the letter case or a hyphen.
        return None if _reads(name) else PREFIX + rest
    meant = _near(rest, value) if slips <= 1 else None
    return None if meant is None else PREFIX + meant


def _reads(name: str) -> bool:
    return name in ROLE_VARIABLES or name.startswith(tuple(base + "_" for base in MERGED_VARIABLES))


def _known(rest: str) -> bool:
    return rest in _RESTS or rest.startswith(tuple(base + "_" for base in _MERGED_RESTS))


def _near(rest: str, value: object) -> t.Optional[str]:
    if rest in _NEAR_WORDS:
        meant, kinds = _NEAR_WORDS[rest]
        return meant if isinstance(value, kinds) else None
    for one in sorted(_RESTS, key=lambda one: _slips(rest, one)):
        if sorted(one.split("_")) == sorted(rest.split("_")) or _is_slip(rest, one):
            return one
    word, separator, suffix = rest.partition("_")
    if not separator or not suffix:
        return None
    if word in _NEAR_WORDS:
        meant, kinds = _NEAR_WORDS[word]
        return "%s_%s" % (meant, suffix) if meant in _MERGED_RESTS and isinstance(value, kinds) else None
    for base in _MERGED_RESTS:
        if _is_slip(word, base):
            return "%s_%s" % (base, suffix)
    return None


def _is_slip(word: str, meant: str) -> bool:
    if len(meant) < _SHORT and len(word) == len(meant):
        return sorted(word) == sorted(meant)
    return 0 < _slips(word, meant) <= (2 if len(meant) >= _LONG else 1)


def _slips(word: str, meant: str) -> int:
    """Letters left out, added, replaced or swapped with their neighbour; 3 stands for all above 2."""
    if abs(len(word) - len(meant)) > 2:
        return 3
    before: t.List[int] = []
    row = list(range(len(meant) + 1))
    for index, letter in enumerate(word, 1):
        earlier, before, row = before, row, [index]
        for column, other in enumerate(meant, 1):
            best = min(before[column] + 1, row[column - 1] + 1, before[column - 1] + (letter != other))
            if index > 1 and column > 1 and letter == meant[column - 2] and word[index - 2] == other:
                best = min(best, earlier[column - 2] + 1)
            row.append(best)
    return min(row[-1], 3)
