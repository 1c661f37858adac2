# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection and can change without notice.

"""Policy tests of a host's inventory variables during a run."""

from __future__ import annotations

import contextlib
import typing as t

from ansible.errors import AnsibleActionFail

from ..module_utils._analysis.assertion_space import Subject
from ..module_utils._analysis.assertion_text import outcome_to_plain, render_outcomes
from ..module_utils._analysis.policy_tests import Outcome, Status, run_policy_tests
from ..module_utils._core.addresses import AddressSet, parse_range
from ..module_utils._core.errors import PolicyError, Problem, show
from ..module_utils._policy.model import Firewall
from ._errors import action_failure
from ._groups import Groups
from ._junit import render_suite, write_suite
from ._kernel import Execute, ask_kernel

if t.TYPE_CHECKING:
    from ansible.template import Templar

#: Of the run, not of a host: where it wants files for continuous integration.
_JUNIT = "palisade_junit"


class Tests(t.NamedTuple):
    """What became of the tests of a host."""

    host: str
    outcomes: t.Tuple[Outcome, ...] = ()

    @property
    def lines(self) -> t.List[str]:
        """As of a test run."""
        return render_outcomes(self.host, self.outcomes)

    def count(self, status: Status) -> int:
        return sum(outcome.status is status for outcome in self.outcomes)

    def beside(self, result: t.Dict[str, t.Any]) -> t.Dict[str, t.Any]:
        """The result of a task with the outcomes, where there are tests."""
        if self.outcomes:
            result["tests"] = self.to_plain()
        return result

    def to_plain(self) -> t.Dict[str, t.Any]:
        return {
            "outcomes": [outcome_to_plain(outcome) for outcome in self.outcomes],
            "lines": self.lines,
            **{status.value.lower(): self.count(status) for status in Status},
        }

    def write_junit(self, folder: str, problems: t.Sequence[Problem] = ()) -> None:
        """A file for continuous integration, where a folder for them is wanted; also of a host without tests.

        Raises:
            AnsibleActionFail: It cannot be written.
        """
        if folder:
            write_suite(folder, self.host, render_suite(self.host, self.outcomes, problems))

    def raise_if_failed(self) -> None:
        """Raises:
        AnsibleActionFail: With the lines of all tests, of which one failed at least.
        """
        failed = self.count(Status.FAILED)
        if failed:
            count = "a policy test fails" if failed == 1 else "%d policy tests fail" % failed
            raise AnsibleActionFail(
                "%s: %s, and nothing was changed\n%s" % (self.host, count, "\n".join(self.lines)),
                result={"tests": self.to_plain()},
            )


def subject_of(host: str, groups: Groups, task_vars: t.Mapping[str, t.Any]) -> Subject:
    """The host as its tests see it: with all its addresses and groups."""
    found = (parse_range(text) for text in groups.all_addresses(host))
    names = frozenset(str(name) for name in task_vars.get("group_names") or ())
    return Subject(host, AddressSet(one for one in found if one is not None), names | {"all"})


def run_tests(firewall: Firewall, subject: Subject, execute: t.Optional[Execute] = None) -> Tests:
    """The tests that a firewall was read with.

    Args:
        execute: Runs a module on the host, where a kernel is to be asked as well.

    Raises:
        AnsibleActionFail: No kernel can be asked.
    """
    outcomes = run_policy_tests(firewall, subject)
    if execute is not None:
        outcomes = ask_kernel(firewall, subject, outcomes, execute)
    return Tests(subject.name, tuple(outcomes))


def executor(action: t.Any, task_vars: t.Dict[str, t.Any]) -> Execute:
    """What runs a module on the host of an action plugin."""

    def execute(name: str, options: t.Dict[str, t.Any]) -> t.Dict[str, t.Any]:
        result: t.Dict[str, t.Any] = action._execute_module(module_name=name, module_args=options, task_vars=task_vars)
        return result

    return execute


@contextlib.contextmanager
def telling(host: str, folder: str) -> t.Iterator[None]:
    """What keeps the tests of a host from being judged is in its file for continuous integration, and fails the task.

    The file of an earlier run would be taken for this one's.

    Raises:
        AnsibleActionFail: The variables are wrong, or no kernel can be asked.
    """
    try:
        yield
    except PolicyError as exc:
        Tests(host).write_junit(folder, exc.problems)
        raise action_failure(host, exc.problems) from exc
    except AnsibleActionFail as exc:
        Tests(host).write_junit(folder, [Problem("run", "run", str(exc))])
        raise


def junit_folder(task_vars: t.Mapping[str, t.Any], templar: Templar) -> str:
    """Where the run wants files for continuous integration; empty: nowhere.

    Raises:
        AnsibleActionFail: It is no name of a folder.
    """
    value = templar.template(task_vars.get(_JUNIT))
    if value is None or value == "":
        return ""
    if not isinstance(value, str):
        raise AnsibleActionFail("%s: %s is not the name of a folder" % (_JUNIT, show(value)))
    return str(value)
