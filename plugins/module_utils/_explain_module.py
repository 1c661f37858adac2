# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Between the module ``explain`` and the host: options in, answer or failure out."""

from __future__ import annotations

import typing as t

from ._archive_imports import compiled_once

with compiled_once():
    from ._core.addresses import parse_address
    from ._core.errors import PolicyError
    from ._host.errors import HostError
    from ._host.explain import Question, explain_live
    from ._host.privileges import check_privileges

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


def run_explain(module: AnsibleModule) -> None:
    """Runs ``palisade.nftables.explain`` and exits."""
    parameters = module.params
    if parameters["variables"] is None:
        module.fail_json(
            msg="variables is missing: the action plugin palisade.nftables.explain, which collects them, did not run"
        )
    try:
        own = dict(parse_address(text) for text in parameters["addresses"])
        check_privileges()
        definers = {name: str(definer) for name, definer in (parameters["definers"] or {}).items()}
        question = Question(parameters["packet"], parameters["variables"], parameters["groups"], own, definers)
        _exit(module, explain_live(question))
    except (PolicyError, HostError, ValueError) as exc:
        module.fail_json(msg=str(exc))


def _exit(module: AnsibleModule, result: t.Dict[str, t.Any]) -> None:
    for warning in result.pop("warnings"):
        module.warn(warning)
    module.exit_json(changed=False, **result)
