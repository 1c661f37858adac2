# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Between the module ``verify`` and the host that is looked at."""

from __future__ import annotations

import typing as t

from ._archive_imports import compiled_once

with compiled_once():
    from ._core.errors import PolicyError
    from ._host.errors import HostError
    from ._host.observe import observe
    from ._host.privileges import check_privileges

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


def run_verify(module: AnsibleModule) -> None:
    """Runs the part of ``palisade.nftables.verify`` that is on the host, and exits."""
    parameters = module.params
    if parameters["variables"] is None:
        module.fail_json(
            msg="variables is missing: the action plugin palisade.nftables.verify, which collects them, did not run"
        )
    try:
        check_privileges()
        found = observe(parameters["packets"] or (), parameters["variables"], parameters["groups"])
    except (PolicyError, HostError) as exc:
        module.fail_json(msg=str(exc))
    else:
        module.exit_json(changed=False, **found)
