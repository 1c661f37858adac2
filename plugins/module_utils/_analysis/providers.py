# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""What a provider's firewall would refuse of a host's policies."""

from __future__ import annotations

import typing as t

from .._core.errors import PolicyError
from .._policy.parse import parse_firewall
from .codes import finding
from .findings import Finding

_PROFILE = "firewall_profile"
_REFUSED = "profile"

#: Settings that belong to the profile in force, and say nothing about the policies.
_OF_THE_PROFILE = ("firewall_default_ingress", "firewall_default_egress", "firewall_default_policies")


def find_refused(
    variables: t.Mapping[str, object], groups: t.Optional[t.Mapping[str, object]], provider: str
) -> t.Iterator[Finding]:
    """Each refusal of a provider, for variables that the host's own profile takes.

    Args:
        provider: The name of its profile.
    """
    asked = {name: value for name, value in variables.items() if name not in _OF_THE_PROFILE}
    asked[_PROFILE] = provider
    try:
        parse_firewall(asked, groups=groups)
    except PolicyError as exc:
        for problem in exc.problems:
            if problem.code == _REFUSED:
                yield finding(
                    "provider-refuses",
                    "%s: %s" % (problem.place, problem.message),
                    "Write it as the provider takes it where the policy is to mean the same there.",
                )
