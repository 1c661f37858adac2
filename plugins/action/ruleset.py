# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's half of the module ``ruleset``: the host's inventory variables as plain data."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ..module_utils._core.errors import Path, Problems
from ..module_utils._policy.parse import parse_firewall
from ..plugin_utils._collect import Collected, collect
from ..plugin_utils._confirmation import Confirmation, why_not_confirmed
from ..plugin_utils._errors import action_failure
from ..plugin_utils._groups import Groups
from ..plugin_utils._linting import Lint, lint_host, ssh_port
from ..plugin_utils._nft_package import with_nft
from ..plugin_utils._plain import to_plain
from ..plugin_utils._play_tests import PlayTests
from ..plugin_utils._testing import Tests, executor, junit_folder, run_tests, subject_of, telling

_MODULE = "palisade.nftables.ruleset"

#: Options of the module that stand for what ``from_inventory`` collects.
_COLLECTED = ("variables", "groups")

#: What is collected besides policies, and holds for going back as well.
_SETTINGS = ("persist", "on_conflict", "confirm_timeout", "must_reach")

#: What is collected for this plugin alone.
_OF_THE_CONTROLLER = ("lint_fail", "tested", "verify_kernel")


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _supports_async = True

    def run(self, tmp: t.Optional[str] = None, task_vars: t.Optional[t.Dict[str, t.Any]] = None) -> t.Dict[str, t.Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        problems = Problems()
        arguments = {str(name): to_plain(value, Path(str(name)), problems) for name, value in self._task.args.items()}
        if problems.errors:
            raise action_failure(task_vars["inventory_hostname"], problems.errors)
        lint = Lint()
        installs = _boolean("install_nft", arguments.pop("install_nft", None))
        if _boolean("from_inventory", arguments.pop("from_inventory", None)):
            collected, lint = self._from_inventory(arguments, task_vars)
            arguments = {**collected, **arguments}
        for warning in lint.warnings:
            self._display.warning(warning)
        # The module looks for the ssh session of this run only where there is one.
        arguments["connection"] = self._connection.transport
        return lint.beside(self._run(arguments, task_vars, installs=installs))

    def _run(
        self, arguments: t.Dict[str, t.Any], task_vars: t.Dict[str, t.Any], *, installs: bool
    ) -> t.Dict[str, t.Any]:
        """Arms, applies, connects and confirms: one action, so that no host's timer waits for other hosts."""
        checking = self._task.check_mode
        timeout = _seconds(arguments.get("confirm_timeout")) if arguments.get("state") != "absent" else 0
        why_not = why_not_confirmed(self._connection.transport) if timeout else "firewall_confirm_timeout is 0"
        if timeout and not why_not and self._task.async_val and not checking:
            raise AnsibleActionFail(
                "a change that is to be confirmed cannot run with async: nobody would open the new connection. Leave "
                "out async, or set firewall_confirm_timeout: 0"
            )

        def execute(more: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
            result: t.Dict[str, t.Any] = self._execute_module(
                module_name=_MODULE,
                module_args={**arguments, **more},
                task_vars=task_vars,
                wrap_async=self._task.async_val,
            )
            return result

        first = with_nft(self, execute, task_vars) if installs else execute
        if why_not or checking:
            result = first({"phase": "at_once"})
            if timeout and not checking and not result.get("failed"):
                result["confirmation"] = {"state": "none", "note": why_not}
            return result
        begun = first({"phase": "begin"})
        if begun.get("confirmation", {}).get("state") != "pending":
            return begun
        return Confirmation(self._connection, execute, begun).run()

    def _from_inventory(
        self, arguments: t.Mapping[str, t.Any], task_vars: t.Dict[str, t.Any]
    ) -> t.Tuple[t.Dict[str, t.Any], Lint]:
        """Options of the module, and what lint says of them."""
        beside = [name for name in _COLLECTED if arguments.get(name) is not None]
        if beside:
            raise AnsibleActionFail(
                "from_inventory collects the variables of the host; leave out %s" % " and ".join(beside)
            )
        groups = Groups(task_vars, self._templar, task=self._task._uuid)
        if arguments.get("restore") is not None:
            # Whatever has become of the policies: the host knows those that it goes back to.
            settings = collect(task_vars, self._templar, groups, state="absent")._asdict()
            return {name: settings[name] for name in _SETTINGS}, Lint()
        host = task_vars["inventory_hostname"]
        folder = junit_folder(task_vars, self._templar)
        with telling(host, folder):
            collected = collect(task_vars, self._templar, groups, state=arguments.get("state"), tests=True)
            tests = self._test(collected, groups, task_vars)
        tests.write_junit(folder)
        tests.raise_if_failed()
        if self._task.check_mode:
            if tests.outcomes:
                # Standard output belongs to the callback, and may be JSON.
                self._display.display("\n".join(tests.lines), stderr=True)
        elif collected.state == "present":
            PlayTests(self, task_vars, groups).raise_if_one_fails()
        port = ssh_port(self._connection, self._play_context)
        lint = lint_host(host, collected, port, deploys=not self._task.check_mode)
        options = collected._asdict()
        for name in _OF_THE_CONTROLLER:
            del options[name]
        return options, lint

    def _test(self, collected: Collected, groups: Groups, task_vars: t.Dict[str, t.Any]) -> Tests:
        """The policy tests.

        Raises:
            PolicyError: Something is wrong with them.
            AnsibleActionFail: No kernel can be asked.
        """
        host = task_vars["inventory_hostname"]
        if not collected.tested:
            return Tests(host)
        firewall = parse_firewall(collected.tested.variables, groups=collected.tested.groups)
        execute = executor(self, task_vars) if collected.verify_kernel else None
        return run_tests(firewall, subject_of(host, groups, task_vars), execute)


def _seconds(value: object) -> int:
    try:
        return int(str(value)) if value is not None else 0
    except ValueError:
        # The module says what is wrong with it.
        return 0


def _boolean(name: str, value: object) -> bool:
    if value is None:
        return False
    try:
        return bool(boolean(value))
    except TypeError as exc:
        raise AnsibleActionFail("%s: %s" % (name, exc)) from exc
