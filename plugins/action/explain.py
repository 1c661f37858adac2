# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's half of the module ``explain``: the answer of the variables, and whether the host is asked too."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..module_utils._analysis.answer import answer
from ..module_utils._core.addresses import format_address
from ..module_utils._core.errors import PolicyError
from ..module_utils._policy.parse import parse_firewall
from ..module_utils._policy.program import Program, build_program
from ..plugin_utils._collect import Collected, collect
from ..plugin_utils._definers import find_definers
from ..plugin_utils._errors import action_failure, problems_to_plain
from ..plugin_utils._explaining import plain_packet
from ..plugin_utils._groups import Groups

_ARGUMENTS = {"packet": {"type": "raw", "required": True}, "live": {"type": "bool", "default": False}}


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: t.Optional[str] = None, task_vars: t.Optional[t.Dict[str, t.Any]] = None) -> t.Dict[str, t.Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        _validation, arguments = self.validate_argument_spec(argument_spec=_ARGUMENTS)
        host = task_vars["inventory_hostname"]
        try:
            plain = plain_packet(arguments["packet"])
            groups = Groups(task_vars, self._templar, task=self._task._uuid)
            try:
                program, collected = self._read(host, groups, task_vars)
            except PolicyError as exc:
                raise action_failure(host, exc.problems) from exc
            # A packet that is none is refused before a host is asked.
            own, definers = groups.own_addresses(host), find_definers(task_vars, self._loader)
            found = answer(plain, program, collected.variables, own, definers)
        except PolicyError as exc:
            raise AnsibleActionFail(str(exc), result={"problems": problems_to_plain(exc.problems)}) from exc
        if not arguments["live"]:
            return {"changed": False, **found}
        asked = {
            "packet": plain,
            "live": True,
            "variables": collected.variables,
            "groups": collected.groups,
            "addresses": [format_address(*one) for one in own.items()],
            "definers": definers,
        }
        return t.cast(
            "t.Dict[str, t.Any]",
            self._execute_module(module_name="palisade.nftables.explain", module_args=asked, task_vars=task_vars),
        )

    def _read(self, host: str, groups: Groups, task_vars: t.Dict[str, t.Any]) -> t.Tuple[Program, Collected]:
        """The program of the host, and its variables."""
        collected = collect(task_vars, self._templar, groups)
        if collected.state == "absent":
            raise AnsibleActionFail("%s has no firewall to ask: its firewall_state is absent" % host)
        firewall = parse_firewall(collected.variables, groups=collected.groups)
        for warning in firewall.warnings:
            self._display.warning(str(warning))
        return build_program(firewall), collected
