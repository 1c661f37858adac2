# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Between the module ``ruleset_info`` and the host: options in, what is live or a failure out."""

from __future__ import annotations

import typing as t

from ._archive_imports import compiled_once

with compiled_once():
    from ._core.errors import PolicyError
    from ._host.errors import HostError
    from ._host.live import Asked, find_live
    from ._host.privileges import check_privileges

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


def run_ruleset_info(module: AnsibleModule) -> None:
    """Runs ``palisade.nftables.ruleset_info`` and exits."""
    parameters = module.params
    if parameters["from_inventory"]:
        module.fail_json(
            msg="from_inventory is the work of the action plugin palisade.nftables.ruleset_info, which did not run"
        )
    try:
        check_privileges()
        asked = Asked(parameters["variables"], parameters["groups"], parameters["state"])
        module.exit_json(changed=False, **find_live(asked))
    except (PolicyError, HostError) as exc:
        module.fail_json(msg=str(exc))
