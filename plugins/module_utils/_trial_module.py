# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Between the module ``check_policy`` and the host, where the host's kernel is asked."""

from __future__ import annotations

import typing as t

from ._archive_imports import compiled_once

with compiled_once():
    from ._host.errors import HostError
    from ._host.trial import packet_from_plain, try_packets

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


def run_trial(module: AnsibleModule) -> None:
    """Runs the host's half of ``palisade.nftables.check_policy`` and exits."""
    trial = module.params["trial"]
    if trial is None:
        module.fail_json(
            msg="trial is missing: the action plugin palisade.nftables.check_policy, which makes it, did not run"
        )
    try:
        verdicts = try_packets(trial["ruleset"], [packet_from_plain(one) for one in trial["packets"]])
    except HostError as exc:
        module.fail_json(msg=str(exc))
        return
    module.exit_json(changed=False, verdicts=[None if verdict is None else verdict.value for verdict in verdicts])
