# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection and can change without notice.

"""Lint of a host's inventory variables during a run: warnings, and errors where the operator wants them."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail

from ..module_utils._analysis.codes import CODES
from ..module_utils._analysis.findings import Finding, Severity
from ..module_utils._analysis.lint import SSH_PORT, lint_variables
from ..module_utils._core.errors import PolicyError
from ..module_utils._policy.parse import parse_firewall
from ._collect import Collected

#: Findings that are printed one by one; the result has all of them.
_MOST_PRINTED = 10

_WARNINGS = tuple(code for code in CODES if CODES[code].severity is Severity.WARNING)
#: A deploy of longer policies does not wait for findings that nobody asked to fail it.
_MOST_RULES_OF_A_DEPLOY = 2000
#: Connections over SSH, by the names that Ansible has for them.
OVER_SSH = ("ssh", "paramiko", "paramiko_ssh", "libssh")


class Lint(t.NamedTuple):
    """What was found, and how it is said."""

    findings: t.Tuple[Finding, ...] = ()
    warnings: t.Tuple[str, ...] = ()

    def beside(self, result: t.Dict[str, t.Any]) -> t.Dict[str, t.Any]:
        """The result of a task with the findings."""
        if self.findings:
            result["findings"] = [finding.to_plain() for finding in self.findings]
        return result


def ssh_port(connection: t.Any, play_context: t.Any) -> t.Optional[int]:
    """Where this run reaches the host; None where it does not come over SSH."""
    if connection is None or connection.transport not in OVER_SSH:
        return None
    port = getattr(play_context, "port", None)
    return port if isinstance(port, int) else SSH_PORT


def lint_host(host: str, collected: Collected, port: t.Optional[int], *, deploys: bool = False) -> Lint:
    """The findings that are warnings, and those of the codes in ``firewall_lint_fail``.

    Args:
        deploys: The host is about to be changed, so long policies are judged only if a code is to fail.

    Raises:
        AnsibleActionFail: There is one of those.
    """
    if collected.state != "present":
        return Lint()
    try:
        firewall = parse_firewall(collected.variables, groups=collected.groups)
    except PolicyError:
        # What is wrong is reported by whoever needs it right.
        return Lint()
    rules = sum(len(policy.rules) for policy in firewall.assigned)
    if deploys and rules > _MOST_RULES_OF_A_DEPLOY and not collected.lint_fail:
        return Lint()
    codes = {*_WARNINGS, *collected.lint_fail}
    found = tuple(lint_variables(collected.variables, firewall, groups=collected.groups, ssh_port=port, codes=codes))
    failing = [finding for finding in found if finding.code in collected.lint_fail]
    if failing:
        count = "one finding" if len(failing) == 1 else "%d findings" % len(failing)
        raise AnsibleActionFail(
            "%s: lint has %s of a code in firewall_lint_fail\n%s" % (host, count, "\n".join(_printed(failing))),
            result={"findings": [finding.to_plain() for finding in found]},
        )
    return Lint(found, tuple("%s: %s" % (host, text) for text in _printed(found)))


def _printed(findings: t.Sequence[Finding]) -> t.List[str]:
    texts = [str(finding) for finding in findings[:_MOST_PRINTED]]
    if len(findings) > _MOST_PRINTED:
        texts.append("... and %d more findings, in the result of the task" % (len(findings) - _MOST_PRINTED))
    return texts
