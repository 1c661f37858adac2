# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks the firewall variables of a host on the controller; the documentation is in the module of the same name."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ..module_utils._compile.compile import compile_program
from ..module_utils._core.errors import PolicyError
from ..module_utils._policy.model import Firewall
from ..module_utils._policy.parse import parse_firewall
from ..module_utils._policy.program import build_program
from ..plugin_utils._collect import Collected, collect
from ..plugin_utils._groups import Groups
from ..plugin_utils._jsonschema import MISSING, check_schema
from ..plugin_utils._linting import lint_host, ssh_port
from ..plugin_utils._testing import Tests, executor, junit_folder, run_tests, subject_of, telling

_ARGUMENTS = {"everything": {"type": "bool", "default": False}}


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: t.Optional[str] = None, task_vars: t.Optional[t.Dict[str, t.Any]] = None) -> t.Dict[str, t.Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        _validation, arguments = self.validate_argument_spec(argument_spec=_ARGUMENTS)
        host = task_vars["inventory_hostname"]
        folder = junit_folder(task_vars, self._templar)
        with telling(host, folder):
            collected, firewall, tests = self._check(task_vars, everything=arguments["everything"])
        tests.write_junit(folder)
        tests.raise_if_failed()
        if tests.outcomes:
            # Standard output belongs to the callback, and may be JSON.
            self._display.display("\n".join(tests.lines), stderr=True)
        if collected.lint_fail:
            # Before any host is changed, where a play checks all of them first.
            port = ssh_port(self._connection, self._play_context)
            lint_host(host, collected, port)
        for warning in firewall.warnings:
            self._display.warning(str(warning))
        result = {
            "changed": False,
            "effective_rules": firewall.effective_rules,
            "policies": [policy.name for policy in (*firewall.default_policies, *firewall.assigned)],
            "state": collected.state,
        }
        return tests.beside(result)

    def _check(self, task_vars: t.Dict[str, t.Any], *, everything: bool) -> t.Tuple[Collected, Firewall, Tests]:
        """What the variables say, and what became of the policy tests.

        Raises:
            PolicyError: The variables are wrong.
            AnsibleActionFail: No kernel can be asked.
        """
        groups = Groups(task_vars, self._templar, task=self._task._uuid)
        collected = collect(task_vars, self._templar, groups, everything=everything, tests=True)
        read = collected.tested or collected
        firewall = parse_firewall(read.variables, groups=read.groups, everything=everything)
        compile_program(build_program(firewall), layout=firewall.layout, counters=firewall.counters)
        if everything:
            problems = check_schema(read.variables)
            if problems is None:
                self._display.warning(MISSING)
            elif problems:
                raise PolicyError(problems)
        host = task_vars["inventory_hostname"]
        if not firewall.tests:
            return collected, firewall, Tests(host)
        execute = executor(self, task_vars) if collected.verify_kernel else None
        return collected, firewall, run_tests(firewall, subject_of(host, groups, task_vars), execute)
