# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection and can change without notice.

"""The controller's half of a confirmation: a new connection to the host, never one that was open before.

The host takes the change back by itself when none comes; here it is only found out what became of it, and said.
"""

from __future__ import annotations

import contextlib
import re
import time
import typing as t

from ansible.errors import AnsibleConnectionFailure, AnsibleError

from ..module_utils._host.take_back import UNHEARD

if t.TYPE_CHECKING:
    from ansible.plugins.connection import ConnectionBase

Result = t.Dict[str, t.Any]
Execute = t.Callable[[t.Mapping[str, t.Any]], Result]

#: Before anything that the user gave: ssh(1) takes the first value of an option.
_UNSHARED = "-o ControlMaster=no -o ControlPath=none "

_PAUSE_SECONDS = 1.0
#: After the timer has run out, for the host to load the rules from before.
_TAKING_BACK_SECONDS = 30.0

#: What ssh says last when sshd answered and let nobody in without a person. The words alone prove nothing: connect(2)
#: and a file that cannot be read complain with them as well.
_REFUSED_BY_SSHD = re.compile(
    r"\S+@\S+: Permission denied \([a-z0-9@.,-]*\)\.\s*$|: Too many authentication failures\s*$",
    re.ASCII | re.IGNORECASE | re.MULTILINE,
)
#: What it says behind that where a jump host refused, so that nothing ever came from the host itself.
_NEVER_CAME = re.compile(
    r"(?:kex|ssh)_exchange_identification|banner exchange|Connection (?:closed|reset) by UNKNOWN", re.IGNORECASE
)

#: Connection plugins that do not use the network of the host: a change cannot cut them off.
_APART = frozenset(
    ("local", "chroot", "docker", "podman", "buildah", "lxc", "lxd", "incus", "jail", "nsenter", "qubes", "machinectl")
)


def why_not_confirmed(transport: str) -> str:
    """Why a change over a connection plugin cannot cut off the way in; empty where it can."""
    plugin = transport.rpartition(".")[2]
    return (
        "no confirmation needed: the connection %s does not use the host's network" % plugin if plugin in _APART else ""
    )


def sshd_answered(complaint: str) -> bool:
    """Whether ssh failed only because the sshd of the host, and no other one on the way, refused to let anyone in."""
    refused = list(_REFUSED_BY_SSHD.finditer(complaint))
    return bool(refused) and not _NEVER_CAME.search(complaint, refused[-1].end())


class Confirmation:
    """Confirms one change.

    Args:
        execute: Runs the module with these arguments besides its others, over the connection as it is set up then.
        begun: What the first execution returned.
    """

    def __init__(self, connection: ConnectionBase, execute: Execute, begun: Result) -> None:
        self._connection = connection
        self._execute = execute
        self._begun = begun
        self._waiting: t.Dict[str, t.Any] = begun["confirmation"]
        self._deadline = time.monotonic() + self._waiting["seconds"]

    def run(self) -> Result:
        """The result of the task: what began, and whether it stayed."""
        complaint = ""
        while True:
            done, complaint = self._attempt()
            if done is not None:
                return self._merged(done)
            if time.monotonic() + _PAUSE_SECONDS >= self._deadline:
                return self._lost(complaint)
            time.sleep(_PAUSE_SECONDS)

    def _attempt(self) -> t.Tuple[t.Optional[Result], str]:
        """What the host answered to a confirmation, or why none reached it."""
        try:
            with _new_connection(self._connection):
                return self._confirm(answered=False), ""
        except AnsibleError as exc:
            return self._answered(str(exc))

    def _answered(self, complaint: str) -> t.Tuple[t.Optional[Result], str]:
        """The same over the connection that is open, if the complaint about a new one shows that it came about."""
        if not (_is_ssh(self._connection) and sshd_answered(complaint)):
            return None, complaint
        # The host's sshd answered over a new TCP connection, and that is what was to be proved.
        try:
            return self._confirm(answered=True), ""
        except AnsibleError as exc:
            return None, "%s\n%s" % (complaint, exc)

    def _confirm(self, *, answered: bool) -> Result:
        result = self._execute({"phase": "confirm", "change": self._waiting["token"], "answered": answered})
        if result.get("unreachable"):
            raise AnsibleConnectionFailure(str(result.get("msg", "unreachable")))
        if not result.get("failed"):
            words = (
                "sshd answered a new connection" if answered else "a new connection from the controller was accepted"
            )
            result["confirmation"]["note"] = words
        return result

    def _merged(self, done: Result) -> Result:
        if done.get("failed"):
            message = str(done.get("msg", ""))
            if UNHEARD in message:
                # It came through once the rules from before were back.
                return {**done, **self._taken_back(message, "")}
            return {**done, "changed": False}
        merged = {**self._begun, "confirmation": done["confirmation"], "persistence": done["persistence"]}
        for name in ("notes", "warnings"):
            merged[name] = list(dict.fromkeys([*self._begun.get(name, ()), *done.get(name, ())]))
        return {name: value for name, value in merged.items() if value or name != "warnings"}

    def _lost(self, complaint: str) -> Result:
        """Nothing reached the host before its timer ran out."""
        time.sleep(max(0.0, self._deadline - time.monotonic()))
        return self._taken_back(self._ask_what_became(complaint), complaint)

    def _taken_back(self, found: str, complaint: str) -> Result:
        way_in = self._waiting.get("way_in") or "Which rule refused the connection is not known."
        said = "The new ruleset was in force, but no new connection reached the host to confirm it."
        message = "\n".join(text for text in (said, found, way_in, complaint) if text)
        return {
            "failed": True,
            "changed": False,
            "msg": message,
            "confirmation": {"state": "taken_back", "note": found},
        }

    def _ask_what_became(self, complaint: str) -> str:
        """What the host says, after ``complaint`` was said of connecting to it."""
        end = time.monotonic() + _TAKING_BACK_SECONDS
        while time.monotonic() < end:
            try:
                result = self._report(complaint)
            except AnsibleError as exc:
                complaint = str(exc)
            else:
                state = result.get("confirmation", {})
                if state.get("state") == "taken_back":
                    return str(state["message"])
                complaint = str(result.get("msg", "the host does not say what became of it"))
            time.sleep(_PAUSE_SECONDS)
        return "The host takes it back by itself; that it did could not be asked: %s" % complaint

    def _report(self, complaint: str) -> Result:
        """Asks the host what became of the change, after ``complaint`` was said of asking before."""
        question = {"phase": "report", "change": self._waiting["token"]}
        if _is_ssh(self._connection) and _REFUSED_BY_SSHD.search(complaint):
            # Where only a person gets in, a connection that is open will do to ask.
            return self._execute(question)
        with _new_connection(self._connection):
            return self._execute(question)


def _is_ssh(connection: ConnectionBase) -> bool:
    """Whether ssh(1) connects, which can leave the connection alone that was open before."""
    return bool(connection.transport.rpartition(".")[2] == "ssh")


@contextlib.contextmanager
def _new_connection(connection: ConnectionBase) -> t.Iterator[None]:
    """What is run inside goes over a connection that was not open before, and shares it with nobody."""
    if not _is_ssh(connection):
        # The others keep one connection by themselves.
        connection.reset()
        yield
        return
    name = "ssh_args"
    before = connection.get_option(name)
    try:
        connection.set_option(name, _UNSHARED + (before or ""))
        yield
    finally:
        connection.set_option(name, before)
