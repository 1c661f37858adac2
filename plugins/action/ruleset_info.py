# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's half of the module ``ruleset_info``: the host's inventory variables, where they are asked for."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..module_utils._core.errors import PolicyError
from ..plugin_utils._collect import collect
from ..plugin_utils._errors import action_failure
from ..plugin_utils._groups import Groups

_ARGUMENTS = {
    "variables": {"type": "dict"},
    "groups": {"type": "dict"},
    "state": {"type": "str", "choices": ["present", "absent"]},
    "from_inventory": {"type": "bool", "default": False},
}

#: Options that stand for what ``from_inventory`` collects.
_COLLECTED = ("variables", "groups", "state")


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _supports_async = True

    def run(self, tmp: t.Optional[str] = None, task_vars: t.Optional[t.Dict[str, t.Any]] = None) -> t.Dict[str, t.Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        _validation, arguments = self.validate_argument_spec(argument_spec=_ARGUMENTS)
        asked = {name: arguments[name] for name in _COLLECTED if arguments[name] is not None}
        if arguments["from_inventory"]:
            if asked:
                raise AnsibleActionFail(
                    "from_inventory collects the variables of the host; leave out %s" % " and ".join(asked)
                )
            asked = self._from_inventory(task_vars)
        return t.cast(
            "t.Dict[str, t.Any]",
            self._execute_module(
                module_name="palisade.nftables.ruleset_info",
                module_args=asked,
                task_vars=task_vars,
                wrap_async=self._task.async_val,
            ),
        )

    def _from_inventory(self, task_vars: t.Dict[str, t.Any]) -> t.Dict[str, t.Any]:
        """Options of the module; where the host shall have no firewall, nothing but that."""
        groups = Groups(task_vars, self._templar, task=self._task._uuid)
        try:
            collected = collect(task_vars, self._templar, groups)
        except PolicyError as exc:
            raise action_failure(task_vars["inventory_hostname"], exc.problems) from exc
        if collected.state == "absent":
            return {"state": "absent"}
        return {"variables": collected.variables, "groups": collected.groups}
