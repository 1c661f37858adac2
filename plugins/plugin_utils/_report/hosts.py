# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection and can change without notice.

"""What a report needs of every host, out of the variables that the inventory and the play before gave it."""

from __future__ import annotations

import typing as t

from ansible import constants as C
from ansible.errors import AnsibleError

from ...module_utils._analysis.lint import SSH_PORT
from ...module_utils._core.errors import Path, PolicyError, Problems
from .._collect import collect
from .._errors import problems_to_plain
from .._groups import Groups
from .._linting import OVER_SSH
from .._plain import to_plain
from .document import HostInput

if t.TYPE_CHECKING:
    from ansible.template import Templar

#: ``smart`` is what older inventories have for it.
_SSH = (*OVER_SSH, "smart")


def collect_hosts(
    names: t.Iterable[str],
    task_vars: t.Mapping[str, t.Any],
    templar: Templar,
    groups: Groups,
    live: t.Optional[str] = None,
) -> t.Iterator[HostInput]:
    """Hosts of the inventory, seen with their own variables.

    Args:
        task_vars: Variables of the task, as an action plugin receives them.
        templar: Of the action plugin.
        live: Name of the variable that holds the result of ``ruleset_info``, where there is one.
    """
    hostvars = task_vars["hostvars"]
    for name in names:
        raw = hostvars.raw_get(name)
        own = templar.copy_with_new_env(available_variables={**raw, "hostvars": hostvars})
        result = to_plain(raw[live], Path(live), Problems()) if live is not None and live in raw else None
        yield _collect_host(name, raw, own, groups)._replace(live=result)


def _collect_host(name: str, raw: t.Mapping[str, t.Any], templar: Templar, groups: Groups) -> HostInput:
    about = HostInput(
        name,
        tuple(str(one) for one in raw.get("group_names") or ()),
        tuple(groups.all_addresses(name)),
        ssh_port=_ssh_port(raw),
    )
    try:
        found = collect(raw, templar, groups)
    except PolicyError as exc:
        return about._replace(problems=tuple(problems_to_plain(exc.problems)))
    except AnsibleError as exc:
        return about._replace(problems=({"code": "template", "place": name, "message": exc.message},))
    return about._replace(variables=found.variables, groups=found.groups, state=found.state)


def _ssh_port(raw: t.Mapping[str, t.Any]) -> t.Optional[int]:
    """Where this run would reach the host; None where it would not come over SSH."""
    if raw.get("ansible_connection", C.DEFAULT_TRANSPORT) not in _SSH:
        return None
    port = str(raw.get("ansible_port", SSH_PORT))
    return int(port) if port.isascii() and port.isdecimal() and 0 < int(port) < 65536 else SSH_PORT
