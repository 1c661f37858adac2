# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection and can change without notice.

"""Who defines a role variable: a group of the inventory, or the host itself.

Ansible merges the variables of all groups and keeps no word of where one came from. So they are asked for group by
group, in the inventory and in the files beside it and beside the playbook, and the last one that has the value which
holds in the task defines it. A value from elsewhere (a play, a role, the command line) equals none of them, and
nothing is said of it.
"""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError
from ansible.inventory.helpers import sort_groups
from ansible.vars.plugins import get_vars_from_inventory_sources, get_vars_from_path

from ..module_utils._policy.parse import MERGED_VARIABLES

if t.TYPE_CHECKING:
    from ansible.parsing.dataloader import DataLoader

_PREFIXES = tuple(base + "_" for base in MERGED_VARIABLES)


def find_definers(task_vars: t.Mapping[str, t.Any], loader: DataLoader) -> t.Dict[str, str]:
    """``group web`` or ``host web1`` by variable, for those that several groups add to.

    Args:
        task_vars: Variables of the task, as an action plugin receives them.
        loader: Of the action plugin.
    """
    wanted = [name for name in task_vars if name in MERGED_VARIABLES or str(name).startswith(_PREFIXES)]
    # Plugins are handed no inventory; that of hostvars has been there in every supported version.
    inventory = getattr(task_vars.get("hostvars"), "_inventory", None)
    host = inventory.get_host(task_vars["inventory_hostname"]) if inventory is not None else None
    if host is None or not wanted:
        return {}
    found: t.Dict[str, str] = {}
    for what, entities in (("group", _groups_of(inventory, host)), ("host", [host])):
        for variables, entity in _sources(inventory, loader, entities):
            for name in wanted:
                if name in variables and variables[name] == task_vars[name]:
                    found[str(name)] = "%s %s" % (what, entity.name)
    return found


def _groups_of(inventory: t.Any, host: t.Any) -> t.List[t.Any]:
    """The groups in the order in which their variables take precedence, the last one most."""
    others = sort_groups([group for group in host.get_groups() if group.name != "all"])
    return [inventory.groups["all"], *others]


def _sources(
    inventory: t.Any, loader: DataLoader, entities: t.Sequence[t.Any]
) -> t.Iterator[t.Tuple[t.Mapping[str, t.Any], t.Any]]:
    """The variables of each, in the inventory itself and then in the files beside it and beside the playbook.

    As ansible-core orders them by default (VARIABLE_PRECEDENCE): files about the group all come before any of another.
    """
    for entity in entities:
        yield entity.vars, entity
    for some in (entities[:1], entities[1:]):
        for beside_playbook in (False, True):
            for entity in some:
                yield _of_files(inventory, loader, entity, beside_playbook=beside_playbook), entity


def _of_files(inventory: t.Any, loader: DataLoader, entity: t.Any, *, beside_playbook: bool) -> t.Mapping[str, t.Any]:
    """What vars plugins have for a group or a host; nothing where they fail, which they did for the task as well."""
    try:
        if beside_playbook:
            found = get_vars_from_path(loader, loader.get_basedir(), [entity], "task")
        else:
            found = get_vars_from_inventory_sources(loader, inventory._sources, [entity], "task")
    except AnsibleError:
        return {}
    return t.cast("t.Mapping[str, t.Any]", found)
