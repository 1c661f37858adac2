# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection and can change without notice.

"""Hosts that lack nft get its package, as a part of the task that needs it.

A task of its own would be skipped on all other hosts, which takes the controller time for every host in every run; and
a block that is rescued tells every other failure twice.
"""

from __future__ import annotations

import typing as t

Result = t.Dict[str, t.Any]
Execute = t.Callable[[t.Mapping[str, t.Any]], Result]

_PACKAGE = "nftables"
_INSTALL = "install the package %s" % _PACKAGE


def with_nft(action: t.Any, execute: Execute, task_vars: t.Dict[str, t.Any]) -> Execute:
    """What executes the module ``ruleset``, and where nft is missing installs it and executes it again.

    A check installs nothing, so there is still no nft to ask: the result says no more than that.

    Args:
        action: The action plugin.
    """

    def execute_with_nft(more: t.Mapping[str, t.Any]) -> Result:
        result = execute(more)
        if not (result.get("failed") and result.get("nft_missing")):
            return result
        installed = _install(action, task_vars)
        if installed.get("failed"):
            reason = installed.get("msg") or "no reason was given"
            return {**installed, "msg": "nft is missing, and %s cannot be installed: %s" % (_PACKAGE, reason)}
        if action._task.check_mode:
            return {"changed": True, "changes": [_INSTALL]}
        result = execute(more)
        if not result.get("failed"):
            result.update(changed=True, changes=[_INSTALL, *result.get("changes", ())])
        return result

    return execute_with_nft


def _install(action: t.Any, task_vars: t.Dict[str, t.Any]) -> Result:
    """The result of ``ansible.builtin.package``, which knows the package managers."""
    task = action._task.copy()
    task.args = {"name": _PACKAGE, "state": "present"}
    package = action._shared_loader_obj.action_loader.get(
        "ansible.builtin.package",
        task=task,
        connection=action._connection,
        play_context=action._play_context,
        loader=action._loader,
        templar=action._templar,
        shared_loader_obj=action._shared_loader_obj,
    )
    return t.cast("Result", package.run(task_vars=task_vars))
