# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection and can change without notice.

"""The core's located problems as the errors that Ansible shows."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail, AnsibleFilterError

from ..module_utils._core.errors import Problem, describe


def action_failure(host: str, problems: t.Sequence[Problem]) -> AnsibleActionFail:
    """The failure of a task: a message for people, and ``problems`` in the result for programs."""
    count = "one problem" if len(problems) == 1 else "%d problems" % len(problems)
    return AnsibleActionFail(
        "%s: %s in the firewall's variables\n%s" % (host, count, describe(problems)),
        result={"problems": problems_to_plain(problems)},
    )


def filter_failure(problems: t.Sequence[Problem]) -> AnsibleFilterError:
    """The failure of a filter; ansible-core adds its name."""
    return AnsibleFilterError(describe(problems))


def problems_to_plain(problems: t.Iterable[Problem]) -> t.List[t.Dict[str, str]]:
    """``{code, place, message}`` each."""
    return [{"code": one.code, "place": one.place, "message": one.message} for one in problems]
