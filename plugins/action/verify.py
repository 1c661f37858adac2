# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's half of the module ``verify``: what to ask of a host, and what the answers mean."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..module_utils._analysis.asking import Question, QuestionError, choose_questions, read_extra, read_listeners
from ..module_utils._analysis.verification_text import render, row_to_plain, summarise
from ..module_utils._analysis.verifying import Result
from ..module_utils._core.errors import PolicyError
from ..module_utils._policy.parse import parse_firewall
from ..module_utils._policy.program import Program, build_program
from ..plugin_utils._collect import Collected, collect
from ..plugin_utils._errors import action_failure
from ..plugin_utils._groups import Groups
from ..plugin_utils._verifying import Round, Verification, read_addresses

_ARGUMENTS = {
    "step": {"type": "str", "choices": ["choose", "observe", "judge"], "required": True},
    "ports": {"type": "list", "elements": "raw", "default": []},
    "listeners": {"type": "list", "elements": "dict", "default": []},
    "most": {"type": "int", "default": 100},
    "present": {"type": "bool"},
    "host": {"type": "str"},
    "packets": {"type": "list", "elements": "raw", "default": []},
    "answers": {"type": "list", "elements": "dict", "default": []},
    "rounds": {"type": "list", "elements": "dict", "default": []},
    "seen_as": {"type": "list", "elements": "str", "default": []},
}

#: Each of the questions would be answered by whatever else is there, after all that it may take to answer none.
_NOTHING_IN_FORCE = (
    "%s has no ruleset of Palisade, so its policies are not in force and nothing was asked. Deploy them: "
    "ansible-playbook palisade.nftables.deploy --limit %s. With -e palisade_look=false it is asked all the same"
)


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: t.Optional[str] = None, task_vars: t.Optional[t.Dict[str, t.Any]] = None) -> t.Dict[str, t.Any]:
        super().run(tmp, task_vars)
        self._task_vars = task_vars or {}
        self._groups = Groups(self._task_vars, self._templar, task=self._task._uuid)
        self._collected: t.Dict[str, t.Optional[Collected]] = {}
        self._programs: t.Dict[str, t.Optional[Program]] = {}
        _validation, arguments = self.validate_argument_spec(argument_spec=_ARGUMENTS)
        host = str(self._task_vars["inventory_hostname"])
        try:
            if arguments["step"] == "choose":
                return {"changed": False, **self._choose(host, arguments)}
            if arguments["step"] == "observe":
                return self._observe(arguments["host"] or host, arguments["packets"])
            return {"changed": False, **self._judge(host, arguments)}
        except (QuestionError, ValueError) as exc:
            raise AnsibleActionFail("%s: %s" % (host, exc)) from exc

    # The steps

    def _choose(self, host: str, arguments: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
        questions, left_out = self._questions(host, arguments)
        if questions and arguments["present"] is False:
            raise AnsibleActionFail(_NOTHING_IN_FORCE % (host, host))
        return {"targets": [question.to_target() for question in questions], "left_out": left_out}

    def _observe(self, host: str, packets: t.Sequence[object]) -> t.Dict[str, t.Any]:
        collected = self._collect(host)
        if collected is None:
            raise AnsibleActionFail("%s has no firewall to look at" % host)
        asked = {
            "step": "observe",
            "packets": packets,
            "variables": collected.variables,
            "groups": collected.groups,
        }
        result: t.Dict[str, t.Any] = self._execute_module(
            module_name="palisade.nftables.verify", module_args=asked, task_vars=self._task_vars
        )
        return result

    def _judge(self, host: str, arguments: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
        questions, left_out = self._questions(host, arguments)
        listeners = read_listeners(arguments["listeners"])
        seen_as = read_addresses(arguments["seen_as"])
        verification = Verification(host, questions, self._program, seen_as, listeners)
        verification.judge(arguments["answers"])
        rounds = verification.rounds()
        verification.look_closer([_read_round(one) for one in arguments["rounds"]])
        rows = verification.rows
        text = render(host, rows, left_out)
        if not questions:
            text = "%s: nothing asked, its firewall_state is absent" % host
        elif not arguments["answers"]:
            text = "%s: nothing asked, nobody but the host itself was to ask" % host
        for sender, reason in verification.silent_senders.items():
            text += "\n%s did not ask: %s" % (sender, reason)
        different = [row for row in rows if row.result is Result.DIFFERENT]
        asked = [row for row in rows if row.result is not Result.NOT_ASKED]
        return {
            "rows": [row_to_plain(row) for row in rows],
            "counts": summarise(rows),
            "left_out": left_out,
            # Nothing is verified where nobody could ask what was to be asked.
            "verified": not different
            and not verification.silent_senders
            and bool(asked or not questions or not arguments["answers"]),
            "rounds": rounds,
            "text": text,
        }

    # What they need

    def _questions(self, host: str, arguments: t.Mapping[str, t.Any]) -> t.Tuple[t.List[Question], int]:
        extra = [read_extra(port) for port in arguments["ports"]]
        extra += [(one.protocol, one.port) for one in read_listeners(arguments["listeners"])]
        if arguments["most"] < 1:
            raise QuestionError("most: %d is less than 1" % arguments["most"])
        program = self._program(host)
        if program is None:
            return [], 0
        addresses = self._groups.own_addresses(host)
        if not addresses:
            raise QuestionError("no address of it is known; say which in firewall_addresses or ansible_host")
        return choose_questions(program, addresses, extra, arguments["most"])

    def _program(self, host: str) -> t.Optional[Program]:
        """The program of a host; None where it has no firewall.

        Raises:
            AnsibleActionFail: Its variables are wrong.
        """
        if host not in self._programs:
            collected = self._collect(host)
            try:
                self._programs[host] = collected and build_program(
                    parse_firewall(collected.variables, groups=collected.groups)
                )
            except PolicyError as exc:
                raise action_failure(host, exc.problems) from exc
        return self._programs[host]

    def _collect(self, host: str) -> t.Optional[Collected]:
        if host not in self._collected:
            self._collected[host] = self._collect_host(host)
        return self._collected[host]

    def _collect_host(self, host: str) -> t.Optional[Collected]:
        members = self._task_vars.get("groups", {}).get("all", ())
        # The controller that nobody named in the inventory has the variables of the group all, and no firewall of ours.
        if host not in members:
            return None
        variables: t.Dict[str, t.Any] = self._task_vars
        templar = self._templar
        if host != self._task_vars["inventory_hostname"]:
            hostvars = self._task_vars["hostvars"]
            variables = dict(hostvars.raw_get(host))
            variables.update(groups=self._task_vars["groups"], hostvars=hostvars)
            templar = templar.copy_with_new_env(available_variables=variables)
        try:
            collected = collect(variables, templar, self._groups)
        except PolicyError as exc:
            raise action_failure(host, exc.problems) from exc
        return collected if collected.state == "present" else None


def _read_round(registered: t.Mapping[str, t.Any]) -> Round:
    """The results of the three loops of a round."""
    return Round(*(list(registered.get(name, {}).get("results", ())) for name in Round._fields))
