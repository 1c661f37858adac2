# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection and can change without notice.

"""Policy tests of all hosts of a play, before the first of them is changed.

The playbook ``deploy`` has a play of its own for that. Who uses the role in another one gets it here: the workers that
Ansible forks for the first hosts of a task share the judging of all hosts among them, through a file.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import typing as t

from ansible import constants as C
from ansible.errors import AnsibleActionFail, AnsibleError

from ..module_utils._analysis.assertion_text import render_outcome
from ..module_utils._analysis.policy_tests import Status
from ..module_utils._core.errors import PolicyError
from ..module_utils._policy.assertion_reader import TESTS
from ..module_utils._policy.definitions import variables_named
from ..module_utils._policy.parse import parse_firewall
from ._collect import collect
from ._testing import Tests, run_tests, subject_of

if t.TYPE_CHECKING:
    from ._groups import Groups

_UNKNOWN, _WELL, _FAILING = b"\0", b"\1", b"\2"

#: In these, hosts go through a play by themselves, and none waits for what becomes of another.
_APART = frozenset(("free", "host_pinned"))


class Verdicts:
    """What became of the tests of some hosts, each judged by one process, however many ask.

    Each host is one octet of a file, and whoever judges it holds a lock on that octet, which the kernel takes back
    when a process dies.

    Args:
        path: Of the file; it is made where it is missing.
        judge: Whether the tests of the host at that position are well.
    """

    def __init__(self, path: str, judge: t.Callable[[int], bool]) -> None:
        self._path = path
        self._judge = judge

    def first_failing(self, positions: t.Sequence[int]) -> t.Optional[int]:
        """The position of a host whose tests fail, among these and those that were judged before; None: of none."""
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # What another process judges is come back to.
            busy = [position for position in positions if not self._settle(file, position, fcntl.LOCK_NB)]
            for position in busy:
                self._settle(file, position, 0)
            found = os.pread(file, os.fstat(file).st_size, 0).find(_FAILING)
        finally:
            os.close(file)
        return None if found < 0 else found

    def _settle(self, file: int, position: int, flags: int) -> bool:
        """Whether the host is judged now, by this process or another."""
        if _read(file, position) != _UNKNOWN:
            return True
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | flags, 1, position)
        except OSError:
            if flags:
                return False
            raise
        try:
            if _read(file, position) == _UNKNOWN:
                os.pwrite(file, _WELL if self._judge(position) else _FAILING, position)
        finally:
            fcntl.lockf(file, fcntl.LOCK_UN, 1, position)
        return True


def _read(file: int, position: int) -> bytes:
    return os.pread(file, 1, position) or _UNKNOWN


class PlayTests:
    """The tests of the hosts of the play that a task is in.

    Args:
        action: The action plugin.
        task_vars: Of the task.
    """

    def __init__(self, action: t.Any, task_vars: t.Mapping[str, t.Any], groups: Groups) -> None:
        self._task = action._task
        self._templar = action._templar
        self._groups = groups
        self._own = str(task_vars["inventory_hostname"])
        self._hostvars = task_vars["hostvars"]
        self._hosts = [str(host) for host in task_vars.get("ansible_play_hosts_all") or ()]
        self._remaining = frozenset(str(host) for host in task_vars.get("ansible_play_hosts") or ())
        # The same for all hosts and batches of a task, and another one in another run.
        name = "palisade-tests-%s" % hashlib.sha256(self._task._uuid.encode()).hexdigest()[:32]
        self._path = os.path.join(C.DEFAULT_LOCAL_TMP, name)

    def raise_if_one_fails(self) -> None:
        """Raises:
        AnsibleActionFail: A test of another host of this play fails, which is named with what is wrong there.
        """
        play = self._task.get_play()
        if play is None or self._task.run_once or str(play.strategy).rpartition(".")[2] in _APART:
            return
        positions = [number for number, host in enumerate(self._hosts) if host != self._own and host in self._remaining]
        verdicts = Verdicts(self._path, lambda position: not self._failed(self._hosts[position]))
        found = verdicts.first_failing(positions)
        if found is None:
            return
        other = self._hosts[found]
        lines = [line for tests in self._failed(other) for line in tests]
        raise AnsibleActionFail(
            "%s: nothing was changed, because policy tests of %s fail\n%s" % (self._own, other, "\n".join(lines))
        )

    def _failed(self, host: str) -> t.List[t.List[str]]:
        """The lines of each test of a host that fails.

        What cannot be judged is not among them: whatever is wrong with its variables stops that host, when it is
        its turn.
        """
        try:
            tests = self._judge(host)
        except (AnsibleError, PolicyError):
            return []
        return [render_outcome(outcome) for outcome in tests.outcomes if outcome.status is Status.FAILED]

    def _judge(self, host: str) -> Tests:
        variables = self._variables(host)
        if not any(variables[name] for name in variables_named(variables, TESTS)):
            return Tests(host)
        templar = self._templar.copy_with_new_env(available_variables=variables)
        # A host that this task leaves out is not about to be changed.
        if not all(templar.evaluate_conditional(condition) for condition in self._task.when):
            return Tests(host)
        collected = collect(variables, templar, self._groups, tests=True)
        if collected.tested is None:
            return Tests(host)
        firewall = parse_firewall(collected.tested.variables, groups=collected.tested.groups)
        return run_tests(firewall, subject_of(host, self._groups, variables))

    def _variables(self, host: str) -> t.Dict[str, t.Any]:
        """What this task would be given for that host: those of the play and of the role count as well."""
        found = self._hostvars._inventory.get_host(host)
        return t.cast(
            "t.Dict[str, t.Any]",
            self._hostvars._variable_manager.get_vars(play=self._task.get_play(), host=found, task=self._task),
        )
