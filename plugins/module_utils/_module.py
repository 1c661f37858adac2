# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Between the module object and the run: options in, result or failure out."""

from __future__ import annotations

import typing as t

from ._archive_imports import compiled_once

with compiled_once():
    from ._core.errors import PolicyError
    from ._core.ports import PortError, parse_service
    from ._host.apply import run
    from ._host.confirm import Confirm, Phase
    from ._host.errors import HostError
    from ._host.nft import NftMissingError
    from ._host.options import Options
    from ._host.persistence import Mode
    from ._host.privileges import check_privileges

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


def run_module(module: AnsibleModule) -> None:
    """Runs ``palisade.nftables.ruleset`` and exits."""
    parameters = module.params
    if parameters["from_inventory"]:
        # The policies would be empty, and the host open.
        module.fail_json(
            msg="from_inventory is the work of the action plugin palisade.nftables.ruleset, which did not run"
        )
    if parameters["state"] == "present" and parameters["variables"] is None and not parameters["restore"]:
        # An explicit null passes required_if.
        module.fail_json(msg="state is present but variables is missing: without variables the host would be open")
    options = Options(
        state=parameters["state"],
        variables=parameters["variables"],
        groups=parameters["groups"],
        persist=Mode(parameters["persist"]),
        on_conflict=parameters["on_conflict"],
        connection=parameters["connection"],
        restore=parameters["restore"] or "",
        check_mode=module.check_mode,
        confirm=Confirm(
            phase=Phase(parameters["phase"]),
            timeout=parameters["confirm_timeout"],
            must_reach=_services(module, parameters["must_reach"]),
            token=parameters["change"],
            answered=parameters["answered"],
        ),
        diff=module._diff,  # noqa: SLF001 - the only way to know that diff mode is on
    )
    try:
        check_privileges()
        _exit(module, run(options))
    except (PolicyError, HostError) as exc:
        # The action plugin can install nft where only that is missing.
        module.fail_json(msg=str(exc), nft_missing=isinstance(exc, NftMissingError))


def _services(module: AnsibleModule, texts: t.Sequence[str]) -> t.Tuple[t.Tuple[str, int], ...]:
    found = []
    for text in texts:
        try:
            found.append(parse_service(text))
        except PortError as exc:
            module.fail_json(msg="must_reach: %s" % exc)
    return tuple(found)


def _exit(module: AnsibleModule, result: t.Dict[str, t.Any]) -> None:
    for warning in result.pop("warnings"):
        module.warn(warning)
    diff = result.pop("diff")
    if module._diff:  # noqa: SLF001 - as above
        result["diff"] = diff
    module.exit_json(**result)
